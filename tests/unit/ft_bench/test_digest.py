from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_bench.digest import canonical_json, derive_seed, digest, file_sha256
from ft_bench.plan import DataRecipe, Operation, Variant

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_reads_back_and_is_a_fixed_point(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"b": 1, "a": [1, 2]}) == digest({"a": [1, 2], "b": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_a_record_hashes_like_its_json() -> None:
    variant = Variant(lr=3e-4)
    assert digest(variant) == digest(json.loads(variant.model_dump_json()))


def test_a_recipe_hashes_the_same_after_the_wire() -> None:
    recipe = DataRecipe(steps=(Operation(op="x", params={"b": (1, 2), "a": {"z": 1, "y": 2}}),))
    assert digest(recipe) == digest(DataRecipe.model_validate_json(canonical_json(recipe)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")]])
def test_numbers_that_json_lacks_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_what_has_no_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no canonical form"):
        digest(object())


def test_sets_are_sorted_and_paths_are_text() -> None:
    assert canonical_json({"s": {"b", "a"}, "p": Path("x/y")}) == '{"p":"x/y","s":["a","b"]}'


def test_a_known_digest() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@given(st.lists(st.integers() | st.text(max_size=5), max_size=4))
def test_seeds_fit_every_generator(parts: list[object]) -> None:
    assert 0 <= derive_seed(*parts) < 2**31


def test_seeds_differ_by_purpose_and_agree_between_processes() -> None:
    seeds = {derive_seed(0, node, word) for node in range(50) for word in ("train", "select")}
    assert len(seeds) == 100
    code = "from ft_bench.digest import derive_seed; print(derive_seed(3, 1, 'train'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == derive_seed(3, 1, "train")


def test_parts_are_kept_apart() -> None:
    assert derive_seed(1, 23) != derive_seed(12, 3)


def test_a_file_is_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    data = bytes(range(256)) * 9000
    path.write_bytes(data)
    assert file_sha256(path) == hashlib.sha256(data).hexdigest()
