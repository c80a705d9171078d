"""Datasets of reasoning-gym: splits, limits and messages with a stand-in library, and the real one where it is."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data import build_reasoning_gym_dataset
from tests.trm_lab.puzzles.builders import arrays, build, check_same_bytes_twice
from tests.trm_lab.puzzles.text.reading_sets import read
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import read_category_names
from trm_lab.puzzles.reasoning_gym import builder
from trm_lab.puzzles.reasoning_gym.process import CHUNK, place
from trm_lab.puzzles.text.tokens import PAD

SMALL = ("--train-size", 40, "--test-size", 10)


def built(folder: Path, task: str, *flags: object) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """The facts and the texts of the training and the test split of a small dataset."""
    about, texts = read(build(build_reasoning_gym_dataset, folder / "d", "--task", task, *SMALL, *flags))
    assert (about.name, about.protocol, about.scorer) == (f"reasoning-gym-{task}", "clean", "reasoning_gym")
    return about.facts, texts["train"], texts["test"]


def terms(question: str) -> list[int]:
    return list(map(int, question.split(" + ")))


@pytest.mark.usefixtures("stub")
def test_questions_differ_within_and_between_splits_and_answers_are_kept(tmp_path: Path) -> None:
    facts, train, test = built(tmp_path, "sums", "--option", "largest=9")
    assert (len(train), len(test)) == (40, 10)
    assert len({question for question, _ in train + test}) == 50
    for question, answer in train + test:
        assert sum(terms(question)) == int(answer)
        assert max(terms(question)) <= 9
    expected = {"task": "sums", "options": {"largest": 9}, "library": "reasoning-gym 0.0", "seed": 0}
    assert expected.items() <= facts.items()
    assert facts["test_questions_where_nonsense_is_right"] == 0
    assert facts["left_out"]["train"]["question seen before"] > 0  # 100 questions in all
    with pytest.raises(UserError, match="already holds a dataset"):
        built(tmp_path, "nothing")
    _, _, again = built(tmp_path, "sums", "--option", "largest=9", "--train-size", 20, "--overwrite")
    assert again == test  # whatever the size of the training split
    limits = ("--max-question-length", 6, "--max-answer-length", 2)
    facts, train, test = built(tmp_path, "sums", *limits, "--overwrite")
    assert all(len(question) <= 6 and len(answer) <= 2 for question, answer in train + test)
    assert facts["left_out"]["train"].keys() >= {"question over 6 characters", "answer over 2 characters"}


@pytest.mark.usefixtures("stub")
def test_questions_are_told_apart_by_the_first_level_in_which_they_differ_where_the_library_says_it(
    tmp_path: Path,
) -> None:
    built(tmp_path, "graded")
    names = read_category_names(tmp_path / "d")
    assert names is not None
    assert (names.by, names.names) == ("largest", ["1", "2", "3"])
    assert np.bincount(np.load(tmp_path / "d/train/all__categories.npy")).min() > 5
    built(tmp_path, "sums", "--overwrite")
    assert read_category_names(tmp_path / "d") is None


@pytest.mark.usefixtures("stub")
def test_same_flags_same_bytes_though_the_library_walks_through_sets_and_draws_from_the_global_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)  # else every process would hash alike anyhow
    check_same_bytes_twice(build_reasoning_gym_dataset, tmp_path, "--task", "unordered", *SMALL)


@pytest.mark.usefixtures("stub")
def test_entries_without_a_verified_answer_and_a_verifier_that_takes_nonsense_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, train, test = built(tmp_path / "faulty", "faulty")
    assert all(answer.isdigit() for _, answer in train + test)
    counts = {"the library failed": 10, "reference answer refused by the verifier": 10}
    assert (facts["left_out"]["test"], facts["test_scanned"]) == (counts, 30)
    assert "10 of 30 entries left out: the library failed" in capsys.readouterr().out
    facts, _, test = built(tmp_path / "lenient", "lenient")
    short = sum(len(answer) < 3 for _, answer in test)
    assert 0 < short < 10
    assert facts["test_questions_where_nonsense_is_right"] == short
    assert f"calls '?' right on {short} of 10 test questions" in capsys.readouterr().out
    _, _, test = built(tmp_path / "colours", "graph_color")  # no reference answer, but an example of one
    assert test[0][1] == '{"0": 0}'


@pytest.mark.usefixtures("stub")
def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        (("--task", "sum"), r"no task 'sum'\n.*one of its 10 tasks, such as sums\n.*did you mean sums"),
        (("--task", "sums", "--option", "smallest=1"), r"no option 'smallest'\n  allowed: largest"),
        (("--task", "sums", "--option", "seed=1"), "no option 'seed'"),
        (("--task", "sums", "--option", "largest=0"), "AssertionError: largest must be at least 1"),
        (("--task", "sums", "--option", "largest"), "is not KEY=VALUE"),
        (("--task", "sums", "--option", "largest=1"), "4 questions for the test split in 1.*question seen before"),
        (("--task", "lenient", "--option", "largest=9"), r"calls the answer '\?' right on 10 of 10 test questions"),
        (("--task", "speechless"), "1000 × no reference answer"),
        (("--task", "fatal"), "stopped in task fatal: a fatal fault"),
        (("--task", "fickle"), "makes other entries of the same seed each time"),
    ):
        with pytest.raises(UserError, match=message):
            build(build_reasoning_gym_dataset, tmp_path / "none", *SMALL, *flags)
        assert not (tmp_path / "none").exists()


def test_option_values_are_read_as_json_or_python_or_text() -> None:
    values = {
        "a=3": 3, "a=true": True, "a=True": True, "a=[1, 2]": [1, 2], "a=('+', '-')": ("+", "-"), "a=b=c": "b=c"
    }  # fmt: skip
    assert {text: builder._option(text)[1] for text in values} == values


def test_places_of_different_splits_are_far_apart() -> None:
    seeds = [place(0, split, CHUNK * chunk)[0] for split in ("train", "test") for chunk in range(50)]
    assert np.diff(sorted(seeds)).min() > CHUNK  # since the library adds the index to the seed
    assert place(0, "test", 2 * CHUNK + 7)[1] == 7
    assert CHUNK % builder._ENTRIES_AT_ONCE == 0


LONG = pytest.mark.long
REAL = [
    ("gsm_symbolic",),
    ("n_queens", "--option", "n=6", "--option", "max_remove=6"),
    ("rubiks_cube", "--option", "max_scramble_steps=4", "--max-answer-length", 1000),
    ("ransom_note",),  # walks through sets
    ("list_functions",),  # draws from the global generator
    pytest.param(("mini_sudoku", "--option", "min_empty=4"), marks=LONG),
    *(pytest.param((task,), marks=LONG) for task in ("maze", "basic_arithmetic", "propositional_logic", "graph_color")),
    pytest.param(("codeio", "--max-question-length", 20_000, "--max-answer-length", 5000), marks=LONG),
]  # fmt: skip


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("flags", REAL, ids=lambda flags: flags[0])
def test_the_librarys_own_tasks_are_built_and_their_answers_are_right(tmp_path: Path, flags: tuple[str, ...]) -> None:
    task, sizes = flags[0], ("--train-size", 12, "--test-size", 6)
    dataset = build(build_reasoning_gym_dataset, tmp_path / task, "--task", *flags, *sizes)
    about, texts = read(dataset)
    assert len({question for split in texts.values() for question, _ in split}) == 18
    scorer = scorer_of(about)
    assert scorer is not None
    inputs, labels, _ = arrays(dataset, "test")
    assert Counter(scorer(inputs, labels, labels)["solved"].tolist()) == {True: 6}
    wrong = np.roll(labels, 1, axis=0)
    wrong = np.where((labels == wrong).all(axis=1, keepdims=True), PAD, wrong)  # the same answer twice
    if task not in ("n_queens", "propositional_logic", "graph_color"):  # where other answers may be right too
        assert not scorer(inputs, labels, wrong)["solved"].any()
