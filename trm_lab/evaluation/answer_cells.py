"""Which cells of a prediction are its answer: over them the answer's confidence is a mean.

B rows, L grid tokens, C canvas side.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trm_lab.puzzles.arc.grids import COLOURS, FIRST_COLOUR
from trm_lab.puzzles.cube.scorer import STICKERS
from trm_lab.puzzles.cube.tokens import CUBE_END
from trm_lab.puzzles.datasets import PuzzleData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.tokens import END

AnswerCells = Callable[[Tensor], Tensor]  # predictions `[B, L]` → the cells of the answers they give, `[B, L]` bool


def every_cell(predictions: Tensor) -> Tensor:
    """All cells: a board is answered whole."""
    return torch.ones_like(predictions, dtype=torch.bool)


@dataclass(frozen=True)
class GridCells:
    """The cells of the ARC grid that a canvas of side C shows, as `arc_grids.crop` finds it; none where it shows none.

    The END marks around it do not count: any token but a colour ends a grid, and a grid that reaches the canvas's
    edge has no marks, so that with them grids of different sizes would be judged by different things.
    """

    canvas: int

    def __call__(self, predictions: Tensor) -> Tensor:
        cells = predictions.view(-1, self.canvas, self.canvas)
        coloured = (cells >= FIRST_COLOUR) & (cells < FIRST_COLOUR + COLOURS)
        runs = coloured.long().cumprod(2).sum(2)  # [B, C] colours that start each row
        widths = runs.cummin(1).values  # of the first 1, 2, … rows
        places = torch.arange(self.canvas, device=predictions.device)
        best = (widths * (places + 1)).argmax(1, keepdim=True)  # [B, 1] the last row; the first of equal areas
        inside = (places[:, None] <= best[..., None]) & (places < widths.gather(1, best)[..., None])
        return inside.view(predictions.shape)


@dataclass(frozen=True)
class CellsToEnd:
    """From position `start` to the first `end` token, which is part of the answer, or to the last position."""

    start: int
    end: int

    def __call__(self, predictions: Tensor) -> Tensor:
        ends = predictions[:, self.start :] == self.end
        before = ends.long().cumsum(1) - ends.long() == 0
        return torch.cat((torch.zeros_like(predictions[:, : self.start], dtype=torch.bool), before), 1)


def cells_by_set(data: PuzzleData) -> dict[str, AnswerCells]:
    """By set, the cells that an answer to its questions consists of."""
    return {each.name: _answer_cells(each.about, data) for each in data.sets}


def _answer_cells(about: About | None, data: PuzzleData) -> AnswerCells:
    canvas = math.isqrt(data.metadata.seq_len)
    if data.test_puzzles and (about is None or not about.scorer) and canvas**2 == data.metadata.seq_len:
        return GridCells(canvas)
    return every_cell if about is None else cells_of(about.scorer, about.facts)


def cells_of(kind: str, facts: Mapping[str, Any]) -> AnswerCells:
    """The cells that an answer to questions of a kind but ARC consists of; facts: of their dataset."""
    if kind == "cube":
        return CellsToEnd(STICKERS, CUBE_END)
    if isinstance(facts.get("question_length"), int):
        return CellsToEnd(facts["question_length"], END)
    return every_cell
