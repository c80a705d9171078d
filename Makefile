# The environment stands in .venv; PYTHON=python3.12 makes it with another Python.
# TORCH_ARGS="--index-url …" takes the PyTorch of test-matrix from an index that has its builds for CPUs.

PYTHON ?= python3
export TORCH_ARGS PAIRS
METHOD ?= dis
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS := .venv-docs

ENTRY_dis := train_arc_tiny_corrupt.py experiment=arc_mini
ENTRY_trm := pretrain.py experiment=arc_mini_trm

.PHONY: help install demo compare play test test-long test-matrix chaos gpu lint docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) --version); allowed: Python 3.11 or newer; to do: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

install: $(INSTALLED)  ## set up .venv with the pinned packages and trm-lab, as the targets below do by themselves

demo: $(INSTALLED)  ## train DIS on real ARC tasks (6 minutes on 2 cores); METHOD=trm: TRM; DEMO="max_steps=300 compile=off": shorter
	@test -n "$(ENTRY_$(METHOD))" || { echo "error: METHOD=$(METHOD); allowed: dis | trm; to do: make demo METHOD=dis"; exit 2; }
	$(BIN)/python $(ENTRY_$(METHOD)) $(DEMO)

compare: $(INSTALLED)  ## lay the demo's two methods side by side, once both are trained
	$(BIN)/python -m analysis.compare runs/arc_mini_dis runs/arc_mini_trm --figures-dir runs/figures

play: $(INSTALLED)  ## a page in the browser to play with the trained weights of pretrained/
	$(BIN)/python -m analysis.play

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, types and tests; needs no GPU and no network once installed
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-long: $(INSTALLED)  ## the tests that take minutes
	$(BIN)/python -m pytest -q -m long

test-matrix:  ## the tests' core on Python 3.11 to 3.13 with the oldest and the newest PyTorch
	$(PYTHON) -m tests.matrix

chaos: $(INSTALLED)  ## 100 disturbed runs (CHAOS_ROUNDS=…)
	CHAOS_ROUNDS=$${CHAOS_ROUNDS:-100} $(BIN)/python -m tests.chaos

gpu:  ## check and measure on this machine's GPU in under 8 minutes; with your own Python, nothing is installed
	@$(PYTHON) -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' || \
	  { echo "error: $(PYTHON) has no torch; allowed: a Python with a torch built for this GPU; to do: make gpu PYTHON=…"; exit 2; }
	$(PYTHON) -m benchmarks.gpu_check --output-dir "$(or $(OUT),runs/gpu_check)"

docs: $(DOCS)/.installed  ## the documentation as a site, build/site/index.html, in an environment of its own
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

$(DOCS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	@touch $@

clean:  ## remove the environments and caches that make, ruff, mypy and pytest made; runs and data stay
	rm -rf $(VENV) $(DOCS) build/site .matrix .mypy_cache .ruff_cache .pytest_cache
