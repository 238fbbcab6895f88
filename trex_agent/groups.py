"""Groups: bad cases that are alike, in what was asked and in what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from ft_bench.protocols import Lab
from ft_bench.record import CaseGroup, Finding
from trex_agent.cases import Case, slips
from trex_agent.causes import Traits, causes_of, traits_of
from trex_agent.nearness import nearest, vectors_of
from trex_agent.terms import characteristic

__all__ = ["group_cases", "spread"]

_MOST_WRONG = 3_000
_MOST_RIGHT = 1_000
_MOST_GROUPS = 6
_PER_GROUP = 10
_SLIPS = 24
_SLIP_WEIGHT = 0.8
_EXAMPLES = 3


def spread(places: Sequence[int], most: int) -> list[int]:
    """At most `most` of the places, evenly spread over them."""
    if len(places) <= most:
        return list(places)
    return [places[at * len(places) // most] for at in range(most)]


def group_cases(lab: Lab, cases: Sequence[Case], broken: Set[int], seed: int) -> list[CaseGroup]:
    """Cluster the bad cases and say of each group what tells it apart and why it went wrong.

    At most 3,000 bad cases are looked at, evenly spread; counts are scaled up to all of them.

    Args:
        lab: for the training rows that cases are compared with.
        cases: every item of validation.
        broken: places of those that the parent had right.
        seed: of the clusters.

    Returns:
        The groups, largest first; none where everything is right.
    """
    all_wrong = [place for place, case in enumerate(cases) if not case.right]
    wrong = spread(all_wrong, _MOST_WRONG)
    right = spread([place for place, case in enumerate(cases) if case.right], _MOST_RIGHT)
    if not wrong:
        return []
    looked = [cases[place] for place in (*wrong, *right)]
    traits = traits_of(looked, nearest(lab.brief.train, [case.question.prompt for case in looked]))
    assigned = _assign(looked[: len(wrong)], seed)
    members = [np.flatnonzero(assigned == group).tolist() for group in range(assigned.max() + 1)]
    members = sorted((found for found in members if found), key=lambda found: (-len(found), found))
    scale = len(all_wrong) / len(wrong)
    hit = {at for at, place in enumerate(wrong) if place in broken}
    return [_group(looked, found, len(wrong), traits, hit, scale) for found in members]


def _assign(wrong: Sequence[Case], seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which group each bad case belongs to, shape (cases,): spherical k-means."""
    from aidp.clusters import cluster
    from aidp.encode import unit

    count = max(1, min(_MOST_GROUPS, round((len(wrong) / _PER_GROUP) ** 0.5)))
    asked = vectors_of([case.question.prompt for case in wrong])
    vectors = unit(np.hstack([asked, _SLIP_WEIGHT * unit(_slip_vectors(wrong))]))
    nearest_centre: np.ndarray[tuple[int], np.dtype[np.int64]] = cluster(
        vectors, count, seed=seed
    ).nearest[:, 0]
    return nearest_centre


def _slip_vectors(wrong: Sequence[Case]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """One column for each of the commonest slips."""
    made = [slips(case) for case in wrong]
    counts = Counter(slip for found in made for slip in found)
    ranked = sorted(counts, key=lambda slip: (-counts[slip], slip))[:_SLIPS]
    column = {slip: number for number, slip in enumerate(ranked)}
    vectors = np.zeros((len(wrong), max(1, len(column))), np.float32)
    for row, found in enumerate(made):
        for slip in found:
            if slip in column:
                vectors[row, column[slip]] = 1.0
    return vectors


def _group(
    looked: Sequence[Case],
    members: Sequence[int],
    wrong: int,
    traits: Traits,
    broken: Set[int],
    scale: float,
) -> CaseGroup:
    """One group in words. `members` and `broken` are places among the first `wrong` cases."""
    inside = set(members)
    prompts = [looked[place].question.prompt for place in members]
    others = [case.question.prompt for at, case in enumerate(looked) if at not in inside]
    terms = characteristic(prompts, others)
    causes = causes_of(looked, members, range(wrong, len(looked)), traits)
    return CaseGroup(
        label=_label(
            causes[0].text
            if causes and causes[0].name == "wrong label"
            else causes[0].name
            if causes
            else "wrong",
            terms,
        ),
        items=round(scale * len(members)),
        broken=round(scale * len(inside & broken)),
        terms=tuple(terms),
        examples=tuple(
            looked[place].question.id
            for place in spread(_typical(looked, members, causes), _EXAMPLES)
        ),
        causes=causes,
    )


def _typical(
    looked: Sequence[Case], members: Sequence[int], causes: Sequence[Finding]
) -> Sequence[int]:
    """The members that show the group's commonest slip, all where it has none."""
    named = {cause.text for cause in causes if cause.name == "wrong label"}
    return [place for place in members if named & set(slips(looked[place]))] or members


def _label(what: str, terms: Sequence[str]) -> str:
    about = ", ".join(f"{term!r}" for term in terms[:3])
    return f"{what}, prompts with {about}" if about else what
