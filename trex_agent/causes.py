"""Causes: what bad cases have that right ones have not, by named rules over single items.

| cause | an item has it where |
|---|---|
| no answer found | the scorer's parser found no answer in the output |
| empty output | the output holds nothing but blanks |
| output runs on | it is over three times as long as nearly every right answer |
| output repeats itself | it is long, and few of its runs of eight characters are distinct |
| long prompt | the prompt is longer than nine in ten of validation's |
| unlike training | its nearest row of the pool is farther than for eight in ten of validation |
| training answers otherwise | a row of the pool with nearly its wording has another answer |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ft_bench.record import CaseGroup, Finding
from ft_bench.stats import wilson
from trex_agent.cases import Case, slips
from trex_agent.nearness import Neighbour

__all__ = ["CAUSES", "POOL_FINDINGS", "Traits", "causes_of", "pool_findings", "traits_of"]

CAUSES = (
    "no answer found",
    "empty output",
    "output runs on",
    "output repeats itself",
    "long prompt",
    "unlike training",
    "training answers otherwise",
)
POOL_FINDINGS = ("training answers otherwise", "unlike training")
"""Causes that the training data can mend."""
_LEAST_SHARE = 0.2
_LEAST_OF_ALL = 0.02
_RUN = 8
_LONG = 100
_DISTINCT = 0.35
_SAME = 0.85
_LEAST_OUTPUT = 40


@dataclass(frozen=True, slots=True)
class Traits:
    """Which causes each case has; `held[name][place]` belongs to the case of that place."""

    held: Mapping[str, Sequence[bool]]
    neighbours: Sequence[Neighbour]

    def share(self, name: str, places: Sequence[int]) -> float:
        """The share of the cases at `places` that have a cause, 0 where there are none."""
        return sum(self.held[name][place] for place in places) / max(1, len(places))


def traits_of(cases: Sequence[Case], neighbours: Sequence[Neighbour]) -> Traits:
    """Look at every case by every rule; limits are quantiles of the cases given.

    Args:
        cases: right and wrong ones.
        neighbours: the nearest training row of each.
    """
    lengths = np.array([case.question.length for case in cases] or [0])
    answers = np.array([len(case.question.answer) for case in cases] or [0])
    likeness = np.array([row.likeness for row in neighbours] or [0.0])
    long, far = np.quantile(lengths, 0.9), np.quantile(likeness, 0.2)
    most = max(_LEAST_OUTPUT, 3 * float(np.quantile(answers, 0.95)))
    held = {
        "no answer found": [not case.valid for case in cases],
        "empty output": [not case.output.strip() for case in cases],
        "output runs on": [case.size > most for case in cases],
        "output repeats itself": [_repeats(case.output) for case in cases],
        "long prompt": [case.question.length > long for case in cases],
        "unlike training": [row.likeness < far for row in neighbours],
        "training answers otherwise": [
            row.likeness >= _SAME and row.answer.strip() != case.question.answer.strip()
            for case, row in zip(cases, neighbours, strict=True)
        ],
    }
    return Traits(held, neighbours)


def _repeats(text: str) -> bool:
    runs = [text[i : i + _RUN] for i in range(len(text) - _RUN + 1)]
    return len(text) >= _LONG and len(set(runs)) < _DISTINCT * len(runs)


def causes_of(
    cases: Sequence[Case], group: Sequence[int], right: Sequence[int], traits: Traits
) -> tuple[Finding, ...]:
    """Why the cases of a group are wrong, the commonest first.

    A cause holds where a fifth of the group have it, and surely more than of the right cases: the
    lower end of its 95 % interval lies above their share. The commonest slip is named beside them.

    Args:
        cases: all that were looked at.
        group: places of bad cases that belong together.
        right: places of right cases.
        traits: of all cases.
    """
    found = []
    for name in CAUSES:
        share, usual = traits.share(name, group), traits.share(name, right)
        low = wilson(share * len(group), len(group)).low
        if share >= _LEAST_SHARE and low > usual:
            text = f"{share:.0%} of the group, {usual:.0%} of the right items"
            found.append(Finding(name=name, share=share, text=text + _where(name, group, traits)))
    common = _commonest(cases, group)
    if common is not None:
        found.append(common)
    return tuple(sorted(found, key=lambda finding: (-finding.share, finding.name)))


def _where(name: str, group: Sequence[int], traits: Traits) -> str:
    """For what is far from training: the source whose rows are nearest still."""
    if name != "unlike training":
        return ""
    sources = Counter(traits.neighbours[place].source for place in group)
    sources.pop("", None)
    if not sources:
        return ""
    source, many = max(sources.items(), key=lambda pair: (pair[1], pair[0]))
    return f"; nearest to source {source!r} in {many / len(group):.0%}"


def _commonest(cases: Sequence[Case], group: Sequence[int]) -> Finding | None:
    counts = Counter(slip for place in group for slip in slips(cases[place]))
    counts.pop("no answer found", None)
    if not counts:
        return None
    slip, many = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    share = many / len(group)
    if share < _LEAST_SHARE:
        return None
    return Finding(name="wrong label" if " " in slip else slip, share=share, text=slip)


def pool_findings(groups: Sequence[CaseGroup], items: int) -> list[Finding]:
    """What the groups say of the training data, as findings with a share of all items."""
    found = []
    for name in POOL_FINDINGS:
        held = [(group, cause) for group in groups for cause in group.causes if cause.name == name]
        share = sum(group.items * cause.share for group, cause in held) / max(1, items)
        if share > _LEAST_OF_ALL:
            text = f"{share:.0%} of the items are wrong where {_IN_WORDS[name]}"
            found.append(Finding(name=name, share=share, text=text))
    return found


_IN_WORDS = {
    "training answers otherwise": "a row of the pool that reads nearly the same answers otherwise",
    "unlike training": "the pool holds little that reads alike",
}
