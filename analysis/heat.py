"""Numbers of tokens as colours: blue above 0, vermilion below, grey where there is none.

A colour is as strong as the square root of its number, so that small numbers can be told from 0 beside large ones.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from numpy.typing import NDArray

from analysis import style
from trm_lab.commands.tables import signed

WITHOUT = "#D9D9D9"
SCALE = LinearSegmentedColormap.from_list("margin", [style.VERMILION, "#FFFFFF", style.BLUE])
LEAST_LIMIT = 0.1  # smaller differences between logits mean nothing to the eye
MOST_SHARE = 0.98  # of the numbers that the colours tell apart: a few large ones would fade all others


@dataclass(frozen=True)
class Heat:
    """limit: the number from which on, either way, colours do not get stronger."""

    limit: float

    @classmethod
    def over(cls, numbers: NDArray[np.float64]) -> "Heat":
        """Colours for these numbers; nan and infinities do not count."""
        finite = np.abs(numbers[np.isfinite(numbers)])
        limit = float(np.quantile(finite, MOST_SHARE)) if finite.size else 0.0
        return cls(max(limit, LEAST_LIMIT))

    def rgb(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """A colour for each number, `[…]` → `[…, 3]`."""
        is_number = ~np.isnan(numbers)
        shares = np.clip(np.where(is_number, numbers, 0.0) / self.limit, -1, 1)
        places = 0.5 + 0.5 * np.sign(shares) * np.sqrt(np.abs(shares))
        return np.where(is_number[..., None], SCALE(places)[..., :3], to_rgb(WITHOUT))

    def draw_scale(self, axes: Axes) -> None:
        """Draw the colours from end to end, with their numbers."""
        places = np.linspace(-1, 1, 255)
        colours = self.rgb(np.sign(places) * places**2 * self.limit)
        axes.imshow(colours[None], extent=(-1, 1, 0, 1), aspect="auto")
        marks = {-1: "≤ ", -0.5: "", 0: "", 0.5: "", 1: "≥ "}
        names = [sign + signed(float(np.sign(place)) * place**2 * self.limit, ".2g") for place, sign in marks.items()]
        axes.set_xticks(list(marks), names, fontsize=7)
        axes.set_yticks([])
        axes.tick_params(length=2, pad=1)
        axes.grid(False)
        axes.spines[:].set_visible(False)
