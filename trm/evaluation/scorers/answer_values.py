r"""What an answer's text says, and whether two texts say the same.

An answer is a number, a percentage, a list, an expression with letters or roots, or else plain text. Kinds are not
mixed up: "50%" is not "0.5", and where a number is asked for, a sum still to be done ("3+4") is no answer.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from trm.evaluation.scorers.answer_expressions import NotAnExpressionError, equal, parse
from trm.puzzles.text_tokens import BROKEN

_LONGEST = 256  # characters that are looked at as anything but text
_WHOLE = r"(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)"  # no leading zeros: 007 is a code, not a number
_NUMBER = re.compile(rf"([-+]?)({_WHOLE}?)(\.\d+)?\.?")
_RATIO = re.compile(rf"([-+]?)({_WHOLE}) ?/ ?({_WHOLE})")
_LATEX_RATIO = re.compile(
    rf"([-+]?)({_WHOLE})? ?\\frac(?:\{{(-?{_WHOLE})\}}|(\d)) ?(?:\{{({_WHOLE})\}}|(\d))"
)
_MIXED = re.compile(rf"([-+]?)({_WHOLE}) ({_WHOLE})/({_WHOLE})")
_DATE = re.compile(r"\d+-\d+-\d+")
_NAMED = re.compile(r"[A-Za-z] ?= ?(.+)")  # x = 3
_REWRITTEN = (
    (re.compile(r"\\(?:left|right)(?![a-z])|\\[!,;: ]|\^\{?\\circ\}?|°"), ""),
    (re.compile(r"\\[dt]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:cdot|times)(?![a-z])"), "*"),
    (re.compile(r"\\(?:text|textbf|mbox|mathrm)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\([%${}])"), r"\1"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\s+"), " "),
)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Value:
    """A reading of a text.

    kind: "number", "percent", "list", "expression" or "text".
    number: of the first two.
    parts: of a list, between its `text`, the two brackets or "".
    text: of the last two, in one spelling.
    """

    kind: str
    number: Fraction | None = None
    parts: tuple["Value", ...] = ()
    text: str = ""


def same_value(truth: str, answer: str) -> bool:
    """Whether `answer` says what `truth` says."""
    if truth == answer:
        return BROKEN not in truth
    return BROKEN not in answer and _same(reading(truth), reading(answer))


@lru_cache(maxsize=1 << 15)
def reading(text: str) -> Value:
    """What the text says; anything unknown is text."""
    if len(text) > _LONGEST:
        return Value("text", text=text)
    plain = text
    for pattern, replacement in _REWRITTEN:
        plain = pattern.sub(replacement, plain)
    plain = plain.strip()
    if len(plain) > 2 and plain.startswith("$") and plain.endswith("$"):
        plain = plain[1:-1].strip()
    return _read(plain)


def _read(plain: str) -> Value:
    named = _NAMED.fullmatch(plain)
    if named:
        return _read(named[1])
    number = _number(plain.removesuffix("%").rstrip())
    if number is not None:
        return Value("percent" if plain.endswith("%") else "number", number)
    parts = _parts(plain)
    if parts is not None:
        return parts
    if len(plain) == 1 or plain == "pi" or not plain.isalpha():  # abc is a word, not a product
        try:
            parse(plain)
        except NotAnExpressionError:
            return Value("text", text=plain)
        if not _DATE.search(plain):
            return Value("expression", text=plain)
    return Value("text", text=plain)


def _number(plain: str) -> Fraction | None:
    """A number written out: decimal, with thousands separators or a currency sign, or as a fraction."""
    money = re.sub(r"^([-+]?) ?\$ ?", r"\1", plain)
    decimal = _NUMBER.fullmatch(money)
    if decimal and (decimal[2] or decimal[3]):
        return Fraction((decimal[1] + decimal[2] + (decimal[3] or "")).replace(",", ""))
    for pattern in (_RATIO, _MIXED, _LATEX_RATIO):
        found = pattern.fullmatch(plain)
        if found:
            sign, *parts = (part and part.replace(",", "") for part in found.groups())
            numbers = [int(part) for part in parts if part]
            if numbers[-1] == 0 or (len(numbers) == 3 and numbers[1] < 0):
                return None
            whole = numbers[0] if len(numbers) == 3 else 0
            size = whole + Fraction(numbers[-2], numbers[-1])
            return -size if sign == "-" else size
    return None


def _parts(plain: str) -> Value | None:
    """A list: in brackets, or of several parts with commas between."""
    bracketed = len(plain) > 1 and plain[0] in "([{" and plain[-1] in ")]}"
    inner = plain[1:-1] if bracketed else plain
    pieces = _split(inner)
    if pieces is None or (len(pieces) == 1 and not (bracketed and plain[0] == "{")):
        if not bracketed:
            return None
        bracketed, pieces = False, _split(plain)  # (a) + (b)
        if pieces is None or len(pieces) == 1:
            return None
    if not all(piece.strip() for piece in pieces):
        return None
    brackets = plain[0] + plain[-1] if bracketed else ""
    return Value("list", parts=tuple(_read(piece.strip()) for piece in pieces), text=brackets)


def _split(text: str) -> list[str] | None:
    """The text between commas that are in no bracket; None if the brackets do not close."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character in _BRACKETS) - (character in _BRACKETS.values())
        if depth < 0:
            return None
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces if depth == 0 else None


def _same(truth: Value, answer: Value) -> bool:
    if truth.kind == "expression" and answer.kind in ("expression", "number"):
        return _same_expression(truth, answer)
    if truth.kind != answer.kind:
        return False
    if truth.kind == "list":
        return _same_list(truth, answer)
    return (truth.number, truth.text) == (answer.number, answer.text)


def _same_expression(truth: Value, answer: Value) -> bool:
    if answer.kind == "expression":
        return equal(truth.text, answer.text)
    return equal(truth.text, f"({answer.number})^1")  # a power, as a bare number is no expression


def _same_list(truth: Value, answer: Value) -> bool:
    if truth.text != answer.text or len(truth.parts) != len(answer.parts):
        return False
    if truth.text != "{}":
        return all(map(_same, truth.parts, answer.parts))
    left = list(answer.parts)
    for part in truth.parts:
        match = next((other for other in left if _same(part, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True
