"""ARC's colours, for every picture of a grid: figures and terminals alike."""

import numpy as np
from numpy.typing import NDArray

# Colours 0..9 as the testing interface of fchollet/ARC-AGI shows them.
ARC_COLOURS = (
    "#000000", "#0074D9", "#FF4136", "#2ECC40", "#FFDC00",
    "#AAAAAA", "#F012BE", "#FF851B", "#7FDBFF", "#870C25",
)  # fmt: skip


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0..255, of a colour such as "#0074D9"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


PAD_COLOUR = "#FAF8F4"
END_COLOUR = "#DDD5C4"  # end-of-grid: warm, so that it is not taken for ARC's grey
TOKEN_COLOURS = (PAD_COLOUR, END_COLOUR, *ARC_COLOURS)
"""One colour for each of the 12 ARC tokens: PAD, end-of-grid, colours 0..9."""

TOKEN_RGB: NDArray[np.float64] = np.array([rgb(colour) for colour in TOKEN_COLOURS]) / 255  # [12, 3]
