"""How numbers and expressions are written in questions and answers: exact, short, and one way only."""

import math
from collections.abc import Sequence

from trm_lab.puzzles.text.words import row

NONZERO = tuple(n for n in range(-9, 10) if n)


def decimal(hundredths: int) -> str:
    """Hundredths as a decimal number without trailing zeros: 1250 is "12.5"."""
    units, cents = divmod(abs(hundredths), 100)
    text = f"{units}.{cents:02d}".rstrip("0").rstrip(".") if cents else str(units)
    return f"-{text}" if hundredths < 0 else text


def total(terms: Sequence[tuple[int, str]]) -> str:
    """A sum of (coefficient, factor), such as "3x^2 - x + 5"; a factor "" is 1, and terms with 0 are left out."""
    text = ""
    for coefficient, factor in terms:
        if not coefficient:
            continue
        size = "" if abs(coefficient) == 1 and factor else str(abs(coefficient))
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} {size}{factor}" if text else f"{sign if sign == '-' else ''}{size}{factor}"
    return text or "0"


def polynomial(coefficients: Sequence[int]) -> str:
    """A polynomial in x, highest power first: (3, 0, -1) is "3x^2 - 1"."""
    degree = len(coefficients) - 1
    factors = [f"x^{degree - i}" if degree - i > 1 else "x" * (degree - i) for i in range(degree + 1)]
    return total(list(zip(coefficients, factors, strict=True)))


def value(coefficients: Sequence[int], x: int) -> int:
    """The polynomial's value at x."""
    result = 0
    for coefficient in coefficients:
        result = result * x + coefficient
    return result


def square_root(number: int) -> str:
    """The square root of a positive integer as "5", "sqrt(13)" or "2sqrt(13)"."""
    outside = max(n for n in range(1, math.isqrt(number) + 1) if number % (n * n) == 0)
    inside = number // outside**2
    return str(outside) if inside == 1 else total([(outside, f"sqrt({inside})")])


def matrix(rows: Sequence[Sequence[int]]) -> str:
    """ "[[1, 2], [3, 4]]" """
    return f"[{', '.join(f'[{row(numbers)}]' for numbers in rows)}]"
