"""Maze datasets: published files checked line by line, generated mazes with one shortest path."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.stats import chisquare

from tests.trm_lab.puzzles.builders import about, arrays, build, check_same_bytes_twice
from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.puzzles.arc.grids import dihedral
from trm_lab.puzzles.maze import builder
from trm_lab.puzzles.maze.generation import MazeKind, draw_maze, generate_mazes, hard_length, spanning_tree
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_GOAL, MAZE_PATH, MAZE_START, MAZE_WALL
from trm_lab.puzzles.square_symmetries import canonical

Tokens = NDArray[np.uint8]
SMALL = ("--generate", "--size", 9, "--train-size", 40, "--test-size", 20)
HEADER = "source,question,answer,rating"
GOOD = ["a,S       G,S  o  ooG,1", "a,S    #  G,S  o #ooG,1"]  # 3x3
ALONE = "a,S## ##  G,S##o##ooG,1"


def text(tokens: Tokens) -> str:
    return "".join(MAZE_CHARACTERS[token] for token in tokens.reshape(-1).tolist())


def edges(free: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Pairs of free cells side by side, `[2, pairs]`."""
    cells = np.arange(free.size).reshape(free.shape)
    pairs = [np.stack([cells[:-1], cells[1:]]), np.stack([cells[:, :-1], cells[:, 1:]])]
    found = np.concatenate([pair.reshape(2, -1) for pair in pairs], axis=1)
    return found[:, free.reshape(-1)[found].all(0)]


def steps_and_paths(maze: Tokens) -> tuple[float, int]:
    """Fewest steps from S to G, by scipy, and the number of paths that have no more, by powers of the graph."""
    pairs = edges(maze != MAZE_WALL)
    graph = csr_array((np.ones(pairs.shape[1], np.int64), tuple(pairs)), shape=(maze.size, maze.size))
    start, goal = (int(np.flatnonzero(maze == end)[0]) for end in (MAZE_START, MAZE_GOAL))
    steps = float(shortest_path(graph, directed=False, unweighted=True, indices=start)[goal])
    if np.isinf(steps):
        return steps, 0
    both = graph + graph.T
    walks = np.eye(1, maze.size, start, dtype=np.int64)
    for _ in range(int(steps)):  # walks of exactly that many steps are shortest paths
        walks = walks @ both
    return steps, int(walks[0, goal])


def check_answer(question: Tokens, answer: Tokens) -> None:
    """The answer marks a path of the fewest steps."""
    steps, _ = steps_and_paths(question)
    marked = answer == MAZE_PATH
    assert marked.sum() == steps - 1
    assert (question[~marked] == answer[~marked]).all()
    only = np.where(marked | (question == MAZE_START) | (question == MAZE_GOAL), question, MAZE_WALL)
    assert steps_and_paths(only) == (steps, 1)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(builder, tmp_path_factory.mktemp("maze") / "generated", *SMALL)


@pytest.mark.parametrize(("size", "loops"), [(10, 0), (9, 6)])
def test_generated_mazes_have_one_shortest_path_of_at_least_the_wanted_length(size: int, loops: int) -> None:
    length = hard_length(size)
    questions, answers = generate_mazes(MazeKind(size, length, loops), 12, seed=3)
    for question, answer in zip(questions, answers, strict=True):
        check_answer(question, answer)
        steps, paths = steps_and_paths(question)
        assert paths == 1
        assert steps >= length
        free = question != MAZE_WALL
        pairs, cells = edges(free), int(free.sum())
        graph = csr_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(free.size, free.size))
        assert connected_components(graph, directed=False)[0] == 1 + (~free).sum()  # every wall by itself
        assert pairs.shape[1] - (cells - 1) == loops  # one more edge than a tree has for each loop


def test_mazes_are_of_the_published_size_and_as_hard_by_default(tmp_path: Path) -> None:
    dataset = build(builder, tmp_path / "m", "--generate", "--train-size", 2, "--test-size", 1)
    questions = arrays(dataset, "train")[0].reshape(2, 30, 30)
    assert all(steps_and_paths(question)[0] >= 110 for question in questions)


def test_spanning_trees_are_uniform() -> None:
    generator = numpy_generator(0, "test")
    trees = Counter(
        frozenset(frozenset(pair) for pair in spanning_tree(3, lambda: int(generator.integers(12))))
        for _ in range(2000)
    )
    assert len(trees) == 192  # by Kirchhoff's theorem
    assert all(len(tree) == 8 for tree in trees)
    assert chisquare(list(trees.values())).pvalue > 1e-3


