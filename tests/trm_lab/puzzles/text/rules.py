"""Answers found from a question's text alone, by sympy or by listing the possible worlds, unlike the builders."""

import itertools
import re
from collections.abc import Callable

import sympy
from sympy import Matrix, Point, Rational, Triangle, pi, symbols

N = r"(-?\d+)"
Rule = Callable[..., object]
x, y = symbols("x y")


class Rules:
    """Patterns of questions; a rule is called with the pattern's groups, integers as `int`, and returns the answer."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Rule]] = []

    def rule(self, pattern: str) -> Callable[[Rule], Rule]:
        """Register the rule for a pattern."""

        def register(rule: Rule) -> Rule:
            self._rules.append((re.compile(pattern), rule))
            return rule

        return register

    def answer(self, question: str) -> str | None:
        """The answer by the one rule whose pattern is this question's; None where no rule has it."""
        matches = [(match, rule) for pattern, rule in self._rules if (match := pattern.fullmatch(question))]
        assert len(matches) <= 1, (question, len(matches))
        for match, rule in matches:
            return str(rule(*(int(g) if g and re.fullmatch(N, g) else g for g in match.groups())))
        return None


SYMBOLS, LOGIC = Rules(), Rules()


def symbolic(text: str) -> sympy.Expr:
    """A formula as it is written in the questions."""
    spelled = re.sub(r"(?<=[\d)])(?=[a-z(])|(?<=\bx)(?=\()", "*", text.replace("^", "**"))
    return sympy.sympify(spelled, rational=True)


def matrix(text: str) -> Matrix:
    """[[1, 2], [3, 4]]"""
    return Matrix([[int(n) for n in re.findall(N, row)] for row in re.findall(r"\[([^\[\]]*)\]", text)])


def points(text: str) -> list[Point]:
    """Every (a, b)."""
    return [Point(int(a), int(b)) for a, b in re.findall(r"\((-?\d+), (-?\d+)\)", text)]


@SYMBOLS.rule(r"What is the (larger|smaller) solution of (.*) = 0\?")
def _quadratic(which: str, left: str) -> sympy.Expr:
    roots = sympy.solve(symbolic(left), x)
    assert len(roots) == 2
    return max(roots) if which == "larger" else min(roots)


@SYMBOLS.rule(rf"(.*) = {N} and (.*) = {N}\. What is ([xy])\?")
def _system(first: str, a: int, second: str, b: int, which: str) -> sympy.Expr:
    (solution,) = sympy.linsolve([symbolic(first) - a, symbolic(second) - b], x, y)
    return solution["xy".index(which)]


@SYMBOLS.rule(rf"If f\(x\) = (.*), what is f(')?\({N}\)\?")
def _value(formula: str, derived: str | None, place: int) -> sympy.Expr:
    f = sympy.diff(symbolic(formula), x) if derived else symbolic(formula)
    return f.subs(x, place)


SYMBOLS.rule(r"Solve (.*) = (.*) for x\.")(
    lambda left, right: sympy.solve(symbolic(str(left)) - symbolic(str(right)), x)[0]
)
SYMBOLS.rule(r"What is the coefficient of x in (.*)\?")(
    lambda formula: sympy.expand(symbolic(formula)).coeff(x, 1)
)
SYMBOLS.rule(r"Differentiate (.*) with respect to x\.")(lambda formula: sympy.diff(symbolic(formula), x))
SYMBOLS.rule(rf"Integrate (.*) from x = {N} to x = {N}\.")(
    lambda formula, low, high: sympy.integrate(symbolic(formula), (x, low, high))
)
SYMBOLS.rule(rf"What is the limit of (.*) as x approaches {N}\?")(
    lambda formula, near: sympy.limit(symbolic(formula), x, near)
)
SYMBOLS.rule(r"What is the determinant of (.*)\?")(lambda entries: matrix(entries).det())


@SYMBOLS.rule(r"What is the (larger|smaller) eigenvalue of (.*)\?")
def _eigenvalue(which: str, entries: str) -> sympy.Expr:
    eigenvalues = matrix(entries).eigenvals()
    return max(eigenvalues) if which == "larger" else min(eigenvalues)


@SYMBOLS.rule(rf"Compute {N} (sin|cos)\({N} deg\) ([-+]) {N} (sin|cos)\({N} deg\) exactly\.")
def _exact(a: int, f: str, s: int, sign: str, b: int, g: str, t: int) -> sympy.Expr:
    first, second = getattr(sympy, f)(sympy.rad(s)), getattr(sympy, g)(sympy.rad(t))
    return a * first + (b if sign == "+" else -b) * second


@SYMBOLS.rule(r"The angle A is (acute|obtuse) and (sin|cos|tan) A = (.*)\. What is (sin|cos|tan) A\?")
def _other_function(kind: str, function: str, value: str, other: str) -> sympy.Expr:
    angle = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan}[function](Rational(value))
    if kind == "obtuse":
        angle = {"sin": pi - angle, "cos": angle, "tan": pi + angle}[function]
    return sympy.nsimplify(sympy.simplify(sympy.expand_trig(getattr(sympy, other)(angle))))


@SYMBOLS.rule(
    rf"Two sides of a triangle are {N} and {N}, the angle between them is {N} degrees\. "
    r"What is the square of the third side\?"
)
def _third_side(a: int, b: int, angle: int) -> sympy.Expr:
    end = Point(b * sympy.cos(sympy.rad(angle)), b * sympy.sin(sympy.rad(angle)))
    return sympy.expand(Point(a, 0).distance(end) ** 2)


SYMBOLS.rule(r"What is the area of the triangle with corners (.*)\?")(
    lambda corners: abs(Triangle(*points(corners)).area)
)


