from __future__ import annotations

import inspect
from typing import get_args

import pytest

from ft_bench import errors
from ft_bench.errors import (
    BudgetExhausted,
    ChecksumMismatch,
    FtBenchError,
    JobFailed,
    PrerequisiteError,
    UnknownName,
    boundary,
)

CODES = {
    "FtBenchError": 1,
    "UsageError": 2,
    "UnknownName": 2,
    "ConfigError": 2,
    "PlanInvalid": 2,
    "PlanRefused": 2,
    "MessageRefused": 2,
    "PrerequisiteError": 3,
    "ChecksumMismatch": 3,
    "DataMissing": 3,
    "BudgetExhausted": 4,
    "IntegrityError": 5,
    "ChainBroken": 5,
    "TokenRefused": 5,
    "Interrupted": 130,
    "JobFailed": 1,
    "ModelFailed": 1,
    "AgentFailed": 1,
    "StoreBusy": 1,
}


def test_every_error_has_the_exit_code_of_the_table() -> None:
    found = {
        name: item.exit_code
        for name, item in vars(errors).items()
        if inspect.isclass(item) and issubclass(item, FtBenchError)
    }
    assert found == CODES


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    lines = (errors.__doc__ or "").partition("```\n")[2].partition("```")[0].splitlines()
    for line in lines:
        name = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ").split()[0]
        depth = line.index(name) // 4
        above = [*above[:depth], name]
        drawn[name] = above[-2] if depth else "Exception"
    real = {name: getattr(errors, name).__bases__[0].__name__ for name in CODES}
    assert drawn == real


@pytest.mark.parametrize(
    ("name", "suggestion"), [("sst", "sst2"), ("SST2", "sst2"), ("hocc", "hoc"), ("zzz", None)]
)
def test_an_unknown_name_suggests_the_nearest(name: str, suggestion: str | None) -> None:
    error = UnknownName("task", name, ["sst2", "hoc", "lawbench"], "ft-bench tasks list")
    assert error.suggestion == suggestion
    text = str(error)
    assert repr(name) in text
    assert "(ft-bench tasks list)" in text
    assert f"did you mean {suggestion!r}?" in text if suggestion else "hoc, lawbench" in text


def test_the_suggestion_does_not_depend_on_the_case_of_the_known_names() -> None:
    known = ["FT_BENCH_SEED", "FT_BENCH_AGENT"]
    assert UnknownName("variable", "FT_BENCH_SEEED", known).suggestion == "FT_BENCH_SEED"


def test_a_damaged_file_is_named_with_both_checksums() -> None:
    text = str(ChecksumMismatch("dir/train.tsv", "aaaa", "bbbb", "fetch it again"))
    for part in ("dir/train.tsv", "aaaa", "bbbb", "fetch it again"):
        assert part in text


def test_boundary_names_what_was_done_and_keeps_the_cause() -> None:
    cause = OSError("disk\n full")
    message = "OSError while reading x: disk full"
    with (
        pytest.raises(PrerequisiteError, match=message) as caught,
        boundary(PrerequisiteError, "reading x"),
    ):
        raise cause
    assert caught.value.__cause__ is cause


def test_boundary_has_words_for_an_error_without_any() -> None:
    message = "ValueError while reading: ValueError"
    with pytest.raises(PrerequisiteError, match=message), boundary(PrerequisiteError, "reading"):
        raise ValueError


@pytest.mark.parametrize(
    "error",
    [BudgetExhausted("usd", "none left"), JobFailed("OOM", "full"), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_boundary_lets_our_own_errors_and_interrupts_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, boundary(PrerequisiteError, "working"):
        raise error
    assert caught.value is error


def test_a_failed_job_says_its_kind_and_its_cause() -> None:
    error = JobFailed("OOM", "8 GiB asked for")
    assert (error.kind, error.cause) == ("OOM", "8 GiB asked for")
    assert str(error) == "OOM: 8 GiB asked for"
    assert "OOM" in get_args(errors.FailureKind)
