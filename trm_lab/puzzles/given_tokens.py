"""The arrays of a dataset of one's own: integers of any kind are taken where they fit, anything else is refused.

E examples of a split, L tokens of an example.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trm.errors import UserError

STORED = np.iinfo(np.uint8).max + 1  # different tokens that fit a byte
Pair = tuple[ArrayLike, ArrayLike]  # questions and answers


def stored_tokens(
    splits: Mapping[str, Pair], vocab_size: int
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Questions and answers of each split as they are stored, uint8 `[E, L]`.

    Raises:
        UserError: no integers, one outside of 0..vocab_size - 1, other shapes, or a missing or empty split.
    """
    if splits.keys() != {"train", "test"}:
        raise UserError(
            f"the splits {', '.join(map(str, splits)) or '(none)'}",
            "train and test",
            "give examples for both, and no other",
        )
    if type(vocab_size) is not int or not 1 <= vocab_size <= STORED:
        raise UserError(f"vocab_size={vocab_size!r}", f"a whole number from 1 to {STORED}", "number the tokens from 0")
    stored = {
        name: (_tokens(inputs, f"inputs of {name}", vocab_size), _tokens(labels, f"labels of {name}", vocab_size))
        for name, (inputs, labels) in splits.items()
    }
    shapes = {
        f"{what} of {name}": a.shape for name, pair in stored.items() for what, a in zip(_PARTS, pair, strict=True)
    }
    alike = all(len({array.shape for array in pair}) == 1 for pair in stored.values())
    if not alike or len({shape[1] for shape in shapes.values()}) > 1:
        raise UserError(
            f"arrays of other shapes: {', '.join(f'{name} {shape}' for name, shape in shapes.items())}",
            "an answer for each question, and all as long as each other",
            "pad the shorter ones with 0",
        )
    return stored


_PARTS = ("inputs", "labels")


def _tokens(given: ArrayLike, what: str, vocab_size: int) -> NDArray[np.uint8]:
    try:
        array = np.asarray(given)
    except ValueError as error:  # lists of other lengths
        raise UserError(f"{what}: rows of other lengths", "rows as long as each other", "pad them with 0") from error
    if array.ndim > 0 and len(array) == 0:
        split = what.rpartition(" ")[2]
        raise UserError(f"the {split} split has no example", "at least one in each split", "ask for more examples")
    if array.ndim != 2 or not array.size:
        form = "two dimensions: a row of tokens for each example"
        raise UserError(
            f"{what} of shape {array.shape}", form, "reshape it; boards become rows: .reshape(len(boards), -1)"
        )
    if array.dtype.kind not in "iu":
        raise UserError(f"{what} of type {array.dtype}", "whole numbers, such as int64 or uint8", "use .astype(int)")
    least, most = int(array.min()), int(array.max())
    if least < 0 or most >= vocab_size:
        row, place = np.argwhere((array < 0) | (array >= vocab_size))[0].tolist()
        raise UserError(
            f"{what}: {array[row, place]} in example {row}, token {place}, counted from 0",
            f"0 to {vocab_size - 1}, by vocab_size={vocab_size}",
            "number the tokens from 0, which is padding, or raise vocab_size",
        )
    return array.astype(np.uint8)
