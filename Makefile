# One environment in .venv, made when it is first needed. PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
LOCK := requirements/test.txt
JUDGES ?= .venv-judges
PEERS ?= .peers
export PEERS

.DEFAULT_GOAL := help
.PHONY: help demo test test-crash test-judges judges-table check bench growth profile peers lock clean

help:
	@echo "make demo        make a small plate in demo/ and run a pipeline on it"
	@echo "make test        run the tests"
	@echo "make test-crash  the heavy proofs: power cuts, kills, full disks, hostile input"
	@echo "make test-judges ask other people's validators and readers about our plates"
	@echo "make check       lint, format and types"
	@echo "make bench       measure beside bare scripts and beside peers"
	@echo "make growth      measure from 8 wells to 384 and from 1 GB to 20"
	@echo "make profile     show where the time goes"
	@echo "make peers       install other people's converters, for benches beside them"
	@echo "make lock        choose the newest dependencies and write $(LOCK)"
	@echo "make clean       remove what these make"

demo: $(VENV)/.run
	@$(BIN)/openhcs demo demo

test: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n 2 $(ARGS)

test-crash: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n 2 -m crash -rA $(ARGS)

test-judges: $(JUDGES)/.judges
	@$(JUDGES)/bin/python -m pytest -q -m judges -p no:napari -W ignore tests/judges $(ARGS)

judges-table: $(JUDGES)/.judges
	@$(JUDGES)/bin/python tests/judges/table.py $(ARGS)

check: $(VENV)/.test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy

bench: $(VENV)/.test
	@PEERS=$(abspath $(PEERS)) $(BIN)/python bench $(ARGS)

growth: $(VENV)/.test
	@$(BIN)/python bench --only growth $(ARGS)

profile: $(VENV)/.test
	@[ -x $(BIN)/py-spy ] || $(PIP) py-spy==0.4.3
	@$(BIN)/python bench/where.py $(ARGS)


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

# The judges; those on node where node is.
$(JUDGES)/.judges: requirements/judges.txt tests/judges/node/package-lock.json pyproject.toml
	@python=$$(PYTHON=$(PYTHON) requirements/newer-python) || exit 1; \
	  echo "installing the judges into $(JUDGES) with $$($$python --version)" >&2; $$python -m venv $(JUDGES)
	@$(JUDGES)/bin/python -m pip install -qq --disable-pip-version-check --no-input -r requirements/judges.txt
	@$(JUDGES)/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-deps -e .
	@if command -v npm >/dev/null; then cd tests/judges/node && npm ci --silent --no-audit --no-fund; \
	  else echo "skipped zarrita and ome-zarr.js: there is no npm here" >&2; fi
	@touch $@

peers:
	@PYTHON=$(PYTHON) bench/peers/install $(PEERS)

lock:
	@PYTHON=$(PYTHON) requirements/lock > $(LOCK).new && mv $(LOCK).new $(LOCK)

clean:
	@rm -rf $(VENV) $(JUDGES) $(PEERS) tests/judges/node/node_modules demo dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
