"""An offline package for Kaggle: weights, the project's wheel, and a script and a notebook that answer a competition.

model.safetensors  config.yaml  identifiers.json  trm_lab-<version>-py3-none-any.whl  solve.py  solve.ipynb  README.md
"""

import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trm_lab.inference.arc_checkpoint import canvas_of
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.release.recorded import Recorded
from trm_lab.release.safetensors_export import CARD, write_weights
from trm_lab.release.wheel import build_wheel
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import EXPORTED_CONFIG, EXPORTED_WEIGHTS

SCRIPT_FILE, NOTEBOOK_FILE = "solve.py", "solve.ipynb"
FILES = (EXPORTED_WEIGHTS, EXPORTED_CONFIG, IDENTIFIERS_FILE, SCRIPT_FILE, NOTEBOOK_FILE, CARD)
NAMES = (*map(re.escape, FILES), r"(trm_lab|dis_trm)-[\w.+-]+\.whl")  # of now, of before; added wheels are not ours
# What answering imports of other projects.
NEEDED = ("torch", "numpy", "scipy", "omegaconf", "PyYAML", "safetensors", "tqdm", "filelock", "mpmath")
CELL = "# %%\n"
SCRIPT = '''\
"""Answer the ARC tasks of a competition with the packaged model and write submission.json. Needs no network.

python solve.py --input arc-agi_test_challenges.json --output submission.json --minutes 690
"""

# %%
# ARC Prize lets a notebook run for 12 hours, on a CPU or a GPU. 690 minutes leave half an hour for what is not counted
# here, the start of the machine above all. Every task is first answered under 129 views; the time that is left goes
# into fitting the embeddings of one task after the other on its demonstrations, in 100 updates.
SETTINGS = ["--minutes", "690", "--augmentations", "128", "--adapt", "100"]

# %%
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.monotonic()
KAGGLE = Path("/kaggle/input")
IN_NOTEBOOK = "__file__" not in globals()


def attached(name):
    """The newest of the files of this name that were added to the notebook."""
    files = sorted(KAGGLE.rglob(name))
    if not files:
        sys.exit(f"error: no {name} below {KAGGLE}\\n  to do:   add this package and the competition's data as inputs")
    return files[-1]


PACKAGE = attached("trm_lab-*.whl").parent if IN_NOTEBOOK else Path(__file__).resolve().parent
ARGUMENTS = sys.argv[1:]

# %%
# In a notebook a valid submission is there before anything is installed: two fallback grids for each test input.
if IN_NOTEBOOK:
    TASKS = attached("arc-agi_test_challenges.json")
    FALLBACK = {"attempt_1": [[0, 0], [0, 0]], "attempt_2": [[0, 0], [0, 0]]}
    EMPTY = {name: [FALLBACK] * len(task["test"]) for name, task in json.loads(TASKS.read_text()).items()}
    Path("submission.json.partial").write_text(json.dumps(EMPTY))
    Path("submission.json.partial").replace("submission.json")
    ARGUMENTS = ["--input", str(TASKS), *SETTINGS]

# %%
# The wheels of the package go into a folder of their own: nothing else of the environment changes.
LIBRARY = tempfile.mkdtemp()
WHEELS = sorted(map(str, PACKAGE.glob("*.whl")))
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
subprocess.run([*PIP, "--target", LIBRARY, *WHEELS], check=True)
sys.path.insert(0, LIBRARY)

# %%
from trm_lab.inference.solve_command import run  # noqa: E402

run(PACKAGE, ARGUMENTS, STARTED)
'''
ABOUT = """\
# Answering ARC tasks offline

Weights at step {step}, the code, and `solve.py`, which answers the tasks of a competition and writes `submission.json`:

```bash
python solve.py --input arc-agi_test_challenges.json --output submission.json --minutes 690 --adapt 100
```

On Kaggle: upload this folder as a dataset, add it and the competition's data to a notebook without internet, and run
`solve.ipynb`, or its cells. Its first cell holds the settings: of the 12 hours that ARC Prize lets a notebook run it
takes 690 minutes, answers every task under 129 views, and then fits the embeddings of one task after the other on its
demonstrations as long as the time lasts. A task that the model was trained on is answered with its own embedding.

With `--adapt 12500 --adapt-weights all` all weights learn from the demonstrations of all tasks together instead, in as
many of these updates as the time allows; then all tasks are answered again, with the adapted weights.
`--save-adapted FOLDER` keeps the adapted weights.

The submission is complete and valid from the first second on, and nothing is begun that would not end in time: whatever
could not be answered has the fallback grids. `python solve.py --help` lists the flags.

## What must be installed

Python 3.11 or newer, and these packages (with the versions that this package was made with): {needed}.

What the notebook's environment lacks goes into this folder as a wheel, and is installed by the script as well:

```bash
pip download --only-binary :all: --no-deps --dest <this folder> <package>
```

With such a wheel in it the folder is no longer replaced by another export.
"""


def write_package(folder: Path, opened: OpenedCheckpoint, record: Recorded) -> None:
    """Write the package into an existing folder.

    Raises:
        UserError: the weights are not those of an ARC model, or the wheel cannot be built.
    """
    canvas_of(opened)
    write_weights(folder, opened, record)
    build_wheel(folder)
    (folder / SCRIPT_FILE).write_text(SCRIPT, encoding="utf-8")
    (folder / NOTEBOOK_FILE).write_text(json.dumps(notebook(SCRIPT), indent=1) + "\n", encoding="utf-8")
    needed = ", ".join(f"{name} {_version(name)}".strip() for name in NEEDED)
    (folder / CARD).write_text(ABOUT.format(step=opened.step, needed=needed), encoding="utf-8")


def notebook(script: str) -> dict[str, Any]:
    """The script as a notebook: its docstring in words, then a cell for each of its parts."""
    first, *cells = script.split(CELL)
    words = first.strip().strip('"').strip()
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [_cell(0, "markdown", words), *(_cell(i, "code", c) for i, c in enumerate(cells, start=1))],
    }


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    cell["source"] = source.strip().splitlines(keepends=True)
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
