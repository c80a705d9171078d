r"""Short mathematical expressions in plain or LaTeX form, and whether two are equal. Nothing is run as code.

    sum     := product (("+" | "-") product)*
    product := factor (("*" | "/")? factor)*          a factor that starts with a number needs its sign
    factor  := ("+" | "-") factor | atom (("^" | "**") factor)?
    atom    := number | letter | constant | function "(" sum ")" | "(" sum ")" | "{" sum "}"
             | "\frac" part part | "\sqrt" ("[" sum "]")? part

Two expressions are equal if their values agree at three points drawn once for each letter, to 30 of 100 digits: two
different analytic expressions agree at such a point with probability 0. Sizes are bounded, so this takes microseconds.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath

LONGEST = 80  # characters of an expression
_DEEPEST = 12  # brackets in brackets
_DIGITS = 18  # of a number
_LARGEST_POWER = 1000
_LARGEST_VALUE = 1e50
_POINTS = 3
_EXACT = mpmath.MPContext()
_EXACT.dps = 100
_AGREE = _EXACT.mpf(10) ** -30
_NOTHING = _EXACT.mpf(10) ** -45  # what is left where the terms of a zero cancel

_CONSTANTS = {"pi": _EXACT.pi(), "e": _EXACT.e(), "i": _EXACT.mpc(0, 1)}
_MULTIPLIED = frozenset("abxyz")  # letters that may stand side by side; other runs of letters are words
_TOKEN = re.compile(
    r"(?P<number>(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?!\d)|(?P<name>[A-Za-z]+)|\\(?P<command>[a-z]+)|(?P<sign>\*\*|[-+*/^(){}\[\]])"
)
Node = tuple[Any, ...]  # ("number", text), ("letter", name), ("call", name, node), (sign, node, node)


@lru_cache
def _drawn(letter: str, point: int) -> Any:
    """A letter's value at a point: between 1 and 2, negative at the odd points."""
    digest = hashlib.sha256(f"{letter} {point}".encode()).digest()
    size = 1 + _EXACT.mpf(int.from_bytes(digest, "big")) / _EXACT.mpf(2) ** 256
    return -size if point % 2 else size


def _logarithm(x: Any) -> Any:
    """To a base drawn at random, since the text does not say whether it is 10 or e."""
    return _EXACT.ln(x) * _drawn("the base of log", 0)


class NotAnExpressionError(ValueError):
    """The text is not in the grammar, or too large to be compared."""


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": _EXACT.sqrt,
    "sin": _EXACT.sin,
    "cos": _EXACT.cos,
    "tan": _EXACT.tan,
    "exp": _EXACT.exp,
    "ln": _EXACT.ln,
    "log": _logarithm,
}


@lru_cache(maxsize=1 << 14)
def parse(text: str) -> Node:
    """The expression's tree.

    Raises:
        NotAnExpressionError: it is not in the grammar, or has neither letter, function, root nor power.
    """
    if len(text) > LONGEST:
        raise NotAnExpressionError(text)
    reader = _Reader(_tokens(text))
    tree = reader.sum(0)
    if reader.rest:
        raise NotAnExpressionError(text)
    return tree


def equal(first: str, second: str) -> bool:
    """Whether two expressions have the same value; False where that cannot be told."""
    try:
        return all(_near(_at_point(first, point), _at_point(second, point)) for point in range(_POINTS))
    except NotAnExpressionError:
        return False


@lru_cache(maxsize=1 << 14)
def _at_point(text: str, point: int) -> Any:
    try:
        return _value(parse(text), point)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise NotAnExpressionError(text) from error


def _near(a: Any, b: Any) -> bool:
    size = max(abs(a), abs(b))
    return bool(size <= _NOTHING or abs(a - b) <= _AGREE * size)


def _value(node: Node, point: int) -> Any:
    """The tree's value, each letter having this point's value.

    Raises:
        NotAnExpressionError: a power or value that is too large.
    """
    kind = node[0]
    if kind == "number":
        return _EXACT.mpf(node[1])
    if kind == "letter":
        return _drawn(node[1], point)
    if kind == "constant":
        return _CONSTANTS[node[1]]
    if kind == "call":
        return _bounded(_FUNCTIONS[node[1]](_value(node[2], point)))
    a, b = _value(node[1], point), _value(node[2], point)
    if kind == "^":
        if abs(b) > _LARGEST_POWER:
            raise NotAnExpressionError(str(b))
        return _bounded(_EXACT.power(a, b))
    return _bounded({"+": a.__add__, "-": a.__sub__, "*": a.__mul__, "/": a.__truediv__}[kind](b))


