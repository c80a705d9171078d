"""The laboratory: where a method is trained, measured and released.

It knows methods through `METHODS` in `methods.py` and the interface in `trm/supervision.py` alone.

From Python (docs/python_api.md), nothing of which is imported before it is used:

    solver = trm_lab.load("runs/sudoku_dis")      a run, a checkpoint, an export, a published file, hf://…
    answer = solver.solve("53..7….6..195…")       a puzzle as text, lists, an array or a file
    run = trm_lab.train("dis", data="data/sudoku-4x4", max_steps=600)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trm_lab.inference.answer import Answer
    from trm_lab.inference.solver import Solver, load
    from trm_lab.training.python_api import TrainedRun, train

__all__ = ["Answer", "Solver", "TrainedRun", "load", "train"]

_MODULES = {
    "Answer": "trm_lab.inference.answer",
    "Solver": "trm_lab.inference.solver",
    "TrainedRun": "trm_lab.training.python_api",
    "load": "trm_lab.inference.solver",
    "train": "trm_lab.training.python_api",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for first: torch takes seconds."""
    if name not in _MODULES:
        raise AttributeError(f"module 'trm_lab' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
