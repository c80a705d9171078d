"""The look of figures: what can be checked without eyes."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis import style
from analysis.methods import LOOKS
from trm_lab.runs.evaluation_folder import BASELINES

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(("count", "expected"), [(2, [0, 1]), (16, [0, 2, 4, 6, 9, 11, 13, 15]), (0, [])])
def test_at_most_eight_steps_are_chosen_with_the_first_and_the_last(count: int, expected: list[int]) -> None:
    assert style.evenly_chosen(count, at_most=8) == expected


def test_a_figure_is_saved_as_png_and_pdf_into_a_new_folder_and_always_the_same(tmp_path: Path) -> None:
    fig = Figure()
    fig.subplots().plot([1, 2], [3, 4])
    png, pdf = style.save(fig, tmp_path / "new" / "v1.5")
    assert (png.name, pdf.name) == ("v1.5.png", "v1.5.pdf")
    assert png.read_bytes().startswith(PNG_SIGNATURE)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert style.svg(fig) == style.svg(fig)
    again = style.save(fig, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [png.read_bytes(), pdf.read_bytes()]


def test_what_needs_no_learning_is_dashed_by_its_name_and_of_equal_shares_the_first_is_drawn() -> None:
    axes = Figure().subplots()
    style.draw_baselines(axes, [("most common token", 0.3), ("most common answer", 0.1), ("copy the input", 0.1)])
    assert [line.get_label() for line in axes.get_lines()] == ["copy the input", "most common token"]
    assert len(set(style.BASELINE_DASHES)) == len(BASELINES)


def test_the_methods_of_the_papers_are_told_apart_without_colours() -> None:
    assert len({look[1:] for look in LOOKS.values()}) == len({look[2] for look in LOOKS.values()}) == len(LOOKS)


def test_an_axis_from_zero_shows_lines_at_both_ends() -> None:
    axes = Figure().subplots()
    axes.plot([0, 1], [0.23, 0.5])
    style.percent_from_zero_if_near(axes)
    low, high = axes.get_ylim()
    assert low < 0 < 0.5 * 1.03 < high


def test_an_axis_of_lines_that_are_all_far_from_zero_begins_near_the_lowest() -> None:
    axes = Figure().subplots()
    axes.plot([0, 1], [0.93, 0.97])
    style.percent_from_zero_if_near(axes)
    low, high = axes.get_ylim()
    assert 0.92 < low < 0.93 < 0.97 < high


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_axis_of_shares_ends_where_shares_do_and_later_lines_still_widen_it(share: float) -> None:
    axes = Figure().subplots()
    axes.plot([0, 1], [share, share])
    style.shares_as_percent(axes)
    low, high = axes.get_ylim()
    assert -0.01 < low <= share <= high <= 1.02
    axes.plot([0, 1], [0.5, 0.5])
    low, high = axes.get_ylim()
    assert low < 0.5 < high
