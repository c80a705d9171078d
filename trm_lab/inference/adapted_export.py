"""Adapted weights as an export, which evaluate.py and export.py open as any other; the checkpoint itself stays.

Its puzzle embedding has the blank identifier's row and those of the tasks that were adapted to, by name: such a task is
answered with its own.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from trm_lab.files.folders import new_folder
from trm_lab.inference.arc_checkpoint import SEQ_LEN
from trm_lab.inference.task_puzzles import BLANK_ROW, TaskPuzzles
from trm_lab.inference.weight_training import WeightTraining
from trm_lab.puzzles.layout import BLANK
from trm_lab.runs.exported_form import ADAPTED, STEP, WEIGHT_KIND, write_export
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS


def save_adapted(
    folder: Path,
    opened: OpenedCheckpoint,
    training: WeightTraining,
    puzzles: Sequence[TaskPuzzles],
    overwrite: bool = False,
) -> None:
    """Write the weights of a training that has ended, whole or not at all; errors as for `new_folder`.

    opened: the checkpoint that was adapted.  puzzles: the tasks with their rows, as `WeightTraining.finish` gave them.
    """
    model = training.supervision.model
    weights, names = dict(model.state_dict()), None
    rows = [of_task.rows for of_task in puzzles if of_task.rows is not None]
    if rows:
        blank = opened.weights[PUZZLE_ROWS][BLANK_ROW, None]
        weights[PUZZLE_ROWS] = torch.cat([blank, *(row.to(blank) for row in rows)])
        names = [BLANK, *(name for of_task in puzzles for name in of_task.names)]
    config = {
        **opened.config,
        "arch": opened.arch.as_dict(),
        STEP: opened.step,
        WEIGHT_KIND: "raw" if training.settings.ema_rate is None else "ema",
        SEQ_LEN: model.shape.seq_len,
        "adapted": {"tasks": training.tasks, "updates": training.steps_done},
    }
    with new_folder(folder, ADAPTED, overwrite) as partial:
        write_export(partial, weights, config, names)
