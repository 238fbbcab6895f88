"""GBFS and SES: TREX with another search policy, and nothing else."""

from __future__ import annotations

from typing import Literal

from trex_agent.agent import Trex, TrexOptions

__all__ = ["Gbfs", "GbfsOptions", "Ses", "SesOptions"]


class GbfsOptions(TrexOptions):
    """TREX's options; the policy is greedy best-first, `gbfs-cap` with at most four children."""

    search: Literal["gbfs", "gbfs-cap"] = "gbfs"


class Gbfs(Trex):
    """Greedy best-first search: always refines the best node."""

    name = "gbfs"
    Options = GbfsOptions


class SesOptions(TrexOptions):
    """TREX's options; the policy is sequential."""

    search: Literal["ses"] = "ses"


class Ses(Trex):
    """Sequential search: always refines the node of the previous round."""

    name = "ses"
    Options = SesOptions
