"""The strips: which samples, which steps, and that every cell has its colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from analysis import style
from analysis.arc_strips import arc_strips, strip
from analysis.reading.run_directory import Run, Samples
from analysis.strips import choose_samples
from trm.puzzles.arc_grids import encode_pair


def sample(question: list[list[int]], answer: list[list[int]], predictions: list[list[list[int]]]) -> Samples:
    """One sample on a 6×6 canvas."""
    grids = [np.array(grid, np.uint8) for grid in (question, answer, *predictions)]
    tokens = [encode_pair(grid, grid, canvas=6)[0] for grid in grids]
    labels = np.where(tokens[1] == 0, -100, tokens[1].astype(np.int64))
    return Samples(["0a1b2c3d"], tokens[0][None], labels[None], np.stack(tokens[2:])[None])


@pytest.mark.parametrize(
    ("right", "chosen"),
    [
        ([True, False] * 6, [0, 2, 4, 1, 3, 5]),
        ([True] * 12, [0, 1, 2, 3, 4, 5]),
        ([False] * 12, [0, 1, 2, 3, 4, 5]),
        ([False] * 10 + [True, True], [10, 11, 0, 1, 2, 3]),
        ([True] * 11 + [False], [0, 1, 2, 3, 4, 11]),
        ([False, True], [1, 0]),
    ],
)
def test_half_of_the_strips_are_right_where_there_are_enough_in_file_order(
    right: list[bool], chosen: list[int]
) -> None:
    assert choose_samples(np.array(right)) == chosen


def test_a_strip_shows_at_most_eight_steps_and_marks_the_scored_cells_that_differ() -> None:
    wrong, right = [[1, 1], [1, 1]], [[1, 2], [3, 4]]
    row = strip(sample([[5]], right, [wrong] * 15 + [right]), 0)
    assert row.steps == [1, 3, 5, 7, 10, 12, 14, 16]
    assert [int(cells.sum()) for cells in row.wrong] == [3] * 7 + [0]
    assert row.right
    assert row.extent == (3, 3)


def test_every_cell_is_drawn_in_the_colour_of_its_token(run: Run) -> None:
    question, prediction, answer = [[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 0, 1]], [[9, 8, 7], [6, 5, 4]]
    panels = arc_strips(run, sample(question, answer, [prediction])).axes
    assert len(panels) == 3
    for axes, grid in zip(panels, (question, prediction, answer), strict=True):
        (image,) = axes.get_images()
        drawn = np.asarray(image.get_array())
        assert drawn.shape == (3, 4, 3)
        colours = [[to_hex(cell).upper() for cell in row] for row in drawn]
        assert [row[:3] for row in colours[:2]] == [
            [style.ARC_COLOURS[colour] for colour in row] for row in grid
        ]
        assert colours[2] == [style.END_COLOUR] * 3 + [style.PAD_COLOUR]


def test_wrong_cells_have_a_dot_in_their_middle_and_the_count_below(run: Run) -> None:
    panels = arc_strips(run, sample([[0, 0]], [[1, 2]], [[[1, 3]], [[1, 2]]])).axes
    first, last = panels[1], panels[2]
    dots = first.collections[-1].get_offsets()
    np.testing.assert_array_equal(np.asarray(dots), [[1.5, 0.5]])
    assert (first.get_xlabel(), last.get_xlabel()) == ("1 wrong", "right")


def test_the_figure_names_its_tasks_its_steps_and_its_rule(run: Run) -> None:
    assert run.samples is not None
    fig = arc_strips(run, run.samples)
    assert len(fig.axes) == 6 * 8
    titles = [axes.get_title() for axes in fig.axes[:8]]
    assert titles == ["question", *(f"step {step}" for step in range(1, 7)), "answer"]
    assert [axes.get_ylabel() for axes in fig.axes[::8]] == [
        run.samples.names[index] for index in choose_samples(run.samples.exactly_right())
    ]
    words = " ".join(text.get_text() for text in fig.texts)
    assert "One test input of each of 12 tasks" in words
    assert "8 end right" in words
    assert "Shown are 6 in file order" in words
    assert "seed 0" in words
