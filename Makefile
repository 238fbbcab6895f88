# FT-Bench: every target sets up what it needs. `make demo` and `make test` work on a fresh machine
# with Python 3.11, pip and a C compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat pyproject.toml constraints/py311.txt | cksum | cut -d' ' -f1)
DEMO := results/runs/demo
ARENA := results/runs/arena
CONFINED := --isolation bwrap --seeds 2 --budget.iterations 2 --runs-dir $(ARENA) --format quiet
SEARCH := -A variants=2 -A root_variants=2 -A confirm_top=0 -A max_work=1.5

.PHONY: setup demo arena test check bench docs clean

setup: $(READY)

$(READY):
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "FT-Bench needs Python 3.11 or newer, found " + sys.version'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]" -c constraints/py311.txt
	rm -f $(VENV)/.ready-*
	touch $@

demo: setup
	$(BIN)/ft-bench eval mini --agent untouched --runs-dir $(DEMO) --format quiet
	$(BIN)/ft-bench eval mini --agent trex --budget.iterations 6 -A variants=3 -A max_work=1.5 --runs-dir $(DEMO) --format human
	$(BIN)/ft-bench tree mini--trex --runs-dir $(DEMO) --format human
	$(BIN)/ft-bench leaderboard $(DEMO) --format human

arena: setup
	$(BIN)/ft-bench eval mini --agent untouched $(CONFINED)
	$(BIN)/ft-bench eval mini --agent grid $(CONFINED) -A trainings=6
	$(BIN)/ft-bench eval mini --agent examples/bash_agent/agent.toml $(CONFINED) -A variants=2 -A rows=9000
	$(BIN)/ft-bench eval mini --agent gbfs $(CONFINED) $(SEARCH)
	$(BIN)/ft-bench eval mini --agent ses $(CONFINED) $(SEARCH)
	$(BIN)/ft-bench eval mini --agent trex $(CONFINED) $(SEARCH)
	$(BIN)/ft-bench leaderboard $(ARENA) --format human

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadscope

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=scorers:baselines $(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/scorers.py
	$(BIN)/python benchmarks/aidp.py

docs: setup
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV) build dist results/runs .pytest_cache .mypy_cache .ruff_cache
