"""The order in which a sudoku's cells are found: by depth of deduction.

A round finds all cells that naked or hidden singles of rows, columns and boxes give at once, from the cells found so
far. Where these give none, the round finds one cell by search: the one with the fewest candidates, of several the first
in reading order. N side, C = N·N cells, M puzzles.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.scorer import check_cells, whole_number
from trm_lab.puzzles.solver_order import squeezed
from trm_lab.puzzles.sudoku.geometry import Digits, Geometry
from trm_lab.puzzles.sudoku.solver import Candidates, all_digits, strike_fixed_digits, units
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK

_TOGETHER = 4096  # puzzles worked on together
_LARGEST_SIZE = 16  # bits of a cell's candidates


def sudoku_reveal_order(
    facts: Mapping[str, Any], inputs: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Rounds `[b, L]` of sudokus in tokens `[b, L]`, in boxes of `facts["box_rows"]` × `facts["box_columns"]` cells.

    Raises:
        UserError: the facts name no boxes, larger ones than 16 cells, or other puzzles than the examples are.
    """
    rows = whole_number(facts, "box_rows", 1, _LARGEST_SIZE)
    geometry = Geometry(rows, whole_number(facts, "box_columns", 1, _LARGEST_SIZE // rows))
    check_cells(geometry.cells, labels)
    questions, answers = (
        np.where((tokens > SUDOKU_BLANK) & (tokens <= SUDOKU_BLANK + geometry.size), tokens - SUDOKU_BLANK, 0)
        for tokens in (inputs, labels)
    )
    return deduction_rounds(geometry, questions.astype(np.uint8), answers.astype(np.uint8))


def deduction_rounds(geometry: Geometry, questions: Digits, answers: Digits) -> Digits:
    """The round `[M, C]`, from 1, that finds each cell; 0 for given cells, and for cells without an answer.

    questions, answers: `[M, C]`, 0 a blank.
    """
    parts = [
        _rounds(geometry, questions[start : start + _TOGETHER], answers[start : start + _TOGETHER])
        for start in range(0, len(questions), _TOGETHER)
    ]
    return np.concatenate([np.zeros((0, geometry.cells), np.uint8), *parts])


def _rounds(geometry: Geometry, questions: Digits, answers: Digits) -> Digits:
    questions, answers = (np.ascontiguousarray(boards.T) for boards in (questions, answers))  # [C, M]
    rounds = np.zeros(questions.shape, np.int16)
    bits = np.append(np.uint16(0), np.uint16(1) << np.arange(geometry.size, dtype=np.uint16))[answers]
    missing = (questions == 0) & (bits != 0)
    active = np.arange(questions.shape[1])
    for number in count(1):
        left = missing.any(0)
        if not left.all():
            active, bits, missing = active[left], np.compress(left, bits, axis=1), np.compress(left, missing, axis=1)
        if not len(active):
            return squeezed(rounds.T)
        candidates = np.where(missing | (bits == 0), all_digits(geometry), bits)
        strike_fixed_digits(geometry, candidates)
        new = _singles(geometry, candidates) & missing
        stuck = np.flatnonzero(~new.any(0))
        counts = np.where(missing[:, stuck], np.bitwise_count(candidates[:, stuck]), 255)
        new[counts.argmin(0), stuck] = True
        cell, puzzle = np.nonzero(new)
        rounds[cell, active[puzzle]] = number
        missing &= ~new
    raise AssertionError


def _singles(geometry: Geometry, candidates: Candidates) -> NDArray[np.bool_]:
    """The cells `[C, M]` that have one candidate, or a candidate that no other cell of a row, column or box has."""
    single: NDArray[np.bool_] = np.bitwise_count(candidates) == 1
    marks = units(geometry, single)
    for cells, alone in zip(units(geometry, candidates), marks, strict=True):
        once, twice = cells[0].copy(), np.zeros_like(cells[0])
        for cell in cells[1:]:
            twice |= once & cell
            once |= cell
        hidden = once & ~twice  # digits with one place in the unit
        for cell, mark in zip(cells, alone, strict=True):
            mark |= (cell & hidden) != 0
    return single
