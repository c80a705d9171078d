"""Question-answer sets: right answers, no repeats, balance, and what is refused."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data import build_qa_dataset
from tests.trm_lab.puzzles.builders import (
    build,
    check_help,
    check_learns_and_is_scored,
    check_same_bytes_twice,
)
from tests.trm_lab.puzzles.text import qa_rules_steps, qa_rules_stories
from tests.trm_lab.puzzles.text.family_checks import arrays, check_family, problems, read
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.text.qa_builder import LEVELS
from trm_lab.puzzles.text.question_sets import PRINTABLE, Sizes, draw_splits
from trm_lab.puzzles.text.questions import Family, Orders, Subsets, Tuples, over
from trm_lab.puzzles.text.tokens import TextTokens

FAMILIES = [
    pytest.param(level, family, id=f"{level.name}/{family.name}")
    for level in LEVELS
    for family in level.families
]
STORIES = {"kinship"} | {family.name for family in LEVELS[2].families}


def answer(family: str, question: str) -> str:
    """The answer by rules that know only the text."""
    return (qa_rules_stories if family in STORIES else qa_rules_steps).RULES.answer(question)


@pytest.mark.parametrize(("level", "family"), FAMILIES)
def test_questions_of_a_family_differ_fit_and_have_the_answer_that_follows_from_their_text(
    level: Any, family: Family
) -> None:
    check_family(family, level.question_length, level.answer_length, smallest=5000)
    for question, label in problems(family, 200):
        assert answer(family.name, question) == label, question


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_datasets_have_no_question_twice_balanced_answers_and_a_scorer_that_tells_right_from_wrong(
    level: Any, tmp_path: Path
) -> None:
    out = build(build_qa_dataset, tmp_path / "d", f"--{level.name}", "--train-size", 300, "--test-size", 245)
    about, texts = read(out)
    questions = [question for split in texts.values() for question, _ in split]
    assert len(set(questions)) == len(questions) == 545
    assert (about.name, about.protocol, about.scorer) == (f"qa-{level.name}", "clean", "answer")
    facts = about.facts["families"]
    assert list(facts) == [family.name for family in level.families]
    for place, family in enumerate(level.families):
        own = {split: rows[place :: len(facts)] for split, rows in texts.items()}  # the families take turns
        for split, rows in own.items():
            assert len(rows) == facts[family.name][split]
            assert all(answer(family.name, question) == label for question, label in rows)
        commonest = max(Counter(label for _, label in own["test"]).values())
        assert facts[family.name]["most_common_answer_share"] == round(commonest / len(own["test"]), 4)
        assert facts[family.name]["questions_that_exist"] == family.size
        if family.answers:
            assert commonest <= -(-len(own["test"]) // family.answers)
    assert about.facts["most_common_answer_share"] < 0.25

    scorer = scorer_of(about)
    assert scorer is not None
    inputs, labels = arrays(out, "test")
    assert scorer(inputs, labels, labels)["solved"].all()
    changed = labels.copy()
    changed[:, about.facts["question_length"]] = TextTokens(PRINTABLE).encode("#")[0]
    assert not scorer(inputs, labels, changed)["solved"].any()
    shift = len(facts)  # to another question of the same family
    same = [a == b for (_, a), (_, b) in zip(texts["test"], np.roll(texts["test"], shift, 0), strict=True)]
    assert scorer(inputs, labels, np.roll(labels, shift, axis=0))["solved"].tolist() == same


def test_only_the_chosen_families_are_asked_and_no_longer_questions(tmp_path: Path) -> None:
    flags = ("--families", "calendar", "sequence", "--max-question-length", 52)
    out = build(build_qa_dataset, tmp_path / "d", *flags, "--train-size", 101, "--test-size", 10)
    about, texts = read(out)
    assert {name: facts["train"] for name, facts in about.facts["families"].items()} == {
        "calendar": 51,
        "sequence": 50,
    }
    assert all(question.startswith("Which number comes next") for question, _ in texts["train"][1::2])
    assert max(len(question) for question, _ in texts["train"]) <= 52


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--families", "clok"], "--families clok"),
        (["--families", "clock", "clock"], "--families clock twice"),
        (["--advanced", "--families", "clock"], "--families clock"),
        (["--families", "sequence", "--train-size", "300000"], "205,992, which is how many exist"),
        (["--families", "clock", "--max-question-length", "30", "--train-size", "9"], "short enough"),
        (["--families", "calendar", "--max-answer-length", "2", "--train-size", "9"], "short enough"),
        (["--advanced", "--ultra-complex"], "not allowed with"),
        (["--train-size", "0"], "0 is out of range\n  allowed: an integer, at least 1"),
    ],
)
def test_what_cannot_be_built_is_refused(flags: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        build(build_qa_dataset, tmp_path / "d", "--test-size", "5", *flags)
    assert not list(tmp_path.iterdir())


def test_every_question_of_a_small_family_can_be_asked() -> None:
    @over(letter="ab", pair=Orders(range(4), 2))
    def template(letter: str, pair: tuple[int, int]) -> tuple[str, str]:
        return f"{letter}{pair}", str(sum(pair) % 2)

    family = Family("small", (template,), answers=2)
    drawn = draw_splits([family], Sizes(20, 4, 64, 12), seed=0)["small"]
    assert len({question for split in drawn.values() for question, _ in split}) == 24 == family.size
    assert Counter(label for _, label in drawn["test"]) == {"0": 2, "1": 2}  # of 8 and 16 that exist
    with pytest.raises(UserError, match="at most 24"):
        draw_splits([family], Sizes(21, 4, 64, 12), seed=0)


def test_no_question_repeats_in_a_space_too_large_to_list() -> None:
    """Of 360,000 questions 4,000 are drawn: some 20 draws are repeats."""
    template = over(a=range(600), b=range(600)).ask("{a} {b}", lambda a, b: 0)
    drawn = draw_splits([Family("large", (template,))], Sizes(3000, 1000, 64, 12), seed=0)["large"]
    assert len({question for split in drawn.values() for question, _ in split}) == 4000


def test_spaces_list_every_choice_once() -> None:
    for space, ways in (
        (Tuples("abc", 3), itertools.product("abc", repeat=3)),
        (Orders("abcd", 3), itertools.permutations("abcd", 3)),
        (Subsets("abcde", 3), itertools.combinations("abcde", 3)),
    ):
        assert sorted(space) == sorted(ways)
        assert len(space) == len(list(space))


def test_same_flags_give_the_same_bytes_and_a_dataset_is_replaced_only_when_told(tmp_path: Path) -> None:
    flags = ("--ultra-complex-small", "--train-size", 30, "--test-size", 10)
    check_same_bytes_twice(build_qa_dataset, tmp_path, *flags)
    with pytest.raises(UserError, match="already holds a dataset"):
        build(build_qa_dataset, tmp_path / "first", *flags)
    build(build_qa_dataset, tmp_path / "first", *flags, "--overwrite")


def test_help_shows_how(capsys: pytest.CaptureFixture[str]) -> None:
    check_help(build_qa_dataset, capsys)


def test_a_small_model_learns_and_is_scored(tmp_path: Path) -> None:
    flags = (
        "--families",
        "divisibility",
        "letter_count",
        "--max-question-length",
        48,
        "--max-answer-length",
        4,
    )
    out = build(build_qa_dataset, tmp_path / "d", *flags, "--train-size", 64, "--test-size", 16)
    check_learns_and_is_scored(out, "answer", steps=15)
