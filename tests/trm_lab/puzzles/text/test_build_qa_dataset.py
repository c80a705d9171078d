"""Question-answer sets: no repeats, balance, and what is refused."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data import build_qa_dataset
from tests.trm_lab.puzzles.builders import arrays, build, check_same_bytes_twice
from tests.trm_lab.puzzles.text.reading_sets import read
from tests.trm_lab.puzzles.text.rules import answer
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.text.qa_builder import LEVELS
from trm_lab.puzzles.text.question_sets import PRINTABLE
from trm_lab.puzzles.text.tokens import TextTokens


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
            assert all(answer(question) in (None, label) for question, label in rows)
        commonest = max(Counter(label for _, label in own["test"]).values())
        assert facts[family.name]["most_common_answer_share"] == round(commonest / len(own["test"]), 4)
        assert facts[family.name]["questions_that_exist"] == family.size
        if family.answers:
            assert commonest <= -(-len(own["test"]) // family.answers)
    assert about.facts["most_common_answer_share"] < 0.25

    scorer = scorer_of(about)
    assert scorer is not None
    inputs, labels, _ = arrays(out, "test")
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
    assert {name: facts["train"] for name, facts in about.facts["families"].items()} == {"calendar": 51, "sequence": 50}
    assert all(question.startswith("Which number comes next") for question, _ in texts["train"][1::2])
    assert max(len(question) for question, _ in texts["train"]) <= 52


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        (["--families", "clok"], "--families clok"),
        (["--families", "clock", "clock"], "--families clock twice"),
        (["--advanced", "--families", "clock"], "--families clock"),
        (["--families", "sequence", "--train-size", "300000"], "205,992, which is how many exist"),
        (["--families", "clock", "--max-question-length", "30", "--train-size", "9"], "short enough"),
        (["--families", "calendar", "--max-answer-length", "2", "--train-size", "9"], "short enough"),
        (["--advanced", "--ultra-complex"], "not allowed with"),
        (["--train-size", "0"], "0 is out of range\n  allowed: an integer, at least 1"),
    ):
        with pytest.raises(UserError, match=message):
            build(build_qa_dataset, tmp_path / "d", "--test-size", "5", *flags)
        assert not list(tmp_path.iterdir())


def test_same_flags_give_the_same_bytes_and_a_dataset_is_replaced_only_when_told(tmp_path: Path) -> None:
    flags = ("--ultra-complex-small", "--train-size", 30, "--test-size", 10)
    check_same_bytes_twice(build_qa_dataset, tmp_path, *flags)
    with pytest.raises(UserError, match="already holds a dataset"):
        build(build_qa_dataset, tmp_path / "first", *flags)
    build(build_qa_dataset, tmp_path / "first", *flags, "--overwrite")
