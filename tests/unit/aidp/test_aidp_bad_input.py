"""Bad rows: every operator refuses them in one sentence that says where."""

from __future__ import annotations

import subprocess
import sys

import pytest
from datasets import Dataset, Features, List, Value

import aidp
from aidp import AidpError
from aidp.describe import example_step
from aidp.operators import OPERATORS, find_operator

# `where` is an expression: what it needs of a column is up to the function it applies.
BY_EXPRESSION = "select_by_filter"
NAMES = sorted(OPERATORS)
WITH_COLUMNS = sorted(set(OPERATORS) - {"select_by_random"})


def params_of(name: str) -> dict:
    """The options of the example, with what can be had here."""
    params = example_step(find_operator(name))["params"]
    if "against" in params:
        params["against"] = Dataset.from_dict({"prompt": ["a"]})
    return params


def refused(name: str, rows: Dataset) -> AidpError:
    with pytest.raises(AidpError) as caught:
        getattr(aidp, name)(rows, **params_of(name))
    assert caught.value.operator == name
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_dataset(name):
    error = refused(name, Dataset.from_dict({"prompt": []}))
    assert "the dataset is empty" in str(error)


@pytest.mark.parametrize("name", WITH_COLUMNS)
def test_a_missing_column(name):
    error = refused(name, Dataset.from_dict({"promt": ["a", "b"]}))
    assert error.column is not None
    assert "there is no column" in str(error)


@pytest.mark.parametrize("name", WITH_COLUMNS)
def test_a_column_of_the_wrong_type(name):
    wanted = ("prompt", "answer", "text", "source", "label", "quality", "messages")
    odd = Features({column: List(List(Value("int64"))) for column in wanted})
    error = refused(name, Dataset.from_dict({column: [[[1]]] for column in wanted}, odd))
    assert error.column in wanted or name == BY_EXPRESSION


@pytest.mark.parametrize(
    ("name", "rows", "row"),
    [
        ("deduplicate_by_text_hash", {"prompt": ["a", None], "answer": ["b", "c"]}, 1),
        ("deduplicate_by_minhash", {"prompt": ["a", "b", None]}, 2),
        ("decontaminate", {"prompt": [None, "b"]}, 0),
        ("select_by_score", {"quality": [0.5, float("nan")]}, 1),
        ("augment_smiles", {"answer": ["CCO", "no molecule"]}, 1),
        ("convert_chat", {"prompt": ["a", "b"], "answer": ["x", None]}, 1),
    ],
)
def test_a_bad_value_names_its_row(name, rows, row):
    assert refused(name, Dataset.from_dict(rows)).row == row


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_of_another_encoding_leaves_no_output(tmp_path, encoding):
    (tmp_path / "rows.jsonl").write_bytes('{"text": "caf\u00e9"}\n{"text": "x"}\n'.encode(encoding))
    (tmp_path / "recipe.json").write_text('{"sources": [{"id": "a"}]}')
    command = [sys.executable, "-m", "aidp", "run", "recipe.json", "--source", "a=rows.jsonl"]
    done = subprocess.run(
        [*command, "--out", "made"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "rows.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()


def test_rows_of_mixed_scripts_and_odd_code_points_pass_unchanged():
    texts = ["caf\u00e9", "cafe\u0301", "\u6c34", "\U0001f600 ok", "a\u2028b", "\x00", ""]
    rows = Dataset.from_dict({"text": texts * 2})
    assert aidp.deduplicate_by_text_hash(rows)["text"][:] == texts
    loose = aidp.deduplicate_by_text_hash(rows, normalise="loose")["text"][:]
    assert loose[:3] == ["caf\u00e9", "\u6c34", "\U0001f600 ok"]
