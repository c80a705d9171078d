"""A few ARC tasks small enough to build in no time, as source files in a folder of the test."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trm_lab.puzzles.arc.dataset import ArcBuild, ArcSummary, build_arc_dataset
from trm_lab.puzzles.arc.sources import Task, read_files

Rows = list[list[int]]
TaskJson = dict[str, list[dict[str, Rows]]]

MATERIALIZED = {"materialize": True, "translations": "fixed"}
TRAINING, EVALUATION = ("striped", "noisy", "black"), ("mixed", "tall")


def grid(height: int, width: int, seed: int, colours: int = 10) -> Rows:
    """A random grid."""
    return np.random.default_rng(seed).integers(0, colours, (height, width)).tolist()


def task(*sizes: tuple[int, int], train: int = 2) -> TaskJson:
    """A task of random pairs, one for each size; the first `train` of them demonstrate."""
    pairs = [{"input": grid(h, w, 7 * i + h), "output": grid(w, h, 11 * i + w)} for i, (h, w) in enumerate(sizes)]
    return {"train": pairs[:train], "test": pairs[train:]}


def tasks() -> dict[str, dict[str, TaskJson]]:
    """Subsets of tasks. `black` looks the same under every augmentation; `tall` needs a side of 9."""
    black = {"input": [[0]], "output": [[0]]}
    return {
        "training": {
            "striped": task((3, 4), (2, 5), (4, 4)),
            "noisy": task((1, 6), (6, 1), (5, 5), (2, 2), train=3),
            "black": {"train": [black], "test": [black]},
        },
        "evaluation": {"mixed": task((3, 3), (4, 2), (2, 4), (5, 3)), "tall": task((9, 2), (8, 3), (9, 4))},
    }


def write_sources(folder: Path, subsets: dict[str, dict[str, TaskJson]] | None = None, hidden: str = "") -> str:
    """Write challenges and solutions (none for the subset `hidden`) and return their prefix."""
    for name, subset in (tasks() if subsets is None else subsets).items():
        asked = {
            key: {"train": one["train"], "test": [{"input": pair["input"]} for pair in one["test"]]}
            for key, one in subset.items()
        }
        answers = {key: [pair["output"] for pair in one["test"]] for key, one in subset.items()}
        (folder / f"small_{name}_challenges.json").write_text(json.dumps(asked))
        if name != hidden:
            (folder / f"small_{name}_solutions.json").write_text(json.dumps(answers))
    return str(folder / "small")


def build(folder: Path, prefix: str | None = None, name: str = "built", **options: Any) -> tuple[Path, ArcSummary]:
    """Build the small tasks into `folder/name`, with 6 augmentations on a canvas of 12, every example written out."""
    subsets: dict[str, Any] = {"subsets": ("training", "evaluation"), "test_subsets": ("evaluation",)}
    recipe = ArcBuild(**{**subsets, "num_aug": 6, "max_grid_size": 12, **MATERIALIZED, **options})
    if prefix is not None or (folder / name).exists():
        return folder / name, _build(recipe, folder / name, prefix or write_sources(folder))
    built, summary = _build_once(recipe)
    shutil.copytree(built, folder / name)
    write_sources(folder)
    return folder / name, summary


def _build(recipe: ArcBuild, output: Path, prefix: str) -> ArcSummary:
    def read(subset: str, largest: int | None) -> list[Task]:
        return read_files(prefix, subset, largest)

    return build_arc_dataset(recipe, read, output)


@cache
def _build_once(recipe: ArcBuild) -> tuple[Path, ArcSummary]:
    """A dataset of the small tasks that tests copy, since most of them want the same one."""
    folder = Path(tempfile.mkdtemp(prefix="small-arc-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "built", _build(recipe, folder / "built", write_sources(folder))
