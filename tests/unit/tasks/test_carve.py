"""Carved splits: exact, stable, and never with one case in two places."""

from __future__ import annotations

from typing import Any

from ft_bench.tasks.carve import carve, in_stable_order


def rows(n: int, part: str) -> list[dict[str, Any]]:
    return [{"id": f"{part}{at}", "part": part, "case": f"case {at}"} for at in range(n)]


def given(items: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return carve(
        items,
        {"test": 20, "validation": 5},
        stratum=lambda row: row["part"],
        key=lambda row: row["case"],
    )


def test_quotas_are_filled_where_cases_allow_it_and_never_exceeded() -> None:
    alone = given(rows(40, "a"))
    assert (len(alone["test"]), len(alone["validation"]), len(alone["rest"])) == (20, 5, 15)
    together = given([*rows(40, "a"), *rows(30, "b")])
    for part in "ab":
        assert sum(row["part"] == part for row in together["test"]) <= 20
        assert sum(row["part"] == part for row in together["validation"]) <= 5


def test_a_case_is_in_one_split_over_all_strata() -> None:
    splits = given([*rows(40, "a"), *rows(40, "b")])
    cases = {name: {row["case"] for row in members} for name, members in splits.items()}
    assert not cases["test"] & cases["validation"]
    assert not cases["test"] & cases["rest"]


def test_the_order_of_the_rows_does_not_matter() -> None:
    items = [*rows(40, "a"), *rows(40, "b")]
    forward, backward = given(items), given(items[::-1])
    for name in forward:
        assert {row["id"] for row in forward[name]} == {row["id"] for row in backward[name]}


def test_stable_order_depends_on_keys_only() -> None:
    assert in_stable_order(["b", "a", "c"], str) == in_stable_order(["c", "b", "a"], str)
