# Everything starts here: a plain `make` lists the targets. Needs only Python 3.10 to 3.13 and make.
# Options: PYTHON=python3.12, EFFORT=1..9 for the demo, PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
# to install the smaller torch without CUDA.

PYTHON ?= python3
EFFORT ?= 5
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create .venv and install inrcodec with its tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "inrcodec needs Python 3.10 to 3.13: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## encode a photograph at 0.3 bpp, decode it, compare it with JPEG (data/demo/)
	$(BIN)/python -m benchmarks.demo --effort $(EFFORT)

test: $(STAMP)  ## run the whole test suite
	$(BIN)/python -m pytest -q

lint: $(STAMP)  ## check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)  ## measure rate and distortion of the demo photograph, or of data/kodak where it exists
	$(BIN)/python -m benchmarks.rd --out data/results/rd.tsv

clean:  ## remove .venv, caches and what the demo wrote
	rm -rf $(VENV) data/demo data/results build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
