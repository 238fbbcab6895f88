"""GTA: tool-using agents, step by step without tools; answer accuracy.

A row is one assistant turn of a gold dialogue: the model sees the gold history and writes the next
step. The metric is upstream's SummAcc: the sum of the answers' scores over the samples that have a
reference. Instruction following, tool and argument accuracy are reported beside it. Upstream
compares 16 samples by an embedding model; the default here is a stand-in without weights, and
`gta_scorer` takes another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.gta_answers import Similarity, answer_score, trigram_similarity
from ft_bench_scorers.gta_react import Step, arguments_of, is_call, name_of, parse_step, read_step
from ft_bench_scorers.means import check_call, ratio
from ft_bench_scorers.reasoning import VERBATIM, answer_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SCORER", "GtaScorer", "gta_scorer"]

_COLUMNS = ("answer", "instruction", "tool", "arguments", "tool_call", "tool_call_error")
_PARTS = dict.fromkeys(_COLUMNS, 0.0)


@dataclass(slots=True)
class GtaScorer:
    """SummAcc over rows that are single steps.

    Args:
        name: the metric's name.
        version: moves whenever a value could change.
        similarity: compares an answer with a reference sentence.
        parsers: the parser names; `verbatim` strips no reasoning, `json` takes steps as upstream
            stores its predictions.
    """

    name: str
    version: str
    similarity: Similarity
    parsers: tuple[str, ...] = ("strict", "json", VERBATIM)

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Read each output as a step and score it; the value is the answer's or the call's."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        return [
            self.score_step(row, self._parsed(row, answer_text(output, parser), parser))
            for row, output in zip(rows, outputs, strict=True)
        ]

    @staticmethod
    def _parsed(row: Row, text: str, parser: str) -> Step:
        if parser == "json":
            return read_step(text)
        return parse_step(text, row["tools"], row["files"])

    def score_step(self, row: Row, step: Step) -> ItemScore:
        """Score a step that was already read.

        Args:
            row: needs `gold` (a step), `reference` (upstream's gt_answer) and `counts`.
            step: the predicted step.
        """
        gold: Step = row["gold"]
        wrong, called, wanted = bool(step.get("error")), is_call(step), is_call(gold)
        parts = _PARTS.copy()
        if called == wanted and not wrong:
            parts["instruction"] = 1.0
        if called:
            parts["tool_call"] = 1.0
            parts["tool_call_error"] = float(wrong)
        if called and wanted and name_of(step) == name_of(gold):
            parts["tool"] = 1.0
            parts["arguments"] = float(arguments_of(step) == arguments_of(gold))
        if not called and not wanted and step.get("role", "assistant") == "assistant":
            text = str(step.get("content", ""))
            parts["answer"] = answer_score(row["reference"], text, self.similarity)
        value = parts["arguments"] if wanted else parts["answer"]
        return ItemScore(row["id"], value, not wrong, step, parts)

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """The parts, then the denominators: gold calls, samples with a reference. Shape (n, 8)."""
        import numpy as np

        table = [
            [*map(item.components.__getitem__, _COLUMNS), is_call(row["gold"]), row["counts"]]
            for row, item in zip(rows, items, strict=True)
        ]
        return np.asarray(table, dtype=np.float64).reshape(len(items), len(_COLUMNS) + 2)

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """SummAcc in [0, 1]; 0 without a sample that has a reference. Shape (..., 8) to (...)."""
        return ratio(sums[..., 0], sums[..., 7])

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """InstAcc, ToolAcc, ArgAcc and SummAcc in [0, 1] (InstAcc may exceed it); call counts."""
        answer, instruction, tool, arguments, calls, errors, gold_calls, references = map(
            float, sums
        )
        return {
            "inst_acc": instruction / max(gold_calls + references, 1.0),
            "tool_acc": tool / max(gold_calls, 1.0),
            "arg_acc": arguments / max(gold_calls, 1.0),
            "summ_acc": answer / max(references, 1.0),
            "tool_call": calls,
            "tool_call_error": errors,
        }


def gta_scorer(similarity: Similarity = trigram_similarity) -> GtaScorer:
    """The scorer with another similarity for the samples whose references are sentences."""
    return GtaScorer(name="accuracy", version="1", similarity=similarity)


SCORER = gta_scorer()
