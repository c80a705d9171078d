"""An answered task as text: coloured cells in a terminal, digits elsewhere.

A cell is two columns wide, so that it is about square, and marked where it differs from the right answer. Where a grid
has more than `LARGEST_WIDE` rows or columns, a cell is one column wide, without marks; with colours two rows share a
line.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TextIO

import numpy as np

from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.panels import Panel, answer_panels, demonstration_panels
from trm_lab.puzzles.arc.colours import ARC_COLOURS, rgb

LARGEST_WIDE = 16  # rows or columns of a grid whose cells are two columns wide
GAP = " " * 3  # between two blocks
RESET = "\x1b[0m"
MARK = "×"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = np.array([0, 95, 135, 175, 215, 255])  # of red, green and blue in a terminal's cube of 216 colours
_LUMA = (0.299, 0.587, 0.114)

Block = list[str]  # lines of one width on the screen


def colour_depth(stream: TextIO, environment: Mapping[str, str]) -> str:
    """`rgb`, `256` or `none`: what a stream shows, by what its terminal says of itself; NO_COLOR is honoured."""
    if not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb":
        return "none"
    return "rgb" if environment.get("COLORTERM") in ("truecolor", "24bit") else "256"


def drawing(answer: TaskAnswer, width: int, depth: str) -> str:
    """Demonstrations, test inputs, attempts and right answers, as many side by side as `width` columns hold.

    depth: see `colour_depth`.
    """
    pairs = demonstration_panels(answer.task)
    tests = [answer_panels(answer, index, ()) for index in range(len(answer.outputs))]
    sides = [max(panel.grid.shape) for group in (*pairs, *tests) for panel in group]
    pen = Pen(depth, compact=max(sides) > LARGEST_WIDE)
    rows = [[pen.pair(*pair) for pair in pairs], *([pen.block(panel) for panel in row] for row in tests)]
    return "\n\n".join(_wrapped(blocks, width) for blocks in rows if blocks)


@dataclass(frozen=True)
class Pen:
    """Draws panels.

    depth: see `colour_depth`.  compact: a cell is one column wide.
    """

    depth: str
    compact: bool

    def block(self, panel: Panel) -> Block:
        """A panel: title, framed grid, and its notes below."""
        return _padded([panel.title, *self._framed(panel), *filter(None, (panel.note, panel.verdict))])

    def pair(self, first: Panel, second: Panel) -> Block:
        """Two grids with an arrow between them, under the first one's title."""
        grids = [self._framed(first), self._framed(second)]
        height = max(map(len, grids))
        arrow = [" → " if row == height // 2 else "   " for row in range(height)]
        return _padded([first.title, *_beside([grids[0], arrow, grids[1]], "")])

    def _framed(self, panel: Panel) -> Block:
        edge = "─" * (panel.grid.shape[1] * (1 if self.compact else 2))
        return [f"┌{edge}┐", *(f"│{line}│" for line in self._lines(panel)), f"└{edge}┘"]

    def _lines(self, panel: Panel) -> list[str]:
        if self.compact and self.depth != "none":
            uppers, lowers = panel.grid[::2].tolist(), panel.grid[1::2].tolist()
            return [self._half_blocks(*rows) for rows in zip_longest(uppers, lowers, fillvalue=())]
        rows = zip(panel.grid.tolist(), panel.wrong.tolist(), strict=True)
        lines = ["".join(map(self._cell, colours, wrong)) for colours, wrong in rows]
        return lines if self.depth == "none" else [line + RESET for line in lines]

    def _cell(self, colour: int, wrong: bool) -> str:
        if self.depth != "none":
            return self._code(colour, 48) + (self._ink(colour) + 2 * MARK if wrong else "  ")
        mark = MARK if wrong else " "
        return f"{colour}{'' if self.compact else mark}"

    def _half_blocks(self, upper: Sequence[int], lower: Sequence[int]) -> str:
        cells = (
            f"{self._code(above, 38)}{'' if below is None else self._code(below, 48)}▀"
            for above, below in zip_longest(upper, lower)
        )
        return "".join(cells) + RESET

    def _code(self, colour: int, ground: int) -> str:
        """The escape sequence for a colour of ARC; ground 38 is the letters', 48 what lies behind them."""
        parts = rgb(ARC_COLOURS[colour])
        if self.depth == "rgb":
            return f"\x1b[{ground};2;{parts[0]};{parts[1]};{parts[2]}m"
        red, green, blue = (int(np.abs(_LEVELS - part).argmin()) for part in parts)
        return f"\x1b[{ground};5;{16 + 36 * red + 6 * green + blue}m"

    def _ink(self, colour: int) -> str:
        """Black or white letters, whichever stands out."""
        bright = np.dot(_LUMA, rgb(ARC_COLOURS[colour])) > 128
        return "\x1b[38;5;16m" if bright else "\x1b[38;5;231m"


def _width(line: str) -> int:
    """Columns on the screen."""
    return len(_ESCAPE.sub("", line))


def _padded(lines: Block) -> Block:
    widest = max(map(_width, lines))
    return [line + " " * (widest - _width(line)) for line in lines]


def _wrapped(blocks: Sequence[Block], width: int) -> str:
    """Blocks side by side; what does not fit goes below."""
    rows: list[list[Block]] = [[]]
    for block in blocks:
        taken = sum(_width(other[0]) + len(GAP) for other in rows[-1])
        if rows[-1] and taken + _width(block[0]) > width:
            rows.append([])
        rows[-1].append(block)
    return "\n\n".join("\n".join(line.rstrip() for line in _beside(row, GAP)) for row in rows)


def _beside(blocks: Sequence[Block], gap: str) -> Block:
    """One block of several, the shorter ones with empty lines below."""
    height = max(map(len, blocks))
    filled = [[*block, *[" " * _width(block[0])] * (height - len(block))] for block in blocks]
    return [gap.join(lines) for lines in zip(*filled, strict=True)]