def test_starts_are_uniform_over_the_free_cells_without_a_least_length() -> None:
    starts: Counter[int] = Counter()
    for attempt in range(900):
        maze = draw_maze(MazeKind(3, 1), numpy_generator(0, "test", attempt))
        assert maze is not None
        starts[int(np.flatnonzero(maze[0].reshape(-1) == MAZE_START)[0])] += 1
    assert starts[4] == 0  # the pillar
    assert chisquare([starts[corner] for corner in (0, 2, 6, 8)]).pvalue > 1e-3
    assert chisquare([starts[door] for door in (1, 3, 5, 7)]).pvalue > 1e-3
    corners = sum(starts[corner] for corner in (0, 2, 6, 8))
    assert corners / 900 == pytest.approx(4 / 7, abs=0.06)  # three of the four doors are open


def test_no_test_maze_nor_an_image_of_one_is_in_training(generated: Path) -> None:
    assert about(generated).protocol == "generated"
    (train, _, _), (test, _, _) = arrays(generated, "train"), arrays(generated, "test")
    known = {row.tobytes() for row in train.reshape(-1, 9, 9)}
    for maze in test.reshape(-1, 9, 9):
        turned = [np.rot90(flipped, turns) for flipped in (maze, maze.T) for turns in range(4)]
        assert not any(image.tobytes() in known for image in turned)
    every = np.concatenate([train, test]).reshape(-1, 9, 9)
    assert len(set(canonical(every).tolist())) == 60


def test_same_flags_same_bytes(tmp_path: Path) -> None:
    check_same_bytes_twice(builder, tmp_path, *SMALL, "--loops", 2)


def published_form(mazes: tuple[Tokens, Tokens]) -> list[str]:
    return [f"made,{text(question)},{text(answer)},1" for question, answer in zip(*mazes, strict=True)]


def write(folder: Path, train: list[str], test: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("train", train), ("test", test)):
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def mazes() -> tuple[Tokens, Tokens]:
    return generate_mazes(MazeKind(8, 10), 16, seed=0)


@pytest.fixture
def source(tmp_path: Path, mazes: tuple[Tokens, Tokens]) -> Path:
    lines = published_form(mazes)
    return write(tmp_path / "source", lines[:12], lines[12:])


def test_published_files_become_their_tokens_in_order(
    tmp_path: Path, source: Path, mazes: tuple[Tokens, Tokens]
) -> None:
    dataset = build(builder, tmp_path / "m", "--source", source)
    for name, which in (("train", slice(12)), ("test", slice(12, None))):
        questions, answers, ends = arrays(dataset, name)
        assert (questions == mazes[0][which].reshape(-1, 64)).all()
        assert (answers == mazes[1][which].reshape(-1, 64)).all()
        assert ends.tolist() == list(range(len(questions) + 1))
    found = about(dataset)
    assert (found.name, found.protocol) == ("maze-8x8", "published")
    assert found.facts["test_mazes_in_training_up_to_symmetry"] == 0
    assert str(source) not in (dataset / "manifest.json").read_text()


def test_aug_trains_on_the_eight_images_as_one_group(
    tmp_path: Path, source: Path, mazes: tuple[Tokens, Tokens]
) -> None:
    dataset = build(builder, tmp_path / "m", "--source", source, "--aug")
    questions, answers, ends = arrays(dataset, "train")
    assert np.diff(ends).tolist() == [8] * 12
    for number, (question, answer) in enumerate(zip(*mazes, strict=True)):
        for transform in range(8) if number < 12 else ():
            assert (questions[8 * number + transform] == dihedral(question, transform).reshape(-1)).all()
            assert (answers[8 * number + transform] == dihedral(answer, transform).reshape(-1)).all()
    assert len(arrays(dataset, "test")[0]) == 4


def test_subsample_size_keeps_some_training_mazes_and_every_test_maze(
    tmp_path: Path, source: Path, mazes: tuple[Tokens, Tokens]
) -> None:
    part = build(builder, tmp_path / "part", "--source", source, "--subsample-size", 5)
    rows = {row.tobytes() for row in arrays(part, "train")[0]}
    assert len(rows) == 5
    assert rows < {question.tobytes() for question in mazes[0][:12]}
    assert len(arrays(part, "test")[0]) == 4
    with pytest.raises(UserError, match="--subsample-size 13, of 12"):
        build(builder, tmp_path / "more", "--source", source, "--subsample-size", 13)


