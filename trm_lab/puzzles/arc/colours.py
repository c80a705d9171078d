"""ARC's colours, for every picture of a grid: figures and terminals alike."""

# Colours 0..9 as the testing interface of fchollet/ARC-AGI shows them.
ARC_COLOURS = (
    "#000000", "#0074D9", "#FF4136", "#2ECC40", "#FFDC00",
    "#AAAAAA", "#F012BE", "#FF851B", "#7FDBFF", "#870C25",
)  # fmt: skip
GRID_LINE_COLOUR = "#6E6E6E"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0..255, of a colour such as "#0074D9"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
