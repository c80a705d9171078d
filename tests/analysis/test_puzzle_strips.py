"""The strips of puzzles other than ARC: what is drawn of each kind, what is marked, and who calls it solved."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis import style
from analysis.choosing import Judge, can_be_drawn
from analysis.strips import strips_of_samples
from tests.analysis.small_puzzles import PUZZLES, TEXTS, queens, text
from tests.analysis.synthetic_run import write_run
from trm_lab.puzzles.cube.picture import COLOURS, CubePicture
from trm_lab.puzzles.maze.picture import MazePicture
from trm_lab.puzzles.picture import Example
from trm_lab.puzzles.queens.picture import QUEEN
from trm_lab.puzzles.sudoku.picture import SudokuPicture
from trm_lab.puzzles.text.picture import MOST_LINES, NO_GLYPH, TextPicture, wrapped
from trm_lab.runs.recorded_run import Run, Samples, read_run
from trm_lab.runs.stored_answers import stored_answers


def run_on(kind: str, folder: Path, steps: int = 2) -> Run:
    return read_run(write_run(folder / kind, steps=steps, arc=False, training_steps=400, puzzles=[kind]))


def panel() -> Axes:
    return Figure(figsize=(2, 2)).add_axes((0.1, 0.1, 0.8, 0.8))


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def words_of(fig: Figure) -> str:
    """All that stands beside the panels, its lines joined."""
    return " ".join(" ".join(text.get_text() for text in fig.texts).split())


def samples_of(kind: str, *predictions: np.ndarray) -> Samples:
    """One sample, with a prediction for each step."""
    puzzle = PUZZLES[kind]
    return Samples(["example 1"], puzzle.inputs[None], puzzle.labels[None], np.stack(predictions)[None])


def test_a_strip_shows_question_steps_and_answer_half_of_them_solved_and_says_so(tmp_path: Path) -> None:
    run = run_on("queens", tmp_path)
    assert can_be_drawn(run)
    assert not can_be_drawn(replace(run, evaluation=replace(run.evaluation, tasks=[])))
    fig = strips_of_samples(run, run.samples)
    rows = np.array(fig.axes, dtype=object).reshape(6, 4)
    assert [axes.get_title() for axes in rows[0]] == ["question", "step 1", "step 2", "answer"]
    names = [f"example {number}" for number in (2, 5, 8, 1, 3, 4)]
    assert [axes.get_ylabel() for axes in rows[:, 0]] == names
    solved = [axes.get_xlabel() in ("solved", "right") for axes in rows[:, 2]]
    assert solved == [True] * 3 + [False] * 3
    last = [to_hex(axes.xaxis.label.get_color()).upper() for axes in rows[:, 2]]
    assert last == [style.GREEN] * 3 + [style.VERMILION] * 3
    for part in ("small-queens, version 1, protocol clean", "3 end solved", "seed 0"):
        assert part in words_of(fig)


def test_queens_that_solve_the_board_in_another_way_are_solved_and_their_cells_still_marked(tmp_path: Path) -> None:
    other = queens([2, 0, 3, 1])
    run, samples = run_on("queens", tmp_path), samples_of("queens", PUZZLES["queens"].wrong, other)
    question, first, last, answer = strips_of_samples(run, samples).axes
    assert (first.get_xlabel(), last.get_xlabel()) == ("2 wrong", "solved, 8 differ")
    dots = np.asarray(first.collections[-1].get_offsets())
    assert dots.tolist() == [[2.5, 3.5], [3.5, 3.5]]
    assert [len(written(axes)) for axes in (question, first, last, answer)] == [0, 4, 4, 4]
    assert set(written(last)) == {QUEEN}


def test_a_sudoku_has_bold_givens_box_lines_from_its_facts_and_rings_around_wrong_digits() -> None:
    puzzle, axes = PUZZLES["sudoku"], panel()
    SudokuPicture(puzzle.facts).draw_prediction(axes, puzzle.example, puzzle.wrong, False)
    assert written(axes) == list("143434122143432")  # the last cell is blank
    bold = [text.get_fontweight() == "bold" for text in axes.texts]
    assert bold == [True, False] + [True] * 13
    small, ring = axes.collections[-1].get_sizes()[[1, 0]]
    assert np.asarray(axes.collections[-1].get_offsets()).tolist() == [[1.5, 0.5], [3.5, 3.5]]
    assert ring > 4 * small


def test_a_maze_shows_walls_path_start_and_goal_and_any_token_has_a_colour() -> None:
    puzzle, axes = PUZZLES["maze"], panel()
    strange = puzzle.right.copy()
    strange[3] = 200
    MazePicture(puzzle.facts).draw_prediction(axes, puzzle.example, strange, False)
    (image,) = axes.get_images()
    colours = [[to_hex(cell).upper() for cell in row] for row in np.asarray(image.get_array())]
    path = style.SKY
    assert colours[0] == [style.GREEN, path, path]
    assert colours[1][1:] == ["#3A3A3A", path]
    assert colours[2] == [style.VERMILION, path, path]
    assert colours[1][0] not in (path, "#3A3A3A", "#FFFFFF", style.GREEN, style.VERMILION)
    assert written(axes) == ["S", "G"]
    assert axes.collections[-1].get_offsets().tolist() == [[0.5, 1.5]]


def net(axes: Axes) -> dict[tuple[float, float], str]:
    """The colour of each sticker by its (row, column) in the net."""
    return {(patch.get_y(), patch.get_x()): to_hex(patch.get_facecolor()).upper() for patch in axes.patches}


def test_a_cube_is_unfolded_with_six_colours_and_an_answer_s_moves_lead_to_the_cube_above_them() -> None:
    puzzle, axes = PUZZLES["cube"], panel()
    picture = CubePicture(puzzle.facts)
    picture.draw_question(axes, puzzle.example)
    question = net(axes)
    assert sorted(Counter(question.values()).values()) == [4] * 6
    assert [question[(2, column)] for column in range(8)] == [COLOURS[face] for face in "FFRRBBLL"]
    assert [question[(3, column)] for column in range(8)] == [COLOURS[face] for face in "LLFFRRBB"]
    axes = panel()
    picture.draw_answer(axes, puzzle.example)
    assert [net(axes)[(2, column)] for column in range(8)] == [COLOURS[face] for face in "LLFFRRBB"]
    assert written(axes)[24:] == ["U'", "·", "·"]


def test_texts_stand_as_they_are_and_take_the_colour_of_right_and_wrong() -> None:
    puzzle, picture = PUZZLES["answer"], TextPicture(PUZZLES["answer"].facts)
    drawn = []
    for prediction, solved in ((puzzle.right, True), (puzzle.wrong, False), (text(""), False)):
        axes = panel()
        picture.draw_prediction(axes, puzzle.example, prediction, solved)
        drawn.append((written(axes)[0], to_hex(axes.texts[0].get_color()).upper()))
    assert drawn == [("$11", style.GREEN), ("12", style.VERMILION), ("(empty)", style.VERMILION)]
    axes = panel()
    picture.draw_question(axes, puzzle.example)
    assert written(axes) == ["What is $6 and $5?"]
    assert not axes.texts[0].get_parse_math()


@pytest.mark.filterwarnings("error")
def test_a_sign_that_the_font_lacks_is_drawn_without_a_warning_and_long_texts_are_cut(tmp_path: Path) -> None:
    assert len(wrapped("word " * 1000, 2.0)) == MOST_LINES
    axes = panel()
    tokens = TextPicture({**TEXTS.facts(2, 1), "characters": "\U0001f600$"})
    tokens.draw_question(axes, Example(np.array([3, 4, 1]), np.array([-100, -100, 2])))
    axes.figure.savefig(tmp_path / "text.png")
    assert written(axes) == [f"{NO_GLYPH}$"]


def test_where_a_scorer_needs_a_library_an_answer_is_right_if_it_equals_the_label(tmp_path: Path) -> None:
    run = run_on("reasoning_gym", tmp_path)
    (part,) = stored_answers(run).parts()
    solved = Judge(run.evaluation.tasks[0]).solved(part)
    assert solved.tolist() == [[False, number % 3 == 1] for number in range(10)]
    assert "(equal to the answer shown)" in words_of(strips_of_samples(run, run.samples))
