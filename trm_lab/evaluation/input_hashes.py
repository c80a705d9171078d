"""Marks of sequences, by which a test input is recognised under any augmentation without being mapped back.

A mark is two sums of a sequence's tokens with fixed random weights. A permutation of the colours changes only what
each colour's cells count, so that the marks of a test input under all augmentations follow from a few sums, made once
for each way to turn it. On a canvas of 30 by 30 another sequence has the same mark with probability 2^-56 at most, were
the weights drawn anew. The sums stay below 2^53, where double precision is exact.

Legend: N sequences, L = C·C tokens of a canvas with side C, V tokens of the vocabulary, M grids.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import COLOURS, FIRST_COLOUR, TRANSFORMS, VOCAB_SIZE, Grid, Tokens

Floats = NDArray[np.float64]

_NUMBERS = 2  # of a mark
_EXACT_BITS = 53  # of a double's whole numbers
_PAIR, _PAIR_BITS, _SECOND = "<u2", 16, 256  # two tokens as one number, and what the second counts in it
_AT_ONCE = 64  # sequences: their arrays stay in the processor's cache


class Marks:
    """Of sequences on canvases with side `canvas`."""

    def __init__(self, canvas: int) -> None:
        self._canvas = canvas
        pairs = (canvas**2 + 1) // 2
        bits = _EXACT_BITS - _PAIR_BITS - pairs.bit_length()
        drawn = hashlib.shake_256(b"weights for ARC test inputs").digest(8 * pairs * _NUMBERS)
        weights = np.frombuffer(drawn, "<u8") >> np.uint64(64 - bits)
        self._weights = weights.astype(np.float64).reshape(
            pairs, _NUMBERS
        )  # half as many products as by token

    def of(self, tokens: Tokens) -> Floats:
        """`[N, 2]` of sequences `[N, L]`."""
        even = tokens if tokens.shape[1] % 2 == 0 else np.pad(tokens, ((0, 0), (0, 1)))
        parts = [even[start : start + _AT_ONCE] for start in range(0, len(even), _AT_ONCE)]
        return np.concatenate([part.view(_PAIR).astype(np.float64) @ self._weights for part in parts])

    def sums(self, grids: Sequence[Grid]) -> Floats:
        """`[M, 8, 2, V]`: the weights of the cells that hold each token, where a grid is turned in each way.

        −1, as of no sequence, where it is larger than the canvas.
        """
        sums = np.full((len(grids), TRANSFORMS, _NUMBERS, VOCAB_SIZE), -1.0)
        fitting = [number for number, grid in enumerate(grids) if max(grid.shape) <= self._canvas]
        which = np.repeat(np.array(fitting, np.intp), TRANSFORMS)
        turns = np.tile(np.arange(TRANSFORMS), len(fitting))
        same, corner = np.tile(np.arange(COLOURS), (len(which), 1)), np.zeros((len(which), 2), np.intp)
        laid = lay(Grids.of(grids), which, turns, same, corner, self._canvas)
        kinds = (
            laid.reshape(len(fitting), TRANSFORMS, self._canvas**2)
            + VOCAB_SIZE * np.arange(TRANSFORMS)[:, None]
        )
        low = self._weights.T  # [2, pairs], of the first token of each pair
        weights = np.stack([low, _SECOND * low], axis=2).reshape(_NUMBERS, -1)[:, : self._canvas**2]
        for number, of_cells in enumerate(np.tile(weights, TRANSFORMS)):
            for grid, kind in zip(fitting, kinds, strict=True):
                of_kinds = np.bincount(kind.ravel(), of_cells, TRANSFORMS * VOCAB_SIZE)
                sums[grid, :, number] = of_kinds.reshape(TRANSFORMS, VOCAB_SIZE)
        return sums

    @staticmethod
    def augmented(sums: Floats, colours: NDArray[np.uint8]) -> Floats:
        """`[N, 2]`: marks of turned grids, of their sums `[N, 2, V]` and the new colours `[N, 10]`."""
        values = np.tile(
            np.arange(VOCAB_SIZE, dtype=np.float64), (len(sums), 1)
        )  # [N, V], what a token becomes
        values[:, FIRST_COLOUR:] += colours.astype(np.float64) - np.arange(COLOURS)
        return np.einsum("nv,nkv->nk", values, sums)
