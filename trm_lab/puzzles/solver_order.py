"""The way to an answer: the order in which a solver finds its cells, and stored steps towards it.

    <dataset>/<split>/<set>__reveal_order.npy   [E, L] uint8: the round, from 1, in which a solver finds the cell; 0: it
                                                says nothing of it (which stands in the question, is a wall, padding)
    <dataset>/<split>/<set>__steps.npy          [E, M, L] of the labels' type: less and less wrong, the last is right

Builders that know a solver write the first into the training split, and the second with `--steps M`. Both may also be
made by hand. They change no question and no answer, so a dataset has the same fingerprint with and without them.
E examples, M steps, L tokens.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.manifest import REVEAL_ORDER_END, STEPS_END

MOST_STEPS = MOST_ROUNDS = 255
_TOKENS_AT_ONCE = 8 << 20  # of stored steps, written together


def squeezed(rounds: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Rounds `[E, L]` in a byte: R > 255 rounds of an example become 1..255 by ⌈r · 255 / R⌉, 0 stays 0."""
    last = rounds.max(axis=1, keepdims=True, initial=MOST_ROUNDS).astype(np.int64)
    if (last == MOST_ROUNDS).all():
        return rounds.astype(np.uint8)
    return (-(-rounds.astype(np.int64) * MOST_ROUNDS // last)).astype(np.uint8)


def frames(
    inputs: NDArray[np.uint8], labels: NDArray[np.uint8], order: NDArray[np.uint8], steps: int
) -> NDArray[np.uint8]:
    """Steps 1..M `[E, M, L]`: step j shows the answer where the round is at most ⌈R·j/M⌉, R the example's last one.

    Where the order says nothing every step shows the answer, elsewhere the question.
    """
    last = order.max(axis=1).astype(np.int64)  # R [E]
    rounds = -(-last[:, None] * np.arange(1, steps + 1) // steps)  # [E, M]
    return np.where(order[:, None] <= rounds[:, :, None], labels[:, None], inputs[:, None])


def write_solver_order(
    folder: Path,
    inputs: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    order: NDArray[np.uint8],
    steps: int | None = None,
) -> None:
    """Write the order `[E, L]` of a split's only set, and `steps` stored steps if there is a number of them."""
    assert order.shape == labels.shape, (order.shape, labels.shape)
    assert order.dtype == np.uint8, order.dtype
    np.save(folder / f"all{REVEAL_ORDER_END}", order)
    if steps is None:
        return
    count, length = labels.shape
    shape = (count, steps, length)
    stored = np.lib.format.open_memmap(folder / f"all{STEPS_END}", "w+", labels.dtype, shape, version=(1, 0))
    rows = max(1, _TOKENS_AT_ONCE // (steps * length))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        stored[part] = frames(inputs[part], labels[part], order[part], steps)
    stored.flush()
