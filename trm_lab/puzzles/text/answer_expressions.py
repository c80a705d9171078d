r"""Short mathematical expressions in plain or LaTeX form, as trees. Nothing is run as code.

sum     := product (("+" | "-") product)*
product := factor (("*" | "/")? factor)*          a factor that starts with a number needs its sign
factor  := ("+" | "-") factor | atom (("^" | "**") factor)?
atom    := number | letter | constant | "(" sum ")" | "{" sum "}"
         | function ("^" number)? ("(" sum ")" | letter) | "\frac" part part | "\sqrt" ("[" sum "]")? part
"""

import re
from functools import lru_cache
from typing import Any

LONGEST = 80  # characters of an expression
_DEEPEST = 12  # brackets in brackets
_FUNCTIONS = frozenset({"sqrt", "sin", "cos", "tan", "exp", "ln", "log"})
_CONSTANTS = frozenset({"pi", "e", "i"})
_MULTIPLIED = frozenset("abxyz")  # letters that may stand side by side; other runs of letters are words
_TOKEN = re.compile(
    r"(?P<number>(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?!\d)|(?P<name>[A-Za-z]+)|\\(?P<command>[a-z]+)|(?P<sign>\*\*|[-+*/^(){}\[\]])"
)
Node = tuple[
    Any, ...
]  # ("number", text), ("letter", name), ("call", name, node), ("root", node, node), (sign, node, node)


class NotAnExpressionError(ValueError):
    """The text is not in the grammar, or too large to be compared."""


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
        if name == "sqrt":
            return self._square_root(depth)
        power = None
        if self._next_is("^"):  # sin^2(x)
            self.rest.pop()
            power = self._part(depth)
            if power[0] != "number":  # sin^{-1} is the inverse to some
                raise NotAnExpressionError(f"which power of {name}?")
        if not self.rest or not (self._next_is("(", "{") or self.rest[-1][0] in ("letter", "constant")):
            raise NotAnExpressionError(f"{name} of what?")
        called = ("call", name, self._part(depth))
        return called if power is None else ("^", called, power)

    def _square_root(self, depth: int) -> Node:
        if not self._next_is("["):
            return ("call", "sqrt", self._part(depth))
        self.rest.pop()
        degree = self.sum(depth + 1)
        self._take("]")
        return ("root", degree, self._part(depth))

    def _part(self, depth: int) -> Node:
        r"""What a command is applied to: brackets, a letter, or the first digit of a number (\frac12)."""
        if self.rest and self.rest[-1][0] == "number" and self.rest[-1][1].isdigit():
            digits = self.rest.pop()[1]
            if digits[1:]:
                self.rest.append(("number", digits[1:]))
            return ("number", digits[0])
        return self._atom(depth)
