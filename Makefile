# Set-up, runs and checks. Every target works from a bare clone; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
CORES ?= 2
BIN := .venv/bin
STAMP := .venv/.installed
SOURCES := src tests benchmarks workflow

# Measured files lie outside the project: in the folder that SPINSCAPE_DATA names.
ifneq ($(wildcard ../shared/data),)
export SPINSCAPE_DATA ?= $(abspath ../shared/data)
endif
# One thread for each process: the parallelism is in jobs, ranks and test workers.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export NUMBA_NUM_THREADS := 1

.PHONY: help install run test test-slow test-slurm bench lint dry-runs

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /:/' | awk -F: '{printf "%-12s %s\n", $$1, $$2}'

install: $(STAMP)  ## set up .venv with the pinned packages

# torch==2.13.0 is the pin; where the package index offers a build for the CPU (2.13.0+cpu), pip takes that one.
$(STAMP): pyproject.toml envs/constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up .venv ($$($(PYTHON) --version)); this takes a few minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c envs/constraints.txt -e '.[dev]'
	@touch $@

run: install  ## run the studies of config/config.yaml; or one: make run STUDY=config/test/la2nio4.yaml
	@$(BIN)/snakemake --cores $(CORES) $(if $(STUDY),--config studies=$(STUDY))
	@$(BIN)/python workflow/where.py $(STUDY)

lint: install  ## style, layers, types, rules
	@echo "== style" && $(BIN)/ruff check $(SOURCES) && $(BIN)/ruff format --check $(SOURCES)
	@echo "== layers" && $(BIN)/lint-imports
	@echo "== types" && $(BIN)/mypy
	@echo "== rules" && $(BIN)/snakefmt --check Snakefile workflow/rules && $(BIN)/snakemake --lint

dry-runs: install
	@for study in config/test/*.yaml; do \
	    echo "== dry run of $$study"; $(BIN)/snakemake --dry-run --quiet all --config studies=$$study; done

test: lint dry-runs  ## every check that CI runs, but for the slow ones
	@echo "== tests" && $(BIN)/python -m pytest -n $(CORES) -m "not slow and not slurm"

test-slow: install  ## the tests that take minutes
	@$(BIN)/python -m pytest -n $(CORES) -m slow

test-slurm: install  ## a study from end to end on a one-node Slurm of its own
	@bash tests/slurm/run.sh

bench: install  ## the benchmarks, one after the other
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done
