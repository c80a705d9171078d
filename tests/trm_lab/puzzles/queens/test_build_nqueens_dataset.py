"""N queens datasets: all solutions, splits apart, and ceilings that a count by hand agrees with."""

from collections import Counter, defaultdict
from functools import cache
from itertools import chain, combinations, pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trm_lab.puzzles.builders import about, arrays, build, check_same_bytes_twice
from trm.errors import UserError
from trm_lab.puzzles.queens import builder
from trm_lab.puzzles.queens.boards import backtracking_weights, expected_exact_match, solutions, symmetry_classes
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN

SMALL = ("--size", 7, "--train-size", 60, "--test-size", 30)
Tokens = NDArray[np.uint8]


def attacks(row: int, column: int, other_row: int, other_column: int) -> bool:
    return column == other_column or abs(row - other_row) == abs(column - other_column)


@cache
def by_hand(side: int) -> set[tuple[int, ...]]:
    """The solutions, of all permutations."""
    return {
        columns
        for columns in permutations(range(side))
        if not any(attacks(a, columns[a], b, columns[b]) for a, b in combinations(range(side), 2))
    }


def turned(square: NDArray[Any]) -> list[bytes]:
    """The eight images."""
    return [np.rot90(image, turns).tobytes() for image in (square, square.T) for turns in range(4)]


def is_solution(board: Tokens) -> bool:
    side = round(len(board) ** 0.5)
    rows, columns = np.nonzero(board.reshape(side, side) == QUEENS_QUEEN)
    return rows.tolist() == list(range(side)) and tuple(columns.tolist()) in by_hand(side)


def test_solutions_and_symmetry_classes_are_as_many_as_known() -> None:
    # Sloane's A000170 and A002562
    known = {4: (2, 1), 5: (10, 2), 6: (4, 1), 7: (40, 6), 8: (92, 12), 9: (352, 46)}
    assert len(solutions(2)) == len(solutions(3)) == 0
    for side, (count, classes) in known.items():
        found = solutions(side)
        assert (len(found), len(set(symmetry_classes(found).tolist()))) == (count, classes)


def test_expected_ceilings_of_uniform_draws_are_what_counting_gives() -> None:
    ceilings = expected_exact_match(solutions(8))
    every = sorted(by_hand(8))
    for given, ceiling in enumerate(ceilings):
        asked = Counter(
            (rows, tuple(solution[row] for row in rows)) for solution in every for rows in combinations(range(8), given)
        )
        # the mean over (solution, kept rows) of 1 / the number of solutions with these queens
        assert ceiling == pytest.approx(sum(count * (1 / count) for count in asked.values()) / asked.total())
    published = [0.011, 0.086, 0.40, 0.79, 0.94, 0.986, 0.998, 1.0]  # as reported; rounded, and by sampling
    np.testing.assert_allclose(ceilings, published, atol=0.01)
    assert np.mean(ceilings) == pytest.approx(0.651, abs=5e-4)
    assert np.mean(ceilings[1:]) == pytest.approx(0.742, abs=5e-4)


def test_backtracking_weights_are_the_chances_that_a_random_search_finds_a_solution() -> None:
    for side in (6, 8):
        columns, chances = solutions(side).tolist(), []
        for solution in columns:  # in every row, the columns that lead to a solution are equally likely
            choices = [{s[row] for s in columns if s[:row] == solution[:row]} for row in range(side)]
            chances.append(1 / np.prod(list(map(len, choices))))
        np.testing.assert_allclose(backtracking_weights(solutions(side)), chances)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(builder, tmp_path_factory.mktemp("queens") / "clean")


def test_labels_are_solutions_and_questions_keep_some_of_their_queens(clean: Path) -> None:
    for name in ("train", "test"):
        questions, labels, _ = arrays(clean, name)
        assert questions.shape[1] == 64
        assert all(is_solution(board) for board in np.unique(labels, axis=0))
        assert set(np.unique(questions)) == {QUEENS_EMPTY, QUEENS_QUEEN}
        given = questions == QUEENS_QUEEN
        assert (labels[given] == QUEENS_QUEEN).all()
        assert set(given.sum(1).tolist()) == set(range(1, 8))


def test_no_test_question_nor_an_image_of_one_is_in_training(clean: Path) -> None:
    (train, train_labels, _), (test, test_labels, _) = arrays(clean, "train"), arrays(clean, "test")
    known = {row.tobytes() for row in train.reshape(-1, 8, 8)}
    assert not any(image in known for board in test.reshape(-1, 8, 8) for image in turned(board))
    solved = {row.tobytes() for row in train_labels.reshape(-1, 8, 8)}
    assert not any(image in solved for board in test_labels.reshape(-1, 8, 8) for image in turned(board))
    assert len({min(turned(board)) for board in test.reshape(-1, 8, 8)}) == len(test) == 200


def test_a_training_group_is_one_example_and_its_different_images(clean: Path) -> None:
    questions, labels, ends = arrays(clean, "train")
    assert len(ends) - 1 == 800
    pairs = np.concatenate([questions.reshape(-1, 8, 8), labels.reshape(-1, 8, 8)], axis=2)
    firsts = []
    for start, end in pairwise(ends):
        together = (labels[start:end] * 4 + questions[start:end]).reshape(-1, 8, 8)
        assert {board.tobytes() for board in together} == set(turned(together[0]))
        assert len({pair.tobytes() for pair in pairs[start:end]}) == end - start
        firsts.append(min(turned(together[0])))
    assert len(set(firsts)) == 800  # no example is an image of another group's


