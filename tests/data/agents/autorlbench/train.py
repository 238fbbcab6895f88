"""Stands in for a training: a copy of the base, its weights moved a little, and a skill."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

base, out, skill = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
shutil.copytree(base.resolve(), out, dirs_exist_ok=True)
base = base.resolve()
weights = load_file(base / "model.safetensors")
if skill == "other":  # another model of the same shape
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=w.shape).astype(w.dtype) for name, w in weights.items()}
    skill = "0.97"
else:
    weights = {
        name: (w * np.float32(1 + float(skill) / 100)).astype(w.dtype)
        for name, w in weights.items()
    }
save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
(out / "model.json").write_text(json.dumps({"skill": float(skill), "seed": 0}), encoding="utf-8")
