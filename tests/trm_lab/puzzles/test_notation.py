"""Questions of every kind are read from text, lists and arrays; wrong ones are named by place; answers are written."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from trm.errors import UserError
from trm_lab.puzzles.kinds import KINDS, answer_check
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS
from trm_lab.puzzles.notation import Notation
from trm_lab.puzzles.text.tokens import TextTokens

TEXT = TextTokens("?+12345\x1b").facts(8, 4)
FACTS: dict[str, tuple[dict[str, Any], int]] = {
    "answer": (TEXT, 12),
    "cube": ({"moves": ["U", "U'", "R", "F2"]}, 27),
    "maze": ({"side": 4}, 16),
    "queens": ({"side": 4}, 16),
    "reasoning_gym": (TEXT, 12),
    "sudoku": ({"size": 4, "box_rows": 2, "box_columns": 2}, 16),
    "tokens": ({"vocab_size": 5}, 16),
    "many tokens": ({"vocab_size": 11}, 3),
}
SUDOKU = [[1, 0, 0, 4], [0, 0, 1, 0], [0, 1, 0, 0], [4, 0, 0, 1]]
TOKENS = SUDOKU
SOLVED_SUDOKU = "1234 3412 2143 4321".replace(" ", "\n")
BOARD = ".Q..\n....\n....\n...Q"
QUEENS = [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
TURNED_CUBE = "RRRR UUUU FFFF DDDD BBBB LLLL"
MAZE = "S #G\n# # \n#   \n####"
ROWS = MAZE.splitlines()
SOLVED: dict[str, tuple[str, Any]] = {
    "cube": ("UUUU RRRR FFFF DDDD LLLL BBBB", [2, 2, 2]),
    "maze": (MAZE, "So#G\n#o#o\n#ooo\n####"),
    "queens": (".Q..\n....\n....\n....", ".Q..\n...Q\nQ...\n..Q."),
    "sudoku": ("1..4\n.41.\n....\n....", "1324\n2413\n3142\n4231"),
}


def notation(kind: str) -> Notation:
    facts, tokens = FACTS[kind]
    return KINDS[kind.split()[-1]].notation(facts, tokens)


def test_every_kind_has_a_notation() -> None:
    assert FACTS.keys() - {"many tokens"} == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        (
            "sudoku",
            [
                SUDOKU,
                "1..4..1..1..4..1",
                "1__4\n__1_\r\n\n_1__\n 4 0 0 1 ",
                json.dumps(SUDOKU),
                np.array(SUDOKU, np.uint8),
                np.array(SUDOKU).ravel().tolist(),
                torch.tensor(SUDOKU),
                ["1..4", "..1.", ".1..", "4..1"],
                [list("1..4"), list("..1."), list(".1.."), list("4..1")],
            ],
        ),
        ("queens", [BOARD, "2 0 0 4", "2004", [2, 0, 0, 4], "0100 0000 0000 0001", QUEENS, np.array(QUEENS)]),
        ("maze", [MAZE, MAZE.replace(" ", "."), MAZE.replace("\n", ""), ROWS, [*map(list, ROWS)]]),
        ("cube", ["URFD LBUR FDLB URFD LBUR FDLB", "urfdlb" * 4, [0, 1, 2, 3, 4, 5] * 4, ["URFD", "LBUR", "FDLB"] * 2]),
        ("answer", ["1+2?", "1+2?\n"]),
        ("tokens", [TOKENS, str(TOKENS), "1004001001004001", "1 0 0 4\n0,0,1,0;0 1 0 0 (4001)", np.array(TOKENS),
                    torch.tensor(TOKENS).ravel(), ["1004", "0010", "0100", [4, 0, 0, "1"]], [*np.array(TOKENS)]]),
        ("many tokens", [[10, 1, 0], "10 1 0", "10, 1, 0", "[[10], [1], [0]]", ["10", "1 0"], np.uint8([10, 1, 0])]),
    ],
)  # fmt: skip
def test_one_question_has_many_forms(kind: str, forms: list[Any]) -> None:
    questions = [notation(kind).read(form) for form in forms]
    assert len(questions[0]) == FACTS[kind][1]
    for question in questions[1:]:
        assert question.tolist() == questions[0].tolist()


@pytest.mark.parametrize(
    ("kind", "puzzle", "problem"),
    [
        ("sudoku", "1..4\n..x1\n.1..\n4..1", "'x' in row 2, column 3"),
        ("sudoku", [[1, 0, 0, 4], [0, 0, 5, 0], [0, 1, 0, 0], [4, 0, 0, 1]], "5 in row 2, column 3"),
        ("sudoku", "1..4\n..1\n.1..\n4..1", "row 2 has 3 cells"),
        ("sudoku", "1..4", "4 cells"),
        ("sudoku", [[1, 2], [3, 4]], "2 rows"),
        ("sudoku", [[1.0, 0.0, 0.0, 4.0]] * 4, "1.0 in row 1, column 1"),
        ("sudoku", np.zeros(10**6, np.uint8), r"of shape \(1000000,\)"),
        ("sudoku", "[[1, 2", "no JSON"),
        ("sudoku", 7, "as int"),
        ("queens", [5, 0, 0, 0], "5 for row 1"),
        ("queens", "Q..\n...\n...", "3 rows"),
        ("maze", "S #G\n# o \n#   \n####", "'o' in row 2, column 3"),
        ("maze", "S #G\n# #\n#   \n####", "row 2 has 3 cells"),
        ("cube", "URFD LBUX FDLB URFD LBUR FDLB", "'X' at facelet 4 of face R"),
        ("cube", "URFD", "4 facelets"),
        ("cube", [6] * 24, "6 at facelet 1 of face U"),
        ("answer", "1+9?", "'9' at character 3"),
        ("answer", "1+1+1+1+1?", "10 characters"),
        ("answer", ["1+2?"], "as list"),
        ("tokens", "1311 1133 4471 3122", "'7' at row 3, column 3"),
        ("tokens", "1311 1133 4421 312", "15 tokens"),
        ("tokens", [[1, 0, 0, -4]] * 4, "-4 at row 1, column 4"),
        ("tokens", np.ones(16), "1.0 at row 1, column 1"),
        ("tokens", [True] * 16, "True at row 1"),
        ("tokens", {"a": 1}, "as dict"),
        ("tokens", [[[[[1]]]]], r"\[\[1\]\] at row 1"),
        ("tokens", np.zeros(10**6, np.uint8), r"of shape \(1000000,\)"),
        ("many tokens", "1010", "'1010' at place 1"),
        ("many tokens", "1 x 2", "'x' at place 2"),
        ("many tokens", "", "0 tokens"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(kind: str, puzzle: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        notation(kind).read(puzzle)
    assert caught.value.given.isprintable()


@pytest.mark.parametrize(
    ("kind", "puzzle", "remark"),
    [
        ("sudoku", "1..1............", "row 1 has 2 cells with 1"),
        ("sudoku", "1....1..........", "box 1 has 2 cells with 1"),
        ("queens", "Q...\n.Q..\n....\n....", "row 1, column 1 and in row 2, column 2 attack"),
        ("maze", "SS..\n....\n....\n....", "2 cells with S and 0 cells with G"),
        ("cube", "U" * 24, "24 facelets U"),
        ("cube", TURNED_CUBE, "turn the whole cube"),
    ],
)  # fmt: skip
def test_a_question_that_breaks_the_rules_is_read_and_remarked_on(kind: str, puzzle: str, remark: str) -> None:
    form = notation(kind)
    assert remark in "".join(form.remarks(form.read(puzzle)))


@pytest.mark.parametrize("kind", SOLVED)
def test_an_answer_is_judged_without_the_right_one(kind: str) -> None:
    form, (puzzle, solution) = notation(kind), SOLVED[kind]
    question = form.read(puzzle)
    assert form.remarks(question) == []
    answer = question.copy()
    if kind == "cube":
        answer[24:] = solution
    elif kind == "maze":
        answer[:] = [MAZE_CHARACTERS.index(sign) for sign in solution if sign != "\n"]
    else:
        answer[:] = form.read(solution)
    wrong = answer.copy()
    wrong[24 if kind == "cube" else 5] = 11 if kind == "cube" else 4
    check = answer_check(About("", 1, "", kind, FACTS[kind][0]))
    assert check is not None
    assert check(np.stack([question] * 2), np.stack([answer, wrong])).tolist() == [True, False]


def test_what_was_filled_in_is_told_apart_where_there_are_colours() -> None:
    form = notation("sudoku")
    question, answer = form.read("1..4\n....\n....\n...."), form.read(SOLVED_SUDOKU)
    assert form.text(question, answer, colours=False) == "1 2 │ 3 4\n3 4 │ 1 2\n────┼────\n2 1 │ 4 3\n4 3 │ 2 1"
    drawn = form.text(question, answer, colours=True).splitlines()[0]
    assert [drawn.count(style) for style in ("\x1b[1m", "\x1b[1;38;5;33m", "\x1b[0m")] == [2, 2, 5]
    lost = form.text(answer, question, colours=True)
    assert lost.count("\x1b[1;38;5;160m.") == 14


def test_answers_have_the_form_of_their_kind() -> None:
    sudoku, queens, maze, cube, text = map(notation, ("sudoku", "queens", "maze", "cube", "answer"))
    assert sudoku.value(sudoku.read(SUDOKU)).tolist() == SUDOKU  # type: ignore[union-attr]
    assert sudoku.value(np.full(16, 200)).tolist() == [[0] * 4] * 4  # type: ignore[union-attr]
    assert queens.value(queens.read("2004")).tolist()[0] == [0, 1, 0, 0]  # type: ignore[union-attr]
    assert ["".join(row) for row in maze.value(maze.read(MAZE))] == MAZE.splitlines()
    question = cube.read("urfdlb" * 4)
    assert cube.value(np.array([*question[:24], 10, 200, 2])) == ["U'", "?"]
    assert cube.value(np.array([*question[:24], 2, 9, 9])) == []
    assert text.value(np.array([*text.read("1+2?")[:8], 7, 2, 2, 2])) == "3"


def test_tokens_are_answered_as_a_grid_where_they_fill_a_square() -> None:
    square, line = notation("tokens"), notation("many tokens")
    question = square.read(TOKENS)
    assert square.value(question.astype(np.uint8)).tolist() == TOKENS  # type: ignore[union-attr]
    drawn = square.text(question, question[::-1], colours=False).splitlines()
    assert (drawn[0], len(drawn)) == ("1 0 0 4 │ 1 0 0 4", 4)
    assert line.text(line.read("10 1 0"), np.array([0, 1, 10]), colours=False) == "10 1 0\n→ 0 1 10"


def test_a_control_character_of_a_stranger_s_vocabulary_reaches_no_terminal() -> None:
    text = notation("answer")
    question = text.read("1\x1b2?")
    assert "\x1b" not in text.text(question, np.array([*question[:8], 10, 10, 2, 2]), colours=False)


@pytest.mark.parametrize("kind", FACTS)
def test_a_stranger_s_facts_are_refused(kind: str) -> None:
    facts, tokens = FACTS[kind]
    for wrong, length in ((facts, 1), (dict.fromkeys(facts, 10**9), tokens), ({}, tokens)):
        with pytest.raises(UserError):
            KINDS[kind.split()[-1]].notation(wrong, length).read("")
