"""Mathematics with symbols and figures: algebra, calculus, linear algebra, trigonometry, geometry.

No question contains an expression that equals its answer, so that copying solves nothing.
"""

import math
from fractions import Fraction

from trm_lab.puzzles.text.math_text import NONZERO, matrix, polynomial, ratio, square_root, total, value
from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Subsets, Tuples, over

Pair = tuple[int, int]
Trio = tuple[int, int, int]
Quartet = tuple[int, int, int, int]
_INTEGERS = range(-9, 10)
_POINTS = Tuples(_INTEGERS, 2)
_REGULAR = tuple(m for m in Tuples(NONZERO[3:-3], 4) if m[0] * m[3] != m[1] * m[2])  # one solution


@over(Orders(range(2, 20), 2), range(-20, 21), _INTEGERS)
def _linear(factors: Pair, solution: int, constant: int) -> Problem:
    other = (factors[0] - factors[1]) * solution + constant
    left, right = polynomial((factors[0], constant)), polynomial((factors[1], other))
    return f"Solve {left} = {right} for x.", str(solution)


@over(Subsets(range(-20, 21), 2), range(1, 6), ("larger", "smaller"))
def _quadratic(roots: Pair, factor: int, which: str) -> Problem:
    a, b = roots
    left = polynomial((factor, -factor * (a + b), factor * a * b))
    return f"What is the {which} solution of {left} = 0?", str(
        max(roots) if which == "larger" else min(roots)
    )


@over(_REGULAR, Tuples(_INTEGERS, 2), "xy")
def _system(factors: Quartet, solution: Pair, asked: str) -> Problem:
    a, b, c, d = factors
    x, y = solution
    first, second = total([(a, "x"), (b, "y")]), total([(c, "x"), (d, "y")])
    question = f"{first} = {a * x + b * y} and {second} = {c * x + d * y}. What is {asked}?"
    return question, str(x if asked == "x" else y)


@over(Tuples(NONZERO, 3), range(2, 13))
def _evaluation(coefficients: Trio, x: int) -> Problem:
    return f"If f(x) = {polynomial(coefficients)}, what is f({x})?", str(value(coefficients, x))


@over(Tuples(NONZERO, 4))
def _coefficient(factors: Quartet) -> Problem:
    a, b, c, d = factors
    left, right = polynomial((a, b)), polynomial((c, d))
    return f"What is the coefficient of x in ({left})({right})?", str(a * d + b * c)


@over(Tuples(NONZERO, 4))
def _derivative(coefficients: Quartet) -> Problem:
    a, b, c, _ = coefficients
    question = f"Differentiate {polynomial(coefficients)} with respect to x."
    return question, polynomial((3 * a, 2 * b, c))


@over(("sin", "cos", "exp"), range(2, 16), range(2, 13), NONZERO)
def _chain_rule(function: str, a: int, b: int, c: int) -> Problem:
    question = f"Differentiate {total([(a, f'{function}({b}x)'), (c, 'x')])} with respect to x."
    outer = {"sin": (a * b, "cos"), "cos": (-a * b, "sin"), "exp": (a * b, "exp")}[function]
    return question, total([(outer[0], f"{outer[1]}({b}x)"), (c, "")])


@over(Tuples(NONZERO, 4), range(1, 7))
def _slope(coefficients: Quartet, x: int) -> Problem:
    a, b, c, _ = coefficients
    question = f"If f(x) = {polynomial(coefficients)}, what is f'({x})?"
    return question, str(value((3 * a, 2 * b, c), x))


@over(Tuples(NONZERO, 3), Subsets(range(-4, 7), 2))
def _integral(coefficients: Trio, bounds: Pair) -> Problem:
    a, b, c = coefficients
    low, high = (Fraction(a * x**3, 3) + Fraction(b * x**2, 2) + c * x for x in bounds)
    question = f"Integrate {polynomial(coefficients)} from x = {bounds[0]} to x = {bounds[1]}."
    return question, ratio(high - low)


@over(NONZERO, Orders(range(-12, 13), 2))
def _limit(factor: int, roots: Pair) -> Problem:
    near, other = roots
    top = polynomial((factor, -factor * (near + other), factor * near * other))
    question = f"What is the limit of ({top})/({polynomial((1, -near))}) as x approaches {near}?"
    return question, str(factor * (near - other))


@over(Tuples(_INTEGERS, 4))
def _determinant(entries: Quartet) -> Problem:
    a, b, c, d = entries
    return f"What is the determinant of {matrix([(a, b), (c, d)])}?", str(a * d - b * c)


@over(Tuples(range(-4, 5), 9))
def _determinant_3(entries: tuple[int, ...]) -> Problem:
    a, b, c, d, e, f, g, h, i = entries
    found = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return f"What is the determinant of {matrix([(a, b, c), (d, e, f), (g, h, i)])}?", str(found)


@over(Tuples(_INTEGERS, 3), Tuples(_INTEGERS, 3))
def _dot_product(u: Trio, v: Trio) -> Problem:
    return f"What is the dot product of {u} and {v}?", str(sum(a * b for a, b in zip(u, v, strict=True)))


@over(Tuples(_INTEGERS, 4), Tuples(_INTEGERS, 2))
def _matrix_vector(entries: Quartet, v: Pair) -> Problem:
    a, b, c, d = entries
    question = f"Multiply the matrix {matrix([(a, b), (c, d)])} by the vector {v}."
    return question, f"({a * v[0] + b * v[1]}, {c * v[0] + d * v[1]})"


