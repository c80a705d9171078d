# make demo               a virtual environment with the project in it (trm-lab --help), then DIS on real ARC tasks (6 minutes on 2 cores)
# make demo METHOD=trm    the same with TRM;  make compare lays the two side by side
# make play               a page in the browser to play with the trained weights of pretrained/
# make test               the same environment, then lint, types and tests;  make test-long: the checks of minutes;
# make chaos              100 disturbed runs;  make gpu: check and measure on this machine's GPU (under 8 minutes)
# make test-matrix        the tests' core on Python 3.11 to 3.13 with the oldest and the newest PyTorch (tests/matrix.py);
#                         TORCH_ARGS="--index-url …" for an index with PyTorch's builds for CPUs

PYTHON ?= python3
export TORCH_ARGS PAIRS
METHOD ?= dis
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

ENTRY_dis := train_arc_tiny_corrupt.py experiment=arc_mini
ENTRY_trm := pretrain.py experiment=arc_mini_trm

.PHONY: demo compare play test test-long test-matrix chaos gpu lint clean

$(INSTALLED): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) --version); allowed: Python 3.11 or newer; to do: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(INSTALLED)
	@test -n "$(ENTRY_$(METHOD))" || { echo "error: METHOD=$(METHOD); allowed: dis | trm; to do: make demo METHOD=dis"; exit 2; }
	$(BIN)/torchrun --standalone --nproc_per_node=1 $(ENTRY_$(METHOD))

compare: $(INSTALLED)
	$(BIN)/python -m analysis.compare runs/arc_mini_dis runs/arc_mini_trm --figures-dir runs/figures

play: $(INSTALLED)
	$(BIN)/python -m analysis.play

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-long: $(INSTALLED)
	$(BIN)/python -m pytest -q -m long

test-matrix:
	$(PYTHON) -m tests.matrix

chaos: $(INSTALLED)
	CHAOS_ROUNDS=$${CHAOS_ROUNDS:-100} $(BIN)/python -m tests.chaos

# with a Python that has a CUDA build of torch; nothing is installed
gpu:
	@$(PYTHON) -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' || \
	  { echo "error: $(PYTHON) has no torch; allowed: a Python with a torch built for this GPU; to do: make gpu PYTHON=…"; exit 2; }
	$(PYTHON) -m benchmarks.gpu_check --output-dir "$(or $(OUT),runs/gpu_check)"

clean:
	rm -rf $(VENV) .matrix .mypy_cache .ruff_cache .pytest_cache
