"""Recheck: every number of a run again, from its journal and its stored predictions.

What a run leaves behind is enough: the journal's chain, outputs with checksums, datasets, weights.
What was pruned, or made by another version, is named as not verified and never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ft_bench import registry
from ft_bench.audit import Reference
from ft_bench.budget import Budget, Meter
from ft_bench.digest import derive_seed
from ft_bench.errors import ChainBroken, FtBenchError
from ft_bench.grader.rescore import rescore
from ft_bench.integrity import is_void
from ft_bench.prepare import Prepared, prepared, read_rows
from ft_bench.protocols import Row, Scorer
from ft_bench.record import (
    Card,
    Evaluated,
    Event,
    Flagged,
    Overlap,
    RunManifest,
    Score,
    Selected,
    Tested,
    Trained,
)
from ft_bench.seal import find_seal
from ft_bench.stats import gain_interval
from ft_bench.store import RunPaths, read_card, read_events, read_manifest
from ft_bench.task import TaskSpec
from ft_bench.tree import Tree
from ft_bench.weights import weights_digest

__all__ = ["Check", "recheck"]

State = Literal["ok", "wrong", "not verified"]
_EQUAL = 1e-9


class Check(BaseModel):
    """One thing that was looked at: what it is, how it stands, and why where it does not."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    detail: str = ""


def recheck(paths: RunPaths, cache: Path, private: Path) -> list[Check]:
    """Everything that can be recomputed about a run.

    Args:
        paths: of the run.
        cache: the public cache with the task's train and validation splits.
        private: the folder with its test split.

    Raises:
        DataMissing: where the folder holds no run.
    """
    manifest = read_manifest(paths)
    try:
        events, _ = read_events(paths.events)
    except ChainBroken as broken:
        return [Check(name="hash chain", state="wrong", detail=str(broken))]
    run = _Run(paths, manifest, events, cache, private)
    found = [Check(name="hash chain", state="ok", detail=f"{len(events):,} events")]
    found.append(_sealed(paths, manifest, private))
    for name, look in run.looks():
        found.append(_checked(name, look))
    return found


def _sealed(paths: RunPaths, manifest: RunManifest, private: Path) -> Check:
    """Whether the harness wrote the journal: every line bears the code of the run's key."""
    seal = find_seal(private, paths.root)
    if seal is None:
        why = "the key of this run is not here"
        return Check(name="journal seal", state="not verified", detail=why)
    line = seal.broken(paths.events)
    if line is not None:
        why = f"line {line} was not written by the harness, or run.json was altered"
        return Check(name="journal seal", state="wrong", detail=why)
    open_ = "" if manifest.isolation == "bwrap" else "; its key was within reach of the agent"
    return Check(name="journal seal", state="ok", detail=f"isolation {manifest.isolation}{open_}")


def _checked(name: str, look: Callable[[], str]) -> Check:
    """Run one look: words are a fault, silence is well, a missing thing is not verified."""
    try:
        why = look()
    except (FileNotFoundError, FtBenchError, ValueError, KeyError) as cause:
        return Check(name=name, state="not verified", detail=" ".join(str(cause).split())[:300])
    return Check(name=name, state="wrong" if why else "ok", detail=why)


