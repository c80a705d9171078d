"""Panels for print: legend, heading and caption lie within the figure, and the legend has every method."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer

from analysis import style
from analysis.comparing import panels
from analysis.methods import Method

LONG = "DIS (released code), hidden_size=64, puzzle_emb_ndim=64, data=sudoku-4x4@9f1314ce, epochs=40 (3 seeds)"
LABELS = [LONG, *(f"DIS, loss_terms=prefix, seeds={number}" for number in range(5)), "Pareto front"]
CAPTION = ("Lines: mean over seeds; bands: range of the seeds; bars: 95 % t-interval at the end.", "Another.")
HEADING = "sudoku-4x4 (clean), 300 examples: accuracy against the cost of an answer"


@pytest.mark.parametrize(("width", "in_a_row"), [(panels.PAGE, 2), (panels.COLUMN, 1)])
def test_heading_caption_and_legend_have_every_word_within_the_figure_and_beside_the_panels(
    width: float, in_a_row: int
) -> None:
    with panels.applied():
        fig, (first, second) = panels.sheet(["one", "two"], columns=2, width=width)
        for place, label in enumerate(LABELS):  # the last is in the second panel alone
            for axes in (first, second) if label != LABELS[-1] else (second,):
                axes.plot([0, 1], [place, place + 1], label=label)
        panels.finish(fig, HEADING, CAPTION, first)
        FigureCanvasAgg(fig).draw()
    (legend,) = fig.legends
    assert [" ".join(text.get_text().split()) for text in legend.get_texts()] == LABELS
    assert " ".join(legend.get_title().get_text().split()) == " ".join(CAPTION)
    for artist in [*legend.get_texts(), legend.get_title(), *fig.texts]:
        extent = artist.get_window_extent()
        assert 0 <= extent.x0 < extent.x1 <= fig.bbox.x1
        assert 0 <= extent.y0 < extent.y1 <= fig.bbox.y1
    assert legend.get_window_extent().y1 <= min(axes.get_tightbbox().y0 for axes in fig.axes)
    assert len({round(axes.get_position().x0, 2) for axes in fig.axes}) == in_a_row


def test_a_flat_line_beside_a_steep_one_gets_a_logarithmic_axis_that_says_so() -> None:
    """As flat as it is after the first step: both lines begin as far away."""
    logarithmic = "symlog", "mean,\nlogarithmic beyond ±0.01"
    for steep, flat, (scale, label) in ((6, 0.05, logarithmic), (0.06, 0.05, logarithmic), (6, 3, ("linear", "mean"))):
        with panels.applied():
            _, (axes,) = panels.sheet(["margin"], columns=1)
            axes.plot([1, 2, 3], [-12, steep, 0])
            axes.plot([1, 2, 3], [-12, 0, flat])
            panels.symmetric_logarithmic(axes, "mean")
        assert (axes.get_yscale(), axes.get_ylabel()) == (scale, label)


SEEDS = ([0.0, 0.4], [0.1, 0.5], [0.0, 0.9])


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("count", [1, 6, 10])
def test_intervals_stand_around_their_place_within_the_axes_and_draw_no_second_mark(
    count: int, logarithmic: bool
) -> None:
    """In the narrowest panels, three in a row."""
    with panels.applied():
        fig, (axes, _, _) = panels.sheet(["one", "two", "three"], columns=3)
        for number in range(count):
            method = Method(f"method {number}", [], 0, {}, marker="s", dashes="-")
            panels.draw_seeds(axes, method, [1.0, 10.0], SEEDS, interval=True, label=method.name)
        if logarithmic:
            panels.logarithmic(axes)
        panels.finish(fig, "", [""], axes)
        FigureCanvasAgg(fig).draw()
    bars = [bar for bar in axes.containers if isinstance(bar, ErrorbarContainer)]
    points = [
        part.get_transform().transform(ends)[:, 0]
        for mark, caps, (vertical,) in bars
        for part, ends in ((vertical, vertical.get_segments()[0]), *((cap, cap.get_xydata()) for cap in caps))
        if mark is None
    ]
    places = np.unique(np.concatenate(points).round(6)) * 72 / fig.dpi
    assert len(places) == count
    assert places.mean() == pytest.approx(axes.transData.transform((10.0, 0.6))[0] * 72 / fig.dpi)
    assert places[-1] - places[0] <= panels.SPREAD + 1e-6
    assert np.diff(places).max(initial=0) <= panels.BESIDE + 1e-6
    assert places[-1] + panels.CAP <= axes.bbox.x1 * 72 / fig.dpi


@pytest.mark.parametrize("places", [2, style.MARKED, 100])
def test_a_line_has_its_method_s_dashes_and_marks_however_many_places_it_has(places: int) -> None:
    with panels.applied():
        _, (axes,) = panels.sheet(["one"], columns=1)
        method = Method("DIS", [], 0, {}, marker="s", dashes="--")
        panels.draw_seeds(axes, method, list(range(places)), [[0.5] * places], label="DIS")
    (line,) = axes.get_lines()
    assert (line.get_marker(), line.get_linestyle()) == ("s", "--")
    assert (line.get_markevery() is None) == (places <= style.MARKED)
