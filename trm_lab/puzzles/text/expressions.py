r"""Mathematical expressions in plain or LaTeX form, and whether two have the same value. Nothing is run as code.

sum     := product (("+" | "-") product)*
product := factor (("*" | "/")? factor)*          a factor that starts with a number needs its sign
factor  := ("+" | "-") factor | atom (("^" | "**") factor)?
atom    := number | letter | constant | "(" sum ")" | "{" sum "}"
         | function ("^" number)? ("(" sum ")" | letter) | "\frac" part part | "\sqrt" ("[" sum "]")? part

Two expressions are equal if their values agree at three points drawn once for each letter: two different analytic
expressions agree at such a point with probability 0. Rational values are exact; others carry a bound on their rounding
error and agree where they differ by no more than that, so there is no size below which everything counts as zero.
Lengths, depths and sizes are bounded: a comparison takes microseconds.
"""

import hashlib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

LONGEST = 80  # characters of an expression
_DEEPEST = 12  # brackets in brackets
_FUNCTION_NAMES = frozenset({"sqrt", "sin", "cos", "tan", "exp", "ln", "log"})
_PRODUCT_LETTERS = frozenset("abxyz")  # letters that may stand side by side; other runs of letters are words
_TOKEN = re.compile(r" *((?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?!\d)|[A-Za-z]+|\\[a-z]+|\*\*|[-+*/^(){}\[\]])")
_CLOSING = {"(": ")", "{": "}", "[": "]"}

_LARGEST_POWER = 10_000
_LARGEST_EXACT = 1 << 14  # bits of a numerator or denominator
_POINTS = 3
_REAL = mpmath.MPContext()
_REAL.dps = 100
_ROUNDING = _REAL.mpf(10) ** -90  # relative error of one operation, with ten digits to spare
_LARGEST_VALUE = _REAL.mpf(10) ** 1000
_CONSTANTS = {"pi": _REAL.pi(), "e": _REAL.e(), "i": _REAL.mpc(0, 1)}

# A number, letter or constant as it is written; (sign, left, right), ("root", degree, radicand) or (function, argument)
Node = str | tuple[Any, ...]


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
    parser = _Parser(_tokens(text.rstrip(" ")))
    tree = parser.sum(0)
    if parser.next:
        raise NotAnExpressionError(text)
    return tree


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotAnExpressionError(text)
        position = match.end()
        token = match[1].lstrip("\\")
        if len(token) == 1 or not token.isalpha() or token in _FUNCTION_NAMES or token in ("frac", "pi"):
            tokens.append(token)
        elif set(token) <= _PRODUCT_LETTERS:
            tokens += token
        else:
            raise NotAnExpressionError(token)
    if all(token[0] in "0123456789.+-*/(){}[]" and token != "**" for token in tokens):
        raise NotAnExpressionError(text)  # a sum still to be done is no answer
    return tokens


