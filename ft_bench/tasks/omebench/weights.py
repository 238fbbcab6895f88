"""Weights: how much each step of a mechanism counts where upstream gives no weight.

Upstream weighs only its Gold set. A Silver reaction made from a Gold one takes over its weights
where the steps are of the same kinds; else weights are proportional to a factor per kind, times 0.8
for the last step. The factors were fitted to the Gold weights (log-linear; mean absolute error
0.008, against 0.076 for equal weights).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FACTORS", "gold_weights", "step_weights"]

FACTORS = {
    "acid_base_proton_transfer": 0.80,
    "dissociation": 0.85,
    "coordination": 1.34,
    "reductive_elimination": 1.69,
    "proton_elimination": 1.75,
    "radical_addition": 1.76,
    "electrophilic_addition": 1.78,
    "oxidative_addition": 1.78,
    "radical_elimination": 1.87,
    "leaving_group_elimination": 1.95,
    "nucleophilic_addition": 1.97,
    "radical_substitution": 2.30,
    "heterolytic_cleavage": 2.42,
    "radical_termination": 2.55,
    "nucleophilic_substitution": 2.61,
    "homolytic_cleavage": 2.61,
    "single_electron_transfer": 2.65,
    "radical_propagation": 2.69,
    "electrophilic_substitution": 2.70,
    "radical_initiation": 2.79,
    "radical_coupling": 2.92,
    "radical_rearrangement": 3.29,
    "group_transfer": 3.66,
    "1,2-shift": 3.75,
    "electrocyclization": 4.03,
    "cycloreversion": 4.08,
    "cheletropic_reaction": 4.26,
    "sigmatropic_rearrangement": 4.36,
    "cycloaddition": 4.42,
    "ene_reaction": 6.19,
}
_UNKNOWN = 2.0
_LAST = 0.8

Kinds = tuple[str, ...]


def gold_weights(gold: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Kinds], list[float]]:
    """The weights of each Gold reaction by its id and the kinds of its steps."""
    return {
        (
            reaction["reaction_id"],
            tuple(step["subtype"] for step in reaction["mechanism"]),
        ): [float(step["step_weight"]) for step in reaction["mechanism"]]
        for reaction in gold
    }


def step_weights(
    reaction_id: str, kinds: Kinds, gold: Mapping[tuple[str, Kinds], list[float]]
) -> list[float]:
    """One weight per step, together 1.

    Args:
        reaction_id: of a Silver reaction: the Gold id, then the residues, parted by "_".
        kinds: the sub-types of the steps.
        gold: what `gold_weights` gives.
    """
    known = gold.get((reaction_id.split("_", 1)[0], kinds))
    if known is not None:
        return list(known)
    raw = [FACTORS.get(kind, _UNKNOWN) for kind in kinds]
    raw[-1] *= _LAST
    return [weight / sum(raw) for weight in raw]
