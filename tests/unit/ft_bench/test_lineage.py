"""Lineage: the base plus a delta passes; anything else has a fault with a name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ft_bench.errors import IntegrityError
from ft_bench.lineage import lineage_of
from ft_bench.weights import local_folder, pieces, tensors_in

BASE = Path(__file__).parents[3] / "ft_bench" / "tasks" / "mini" / "base"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    return folder


def _change(model: Path, change) -> None:
    weights = load_file(model / "model.safetensors")
    save_file(change(weights), model / "model.safetensors", metadata={"format": "pt"})


def test_the_base_itself_has_no_delta(model: Path):
    found = lineage_of(BASE, model)
    assert (found.faults, found.changed, found.relative_delta, found.cosine) == ((), 0, 0.0, 1.0)
    assert found.parameters == sum(t.size for t in tensors_in(BASE).values())


def test_a_delta_is_measured(model: Path):
    def change(weights):
        name = next(name for name in weights if weights[name].ndim == 2)
        weights[name] = weights[name] * np.float32(1.5)
        return weights

    _change(model, change)
    found = lineage_of(BASE, model)
    assert (found.faults, found.changed, found.relative_delta) == ((), 1, 0.5)


def test_other_weights_of_the_same_shape_are_another_model(model: Path):
    rng = np.random.default_rng(0)
    _change(
        model,
        lambda weights: {
            name: (rng.standard_normal(w.shape) * w.std()).astype(w.dtype) if w.ndim > 1 else w
            for name, w in weights.items()
        },
    )
    assert "median cosine" in lineage_of(BASE, model).faults[0]
    assert lineage_of(BASE, model, foreign=False).faults == ()


def test_shapes_names_config_and_tokenizer_are_compared(model: Path):
    def change(weights):
        first, second, *_ = sorted(weights)
        weights["extra.weight"] = weights.pop(first)
        weights[second] = np.vstack([weights[second], weights[second]])
        return weights

    _change(model, change)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] = {"a": 0}
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    words = " ".join(lineage_of(BASE, model).faults)
    for part in ("num_hidden_layers 3", "tokenizer.json", "absent", "'extra.weight'", "has shape"):
        assert part in words


@pytest.mark.parametrize("damage", [b"", b"\xff" * 8, b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_damaged_file_is_a_fault_and_a_damaged_base_an_error(model: Path, damage: bytes):
    (model / "model.safetensors").write_bytes(damage)
    assert "cannot be read" in lineage_of(BASE, model).faults[0]
    with pytest.raises(IntegrityError, match="cannot be read"):
        lineage_of(model, BASE)


def test_a_file_cut_inside_a_tensor_is_a_fault(model: Path):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be read" in lineage_of(BASE, model).faults[0]


def test_nan_is_a_fault(model: Path):
    def change(weights):
        name = next(iter(weights))
        weights[name] = np.full_like(weights[name], np.nan)
        return weights

    _change(model, change)
    assert any("NaN" in fault for fault in lineage_of(BASE, model).faults)


def _adapter(folder: Path, target: str, shape: tuple[int, int], rank: int = 4) -> Path:
    folder.mkdir()
    name = f"base_model.model.{target}.lora_"
    factors = {
        f"{name}A.weight": np.ones((rank, shape[1]), np.float32),
        f"{name}B.weight": np.zeros((shape[0], rank), np.float32),
    }
    save_file(factors, folder / "adapter_model.safetensors")
    return folder


def test_an_adapter_must_fit_the_matrices_of_the_base(tmp_path: Path):
    target = "model.layers.0.self_attn.q_proj"
    shape = tensors_in(BASE)[f"{target}.weight"].shape
    good = _adapter(tmp_path / "good", target, (shape[0], shape[1]))
    assert lineage_of(BASE, BASE, good).faults == ()
    bad = _adapter(tmp_path / "bad", target, (shape[0] + 1, shape[1]))
    assert "has shape" in lineage_of(BASE, BASE, bad).faults[0]
    lost = _adapter(tmp_path / "lost", "model.layers.9.self_attn.q_proj", (4, 4))
    assert len(lineage_of(BASE, BASE, lost).faults) == 2
    assert "another base" in lineage_of(BASE, tmp_path, good).faults[-1]


def test_bfloat16_is_read_as_its_values(tmp_path: Path):
    import torch
    from safetensors.torch import save_file as save_torch

    values = torch.tensor([[1.5, -2.25], [0.0, 3.0]], dtype=torch.bfloat16)
    save_torch({"w": values}, tmp_path / "m.safetensors")
    read = np.concatenate(list(pieces(tensors_in(tmp_path)["w"])))
    assert read.tolist() == [1.5, -2.25, 0.0, 3.0]


def test_a_folder_without_weights_and_an_unknown_hub_id_are_nowhere(tmp_path: Path):
    assert local_folder(str(tmp_path)) is None
    assert local_folder(str(tmp_path / "none")) is None
    assert local_folder("nobody/none") is None
    assert local_folder(str(BASE)) == BASE
