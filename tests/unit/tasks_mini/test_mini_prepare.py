"""Mini's rows: deterministic, apart from each other, clean where they must be, faulty elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from typing import Any, cast

import pytest
from rdkit import Chem, rdBase

from ft_bench.digest import digest
from ft_bench.protocols import RowReader, TaskData
from ft_bench.task import load_task
from ft_bench.tasks.mini.faults import answer_of, mislabelled
from ft_bench.tasks.mini.molecules import GROUPS, canonical, groups_of
from ft_bench.tasks.mini.prepare import prepare
from ft_bench_scorers.mini import LABELS, find_groups

Rows = list[dict[str, Any]]


@cache
def data() -> TaskData:
    return prepare(cast(RowReader, None))


@cache
def truth(prompt: str) -> str | None:
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(prompt)
    return None if molecule is None else answer_of(groups_of(molecule))


def kind(row: dict[str, Any]) -> str:
    right = truth(row["prompt"])
    if right is None:
        return "invalid"
    if row["answer"] == right:
        return "right"
    valid = find_groups(row["answer"], "strict")[1] and ";" in row["answer"] + ";"
    return "wrong" if valid and not set(row["answer"].split("; ")) - {*LABELS, "none"} else "format"


def by_source() -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in data().train:
        counts[row["source"]][kind(row)] += 1
    return counts


def test_the_task_says_how_many_rows_there_are() -> None:
    spec, rows = load_task("ft_bench.tasks.mini"), data()
    assert (len(rows.train), len(rows.validation), len(rows.test)) == (
        spec.splits.train,
        spec.splits.validation,
        spec.splits.test,
    )
    assert spec.metric.kind == "corpus"
    assert tuple(GROUPS) == LABELS


def test_the_rows_are_the_same_each_time() -> None:
    again = prepare(cast(RowReader, None))
    assert digest([again.train, again.validation, again.test]) == digest(
        [data().train, data().validation, data().test]
    )


def test_validation_and_test_are_clean_and_share_no_molecule() -> None:
    validation, test = (
        {row["prompt"] for row in rows} for rows in (data().validation, data().test)
    )
    assert len(validation) == 400
    assert len(test) == 1000
    assert not validation & test
    assert all(truth(row["prompt"]) == row["answer"] for row in [*data().validation, *data().test])


def test_no_test_molecule_is_in_the_pool_and_only_near_copies_of_validation_are() -> None:
    pool = {canonical(row["prompt"]) for row in data().train} - {None}
    test, validation = (
        {row["prompt"] for row in rows} for rows in (data().test, data().validation)
    )
    assert not pool & test
    copied = pool & validation
    assert 40 <= len(copied) <= 60
    spelt = {row["prompt"] for row in data().train}
    assert len(copied & spelt) < 0.5 * len(copied), "most are in another atom order"


def test_ids_are_unique_and_columns_are_text() -> None:
    for rows in (data().train, data().validation, data().test):
        assert len({row["id"] for row in rows}) == len(rows)
        assert all(set(row) == {"id", "prompt", "answer", "source"} for row in rows)
        assert all(isinstance(value, str) for row in rows for value in row.values())


@pytest.mark.parametrize("fault", ["wrong", "format", "invalid"])
def test_each_fault_gathers_in_a_source_that_it_is_not_equal_to(fault: str) -> None:
    counts = by_source()
    total = sum(found[fault] for found in counts.values())
    source, found = max(counts.items(), key=lambda item: item[1][fault])
    assert total > 100
    assert found[fault] > 0.5 * total
    assert found["right"] > 0.1 * sum(found.values()), f"{source} is not all {fault}"


def test_rows_are_repeated_and_molecules_contradicted() -> None:
    rows = data().train
    exact = Counter((row["prompt"], row["answer"]) for row in rows)
    answers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        answers[row["prompt"]].add(row["answer"])
    assert sum(count - 1 for count in exact.values()) > 0.1 * len(rows)
    assert sum(len(found) > 1 for found in answers.values()) > 100


def test_a_wrong_label_is_never_the_right_one() -> None:
    assert mislabelled(("hydroxyl", "carbonyl")) == "halogen; ether"
    wrong = [row for row in data().train if kind(row) == "wrong"]
    assert all(row["answer"] != truth(row["prompt"]) for row in wrong)
