"""The colours of every figure: Okabe and Ito's, which stay apart under the common kinds of colour blindness."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
UNKNOWN_COLOUR = "#FAF8F4"
GRID_LINE_COLOUR = "#6E6E6E"
