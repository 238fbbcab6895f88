from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from datasets import Dataset

import aidp
from ft_bench.prepare import read_rows
from ft_bench.protocols import Brief
from trex_agent.survey import Issue, survey

Make = Callable[..., Brief]


def asked(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"prompt": f"is number {n} even and so on", "answer": ("yes", "no")[n % 2]}
        for n in range(start, start + count)
    ]


VALIDATION = asked(40, 9000)


def found(brief: Brief, name: str) -> Issue:
    return next(issue for issue in survey(brief).issues if issue.name == name)


def after(brief: Brief, issue: Issue, remedy: int = 0) -> list[dict[str, Any]]:
    """The pool once a remedy was run on it by AIDP."""
    operation = issue.remedies[remedy].model_dump(mode="json")
    sources = {
        name: Dataset.from_list(read_rows(path))
        for name, path in (("train", brief.train), ("validation", brief.validation))
    }
    return aidp.run({"sources": [{"id": "train"}], "steps": [operation]}, sources).dataset.to_list()


def test_a_clean_pool_has_no_issue(brief: Make) -> None:
    seen = survey(brief(asked(200), VALIDATION))
    assert seen.issues == ()
    assert (seen.rows, seen.molecules, seen.balance_column) == (200, False, None)
    assert seen.share("duplicates") == 0.0


def test_an_empty_pool_and_a_single_row_are_survived(brief: Make) -> None:
    assert survey(brief([], VALIDATION)).issues == ()
    assert survey(brief(asked(1), VALIDATION)).rows == 1


def test_duplicates(brief: Make) -> None:
    made = brief([*asked(100), *asked(25)], VALIDATION)
    issue = found(made, "duplicates")
    assert issue.share == pytest.approx(25 / 125)
    assert len(after(made, issue)) == 100


def test_conflicts(brief: Make) -> None:
    wrong = [row | {"answer": "yes"} for row in asked(20) if row["answer"] == "no"]
    made = brief([*asked(100), *wrong], VALIDATION)
    issue = found(made, "conflicts")
    assert issue.share == pytest.approx(20 / 110)
    assert len(after(made, issue)) == 90


@pytest.mark.parametrize("mark", ["; ", ", ", "|"])
def test_answers_in_another_format(brief: Make, mark: str) -> None:
    names = ["a (b)", "c.d", "e's"]
    answers = [mark.join(names[: 1 + n % 3]) for n in range(120)]
    rows = [row | {"answer": answer} for row, answer in zip(asked(120), answers, strict=True)]
    odd = [row | {"answer": "The answer: A (B)"} for row in asked(30, 500)]
    asks = [row | {"answer": answers[n]} for n, row in enumerate(VALIDATION)]
    made = brief([*rows, *odd], asks)
    issue = found(made, "answer format")
    assert issue.share == pytest.approx(30 / 150)
    kept = after(made, issue)
    assert [row["answer"] for row in kept] == answers


def test_answers_that_are_free_text_have_no_format(brief: Make) -> None:
    rows = [row | {"answer": f"because of {n}"} for n, row in enumerate(asked(100))]
    asks = [row | {"answer": f"since {n}"} for n, row in enumerate(VALIDATION)]
    assert survey(brief(rows, asks)).share("answer format") == 0.0


def test_copies_of_validation(brief: Make) -> None:
    copied = [row | {"prompt": row["prompt"].upper() + "!"} for row in VALIDATION[:10]]
    made = brief([*asked(90), *copied], VALIDATION)
    issue = found(made, "copies of validation")
    assert issue.share == pytest.approx(0.1)
    assert len(after(made, issue)) == 90


def test_a_bad_source_weighs_more_than_a_good_one(brief: Make) -> None:
    def told(n: int) -> dict[str, Any]:
        word = ("lovely", "dreadful")[n % 2]
        return {"prompt": f"a {word} film {n}", "answer": ("yes", "no")[n % 2]}

    good = [told(n) | {"source": "edited"} for n in range(200)]
    bad = [
        told(n + 1) | {"prompt": told(n)["prompt"], "source": "the web's"} for n in range(400, 500)
    ]
    asks = [told(n) for n in range(900, 960)]
    made = brief([*good, *bad], asks)
    harmful, useful = found(made, "source the web's"), found(made, "source edited")
    assert harmful.share == pytest.approx(1 / 3)
    assert harmful.weight > 0 > useful.weight
    assert {row["source"] for row in after(made, harmful)} == {"edited"}


def test_a_column_that_validation_has_too_is_no_source(brief: Make) -> None:
    rows = [row | {"topic": ("x", "y")[n % 2]} for n, row in enumerate(asked(60))]
    asks = [row | {"topic": "x"} for row in VALIDATION]
    assert survey(brief(rows, asks)).issues == ()


def test_prompts_much_shorter_than_those_that_are_asked(brief: Make) -> None:
    short = [{"prompt": f"word {n}", "answer": ("yes", "no")[n % 2]} for n in range(150)]
    made = brief([*short, *asked(50)], VALIDATION)
    issue = found(made, "short prompts")
    assert issue.share == pytest.approx(0.75)
    assert len(after(made, issue)) == 50


MOLECULES = ["CCO", "c1ccccc1", "CC(=O)O", "CCN", "CCCl", "COC", "CC=O", "CCS", "OCCO", "NCCO"]


def test_molecules_are_known_by_what_they_are(brief: Make) -> None:
    asks = [{"prompt": smiles, "answer": ("x", "y")[n % 2]} for n, smiles in enumerate(MOLECULES)]
    pool = [{"prompt": "C" * (3 + n), "answer": ("x", "y")[n % 2]} for n in range(20)]
    respelt = [{"prompt": "OCC", "answer": "x"}]
    broken = [{"prompt": "C1CC(", "answer": "x"}]
    made = brief([*pool, *respelt, *broken], asks)
    seen = survey(made)
    assert seen.molecules
    assert seen.share("invalid molecules") == pytest.approx(1 / 22)
    assert seen.share("copies of validation") == pytest.approx(1 / 22)
    assert len(after(made, found(made, "invalid molecules"))) == 21
    assert "OCC" not in {row["prompt"] for row in after(made, found(made, "copies of validation"))}


def test_skewed_classes_are_balanced_by_the_answer(brief: Make) -> None:
    rows = [row | {"answer": "no" if n % 4 else "yes"} for n, row in enumerate(asked(80))]
    assert survey(brief(rows, VALIDATION)).balance_column == "answer"


def test_the_gravest_comes_first(brief: Make) -> None:
    wrong = [row | {"answer": "yes"} for row in asked(80) if row["answer"] == "no"]
    issues = survey(brief([*asked(100), *wrong, *VALIDATION[:1]], VALIDATION)).issues
    gravity = [issue.share * issue.weight for issue in issues]
    assert gravity == sorted(gravity, reverse=True)
    assert issues[0].name == "conflicts"


def test_remedies_survive_the_wire(brief: Make) -> None:
    made = brief([*asked(50), *asked(9), *VALIDATION[:5]], VALIDATION)
    for issue in survey(made).issues:
        for remedy in issue.remedies:
            assert remedy.model_validate_json(json.dumps(remedy.model_dump())) == remedy
