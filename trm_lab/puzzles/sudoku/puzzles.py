"""Sudokus with one solution, no two of them images of one another.

N side, C = N·N cells, M puzzles; digits 1..N, 0 for a blank.

6×6 and 9×9: each draw starts from a uniform full grid and takes givens away in random order, each only if the solution
stays the only one, down to a number of givens drawn uniformly from the range asked for. Where no further given can go
the puzzle stays as it is, if it is still within the range; otherwise it is drawn again. Two puzzles that are images of
one another have the same fingerprint; a puzzle whose fingerprint has been seen is drawn again too.
4×4: there are 4,708 such puzzles with a blank cell, up to symmetry. They are drawn from the list of them all, every
number of givens as often as every other while it lasts, and seen through a random symmetry.
"""

import sys
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.progress import track
from trm_lab.puzzles.sudoku import every_4x4
from trm_lab.puzzles.sudoku.geometry import Digits, Geometry
from trm_lab.puzzles.sudoku.grids import sample_grids
from trm_lab.puzzles.sudoku.solver import all_digits, count_solutions
from trm_lab.puzzles.sudoku.symmetries import draw_symmetries, fingerprints

_BATCH = 1024  # grids worked on together
_PART = 256  # puzzles, at least, between reports of progress
_PATIENCE = 4096  # draws in a row without a new puzzle before it is given up
_SILENCE = 10.0  # seconds


@dataclass(frozen=True)
class PuzzleRequest:
    """The number of puzzles to draw, and the fewest and most givens of each."""

    count: int
    fewest: int
    most: int


def draw_puzzles(geometry: Geometry, request: PuzzleRequest, seed: int) -> tuple[Digits, Digits]:
    """Questions and answers `[count, C]`, pairwise inequivalent, in random order.

    Raises:
        UserError: there are not so many, or they are too rare to be found.
    """
    if geometry == every_4x4.GEOMETRY:
        return _draw_from_list(request, seed)
    drawing = _Drawing(geometry, request, seed)
    part = min(_BATCH, max(_PART, request.count // 10))
    for goal in track([*range(part, request.count, part), request.count], "drawing puzzles"):
        drawing.continue_to(goal)
    return np.concatenate(drawing.questions), np.concatenate(drawing.answers)


def remove_givens(
    geometry: Geometry, grids: Digits, targets: NDArray[np.integer], generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Remove givens in random order, as long as the solution stays unique; the cells `[M, C]` that stay given.

    Args:
        grids: full grids `[M, C]`.
        targets: `[M]` where to stop; a puzzle none of whose givens can go keeps more.
    """
    bits = np.ascontiguousarray(np.uint16(1) << (grids.T - 1).astype(np.uint16))  # [C, M]
    given = np.ones(bits.shape, bool)
    order = generator.permuted(np.tile(np.arange(geometry.cells)[:, None], len(grids)), axis=0)
    for cells in order:
        active = np.flatnonzero(given.sum(0) > targets)
        cell = cells[active]
        candidates = np.where(given[:, active], bits[:, active], all_digits(geometry))
        candidates[cell, np.arange(len(active))] = all_digits(geometry) & ~bits[cell, active]
        given[cell, active] = count_solutions(geometry, candidates, limit=1) > 0  # another digit would do too
    return given.T


def take_unseen(keys: Iterable[Hashable], seen: set[Any], most: int) -> list[int]:
    """Add the first `most` keys that are not in `seen` to it, and return their places."""
    places: list[int] = []
    for place, key in enumerate(keys):
        if len(places) < most and key not in seen:
            seen.add(key)
            places.append(place)
    return places


class _Drawing:
    """Puzzles found so far."""

    def __init__(self, geometry: Geometry, request: PuzzleRequest, seed: int) -> None:
        self._geometry, self._request, self._seed = geometry, request, seed
        self._seen: set[int] = set()
        self._batches = self._fruitless = 0
        self._last_report = time.monotonic()
        self.questions: list[Digits] = []
        self.answers: list[Digits] = []

    def continue_to(self, goal: int) -> None:
        """Draw until there are `goal` puzzles."""
        while len(self._seen) < goal:
            self._report_rare()
            missing = goal - len(self._seen)
            self._draw(min(_BATCH, missing + missing // 8 + 8), missing)
            if self._fruitless >= _PATIENCE:
                raise self._too_rare()

    def _draw(self, grids: int, missing: int) -> None:
        generator = numpy_generator(self._seed, "sudoku puzzles", self._batches)
        self._batches += 1
        answers = sample_grids(self._geometry, grids, generator)
        targets = generator.integers(self._request.fewest, self._request.most, size=grids, endpoint=True)
        given = remove_givens(self._geometry, answers, targets, generator)
        few_enough = given.sum(1) <= self._request.most
        questions = np.where(given, answers, np.uint8(0))
        questions, answers = questions[few_enough], answers[few_enough]
        prints = fingerprints(self._geometry, questions, answers).tolist()
        new = take_unseen(prints, self._seen, missing)
        self.questions.append(questions[new])
        self.answers.append(answers[new])
        self._fruitless = 0 if new else self._fruitless + grids

    def _report_rare(self) -> None:
        """Report where the next puzzles take long: `track` reports only once they are found."""
        if time.monotonic() - self._last_report > _SILENCE:
            self._last_report = time.monotonic()
            progress = f"{len(self._seen):,} of {self._request.count:,} puzzles found"
            print(f"{progress}; none in the last {self._fruitless:,} draws", file=sys.stderr, flush=True)

    def _too_rare(self) -> UserError:
        request, size = self._request, self._geometry.size
        return UserError(
            given=f"{request.count:,} puzzles of {size}×{size} with {request.fewest}..{request.most} givens: "
            f"{len(self._seen):,} found, then none in {self._fruitless:,} draws",
            allowed="numbers of puzzles that exist up to symmetry and are common enough to be drawn",
            remedy="allow more givens (--max-givens), or lower --train-size or --test-size and use --num-aug",
        )


def _draw_from_list(request: PuzzleRequest, seed: int) -> tuple[Digits, Digits]:
    questions, answers = every_4x4.every_puzzle()
    givens = np.count_nonzero(questions, axis=1)
    possible = np.flatnonzero((givens >= request.fewest) & (givens <= request.most))
    if request.count > len(possible):
        raise UserError(
            given=f"{request.count:,} puzzles of 4×4 with {request.fewest}..{request.most} givens",
            allowed=f"up to {len(possible):,} in both splits together: so many exist up to symmetry",
            remedy="lower --train-size or --test-size and use --num-aug, or allow more numbers of givens",
        )
    generator = numpy_generator(seed, "sudoku puzzles")
    # The least of exponential times of rate 1/s: a draw without replacement where s like items share a weight of 1.
    times = generator.standard_exponential(len(possible)) * np.bincount(givens)[givens[possible]]
    chosen = generator.permutation(possible[np.argsort(times)[: request.count]])
    symmetries = draw_symmetries(every_4x4.GEOMETRY, request.count, generator)
    return symmetries.apply(questions[chosen]), symmetries.apply(answers[chosen])
