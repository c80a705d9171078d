"""Mathematics with symbols and figures: algebra, calculus, linear algebra, trigonometry, geometry.

No question contains an expression that equals its answer, so that copying solves nothing.
"""

import math
import operator
from fractions import Fraction

from trm_lab.puzzles.text.math_notation import NONZERO, matrix, polynomial, square_root, total, value
from trm_lab.puzzles.text.questions import Family, Orders, Problem, Subsets, Tuples, over

Numbers = tuple[int, ...]
_INTEGERS = range(-9, 10)
_POINTS = Tuples(_INTEGERS, 2)
_REGULAR = tuple(m for m in Tuples(NONZERO[3:-3], 4) if m[0] * m[3] != m[1] * m[2])  # one solution
_EXTREMES = {"larger": max, "smaller": min}
_linear = over(factors=Orders(range(2, 20), 2), solution=range(-20, 21), constant=_INTEGERS).ask(
    "Solve {left} = {right} for x.",
    lambda solution: solution,
    left=lambda factors, constant: polynomial((factors[0], constant)),
    right=lambda factors, solution, constant: polynomial((factors[1], (factors[0] - factors[1]) * solution + constant)),
)
_quadratic = over(roots=Subsets(range(-20, 21), 2), factor=range(1, 6), which=tuple(_EXTREMES)).ask(
    "What is the {which} solution of {left} = 0?",
    lambda roots, which: _EXTREMES[which](roots),
    left=lambda roots, factor: polynomial((factor, -factor * sum(roots), factor * math.prod(roots))),
)


@over(factors=_REGULAR, solution=Tuples(_INTEGERS, 2), letter="xy")
def _system(factors: Numbers, solution: Numbers, letter: str) -> Problem:
    a, b, c, d = factors
    x, y = solution
    first, second = total([(a, "x"), (b, "y")]), total([(c, "x"), (d, "y")])
    question = f"{first} = {a * x + b * y} and {second} = {c * x + d * y}. What is {letter}?"
    return question, str(x if letter == "x" else y)


_evaluation = over(coefficients=Tuples(NONZERO, 3), x=range(2, 13)).ask(
    "If f(x) = {f}, what is f({x})?", value, f=polynomial
)
_coefficient = over(factors=Tuples(NONZERO, 4)).ask(
    "What is the coefficient of x in ({left})({right})?",
    lambda factors: factors[0] * factors[3] + factors[1] * factors[2],
    left=lambda factors: polynomial(factors[:2]),
    right=lambda factors: polynomial(factors[2:]),
)
_derivative = over(coefficients=Tuples(NONZERO, 4)).ask(
    "Differentiate {f} with respect to x.", lambda coefficients: polynomial(_derived(coefficients)), f=polynomial
)
_slope = over(coefficients=Tuples(NONZERO, 4), x=range(1, 7)).ask(
    "If f(x) = {f}, what is f'({x})?", lambda coefficients, x: value(_derived(coefficients), x), f=polynomial
)
_limit = over(factor=NONZERO, roots=Orders(range(-12, 13), 2)).ask(
    "What is the limit of ({top})/({bottom}) as x approaches {roots[0]}?",
    lambda factor, roots: factor * (roots[0] - roots[1]),
    top=lambda factor, roots: polynomial((factor, -factor * sum(roots), factor * math.prod(roots))),
    bottom=lambda roots: polynomial((1, -roots[0])),
)


def _derived(cubic: Numbers) -> Numbers:
    """The coefficients of the derivative."""
    a, b, c, _ = cubic
    return 3 * a, 2 * b, c


@over(function=("sin", "cos", "exp"), a=range(2, 16), b=range(2, 13), c=NONZERO)
def _chain_rule(function: str, a: int, b: int, c: int) -> Problem:
    question = f"Differentiate {total([(a, f'{function}({b}x)'), (c, 'x')])} with respect to x."
    outer = {"sin": (a * b, "cos"), "cos": (-a * b, "sin"), "exp": (a * b, "exp")}[function]
    return question, total([(outer[0], f"{outer[1]}({b}x)"), (c, "")])


