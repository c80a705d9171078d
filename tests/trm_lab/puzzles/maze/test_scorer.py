"""Any shortest path is solved; a longer, broken, branching or cheating one is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.generation import MazeKind, generate_mazes
from trm_lab.puzzles.maze.tokens import (
    MAZE_CHARACTERS,
    MAZE_FREE,
    MAZE_PATH,
)

Tokens = NDArray[np.uint8]
QUESTION = "S   #\n ## #\n    #\n ## #\n   G#\n"
RIGHT = "S   #\no## #\no   #\no## #\noooG#\n"
ALSO_RIGHT = "S   #\no## #\noooo#\n ##o#\n   G#\n"


def tokens(maze: str) -> Tokens:
    return np.array(
        [MAZE_CHARACTERS.index(cell) for cell in maze.replace("\n", "").replace("0", "\0")], np.uint8
    )


def scores(inputs: Tokens, predictions: Tokens) -> dict[str, NDArray[np.bool_]]:
    side = round(inputs.shape[1] ** 0.5)
    scorer = scorer_of(About("maze", 1, "published", "maze", {"side": side}))
    assert scorer is not None
    return scorer(inputs, np.zeros_like(inputs), predictions)  # the labels are of no use to it


def verdicts(answer: str, question: str = QUESTION) -> set[str]:
    found = scores(tokens(question)[None], tokens(answer)[None])
    return {name for name, given in found.items() if given[0]}


@pytest.mark.parametrize("answer", [RIGHT, ALSO_RIGHT])
def test_every_shortest_path_is_solved(answer: str) -> None:
    assert verdicts(answer) == {"consistent", "connected", "shortest", "solved"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # a detour
        ("S   #\no## #\noooo#\n ##o#\noooG#\n", {"consistent"}),
        # nothing marked; a gap; a stray cell; a branch; a ring apart; everything marked
        (QUESTION, {"consistent"}),
        ("S   #\no## #\no   #\n ## #\noooG#\n", {"consistent"}),
        ("S o #\no## #\no   #\no## #\noooG#\n", {"consistent"}),
        ("S   #\no## #\noo  #\no## #\noooG#\n", {"consistent"}),
        ("Sooo#\no##o#\noooo#\no##o#\noooG#\n", {"consistent"}),
        # through the walls; a wall made free; a free cell walled in; G moved; S painted over; PAD
        ("Soo #\n ##o#\n  #o#\n ## #\n   G#\n", set()),
        ("S   #\no## #\no   #\no#  #\noooG#\n", {"connected", "shortest"}),
        ("S  ##\no## #\no   #\no## #\noooG#\n", {"connected", "shortest"}),
        ("S   #\no## #\no   #\no## #\nooGo#\n", set()),
        ("o   #\no## #\no   #\no## #\noooG#\n", {"connected", "shortest"}),
        ("S  0#\no## #\no   #\no## #\noooG#\n", {"connected", "shortest"}),
        # over a wall, as long as a shortest path
        ("S   #\no## #\noo  #\n#o# #\n ooG#\n", {"connected", "shortest"}),
    ],
)
def test_a_wrong_answer_gets_the_verdicts_that_it_deserves(answer: str, expected: set[str]) -> None:
    assert verdicts(answer) == expected


def test_a_longer_line_is_connected_but_not_shortest() -> None:
    question = "S    \n     \n     \n     \nG    \n"
    assert verdicts("S    \no    \no    \no    \nG    \n", question) >= {"solved"}
    assert verdicts("Soo  \n  o  \n  o  \n  o  \nGoo  \n", question) == {"consistent", "connected"}
    assert verdicts("Soo  \n ##o \n ##o \n ##o \nGooo \n", question) == set()


def test_a_short_cut_through_a_wall_is_connected_but_neither_consistent_nor_shortest() -> None:
    question = "S#G\n # \n   \n"
    assert verdicts("S#G\no#o\nooo\n", question) >= {"solved"}
    assert verdicts("SoG\n # \n   \n", question) == {"connected"}


def test_a_line_with_a_ring_beside_it_is_not_connected() -> None:
    question = "S    \n     \n     \n     \nG    \n"
    assert verdicts("S ooo\no o o\no ooo\no    \nG    \n", question) == {"consistent"}


def test_shortest_paths_are_solved_and_shortened_or_stretched_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    questions, answers = (mazes.reshape(60, -1) for mazes in generate_mazes(MazeKind(9, 10, 6), 60, seed=0))
    assert scores(questions, answers)["solved"].all()
    for before, after in ((MAZE_PATH, MAZE_FREE), (MAZE_FREE, MAZE_PATH)):
        changed = answers.copy()
        for answer in changed:
            answer[generator.choice(np.flatnonzero(answer == before))] = after
        assert not scores(questions, changed)["solved"].any()


def test_garbage_is_judged() -> None:
    questions = generate_mazes(MazeKind(30, 110), 20, seed=1)[0].reshape(20, -1)
    garbage = np.random.default_rng(2).integers(0, 256, questions.shape, dtype=np.uint8)
    assert not scores(questions, garbage)["solved"].any()
    assert not scores(garbage, garbage[::-1])["solved"].any()  # questions without a start, too
    assert not scores(questions, np.full_like(questions, MAZE_PATH))["solved"].any()
