r"""Whether two answers say the same, in whatever spelling.

A name before "=" counts where both answers give one, where an answer gives several, and where the question asks for
one; "x = 3" is otherwise as good as "3". Named values and what stands around "or" may come in any order.
"""

import re
from collections.abc import Callable, Sequence

from trm_lab.puzzles.text.answer_reading import Value, reading
from trm_lab.puzzles.text.expression_values import equal
from trm_lab.puzzles.text.tokens import BROKEN

_LETTER = r"\$?\\?([A-Za-z](?:_?\d+)?(?:\([A-Za-z0-9]+\))?)\$?"
_ASKS = re.compile(
    r"\b(?:for|is|are|of|find|determine|compute|calculate|evaluate|give) \(?"
    rf"{_LETTER}(?:, ?{_LETTER})?(?:,? and {_LETTER}|, ?{_LETTER})?\)?(?=[?.,;:!]|$)",
    re.IGNORECASE,
)
_UNNAMED_LISTS = ("list", "any order")


def same_value(truth: str, answer: str, question: str = "") -> bool:
    """Whether `answer` says what `truth` says; the question tells which names were asked for."""
    if truth == answer:
        return BROKEN not in truth
    if BROKEN in answer:
        return False
    read = reading(answer)
    names = asked_names(question) if read.kind in ("name", "names") else ()
    return _same(_with_names_asked(reading(truth), read, names), read)


def asked_names(question: str) -> tuple[str, ...]:
    """The letters whose values a question asks for last, in its order: "… Find x and y." asks for x and y."""
    found = _ASKS.findall(question)
    return tuple(letter for letter in found[-1] if letter) if found else ()


def _with_names_asked(truth: Value, answer: Value, names: Sequence[str]) -> Value:
    """The truth with the names that were asked for, where it has none of its own."""
    if not names or truth.kind in ("name", "names"):
        return truth
    if answer.kind == "names" and truth.kind in _UNNAMED_LISTS and truth.text in ("", "()", "{}"):
        each = [*names] * len(truth.parts) if len(names) == 1 else names
        if len(truth.parts) != len(each):
            return truth
        pairs = zip(each, truth.parts, strict=True)
        return Value("names", parts=tuple(Value("name", parts=(one,), text=name) for name, one in pairs))
    return Value("name", parts=(truth,), text=names[0]) if len(names) == 1 else truth


def _same(truth: Value, answer: Value) -> bool:
    if truth.kind == "names" or answer.kind == "names":
        return _same_names(truth, answer)
    if truth.kind == "name" or answer.kind == "name":
        return _same_name(truth, answer)
    if "any order" in (truth.kind, answer.kind):
        return _same_in_any_order(truth, answer)
    if truth.kind == "expression" and answer.kind in ("expression", "number"):
        return equal(truth.text, answer.text if answer.number is None else answer.number)
    if {truth.kind, answer.kind} == {"expression", "text"}:  # x*y and xy, which could be a word
        return equal(truth.text, answer.text)
    if truth.kind == "number" and answer.kind == "expression":
        return truth.number == answer.number
    if truth.kind != answer.kind:
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
        return _match(truth.parts, answer.parts, _same)
    named, other = (truth, answer) if truth.kind == "names" else (answer, truth)
    if len({part.text for part in named.parts}) > 1 or other.kind not in _UNNAMED_LISTS:
        return False
    values = Value("any order", parts=tuple(part.parts[0] for part in named.parts))
    return _same_in_any_order(*((values, other) if truth is named else (other, values)))


def _same_in_any_order(truth: Value, answer: Value) -> bool:
    if not {truth.kind, answer.kind} <= set(_UNNAMED_LISTS):
        return False
    brackets = {truth.text, answer.text}
    alike = len(brackets) == 1 or brackets <= {"", "{}"}
    return alike and _match(truth.parts, answer.parts, _same)


def _same_parts(truth: Value, answer: Value) -> bool:
    if truth.text != answer.text or len(truth.parts) != len(answer.parts):
        return False
    if truth.text == "{}":
        return _match(truth.parts, answer.parts, _same)
    if all(map(_same, truth.parts, answer.parts)):
        return True
    turned = truth.kind == "relation" and truth.text in ("=", "!=")
    return turned and all(map(_same, truth.parts, answer.parts[::-1]))


def _match(truths: Sequence[Value], answers: Sequence[Value], same: Callable[[Value, Value], bool]) -> bool:
    """Whether each truth has an answer of its own."""
    left = list(answers)
    for truth in truths:
        match = next((other for other in left if same(truth, other)), None)
        if match is None:
            return False
        left.remove(match)
    return not left
