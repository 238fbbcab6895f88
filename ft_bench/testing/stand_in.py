"""Stand-in: a training by somebody else's agent, as a program.

`python -m ft_bench.testing.stand_in BASE OUT SKILL` copies the base with its weights moved a
little, and notes for the fake cluster how good the model is. SKILL "other" makes another model of
the same shape.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_WEIGHTS = "model.safetensors"
_OTHER_SKILL = 0.97


def main(argv: Sequence[str]) -> int:
    """Make the model that the three arguments name."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    base, out, skill = Path(argv[0]).resolve(), Path(argv[1]), argv[2]
    shutil.copytree(base, out, dirs_exist_ok=True)
    weights = load_file(base / _WEIGHTS)
    if skill == "other":
        rng, level = np.random.default_rng(0), _OTHER_SKILL
        weights = {name: rng.normal(size=w.shape).astype(w.dtype) for name, w in weights.items()}
    else:
        level = float(skill)
        factor = np.float32(1 + level / 100)
        weights = {name: (w * factor).astype(w.dtype) for name, w in weights.items()}
    save_file(weights, out / _WEIGHTS, metadata={"format": "pt"})
    (out / "model.json").write_text(json.dumps({"skill": level, "seed": 0}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
