"""Answer one puzzle and draw it: `evaluate.py <checkpoint> --puzzle "53..7…"`, or of ARC `--task file.json`."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trm.errors import UserError
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.ranks import Ranks, join
from trm_lab.commands.tables import table
from trm_lab.files.folders import check_output, new_folder
from trm_lab.inference.answer import PuzzleAnswer
from trm_lab.inference.arc_checkpoint import canvas_of
from trm_lab.inference.grid_drawing import colour_depth
from trm_lab.inference.one_task import TaskRequest
from trm_lab.inference.solve_settings import check_arc_alone
from trm_lab.inference.solver import ARC, Solver, described_puzzles
from trm_lab.inference.task_results import (
    ANSWER_FILE,
    ANSWERED_PUZZLE,
    PICTURE_FILE,
    answer_folder,
    check_results_folder,
    remarks,
    write_answer,
)
from trm_lab.puzzles.arc.task_file import read_task
from trm_lab.runs.arc_outputs import outputs_table
from trm_lab.runs.evaluation_place import check_no_links_in_run
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint


def run_puzzle(request: TaskRequest) -> None:
    """Answer the puzzle, print the drawing and what it took, and write answer.json and answer.png.

    request: its task is the puzzle, as text, JSON or a file; of ARC a file.

    Raises:
        UserError: no checkpoint or puzzle, one that does not fit the other, or more than one process.
    """
    with _single_process(request, "--puzzle") as ranks:
        checkpoint = _opened(request, ranks)
        solver = Solver(checkpoint, described_puzzles(checkpoint, *request.data_paths[:1]), ranks)
        if solver.puzzle.is_arc:
            _answer_task(solver, request)
        else:
            _answer_puzzle(solver, request)


def run_task(request: TaskRequest) -> None:
    """Answer the ARC task, print the drawing and a table, and write the files.

    Raises:
        UserError: no checkpoint or task, one that does not fit the other, or more than one process.
    """
    with _single_process(request, "--task") as ranks:
        _answer_task(Solver(_opened(request, ranks), ARC, ranks), request)


@contextmanager
def _single_process(request: TaskRequest, flag: str) -> Iterator[Ranks]:
    if request.output is not None:
        check_results_folder(request.output)
    with join(request.device) as ranks:
        if ranks.world_size > 1:
            raise UserError(
                f"{flag} in {ranks.world_size} processes", "a single process", "start it with python, without torchrun"
            )
        yield ranks


def _opened(request: TaskRequest, ranks: Ranks) -> OpenedCheckpoint:
    checkpoint = open_checkpoint(request.target, request.config, request.weights)
    print(f"checkpoint: {checkpoint.title}\ndevice: {ranks.title}", flush=True)
    choose_attention(request.attention, checkpoint.arch.network, ranks.device)
    return checkpoint


def _answer_task(solver: Solver, request: TaskRequest) -> None:
    checkpoint = solver.checkpoint
    task = read_task(request.task, canvas_of(checkpoint, request.data_paths or checkpoint.data_paths))
    usual = checkpoint.results_folder("").parent
    folder = answer_folder(request.output, usual, task.name, request.overwrite)
    answer = solver.answer_task(request, task)
    write_answer(folder, answer.answer, answer.content, request.overwrite)
    print(answer.as_text(shutil.get_terminal_size().columns, colour_depth(sys.stdout, os.environ)), end="\n\n")
    print(table(outputs_table([output.record for output in answer.answer.outputs])))
    print("\n".join([*remarks(answer.content), f"written to {folder}"]))


def _answer_puzzle(solver: Solver, request: TaskRequest) -> None:
    check_arc_alone(request, solver.puzzle.kind)
    question = solver.read(request.task)
    folder = (request.output or solver.checkpoint.results_folder("").parent) / f"puzzle_{_digest(question.tobytes())}"
    check_no_links_in_run(folder)
    check_output(folder, ANSWERED_PUZZLE, request.overwrite)
    [answer] = solver.answers(question[None], request)
    _write(folder, answer, request.overwrite)
    print(f"{answer}\nwritten to {folder}")


def _write(folder: Path, answer: PuzzleAnswer, overwrite: bool) -> None:
    with new_folder(folder, ANSWERED_PUZZLE, overwrite) as partial:
        (partial / ANSWER_FILE).write_text(json.dumps(answer.record()) + "\n", encoding="utf-8")
        (partial / PICTURE_FILE).write_bytes(answer.picture_bytes(".png"))


def _digest(question: bytes) -> str:
    """Eight hexadecimal digits that stand for a question."""
    return hashlib.sha256(question).hexdigest()[:8]
