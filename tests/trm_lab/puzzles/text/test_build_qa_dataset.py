"""Question-answer sets: right answers, no repeats, balance, and what is refused."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trm_lab.puzzles.builders import (
    build,
    check_help,
    check_learns_and_is_scored,
    check_same_bytes_twice,
)
from tests.trm_lab.puzzles.text import qa_rules_steps, qa_rules_stories
from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About, read_about
from trm_lab.puzzles.text import qa_builder as build_qa_dataset
from trm_lab.puzzles.text.qa_levels import LEVELS
from trm_lab.puzzles.text.question_families import Family, Orders, Subsets, Template, Tuples, over
from trm_lab.puzzles.text.question_sets import PRINTABLE, Sizes, draw_splits
from trm_lab.puzzles.text.tokens import TextTokens

FAMILIES = [(level, family) for level in LEVELS for family in level.families]
NAMES = [f"{level.name}/{family.name}" for level, family in FAMILIES]
STORIES = {"kinship"} | {family.name for family in LEVELS[2].families}


def answer(family: str, question: str) -> str:
    """The answer by rules that know only the text."""
    return (qa_rules_stories if family in STORIES else qa_rules_steps).RULES.answer(question)


def problems(family: Family, count: int, seed: int = 3) -> list[tuple[str, str]]:
    """`count` questions of a family, whatever its balance."""
    random = numpy_generator(seed, "test")
    share = -(-count // len(family.templates))
    return [p for template in family.templates for p in itertools.islice(template.questions(random), share)]


def check_choices_show(template: Template) -> None:
    """Changing any one choice changes the question, and so do random changes of all of them."""
    random = numpy_generator(1, "choices")
    rows = {tuple(int(random.integers(len(s))) for s in template.spaces) for _ in range(200)}
    for row in list(rows)[:20]:
        for place, space in enumerate(template.spaces):
            rows |= {(*row[:place], int(random.integers(len(space))), *row[place + 1 :]) for _ in range(5)}
    made = {template.write(*(s[i] for s, i in zip(template.spaces, row, strict=True)))[0] for row in rows}
    assert len(made) == len(rows)


def read(dataset: Path) -> tuple[About, dict[str, list[tuple[str, str]]]]:
    """What a dataset says of itself, and its questions and answers as texts."""
    about = read_about(dataset)
    assert about is not None
    tokens, length = TextTokens.from_facts(about.facts), about.facts["question_length"]
    texts = {}
    for split in ("train", "test"):
        inputs, labels = (np.load(dataset / split / f"all__{name}.npy") for name in ("inputs", "labels"))
        questions = [tokens.decode(row[:length]) for row in inputs]
        texts[split] = list(zip(questions, tokens.decode_answers(labels, length), strict=True))
    return about, texts


@pytest.mark.parametrize(("level", "family"), FAMILIES, ids=NAMES)
def test_every_answer_follows_from_the_questions_text(level: Any, family: Family) -> None:
    for question, given in problems(family, 300):
        assert answer(family.name, question) == given, question


@pytest.mark.parametrize(("level", "family"), FAMILIES, ids=NAMES)
def test_questions_fit_their_level_and_its_characters(level: Any, family: Family) -> None:
    made = problems(family, 400)
    fitting = [len(q) <= level.question_length and len(a) < level.answer_length for q, a in made]
    assert np.mean(fitting) > 0.95
    assert set("".join(q + a for q, a in made)) <= set(PRINTABLE)


@pytest.mark.parametrize(("level", "family"), FAMILIES, ids=NAMES)
def test_different_choices_make_different_questions(level: Any, family: Family) -> None:
    """So that the product of the choices is the number of questions."""
    for template in family.templates:
        assert template.size > 5000
        check_choices_show(template)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_datasets_have_no_question_twice_and_balanced_answers(level: Any, tmp_path: Path) -> None:
    flags = [] if level.name == "plain" else [f"--{level.name}"]
    out = build(build_qa_dataset, tmp_path / "d", *flags, "--train-size", 600, "--test-size", 245)
    about, texts = read(out)
    asked = [question for split in texts.values() for question, _ in split]
    assert len(set(asked)) == len(asked) == 845
    assert (about.name, about.protocol, about.scorer) == (f"qa-{level.name}", "clean", "answer")
    families = about.facts["families"]
    assert list(families) == [family.name for family in level.families]
    for place, family in enumerate(level.families):
        for split, rows in texts.items():
            mine = rows[place :: len(families)]  # the families take turns
            assert len(mine) == families[family.name][split]
            assert all(answer(family.name, question) == given for question, given in mine)
        mine = texts["test"][place :: len(families)]
        commonest = max(Counter(given for _, given in mine).values())
        assert families[family.name]["most_common_answer_share"] == round(commonest / len(mine), 4)
        if family.answers:
            assert commonest <= -(-len(mine) // family.answers)
        assert families[family.name]["questions_that_exist"] == family.size
    assert about.facts["most_common_answer_share"] < 0.25


def test_answer_slots_of_the_input_are_masked(tmp_path: Path) -> None:
    out = build(build_qa_dataset, tmp_path / "d", "--train-size", 40, "--test-size", 20)
    about, _ = read(out)
    inputs = np.load(out / "train" / "all__inputs.npy")
    labels = np.load(out / "train" / "all__labels.npy")
    length = about.facts["question_length"]
    assert (inputs[:, length:] == 1).all()
    assert (labels[:, :length] == 0).all()
    assert (labels[:, length:] >= 2).all()


def test_the_scorer_accepts_the_answers_and_rejects_changed_ones(tmp_path: Path) -> None:
    out = build(build_qa_dataset, tmp_path / "d", "--advanced", "--train-size", 20, "--test-size", 400)
    about, texts = read(out)
    scorer = scorer_of(about)
    assert scorer is not None
    inputs, labels = (np.load(out / "test" / f"all__{name}.npy") for name in ("inputs", "labels"))
    assert scorer(inputs, labels, labels)["solved"].all()
    changed = labels.copy()
    changed[:, about.facts["question_length"]] = TextTokens(PRINTABLE).encode("#")[0]
    assert not scorer(inputs, labels, changed)["solved"].any()
    others = np.roll(labels, 11, axis=0)  # another question's answer, of the same family
    same = np.array(
        [a == b for (_, a), (_, b) in zip(texts["test"], np.roll(texts["test"], 11, 0), strict=True)]
    )
    assert np.array_equal(scorer(inputs, labels, others)["solved"], same)


def test_chosen_families_only(tmp_path: Path) -> None:
    out = build(
        build_qa_dataset,
        tmp_path / "d",
        "--families",
        "clock",
        "sequence",
        "--train-size",
        5,
        "--test-size",
        2,
    )
    about, texts = read(out)
    assert {name: facts["train"] for name, facts in about.facts["families"].items()} == {
        "clock": 3,
        "sequence": 2,
    }
    assert texts["train"][0][0].startswith("It is")
    assert texts["train"][1][0].startswith("Which number comes next")


def test_longer_questions_are_not_asked(tmp_path: Path) -> None:
    flags = ("--families", "calendar", "--max-question-length", 52, "--train-size", 100, "--test-size", 10)
    _, texts = read(build(build_qa_dataset, tmp_path / "d", *flags))
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


def test_an_existing_dataset_is_replaced_only_when_told(tmp_path: Path) -> None:
    flags = ("--train-size", 20, "--test-size", 5)
    build(build_qa_dataset, tmp_path / "d", *flags)
    with pytest.raises(UserError, match="already holds a dataset"):
        build(build_qa_dataset, tmp_path / "d", *flags)
    build(build_qa_dataset, tmp_path / "d", *flags, "--overwrite")


def test_every_question_of_a_small_family_can_be_asked() -> None:
    @over("ab", Orders(range(4), 2))
    def template(letter: str, pair: tuple[int, int]) -> tuple[str, str]:
        return f"{letter}{pair}", str(sum(pair) % 2)

    assert isinstance(template, Template)
    family = Family("small", (template,), answers=2)
    drawn = draw_splits([family], Sizes(20, 4, 64, 12), seed=0)["small"]
    assert len({question for split in drawn.values() for question, _ in split}) == 24 == family.size
    assert Counter(given for _, given in drawn["test"]) == {"0": 2, "1": 2}  # of 8 and 16 that exist
    with pytest.raises(UserError, match="at most 24"):
        draw_splits([family], Sizes(21, 4, 64, 12), seed=0)


def test_no_question_repeats_in_a_space_too_large_to_list() -> None:
    """Of 360,000 questions 4,000 are drawn: some 20 draws are repeats."""

    @over(range(600), range(600))
    def template(a: int, b: int) -> tuple[str, str]:
        return f"{a} {b}", "0"

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


def test_same_flags_give_the_same_bytes(tmp_path: Path) -> None:
    check_same_bytes_twice(
        build_qa_dataset, tmp_path, "--ultra-complex-small", "--train-size", 30, "--test-size", 10
    )


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