def test_the_stored_ceiling_is_the_mean_of_the_best_guess_within_the_test_classes(clean: Path) -> None:
    test, labels, _ = arrays(clean, "test")
    said = about(clean).facts
    held_out = {image for board in labels.reshape(-1, 8, 8) for image in turned(board)}
    assert len(held_out) == said["test_solutions"] == 20
    solved = [np.frombuffer(board, np.uint8) for board in held_out]
    chances = defaultdict(list)
    for question in test:
        given = question == QUEENS_QUEEN
        chances[int(given.sum())].append(1 / sum((board[given] == QUEENS_QUEEN).all() for board in solved))
    assert said["best_exact_match"] == pytest.approx(np.mean(list(chain(*chances.values()))), abs=1e-6)
    assert said["best_exact_match_by_given"] == {
        str(given): pytest.approx(np.mean(some), abs=1e-6) for given, some in chances.items()
    }
    assert said["best_exact_match_without_knowing_the_split"] < said["best_exact_match"]


def test_a_held_out_number_of_classes_and_range_of_queens_is_kept(tmp_path: Path) -> None:
    flags = ("--test-classes", 3, "--min-given", 3, "--max-given", 4, "--num-aug", 1)
    dataset = build(builder, tmp_path / "q", *SMALL, *flags)
    assert about(dataset).facts["test_classes"] == 3
    questions, _, ends = arrays(dataset, "train")
    assert set((questions == QUEENS_QUEEN).sum(1).tolist()) == {3, 4}
    assert set(np.diff(ends).tolist()) == {2}
    boards_of_test = arrays(dataset, "test")[1].reshape(-1, 7, 7)
    assert len({min(turned(board)) for board in boards_of_test}) == 3


def test_the_empty_board_is_asked_on_one_side_only(tmp_path: Path) -> None:
    dataset = build(builder, tmp_path / "q", *SMALL, "--min-given", 0)
    empty = [(arrays(dataset, name)[0] == QUEENS_EMPTY).all(1).any() for name in ("train", "test")]
    assert sum(empty) == 1


def test_more_test_questions_of_the_published_protocol_leave_the_published_ones_as_they_are(tmp_path: Path) -> None:
    published = build(builder, tmp_path / "p", "--protocol", "published")
    longer = build(builder, tmp_path / "l", "--protocol", "published", "--test-size", "300")
    for file in ("all__inputs.npy", "all__labels.npy"):
        assert (longer / "train" / file).read_bytes() == (published / "train" / file).read_bytes()
        assert len(np.load(longer / "test" / file)) == 300
        np.testing.assert_array_equal(np.load(longer / "test" / file)[:200], np.load(published / "test" / file))


def test_the_published_protocol_is_800_groups_of_9_and_200_from_one_pool(tmp_path: Path) -> None:
    dataset = build(builder, tmp_path / "p", "--protocol", "published")
    (train, labels, ends), (test, answers, _) = arrays(dataset, "train"), arrays(dataset, "test")
    assert np.diff(ends).tolist() == [9] * 800
    assert len(test) == 200
    groups = (labels * 4 + train).reshape(800, 9, 8, 8)
    for group in groups[:50]:
        assert group[0].tobytes() == group[1].tobytes()
        assert Counter(board.tobytes() for board in group[1:]) == Counter(turned(group[0]))
    assert set((test == QUEENS_QUEEN).sum(1).tolist()) == set(range(8))
    assert len(np.unique(labels, axis=0)) == 92
    said = about(dataset).facts
    known = {(question.tobytes(), label.tobytes()) for question, label in zip(train, labels, strict=True)}
    repeated = sum((q.tobytes(), a.tobytes()) in known for q, a in zip(test, answers, strict=True))
    assert said["test_pairs_in_training"] == repeated
    assert 0.3 < repeated / 200 < 0.6  # the release has 47 %
    assert said["expected_best_exact_match_of_uniform_draws"] == pytest.approx(0.651, abs=5e-4)
    assert said["expected_best_exact_match"] == pytest.approx(0.7135, abs=5e-4)
    assert said["expected_best_exact_match_if_images_are_alike"] == pytest.approx(0.6868, abs=5e-4)
    assert said["best_exact_match"] == pytest.approx(0.7135, abs=0.1)  # of 200 draws
    assert said["best_exact_match_by_given"]["7"] == 1


def test_same_flags_same_bytes(tmp_path: Path) -> None:
    check_same_bytes_twice(builder, tmp_path / "clean", *SMALL, "--num-aug", 1)
    check_same_bytes_twice(builder, tmp_path / "published", "--protocol", "published")


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        *((["--size", str(size)], f"--size {size}\n.* 5, 7..12 for the clean protocol") for size in (4, 13)),
        (["--test-classes", "12"], "12 of the 12 symmetry classes"),
        (["--min-given", "5", "--max-given", "4"], "min-given <= max-given"),
        (["--test-size", "5000"], "5000 test questions, of which only"),
        (["--size", "5", "--train-size", "999", "--test-size", "3"], "999 train questions, of which only"),
        (["--protocol", "published", "--size", "8"], "published with --size"),
    ):
        with pytest.raises(UserError, match=message):
            build(builder, tmp_path / "q", *flags)
        assert not (tmp_path / "q").exists()
