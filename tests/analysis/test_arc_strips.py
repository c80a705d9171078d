"""The strips of ARC tasks: which steps, what part of a canvas, and that every cell has its colour."""

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.strips import strips_of_samples
from trm_lab.puzzles.arc.colours import END_COLOUR, PAD_COLOUR, TOKEN_COLOURS
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.puzzles.arc.picture import ArcPicture
from trm_lab.puzzles.drawing import CHANGED
from trm_lab.puzzles.picture import Example
from trm_lab.runs.recorded_run import Run, Samples


def sample(question: list[list[int]], answer: list[list[int]], predictions: list[list[list[int]]]) -> Samples:
    """One sample on a 6×6 canvas."""
    grids = [np.array(grid, np.uint8) for grid in (question, answer, *predictions)]
    tokens = [encode_pair(grid, grid, canvas=6)[0] for grid in grids]
    labels = np.where(tokens[1] == 0, -100, tokens[1].astype(np.int64))
    return Samples(["0a1b2c3d"], tokens[0][None], labels[None], np.stack(tokens[2:])[None])


def test_every_cell_is_drawn_in_the_colour_of_its_token(run: Run) -> None:
    question, prediction, answer = [[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 0, 1]], [[9, 8, 7], [6, 5, 4]]
    panels = strips_of_samples(run, sample(question, answer, [prediction])).axes
    assert len(panels) == 3
    for axes, grid in zip(panels, (question, prediction, answer), strict=True):
        (image,) = axes.get_images()
        drawn = np.asarray(image.get_array())
        assert drawn.shape == (3, 4, 3)
        colours = [[to_hex(cell).upper() for cell in row] for row in drawn]
        assert [row[:3] for row in colours[:2]] == [[TOKEN_COLOURS[2 + colour] for colour in row] for row in grid]
        assert colours[2] == [END_COLOUR] * 3 + [PAD_COLOUR]


def test_a_prediction_of_a_hidden_answer_is_shown_whole_and_changes_are_framed() -> None:
    given = sample([[0]], [[1]], [[[1, 2], [3, 4]], [[1, 2], [3, 5]]])
    example = Example(given.inputs[0], np.full(36, -100))
    axes = Figure().add_axes((0, 0, 1, 1))
    ArcPicture().draw_prediction(axes, example, given.preds[0, 1], False)
    (image,) = axes.get_images()
    assert np.asarray(image.get_array()).shape == (3, 3, 3)
    axes = Figure().add_axes((0, 0, 1, 1))
    whole = Example(given.inputs[0], given.preds[0, 0].astype(np.int64))
    ArcPicture().mark_changes(axes, whole, given.preds[0, 0], given.preds[0, 1])
    (frame,) = axes.patches
    assert to_hex(frame.get_edgecolor()).upper() == CHANGED
    assert [int(corner) for corner in frame.get_xy()] == [1, 1]
