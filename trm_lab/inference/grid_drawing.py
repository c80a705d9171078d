"""An answered task as text: coloured cells in a terminal, digits elsewhere.

A cell is two columns wide, so that it is about square, and marked where it differs from the right answer. Where a grid
has more than `MOST_WIDE` rows or columns, a cell is one column wide, without marks; with colours two rows share a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.panels import Panel, answer_panels, demonstration_panels
from trm_lab.puzzles.arc.colours import ARC_COLOURS, rgb

MOST_WIDE = 16  # rows or columns of a grid whose cells are two columns wide
GAP = 3  # columns between two blocks
DEPTHS = ("rgb", "256", "none")
RESET = "\x1b[0m"
MARK = "×"
_LEVELS = np.array([0, 95, 135, 175, 215, 255])  # of red, green and blue in a terminal's cube of 216 colours
_LUMA = (0.299, 0.587, 0.114)


def colour_depth(stream: TextIO, environment: Mapping[str, str]) -> str:
    """One of `DEPTHS`: what a stream shows, by what its terminal says of itself; NO_COLOR is honoured."""
    if not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb":
        return "none"
    return "rgb" if environment.get("COLORTERM") in ("truecolor", "24bit") else "256"


def drawing(answer: TaskAnswer, width: int, depth: str) -> str:
    """Demonstrations, test inputs, attempts and right answers, as many side by side as `width` columns hold."""
    pairs = demonstration_panels(answer.task)
    tests = [answer_panels(answer, index, ()) for index in range(len(answer.outputs))]
    grids = [panel.grid for group in (*pairs, *tests) for panel in group]
    compact = max(max(grid.shape) for grid in grids) > MOST_WIDE
    pen = Pen(depth, compact)
    rows = [
        [pen.pair(*pair) for pair in pairs],
        *([pen.block(panel) for panel in panels] for panels in tests),
    ]
    return "\n\n".join(_wrapped(blocks, width) for blocks in rows if blocks)


@dataclass(frozen=True)
class Block:
    """Lines of text, each `width` columns wide on the screen."""

    lines: tuple[str, ...]
    width: int

    def as_high_as(self, height: int) -> "Block":
        """The same with empty lines below."""
        return Block((*self.lines, *[" " * self.width] * (height - len(self.lines))), self.width)


@dataclass(frozen=True)
class Pen:
    """Draws panels.

    depth: one of `DEPTHS`.  compact: a cell is one column wide.
    """

    depth: str
    compact: bool

    def block(self, panel: Panel) -> Block:
        """A panel: title, framed grid, and what there is to say below it."""
        return _titled(
            panel.title, self._framed(panel), [note for note in (panel.note, panel.verdict) if note]
        )

    def pair(self, first: Panel, second: Panel) -> Block:
        """Two grids with an arrow between them, under the first one's title."""
        blocks = [self._framed(first), self._framed(second)]
        height = max(len(block.lines) for block in blocks)
        question, answer = (block.as_high_as(height) for block in blocks)
        arrow = [" → " if row == height // 2 else "   " for row in range(height)]
        lines = tuple(map("".join, zip(question.lines, arrow, answer.lines, strict=True)))
        return _titled(first.title, Block(lines, question.width + len(arrow[0]) + answer.width), [])

    def _framed(self, panel: Panel) -> Block:
        inside = self._cells(panel)
        width = panel.grid.shape[1] * (1 if self.compact else 2)
        edge = "─" * width
        return Block((f"┌{edge}┐", *(f"│{line}│" for line in inside), f"└{edge}┘"), width + 2)

    def _cells(self, panel: Panel) -> list[str]:
        if self.depth == "none":
            return [self._digits(*row) for row in zip(panel.grid.tolist(), panel.wrong.tolist(), strict=True)]
        if self.compact:
            return [self._half_blocks(panel.grid[row : row + 2]) for row in range(0, len(panel.grid), 2)]
        return [self._coloured(*row) for row in zip(panel.grid.tolist(), panel.wrong.tolist(), strict=True)]

    def _digits(self, colours: Sequence[int], wrong: Sequence[bool]) -> str:
        if self.compact:
            return "".join(map(str, colours))
        return "".join(f"{colour}{MARK if bad else ' '}" for colour, bad in zip(colours, wrong, strict=True))

    def _coloured(self, colours: Sequence[int], wrong: Sequence[bool]) -> str:
        cells = (
            f"{self._code(colour, 48)}{self._ink(colour) + 2 * MARK if bad else '  '}"
            for colour, bad in zip(colours, wrong, strict=True)
        )
        return "".join(cells) + RESET

    def _half_blocks(self, rows: NDArray[np.uint8]) -> str:
        upper = rows[0].tolist()
        lower = rows[1].tolist() if len(rows) > 1 else [None] * len(upper)
        cells = (
            f"{self._code(above, 38)}{'' if below is None else self._code(below, 48)}▀"
            for above, below in zip(upper, lower, strict=True)
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


def _titled(title: str, block: Block, notes: Sequence[str]) -> Block:
    width = max(block.width, *map(len, (title, *notes)))
    padded = [line + " " * (width - block.width) for line in block.lines]
    return Block((title.ljust(width), *padded, *(note.ljust(width) for note in notes)), width)


def _wrapped(blocks: Sequence[Block], width: int) -> str:
    """Blocks side by side; what does not fit goes below."""
    rows: list[list[Block]] = [[]]
    for block in blocks:
        taken = sum(other.width + GAP for other in rows[-1])
        if rows[-1] and taken + block.width > width:
            rows.append([])
        rows[-1].append(block)
    return "\n\n".join(_beside(row) for row in rows)


def _beside(blocks: Sequence[Block]) -> str:
    height = max(len(block.lines) for block in blocks)
    lines = zip(*(block.as_high_as(height).lines for block in blocks), strict=True)
    return "\n".join((" " * GAP).join(line).rstrip() for line in lines)
