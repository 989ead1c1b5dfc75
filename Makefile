# Everything starts here: each target does the set-up it needs, on a machine with python3, git and make.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
UV := .venv-tools/bin/uv
# What a test shares with others is made once (tests/distribution.py); PYTEST_ARGS=-n0 runs one by one.
DISTRIBUTED := --dist loadgroup --no-loadscope-reorder
PARALLEL := -n auto $(DISTRIBUTED)
# Two workers overlap the waits of the e2e part; E2E_WORKERS=0 runs one by one. A test that fails beside another one is
# run once more with the machine to itself, and both results stay in the output.
E2E_WORKERS ?= 2
# What runs in the engine and the cluster has the cores before the tests that wait for it.
E2E := nice -n 5 $(BIN)/python -m pytest -m e2e
# Imports cost 2.5 times as much without .pyc, and some machines forbid writing them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup parts test test-unit test-long hostile check demo up wheel clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## install the locked dependencies into .venv

$(UV):
	@echo "set-up: uv into .venv-tools"
	@python3 -c 'import ensurepip' 2>/dev/null || { \
	  [ "$${INFRAAUDIT_NO_INSTALL:-}" != 1 ] || { echo "python3-venv is missing; install it: apt-get install python3-venv" >&2; exit 1; }; \
	  echo "set-up: installing python3-venv from Debian's packages"; docker/apt-get-quietly.sh python3-venv; }
	@rm -rf .venv-tools && python3 -m venv .venv-tools
	@.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1' 2> >(grep -v '^WARNING: Location' >&2)

$(VENV)/.ready: pyproject.toml uv.lock | $(UV)
	@echo "set-up: locked dependencies into .venv, byte-compiled (about 900 MB)"
	@$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

parts:  ## install a container engine and its base image where missing, unless INFRAAUDIT_NO_INSTALL=1
	@docker/install-parts.sh engine box base-image || echo "set-up: continuing without it; tests that need it are skipped" >&2

test: setup parts  ## run every test; those with missing prerequisites are skipped, with the reason
	@$(BIN)/python -m pytest $(PARALLEL) -m "not e2e" $(PYTEST_ARGS)
	@$(E2E) -n $(E2E_WORKERS) $(DISTRIBUTED) $(PYTEST_ARGS) || { [ $$? = 1 ] && \
	  echo "--- once more, one by one: what failed beside others" && $(E2E) -n0 --last-failed --lfnf=none $(PYTEST_ARGS); }

test-unit: setup  ## run the tests that need no engine, cluster or browser, in under two minutes
	@$(BIN)/python -m pytest $(PARALLEL) -m "not e2e and not slow" $(PYTEST_ARGS)

test-long: setup parts  ## repeat the randomized tests with more seeds and larger sizes
	@$(BIN)/python -m pytest --long -m "long or sized" $(PYTEST_ARGS)

hostile: setup parts  ## run the hostile corpus, and print a table by area
	@nice -n 5 $(BIN)/python -m pytest -n0 tests/hostile $(PYTEST_ARGS)

check: setup  ## lint, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

demo: setup  ## build, test, scan and deploy every commit of a sample repository, through Dagster
	@$(BIN)/infraaudit demo

up: setup  ## start the Dagster UI, the daemon and the service
	@$(BIN)/infraaudit up

wheel: setup  ## build the wheel into dist/
	@$(UV) build --quiet --wheel

clean:  ## remove what set-up installed; state and reports stay
	@rm -rf $(VENV) .venv-tools dist
