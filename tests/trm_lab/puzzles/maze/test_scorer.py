"""Any shortest path is solved; a longer, broken, branching or cheating one is not."""

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.generation import MazeKind, generate_mazes
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_FREE, MAZE_PATH

Tokens = NDArray[np.uint8]
QUESTION = "S   #\n ## #\n    #\n ## #\n   G#\n"
RIGHT = "S   #\no## #\no   #\no## #\noooG#\n"
ALSO_RIGHT = "S   #\no## #\noooo#\n ##o#\n   G#\n"


def tokens(maze: str) -> Tokens:
    cells = maze.replace("\n", "").replace("0", "\0")
    return np.array([MAZE_CHARACTERS.index(cell) for cell in cells], np.uint8)


def scores(inputs: Tokens, predictions: Tokens) -> dict[str, NDArray[np.bool_]]:
    side = round(inputs.shape[1] ** 0.5)
    scorer = scorer_of(About("maze", 1, "published", "maze", {"side": side}))
    assert scorer is not None
    return scorer(inputs, np.zeros_like(inputs), predictions)  # the labels are of no use to it


def verdicts(answer: str, question: str = QUESTION) -> set[str]:
    found = scores(tokens(question)[None], tokens(answer)[None])
    return {name for name, given in found.items() if given[0]}


def test_every_shortest_path_is_solved() -> None:
    for answer in (RIGHT, ALSO_RIGHT):
        assert verdicts(answer) == {"consistent", "connected", "shortest", "solved"}


OPEN = "S    \n     \n     \n     \nG    \n"
JOINED = {"connected", "shortest"}
WRONG = [
    ("a detour", "S   #\no## #\noooo#\n ##o#\noooG#\n", QUESTION, {"consistent"}),
    ("nothing marked", QUESTION, QUESTION, {"consistent"}),
    ("a gap", "S   #\no## #\no   #\n ## #\noooG#\n", QUESTION, {"consistent"}),
    ("a stray cell", "S o #\no## #\no   #\no## #\noooG#\n", QUESTION, {"consistent"}),
    ("a branch", "S   #\no## #\noo  #\no## #\noooG#\n", QUESTION, {"consistent"}),
    ("everything marked", "Sooo#\no##o#\noooo#\no##o#\noooG#\n", QUESTION, {"consistent"}),
    ("a ring beside a line", "S ooo\no o o\no ooo\no    \nG    \n", OPEN, {"consistent"}),
    ("a longer line", "Soo  \n  o  \n  o  \n  o  \nGoo  \n", OPEN, {"consistent", "connected"}),
    ("new walls and a gap", "Soo  \n ##o \n ##o \n ##o \nGooo \n", OPEN, set()),
    ("through the walls", "Soo #\n ##o#\n  #o#\n ## #\n   G#\n", QUESTION, set()),
    ("a short cut through a wall", "SoG\n # \n   \n", "S#G\n # \n   \n", {"connected"}),
    ("a wall made free", "S   #\no## #\no   #\no#  #\noooG#\n", QUESTION, JOINED),
    ("a free cell walled in", "S  ##\no## #\no   #\no## #\noooG#\n", QUESTION, JOINED),
    ("G moved", "S   #\no## #\no   #\no## #\nooGo#\n", QUESTION, set()),
    ("S painted over", "o   #\no## #\no   #\no## #\noooG#\n", QUESTION, JOINED),
    ("PAD", "S  0#\no## #\no   #\no## #\noooG#\n", QUESTION, JOINED),
    ("over a wall, as long as a path", "S   #\no## #\noo  #\n#o# #\n ooG#\n", QUESTION, JOINED),
]


def test_a_wrong_answer_gets_the_verdicts_that_it_deserves() -> None:
    for fault, answer, question, expected in WRONG:
        assert verdicts(answer, question) == expected, fault


def test_shortest_paths_are_solved_and_shortened_or_stretched_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    questions, answers = (mazes.reshape(30, -1) for mazes in generate_mazes(MazeKind(9, 10, 6), 30, seed=0))
    assert scores(questions, answers)["solved"].all()
    for before, after in ((MAZE_PATH, MAZE_FREE), (MAZE_FREE, MAZE_PATH)):
        changed = answers.copy()
        for answer in changed:
            answer[generator.choice(np.flatnonzero(answer == before))] = after
        assert not scores(questions, changed)["solved"].any()


def test_garbage_is_judged() -> None:
    questions = generate_mazes(MazeKind(30, 60), 5, seed=1)[0].reshape(5, -1)
    garbage = np.random.default_rng(2).integers(0, 256, questions.shape, dtype=np.uint8)
    assert not scores(questions, garbage)["solved"].any()
    assert not scores(garbage, garbage[::-1])["solved"].any()  # questions without a start, too
    assert not scores(questions, np.full_like(questions, MAZE_PATH))["solved"].any()