@over(Subsets(_INTEGERS, 2), NONZERO, _INTEGERS, ("larger", "smaller"))
def _eigenvalue(eigenvalues: Pair, slope: int, shift: int, which: str) -> Problem:
    (p, q), b, t = eigenvalues, slope, shift
    rows = [
        (p + b * t, b),
        (t * (q - p - b * t), q - b * t),
    ]  # L⁻¹ [[p, b], [0, q]] L with L = [[1, 0], [t, 1]]
    wanted = max(eigenvalues) if which == "larger" else min(eigenvalues)
    return f"What is the {which} eigenvalue of {matrix(rows)}?", str(wanted)


# sine of an angle in degrees, as (rational, coefficient of sqrt(2), of sqrt(3)) in halves
_SINE = {0: (0, 0, 0), 30: (1, 0, 0), 45: (0, 1, 0), 60: (0, 0, 1), 90: (2, 0, 0)}
_ANGLES = tuple(angle for angle in range(720) if angle % 30 == 0 or angle % 45 == 0)
_TRIPLES = tuple(
    (p * p - q * q, 2 * p * q, p * p + q * q)
    for p in range(2, 16)
    for q in range(1, p)
    if math.gcd(p, q) == 1 and (p - q) % 2
)


def _sine(angle: int) -> Trio:
    angle %= 360
    if angle >= 180:
        a, b, c = _sine(angle - 180)
        return -a, -b, -c
    return _SINE[min(angle, 180 - angle)]


@over(Tuples(range(2, 20, 2), 2), Tuples(("sin", "cos"), 2), Tuples(_ANGLES, 2), "+-")
def _exact_values(factors: Pair, functions: tuple[str, str], angles: Pair, sign: str) -> Problem:
    signed = factors if sign == "+" else (factors[0], -factors[1])
    values = [_sine(t if f == "sin" else t + 90) for f, t in zip(functions, angles, strict=True)]
    sums = [sum(k * v[part] for k, v in zip(signed, values, strict=True)) // 2 for part in range(3)]
    question = (
        f"Compute {factors[0]} {functions[0]}({angles[0]} deg) {sign} "
        f"{factors[1]} {functions[1]}({angles[1]} deg) exactly."
    )
    return question, total([(sums[0], ""), (sums[1], "sqrt(2)"), (sums[2], "sqrt(3)")])


@over(_TRIPLES, range(2), Orders(("sin", "cos", "tan"), 2), ("acute", "obtuse"))
def _other_function(triple: Trio, swapped: int, functions: tuple[str, str], kind: str) -> Problem:
    opposite, adjacent = (triple[1], triple[0]) if swapped else triple[:2]
    adjacent *= 1 if kind == "acute" else -1
    values = {
        "sin": Fraction(opposite, triple[2]),
        "cos": Fraction(adjacent, triple[2]),
        "tan": Fraction(opposite, adjacent),
    }
    question = (
        f"The angle A is {kind} and {functions[0]} A = {values[functions[0]]}. What is {functions[1]} A?"
    )
    return question, ratio(values[functions[1]])


@over(range(2, 60), range(2, 60), (60, 90, 120))
def _cosine_rule(a: int, b: int, angle: int) -> Problem:
    question = (
        f"Two sides of a triangle are {a} and {b}, the angle between them is {angle} degrees. "
        "What is the square of the third side?"
    )
    return question, str(a * a + b * b + {60: -a * b, 90: 0, 120: a * b}[angle])


@over(range(1, 721))
def _radians(degrees: int) -> Problem:
    angle = Fraction(degrees, 180)
    text = total([(angle.numerator, "pi")]) + (f"/{angle.denominator}" if angle.denominator > 1 else "")
    return f"How many radians are {degrees} degrees?", text


@over(Tuples(range(-9, 10), 2), Tuples(range(1, 20), 2), Tuples(range(1, 20), 2))
def _triangle(corner: Pair, u: Pair, v: Pair) -> Problem:
    x, y = corner
    points = f"{corner}, {(x + u[0], y + u[1])} and {(x - v[0], y + v[1])}"
    return f"What is the area of the triangle with corners {points}?", ratio(u[0] * v[1] + u[1] * v[0], 2)


@over(Orders(_POINTS, 2))
def _distance(ends: tuple[Pair, Pair]) -> Problem:
    a, b = ends
    squared = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
    return f"What is the exact distance between {a} and {b}?", square_root(squared)


@over(range(2, 60), range(2, 60), ("volume", "surface area"))
def _cylinder(radius: int, height: int, asked: str) -> Problem:
    amount = radius**2 * height if asked == "volume" else 2 * radius * (radius + height)
    question = (
        f"A closed cylinder has radius {radius} and height {height}. What is its {asked}, in terms of pi?"
    )
    return question, f"{amount}pi"


@over(Subsets(range(2, 40), 3), ("volume", "surface area"))
def _box(sides: Trio, asked: str) -> Problem:
    a, b, c = sides
    amount = a * b * c if asked == "volume" else 2 * (a * b + b * c + a * c)
    return f"A box measures {a} by {b} by {c}. What is its {asked}?", str(amount)


@over(Orders(range(2, 60), 2))
def _hypotenuse(legs: Pair) -> Problem:
    question = (
        f"The legs of a right triangle are {legs[0]} and {legs[1]}. How long exactly is its hypotenuse?"
    )
    return question, square_root(legs[0] ** 2 + legs[1] ** 2)


SYMBOL_CATEGORIES = (
    Family("algebra", (_linear, _quadratic, _system, _evaluation, _coefficient)),
    Family("calculus", (_derivative, _chain_rule, _slope, _integral, _limit)),
    Family("linear_algebra", (_determinant, _determinant_3, _dot_product, _matrix_vector, _eigenvalue)),
    Family("trigonometry", (_exact_values, _other_function, _cosine_rule, _radians)),
    Family("geometry", (_triangle, _distance, _cylinder, _box, _hypotenuse)),
)
