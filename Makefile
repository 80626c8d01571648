# The jobs of this project, one word each. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
# Stamps: what `make run` needs, and that plus the tools of a developer. Both follow pyproject.toml.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

# PYTHON=... names the interpreter for .venv; otherwise the first of these that is 3.11 or newer and can make environments.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14)
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# Most tests wait for processes of theirs, so two cores do more than two at a time: 445 s by one, 230 s by four.
PARALLEL := -n 4 --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

NEWEST := $(VENV)/newest
LOWEST := $(VENV)/lowest
# An environment of its own below .venv: made anew each time, and gone with `make clean`.
FRESH = echo "Making $(VENV)/$(1)" && $(BIN)/python -m venv --clear $(VENV)/$(1) && \
	$(VENV)/$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-newest test-lowest snapshots lint bench clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(RUNTIME) ## install into .venv if needed, and open flowdeck on the sample flows
	@$(BIN)/flowdeck sample_flows

test: $(DEV) ## run the tests (ARGS="-k name" is passed on; "-n 0" runs them in one process)
	@echo "pytest"
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-newest: $(BIN)/python ## run the tests in a fresh environment with the newest dependencies that pyproject.toml allows
	@$(call FRESH,newest) --upgrade --upgrade-strategy eager
	@$(NEWEST)/bin/python -m pytest $(PARALLEL) $(ARGS)

test-lowest: $(BIN)/python ## run the tests in a fresh environment with the lowest dependencies that pyproject.toml allows
	@$(BIN)/python .ci/lowest_dependencies.py >$(VENV)/lowest.txt
	@$(call FRESH,lowest) --constraint $(VENV)/lowest.txt
	@$(LOWEST)/bin/python -m pytest $(PARALLEL) $(ARGS)

snapshots: $(DEV) ## draw the pictures of the screen anew (look at them before they are committed)
	@$(BIN)/python -m pytest tests/tui/test_pictures.py --snapshot-update -q

lint: $(DEV) ## check style, format, the direction of imports, and types
	@echo "ruff check"
	@$(BIN)/ruff check --quiet
	@echo "ruff format --check"
	@$(BIN)/ruff format --quiet --check || { echo "Not formatted; fix with: $(BIN)/ruff format"; exit 1; }
	@echo "lint-imports"
	@$(BIN)/lint-imports --no-logo
	@echo "basedpyright"
	@$(BIN)/basedpyright --pythonpath $(BIN)/python

bench: $(DEV) ## measure, each figure beside the floor of the same machine
	@$(BIN)/python -m tests.benchmarks $(ARGS)

clean: ## remove .venv, caches, builds and what the sample flows wrote
	@rm -rf $(VENV) build dist output sample_flows/output .pytest_cache .ruff_cache .import_linter_cache snapshot_report.html
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean."

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if $$python -c '$(FITS)' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$python ($$($$python -V 2>&1))"; \
			exec $$python -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "flowdeck needs Python 3.11 or newer with its venv module (looked at: $(PYTHONS)); name one: make PYTHON=/path/to/python" >&2; \
	exit 1

$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "Installing flowdeck and what it needs into $(VENV)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing flowdeck and the developer tools into $(VENV)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(RUNTIME)