@over(coefficients=Tuples(NONZERO, 3), bounds=Subsets(range(-4, 7), 2))
def _integral(coefficients: Numbers, bounds: Numbers) -> Problem:
    a, b, c = coefficients
    low, high = (Fraction(a * x**3, 3) + Fraction(b * x**2, 2) + c * x for x in bounds)
    question = f"Integrate {polynomial(coefficients)} from x = {bounds[0]} to x = {bounds[1]}."
    return question, str(high - low)


@over(entries=Tuples(_INTEGERS, 4))
def _determinant(entries: Numbers) -> Problem:
    a, b, c, d = entries
    return f"What is the determinant of {matrix([(a, b), (c, d)])}?", str(a * d - b * c)


@over(entries=Tuples(range(-4, 5), 9))
def _determinant_3(entries: Numbers) -> Problem:
    a, b, c, d, e, f, g, h, i = entries
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return f"What is the determinant of {matrix([(a, b, c), (d, e, f), (g, h, i)])}?", str(determinant)


_dot_product = over(u=Tuples(_INTEGERS, 3), v=Tuples(_INTEGERS, 3)).ask(
    "What is the dot product of {u} and {v}?", lambda u, v: sum(map(operator.mul, u, v))
)


@over(entries=Tuples(_INTEGERS, 4), v=Tuples(_INTEGERS, 2))
def _matrix_vector(entries: Numbers, v: Numbers) -> Problem:
    a, b, c, d = entries
    question = f"Multiply the matrix {matrix([(a, b), (c, d)])} by the vector {v}."
    return question, f"({a * v[0] + b * v[1]}, {c * v[0] + d * v[1]})"


@over(eigenvalues=Subsets(_INTEGERS, 2), slope=NONZERO, shift=_INTEGERS, which=tuple(_EXTREMES))
def _eigenvalue(eigenvalues: Numbers, slope: int, shift: int, which: str) -> Problem:
    (p, q), b, t = eigenvalues, slope, shift
    rows = [(p + b * t, b), (t * (q - p - b * t), q - b * t)]  # L⁻¹ [[p, b], [0, q]] L, L = [[1, 0], [t, 1]]
    return f"What is the {which} eigenvalue of {matrix(rows)}?", str(_EXTREMES[which](eigenvalues))


# sine of an angle in degrees, as (rational, coefficient of sqrt(2), of sqrt(3)) in halves
_SINE = {0: (0, 0, 0), 30: (1, 0, 0), 45: (0, 1, 0), 60: (0, 0, 1), 90: (2, 0, 0)}
_ANGLES = tuple(angle for angle in range(720) if angle % 30 == 0 or angle % 45 == 0)
_TRIPLES = tuple(
    (p * p - q * q, 2 * p * q, p * p + q * q)
    for p in range(2, 16)
    for q in range(1, p)
    if math.gcd(p, q) == 1 and (p - q) % 2
)


def _sine(angle: int) -> Numbers:
    angle %= 360
    if angle >= 180:
        return tuple(-part for part in _sine(angle - 180))
    return _SINE[min(angle, 180 - angle)]


