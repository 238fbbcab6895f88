"""Reproduce: the command that makes a run again, from its manifest."""

from __future__ import annotations

import shlex

from ft_bench.record import RunManifest

__all__ = ["command"]

_FLAGS = {
    "iterations": "--budget.iterations",
    "wall_seconds": "--budget.wall",
    "tokens": "--budget.tokens",
    "usd": "--budget.usd",
    "samples": "--budget.samples",
    "variants": "--budget.variants",
}


def command(manifest: RunManifest) -> str:
    """One shell line; words that a shell would change are quoted."""
    words = ["ft-bench", "eval", manifest.task, "--agent", manifest.agent]
    words += ["--backend", manifest.backend, "--base-model", manifest.base_model]
    words += ["--seed", str(manifest.seed)]
    for name, flag in _FLAGS.items():
        value = manifest.budget.get(name)
        if value is not None:
            words += [flag, _text(value)]
    device_seconds = manifest.budget.get("device_seconds")
    if isinstance(device_seconds, int | float):
        words += ["--budget.device-hours", _text(device_seconds / 3600)]
    if manifest.isolation != "none":
        words += ["--isolation", manifest.isolation]
    for name, value in manifest.options.items():
        if value is not None:
            words += ["-A", f"{name}={_text(value)}"]
    return shlex.join(words)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)
