"""What a symmetry of a puzzle is: another puzzle of the same kind, whose answer tells that of the first.

L tokens of an example, V vocabulary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.arc.grids import TRANSFORMS, dihedral
from trm_lab.puzzles.scorer import whole_number

LARGEST_SIDE = 255


@dataclass(frozen=True)
class Symmetry:
    """A permutation of the places of tokens, and one of their names.

    places: `[n]`, n ≤ L, the token of the old example that comes to each of the first n places; the others stay.
    names: `[V]`, the new token for each old one.
    """

    places: NDArray[np.intp]
    names: NDArray[np.intp]

    def image(self, tokens: NDArray[np.integer]) -> NDArray[np.integer]:
        """The image of tokens `[…, L]`."""
        return self._permute(self.names[tokens], self.places).astype(tokens.dtype)

    def inverse_image(self, tokens: NDArray[np.integer]) -> NDArray[np.integer]:
        """The tokens `[…, L]` whose image is `tokens`."""
        return self._permute(np.argsort(self.names)[tokens], np.argsort(self.places)).astype(tokens.dtype)

    def labels(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """The image of labels `[…, L]`; IGNORE_LABEL changes its place, not its name."""
        ignored = labels == IGNORE_LABEL
        return np.where(self._permute(ignored, self.places), IGNORE_LABEL, self.image(np.where(ignored, 0, labels)))

    @staticmethod
    def _permute(tokens: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
        return np.concatenate((tokens[..., places], tokens[..., len(places) :]), axis=-1)


DrawSymmetry = Callable[[Mapping[str, Any], int, np.random.Generator], Symmetry]
"""Draws one symmetry, uniformly, of the puzzles with these facts (`About.facts`) and V different tokens."""


def square_symmetry(facts: Mapping[str, Any], vocab_size: int, generator: np.random.Generator) -> Symmetry:
    """One of the eight turns and mirror images of a board of `facts["side"]` rows."""
    side = whole_number(facts, "side", 1, LARGEST_SIDE)
    places: NDArray[Any] = np.arange(side * side).reshape(side, side)
    turned: NDArray[Any] = dihedral(places, int(generator.integers(TRANSFORMS)))
    return Symmetry(turned.ravel(), np.arange(vocab_size))
