"""Report: what the replays of an agent come to, and the tables of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from agents import TRAININGS
from numpy.typing import NDArray
from table import Entry, Table

from ft_bench.digest import derive_seed

__all__ = ["Replayed", "exhaustive", "interval", "report", "summary"]

Floats = NDArray[np.float64]
_RESAMPLES = 10_000
SHOWN = (3, 9, 18, 30, TRAININGS)


@dataclass(frozen=True)
class Replayed:
    """The searches of one agent on one task.

    `curves` has shape (seeds, trainings, 4): best validation so far on the items of the seed, the
    test score of that training, device-seconds spent, its validation score on all items. `trained`
    and `built` count trainings and datasets by seed.
    """

    curves: Floats
    trained: Floats
    built: Floats

    @property
    def areas(self) -> Floats:
        """Mean best so far over the trainings, by seed."""
        return cast(Floats, self.curves[:, :, 0].mean(axis=1))

    @classmethod
    def together(cls, parts: Sequence[Replayed]) -> Replayed:
        """The seeds of several, in order."""
        return cls(
            np.concatenate([part.curves for part in parts]),
            np.concatenate([part.trained for part in parts]),
            np.concatenate([part.built for part in parts]),
        )


def interval(values: Floats) -> list[float]:
    """Mean with its 95 % bootstrap interval over seeds."""
    rng = np.random.default_rng(derive_seed("replay", len(values)))
    picked = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[picked].mean(axis=1), (0.025, 0.975))
    return [round(float(value), 5) for value in (values.mean(), low, high)]


def standard_error(entry: Entry) -> float:
    """Of a validation score, from its items."""
    assert entry.influence is not None
    return float(np.sqrt((entry.influence**2).sum()))


def exhaustive(table: Table) -> dict[str, float]:
    """Every point trained once: its best, and what that costs."""
    first = [found[0] for found in table.by_point.values()]
    best = max(first, key=lambda entry: entry.score or 0.0)
    return {
        "trainings": len(first),
        "validation": float(best.score or 0.0),
        "test": float(best.row["test"]),
        "device_seconds": round(sum(entry.seconds for entry in first), 1),
        "standard_error": round(standard_error(best), 5),
    }


def summary(made: Replayed, rival: Replayed, whole: Mapping[str, float]) -> dict[str, Any]:
    """What is reported of an agent; `rival` is TREX's default."""
    near = made.curves[:, :, 3] >= whole["validation"] - whole["standard_error"]
    reached = near.any(axis=1)
    first = near.argmax(axis=1)
    spent = made.curves[np.arange(len(first)), first, 2][reached]
    seeds = min(len(made.areas), len(rival.areas))
    return {
        "seeds": len(made.areas),
        "area": interval(made.areas),
        "trex_minus_this": interval(rival.areas[:seeds] - made.areas[:seeds]),
        "best_after": {str(n): interval(made.curves[:, n - 1, 0]) for n in SHOWN},
        "test_at_end": interval(made.curves[:, -1, 1]),
        "device_seconds": round(float(made.curves[:, -1, 2].mean()), 1),
        "reached": round(float(reached.mean()), 3),
        "device_seconds_to_reach": round(float(spent.mean()), 1) if len(spent) else None,
        "trainings": round(float(made.trained.mean()), 1),
        "datasets_built": round(float(made.built.mean()), 1),
    }


def report(outcome: Mapping[str, Any]) -> str:
    """The tables of the README."""
    parts = []
    for task, found in outcome.items():
        whole = found["exhaustive"]
        parts.append(
            f"### {task}\n\n{whole['trainings']} points. Exhaustive search: validation "
            f"{whole['validation']:.3f}, test {whole['test']:.3f}, "
            f"{whole['device_seconds']:,.0f} device-seconds; standard error of its best "
            f"{whole['standard_error']:.3f}.\n\n"
            "| agent | area, 95 % | TREX minus this, 95 % | best after "
            + " / ".join(map(str, SHOWN))
            + " | test at the end | within one standard error of the best: share of seeds, "
            "device-s | trainings, "
            "datasets built |\n|---|---|---|---|---|---|---|\n"
            + "\n".join(_row(name, item) for name, item in found["agents"].items())
        )
    return "\n\n".join(parts) + "\n"


def _row(name: str, item: Mapping[str, Any]) -> str:
    area, delta = item["area"], item["trex_minus_this"]
    best = " / ".join(f"{item['best_after'][str(n)][0]:.3f}" for n in SHOWN)
    seconds = item["device_seconds_to_reach"]
    return (
        f"| {name} | {area[0]:.4f} ({area[1]:.4f} to {area[2]:.4f}) "
        f"| {delta[0]:+.4f} ({delta[1]:+.4f} to {delta[2]:+.4f}) | {best} "
        f"| {item['test_at_end'][0]:.3f} | {item['reached']:.0%}"
        + (f", {seconds:.0f}" if seconds is not None else "")
        + f" | {item['trainings']:.0f}, {item['datasets_built']:.0f} |"
    )
