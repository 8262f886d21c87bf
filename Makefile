# Everything starts here: a plain `make` lists the targets. Needs only Python 3.10 to 3.13 and make.
# Options: PYTHON=python3.12, EFFORT=1..9 for the demo and the benchmarks, JOBS=4 measurements at a time,
# WORKERS=4 processes for the tests (by default one a core, 8 at most; 0 runs them in one, for a debugger),
# PYTHONS="python3.10 /opt/python3.13" for the matrix (by default all that are found),
# PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" to install the smaller torch without CUDA.

PYTHON ?= python3
EFFORT ?= 5
PYTHONS ?=
JOBS ?= 1
WORKERS ?= logical
PARALLEL = -n $(WORKERS) --maxprocesses 8 --dist worksteal
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-matrix fuzz lint docs bench bench-kodak clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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
	$(BIN)/python -m pytest -q $(PARALLEL)

test-slow: $(STAMP)  ## run the tests that take minutes (45 of two cores): kills at random moments, every bit flipped
	$(BIN)/python -m pytest -q -m slow $(PARALLEL)

test-matrix: $(STAMP)  ## decode the same files under other versions, threads and CPU instructions, and compare
	$(BIN)/python -m tests.matrix.run $(addprefix --python ,$(PYTHONS))

fuzz: FUZZ_SECONDS ?= 60
fuzz: $(STAMP)  ## throw mutated files at the decoder, for FUZZ_SECONDS=60; what breaks it stays in data/fuzz/
	$(BIN)/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m fuzz.decode --seconds $(FUZZ_SECONDS)

lint: $(STAMP)  ## check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)  ## write docs/cli.md anew, from what the commands say about themselves
	$(BIN)/python tests/docs/make_cli.py

bench: EFFORT = 3
bench: $(STAMP)  ## compare with JPEG, WebP and AVIF on a few pictures, in minutes (data/results/bench.*)
	@mkdir -p data/results
	@if $(BIN)/inrcodec data path kodak >/dev/null 2>&1; then pictures="kodak --images 5,15,20,23"; \
	else pictures=data/results/photograph.png; \
		$(BIN)/python -c "from benchmarks.demo import photograph; photograph().save('$$pictures')"; \
		echo "without the Kodak pictures (inrcodec data fetch kodak) one photograph has to do" >&2; \
	fi; \
	$(BIN)/inrcodec bench $$pictures -c inr,jpeg-opt,webp,avif-psnr --bpp 0.15,0.3 -e $(EFFORT) -j $(JOBS) -f \
		-o data/results/bench.tsv --plot data/results/bench.png --html data/results/bench.html

bench-kodak: $(STAMP)  ## the same on all 24 Kodak pictures and at 0.6 bpp too, for hours; goes on where it stopped
	@mkdir -p data/results
	$(BIN)/inrcodec bench kodak -c inr,jpeg-opt,webp,avif-psnr --bpp 0.15,0.3,0.6 -e $(EFFORT) -j $(JOBS) --resume \
		-o data/results/kodak.tsv --plot data/results/kodak.png --html data/results/kodak.html

clean:  ## remove .venv, caches and what the demo wrote
	rm -rf $(VENV) data/demo data/results data/fuzz build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
