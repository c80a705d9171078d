r"""Scorer of questions with one true answer, the label's text: an answer is right if it says the same in any spelling.

A name before "=" counts where both answers give one, where an answer gives several, and where the question asks for
one; "x = 3" is otherwise as good as "3". Named values and what stands around "or" may come in any order.

E examples, Q question tokens, A answer slots; tokens as in `trm_lab/puzzles/text/tokens.py`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number
from trm_lab.puzzles.text.answer_reading import Value, name_value, reading
from trm_lab.puzzles.text.expressions import equal
from trm_lab.puzzles.text.tokens import BROKEN, END, FIRST_CHARACTER, TextTokens

LONGEST_QUESTION = 1 << 20
_LETTER = r"\$?\\?([A-Za-z](?:_?\d+)?(?:\([A-Za-z0-9]+\))?)\$?"
_ASKS_FOR = re.compile(
    r"\b(?:for|is|are|of|find|determine|compute|calculate|evaluate|give) \(?"
    rf"{_LETTER}(?:, ?{_LETTER})?(?:,? and {_LETTER}|, ?{_LETTER})?\)?(?=[?.,;:!]|$)",
    re.IGNORECASE,
)
_UNNAMED_LISTS = ("list", "any order")


def answer_scorer(facts: Mapping[str, Any]) -> Scorer:
    """The scorer of a dataset of texts.

    Verdicts: "solved" the answer has the true one's value (`same_value`); "exact" it is the same character for
    character; "well_formed" characters, and then nothing but END.

    Args:
        facts: what `TextTokens.facts` gave when the dataset was built.

    Raises:
        UserError: they are not that.
    """
    tokens = TextTokens.from_facts(facts)
    question_length = whole_number(facts, "question_length", 0, LONGEST_QUESTION)

    def judge(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        truths = tokens.decode_answers(labels, question_length)
        answers = tokens.decode_answers(predictions, question_length)
        questions = (  # read only where the answer may give a name
            tokens.decode(row[:question_length]) if "=" in answer else ""
            for row, answer in zip(np.asarray(inputs), answers, strict=True)
        )
        return {
            SOLVED: np.array(list(map(same_value, truths, answers, questions)), bool),
            "exact": np.array([truth == answer for truth, answer in zip(truths, answers, strict=True)], bool),
            "well_formed": _well_formed(np.asarray(predictions)[:, question_length:], tokens.vocab_size),
        }

    return judge


def _well_formed(answers: NDArray[np.integer], vocab_size: int) -> NDArray[np.bool_]:
    """Whether each row of tokens `[E, A]` is characters and then END to the last slot, which may be a character."""
    ended = np.logical_or.accumulate(answers == END, axis=1)
    character = (answers >= FIRST_CHARACTER) & (answers < vocab_size)
    return np.asarray(np.where(ended, answers == END, character).all(axis=1))


def same_value(truth: str, answer: str, question: str = "") -> bool:
    """Whether `answer` says what `truth` says; the question tells which names it asks for."""
    if BROKEN in answer:
        return False
    if truth == answer:
        return True
    value = reading(answer)
    names = requested_names(question) if value.kind in ("name", "names") else ()
    return _same(_with_names(reading(truth), value, names), value)


def requested_names(question: str) -> tuple[str, ...]:
    """The letters whose values a question asks for last, in its order: "… Find x and y." asks for x and y."""
    requests = _ASKS_FOR.findall(question)
    return tuple(letter for letter in requests[-1] if letter) if requests else ()


def _with_names(truth: Value, answer: Value, names: Sequence[str]) -> Value:
    """The truth with the names that the question asks for, where it has none of its own."""
    if not names or truth.kind in ("name", "names"):
        return truth
    if answer.kind == "names" and truth.kind in _UNNAMED_LISTS and truth.text in ("", "()", "{}"):
        letters = [*names] * len(truth.parts) if len(names) == 1 else names
        if len(truth.parts) != len(letters):
            return truth
        return Value("names", parts=tuple(map(name_value, letters, truth.parts)))
    return name_value(names[0], truth) if len(names) == 1 else truth


def _same(truth: Value, answer: Value) -> bool:
    kinds = {truth.kind, answer.kind}
    if "names" in kinds:
        return _same_names(truth, answer)
    if "name" in kinds:
        return _same_name(truth, answer)
    if "any order" in kinds:
        return _same_in_any_order(truth, answer)
    if truth.kind == "expression" and answer.kind in ("expression", "number"):
        return equal(truth.text, answer.text if answer.number is None else answer.number)
    if kinds == {"expression", "text"}:  # x*y and xy, which could be a word
        return equal(truth.text, answer.text)
    if kinds == {"expression", "number"}:
        return truth.number == answer.number
    if len(kinds) > 1:
        return False
    if truth.kind in ("list", "relation"):
        return _same_parts(truth, answer)
    return (truth.number, truth.text) == (answer.number, answer.text)


def _same_name(truth: Value, answer: Value) -> bool:
    """Both with their names, which may be two sides of x = y; or without, where one has none."""
    if truth.kind == answer.kind:
        a, b = truth.parts[0], answer.parts[0]
        return (truth.text == answer.text and _same(a, b)) or (truth.text, a.text) == (b.text, answer.text)
    return _same(*(side.parts[0] if side.kind == "name" else side for side in (truth, answer)))


def _same_names(truth: Value, answer: Value) -> bool:
    """The same names with the same values; or without, where one side has none and the other a single name."""
    if truth.kind == answer.kind:
        return _same_set(truth.parts, answer.parts)
    named, other = (truth, answer) if truth.kind == "names" else (answer, truth)
    if len({part.text for part in named.parts}) > 1 or other.kind not in _UNNAMED_LISTS:
        return False
    values = Value("any order", parts=tuple(part.parts[0] for part in named.parts))
    return _same_in_any_order(*((values, other) if truth is named else (other, values)))


def _same_in_any_order(truth: Value, answer: Value) -> bool:
    if not {truth.kind, answer.kind} <= set(_UNNAMED_LISTS):
        return False
    same_brackets = truth.text == answer.text or {truth.text, answer.text} <= {"", "{}"}
    return same_brackets and _same_set(truth.parts, answer.parts)


def _same_parts(truth: Value, answer: Value) -> bool:
    """Lists with the same brackets, or relations with the same signs, whose parts are the same."""
    if truth.text != answer.text or len(truth.parts) != len(answer.parts):
        return False
    if truth.text == "{}":
        return _same_set(truth.parts, answer.parts)
    if all(map(_same, truth.parts, answer.parts)):
        return True
    symmetric = truth.kind == "relation" and truth.text in ("=", "!=")
    return symmetric and all(map(_same, truth.parts, answer.parts[::-1]))


def _same_set(truths: Sequence[Value], answers: Sequence[Value]) -> bool:
    """Whether each truth has an answer of its own, and no answer is left."""
    left = list(answers)
    for truth in truths:
        match = next((other for other in left if _same(truth, other)), None)
        if match is None:
            return False
        left.remove(match)
    return not left
