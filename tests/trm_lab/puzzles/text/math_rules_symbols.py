"""The answers to the questions with symbols and figures, found from their texts with sympy."""

import re

import sympy
from sympy import Matrix, Point, Rational, Triangle, pi, sqrt, symbols

from tests.trm_lab.puzzles.text.question_rules import Rules

RULES = Rules()
asked = RULES.asked
N = r"(-?\d+)"
x, y = symbols("x y")


def symbolic(text: str) -> sympy.Expr:
    """A formula as it is written in the questions."""
    spelled = re.sub(r"(?<=[\d)])(?=[a-z(])|(?<=\bx)(?=\()", "*", text.replace("^", "**"))
    return sympy.sympify(spelled, rational=True)


def matrix(text: str) -> Matrix:
    """[[1, 2], [3, 4]]"""
    return Matrix(
        [[int(n) for n in re.findall(r"-?\d+", row)] for row in re.findall(r"\[([^\[\]]*)\]", text)]
    )


def points(text: str) -> list[Point]:
    """Every (a, b)."""
    return [Point(int(a), int(b)) for a, b in re.findall(r"\((-?\d+), (-?\d+)\)", text)]


@asked(r"Solve (.*) = (.*) for x\.")
def _linear(left: str, right: str) -> sympy.Expr:
    return sympy.solve(symbolic(left) - symbolic(right), x)[0]


@asked(r"What is the (larger|smaller) solution of (.*) = 0\?")
def _quadratic(which: str, left: str) -> sympy.Expr:
    roots = sympy.solve(symbolic(left), x)
    assert len(roots) == 2
    return max(roots) if which == "larger" else min(roots)


@asked(r"(.*) = (-?\d+) and (.*) = (-?\d+)\. What is ([xy])\?")
def _system(first: str, a: str, second: str, b: str, which: str) -> sympy.Expr:
    (solution,) = sympy.linsolve([symbolic(first) - int(a), symbolic(second) - int(b)], x, y)
    return solution[0 if which == "x" else 1]


@asked(rf"If f\(x\) = (.*), what is f(')?\({N}\)\?")
def _value(formula: str, derived: str | None, place: str) -> sympy.Expr:
    f = sympy.diff(symbolic(formula), x) if derived else symbolic(formula)
    return f.subs(x, int(place))


@asked(r"What is the coefficient of x in (.*)\?")
def _coefficient(formula: str) -> sympy.Expr:
    return sympy.expand(symbolic(formula)).coeff(x, 1)


@asked(r"Differentiate (.*) with respect to x\.")
def _derivative(formula: str) -> sympy.Expr:
    return sympy.diff(symbolic(formula), x)


@asked(rf"Integrate (.*) from x = {N} to x = {N}\.")
def _integral(formula: str, low: str, high: str) -> sympy.Expr:
    return sympy.integrate(symbolic(formula), (x, int(low), int(high)))


@asked(rf"What is the limit of (.*) as x approaches {N}\?")
def _limit(formula: str, near: str) -> sympy.Expr:
    return sympy.limit(symbolic(formula), x, int(near))


@asked(r"What is the determinant of (.*)\?")
def _determinant(entries: str) -> sympy.Expr:
    return matrix(entries).det()


@asked(r"What is the dot product of \((.*)\) and \((.*)\)\?")
def _dot(u: str, v: str) -> sympy.Expr:
    return matrix(f"[{u}]").dot(matrix(f"[{v}]"))


@asked(r"Multiply the matrix (.*) by the vector \((.*)\)\.")
def _matrix_vector(entries: str, v: str) -> str:
    product = matrix(entries) * matrix(f"[{v}]").T
    return f"({', '.join(map(str, product))})"


@asked(r"What is the (larger|smaller) eigenvalue of (.*)\?")
def _eigenvalue(which: str, entries: str) -> sympy.Expr:
    found = matrix(entries).eigenvals()
    return max(found) if which == "larger" else min(found)


@asked(rf"Compute {N} (sin|cos)\({N} deg\) ([-+]) {N} (sin|cos)\({N} deg\) exactly\.")
def _exact(a: str, f: str, s: str, sign: str, b: str, g: str, t: str) -> sympy.Expr:
    functions = {"sin": sympy.sin, "cos": sympy.cos}
    first = int(a) * functions[f](Rational(int(s), 180) * pi)
    return first + int(sign + b) * functions[g](Rational(int(t), 180) * pi)


@asked(r"The angle A is (acute|obtuse) and (sin|cos|tan) A = (.*)\. What is (sin|cos|tan) A\?")
def _other_function(kind: str, given: str, value: str, wanted: str) -> sympy.Expr:
    inverse = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan}[given](Rational(value))
    if kind == "obtuse":
        inverse = {"sin": pi - inverse, "cos": inverse, "tan": pi + inverse}[given]
    return sympy.nsimplify(sympy.simplify(sympy.expand_trig(getattr(sympy, wanted)(inverse))))


@asked(
    rf"Two sides of a triangle are {N} and {N}, the angle between them is {N} degrees\. "
    r"What is the square of the third side\?"
)
def _third_side(a: str, b: str, angle: str) -> sympy.Expr:
    end = Point(
        int(b) * sympy.cos(Rational(angle) * pi / 180), int(b) * sympy.sin(Rational(angle) * pi / 180)
    )
    return sympy.expand(Point(int(a), 0).distance(end) ** 2)


@asked(rf"How many radians are {N} degrees\?")
def _radians(degrees: str) -> sympy.Expr:
    return sympy.rad(int(degrees))


@asked(r"What is the area of the triangle with corners (.*)\?")
def _triangle(corners: str) -> sympy.Expr:
    return abs(Triangle(*points(corners)).area)


@asked(r"What is the exact distance between (.*)\?")
def _distance(ends: str) -> sympy.Expr:
    a, b = points(ends)
    return a.distance(b)


@asked(
    rf"A closed cylinder has radius {N} and height {N}\. What is its (volume|surface area), in terms of pi\?"
)
def _cylinder(radius: str, height: str, what: str) -> sympy.Expr:
    r, h = int(radius), int(height)
    if what == "volume":
        return sympy.integrate(pi * r**2, (x, 0, h))
    return 2 * sympy.integrate(2 * pi * x, (x, 0, r)) + sympy.integrate(2 * pi * r, (x, 0, h))


@asked(rf"A box measures {N} by {N} by {N}\. What is its (volume|surface area)\?")
def _box(a: str, b: str, c: str, what: str) -> int:
    sides = [int(a), int(b), int(c)]
    if what == "volume":
        return int(sympy.prod(sides))
    return sum(first * second for i, first in enumerate(sides) for j, second in enumerate(sides) if i != j)


@asked(rf"The legs of a right triangle are {N} and {N}\. How long exactly is its hypotenuse\?")
def _hypotenuse(a: str, b: str) -> sympy.Expr:
    return sqrt(int(a) ** 2 + int(b) ** 2)
