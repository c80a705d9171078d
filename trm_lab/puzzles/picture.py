"""How an example of each kind of puzzle is drawn: its question, its answer, and predictions of it.

Legend: L tokens of an example, n×n its cells. Sizes are in inches.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL

Tokens = NDArray[np.integer]  # [L]
Colours = NDArray[np.float64]  # [L, 3]


@dataclass(frozen=True)
class Example:
    """inputs: `[L]`.  labels: `[L]`, IGNORE_LABEL where not scored."""

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
        """What the panels of an example, and of predictions of its answer, need."""
        ...

    def draw_question(self, axes: Axes, example: Example) -> None:
        """Draw what is asked."""
        ...

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """Draw the answer that the dataset gives."""
        ...


class Picture(ExamplePicture, Protocol):
    """Draws predictions too, and what is known of single tokens.

    signs: what a reader must know of them.  legend: the same and what marks what is wrong, for a caption.
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
        """Mark in the picture of a prediction what is different in the one `before` it."""
        ...

    def colours_height(self, example: Example) -> float:
        """What a panel as wide as an answer's needs for `draw_colours`."""
        ...

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """Draw a colour for each token of an answer, where `draw_answer` has it."""
        ...

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """What to say of it in a few words."""
        ...


MakePicture = Callable[[Mapping[str, Any]], Picture]  # from a dataset's facts
