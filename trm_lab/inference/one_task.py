"""Answer one ARC task, adapted to it if that is requested: `--task file.json` of evaluate.py, and the Python API."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trm.supervision import Supervision
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.progress import track
from trm_lab.evaluation.batch_size import CPU_BATCH, WITH_GRADIENT, chosen_batch_size, fitting_batch_size
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.stopwatch import Stopwatch
from trm_lab.inference.answering import PLAIN, TaskAnswer, answer_task
from trm_lab.inference.arc_checkpoint import arc_supervision, trained_puzzles
from trm_lab.inference.task_puzzles import puzzles_of
from trm_lab.inference.task_results import answer_record
from trm_lab.inference.test_time_training import adapt, settings_of_run
from trm_lab.puzzles.arc.sources import Task
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

AUGMENTATIONS = 32
LARGEST_BATCH = 1024  # more is no faster


@dataclass(frozen=True)
class TaskRequest:
    """A task for one checkpoint.

    target, config, weights: see `ScoringRequest`.
    task: `file.json`, or `file.json:name` for one of several in it; of other kinds than ARC the puzzle, or its file.
    data_paths: the dataset that the checkpoint was trained on, which tells whether the task was in it; empty: the
      configuration's, if it is there.
    embedding: see `puzzles_of`.  augmentations: at most so many besides the task itself; None: AUGMENTATIONS.
    adapt: updates that fit the embeddings on the demonstrations first; 0 for none.
    adapt_weights: what learns from them, one of `ADAPTED_WEIGHTS`.
    adapt_lr: of the embeddings, or of all weights if they learn; None: the run's.
    adapt_freeze: share of the updates in which only the embeddings learn, if all weights do; None: as published.
    steps: supervision steps of an answer; None: as many as trained.
    search: how widely each prediction is searched for.
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
    adapt_weights: str = "embedding"
    adapt_lr: float | None = None
    adapt_freeze: float | None = None
    steps: int | None = None
    search: Search = PLAIN
    batch_size: int | None = None
    device: str = "auto"
    attention: str = "auto"
    output: Path | None = None
    overwrite: bool = False
    seed: int = 0


def answer_request(
    request: TaskRequest, task: Task, canvas: int, checkpoint: OpenedCheckpoint, ranks: Ranks
) -> tuple[TaskAnswer, dict[str, Any]]:
    """Adapt to the task if requested, and answer it on a canvas of this side.

    Returns:
        the answer, and the content of its answer.json.

    Raises:
        UserError: a task that the checkpoint cannot answer.
    """
    trained = trained_puzzles(checkpoint, request.data_paths) if request.embedding in ("auto", "own") else {}
    augmentations = AUGMENTATIONS if request.augmentations is None else request.augmentations
    rows = checkpoint.weights.get(PUZZLE_ROWS)
    puzzles = puzzles_of(task, augmentations, rows, request.embedding, trained, request.seed)
    supervision = arc_supervision(checkpoint, canvas)
    supervision.model.to(ranks.device)
    watch, adapted, adaptation_seconds = Stopwatch(ranks, EnergyMeter(ranks.device)), None, None
    answer_batch, fit_batch = _batch_sizes(request, supervision, checkpoint.batch_size, ranks)
    if request.adapt:
        changes = {"lr": request.adapt_lr, "seed": request.seed, "batch_size": fit_batch}
        if request.adapt_weights == "all":
            changes["freeze"] = request.adapt_freeze
        settings = settings_of_run(checkpoint.config, request.adapt, request.adapt_weights, **changes)
        adapted = adapt(supervision, puzzles, settings, canvas=canvas)
        supervision, puzzles, adaptation_seconds = adapted.supervision, adapted.puzzles, watch.seconds()
    if request.steps is not None:
        supervision.take_steps(request.steps)
    request.search.check(supervision, [None])
    answer = answer_task(
        supervision,
        puzzles,
        canvas=canvas,
        batch_size=answer_batch,
        search=request.search,
        seed=request.seed,
        over=partial(track, doing="answering"),
        warm_up=watch.warming_up,
    )
    circumstances = {
        "checkpoint": checkpoint.source,
        "step": checkpoint.step,
        "method": checkpoint.arch.supervision,
        "weights": checkpoint.weight_kind,
        "canvas": canvas,
        "supervision_steps": supervision.max_steps,
        "search": request.search.as_dict(),
        "seed": request.seed,
        "device": ranks.device.type,
        "seconds": watch.seconds(),
        "warm_up_seconds": watch.warm_up_seconds,
        "adaptation_seconds": adaptation_seconds,  # with its own warm-up
    }
    return answer, answer_record(answer, circumstances, adapted)


def _batch_sizes(request: TaskRequest, supervision: Supervision[Any], of_run: int, ranks: Ranks) -> tuple[int, int]:
    """Examples at a time of answering and of fitting; all weights learn from as many as in the run, if they fit."""
    if request.batch_size is not None:
        size = chosen_batch_size(supervision, request.batch_size, LARGEST_BATCH, ranks)
        return size, size
    fitting = fitting_batch_size(supervision, LARGEST_BATCH, ranks)
    most = CPU_BATCH if ranks.device.type == "cpu" else LARGEST_BATCH
    most_fitted = of_run if request.adapt_weights == "all" else most
    return min(fitting, most), min(max(1, fitting // WITH_GRADIENT), most_fitted)
