"""The answers of a solver: grids or texts after each supervision step, their confidence and validity.

L tokens of an example, S supervision steps, T test inputs of an ARC task.
"""

import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.supervision import CONFIDENCE_KINDS
from trm_lab.files.whole_files import mark, write_output
from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.grid_drawing import colour_depth, drawing
from trm_lab.inference.task_results import remarks as task_remarks
from trm_lab.puzzles.notation import Notation, Value
from trm_lab.puzzles.picture import Picture, Tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".pdf")
MEANINGS = {  # of `PuzzleAnswer.confidence`, by the supervision's kind
    "halting_probability": "halting probability",
    "answer_log_probability": "geometric mean of the probabilities of the answer's tokens",
    "token_log_probability": "geometric mean of the probabilities of all tokens",
}
WIDTH = 100  # columns of a drawing that is not shown in a terminal


@dataclass(frozen=True, eq=False, repr=False)
class Answer(ABC):
    """An answer to one puzzle.

    circumstances: how it was made, under the keys checkpoint, step, method, weights, supervision_steps, search, seed,
      device, seconds.
    """

    circumstances: Mapping[str, Any]

    @property
    @abstractmethod
    def grid(self) -> Any:
        """The answer: a 2-D array of a board, the moves of a cube, a text; of ARC for each test input its attempts."""

    @property
    @abstractmethod
    def steps(self) -> list[Any]:
        """The answer after each supervision step; of ARC a grid for each test input, of the task as it is."""

    @property
    @abstractmethod
    def confidence(self) -> float:
        """How sure the model is, from 0 to 1; `confidence_kind` says of what."""

    @property
    @abstractmethod
    def confidence_kind(self) -> str:
        """What `confidence` is, in words."""

    @property
    @abstractmethod
    def valid(self) -> bool | None:
        """Whether the answer keeps the puzzle's rules and its question; None where only the right answer tells."""

    @property
    @abstractmethod
    def network_calls(self) -> int:
        """Passes of the reasoning module that the answer took, over all of its rollouts."""

    @abstractmethod
    def as_text(self, width: int = WIDTH, depth: str = "none") -> str:
        """The answer as text; depth: see `trm_lab.inference.grid_drawing.colour_depth`."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """The content of answer.json."""

    @abstractmethod
    def figure(self) -> "Figure":
        """Question, steps and answer side by side."""

    def __repr__(self) -> str:
        summary = f"valid={self.valid}, confidence={self.confidence:.3f}, network_calls={self.network_calls}"
        return f"{type(self).__name__}({summary})"

    def __str__(self) -> str:
        return self.as_text(depth=colour_depth(sys.stdout, os.environ))

    def _repr_png_(self) -> bytes:
        """The picture that a notebook shows."""
        return self.picture_bytes(".png")

    def save(self, file: str | Path) -> None:
        """Draw the answer into a .png or .pdf file.

        Raises:
            UserError: another kind of file, or something else than such a picture is there.
            OSError: the system refused.
        """
        path = Path(file)
        if path.suffix not in PICTURES:
            raise UserError(f"a picture {path.name}", " or ".join(PICTURES), f"call it {path.stem}{PICTURES[0]}")
        write_output(path, self.picture_bytes(path.suffix), "answer", "place")

    def picture_bytes(self, suffix: str) -> bytes:
        """The picture as a file of one of `PICTURES`."""
        stream, key = BytesIO(), "Software" if suffix == ".png" else "Creator"
        self.figure().savefig(stream, format=suffix[1:], metadata={key: mark("answer")})
        return stream.getvalue()


@dataclass(frozen=True, eq=False, repr=False)
class PuzzleAnswer(Answer):
    """An answer to a question of one of the kinds in `trm_lab.puzzles.kinds`.

    question: `[L]`.  tokens: `[S, L]`, after each step.
    certainty: of the last step, as `Supervision.confidence` gives it; certainty_kind: a key of `CONFIDENCE_KINDS`.
    is_valid: by the kind's scorer; None where it needs the right answer.  calls: of the rollout.
    remarks: what is wrong with the question.
    """

    question: Tokens
    tokens: NDArray[np.integer[Any]]
    certainty: float
    certainty_kind: str
    is_valid: bool | None
    calls: int
    remarks: tuple[str, ...]
    kind: str
    notation: Notation
    picture: Picture

    @property
    def grid(self) -> Value:
        """See `Answer`."""
        return self.notation.value(self.tokens[-1])

    @cached_property
    def steps(self) -> list[Value]:
        """See `Answer`."""
        return [self.notation.value(tokens) for tokens in self.tokens]

    @property
    def confidence(self) -> float:
        """See `Answer`: a halting probability, or the geometric mean of the tokens' probabilities."""
        return math.exp(self.certainty) if self.certainty_kind.endswith("log_probability") else self.certainty

    @property
    def confidence_kind(self) -> str:
        """See `Answer`."""
        return MEANINGS.get(self.certainty_kind, CONFIDENCE_KINDS[self.certainty_kind])

    @property
    def valid(self) -> bool | None:
        """See `Answer`."""
        return self.is_valid

    @property
    def network_calls(self) -> int:
        """See `Answer`."""
        return self.calls

    def as_text(self, width: int = WIDTH, depth: str = "none") -> str:
        """See `Answer`."""
        return "\n".join([self.notation.text(self.question, self.tokens[-1], depth != "none"), "", *self.lines()])

    def lines(self) -> list[str]:
        """How good the answer is and what it took, in words."""
        verdict = {True: "valid", False: "not valid", None: "no rule tells whether it is right"}[self.valid]
        steps, search = self.circumstances["supervision_steps"], self.circumstances["search"]
        rollouts = "" if search["width"] == 1 else f"{search['width']} rollouts of "
        most = "" if search["stop"] is None else "at most "
        calls = f"{most}{rollouts}{steps} supervision steps, {self.calls} network calls"
        return [f"{verdict}; {calls}; {self.confidence_kind} {self.confidence:.3f}", *self.remarks]

    def record(self) -> dict[str, Any]:
        """See `Answer`."""
        return {
            **self.circumstances,
            "kind": self.kind,
            "question": _plain(self.notation.value(self.question)),
            "answer": _plain(self.grid),
            "steps": [_plain(value) for value in self.steps],
            "valid": self.valid,
            "confidence": self.confidence,
            "confidence_kind": self.confidence_kind,
            "network_calls": self.calls,
            "remarks": list(self.remarks),
        }

    def figure(self) -> "Figure":
        """See `Answer`."""
        from trm_lab.inference.answer_picture import picture_of_steps  # matplotlib takes a second to import

        heading = f"{self.kind}: {self.circumstances['checkpoint']}"
        return picture_of_steps(self.picture, self.question, self.tokens, heading, self.lines())


