from __future__ import annotations

from pathlib import Path

import pytest

from ft_bench.backends.sandbox import bubblewrap

from .conftest import Cli


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["sst"], "Unknown task 'sst'; did you mean 'sst2'?"),
        (["mini", "--agent", "tex"], "Unknown agent 'tex'; did you mean 'trex'?"),
        (["mini", "--backend", "ofline"], "Unknown backend 'ofline'; did you mean 'offline'?"),
        (["mini", "--cluster", "locl"], "Unknown cluster backend 'locl'; did you mean 'local'?"),
        (["mini", "--isolation", "bwarp"], "Unknown sandbox backend 'bwarp'; did you mean 'bwrap'"),
        (["mini", "-A", "varants=3"], "did you mean 'variants'?"),
        (["mini", "-A", "variants=many"], "-A variants='many'"),
        (["mini", "-A", "variants"], "is not key=value"),
        (["mini", "--suite", "lite"], "either TASK... or --suite"),
        (["--suite", "lit"], "Unknown suite 'lit'; did you mean 'lite'?"),
        ([], "either TASK... or --suite"),
        (["mini", "--budget.iterations", "-1"], "--budget.iterations is '-1' (from flag)"),
        (["mini", "--data-dir", "nowhere"], "--data-dir 'nowhere' is no folder"),
        (["mini", "--config", "no.toml"], "--config 'no.toml' is not there"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_exit_2(cli: Cli, args: list[str], words: str) -> None:
    ended = cli("eval", *args, "--dry-run")
    assert ended.code == 2
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert ended.out == ""


def test_bwrap_that_is_not_there_is_exit_3_and_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bubblewrap._bwrap.cache_clear()
    ended = cli("eval", "mini", "--agent", "untouched", "--isolation", "bwrap")
    assert ended.code == 3
    assert "apt-get install bubblewrap" in ended.err
    assert "--isolation none or process" in ended.err


def test_unknown_command_suggests(cli: Cli) -> None:
    ended = cli("evla")
    assert ended.code == 2
    assert "'eval'" in ended.err


def test_dry_run_names_what_is_missing_and_the_worst_case(cli: Cli) -> None:
    ended = cli("eval", "sst2", "--dry-run", "--budget.iterations", "6", "--format", "json")
    assert ended.code == 3
    (run,) = ended.json()["runs"]
    assert any("sst2" in text and "not prepared" in text for text in run["missing"])
    assert run["worst_case"]["trainings"] == 7 * 5
    assert run["worst_case"]["device_seconds"] == 24 * 3600
    assert ended.json()["set_by"] == {"budget.iterations": "flag"}


def test_dry_run_of_the_built_in_task_misses_nothing(cli: Cli, tmp_path: Path) -> None:
    ended = cli("eval", "mini", "--dry-run", "--format", "human")
    assert ended.code == 0
    assert "mini: trex@offline, seed 0" in ended.out
    assert not list(tmp_path.glob("results/runs/*"))


def test_file_environment_and_flag_take_precedence_in_that_order(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ft-bench.toml").write_text("seed = 1\n[budget]\niterations = 1\nwall = '2h'\n")
    monkeypatch.setenv("FT_BENCH_BUDGET_ITERATIONS", "2")
    shown = cli("config", "show", "--sources", "--format", "json").json()
    assert shown["seed"] == {"value": 1, "source": "ft-bench.toml"}
    assert shown["budget.wall"]["value"] == 7200
    assert shown["budget.iterations"] == {"value": 2, "source": "FT_BENCH_BUDGET_ITERATIONS"}
    run = cli("eval", "mini", "--budget.iterations", "3", "--dry-run", "--format", "json").json()
    assert run["runs"][0]["budget"]["iterations"] == 3
    assert run["set_by"]["budget.iterations"] == "flag"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sed = 1\n", "did you mean 'seed'?"),
        ("seed = 'a'\n", "seed is 'a' (from ft-bench.toml)"),
        ("seed =\n", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named(cli: Cli, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "ft-bench.toml").write_text(text)
    ended = cli("config", "show")
    assert ended.code == 2
    assert words in ended.err


def test_an_unknown_variable_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_BENCH_SEEED", "1")
    ended = cli("config", "show")
    assert ended.code == 2
    assert "did you mean 'FT_BENCH_SEED'?" in ended.err or "FT_BENCH_SEED" in ended.err


def test_limits_can_be_lifted(cli: Cli) -> None:
    args = ("--budget.device-hours", "none", "--dry-run", "--format", "json")
    assert cli("eval", "mini", *args).json()["runs"][0]["budget"]["device_seconds"] is None


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_missing_key_is_named_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    ended = cli("eval", "mini", "--agent", "trex", "--backend", "gemini", *more)
    assert ended.code == 3
    assert "the variable GEMINI_API_KEY or GOOGLE_API_KEY is not set" in ended.err + ended.out
    assert not list(tmp_path.glob("results/runs/*"))


def test_a_limit_in_usd_without_a_price_is_refused_before_any_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    ended = cli("eval", "mini", "--backend", "gemini", "--budget.usd", "5")
    assert ended.code == 3
    assert "price of gemini/gemini-3-pro-preview is unknown" in ended.err
    assert "usd_per_million_in" in ended.err