@dataclass(frozen=True)
class _Run:
    """A run as it lies on disk, and what can be asked of it."""

    paths: RunPaths
    manifest: RunManifest
    events: Sequence[Event]
    cache: Path
    private: Path

    def looks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name and check of everything, in the order in which a reader cares."""
        yield "budget", self._budget
        for body in self._of(Evaluated):
            yield f"validation of {body.model}", partial(self._rescored, body.score)
        for body in self._of(Trained):
            yield f"weights of {body.model}", partial(self._weights, body)
        if not self.paths.card.exists():
            return
        yield "card and journal", self._card_fits
        yield "one test evaluation", self._once
        yield "selection on validation", self._selection
        yield "test score", partial(self._rescored, self.card.test)
        yield "test score of the base", partial(self._rescored, self.card.base_test)
        yield "gain", self._gain
        yield "flags", self._flags
        yield "overlap", self._overlap

    @cached_property
    def card(self) -> Card:
        return read_card(self.paths.card)

    @cached_property
    def spec(self) -> TaskSpec:
        return registry.task(self.manifest.task)

    @cached_property
    def scorer(self) -> Scorer:
        return registry.scorer(self.spec.scorer)

    @cached_property
    def data(self) -> Prepared:
        found = prepared(self.spec, self.cache, self.private)
        versions = (self.spec.version, self.scorer.version)
        if versions != (self.manifest.task_version, self.manifest.scorer_version):
            raise ValueError(
                f"made with task version {self.manifest.task_version} and scorer version "
                f"{self.manifest.scorer_version}, installed are {versions[0]} and {versions[1]}"
            )
        if found.data_digest != self.manifest.data_digest:
            raise ValueError("the prepared data are not those of the run")
        return found

    @cached_property
    def tree(self) -> Tree:
        return Tree.of((event.body for event in self.events), self.spec.metric.direction)

    @cached_property
    def meter(self) -> Meter:
        bodies = (event.body for event in self.events)
        return Meter.of(Budget.model_validate(self.manifest.budget), bodies)

    def rows(self, split: str) -> list[Row]:
        return list(read_rows(self.data.test if split == "test" else self.data.validation))

    def _of(self, kind: type[Any]) -> list[Any]:
        return [event.body for event in self.events if isinstance(event.body, kind)]

    def _budget(self) -> str:
        meter = self.meter
        over = [
            f"{name} {used:g} of {limit:g}"
            for name, used in meter.spent.model_dump().items()
            if (limit := meter.budget.limit(name)) is not None and used > limit + _EQUAL
        ]
        return f"over its limits: {', '.join(over)}" if over else ""

    def _rescored(self, score: Score) -> str:
        rows = self.rows(score.split)
        return rescore(self.paths.root, score, self.spec, self.scorer, rows).why

    def _weights(self, trained: Trained) -> str:
        folder = self.paths.root / trained.path / "model"
        if not folder.is_dir() or not trained.weights_sha256:
            raise FileNotFoundError("the weights are not here")
        same = weights_digest(folder) == trained.weights_sha256
        return "" if same else "the weights are not those that the training left"

    def _card_fits(self) -> str:
        card, heads = self.card, {event.hash for event in self.events}
        tested = self._of(Tested)
        wrong = []
        if card.head not in heads:
            wrong.append("its head is not in the journal")
        if card.tree_digest != self.tree.digest():
            wrong.append("its tree is another one")
        if not tested or (tested[-1].score, tested[-1].base) != (card.test, card.base_test):
            wrong.append("its test scores are not the journal's")
        if self.tree.base != card.base_validation:
            wrong.append("its base score on validation is not the journal's")
        wrong += _usage_faults(self, card)
        return f"the card does not fit: {'; '.join(wrong)}" if wrong else ""

    def _once(self) -> str:
        count = len(self._of(Tested))
        if count == self.card.n_test_evaluations == 1:
            return ""
        return f"{count} evaluations in the journal, {self.card.n_test_evaluations} on the card"

    def _selection(self) -> str:
        chosen: Selected = self._of(Selected)[-1]
        if chosen.by == "agent":
            scored = {body.model for body in self._of(Evaluated)}
            return "" if chosen.model in scored else f"{chosen.model} was never validated"
        best = self.tree.best()
        where = (best[0].id, best[1].index) if best else (None, None)
        if where == (chosen.node, chosen.variant):
            return ""
        return f"node {chosen.node} went to the test, the best on validation is node {where[0]}"

    def _gain(self) -> str:
        card, rows = self.card, self.rows("test")
        after, before = (
            rescore(self.paths.root, score, self.spec, self.scorer, rows).statistics
            for score in (card.test, card.base_test)
        )
        if after is None or before is None:
            raise ValueError("the outputs were not those that were scored")
        if is_void(card.flags):
            return "" if card.gain.delta == 0.0 else "a flag voids the gain, the card shows one"
        again = gain_interval(
            after,
            before,
            self.scorer.value,
            reference=self.spec.reference.score if self.spec.reference else None,
            half_width=(card.test.ci.high - card.test.ci.low) / 2,
            seed=derive_seed(self.manifest.seed, "gain"),
            direction=self.spec.metric.direction,
            span=(self.spec.metric.floor, self.spec.metric.ceiling),
        )
        return "" if again == card.gain else f"recomputed {again.delta:.6g} {again.delta_ci}"

    def _flags(self) -> str:
        names = tuple(sorted({body.name for body in self._of(Flagged)}))
        return "" if names == self.card.flags else f"the journal has {names}, the card another set"

    def _overlap(self) -> str:
        stored = [item for item in self.card.overlap if item.split == "test"]
        if not stored:
            return ""
        again = self._overlap_again()
        return "" if again in stored else f"recomputed {again}"

    def _overlap_again(self) -> Overlap:
        import datasets

        chosen = self._of(Selected)[-1]
        trained = next(body for body in self._of(Trained) if body.model == chosen.model)
        built = self.tree.node(trained.node).datasets
        path = next(item.path for item in built if item.dataset == trained.dataset)
        prompts = datasets.load_from_disk(str(self.paths.root / path))["prompt"][:]
        return Reference(
            "test",
            [str(row["prompt"]) for row in self.rows("test")],
            pool=(str(row["prompt"]) for row in read_rows(self.data.train)),
            near=registry.backend("overlap", "aidp"),
        ).overlap(prompts)


def _usage_faults(run: _Run, card: Card) -> list[str]:
    spent, shown = run.meter.spent.model_dump(), card.usage.model_dump()
    return [
        f"{name} is {shown[name]:g}, the books say {used:g}"
        for name, used in spent.items()
        if name != "wall_seconds" and abs(used - shown[name]) > _EQUAL
    ]
