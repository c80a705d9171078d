"""A task's own truth, chosen by what the dataset says of itself (`About.scorer`).

E examples, L tokens. A scorer is written apart from the builder of its dataset: what it calls right follows from
the task's rules and the question, not from the label.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.manifest import About

SOLVED = "solved"


class Scorer(Protocol):
    """Judges answers."""

    def __call__(
        self, inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        """Verdicts `[E]` by name; "solved", the one that counts, is always among them.

        inputs, predictions: `[E, L]`.  labels: `[E, L]`, IGNORE_LABEL where not scored.
        """
        ...


SCORERS: dict[str, Callable[[Mapping[str, Any]], Scorer]] = {}


def scorer_of(about: About | None) -> Scorer | None:
    """The scorer that a dataset asks for; None where it asks for none.

    Raises:
        UserError: it asks for one that does not exist.
    """
    if about is None or not about.scorer:
        return None
    if about.scorer not in SCORERS:
        raise UserError(
            given=f"dataset {about.name} asks for the scorer {about.scorer!r}",
            allowed=", ".join(SCORERS),
            remedy="build the dataset again with this version of the code",
        )
    return SCORERS[about.scorer](about.facts)