def _bounded(value: Any) -> Any:
    if not abs(value) <= _LARGEST_VALUE:  # nor is it nan
        raise NotAnExpressionError("too large")
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token; kind is a `_TOKEN` group, "call", "letter" or "constant"."""
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise NotAnExpressionError(text)
        place = match.end()
        kind, token = match.lastgroup, match[match.lastgroup]
        if kind == "number" and len(token) > _DIGITS:
            raise NotAnExpressionError(text)
        found += _named(token) if kind in ("name", "command") else [(kind, token)]
    if not any(kind != "number" and token not in "+-*/(){}[]" for kind, token in found):
        raise NotAnExpressionError(text)  # a sum still to be done is no answer
    return found


def _named(word: str) -> list[tuple[str, str]]:
    if word in _FUNCTIONS:
        return [("call", word)]
    if word == "frac":
        return [("frac", word)]
    if word in _CONSTANTS:
        return [("constant", word)]
    if len(word) == 1 or set(word) <= _MULTIPLIED:
        return [("letter", letter) for letter in word]
    raise NotAnExpressionError(word)


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = tokens[::-1]

    def _next_is(self, *signs: str) -> bool:
        return bool(self.rest) and self.rest[-1][0] == "sign" and self.rest[-1][1] in signs

    def _take(self, sign: str) -> None:
        if not self._next_is(sign):
            raise NotAnExpressionError(sign)
        self.rest.pop()

    def sum(self, depth: int) -> Node:
        """sum, `depth` brackets deep."""
        if depth > _DEEPEST:
            raise NotAnExpressionError("too deep")
        tree = self._product(depth)
        while self._next_is("+", "-"):
            tree = (self.rest.pop()[1], tree, self._product(depth))
        return tree

    def _product(self, depth: int) -> Node:
        tree = self._factor(depth)
        while self.rest:
            if self._next_is("*", "/"):
                tree = (self.rest.pop()[1], tree, self._factor(depth))
            elif self.rest[-1][0] in ("letter", "constant", "call", "frac") or self._next_is("("):
                tree = ("*", tree, self._factor(depth))
            else:
                break
        return tree

    def _factor(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotAnExpressionError("too deep")
        if self._next_is("+", "-"):
            return (self.rest.pop()[1], ("number", "0"), self._factor(depth + 1))
        tree = self._atom(depth)
        if self._next_is("^", "**"):
            self.rest.pop()
            tree = ("^", tree, self._factor(depth + 1))
        return tree

    def _atom(self, depth: int) -> Node:
        for opening, closing in (("(", ")"), ("{", "}")):
            if self._next_is(opening):
                self.rest.pop()
                tree = self.sum(depth + 1)
                self._take(closing)
                return tree
        if not self.rest:
            raise NotAnExpressionError("ends too soon")
        kind, token = self.rest.pop()
        if kind == "frac":
            return ("/", self._part(depth), self._part(depth))
        if kind == "call":
            return self._call(token, depth)
        if kind in ("number", "letter", "constant"):
            return (kind, token)
        raise NotAnExpressionError(token)

    def _call(self, name: str, depth: int) -> Node:
        if name == "sqrt" and self._next_is("["):
            self.rest.pop()
            degree = self.sum(depth + 1)
            self._take("]")
            return ("^", self._part(depth), ("/", ("number", "1"), degree))
        if name == "sqrt" or self._next_is("(", "{"):
            return ("call", name, self._part(depth))
        raise NotAnExpressionError(f"{name} of what?")

    def _part(self, depth: int) -> Node:
        r"""What a command is applied to: brackets, a letter, or the first digit of a number (\frac12)."""
        if self.rest and self.rest[-1][0] == "number" and self.rest[-1][1].isdigit():
            digits = self.rest.pop()[1]
            if digits[1:]:
                self.rest.append(("number", digits[1:]))
            return ("number", digits[0])
        return self._atom(depth)
