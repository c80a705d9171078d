"""Questions of every family are those on record, differ, fit, and have the answer that follows from their text."""

import hashlib
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.text.reading_sets import problems
from tests.trm_lab.puzzles.text.rules import answer
from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.puzzles.text.answer_reading import reading
from trm_lab.puzzles.text.math_builder import ANSWER_LENGTH, CATEGORIES, QUESTION_LENGTH
from trm_lab.puzzles.text.math_symbols import SYMBOL_CATEGORIES
from trm_lab.puzzles.text.qa_builder import LEVELS
from trm_lab.puzzles.text.question_sets import PRINTABLE, Sizes, draw_splits
from trm_lab.puzzles.text.questions import Family, Orders, Subsets, Template, Tuples, over
from trm_lab.puzzles.text.scorer import same_value

FAMILIES = {f"math/{family.name}": (family, QUESTION_LENGTH, ANSWER_LENGTH, 500) for family in CATEGORIES}
FAMILIES |= {
    f"{level.name}/{family.name}": (family, level.question_length, level.answer_length, 5000)
    for level in LEVELS
    for family in level.families
}
RECORD = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))


def digest_and_examples(family: Family) -> list[str]:
    """What questions.json holds of a family: the SHA-256 of 200 questions and answers, and one of each template."""
    drawn = problems(family, 200)
    examples = [" → ".join(problem) for problem in drawn[:: len(drawn) // len(family.templates)]]
    return [hashlib.sha256(json.dumps(drawn).encode()).hexdigest(), *examples]


def check_choices_show(template: Template) -> None:
    """Changing any one choice changes the question, and so do random changes of all: the choices count questions."""
    random = numpy_generator(1, "choices")
    spaces = template.spaces.values()
    choices = {tuple(int(random.integers(len(s))) for s in spaces) for _ in range(100)}
    for choice in list(choices)[:10]:
        for place, space in enumerate(spaces):
            choices |= {(*choice[:place], int(random.integers(len(space))), *choice[place + 1 :]) for _ in range(4)}
    assert len({template.problem(choice)[0] for choice in choices}) == len(choices)


def test_questions_and_answers_of_every_family_are_those_on_record() -> None:
    """The answers on record were found by a second way (sympy, counting, truth tables, calendars), too."""
    assert {name: digest_and_examples(family) for name, (family, *_) in FAMILIES.items()} == RECORD


@pytest.mark.parametrize("name", FAMILIES)
def test_questions_of_a_family_differ_and_fit(name: str) -> None:
    family, question_length, answer_length, fewest = FAMILIES[name]
    drawn = problems(family, 200)
    fitting = [len(question) <= question_length and len(label) < answer_length for question, label in drawn]
    assert np.mean(fitting) > 0.95
    assert set("".join(question + label for question, label in drawn)) <= set(PRINTABLE)
    for template in family.templates:
        assert template.size > fewest
        check_choices_show(template)


def test_deductions_hold_in_every_possible_world_and_calculus_agrees_with_sympy() -> None:
    answered = set()
    for name, (family, *_) in FAMILIES.items():
        for question, label in problems(family, 25 if family in SYMBOL_CATEGORIES else 60):
            found = answer(question)
            if found is not None:
                answered.add(name)
                same = same_value(label, found) if reading(label).kind == "expression" else label == found
                assert same, (question, label, found)
    deductions = ("kinship_chain", "quantifiers", "truth_tellers", "elimination")
    expected = {f"{level.name}/{family}" for level in LEVELS[2:] for family in deductions}
    expected |= {f"math/{name}" for name in ("algebra", "calculus", "linear_algebra", "trigonometry")}
    assert answered == expected | {"advanced/kinship"}


@pytest.mark.parametrize("category", SYMBOL_CATEGORIES, ids=lambda category: category.name)
def test_no_part_of_a_question_says_its_answer_in_another_form(category: Family) -> None:
    """An expression that could be copied out of the question would be worth as much as the answer."""
    for question, label in problems(category, 20):
        if reading(label).kind != "expression":
            continue
        words = question.rstrip(".?").split(" ")
        for start, end in itertools.combinations(range(len(words) + 1), 2):
            assert not same_value(label, " ".join(words[start:end]).strip(",:()")), (question, label)


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
