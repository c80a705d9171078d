"""What a picture of a kind of puzzle is: it draws a question, its answer, and predictions of it.

Each kind's folder has its own in `picture.py`. L tokens of an example, n×n its cells. Sizes are in inches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes  # takes 0.3 s to import; only who draws needs it

Tokens = NDArray[np.integer]  # [L]
Colours = NDArray[np.float64]  # [L, 3]


@dataclass(frozen=True)
class Example:
    """A question and its answer.

    inputs: `[L]`.  labels: `[L]`, IGNORE_LABEL where not scored.
    """

    inputs: Tokens
    labels: Tokens

    @property
    def answer(self) -> Tokens:
        """The label, and the question where nothing is asked."""
        return np.where(self.labels == IGNORE_LABEL, self.inputs, self.labels)

    def wrong(self, prediction: Tokens) -> NDArray[np.bool_]:
        """`[L]`: where a prediction differs from a scored label."""
        return (prediction != self.labels) & (self.labels != IGNORE_LABEL)


class ExamplePicture(Protocol):
    """Draws questions and answers, each into a panel of its own.

    question_width, answer_width: of the panels.
    """

    @property
    def question_width(self) -> float: ...

    @property
    def answer_width(self) -> float: ...

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """Height of the panels of an example and of predictions of its answer."""
        ...

    def draw_question(self, axes: Axes, example: Example) -> None:
        """Draw the question."""
        ...

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """Draw the answer that the dataset gives."""
        ...


class Picture(ExamplePicture, Protocol):
    """Draws predictions too, and colours of single tokens.

    signs: explains the symbols of a picture.  legend: signs, and how wrong cells are marked, for a caption.
    """

    @property
    def signs(self) -> str: ...

    @property
    def legend(self) -> str: ...

    def fits(self, tokens: int) -> bool:
        """Whether examples of so many tokens can be drawn."""
        ...

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """Draw a prediction and mark what is wrong with it."""
        ...

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """Frame, in the picture of prediction `after`, the cells that differ from `before`."""
        ...

    def colours_height(self, example: Example) -> float:
        """Height that `draw_colours` needs in a panel as wide as an answer's."""
        ...

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """Draw a colour for each token of an answer, where `draw_answer` has it."""
        ...

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """A few words on a prediction, such as "solved"."""
        ...
