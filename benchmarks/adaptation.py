"""What adapting to unseen ARC tasks brings and costs: not at all, their embeddings alone, or all weights together.

Tasks that the checkpoint was not trained on, all on its canvas; answered by the vote of their augmentations. Each way
works in a process of its own, so that its peak memory is its own. `python -m benchmarks.adaptation --help`.
"""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.cluster.ranks import choose_device
from trm_lab.commands.command_line import (
    AUGMENTATIONS,
    COUNT,
    SEED,
    CommandLine,
    local_path,
    path_or_address,
    run_command,
)
from trm_lab.commands.progress import track
from trm_lab.commands.tables import percent, table
from trm_lab.files.untrusted import load_json
from trm_lab.inference.answering import OutputAnswer, answer_task
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of
from trm_lab.inference.task_puzzles import TaskPuzzles, puzzles_of
from trm_lab.inference.test_time_training import adapt, settings_of_run
from trm_lab.inference.weight_training import WeightSettings, WeightTraining
from trm_lab.puzzles.arc.files import solutions_beside
from trm_lab.puzzles.arc.sources import Task, with_solutions
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.weights import PUZZLE_ROWS

PROGRAM = "benchmarks.adaptation"
EXAMPLE = """\
  python -m benchmarks.adaptation runs/arc_mini_dis --tasks kaggle/combined/arc-agi_training2_challenges.json
  python -m benchmarks.adaptation runs/arc_small --tasks evaluation_challenges.json --embedding 100 --all 100 500"""
LARGEST = 64 << 20  # bytes of a file of tasks
BATCH = 32  # examples at a time of answering, and of fitting embeddings


@dataclass(frozen=True)
class Way:
    """One way to adapt: `weights` is none, embedding or all; steps of each task, or of all tasks together."""

    weights: str
    steps: int

    @property
    def title(self) -> str:
        """For the table."""
        return "not adapted" if self.weights == "none" else f"{self.weights}, {self.steps:,} steps"


def main(arguments: list[str] | None = None) -> None:
    """Measure each way with each seed; print the table."""
    flags = command_line().parse(arguments)
    ways = [Way("none", 0), *(Way("embedding", n) for n in flags.embedding), *(Way("all", n) for n in flags.all)]
    jobs = [(way, seed) for way in ways for seed in flags.seeds]
    rows: list[Mapping[str, float]] = []
    for way, seed in track(jobs, "ways and seeds"):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:  # anew, for its own peak memory
            measured = process.submit(measure, way, seed, flags.target, flags.tasks, flags.num_aug, flags.device)
            rows.append(measured.result())
    print(as_text(jobs, rows))


def command_line() -> CommandLine:
    """The flags."""
    line = CommandLine(f"python -m {PROGRAM}", "Measure what adapting to unseen ARC tasks brings and costs.", EXAMPLE)
    add = line.add_argument
    add("target", type=path_or_address, help="a checkpoint that was trained on ARC")
    add(
        "--tasks",
        type=local_path,
        nargs="+",
        required=True,
        help="<prefix>_challenges.json with its solutions beside it; the tasks that fit and were not trained on",
    )
    add("--embedding", type=COUNT, nargs="*", default=[100], help="steps of fitting each task's embeddings (100)")
    add("--all", type=COUNT, nargs="*", default=[100, 1000], help="steps of training all weights (100 1000)")
    add("--seeds", type=SEED, nargs="+", default=[0, 1, 2], help="of augmentations and adaptation (0 1 2)")
    add("--num-aug", type=AUGMENTATIONS, default=8, help="augmentations of each task besides itself (8)")
    add("--device", default="cpu", choices=("cpu", "cuda"), help="where (cpu)")
    return line