@dataclass(frozen=True, eq=False, repr=False)
class ArcAnswer(Answer):
    """An answer to an ARC task, by the vote of the task and its augmentations.

    content: of answer.json.  attempts: of each test input, at most two.
    """

    answer: TaskAnswer
    content: Mapping[str, Any]
    attempts: int = 2

    @property
    def grid(self) -> list[list[NDArray[np.uint8]]]:
        """See `Answer`."""
        return [[attempt.grid for attempt in output.attempts[: self.attempts]] for output in self.answer.outputs]

    @property
    def steps(self) -> list[list[NDArray[np.uint8]]]:
        """See `Answer`."""
        return [list(grids) for grids in zip(*(output.steps for output in self.answer.outputs), strict=True)]

    @property
    def confidence(self) -> float:
        """See `Answer`."""
        return float(np.mean([output.record.agreement for output in self.answer.outputs]))

    @property
    def confidence_kind(self) -> str:
        """See `Answer`."""
        return "share of the votes that the first attempt has, averaged over the test inputs"

    @property
    def valid(self) -> None:
        """See `Answer`."""

    @property
    def network_calls(self) -> int:
        """See `Answer`."""
        return round(self.answer.network_calls * len(self.answer.puzzles) * len(self.answer.outputs))

    @property
    def submission(self) -> list[dict[str, Any]]:
        """The task's part of a submission."""
        return self.answer.submission()

    def as_text(self, width: int = WIDTH, depth: str = "none") -> str:
        """See `Answer`."""
        return drawing(self.answer, width, depth)

    def record(self) -> dict[str, Any]:
        """See `Answer`."""
        return dict(self.content)

    def figure(self) -> "Figure":
        """See `Answer`."""
        from trm_lab.inference.task_picture import picture  # matplotlib takes a second to import

        return picture(self.answer, f"{self.content['task']}: {self.content['checkpoint']}", task_remarks(self.content))


def _plain(value: Value) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
