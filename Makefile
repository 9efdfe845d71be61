# One environment in .venv, made when it is first needed. PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
LOCK := requirements/test.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-crash check bench lock clean

help:
	@echo "make demo        make a small plate in demo/ and run a pipeline on it"
	@echo "make test        run the tests"
	@echo "make test-crash  the heavy proofs: power cuts, kills, full disks, hostile input"
	@echo "make check       lint, format and types"
	@echo "make bench       measure against bare scripts"
	@echo "make lock        choose the newest dependencies and write $(LOCK)"
	@echo "make clean       remove what these make"

demo: $(VENV)/.run
	@$(BIN)/openhcs demo demo

test: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n 2 $(ARGS)

test-crash: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n 2 -m crash -rA $(ARGS)

check: $(VENV)/.test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy

bench: $(VENV)/.test
	@$(BIN)/python bench/compare.py $(ARGS)
	@$(BIN)/python bench/ome_zarr.py $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "openhcs needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml $(LOCK)
	@echo "installing openhcs into $(VENV)" >&2
	@$(PIP) -c $(LOCK) hatchling editables
	@$(PIP) -c $(LOCK) --no-build-isolation -e ".[tables,steps]"
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing what the tests use into $(VENV)" >&2
	@$(PIP) -r $(LOCK)
	@touch $@

lock:
	@PYTHON=$(PYTHON) requirements/lock > $(LOCK).new && mv $(LOCK).new $(LOCK)

clean:
	@rm -rf $(VENV) demo dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
