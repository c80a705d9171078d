"""A number for a row of tokens, to find equal rows among many. E rows, L tokens."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.randomness import numpy_generator

_ROWS_AT_ONCE = 1 << 14


def row_sums(rows: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """A random weighted sum `[E]` modulo 2^64 of each of `[E, L]`; equal rows have equal ones, others hardly ever.

    The same for every type in which tokens are stored.
    """
    weights = numpy_generator(0, "row sums").integers(0, 2**64, rows.shape[1], np.uint64)
    parts = (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
    return np.concatenate([np.zeros(0, np.uint64), *(part.astype(np.uint64) @ weights for part in parts)])