@LOGIC.rule(r"(.*)\. What is ([xyz])\?")
def _program(source: str, variable: str) -> int:
    python = re.sub(r"swap (\w) and (\w)", r"\1, \2 = \2, \1", source).split("; ")
    values: dict[str, int] = {}
    for line in python:  # the lines are Python's own now
        exec(line, {}, values)
    return values[variable]


@LOGIC.rule(r"Of the balls, (.*?)\.((?: \w+ swaps with \w+\.)*) Which has (\w+) now\?")
def _swaps(balls: str, exchanges: str, name: str) -> str:
    origin = name  # whose ball it was at first
    for a, b in reversed(re.findall(r"(\w+) swaps with (\w+)", exchanges)):
        origin = {a: b, b: a}.get(origin, origin)
    return dict(re.findall(r"(\w+) has (\w+)", balls))[origin]


@LOGIC.rule(r"(\w+ has the \w+ in .*) Where is the (\w+)\?")
def _whereabouts(story: str, thing: str) -> str:
    events = list(re.finditer(r"(\w+) (?:has the (\w+) in|goes to|is sent) the (\w+)\.", story))
    owner = next(
        event[1]
        for event in reversed(events)
        if event[2] == thing or (" is sent " in event[0] and event[3] == thing)
    )
    return next(event[3] for event in reversed(events) if event[1] == owner and " is sent " not in event[0])


@LOGIC.rule(
    r"(?:Siblings here share both parents\. )?((?:\w+ is the [\w-]+ of \w+\. )+)What is (\w+) to (\w+)\?"
)
def _kinship(facts: str, first: str, last: str) -> str:
    """Every person has one set of parents; siblings have the same one."""
    relations = re.findall(r"(\w+) is the ([\w-]+) of (\w+)\.", facts)
    people = {name for a, _, b in relations for name in (a, b)}
    home = {name: {name} for name in people}  # those who have the same parents, siblings
    for a, relation, b in relations:
        if relation in ("sister", "brother"):
            together = home[a] | home[b]
            home.update(dict.fromkeys(together, together))
    parents: dict[str, set[str]] = {name: set() for name in people}
    for a, relation, b in relations:
        if relation not in ("sister", "brother"):
            child, parent = (b, a) if relation in ("mother", "father") else (a, b)
            for sibling in home[child]:
                parents[sibling].add(parent)

    def up(names: set[str]) -> set[str]:
        return set().union(*(parents[name] for name in names)) if names else set()

    def beside(names: set[str]) -> set[str]:
        return {other for name in names for other in home[name] - {name}}

    ways = {  # the relation, seen from the last person
        ("mother", "father"): first in up({last}),
        ("grandmother", "grandfather"): first in up(up({last})),
        ("great-grandmother", "great-grandfather"): first in up(up(up({last}))),
        ("daughter", "son"): last in up({first}),
        ("granddaughter", "grandson"): last in up(up({first})),
        ("great-granddaughter", "great-grandson"): last in up(up(up({first}))),
        ("sister", "brother"): first in beside({last}),
        ("aunt", "uncle"): first in beside(up({last})),
        ("niece", "nephew"): last in beside(up({first})),
        ("cousin", "cousin"): bool(up({first}) & beside(up({last}))),
    }
    (names,) = [names for names, holds in ways.items() if holds]
    male = next(relation for a, relation, _ in relations if a == first) in ("father", "brother", "son")
    return names[male]


@LOGIC.rule(r"((?:(?:All|No) \w+ are \w+\. )+)(\w+) is an? (\w+)\. Is \2 an? (\w+): yes, no or unknown\?")
def _quantifiers(sentences: str, _: str, start: str, question: str) -> str:
    rules = [(word, a[:-1], b[:-1]) for word, a, b in re.findall(r"(All|No) (\w+) are (\w+)\.", sentences)]
    kinds = sorted({kind for _, a, b in rules for kind in (a, b)})
    worlds = (
        dict(zip(kinds, world, strict=True)) for world in itertools.product((False, True), repeat=len(kinds))
    )
    possible = {
        world[question]
        for world in worlds
        if world[start] and all((not world[a]) or world[b] == (word == "All") for word, a, b in rules)
    }
    return "unknown" if len(possible) == 2 else "yes" if possible.pop() else "no"


@LOGIC.rule(r"Liars always lie, the others never\. (.*) Is (\w+) (honest|a liar)\?")
def _truth_tellers(sentences: str, name: str, question: str) -> str:
    claims = re.findall(r"(?:(\w+) says that )?(\w+) is (honest|a liar)\.", sentences)
    people = sorted({name for speaker, about, _ in claims for name in (speaker, about) if name})
    possible = set()
    for honest in itertools.product((False, True), repeat=len(people)):
        kind = dict(zip(people, honest, strict=True))
        if all((kind[about] == (said == "honest")) == kind.get(who, True) for who, about, said in claims):
            possible.add(kind[name])
    (answer,) = possible
    return "yes" if answer == (question == "honest") else "no"


@LOGIC.rule(r"([^.]*) each have another pet: (.*?)\. (.*) Who has the (\w+)\?")
def _elimination(people: str, pets: str, clues: str, pet: str) -> str:
    names, animals = re.split(r", | and ", people), pets.split(", ")
    excluded = {
        (name, animal)
        for name, rest in re.findall(r"(\w+) has no (.*?)\.", clues)
        for animal in rest.split(" or ")
    }
    possible = [
        dict(zip(order, names, strict=True))
        for order in itertools.permutations(animals)
        if not excluded & set(zip(names, order, strict=True))
    ]
    assert len(possible) == 1  # the clues leave one arrangement
    return possible[0][pet]
