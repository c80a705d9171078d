"""The answers to the questions with symbols and figures, found from their texts with sympy."""

import re

import sympy
from sympy import Matrix, Point, Rational, Triangle, pi, sqrt, symbols

from tests.trm_lab.puzzles.text.question_rules import N, Rules, numbers

RULES = Rules()
rule = RULES.rule
x, y = symbols("x y")


def symbolic(text: str) -> sympy.Expr:
    """A formula as it is written in the questions."""
    spelled = re.sub(r"(?<=[\d)])(?=[a-z(])|(?<=\bx)(?=\()", "*", text.replace("^", "**"))
    return sympy.sympify(spelled, rational=True)


def matrix(text: str) -> Matrix:
    """[[1, 2], [3, 4]]"""
    return Matrix([numbers(row) for row in re.findall(r"\[([^\[\]]*)\]", text)])


def points(text: str) -> list[Point]:
    """Every (a, b)."""
    return [Point(int(a), int(b)) for a, b in re.findall(r"\((-?\d+), (-?\d+)\)", text)]


@rule(r"What is the (larger|smaller) solution of (.*) = 0\?")
def _quadratic(which: str, left: str) -> sympy.Expr:
    roots = sympy.solve(symbolic(left), x)
    assert len(roots) == 2
    return max(roots) if which == "larger" else min(roots)


@rule(rf"(.*) = {N} and (.*) = {N}\. What is ([xy])\?")
def _system(first: str, a: int, second: str, b: int, which: str) -> sympy.Expr:
    (solution,) = sympy.linsolve([symbolic(first) - a, symbolic(second) - b], x, y)
    return solution["xy".index(which)]


@rule(rf"If f\(x\) = (.*), what is f(')?\({N}\)\?")
def _value(formula: str, derived: str | None, place: int) -> sympy.Expr:
    f = sympy.diff(symbolic(formula), x) if derived else symbolic(formula)
    return f.subs(x, place)


rule(r"Solve (.*) = (.*) for x\.")(
    lambda left, right: sympy.solve(symbolic(str(left)) - symbolic(str(right)), x)[0]
)
rule(r"What is the coefficient of x in (.*)\?")(lambda formula: sympy.expand(symbolic(formula)).coeff(x, 1))
rule(r"Differentiate (.*) with respect to x\.")(lambda formula: sympy.diff(symbolic(formula), x))
rule(rf"Integrate (.*) from x = {N} to x = {N}\.")(
    lambda formula, low, high: sympy.integrate(symbolic(formula), (x, low, high))
)
rule(rf"What is the limit of (.*) as x approaches {N}\?")(
    lambda formula, near: sympy.limit(symbolic(formula), x, near)
)
rule(r"What is the determinant of (.*)\?")(lambda entries: matrix(entries).det())
rule(r"What is the dot product of \((.*)\) and \((.*)\)\?")(
    lambda u, v: matrix(f"[{u}]").dot(matrix(f"[{v}]"))
)


@rule(r"Multiply the matrix (.*) by the vector \((.*)\)\.")
def _matrix_vector(entries: str, v: str) -> str:
    product = matrix(entries) * matrix(f"[{v}]").T
    return f"({', '.join(map(str, product))})"


@rule(r"What is the (larger|smaller) eigenvalue of (.*)\?")
def _eigenvalue(which: str, entries: str) -> sympy.Expr:
    eigenvalues = matrix(entries).eigenvals()
    return max(eigenvalues) if which == "larger" else min(eigenvalues)


@rule(rf"Compute {N} (sin|cos)\({N} deg\) ([-+]) {N} (sin|cos)\({N} deg\) exactly\.")
def _exact(a: int, f: str, s: int, sign: str, b: int, g: str, t: int) -> sympy.Expr:
    first, second = getattr(sympy, f)(sympy.rad(s)), getattr(sympy, g)(sympy.rad(t))
    return a * first + (b if sign == "+" else -b) * second


@rule(r"The angle A is (acute|obtuse) and (sin|cos|tan) A = (.*)\. What is (sin|cos|tan) A\?")
def _other_function(kind: str, function: str, value: str, other: str) -> sympy.Expr:
    angle = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan}[function](Rational(value))
    if kind == "obtuse":
        angle = {"sin": pi - angle, "cos": angle, "tan": pi + angle}[function]
    return sympy.nsimplify(sympy.simplify(sympy.expand_trig(getattr(sympy, other)(angle))))


@rule(
    rf"Two sides of a triangle are {N} and {N}, the angle between them is {N} degrees\. "
    r"What is the square of the third side\?"
)
def _third_side(a: int, b: int, angle: int) -> sympy.Expr:
    end = Point(b * sympy.cos(sympy.rad(angle)), b * sympy.sin(sympy.rad(angle)))
    return sympy.expand(Point(a, 0).distance(end) ** 2)


rule(rf"How many radians are {N} degrees\?")(sympy.rad)
rule(r"What is the area of the triangle with corners (.*)\?")(
    lambda corners: abs(Triangle(*points(corners)).area)
)
rule(r"What is the exact distance between (.*)\?")(lambda ends: points(ends)[0].distance(points(ends)[1]))
rule(rf"The legs of a right triangle are {N} and {N}\. How long exactly is its hypotenuse\?")(
    lambda a, b: sqrt(a**2 + b**2)
)


@rule(
    rf"A closed cylinder has radius {N} and height {N}\. What is its (volume|surface area), in terms of pi\?"
)
def _cylinder(r: int, h: int, what: str) -> sympy.Expr:
    if what == "volume":
        return sympy.integrate(pi * r**2, (x, 0, h))
    return 2 * sympy.integrate(2 * pi * x, (x, 0, r)) + sympy.integrate(2 * pi * r, (x, 0, h))


@rule(rf"A box measures {N} by {N} by {N}\. What is its (volume|surface area)\?")
def _box(*sides_and_what: int | str) -> int:
    *sides, what = sides_and_what
    if what == "volume":
        return int(sympy.prod(sides))
    return sum(first * second for i, first in enumerate(sides) for j, second in enumerate(sides) if i != j)
