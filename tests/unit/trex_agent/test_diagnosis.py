from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from ft_bench.protocols import Lab
from ft_bench.record import Concluded, Diagnosis, Planned
from ft_bench.testing.records import bodies_of, evaluated, failed, plan, trained
from ft_bench.tree import Tree
from trex_agent.diagnosis import diagnose, incumbent


class Shown:
    """What a diagnosis looks at: a tree, items by model, and how sure it is that one is better."""

    folder: ClassVar[Path]

    def __init__(self, bodies: list[Any], right: dict[str, str], sure: float = 0.5) -> None:
        self.tree = Tree.of(bodies)
        self.right, self.sure = right, sure
        self.compared: list[tuple[str, str]] = []

    @property
    def brief(self) -> Any:
        """Rows that fit the items."""
        count = max(map(len, self.right.values()))
        path = self.folder / f"{count}.jsonl"
        rows = [{"id": f"i{n}", "prompt": f"what is {n}?", "answer": "yes"} for n in range(count)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return SimpleNamespace(validation=path, train=path, seed=0)

    def items(self, model: str) -> list[dict[str, Any]]:
        """One item per letter: 1 right, 0 wrong, - wrong and without an answer."""
        return [
            {
                "value": float(mark == "1"),
                "valid": mark != "-",
                "prediction": None if mark == "-" else f"{mark}{place % 3}",
            }
            for place, mark in enumerate(self.right[model])
        ]

    def probability_better(self, model: str, other: str) -> float:
        self.compared.append((model, other))
        return self.sure


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    Shown.folder = tmp_path


def diagnosed(shown: Shown, node: int) -> Diagnosis:
    return diagnose(cast(Lab, shown), node)


def closed(node: int, verdict: str) -> Concluded:
    diagnosis = Diagnosis.model_validate({"verdict": verdict})
    return Concluded(node=node, status="succeeded", diagnosis=diagnosis)


def two_nodes(**changes: Any) -> list[Any]:
    """A baseline of 0.5 and a node under it that has been scored but not closed."""
    second = trained(1).model_copy(update=changes)
    return [
        *bodies_of([(None, [0.5])]),
        Planned(node=1, parent=0, plan=plan(3e-4, strategy="adjust_training_scheme")),
        second,
        evaluated(1, 0, 0.75),
    ]


RIGHT = {"base": "0000", "n0v0": "1100", "n1v0": "1011"}


def names(found: Diagnosis) -> list[str]:
    return [finding.name for finding in found.findings]


def test_flips_are_counted_against_the_parents_best() -> None:
    found = diagnosed(Shown(two_nodes(), RIGHT), 1)
    assert (found.fixed, found.broken, found.still_wrong) == (2, 1, 0)
    assert "0.750 against 0.500 at the parent; changed variant.lr" in found.text
    assert "2 items fixed, 1 broken, 0 still wrong" in found.text


def test_the_root_is_compared_with_the_base() -> None:
    shown = Shown(list(bodies_of([(None, [0.5])]))[:-1], RIGHT)
    found = diagnosed(shown, 0)
    assert (found.verdict, found.fixed, found.still_wrong) == ("baseline", 2, 2)
    assert found.probability_better is None
    assert shown.compared == []


@pytest.mark.parametrize(
    ("sure", "verdict"),
    [(0.95, "new best"), (0.9, "new best"), (0.89, "tie"), (0.11, "tie"), (0.09, "worse")],
)
def test_a_new_best_needs_nine_in_ten(sure: float, verdict: str) -> None:
    shown = Shown(two_nodes(), RIGHT, sure)
    found = diagnosed(shown, 1)
    assert (found.verdict, found.probability_better) == (verdict, sure)
    assert shown.compared == [("n1v0", "n0v0")]


def test_the_standing_best_moves_with_new_bests_alone() -> None:
    bodies = list(bodies_of([(None, [0.5]), (0, [0.7]), (0, [0.9])]))
    assert _standing(Tree.of(bodies)) == 0
    assert _standing(Tree.of([*bodies, closed(1, "new best")])) == 1
    assert _standing(Tree.of([*bodies, closed(1, "new best"), closed(2, "tie")])) == 1
    assert incumbent(cast(Lab, Shown([], {}))) is None


def _standing(tree: Tree) -> int:
    shown = Shown([], {})
    shown.tree = tree
    found = incumbent(cast(Lab, shown))
    assert found is not None
    return found[0].id


def test_a_node_without_a_score_failed_and_says_why() -> None:
    bodies = [*bodies_of([(None, [0.5])]), Planned(node=1, parent=0, plan=plan(1e-3, 2e-3))]
    shown = Shown([*bodies, failed(1, 0), failed(1, 1, "OOM")], RIGHT)
    found = diagnosed(shown, 1)
    assert found.verdict == "failed"
    assert names(found) == ["training diverged", "failed: OOM"]
    assert [finding.share for finding in found.findings] == [0.5, 0.5]
    assert "the loss is nan" in found.text
    nothing = diagnosed(Shown(bodies, RIGHT), 1)
    assert "nothing was trained" in nothing.text


def test_outputs_without_an_answer_are_named() -> None:
    shown = Shown(two_nodes(), {**RIGHT, "n0v0": "1" * 20, "n1v0": "1" * 17 + "---"})
    (finding,) = diagnosed(shown, 1).findings
    assert (finding.name, finding.share) == ("invalid format", 0.15)
    fewer = Shown(two_nodes(), {**RIGHT, "n0v0": "1" * 20, "n1v0": "1" * 18 + "--"})
    assert names(diagnosed(fewer, 1)) == []


def test_one_answer_for_everything_is_named() -> None:
    class Same(Shown):
        def items(self, model: str) -> list[dict[str, Any]]:
            return [item | {"prediction": "yes"} for item in super().items(model)]

    assert names(diagnosed(Same(two_nodes(), RIGHT), 1)) == ["skewed predictions"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"final_loss": 1.9}, "loss is flat"),
        ({"truncated": 0.03}, "texts truncated"),
    ],
)
def test_what_the_training_shows_is_named(changes: dict[str, Any], name: str) -> None:
    assert names(diagnosed(Shown(two_nodes(**changes), RIGHT), 1)) == [name]


def test_a_training_in_order_has_no_finding() -> None:
    assert names(diagnosed(Shown(two_nodes(), RIGHT), 1)) == []


def test_a_training_without_losses_is_no_finding() -> None:
    assert names(diagnosed(Shown(two_nodes(train_loss=None, final_loss=None), RIGHT), 1)) == []
