"""The example pipeline over the real SST-2 and OpenMolIns."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import aidp

EXAMPLE = Path(__file__).parents[3] / "examples" / "aidp_pipeline.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("aidp_pipeline", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sources(example):
    folder = example.default_folder()
    if not (folder / "sst2" / "train.tsv.gz").exists():
        pytest.skip("the upstream data are not here; set FT_BENCH_SHARED")
    return example.load(folder)


def test_the_pipeline_removes_the_swapped_rows_and_keeps_its_ratio(example, sources):
    outcome = aidp.run(example.RECIPE, sources)
    steps = {step["operator"]: step for step in outcome.lineage["steps"]}
    assert len(steps) == 9
    # 902 of 2,000 and 874 of 2,000 are swapped, counted independently of this code.
    assert steps["select_by_filter"]["reasons"] == {"group and molecule swapped": 902 + 874}
    assert steps["mix"]["rows_out"] * 0.6 == pytest.approx(
        steps["mix"]["notes"]["rows_by_kind"]["sst2"], abs=1
    )
    swapped = outcome.rejects.filter(lambda row: row["_step"] == 0)
    assert set(swapped["task"]) == {"molecules"}
    assert outcome.dataset[0]["messages"][0]["role"] == "system"
    again = aidp.run(example.RECIPE, sources, num_proc=2)
    assert again.lineage["output_hash"] == outcome.lineage["output_hash"]


def test_sst2_has_its_known_duplicates_and_contradictions(sources):
    deduplicated = aidp.deduplicate_by_text_hash(sources["sst2"], column="prompt", report=True)
    assert deduplicated.account.reasons == {"duplicate": 67_349 - 66_978}
    conflicts = aidp.drop_conflicts(sources["sst2"], report=True)
    assert len({row["prompt"] for row in conflicts.rejects}) == 5
