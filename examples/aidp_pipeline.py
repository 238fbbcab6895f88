"""Nine AIDP operators over real data: SST-2 and OpenMolIns become one set of conversations.

OpenMolIns has a fault: in about 45 % of two of its sub-tasks the instruction names the group
where the molecule belongs and the molecule where the group belongs. A filter finds them.

    python examples/aidp_pipeline.py --data-dir ../shared/data --out build/aidp_example
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

import aidp
from aidp.lineage import describe, save

GROUPS = (
    "benzene[ _]ring|hydroxyl|anhydride|aldehyde|ketone|carboxyl|ester|amide|amine|nitro|halo|"
    "thioether|nitrile|thiol|sulfide|disulfide|sulfoxide|sulfone|borane"
)
SWAPPED = f"REGEXP_LIKE(prompt, 'the molecule ({GROUPS})[ .]')"
RECIPE: dict[str, Any] = {
    "sources": [{"id": "sst2", "licence": "unknown"}, {"id": "molecules", "licence": "apache-2.0"}],
    "steps": [
        {
            "op": "select_by_filter",
            "params": {
                "where": f"task <> 'molecules' OR NOT {SWAPPED}",
                "reason": "group and molecule swapped",
            },
        },
        {
            "op": "deduplicate_by_text_hash",
            "params": {"column": ["prompt", "answer"], "normalise": "space"},
        },
        {"op": "drop_conflicts", "params": {"key": "prompt", "answer": "answer"}},
        {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
        {"op": "filter_by_word_count", "params": {"column": "prompt", "least": 3}},
        {
            "op": "deduplicate_by_minhash",
            "params": {"column": "prompt", "threshold": 0.85, "grams": "chars"},
        },
        {"op": "mix", "params": {"column": "task", "ratios": {"sst2": 0.6, "molecules": 0.4}}},
        {"op": "select_by_random", "params": {"n": 20_000}},
        {"op": "convert_chat", "params": {"system": "Answer with nothing but the answer."}},
    ],
    "seed": 7,
}


def sst2(path: Path) -> Dataset:
    """SST-2 as prompt, answer and task; sentences are stripped."""
    rows = aidp.load_local_dataset(path)
    labels = ("negative", "positive")
    return Dataset.from_dict(
        {
            "prompt": [text.strip() for text in rows["sentence"]],
            "answer": [labels[label] for label in rows["label"]],
            "task": ["sst2"] * len(rows),
        }
    )


def molecules(path: Path, answer: str = "molecule") -> Dataset:
    """OpenMolIns, or a test file of TOMG-Bench, as prompt, answer and task."""
    rows = aidp.load_local_dataset(path)
    return Dataset.from_dict(
        {
            "prompt": rows["Instruction"][:],
            "answer": rows[answer][:],
            "task": ["molecules"] * len(rows),
        }
    )


def load(folder: Path) -> dict[str, Dataset]:
    """The two sources, and the rows that none may overlap with."""
    tests = folder / "tomg_bench/benchmarks/open_generation/MolEdit/DelComponent/test.csv.gz"
    sealed = [sst2(folder / "sst2/dev.tsv"), molecules(tests)]
    return {
        "sst2": sst2(folder / "sst2/train.tsv.gz"),
        "molecules": molecules(folder / "tomg_bench/OpenMolIns/small/train.csv.gz"),
        "validation": concatenate_datasets(sealed),
    }


def default_folder() -> Path:
    """`data` in the folder that FT_BENCH_SHARED names, or in `shared` beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("FT_BENCH_SHARED", beside)) / "data"


def main() -> None:
    """Run the recipe, print its lineage and, with --out, keep rows, rejects and lineage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=default_folder())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    outcome = aidp.run(RECIPE, load(options.data_dir))
    print(describe(outcome.lineage))
    if options.out:
        save(outcome, options.out)


if __name__ == "__main__":
    main()
