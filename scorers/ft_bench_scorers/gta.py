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

from ft_bench.errors import UsageError
from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.gta_answers import Similarity, answer_score, trigram_similarity
from ft_bench_scorers.gta_dialogue import COLUMNS, dialogue_means, dialogue_parts, read_steps
from ft_bench_scorers.gta_react import Step, arguments_of, is_call, name_of, parse_step, read_step
from ft_bench_scorers.means import check_call, ratio
from ft_bench_scorers.reasoning import VERBATIM, answer_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SCORER", "GtaScorer", "gta_scorer"]

_STEPS = ("answer", "instruction", "tool", "arguments", "tool_call", "tool_call_error")
_COLUMNS = (*_STEPS, *COLUMNS)


@dataclass(slots=True)
class GtaScorer:
    """SummAcc over rows that are single steps.

    Args:
        name: the metric's name.
        version: moves whenever a value could change.
        similarity: compares an answer with a reference sentence.
        parsers: the parser names; `verbatim` strips no reasoning, `json` takes steps as upstream
            stores its predictions, `dialogue` a JSON list of them against a row that is a sample.
    """

    name: str
    version: str
    similarity: Similarity
    parsers: tuple[str, ...] = ("strict", "json", "dialogue", VERBATIM)

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Read each output as a step and score it; the value is the answer's or the call's."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        texts = answer_texts(outputs, parser)
        if parser == "dialogue":
            return [self.score_dialogue(row, text) for row, text in zip(rows, texts, strict=True)]
        if parser == "json":
            return [
                self.score_step(row, read_step(text)) for row, text in zip(rows, texts, strict=True)
            ]
        return [
            self.score_step(row, parse_step(text, row["tools"], row["files"]))
            for row, text in zip(rows, texts, strict=True)
        ]

    def score_step(self, row: Row, step: Step) -> ItemScore:
        """Score a step that was already read.

        Args:
            row: needs `gold` (a step), `reference` (upstream's gt_answer) and `counts`.
            step: the predicted step.
        """
        gold: Step = row["gold"]
        wrong, called, wanted = bool(step.get("error")), is_call(step), is_call(gold)
        if called:
            return self._call(row["id"], gold if wanted else None, step, wrong)
        parts = {} if wanted or wrong else {"instruction": 1.0}
        value = 0.0
        if not wanted and step.get("role", "assistant") == "assistant":
            value = answer_score(row["reference"], str(step.get("content", "")), self.similarity)
            parts["answer"] = value
        return ItemScore(row["id"], value, not wrong, step, parts)

    @staticmethod
    def _call(name: str, gold: Step | None, step: Step, wrong: bool) -> ItemScore:
        """A step that calls a tool; `gold` is None where an answer was wanted."""
        parts = {"tool_call": 1.0, "tool_call_error": float(wrong)}
        value = 0.0
        if gold is not None:
            parts["instruction"] = float(not wrong)
            if name_of(step) == name_of(gold):
                value = float(arguments_of(step) == arguments_of(gold))
                parts["tool"], parts["arguments"] = 1.0, value
        return ItemScore(name, value, not wrong, step, parts)

    def score_dialogue(self, row: Row, text: str) -> ItemScore:
        """Score a whole predicted dialogue; the value is the answer's, or the images'.

        Raises:
            UsageError: the row is a single step.
        """
        if "dialogs" not in row:
            raise UsageError(
                f"Row {row['id']!r} is one step of a dialogue, expected a sample for the parser "
                "'dialogue'; give the samples' ids and --split any"
            )
        steps = read_steps(text)
        parts = dialogue_parts(row, steps or [], self.similarity)
        value = parts.get("answer", 0.0) if row["reference"] else parts["image"]
        return ItemScore(row["id"], value, steps is not None, steps, parts)

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """The parts, then the denominators: gold calls, samples with a reference. Shape (n, 22)."""
        import numpy as np

        table = np.zeros((len(items), len(_COLUMNS) + 2), dtype=np.float64)
        every = [item.components for item in items]
        whole = any("dialogue" in parts for parts in every)
        for column, part in enumerate(_COLUMNS if whole else _STEPS):
            table[:, column] = [parts.get(part, 0.0) for parts in every]
        table[:, -2] = [is_call(row.get("gold", {})) for row in rows]
        table[:, -1] = [row["counts"] for row in rows]
        return table

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """SummAcc in [0, 1]; 0 without a sample that has a reference. Shape (..., 22) to (...)."""
        return ratio(sums[..., 0], sums[..., -1])

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """InstAcc, ToolAcc, ArgAcc and SummAcc in [0, 1] (InstAcc may exceed it); call counts.

        For whole dialogues: AnsAcc, Ans+I and the F1 of the kinds of tools, in [0, 1] too.
        """
        named = dict(zip(_COLUMNS, map(float, sums), strict=False))
        gold_calls, references = map(float, sums[-2:])
        if named["dialogue"]:
            return dialogue_means(named, references)
        return {
            "inst_acc": named["instruction"] / max(gold_calls + references, 1.0),
            "tool_acc": named["tool"] / max(gold_calls, 1.0),
            "arg_acc": named["arguments"] / max(gold_calls, 1.0),
            "summ_acc": named["answer"] / max(references, 1.0),
            "tool_call": named["tool_call"],
            "tool_call_error": named["tool_call_error"],
        }


def gta_scorer(similarity: Similarity = trigram_similarity) -> GtaScorer:
    """The scorer with another similarity for the samples whose references are sentences."""
    return GtaScorer(name="accuracy", version="1", similarity=similarity)


SCORER = gta_scorer()