class _Parser:
    """Recursive descent over the tokens; `depth` counts the brackets around a part."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]

    @property
    def next(self) -> str:
        """The next token, "" at the end."""
        return self._tokens[-1] if self._tokens else ""

    def sum(self, depth: int) -> Node:
        """A sum, as the grammar above has it."""
        if depth > _DEEPEST:
            raise NotAnExpressionError("too deep")
        tree = self._product(depth)
        while self.next in ("+", "-"):
            tree = (self._tokens.pop(), tree, self._product(depth))
        return tree

    def _product(self, depth: int) -> Node:
        tree = self._factor(depth)
        while self.next in ("*", "/", "(") or self.next.isalpha():
            sign = self._tokens.pop() if self.next in ("*", "/") else "*"
            tree = (sign, tree, self._factor(depth))
        return tree

    def _factor(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotAnExpressionError("too deep")
        if self.next in ("+", "-"):
            return (self._tokens.pop(), "0", self._factor(depth + 1))
        tree = self._atom(depth)
        if self.next in ("^", "**"):
            self._tokens.pop()
            tree = ("^", tree, self._factor(depth + 1))
        return tree

    def _atom(self, depth: int) -> Node:
        if self.next in ("(", "{"):
            return self._bracket(depth)
        token = self._tokens.pop() if self._tokens else ""
        if token == "frac":
            return ("/", self._part(depth), self._part(depth))
        if token == "sqrt":
            if self.next == "[":
                return ("root", self._bracket(depth), self._part(depth))
            return (token, self._part(depth))
        if token in _FUNCTION_NAMES:
            return self._function(token, depth)
        if token[:1].isalnum() or token.startswith("."):
            return token
        raise NotAnExpressionError(token or "ends too soon")

    def _bracket(self, depth: int) -> Node:
        closing = _CLOSING[self._tokens.pop()]
        tree = self.sum(depth + 1)
        if self.next != closing:
            raise NotAnExpressionError(f"no {closing}")
        self._tokens.pop()
        return tree

    def _function(self, name: str, depth: int) -> Node:
        power: Node = ""
        if self.next == "^":  # sin^2(x)
            self._tokens.pop()
            power = self._part(depth)
            if not isinstance(power, str) or power.isalpha():  # sin^{-1} is the inverse to some
                raise NotAnExpressionError(f"which power of {name}?")
        if self.next not in ("(", "{") and (not self.next.isalpha() or self.next in (*_FUNCTION_NAMES, "frac")):
            raise NotAnExpressionError(f"{name} of what?")
        tree = (name, self._part(depth))
        return ("^", tree, power) if power else tree

    def _part(self, depth: int) -> Node:
        r"""What a command is applied to: brackets, a letter, or the first digit of a number (\frac12)."""
        if not self.next.isdigit():
            return self._atom(depth)
        digits = self._tokens.pop()
        if digits[1:]:
            self._tokens.append(digits[1:])
        return digits[0]


@dataclass(frozen=True)
class _Rounded:
    """A real or complex number, at most `error` away from `value`."""

    value: Any
    error: Any

    @property
    def may_be_zero(self) -> bool:
        return bool(abs(self.value) <= self.error)

    def __add__(self, other: "_Rounded") -> "_Rounded":
        return _checked(self.value + other.value, self.error + other.error)

    def __sub__(self, other: "_Rounded") -> "_Rounded":
        return _checked(self.value - other.value, self.error + other.error)

    def __mul__(self, other: "_Rounded") -> "_Rounded":
        error = abs(self.value) * other.error + abs(other.value) * self.error
        return _checked(self.value * other.value, error)

    def __truediv__(self, other: "_Rounded") -> "_Rounded":
        if other.may_be_zero:
            raise NotAnExpressionError("a division by zero")
        value = self.value / other.value
        return _checked(value, (self.error + abs(value) * other.error) / abs(other.value))

    def __pow__(self, power: "_Rounded") -> "_Rounded":
        """The relative error of aᵇ is |b| · that of a + |ln a| · the error of b."""
        if abs(power.value) > _LARGEST_POWER:
            raise NotAnExpressionError("too large a power")
        if power.value == 0 and power.error == 0:
            return _rounded(Fraction(1))
        if self.may_be_zero:
            if _REAL.re(power.value) <= 0:
                raise NotAnExpressionError("a power of zero")
            return _Rounded(_REAL.mpf(0), self.error ** _REAL.re(power.value))
        value, logarithm = _REAL.power(self.value, power.value), abs(_REAL.ln(self.value))
        size = abs(power.value)
        relative = size * self.error / abs(self.value) + logarithm * (power.error + _ROUNDING * size)
        return _checked(value, abs(value) * relative)


Number = Fraction | _Rounded
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow,
}  # fmt: skip
_FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {  # f(x), f′(x, f(x))
    "sin": (_REAL.sin, lambda x, value: _REAL.cos(x)),
    "cos": (_REAL.cos, lambda x, value: _REAL.sin(x)),
    "tan": (_REAL.tan, lambda x, value: 1 + value**2),
    "exp": (_REAL.exp, lambda x, value: value),
}


def equal(first: str | Fraction, second: str | Fraction) -> bool:
    """Whether two expressions or numbers have the same value; False where that cannot be told."""
    try:
        if isinstance(first, str) and isinstance(second, str) and parse(first) == parse(second):
            return True
        return all(_agree(_at_point(first, point), _at_point(second, point)) for point in range(_POINTS))
    except NotAnExpressionError:
        return False


@lru_cache(maxsize=1 << 14)
def _at_point(expression: str | Fraction, point: int) -> Number:
    if isinstance(expression, Fraction):
        return expression
    try:
        return _value(parse(expression), point)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise NotAnExpressionError(expression) from error


def _agree(a: Number, b: Number) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    a, b = _rounded(a), _rounded(b)
    return bool(abs(a.value - b.value) <= a.error + b.error)


def _value(node: Node, point: int) -> Number:
    """The tree's value, each letter having this point's value.

    Raises:
        NotAnExpressionError: a power or value that is too large, or a value where the function has none.
    """
    if isinstance(node, str):
        if node in _CONSTANTS:
            return _checked(_CONSTANTS[node], 0)
        return _letter_value(node, point) if node.isalpha() else Fraction(node)
    name, *parts = node
    values = [_value(part, point) for part in parts]
    if name == "root":
        return _root(values[0], values[1], real=not _has_letter(parts[1]))
    return _combined(name, *values) if name in _OPERATORS else _function_value(name, _rounded(values[0]))


def _combined(sign: str, a: Number, b: Number) -> Number:
    """a sign b: exact where both are fractions and the result is not too long a one."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        size = abs(b) * _bits(a) if sign == "^" else _bits(a) + _bits(b)
        if size <= _LARGEST_EXACT and (sign != "^" or b.denominator == 1):
            return _OPERATORS[sign](a, b)
    return _OPERATORS[sign](_rounded(a), _rounded(b))


