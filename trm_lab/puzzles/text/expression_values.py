"""Whether two expressions have the same value: rational ones exactly, others within a bound on their rounding error.

Two expressions are equal if their values agree at three points drawn once for each letter: two different analytic
expressions agree at such a point with probability 0. Values agree where they differ by no more than rounding explains,
so there is no size below which everything counts as zero. Sizes are bounded, so this takes microseconds.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from trm_lab.puzzles.text.answer_expressions import Node, NotAnExpressionError, parse

_LARGEST_POWER = 10_000
_LARGEST_EXACT = 1 << 14  # bits of a numerator or denominator
_POINTS = 3
_REAL = mpmath.MPContext()
_REAL.dps = 100
_ROUNDING = _REAL.mpf(10) ** -90  # relative error of one operation, with ten digits to spare
_LARGEST_VALUE = _REAL.mpf(10) ** 1000
_CONSTANTS = {"pi": _REAL.pi(), "e": _REAL.e(), "i": _REAL.mpc(0, 1)}


@dataclass(frozen=True)
class _Rounded:
    """A real or complex number that is known up to `error`."""

    value: Any
    error: Any

    @property
    def may_be_zero(self) -> bool:
        return bool(abs(self.value) <= self.error)


Number = Fraction | _Rounded


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
    kind = node[0]
    if kind == "number":
        return Fraction(node[1])
    if kind == "letter":
        return _drawn(node[1], point)
    if kind == "constant":
        return _checked(_CONSTANTS[node[1]], 0)
    if kind == "call":
        return _called(node[1], _rounded(_value(node[2], point)))
    if kind == "root":
        return _root(node[1], node[2], point)
    return _combined(kind, _value(node[1], point), _value(node[2], point))


def _combined(sign: str, a: Number, b: Number) -> Number:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        exact = _exact(sign, a, b)
        if exact is not None:
            return exact
    return _OPERATIONS[sign](_rounded(a), _rounded(b))


def _exact(sign: str, a: Fraction, b: Fraction) -> Fraction | None:
    """None where it is no fraction, or too long a one."""
    if sign == "^":
        if b.denominator != 1 or abs(b) * _bits(a) > _LARGEST_EXACT:
            return None
        return a ** int(b)
    if _bits(a) + _bits(b) > _LARGEST_EXACT:
        return None
    return {"+": a.__add__, "-": a.__sub__, "*": a.__mul__, "/": a.__truediv__}[sign](b)


def _bits(a: Fraction) -> int:
    return max(a.numerator.bit_length(), a.denominator.bit_length())


def _rounded(a: Number) -> _Rounded:
    if isinstance(a, _Rounded):
        return a
    return _checked(_REAL.mpf(a.numerator) / a.denominator, 0)


def _checked(value: Any, error: Any) -> _Rounded:
    """A result, with the error that its operands bring; its own rounding comes on top."""
    if not abs(value) <= _LARGEST_VALUE:  # nor is it nan
        raise NotAnExpressionError("too large")
    return _Rounded(value, error + _ROUNDING * abs(value))


def _sum(a: _Rounded, b: _Rounded) -> _Rounded:
    return _checked(a.value + b.value, a.error + b.error)


def _difference(a: _Rounded, b: _Rounded) -> _Rounded:
    return _checked(a.value - b.value, a.error + b.error)


def _product(a: _Rounded, b: _Rounded) -> _Rounded:
    return _checked(a.value * b.value, abs(a.value) * b.error + abs(b.value) * a.error)


def _quotient(a: _Rounded, b: _Rounded) -> _Rounded:
    if b.may_be_zero:
        raise NotAnExpressionError("a division by zero")
    value = a.value / b.value
    return _checked(value, (a.error + abs(value) * b.error) / abs(b.value))


def _power(a: _Rounded, b: _Rounded) -> _Rounded:
    """aᵇ; its relative error is |b| · that of a + |ln a| · the error of b."""
    if abs(b.value) > _LARGEST_POWER:
        raise NotAnExpressionError("too large a power")
    if b.value == 0 and b.error == 0:
        return _rounded(Fraction(1))
    if a.may_be_zero:
        if _REAL.re(b.value) <= 0:
            raise NotAnExpressionError("a power of zero")
        return _Rounded(_REAL.mpf(0), a.error ** _REAL.re(b.value))
    value, logarithm = _REAL.power(a.value, b.value), abs(_REAL.ln(a.value))
    own = _ROUNDING * abs(b.value) * logarithm
    return _checked(value, abs(value) * (abs(b.value) * a.error / abs(a.value) + logarithm * b.error + own))


_OPERATIONS: dict[str, Callable[[_Rounded, _Rounded], _Rounded]] = {
    "+": _sum, "-": _difference, "*": _product, "/": _quotient, "^": _power,
}  # fmt: skip


def _root(degree: Node, radicand: Node, point: int) -> Number:
    """The principal root; of a negative number to an odd degree the real one, as `\\sqrt[3]{-8}` is read."""
    n, a = _value(degree, point), _value(radicand, point)
    if (
        isinstance(n, Fraction)
        and isinstance(a, Fraction)
        and a < 0
        and not _has_letter(radicand)
        and n % 2 == 1
    ):
        return _combined("*", Fraction(-1), _combined("^", -a, 1 / n))
    return _combined("^", a, _combined("/", Fraction(1), n))


def _has_letter(node: Node) -> bool:
    return node[0] == "letter" or any(isinstance(part, tuple) and _has_letter(part) for part in node[1:])


def _called(name: str, a: _Rounded) -> _Rounded:
    """A function's value; its error is |f′(a)| · that of a."""
    if name == "sqrt":
        return _power(a, _rounded(Fraction(1, 2)))
    if name in ("ln", "log"):
        if a.may_be_zero:
            raise NotAnExpressionError("the logarithm of zero")
        base = 1 if name == "ln" else _rounded(_drawn("the base of log", 0)).value  # e or 10 is not said
        return _checked(_REAL.ln(a.value) * base, base * a.error / abs(a.value))
    function, slope = _FUNCTIONS[name]
    value = function(a.value)
    return _checked(value, abs(slope(a.value, value)) * a.error + _ROUNDING * abs(value * a.value))


_FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {  # f(x), f′(x, f(x))
    "sin": (_REAL.sin, lambda x, value: _REAL.cos(x)),
    "cos": (_REAL.cos, lambda x, value: _REAL.sin(x)),
    "tan": (_REAL.tan, lambda x, value: 1 + value**2),
    "exp": (_REAL.exp, lambda x, value: value),
}


@lru_cache
def _drawn(letter: str, point: int) -> Fraction:
    """A letter's value at a point: between 1 and 2, negative at the odd points."""
    digest = hashlib.sha256(f"{letter} {point}".encode()).digest()
    size = 1 + Fraction(int.from_bytes(digest[:8], "big"), 1 << 64)
    return -size if point % 2 else size
