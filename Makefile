# Everything starts here: each target does the set-up it needs, on a machine with python3, git and make.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
UV := .venv-tools/bin/uv

.PHONY: help setup test check demo up clean

help:  ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## install the locked dependencies into .venv

$(UV):
	@echo "set-up: uv into .venv-tools"
	@python3 -c 'import ensurepip' 2>/dev/null || { [ -z "$${INFRAAUDIT_NO_INSTALL:-}" ] && apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
	@python3 -m venv .venv-tools && .venv-tools/bin/python -m pip install --quiet uv 2> >(grep -v '^WARNING: Location' >&2)

$(VENV)/.ready: pyproject.toml uv.lock | $(UV)
	@echo "set-up: locked dependencies into .venv, byte-compiled (about 900 MB)"
	@$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

test: setup  ## run every test; what a part of the machine is missing for is skipped with the reason
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup  ## lint, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

demo: setup  ## build, test, scan and deploy every commit of a sample repository, through Dagster
	@$(BIN)/infraaudit demo

up: setup  ## start the Dagster UI and the daemon
	@$(BIN)/infraaudit up

clean:  ## remove what set-up installed; state and reports stay
	@rm -rf $(VENV) .venv-tools
