"""A page of strips: panels in rows, one for each puzzle, under a heading and above a caption. Sizes are in inches."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GAP, LEFT = 0.08, 0.32  # between panels; for the name of a row
LABEL_LINE, BELOW_LABEL = 0.13, 0.11  # of what stands below a panel; from there to the next row
ABOVE_COLOURS = 0.05  # from what stands below a picture to the colours of its tokens
HEADING_LINE, TITLES = 0.19, 0.28  # of the heading; for the titles and what is above them
CAPTION_LINE, EDGE = 0.14, 0.08  # of the caption; around all
SCALE_WIDTH, SCALE_HEIGHT, SCALE_LINE = 2.2, 0.1, 0.3  # of the colours' scale; of the line it stands on
LETTER, HEADING_LETTER = 0.062, 0.09  # widths, of the caption and of the heading


@dataclass(frozen=True)
class Space:
    """What a row needs: heights of its pictures and, below the steps', of the colours of their tokens; 0 for none."""

    pictures: float
    colours: float = 0.0


@dataclass(frozen=True)
class Row:
    """The panels of a row: question, steps, answer; and a panel of colours below each step, or none."""

    pictures: list[Axes]
    colours: list[Axes]


@dataclass(frozen=True)
class Sheet:
    """The sizes and the words of a page.

    columns: widths of the panels.  titles: above them.  rows: from the top.
    label_lines: of text below each picture.  scale: whether there is a scale of colours below the caption.
    """

    columns: Sequence[float]
    titles: Sequence[str]
    rows: Sequence[Space]
    heading: str
    caption: Sequence[str]
    label_lines: int = 1
    scale: bool = False

    @property
    def width(self) -> float:
        """Width of the page."""
        return LEFT + sum(self.columns) + GAP * len(self.columns)

    @property
    def height(self) -> float:
        """Height of the page."""
        return self._top + sum(map(self._row_height, self.rows)) + self._bottom + CAPTION_LINE * len(self.lines)

    @property
    def lines(self) -> list[str]:
        """The caption in wrapped lines."""
        return [line for part in self.caption for line in self._wrapped(part, LETTER)]

    @property
    def _top(self) -> float:
        return EDGE + HEADING_LINE * len(self._wrapped(self.heading, HEADING_LETTER)) + TITLES

    @property
    def _bottom(self) -> float:
        return 2 * EDGE + (SCALE_LINE if self.scale else 0.0)

    def figure(self) -> tuple[Figure, list[Row]]:
        """An empty figure with its words, and its panels."""
        fig = Figure(figsize=(self.width, self.height))
        rows, top = [], self.height - self._top
        for space in self.rows:
            rows.append(self._row(fig, space, top))
            top -= self._row_height(space)
        for axes, title in zip(rows[0].pictures, self.titles, strict=True):
            axes.set_title(title, loc="center", fontsize=9)
        words: dict[str, Any] = {"x": EDGE / self.width, "parse_math": False}
        lines = self._wrapped(self.heading, HEADING_LETTER)
        fig.text(y=1 - EDGE / self.height, s="\n".join(lines), va="top", fontsize=11, **words)
        floor = (self._bottom - EDGE) / self.height
        fig.text(y=floor, s="\n".join(self.lines), va="bottom", fontsize=7.5, linespacing=1.35, **words)
        return fig, rows

    def scale_axes(self, fig: Figure) -> Axes:
        """A panel for the scale of the colours, below the caption."""
        left, bottom = 3 * EDGE, SCALE_LINE - SCALE_HEIGHT
        return self._panel(fig, left, bottom, SCALE_WIDTH, SCALE_HEIGHT)

    def _row_height(self, space: Space) -> float:
        below = LABEL_LINE + ABOVE_COLOURS + space.colours if space.colours else 0.0
        return space.pictures + self.label_lines * LABEL_LINE + below + BELOW_LABEL

    def _row(self, fig: Figure, space: Space, top: float) -> Row:
        lefts = LEFT + np.cumsum([0.0, *(column + GAP for column in self.columns[:-1])])
        places = list(zip(lefts.tolist(), self.columns, strict=True))
        floor = top - space.pictures
        pictures = [self._panel(fig, left, floor, width, space.pictures) for left, width in places]
        floor -= self.label_lines * LABEL_LINE + ABOVE_COLOURS + space.colours
        steps = places[1:-1] if space.colours else []
        colours = [self._panel(fig, left, floor, width, space.colours) for left, width in steps]
        return Row(pictures, colours)

    def _wrapped(self, text: str, letter: float) -> list[str]:
        return textwrap.wrap(text, max(10, int((self.width - 2 * EDGE) / letter)))

    def _panel(self, fig: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
        wide, high = self.width, self.height
        return fig.add_axes((left / wide, bottom / high, width / wide, height / high))