def test_test_size_keeps_some_of_the_published_test_mazes(tmp_path: Path, source: Path) -> None:
    whole = build(builder, tmp_path / "whole", "--source", source)
    part = build(builder, tmp_path / "part", "--source", source, "--test-size", 3)
    rows, every = ({row.tobytes() for row in arrays(dataset, "test")[0]} for dataset in (part, whole))
    assert len(rows) == 3
    assert rows < every
    np.testing.assert_array_equal(arrays(part, "train")[0], arrays(whole, "train")[0])
    assert (about(part).facts["test_size"], "test_size" in about(whole).facts) == (3, False)
    with pytest.raises(UserError, match="--test-size 5, of 4 test mazes"):
        build(builder, tmp_path / "more", "--source", source, "--test-size", 5)


def test_images_of_training_mazes_among_the_test_mazes_are_counted_and_with_aug_refused(
    tmp_path: Path, mazes: tuple[Tokens, Tokens], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = published_form(mazes)
    turned = published_form((np.rot90(mazes[0][2:4], axes=(1, 2)), np.rot90(mazes[1][2:4], axes=(1, 2))))
    folder = write(tmp_path / "s", lines[:5], [*lines[5:7], *turned])
    dataset = build(builder, tmp_path / "m", "--source", folder)
    assert about(dataset).facts["test_mazes_in_training_up_to_symmetry"] == 2
    assert "2 of 4 test mazes are turns or mirror images of training mazes" in capsys.readouterr().out
    with pytest.raises(UserError) as refused:
        build(builder, tmp_path / "aug", "--source", folder, "--aug")
    first = f"{folder / 'test.csv'}, line 4: a turn or mirror image of {folder / 'train.csv'}, line 4,"
    assert refused.value.given.startswith(first)
    assert "2 of 4 test mazes are such images" in refused.value.given
    assert not (tmp_path / "aug").exists()


BROKEN = [
    ("a,S   #  G,So  #o G,1", "8 characters, which is no square"),
    ("a,S  G,So G,1", "4 characters, where the first one has 9"),
    ("a,S       G,S  o  oG,1", "an answer of 8 characters to a question of 9"),
    ("a,S   x   G,S  ox ooG,1", "the character 'x'"),
    ("a,S   #   S,S   #   S,1", "2 cells S"),
    ("a,So  #   G,So  #   G,1", "the question has cells o"),
    ("a,S   #   G,S  o# o#G,1", "row 3, column 2 is ' ' in the question and '#' in the answer"),
    ("a,S   #   G,S  oo ooG,1", "row 2, column 2 is '#' in the question and 'o' in the answer"),
    ("a,S# #    G,S# #    G,1", "no path leads from S to G"),
    ("a,S   #   G,S  o#  oG,1", "does not join S and G"),
    ("a,S   #   G,So o# ooG,1", "marks 4 cells, of which 3 join S and G"),
    ("a,S G      ,S Go oooo,1", "takes 6 steps, and 2 suffice"),
]


def test_a_broken_record_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    for line, problem in BROKEN:
        folder = write(tmp_path / "source", [*GOOD, line], [ALONE])
        with pytest.raises(UserError) as refused:
            build(builder, tmp_path / "m", "--source", folder)
        assert f"{folder / 'train.csv'}, line 4: " in str(refused.value)
        assert problem in str(refused.value)
        assert not (tmp_path / "m").exists()


def test_mazes_with_several_shortest_paths_are_counted_and_a_test_question_in_training_is_refused(
    tmp_path: Path,
) -> None:
    dataset = build(builder, tmp_path / "m", "--source", write(tmp_path / "s", [GOOD[0], ALONE], [GOOD[1]]))
    assert about(dataset).facts["mazes_with_several_shortest_paths"] == {"train": 1, "test": 1}
    with pytest.raises(UserError, match=r"test\.csv, line 2: the question .* too, .*train\.csv, line 3"):
        build(builder, tmp_path / "other", "--source", write(tmp_path / "s", GOOD, [GOOD[1]]))


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        (["--generate", "--size", "9", "--min-length", "49"], "up to 48 steps"),
        (["--generate", "--size", "9", "--loops", "17"], "up to 16"),
        (["--generate", "--size", "3", "--min-length", "4", "--train-size", "300"], "gave no new one"),
        (["--generate", "--size", "2"], "3..128"),
        (["--generate", "--source", "here"], "--source with --generate"),
        (["--size", "9", "--loops", "2"], "--size --loops without --generate"),
        (["--source", "here", "--source-repo", "there"], "one of the two"),
        (["--source", "nowhere"], "train.csv"),
    ):
        with pytest.raises(UserError, match=message):
            build(builder, tmp_path / "m", *flags)
        assert not (tmp_path / "m").exists()
