# kadr: `make demo` paints a real clip, `make test` checks everything. Needs Python 3.11+ and make.
#
# Everything is installed into .venv, which is made on the first call and used again as long as
# pyproject.toml stays as it is. Paths are relative, so the checkout may lie anywhere.
#
#   make PYTHON=/path/to/python3.12 …    use a certain Python
#   make test KADR_TEST_CLIPS=FOLDER     also run the tests that need real footage
#   make test PYTEST_ARGS="-k video -x"  hand options to pytest
#   make test PARALLEL=                  run the tests in one process

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo "$$python"; break; fi; done)
PYTEST_ARGS ?=
# Each process may hold the networks of a small model: more than four gain little.
PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist worksteal

CHECKS = lint format types

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

.PHONY: help demo studio test check lint format types bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    download a short clip, paint it; results in demo/out"
	@echo "make studio  open the page in the browser on a sample clip"
	@echo "make test    ruff, its format check, mypy and all tests"
	@echo "make check   the same without the tests"
	@echo "make bench   speed and quality of the engine, on the clips in KADR_TEST_CLIPS"
	@echo "make clean   remove .venv, demo and caches"

.venv/made:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	echo "Python 3.11 or newer not found; install it, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear .venv
	@touch $@

.venv/core: .venv/made pyproject.toml
	@echo "Installing kadr"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/core
	@echo "Installing what the tests need"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: .venv/core
	@"$(BIN)/python" scripts/demo.py

.venv/studio: .venv/core
	@echo "Installing what the studio needs"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable ".[studio]"
	@touch $@

studio: .venv/studio
	@mkdir -p demo/studio
	@"$(BIN)/python" -m kadr studio demo/studio --sample

# The tests run even if a check finds something, so that one call shows everything.
test: .venv/dev
	@checked=0; $(MAKE) --no-print-directory --keep-going check || checked=1; \
	"$(BIN)/python" -m pytest $(PARALLEL) $(PYTEST_ARGS) || exit $$?; \
	if [ $$checked != 0 ]; then echo "The tests pass; ruff or mypy does not: see above" >&2; fi; \
	exit $$checked

check: $(CHECKS)

lint: .venv/dev
	@"$(BIN)/python" -m ruff check .

format: .venv/dev
	@"$(BIN)/python" -m ruff format --check .

types: .venv/dev
	@"$(BIN)/python" -m mypy

bench: .venv/dev
	@for file in benchmarks/synthesis.py benchmarks/truth.py; do \
	"$(BIN)/python" "$$file" || exit $$?; done

clean:
	rm -rf .venv demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
