"""Panels for print: legend, heading and caption lie within the figure, and the legend has every method."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from analysis.comparing import panels
from analysis.methods import Method

LONG = (
    "DIS (released code), hidden_size=64, puzzle_emb_ndim=64, data=sudoku-4x4@9f1314ce, epochs=40, lr=0.002"
    " (3 seeds)"
)
SHORT = ["DIS (released code) (3 seeds)", "DIS (paper) (3 seeds)", "TRM T=1 n=2 (3 seeds)", "TRM T=3 n=6 (3 seeds)",
         "DIS, feed=question (3 seeds)", "DIS, loss_terms=prefix (3 seeds)", "Pareto front"]  # fmt: skip
CAPTION = (
    "Lines: mean over seeds; bands: range of the seeds; bars: 95 % t-interval at the end.",
    "Another line.",
)


HEADING = "sudoku-4x4 (clean), 300 examples: accuracy against the cost of an answer"


@pytest.mark.parametrize(("width", "in_a_row"), [(panels.PAGE, 2), (panels.COLUMN, 1)])
def test_heading_caption_and_legend_have_every_word_within_the_figure_and_beside_the_panels(
    width: float, in_a_row: int
) -> None:
    labels = [LONG, *SHORT[1:]]
    with panels.applied():
        fig, (first, second) = panels.sheet(["one", "two"], columns=2, width=width)
        for place, label in enumerate(labels):  # the last is in the second panel alone
            for axes in (first, second) if label != labels[-1] else (second,):
                axes.plot([0, 1], [place, place + 1], label=label)
        panels.finish(fig, HEADING, CAPTION, first)
        FigureCanvasAgg(fig).draw()
    (legend,) = fig.legends
    assert [" ".join(text.get_text().split()) for text in legend.get_texts()] == labels
    assert " ".join(legend.get_title().get_text().split()) == " ".join(CAPTION)
    for artist in [*legend.get_texts(), legend.get_title(), *fig.texts]:
        extent = artist.get_window_extent()
        assert 0 <= extent.x0 < extent.x1 <= fig.bbox.x1
        assert 0 <= extent.y0 < extent.y1 <= fig.bbox.y1
    assert legend.get_window_extent().y1 <= min(axes.get_tightbbox().y0 for axes in fig.axes)  # type: ignore[union-attr]
    assert len({round(axes.get_position().x0, 2) for axes in fig.axes}) == in_a_row


@pytest.mark.parametrize(("reach", "scale"), [(0.05, "symlog"), (3.0, "linear")])
def test_a_flat_line_beside_a_steep_one_gets_a_logarithmic_axis_that_says_so(
    reach: float, scale: str
) -> None:
    with panels.applied():
        _, (axes,) = panels.sheet(["margin"], columns=1)
        axes.plot([1, 2, 3], [-12, 6, 0])
        axes.plot([1, 2, 3], [-reach, 0, reach])
        panels.symmetric_logarithmic(axes, "mean")
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == ("mean,\nlogarithmic beyond ±0.01" if scale == "symlog" else "mean")


def drawn_places(axes: Axes) -> set[float]:
    """Every x that an error bar stands at, in data."""
    segments = [
        segment
        for one in axes.collections
        if isinstance(one, LineCollection)
        for segment in one.get_segments()
    ]
    return {float(x) for segment in segments for x, _ in np.asarray(segment)}


def test_every_bar_stands_at_a_place_of_the_data_and_bars_are_moved_on_the_page_alone() -> None:
    with panels.applied():
        fig, (axes,) = panels.sheet(["updates"], columns=1)
        axes.set_xscale("log")
        for shift in (1, 2, 3):
            method = Method(f"method {shift}", [], 4000, {})
            panels.draw_seeds(axes, method, [100, 4000], [[0.1, 0.5], [0.2, 0.6]], shift)
    assert drawn_places(axes) == {4000.0}
    assert {float(x) for line in axes.get_lines() for x in line.get_xdata()} == {100.0, 4000.0}
    FigureCanvasAgg(fig).draw()
    bars = [one for one in axes.collections if isinstance(one, LineCollection)]
    assert not any(one.get_clip_on() for one in bars)
    on_page = [one.get_transform().transform((4000, 0.5))[0] for one in bars]
    assert np.diff(on_page) == pytest.approx([panels.DODGE / 72 * fig.dpi] * 2)
