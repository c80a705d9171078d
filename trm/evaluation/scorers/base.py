"""What a scorer is. E examples, L tokens."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