@over(factors=Tuples(range(2, 20, 2), 2), functions=Tuples(("sin", "cos"), 2), angles=Tuples(_ANGLES, 2), sign="+-")
def _exact_values(factors: Numbers, functions: tuple[str, ...], angles: Numbers, sign: str) -> Problem:
    signed = factors if sign == "+" else (factors[0], -factors[1])
    values = [_sine(t if f == "sin" else t + 90) for f, t in zip(functions, angles, strict=True)]
    sums = [sum(k * v[part] for k, v in zip(signed, values, strict=True)) // 2 for part in range(3)]
    question = (
        f"Compute {factors[0]} {functions[0]}({angles[0]} deg) {sign} "
        f"{factors[1]} {functions[1]}({angles[1]} deg) exactly."
    )
    return question, total([(sums[0], ""), (sums[1], "sqrt(2)"), (sums[2], "sqrt(3)")])


@over(triple=_TRIPLES, swapped=range(2), functions=Orders(("sin", "cos", "tan"), 2), kind=("acute", "obtuse"))
def _other_function(triple: Numbers, swapped: int, functions: tuple[str, ...], kind: str) -> Problem:
    opposite, adjacent = (triple[1], triple[0]) if swapped else triple[:2]
    adjacent *= 1 if kind == "acute" else -1
    values = {
        "sin": Fraction(opposite, triple[2]),
        "cos": Fraction(adjacent, triple[2]),
        "tan": Fraction(opposite, adjacent),
    }
    question = f"The angle A is {kind} and {functions[0]} A = {values[functions[0]]}. What is {functions[1]} A?"
    return question, str(values[functions[1]])


_cosine_rule = over(a=range(2, 60), b=range(2, 60), angle=(60, 90, 120)).ask(
    "Two sides of a triangle are {a} and {b}, the angle between them is {angle} degrees. "
    "What is the square of the third side?",
    lambda a, b, angle: a * a + b * b + {60: -a * b, 90: 0, 120: a * b}[angle],
)


@over(degrees=range(1, 721))
def _radians(degrees: int) -> Problem:
    angle = Fraction(degrees, 180)
    text = total([(angle.numerator, "pi")]) + (f"/{angle.denominator}" if angle.denominator > 1 else "")
    return f"How many radians are {degrees} degrees?", text


@over(corner=_POINTS, u=Tuples(range(1, 20), 2), v=Tuples(range(1, 20), 2))
def _triangle(corner: Numbers, u: Numbers, v: Numbers) -> Problem:
    x, y = corner
    points = f"{corner}, {(x + u[0], y + u[1])} and {(x - v[0], y + v[1])}"
    area = Fraction(u[0] * v[1] + u[1] * v[0], 2)
    return f"What is the area of the triangle with corners {points}?", str(area)


_distance = over(ends=Orders(_POINTS, 2)).ask(
    "What is the exact distance between {ends[0]} and {ends[1]}?",
    lambda ends: square_root((ends[0][0] - ends[1][0]) ** 2 + (ends[0][1] - ends[1][1]) ** 2),
)
_cylinder = over(r=range(2, 60), h=range(2, 60), size=("volume", "surface area")).ask(
    "A closed cylinder has radius {r} and height {h}. What is its {size}, in terms of pi?",
    lambda r, h, size: f"{r * r * h if size == 'volume' else 2 * r * (r + h)}pi",
)
_box = over(sides=Subsets(range(2, 40), 3), size=("volume", "surface area")).ask(
    "A box measures {sides[0]} by {sides[1]} by {sides[2]}. What is its {size}?",
    lambda sides, size: math.prod(sides) if size == "volume" else sum(sides) ** 2 - sum(a * a for a in sides),
)
_hypotenuse = over(legs=Orders(range(2, 60), 2)).ask(
    "The legs of a right triangle are {legs[0]} and {legs[1]}. How long exactly is its hypotenuse?",
    lambda legs: square_root(legs[0] ** 2 + legs[1] ** 2),
)


SYMBOL_CATEGORIES = (
    Family("algebra", (_linear, _quadratic, _system, _evaluation, _coefficient)),
    Family("calculus", (_derivative, _chain_rule, _slope, _integral, _limit)),
    Family("linear_algebra", (_determinant, _determinant_3, _dot_product, _matrix_vector, _eigenvalue)),
    Family("trigonometry", (_exact_values, _other_function, _cosine_rule, _radians)),
    Family("geometry", (_triangle, _distance, _cylinder, _box, _hypotenuse)),
)