def measure(
    way: Way, seed: int, target: str, tasks: Sequence[Path], augmentations: int, device: str
) -> dict[str, float]:
    """Adapt and answer; pass@2 and cell accuracy over test outputs, seconds of adapting, and MiB that it took."""
    opened = open_checkpoint(target)
    canvas = canvas_of(opened)
    supervision = arc_supervision(opened, canvas)
    supervision.model.to(choose_device(device))
    table_of_rows = opened.weights.get(PUZZLE_ROWS)
    chosen = unseen_tasks(tasks, canvas, set(opened.row_names or []))
    puzzles = [puzzles_of(task, augmentations, table_of_rows, "mean", seed=seed) for task in chosen]
    before, start = memory(), time.perf_counter()
    models, puzzles = adapted(way, seed, opened, supervision, puzzles, canvas)
    seconds, peak = time.perf_counter() - start, memory()
    outputs: list[OutputAnswer] = []
    for model, of_task in zip(models, puzzles, strict=True):
        outputs += answer_task(model, of_task, canvas=canvas, batch_size=BATCH).outputs
    answers = [pair.output for of_task in puzzles for pair in of_task.task.test]
    right = [output.record.correct_at(2) for output in outputs]
    cells = [share_right(output.attempts[0].grid, answer) for output, answer in zip(outputs, answers, strict=True)]
    return {
        "tasks": len(chosen),
        "outputs": len(right),
        "right": float(sum(right)),
        "cells": float(np.mean(cells)),
        "seconds": seconds,
        "mebibytes": peak - before,
    }


def adapted(
    way: Way,
    seed: int,
    opened: OpenedCheckpoint,
    supervision: Supervision[Any],
    puzzles: Sequence[TaskPuzzles],
    canvas: int,
) -> tuple[list[Supervision[Any]], list[TaskPuzzles]]:
    """The model and the puzzles to answer each task with."""
    if way.weights == "none":
        return [supervision] * len(puzzles), list(puzzles)
    if way.weights == "embedding":
        settings = settings_of_run(opened.config, way.steps, seed=seed, batch_size=BATCH)
        fitted = [adapt(supervision, of_task, settings, canvas=canvas).puzzles for of_task in puzzles]
        return [supervision] * len(puzzles), fitted
    together = WeightSettings.of_run(opened.config, way.steps, seed=seed, batch_size=opened.batch_size)
    training = WeightTraining(supervision, puzzles, together, canvas)
    for _ in range(way.steps):
        training.step()
    fitted = training.finish()
    return [training.supervision] * len(puzzles), fitted


def unseen_tasks(files: Sequence[Path], canvas: int, trained: set[str]) -> list[Task]:
    """The tasks of challenges files whose grids fit the canvas, and that were not trained on.

    Raises:
        UserError: no such task with its solution.
    """
    tasks: dict[str, Task] = {}
    for file in files:
        beside = solutions_beside(file)
        solutions = {} if beside is None else load_json(beside, LARGEST)
        for name, entry in load_json(file, LARGEST).items():
            if name in trained or name not in solutions:
                continue
            try:
                task = parse_task(name, entry, name, canvas)
                tasks[name] = with_solutions(task, solutions, file, canvas)
            except UserError:
                continue  # a grid that does not fit
    if not tasks:
        raise UserError(
            f"{' '.join(map(str, files))}: no unseen task with its solution that fits a canvas of {canvas}x{canvas}",
            "<prefix>_challenges.json with <prefix>_solutions.json beside it",
            "name another file, or a checkpoint with a larger canvas",
        )
    return [tasks[name] for name in sorted(tasks)]


def share_right(grid: np.ndarray, answer: np.ndarray | None) -> float:
    """Share of the answer's cells that are right; 0 for a grid of another shape."""
    return float((grid == answer).mean()) if answer is not None and grid.shape == answer.shape else 0.0


def memory() -> float:
    """The most MiB that this process has taken: of the GPU if it has one in use, else resident."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def as_text(jobs: Sequence[tuple[Way, int]], rows: Sequence[Mapping[str, float]]) -> str:
    """The table: of each way the mean over its seeds, with the lowest and the highest."""
    first = rows[0]
    lines = [["", "outputs right in 2 attempts", "cells of attempt 1", "seconds", "MiB besides"]]
    for way in dict.fromkeys(way for way, _ in jobs):
        own = [row for (other, _), row in zip(jobs, rows, strict=True) if other == way]
        lines.append(
            [
                way.title,
                _spread([row["right"] for row in own], "{:.1f}".format),
                _spread([row["cells"] for row in own], percent),
                _spread([row["seconds"] for row in own], "{:.0f}".format),
                _spread([row["mebibytes"] for row in own], "{:.0f}".format),
            ]
        )
    return f"{first['tasks']} unseen tasks, {first['outputs']} test outputs\n{table(lines)}"


def _spread(values: Sequence[float], form: Any) -> str:
    text = form(float(np.mean(values)))
    return text if len(values) == 1 else f"{text} ({form(min(values))}-{form(max(values))})"


if __name__ == "__main__":
    run_command(main)