def _bits(a: Fraction) -> int:
    return max(a.numerator.bit_length(), a.denominator.bit_length())


def _rounded(a: Number) -> _Rounded:
    return a if isinstance(a, _Rounded) else _checked(_REAL.mpf(a.numerator) / a.denominator, 0)


def _checked(value: Any, error: Any) -> _Rounded:
    """A result, with the error that its operands bring; its own rounding comes on top."""
    if not abs(value) <= _LARGEST_VALUE:  # nor is it nan
        raise NotAnExpressionError("too large")
    return _Rounded(value, error + _ROUNDING * abs(value))


def _root(degree: Number, radicand: Number, real: bool) -> Number:
    r"""The principal root; with `real`, that of a negative number to an odd degree, as \sqrt[3]{-8} is read."""
    if isinstance(degree, Fraction) and isinstance(radicand, Fraction) and real and radicand < 0 and degree % 2 == 1:
        return _combined("*", Fraction(-1), _combined("^", -radicand, 1 / degree))
    return _combined("^", radicand, _combined("/", Fraction(1), degree))


def _has_letter(node: Node) -> bool:
    if isinstance(node, str):
        return node.isalpha() and node not in _CONSTANTS
    return any(_has_letter(part) for part in node[1:])


def _function_value(name: str, a: _Rounded) -> _Rounded:
    """A function's value; its error is |f′(a)| · that of a."""
    if name == "sqrt":
        return a ** _rounded(Fraction(1, 2))
    if name in ("ln", "log"):
        if a.may_be_zero:
            raise NotAnExpressionError("the logarithm of zero")
        factor = 1 if name == "ln" else _rounded(_letter_value("the base of log", 0)).value  # e or 10 is not said
        return _checked(_REAL.ln(a.value) * factor, factor * a.error / abs(a.value))
    function, slope = _FUNCTIONS[name]
    value = function(a.value)
    return _checked(value, abs(slope(a.value, value)) * a.error + _ROUNDING * abs(value * a.value))


@lru_cache
def _letter_value(letter: str, point: int) -> Fraction:
    """A letter's value at a point: between 1 and 2, negative at the odd points."""
    digest = hashlib.sha256(f"{letter} {point}".encode()).digest()
    size = 1 + Fraction(int.from_bytes(digest[:8], "big"), 1 << 64)
    return -size if point % 2 else size
