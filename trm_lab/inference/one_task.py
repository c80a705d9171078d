"""One ARC task, now: read it, answer it, draw it; behind `evaluate.py <checkpoint> --task file.json`."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks, join
from trm_lab.commands.progress import track
from trm_lab.commands.tables import table
from trm_lab.evaluation.batch_size import CPU_BATCH, WITH_GRADIENT, chosen_batch_size, fitting_batch_size
from trm_lab.evaluation.stopwatch import Stopwatch
from trm_lab.inference.answering import answer_task
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of, known_puzzles
from trm_lab.inference.grid_drawing import colour_depth, drawing
from trm_lab.inference.task_puzzles import puzzles_of
from trm_lab.inference.task_results import Answered, answer_folder, check_results_folder
from trm_lab.inference.test_time_training import AdaptationSettings, adapt
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import read_task
from trm_lab.runs.arc_outputs import outputs_table
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.weights import PUZZLE_ROWS

AUGMENTATIONS = 32
MOST_AT_ONCE = 1024  # more is no faster
PUZZLE_LR, PUZZLE_DECAY = 1e-2, 0.1  # where the configuration has none: the published ones


@dataclass(frozen=True)
class TaskRequest:
    """A task for one checkpoint.

    target, config, weights: see `ScoringRequest`.
    task: `file.json`, or `file.json:name` for one of several in it.
    data_paths: the dataset that the checkpoint was trained on, which tells whether it knows the task; empty: the
      configuration's, if it is there.
    embedding: see `puzzles_of`.  augmentations: at most so many besides the task itself; None: AUGMENTATIONS.
    adapt: updates that fit the embeddings on the demonstrations first; 0 for none.  adapt_lr: None: the run's.
    steps: supervision steps of an answer; None: as many as trained.
    batch_size: None: what fits.  output: None: beside the checkpoint's other results.
    overwrite: replace an earlier answer.
    seed: of augmentations and adaptation.
    """

    target: str
    task: str
    config: Path | None = None
    weights: str = "auto"
    data_paths: Sequence[str] = ()
    embedding: str = "auto"
    augmentations: int | None = None
    adapt: int = 0
    adapt_lr: float | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"
    output: Path | None = None
    overwrite: bool = False
    seed: int = 0


def run_task(request: TaskRequest) -> None:
    """Answer the task, print the drawing and a table, and write the files.

    Raises:
        UserError: no checkpoint or task, one that does not fit the other, or more than one process.
    """
    if request.output is not None:
        check_results_folder(request.output)
    ranks = join(request.device)
    try:
        _check_alone(ranks)
        checkpoint = open_checkpoint(request.target, request.config, request.weights)
        canvas = canvas_of(checkpoint, request.data_paths or checkpoint.data_paths)
        task = read_task(request.task, canvas)
        folder = answer_folder(
            request.output, checkpoint.results_folder("").parent, task.name, request.overwrite
        )
        answered = answer_request(request, task, canvas, checkpoint, ranks)
    finally:
        ranks.close()
    answered.write(folder, request.overwrite)
    width = shutil.get_terminal_size().columns
    print(drawing(answered.answer, width, colour_depth(sys.stdout, os.environ)), end="\n\n")
    print(table(outputs_table([output.record for output in answered.answer.outputs])))
    print("\n".join([*answered.remarks(), f"written to {folder}"]))


def answer_request(
    request: TaskRequest,
    task: Task,
    canvas: int,
    checkpoint: OpenedCheckpoint,
    ranks: Ranks,
) -> Answered:
    """Fit the task's embeddings if asked to, and answer it on a canvas of this side.

    Raises:
        UserError: a task that the checkpoint cannot answer.
    """
    rows = checkpoint.weights.get(PUZZLE_ROWS)
    known = known_puzzles(checkpoint, request.data_paths) if request.embedding in ("auto", "own") else {}
    wanted = AUGMENTATIONS if request.augmentations is None else request.augmentations
    puzzles = puzzles_of(task, wanted, rows, request.embedding, known, request.seed)
    supervision = arc_supervision(checkpoint, canvas)
    supervision.model.to(ranks.device)
    watch = Stopwatch(ranks, EnergyMeter(ranks.device))
    at_once, with_gradient = _batch_sizes(request, supervision, ranks)
    adaptation, adapted = _adaptation(request, checkpoint, with_gradient), None
    if adaptation is not None:
        adapted = adapt(supervision, puzzles, adaptation, canvas=canvas)
        puzzles = adapted.puzzles
    seconds_of_adapting = watch.seconds() if adapted is not None else None
    if request.steps is not None:
        supervision.take_steps(request.steps)
    answering = partial(track, doing="answering")
    answer = answer_task(
        supervision,
        puzzles,
        canvas=canvas,
        batch_size=at_once,
        over=answering,
        warm_up=watch.warming_up,
    )
    about = {
        "checkpoint": checkpoint.source,
        "step": checkpoint.step,
        "method": checkpoint.arch.supervision,
        "weights": checkpoint.weight_kind,
        "canvas": canvas,
        "supervision_steps": supervision.max_steps,
        "seed": request.seed,
        "device": ranks.device.type,
        "seconds": watch.seconds(),
        "warm_up_seconds": watch.warm_up_seconds,
        "adaptation_seconds": seconds_of_adapting,
    }
    return Answered(answer, about, adaptation, adapted)


def _adaptation(
    request: TaskRequest, checkpoint: OpenedCheckpoint, batch_size: int
) -> AdaptationSettings | None:
    """How to fit, with the run's own learning rate and decay of puzzle embeddings unless told otherwise."""
    if not request.adapt:
        return None
    own_lr = _number_in(checkpoint.config, "puzzle_emb_lr", PUZZLE_LR)
    return AdaptationSettings(
        steps=request.adapt,
        lr=own_lr if request.adapt_lr is None else request.adapt_lr,
        weight_decay=_number_in(checkpoint.config, "puzzle_emb_weight_decay", PUZZLE_DECAY),
        seed=request.seed,
        batch_size=batch_size,
    )


def _number_in(config: Mapping[str, Any], key: str, default: float) -> float:
    """A configuration may be a stranger's."""
    value = config.get(key)
    return float(value) if isinstance(value, int | float) else default


def _batch_sizes(request: TaskRequest, supervision: Supervision[Any], ranks: Ranks) -> tuple[int, int]:
    """Examples at a time when answering, and when fitting."""
    if request.batch_size is not None:
        size = chosen_batch_size(supervision, request.batch_size, MOST_AT_ONCE, ranks)
        return size, size
    fitting = fitting_batch_size(supervision, MOST_AT_ONCE, ranks)
    most = CPU_BATCH if ranks.device.type == "cpu" else MOST_AT_ONCE
    return min(fitting, most), min(max(1, fitting // WITH_GRADIENT), most)


def _check_alone(ranks: Ranks) -> None:
    if ranks.world_size > 1:
        raise UserError(
            f"--task in {ranks.world_size} processes",
            "a single process",
            "start it with python, without torchrun",
        )
