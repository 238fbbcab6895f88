"""Evidence: a run's records on disk, compared after the agent with what the harness knows.

Where the agent could not write outside its workspace there is nothing to find. Without such a
sandbox it may have altered records; what the harness holds in memory stands again, and a flag says
that it had to.
"""

from __future__ import annotations

from ft_bench.digest import file_sha256
from ft_bench.files import write_text
from ft_bench.lab import MeteredLab
from ft_bench.record import Evaluated

__all__ = ["Evidence"]


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
