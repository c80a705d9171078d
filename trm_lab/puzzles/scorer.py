"""The interface of scorers, which judge answers by the rules of their puzzle. E examples, L tokens."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown

SOLVED = "solved"


class Scorer(Protocol):
    """Judges answers; each kind's is in its `scorer.py`."""

    def __call__(
        self, inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        """Verdicts `[E]` by name; "solved", the one that counts, is always among them.

        inputs, predictions: `[E, L]`.  labels: `[E, L]`, IGNORE_LABEL where not scored.
        """
        ...


def check_cells(cells: int, tokens: NDArray[np.integer]) -> None:
    """UserError unless examples `[E, L]` have as many tokens as the dataset's facts say that a puzzle has cells."""
    if tokens.shape[1] != cells:
        raise UserError(
            given=f"a dataset whose facts say {cells} cells, and whose examples have {tokens.shape[1]} tokens",
            allowed="a token for each cell",
            remedy="build the dataset again",
        )


def whole_number(facts: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """A whole number of a dataset's facts; bounded, since a stranger's dataset may say anything.

    Raises:
        UserError: it is missing, no whole number or out of range.
    """
    value = facts.get(key)
    if type(value) is not int or not least <= value <= most:
        raise UserError(
            given=f"a dataset whose facts say {key}={shown(repr(value))}",
            allowed=f"a whole number from {least} to {most}",
            remedy="build the dataset again",
        )
    return value
