"""Evidence: a run's records on disk, compared after the agent with what the harness knows.

Where the agent could not write outside its workspace there is nothing to find. Without such a
sandbox it may have altered records; what the harness holds in memory stands again, and a flag says
that it had to.
"""

from __future__ import annotations

from pathlib import Path

from ft_bench.digest import file_sha256
from ft_bench.errors import IntegrityError
from ft_bench.files import write_text
from ft_bench.lab import MeteredLab
from ft_bench.record import Card, Evaluated, Tested
from ft_bench.seal import find_seal
from ft_bench.store import RunPaths, read_card, read_events

__all__ = ["Evidence", "settled_card"]


def settled_card(paths: RunPaths, private: Path) -> Card:
    """The card of a run that is over, once its journal was found to say the same.

    Args:
        paths: of the run.
        private: where the keys of runs are.

    Raises:
        IntegrityError: where card and journal do not fit together, or the journal was altered.
    """
    card = read_card(paths.card)
    events, _ = read_events(paths.events)
    tested = [event.body for event in events if isinstance(event.body, Tested)]
    seal = find_seal(private, paths.root)
    why = ""
    if not events or events[-1].hash != card.head:
        why = f"it ends at {card.head[:12]}, the journal at {events[-1].hash[:12] if events else 0}"
    elif [(body.score, body.base) for body in tested] != [(card.test, card.base_test)]:
        why = "its test scores are not the journal's"
    elif seal is not None and (line := seal.broken(paths.events)) is not None:
        why = f"line {line} of the journal does not bear the seal of this run"
    if why:
        raise IntegrityError(
            f"{paths.card} does not fit its journal: {why}; see `ft-bench audit "
            f"{paths.root.name}`, or start anew with --fresh"
        )
    return card


class Evidence:
    """The records of one run as they are before its agent begins.

    Args:
        lab: of the run.
    """

    def __init__(self, lab: MeteredLab) -> None:
        self._lab = lab
        self._manifest = lab.paths.manifest.read_bytes()

    def restore(self) -> None:
        """Put altered records right and flag the run for them. No process of the agent is alive."""
        lab = self._lab
        altered = ["events.jsonl"] if lab.ledger.journal.restore() else []
        manifest = lab.paths.manifest
        if not manifest.is_file() or manifest.read_bytes() != self._manifest:
            write_text(manifest, self._manifest.decode("utf-8"))
            altered.append(manifest.name)
        for name in altered:
            lab.flag("forged-record", f"{name} was altered by somebody; it was restored")
        for samples in self._altered_samples():
            lab.flag("forged-record", f"{samples} is not what was scored")

    def _altered_samples(self) -> list[str]:
        found = []
        for body in self._lab.ledger.journal.bodies:
            if isinstance(body, Evaluated) and body.score.samples:
                path = self._lab.paths.root / body.score.samples
                if not path.is_file() or file_sha256(path) != body.score.samples_sha256:
                    found.append(body.score.samples)
        return found
