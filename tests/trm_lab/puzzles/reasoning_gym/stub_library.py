"""A stand-in for the library reasoning-gym, so that what we do with it is tested where it is not installed.

Its tasks have the library's virtues and faults: other answers than the reference are right, and its verifiers crash,
print, draw from the global generator and walk through sets.
"""

import os
from pathlib import Path

import pytest

STUB = """
import os, random, re, sys, time
from dataclasses import dataclass

print("loading")


@dataclass
class Config:
    largest: int = 99
    seed: int = 0
    size: int = 1

    def validate(self):
        assert self.largest >= 1, "largest must be at least 1"


class Sums:
    def __init__(self, config):
        self.config = config

    def question(self, random):
        return "{} + {}".format(random.randint(0, self.config.largest), random.randint(0, self.config.largest))

    def __getitem__(self, index):
        question = self.question(random.Random(self.config.seed + index))
        print("made", question)
        return {"question": question, "answer": str(sum(map(int, question.split(" + ")))), "metadata": {}}

    def score_answer(self, answer, entry):
        if answer.startswith("-"):
            os._exit(3)
        while answer.startswith("+"):
            time.sleep(0.1)
        found = re.search("[0-9.]+", answer).group()  # the first number, whatever surrounds it
        return 1.0 if float(found) == float(entry["answer"]) else 0.01


class Graded(Sums):
    def __getitem__(self, index):
        levels = {"side": 9, "largest": index % 3 + 1, "shape": "round", "difficulty": {"side": 9, "largest": (1, 3)}}
        return super().__getitem__(index) | {"metadata": levels}


class Unordered(Sums):
    def question(self, _):
        return " + ".join({str(random.randint(0, 9)) for _ in range(9)})


class Fickle(Sums):
    def question(self, random):
        return "{} + {}".format(random.randint(0, 99), os.getpid())


class Colours(Sums):
    def __getitem__(self, index):
        return super().__getitem__(index) | {"answer": None, "metadata": {"possible_answer": {"0": index}}}

    def score_answer(self, answer, entry):
        return 1.0 if "0" in answer else 0.0


class Speechless(Sums):
    def __getitem__(self, index):
        return super().__getitem__(index) | {"answer": None}


class Faulty(Sums):
    def __getitem__(self, index):
        if index % 3 == 0:
            raise RuntimeError("no entry")
        return super().__getitem__(index) | ({"answer": "no number"} if index % 3 == 1 else {})


class Fatal(Sums):
    def __getitem__(self, index):
        sys.exit("a fatal fault")


class Lenient(Sums):
    def score_answer(self, answer, entry):
        return 1.0 if len(entry["answer"]) < 3 else super().score_answer(answer, entry)


class Board(Sums):
    def score_answer(self, answer, entry):
        return 1.0 if eval(answer) == eval(entry["answer"]) else 0.0


CLASSES = {
    "sums": Sums, "graded": Graded, "unordered": Unordered, "fickle": Fickle, "graph_color": Colours,
    "speechless": Speechless, "faulty": Faulty, "fatal": Fatal, "lenient": Lenient, "n_queens": Board,
}
DATASETS = {name: (cls, Config) for name, cls in CLASSES.items()}
"""


def install_stub(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str = STUB) -> None:
    """Let `folder` be where this process and those that it starts find reasoning-gym 0.0."""
    package, metadata = folder / "reasoning_gym", folder / "reasoning_gym-0.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").write_text("")
    (package / "factory.py").write_text(source)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: reasoning-gym\nVersion: 0.0\n")
    parser = folder / "workers" / "sympy" / "parsing"  # so that no worker waits for the real sympy
    parser.mkdir(parents=True)
    for package_of_parser in (parser.parent, parser):
        (package_of_parser / "__init__.py").write_text("")
    (parser / "sympy_parser.py").write_text("parse_expr = None")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{folder / 'workers'}")
