"""Optional parts of training batches: a solver's order and stored steps (`solver_order.py`), opened when asked for.

They are read from the files beside a set, which a stranger may have made, or computed from question and answer where
the kind of puzzle can. E examples, b rows of a batch, M steps, L tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.puzzles.datasets import PuzzleSet
from trm_lab.puzzles.kinds import KINDS, reveal_order_of
from trm_lab.puzzles.layout import PuzzleMetadata, load_array
from trm_lab.puzzles.manifest import REVEAL_ORDER_END, STEPS_END
from trm_lab.puzzles.solver_order import MOST_STEPS
from trm_lab.puzzles.splits import PuzzleArrays

Rows = NDArray[np.integer]
_TOKENS_AT_ONCE = 8 << 20  # of stored steps, checked together


@dataclass(frozen=True)
class Extra:
    """A part of a batch beside questions and answers.

    rows: from numbers `[b]` of examples, their inputs `[b, L]` and their labels `[b, L]` to values `[b, …]`.
    shape: of one example's values.
    padding: the value in rows without an example.
    """

    rows: Callable[[NDArray[np.int64], Rows, Rows], Rows]
    shape: tuple[int, ...]
    padding: int


def open_extras(names: Sequence[str], sets: Sequence[PuzzleSet], metadata: PuzzleMetadata) -> list[dict[str, Extra]]:
    """The extras of these names ("reveal_order", "stored_steps") of each set, checked; constant memory.

    Raises:
        UserError: a set lacks one, has a broken one, or two sets have different numbers of steps.
    """
    opened = [{name: _OPEN[name](puzzles, metadata) for name in names} for puzzles in sets]
    for puzzles, extras in zip(sets, opened, strict=True):
        for name in names:
            if extras[name].shape != opened[0][name].shape:
                counts = f"{opened[0][name].shape[0]} in {sets[0].dataset} and {extras[name].shape[0]} in"
                raise UserError(
                    given=f"different numbers of stored steps: {counts} {puzzles.dataset}",
                    allowed="datasets with the same number",
                    remedy="build them with the same --steps",
                )
    return opened


def _open_order(puzzles: PuzzleSet, metadata: PuzzleMetadata) -> Extra:
    file = puzzles.file(REVEAL_ORDER_END)
    if file.exists() and isinstance(puzzles.examples, PuzzleArrays):
        order = load_array(file, 2)
        _check_form(file, order, puzzles.examples.labels.shape, np.dtype(np.uint8))
        return Extra(lambda numbers, inputs, labels: order[numbers], (metadata.seq_len,), 0)
    compute = reveal_order_of(puzzles.about, metadata)
    if compute is None:
        raise _no_order(puzzles, file)
    return Extra(lambda numbers, inputs, labels: compute(inputs, labels), (metadata.seq_len,), 0)


def _open_steps(puzzles: PuzzleSet, metadata: PuzzleMetadata) -> Extra:
    file, examples = puzzles.file(STEPS_END), puzzles.examples
    if not isinstance(examples, PuzzleArrays):
        raise UserError(
            given=f"{puzzles.dataset} makes its examples when they are drawn, so that none has stored steps",
            allowed="stored steps of a dataset whose examples are written out",
            remedy="build it with --materialize and add the steps (docs/formats.md), or use other step targets",
        )
    if not file.exists():
        raise _no_steps(puzzles, file)
    steps = load_array(file, 3)
    count, length = examples.labels.shape
    _check_form(file, steps, (count, min(max(steps.shape[1], 1), MOST_STEPS), length), examples.labels.dtype)
    rows = max(1, _TOKENS_AT_ONCE // (steps.shape[1] * length))
    for first in range(0, count, rows):
        part = slice(first, first + rows)
        _check_steps(file, first, steps[part], examples.labels[part], metadata)

    def scored(numbers: NDArray[np.int64], inputs: Rows, labels: Rows) -> Rows:
        values = steps[numbers].astype(np.int32)  # [b, M, L]
        values[_unscored(values, metadata) | (labels == IGNORE_LABEL)[:, None]] = IGNORE_LABEL
        return values

    return Extra(scored, steps.shape[1:], IGNORE_LABEL)


_OPEN = {"reveal_order": _open_order, "stored_steps": _open_steps}


def _unscored(tokens: Rows, metadata: PuzzleMetadata) -> NDArray[np.bool_]:
    unscored = tokens == IGNORE_LABEL
    return unscored if metadata.ignore_label_id is None else unscored | (tokens == metadata.ignore_label_id)


def _check_form(file: Path, array: Rows, shape: tuple[int, ...], dtype: np.dtype[np.integer]) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise _refused(file, f"{array.dtype} of shape {array.shape} instead of {dtype} of shape {shape}")


def _check_steps(file: Path, first: int, steps: Rows, labels: Rows, metadata: PuzzleMetadata) -> None:
    """UserError for steps `[b, M, L]` of the examples from `first` on that do not lead to their labels `[b, L]`."""
    foreign = ((steps < 0) | (steps >= metadata.vocab_size)) & ~_unscored(steps, metadata)
    if foreign.any():
        row, step, cell = np.argwhere(foreign)[0].tolist()
        token = f"token {steps[row, step, cell]} of vocab_size={metadata.vocab_size}"
        raise _refused(file, f"example {first + row} (from 0), step {step + 1}, cell {cell} (from 0): {token}")
    differing = steps[:, -1] != labels
    if differing.any():
        row, cell = np.argwhere(differing)[0].tolist()
        problem = f"the last step has {steps[row, -1, cell]} and the answer {labels[row, cell]}"
        raise _refused(file, f"example {first + row}, cell {cell} (both from 0): {problem}")
    wrong = ((steps != labels[:, None]) & ~_unscored(labels, metadata)[:, None]).sum(2)  # [b, M]
    grows = wrong[:, 1:] > wrong[:, :-1]
    if grows.any():
        row, step = np.argwhere(grows)[0].tolist()
        problem = f"{wrong[row, step]} wrong cells in step {step + 1} and {wrong[row, step + 1]} in step {step + 2}"
        raise _refused(file, f"example {first + row} (from 0): {problem}")


def _refused(file: Path, problem: str) -> UserError:
    return UserError(
        given=f"{file}: {problem}",
        allowed="what docs/formats.md says: reveal_order [examples, tokens] uint8; steps [examples, 1 to 255 steps, "
        "tokens] of the labels' type, each step as near to the answer as the one before, the last one the answer",
        remedy="correct the file, or build the dataset again: the same command with --overwrite",
    )


def _no_order(puzzles: PuzzleSet, file: Path) -> UserError:
    return UserError(
        given=f"{puzzles.dataset} has no solver's order: there is no {file.parent.name}/{file.name}",
        allowed="sudokus, mazes, queens and 2×2×2 cubes whose manifest names their kind, and ARC, whose order is "
        "computed where there is no file of it; or a file made by hand (docs/formats.md)",
        remedy="take an order that needs no solver, such as arch.target_order=reading, or make the file",
    )


def _no_steps(puzzles: PuzzleSet, file: Path) -> UserError:
    kind = None if puzzles.about is None else KINDS.get(puzzles.about.scorer)
    solved = kind is not None and kind.reveal_order is not None  # its builder has --steps
    build = "build it again with --steps 8 --overwrite beside the flags that it was built with" if solved else ""
    return UserError(
        given=f"{puzzles.dataset} has no stored steps: there is no {file.parent.name}/{file.name}",
        allowed="sudokus, mazes, queens and 2×2×2 cubes built with --steps, or a file made by hand (docs/formats.md)",
        remedy=build or "make the file, or take other step targets",
    )
