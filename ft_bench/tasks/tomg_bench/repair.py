"""Repair: OpenMolIns instructions in which the group and the molecule have changed places."""

from __future__ import annotations

import re

__all__ = ["repaired"]

_GROUPS = (
    "benzene ring|benzene_ring|hydroxyl|anhydride|aldehyde|ketone|carboxyl|ester|amide|amine|nitro|"
    "halo|thioether|nitrile|thiol|sulfide|disulfide|sulfoxide|sulfone|borane"
)
_FROM = re.compile(rf"^(.*?\ba )(\S+)( (?:from|in) the molecule )({_GROUPS})(\b.*)$", re.DOTALL)
_BY = re.compile(rf"^(.*?\bmolecule )({_GROUPS})( by \w+ a )(\S+?)(\.?|\s.*)$", re.DOTALL)


def repaired(instruction: str) -> str | None:
    """The instruction with both put back, or None where nothing is wrong with it.

    "Remove a CCO from the molecule halo." becomes "Remove a halo from the molecule CCO.".
    """
    swapped = _FROM.match(instruction) or _BY.match(instruction)
    if swapped is None:
        return None
    before, first, between, second, after = swapped.groups()
    return f"{before}{second}{between}{first}{after}"
