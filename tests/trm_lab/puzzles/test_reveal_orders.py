"""The orders in which solvers find cells: worked by hand, the same for images of a puzzle, written by every builder."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.trm_lab.puzzles.builders import about, arrays, build
from tests.trm_lab.puzzles.sudoku.sudoku_reference import BOXES
from tests.trm_lab.puzzles.sudoku.test_build_sudoku_dataset import record, write
from trm.batch import Batch
from trm.errors import UserError
from trm_lab.puzzles.cube import builder as cube_builder
from trm_lab.puzzles.cube.reveal_order import cube_reveal_order
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FIRST_MOVE
from trm_lab.puzzles.kinds import KINDS
from trm_lab.puzzles.loading import TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE, fingerprint, read_command, write_manifest
from trm_lab.puzzles.maze import builder as maze_builder
from trm_lab.puzzles.maze.files import tokens_of
from trm_lab.puzzles.maze.generation import MazeKind, generate_mazes
from trm_lab.puzzles.maze.reveal_order import path_rounds
from trm_lab.puzzles.queens import builder as queens_builder
from trm_lab.puzzles.queens.boards import boards, solutions
from trm_lab.puzzles.queens.reveal_order import placing_rounds
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN
from trm_lab.puzzles.square_symmetries import images
from trm_lab.puzzles.sudoku import builder_4x4, extreme_builder, nxn_builder
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES
from trm_lab.puzzles.sudoku.puzzles import PuzzleRequest, draw_puzzles
from trm_lab.puzzles.sudoku.reveal_order import deduction_rounds
from trm_lab.puzzles.sudoku.symmetries import draw_symmetries

SOLVED_4X4 = np.array([[1, 2, 3, 4, 3, 4, 1, 2, 2, 1, 4, 3, 4, 3, 2, 1]], np.uint8)


def rounds_one_by_one(question: list[int], answer: list[int], box_rows: int, box_columns: int) -> tuple[list[int], int]:
    """The round of each cell, and the number of cells found by search: by the rule's words, with sets."""
    size = box_rows * box_columns
    places = [(c // size, c % size) for c in range(size * size)]
    keys = [(("row", r), ("column", c), ("box", r // box_rows, c // box_columns)) for r, c in places]
    shown, rounds, searched = list(question), [0] * len(question), 0
    for number in range(1, len(question) + 1):
        blank = [cell for cell, digit in enumerate(shown) if not digit]
        candidates = {
            cell: set(range(1, size + 1)) - {shown[o] for o in range(len(shown)) if set(keys[o]) & set(keys[cell])}
            for cell in blank
        }
        new = [
            cell
            for cell in blank
            if len(candidates[cell]) == 1
            or any(
                candidates[cell] - set().union(*(candidates[o] for o in blank if o != cell and unit in keys[o]))
                for unit in keys[cell]
            )
        ]
        if blank and not new:
            new, searched = [min(blank, key=lambda cell: len(candidates[cell]))], searched + 1
        for cell in new:
            shown[cell], rounds[cell] = answer[cell], number
    return rounds, searched


def test_a_sudoku_without_singles_is_searched_at_its_first_cell_of_fewest_candidates() -> None:
    question = SOLVED_4X4.copy()
    question[0, [0, 2, 4, 6]] = 0  # 1 and 3 may change places: two candidates in each of the four cells
    rounds = deduction_rounds(GEOMETRIES[4], question, SOLVED_4X4)[0]
    assert rounds.tolist() == [1, 0, 2, 0, 2, 0, 2, 0] + [0] * 8


@pytest.mark.parametrize(("size", "fewest", "most"), [(4, 4, 8), (6, 8, 12), (9, 26, 30)])
def test_rounds_are_those_of_singles_and_search_one_by_one(size: int, fewest: int, most: int) -> None:
    questions, answers = draw_puzzles(GEOMETRIES[size], PuzzleRequest(8, fewest, most), seed=3)
    rounds = deduction_rounds(GEOMETRIES[size], questions, answers).tolist()
    expected = [
        rounds_one_by_one(question, answer, *BOXES[size])
        for question, answer in zip(questions.tolist(), answers.tolist(), strict=True)
    ]
    assert rounds == [order for order, _ in expected]
    assert any(searched for _, searched in expected) or size == 4


@pytest.mark.parametrize("size", [4, 6])
def test_images_of_a_sudoku_have_the_moved_order_where_nothing_is_searched(size: int) -> None:
    geometry = GEOMETRIES[size]
    questions, answers = draw_puzzles(geometry, PuzzleRequest(40, size * size // 2, size * size - 8), seed=1)
    symmetries = draw_symmetries(geometry, len(questions), np.random.default_rng(0))
    rounds = deduction_rounds(geometry, questions, answers)
    assert all(
        not rounds_one_by_one(*pair, *BOXES[size])[1] for pair in zip(questions.tolist(), answers.tolist(), strict=True)
    )
    again = deduction_rounds(geometry, symmetries.apply(questions), symmetries.apply(answers))
    np.testing.assert_array_equal(again, symmetries.move(rounds))
    assert len(np.unique(rounds)) > 2


def test_a_path_is_found_from_the_start_on() -> None:
    question = "S # " + "  # " + "#   " + "###G"
    answer = "S # " + "oo# " + "#ooo" + "###G"
    rounds = path_rounds(*(tokens_of(text).reshape(1, 4, 4) for text in (question, answer)))
    assert rounds[0].tolist() == [[0, 0, 0, 0], [1, 2, 0, 0], [0, 3, 4, 5], [0, 0, 0, 0]]


def test_images_of_a_maze_have_the_turned_order() -> None:
    questions, answers = generate_mazes(MazeKind(9, 16), 10, seed=0)
    rounds = path_rounds(questions, answers)
    turned = path_rounds(*(images(squares).reshape(-1, 9, 9) for squares in (questions, answers)))
    np.testing.assert_array_equal(turned, images(rounds).reshape(-1, 9, 9))


@pytest.mark.parametrize(
    ("given_row", "expected"),
    [
        (None, [1, 2, 3, 4]),  # row 0, the first of four; then rows 1 and 2 have one square each, in turn
        (2, [1, 2, 0, 3]),
    ],
)
def test_queens_are_placed_where_fewest_squares_remain(given_row: int | None, expected: list[int]) -> None:
    answer = boards(np.array([[1, 3, 0, 2]], np.int8))
    question = np.full_like(answer, QUEENS_EMPTY)
    if given_row is not None:
        question[0, 4 * given_row : 4 * given_row + 4] = answer[0, 4 * given_row : 4 * given_row + 4]
    rounds = placing_rounds(4, question, answer)[0]
    assert rounds[answer[0] == QUEENS_QUEEN].tolist() == expected
    assert not rounds[answer[0] == QUEENS_EMPTY].any()


def test_a_board_seen_in_a_mirror_has_the_mirrored_order() -> None:
    answers = boards(solutions(8))[::5].reshape(-1, 8, 8)
    questions = np.where(np.arange(8)[:, None] == 3, answers, QUEENS_EMPTY)  # the queen of row 3 is given
    plain, mirrored = (
        placing_rounds(8, *(squares[:, :, ::step].reshape(-1, 64) for squares in (questions, answers)))
        for step in (1, -1)
    )
    np.testing.assert_array_equal(mirrored.reshape(-1, 8, 8)[:, :, ::-1], plain.reshape(-1, 8, 8))


def test_moves_of_a_cube_come_one_by_one_and_then_their_end() -> None:
    labels = np.array([[0, 0, CUBE_FIRST_MOVE + 1, CUBE_FIRST_MOVE, CUBE_END, CUBE_END], [0, 0] + [CUBE_END] * 4])
    assert cube_reveal_order({}, labels, labels).tolist() == [[0, 0, 1, 2, 3, 3], [0, 0, 1, 1, 1, 1]]


@pytest.mark.parametrize("kind", ["sudoku", "maze", "queens", "cube"])
def test_facts_and_answers_that_fit_nothing_give_an_error_or_an_order_and_no_endless_search(kind: str) -> None:
    facts = {"side": 4, "size": 4, "box_rows": 2, "box_columns": 2}
    compute = KINDS[kind].reveal_order
    assert compute is not None
    draw = np.random.default_rng(0)
    for _ in range(20):
        inputs, labels = draw.integers(-100, 12, (2, 5, 16))
        assert compute(facts, inputs, labels).shape == (5, 16)
    assert compute(facts, inputs[:0], labels[:0]).shape == (0, 16)
    for wrong in ({}, {**facts, "side": 5, "box_rows": 3}, {"side": 10**9, "box_rows": 17, "box_columns": -1}):
        if kind != "cube":
            with pytest.raises(UserError, match="a dataset whose facts say"):
                compute(wrong, inputs, labels)


SIZES = ("--train-size", 12, "--test-size", 6)
BUILDERS = {
    "sudoku 4×4": (builder_4x4, (*SIZES, "--num-aug", 3)),
    "sudoku 6×6": (nxn_builder, ("--size", 6, *SIZES)),
    "sudoku extreme": (extreme_builder, ("--num-aug", 2)),
    "maze": (maze_builder, ("--generate", "--size", 7, "--min-length", 8, *SIZES)),
    "mazes turned": (maze_builder, ("--generate", "--size", 7, "--min-length", 8, "--aug", *SIZES)),
    "queens": (queens_builder, ("--size", 7, *SIZES)),
    "queens published": (queens_builder, ("--protocol", "published")),
    "cube": (cube_builder, ("--max-distance", 4, *SIZES)),
}


@pytest.mark.parametrize(("builder", "flags"), BUILDERS.values(), ids=BUILDERS)
def test_builders_write_the_order_of_training_answers_and_steps_where_asked(
    builder: ModuleType, flags: tuple[object, ...], tmp_path: Path
) -> None:
    if builder is extreme_builder:
        for split, numbers in (("train", range(10)), ("test", range(100, 106))):
            write(tmp_path / "source", split, [record(number) for number in numbers])
        flags = ("--source", tmp_path / "source", *flags)
    dataset, with_steps = (
        build(builder, tmp_path / name, *flags, *more) for name, more in (("plain", ()), ("steps", ("--steps", 3)))
    )
    inputs, labels, groups = arrays(dataset, "train")
    order = np.load(dataset / "train" / "all__reveal_order.npy")
    np.testing.assert_array_equal(order > 0, (labels != 0) & (inputs != labels))
    first = groups[:-1]  # the others are images, with the moved order of the first
    compute = KINDS[about(dataset).scorer].reveal_order
    assert compute is not None
    np.testing.assert_array_equal(order[first], compute(about(dataset).facts, inputs[first], labels[first]))
    in_group = np.repeat(np.arange(len(first)), np.diff(groups))
    np.testing.assert_array_equal(np.sort(order, axis=1), np.sort(order[first], axis=1)[in_group])

    assert "train/all__reveal_order.npy" in json.loads((dataset / MANIFEST_FILE).read_text())["files"]
    assert not list((with_steps / "test").glob("*reveal_order*")) + list((with_steps / "test").glob("*steps*"))
    assert not list((dataset / "train").glob("*steps*"))
    assert fingerprint(with_steps) == fingerprint(dataset)
    assert read_command(with_steps) == read_command(dataset)  # a configuration that does not ask for steps takes it
    data = TrainingData([with_steps], seed=0, global_batch_size=4)
    data.read_extras(["reveal_order", "stored_steps"])  # checks every step
    batch = data.next_batch()
    assert batch is not None
    assert batch.stored_steps is not None
    assert batch.stored_steps.shape == (4, 3, labels.shape[1])


def test_a_dataset_of_an_earlier_version_gets_the_order_from_its_answers(tmp_path: Path) -> None:
    def first_batch(dataset: Path) -> Batch:
        data = TrainingData([dataset], seed=0, global_batch_size=8)
        data.read_extras(["reveal_order"])
        batch = data.next_batch()
        assert batch is not None
        return batch

    dataset = build(nxn_builder, tmp_path / "sudokus", "--size", 6, *SIZES)
    batch = first_batch(dataset)
    description = about(dataset)
    for file in ("train/all__reveal_order.npy", MANIFEST_FILE):
        (dataset / file).unlink()
    write_manifest(dataset, description)
    older = first_batch(dataset)
    assert batch.reveal_order is not None
    assert older.reveal_order is not None
    assert torch.equal(batch.reveal_order, older.reveal_order)
