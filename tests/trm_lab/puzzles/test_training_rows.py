"""Which test questions and answers stand in training: found by their tokens, and by the rules of their puzzle."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.builders import arrays, build
from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.files.checksums import sealed
from trm_lab.puzzles import training_rows
from trm_lab.puzzles.manifest import MANIFEST_FILE, About, fingerprint, read_about, read_overlap, write_manifest
from trm_lab.puzzles.queens import builder as queens_builder
from trm_lab.puzzles.queens.tokens import QUEENS_QUEEN
from trm_lab.puzzles.training_rows import ROWS, TOO_MANY, TRIED, TrainingRows, open_training, rows_of_split

PLAIN, QUEENS = About("plain", 1, "clean"), About("queens", 1, "clean", "queens", {"side": 4})
FIRST, SECOND = "eqeeeeeqqeeeeeqe", "eeqeqeeeeeeqeqee"  # the two solutions of 4 queens
TRAIN = [("qeee", "1234"), ("eqee", "5634")]


def rows(pairs: list[tuple[str, str]], ignored: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Tokens of questions and labels; labels of the characters in `ignored` are not scored."""
    inputs, labels = (np.array([[ord(c) for c in pair[which]] for pair in pairs], np.int32) for which in (0, 1))
    labels[np.isin(labels, [ord(c) for c in ignored])] = IGNORE_LABEL
    return inputs, labels


def boards(*pairs: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = rows(list(pairs))
    return tuple(np.where(part == ord("q"), QUEENS_QUEEN, 1).astype(np.int32) for part in (inputs, labels))  # type: ignore[return-value]


def test_a_question_stands_in_training_by_its_tokens_and_an_answer_by_its_scored_ones() -> None:
    trained = TrainingRows([rows(TRAIN[:1]), rows(TRAIN[1:])], PLAIN, 4)
    asked = [("qeee", "9999"), ("eeqe", "1234"), ("eqee", "5634"), ("eeeq", "5630")]
    standing = trained.standing(*rows(asked))
    assert standing.questions.tolist() == [True, False, True, False]
    assert standing.answers.tolist() == [False, True, True, False]
    assert trained.compared == ROWS
    masked = TrainingRows([rows(TRAIN, ignored="4")], PLAIN, 2)
    assert masked.standing(*rows([("x", "1234"), ("x", "1235")], ignored="45")).answers.tolist() == [True, True]


def test_a_prediction_is_a_training_answer_whatever_it_says_where_nothing_is_scored() -> None:
    trained = TrainingRows([rows(TRAIN, ignored="4")], PLAIN, 3)
    labels = rows([("x", "7774")] * 3, ignored="4")[1]
    predictions = rows([("x", "1234"), ("x", "1239"), ("x", "1244")])[1]
    assert trained.holds(predictions, labels).tolist() == [True, True, False]


def test_an_answer_stands_in_training_where_another_one_there_solves_the_question() -> None:
    nothing, corner = "e" * 16, "q" + "e" * 15
    trained = TrainingRows([boards((FIRST, FIRST))], QUEENS, 3)
    asked = boards((nothing, SECOND), (SECOND, SECOND), (corner, SECOND))
    assert trained.standing(*asked).answers.tolist() == [True, False, False]
    assert trained.compared == TRIED


def test_too_many_training_answers_are_not_tried_out_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_rows, "MOST_TRIED", 3)
    for test_examples, compared in ((3, TRIED), (4, TOO_MANY)):
        trained = TrainingRows([boards((FIRST, FIRST))] * 2, QUEENS, test_examples)
        standing = trained.standing(*boards(("e" * 16, SECOND), (FIRST, SECOND)))
        assert trained.compared == compared
        assert standing.answers.tolist() == [compared == TRIED, True]  # what answers the same question is known


def test_a_path_through_a_maze_is_an_answer_to_no_other_maze_and_is_not_tried_out() -> None:
    maze = About("maze", 1, "clean", "maze", {"side": 2})
    trained = TrainingRows([rows([("SG##", "SG##")])], maze, 1)
    standing = trained.standing(*rows([("SG##", "SGo#")]))
    assert (standing.answers.tolist(), trained.compared) == ([True], ROWS)


@pytest.fixture(scope="module")
def queens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(queens_builder, tmp_path_factory.mktemp("queens") / "8")


def test_of_8_queens_by_the_clean_protocol_every_question_with_one_queen_is_solved_by_a_training_board(
    queens: Path,
) -> None:
    split = open_training(queens, 64)
    trained = TrainingRows(rows_of_split(split), read_about(queens), 200)
    inputs, labels, _ = arrays(queens, "test")
    standing = trained.standing(inputs, labels.astype(np.int32))
    given = (inputs == QUEENS_QUEEN).sum(1)
    assert [round(float(standing.answers[given == count].mean()), 2) for count in (1, 2)] == [1.0, 0.64]
    assert (int(standing.answers.sum()), int(standing.questions.sum())) == (31, 0)


def test_a_dataset_says_what_of_its_test_split_is_in_training_beside_its_fingerprint(
    queens: Path, tmp_path: Path
) -> None:
    said = read_overlap(queens)
    assert said is not None
    assert said.title == "in training: of 200 test questions 0 (0.0 %), of their answers 31 (15.5 %)"
    for name, counts in (("with", said), ("without", None)):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, PLAIN, in_training=counts)
        assert read_overlap(tmp_path / name) == counts
    assert fingerprint(tmp_path / "with") == fingerprint(tmp_path / "without")


def test_counts_that_no_builder_writes_are_refused(tmp_path: Path) -> None:
    for broken in ({"questions": 6}, {"answers": -1}, {"examples": "5"}, {"compared": "a\nb"}, {"compared": 1}):
        counts = {"examples": 5, "questions": 1, "answers": 2, "compared": "token by token"} | broken
        (tmp_path / MANIFEST_FILE).write_text(
            json.dumps(sealed({"about": asdict(PLAIN), "files": {}, "in_training": counts}))
        )
        with pytest.raises(UserError, match="not a manifest"):
            read_overlap(tmp_path)
