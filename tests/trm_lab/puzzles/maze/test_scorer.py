"""Any shortest path is solved; a longer, broken, branching or cheating one is not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.tokens import (
    MAZE_CHARACTERS,
    MAZE_FREE,
    MAZE_GOAL,
    MAZE_PATH,
    MAZE_START,
    MAZE_WALL,
)

Tokens = NDArray[np.uint8]
QUESTION = """
S   #
 ## #
    #
 ## #
   G#
"""
RIGHT = """
S   #
o## #
o   #
o## #
oooG#
"""
ALSO_RIGHT = """
S   #
o## #
oooo#
 ##o#
   G#
"""


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


def random_mazes(count: int, side: int, generator: np.random.Generator) -> Tokens:
    mazes = np.where(generator.random((count, side * side)) < 0.3, MAZE_WALL, MAZE_FREE).astype(np.uint8)
    for maze in mazes:
        maze[generator.choice(side * side, 2, replace=False)] = MAZE_START, MAZE_GOAL
    return mazes


def a_shortest_path(maze: Tokens, generator: np.random.Generator) -> list[int] | None:
    """Cells between S and G on a random shortest path, found by scipy."""
    side = round(len(maze) ** 0.5)
    cells = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate(
        [
            np.stack([cells[:-1], cells[1:]]).reshape(2, -1),
            np.stack([cells[:, :-1], cells[:, 1:]]).reshape(2, -1),
        ],
        axis=1,
    )
    pairs = pairs[:, (maze[pairs] != MAZE_WALL).all(0)]
    graph = csr_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(len(maze), len(maze)))
    start, goal = (int(np.flatnonzero(maze == end)[0]) for end in (MAZE_START, MAZE_GOAL))
    steps = shortest_path(graph, directed=False, unweighted=True, indices=goal)
    if np.isinf(steps[start]):
        return None
    path, at = [], start
    while steps[at] > 1:
        row, column = divmod(at, side)
        beside = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [r * side + c for r, c in beside if 0 <= r < side and 0 <= c < side]
        at = int(
            generator.choice(
                [cell for cell in inside if maze[cell] != MAZE_WALL and steps[cell] == steps[at] - 1]
            )
        )
        path.append(at)
    return path


def test_shortest_paths_of_another_search_are_solved_and_shortened_or_stretched_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    questions = random_mazes(150, 9, generator)
    paths = [a_shortest_path(maze, generator) for maze in questions]
    answers = questions.copy()
    for answer, path in zip(answers, paths, strict=True):
        answer[path or []] = MAZE_PATH
    found = scores(questions, answers)
    assert 50 < sum(path is not None for path in paths) < 150
    assert found["solved"].tolist() == [path is not None for path in paths]
    for change in ("less", "more"):
        changed = answers.copy()
        for answer, path in zip(changed, paths, strict=True):
            cells = path or [] if change == "less" else np.flatnonzero(answer == MAZE_FREE)
            if len(cells):
                answer[generator.choice(cells)] = MAZE_FREE if change == "less" else MAZE_PATH
        differs = (changed != answers).any(1)
        assert differs.sum() > 50
        assert not scores(questions, changed)["solved"][differs].any()


def test_garbage_is_judged() -> None:
    generator = np.random.default_rng(2)
    questions = np.tile(random_mazes(100, 30, generator), (5, 1))
    garbage = generator.integers(0, 256, questions.shape, dtype=np.uint8)
    assert not scores(questions[:500], garbage[:500])["solved"].any()
    assert not scores(garbage[:250], garbage[250:500])["solved"].any()  # questions without a start, too
    assert not scores(questions[:100], np.full_like(questions[:100], MAZE_PATH))["solved"].any()
