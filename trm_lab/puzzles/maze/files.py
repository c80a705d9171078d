"""Mazes in the form of Maze-Hard's CSV files, each checked. E mazes of side n."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_lab.commands.progress import track
from trm_lab.puzzles.maze.search import ringed, search
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_FREE, MAZE_GOAL, MAZE_PATH, MAZE_START, MAZE_WALL
from trm_lab.puzzles.published_csv import bad_record, place, read_rows
from trm_lab.puzzles.square_symmetries import canonical

_CHARACTERS = MAZE_CHARACTERS[1:]
_FREE, _START, _GOAL, _PATH = (MAZE_CHARACTERS[token] for token in (MAZE_FREE, MAZE_START, MAZE_GOAL, MAZE_PATH))
_ALLOWED = (
    f"square mazes of one size in the characters {_CHARACTERS!r} with one S and one G, and answers that mark a "
    "shortest path between them with o and change nothing else"
)


@dataclass(frozen=True)
class Record:
    """One maze with its answer, in characters.

    where: its file and line, for errors.
    """

    where: str
    question: str
    answer: str


@dataclass(frozen=True)
class Mazes:
    """Mazes with their answers.

    questions, answers: tokens `[E, n, n]`.
    shortest_paths: `[E]` how many shortest paths each has; 1 where the answer is the only one.
    places: `[E]` the file and line of each, for errors; none of mazes made here.
    """

    questions: NDArray[np.uint8]
    answers: NDArray[np.uint8]
    shortest_paths: Sequence[int]
    places: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.questions)

    def chosen(self, which: Sequence[int]) -> "Mazes":
        """Select mazes by number, in this order."""
        numbers = np.asarray(which, np.intp)
        return Mazes(
            self.questions[numbers],
            self.answers[numbers],
            [self.shortest_paths[number] for number in which],
            [self.places[number] for number in which] if self.places else (),
        )

    def lengths(self) -> NDArray[np.int64]:
        """Steps `[E]` from start to goal."""
        return (self.answers == MAZE_PATH).sum((1, 2)) + 1

    def images_among(self, others: "Mazes") -> list[tuple[int, int]]:
        """The mazes of which an image is among the others: (its number, the number of the first such other)."""
        first: dict[bytes, int] = {}
        for number, key in enumerate(canonical(others.questions).tolist()):
            first.setdefault(key, number)
        keys = canonical(self.questions).tolist()
        return [(number, first[key]) for number, key in enumerate(keys) if key in first]


def read_mazes(files: dict[str, Path]) -> dict[str, Mazes]:
    """The mazes of each split's file.

    Raises:
        UserError: a broken file or record, sides that differ, or a test question that stands in training too.
    """
    records = {split: _records(file) for split, file in files.items()}
    side = math.isqrt(len(records["train"][0].question))
    mazes = {split: _checked(part, side, f"{split} mazes") for split, part in records.items()}
    training_places = {record.question: record.where for record in records["train"]}
    for record in records["test"]:
        if record.question in training_places:
            problem = f"the question stands in training too, {training_places[record.question]}"
            raise bad_record(record.where, problem, "a test split of its own")
    return mazes


def check_maze(record: Record, side: int) -> int:
    """Check a maze and its answer, and count the shortest paths of the maze.

    Raises:
        UserError: it, or its answer, is broken.
    """
    problem = _problem_in_text(record.question, record.answer, side)
    if problem:
        raise bad_record(record.where, problem, _ALLOWED)
    question, answer = (tokens_of(text).reshape(side, side) for text in (record.question, record.answer))
    start, goal = (_in_ring(record.question.index(letter), side) for letter in (_START, _GOAL))
    steps, paths = search(ringed(question != MAZE_WALL), side + 2, start)
    along, _ = search(ringed(np.isin(answer, (MAZE_START, MAZE_GOAL, MAZE_PATH))), side + 2, start)
    marked = record.answer.count(_PATH)
    if steps[goal] < 0:
        problem = "no path leads from S to G"
    elif along[goal] < 0:
        problem = "the answer does not join S and G"
    elif along[goal] != marked + 1:
        problem = f"the answer marks {marked} cells, of which {along[goal] - 1} join S and G"
    elif steps[goal] != along[goal]:
        problem = f"the answer takes {along[goal]} steps, and {steps[goal]} suffice"
    if problem:
        raise bad_record(record.where, problem, _ALLOWED)
    return paths[goal]


def tokens_of(text: str) -> NDArray[np.uint8]:
    """Tokens `[len(text)]` of a maze in characters."""
    table = np.zeros(128, np.uint8)
    table[[ord(character) for character in MAZE_CHARACTERS]] = np.arange(len(MAZE_CHARACTERS))
    return table[np.frombuffer(text.encode("ascii"), np.uint8)]


def _records(file: Path) -> list[Record]:
    return [
        Record(place(file, line), question, answer)
        for first, rows in read_rows(file)
        for line, (_, question, answer, _) in enumerate(rows, start=first)
    ]


def _checked(records: Sequence[Record], side: int, doing: str) -> Mazes:
    paths = [check_maze(record, side) for record in track(records, f"checking {doing}")]
    questions, answers = (
        tokens_of("".join(texts)).reshape(-1, side, side)
        for texts in zip(*((record.question, record.answer) for record in records), strict=True)
    )
    return Mazes(questions, answers, paths, [record.where for record in records])


def _problem_in_text(question: str, answer: str, side: int) -> str | None:
    if len(question) != side * side or not question:
        square = math.isqrt(len(question)) ** 2 == len(question) > 0
        return f"a question of {len(question)} characters, " + (
            f"where the first one has {side * side}" if square else "which is no square"
        )
    if len(answer) != len(question):
        return f"an answer of {len(answer)} characters to a question of {len(question)}"
    foreign = sorted(set(question + answer) - set(_CHARACTERS))
    if foreign:
        return f"the character {foreign[0]!r}"
    for letter in (_START, _GOAL):
        if question.count(letter) != 1:
            return f"{question.count(letter)} cells {letter} in the question"
    if _PATH in question:
        return f"the question has cells {_PATH}"
    for cell, (before, after) in enumerate(zip(question, answer, strict=True)):
        if before != after and (before, after) != (_FREE, _PATH):
            row, column = divmod(cell, side)
            return f"row {row + 1}, column {column + 1} is {before!r} in the question and {after!r} in the answer"
    return None


def _in_ring(cell: int, side: int) -> int:
    """The cell's number in the ringed maze."""
    row, column = divmod(cell, side)
    return (row + 1) * (side + 2) + column + 1
