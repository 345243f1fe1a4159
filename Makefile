# Every target builds the environment it needs by itself, from nothing but Python 3.11 (with venv).
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell $(p) -c 'import sys; print(sys.executable if (3,11) <= sys.version_info < (3,14) else "")' 2>/dev/null)))
VENV   ?= .venv
BIN     = $(VENV)/bin
export ORT_DISABLE_TELEMETRY = 1

.PHONY: quickstart test test-all check soak format image clean

quickstart: $(VENV)/.base
	$(BIN)/tapeline quickstart

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.test
	$(BIN)/python -m pytest

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

soak: $(VENV)/.test
	$(BIN)/python -m benchmarks.soak

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

image: $(VENV)/.base
	scripts/test-image

clean:
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "tapeline needs Python 3.11, 3.12 or 3.13: none was found. Set PYTHON=/path/to/python."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.base

$(VENV)/.check: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[check]'
	@touch $@ $(VENV)/.base
