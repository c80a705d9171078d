"""Answers found from a question's text alone, by sympy or by listing the possible worlds, unlike the builders."""

import itertools
import re
from collections.abc import Callable

import sympy
from sympy import Matrix, Rational, pi, symbols

N = r"(-?\d+)"
x, y = symbols("x y")


def symbolic(text: str) -> sympy.Expr:
    """A formula as it is written in the questions."""
    spelled = re.sub(r"(?<=[\d)])(?=[a-z(])|(?<=\bx)(?=\()", "*", text.replace("^", "**"))
    return sympy.sympify(spelled, rational=True)


def matrix(text: str) -> Matrix:
    """[[1, 2], [3, 4]]"""
    return Matrix([[int(n) for n in re.findall(N, row)] for row in re.findall(r"\[([^\[\]]*)\]", text)])


def _system(first: str, a: int, second: str, b: int, which: str) -> sympy.Expr:
    (solution,) = sympy.linsolve([symbolic(first) - a, symbolic(second) - b], x, y)
    return solution["xy".index(which)]


def _value(formula: str, derived: str | None, place: int) -> sympy.Expr:
    f = sympy.diff(symbolic(formula), x) if derived else symbolic(formula)
    return f.subs(x, place)


def _eigenvalue(which: str, entries: str) -> sympy.Expr:
    eigenvalues = matrix(entries).eigenvals()
    return max(eigenvalues) if which == "larger" else min(eigenvalues)


def _exact(a: int, f: str, s: int, sign: str, b: int, g: str, t: int) -> sympy.Expr:
    first, second = getattr(sympy, f)(sympy.rad(s)), getattr(sympy, g)(sympy.rad(t))
    return a * first + (b if sign == "+" else -b) * second


def _other_function(kind: str, function: str, value: str, other: str) -> sympy.Expr:
    angle = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan}[function](Rational(value))
    if kind == "obtuse":
        angle = {"sin": pi - angle, "cos": angle, "tan": pi + angle}[function]
    return sympy.nsimplify(sympy.simplify(sympy.expand_trig(getattr(sympy, other)(angle))))


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


def _quantifiers(sentences: str, _: str, start: str, question: str) -> str:
    rules = [(word, a[:-1], b[:-1]) for word, a, b in re.findall(r"(All|No) (\w+) are (\w+)\.", sentences)]
    kinds = sorted({kind for _, a, b in rules for kind in (a, b)})
    worlds = (dict(zip(kinds, world, strict=True)) for world in itertools.product((False, True), repeat=len(kinds)))
    possible = {
        world[question]
        for world in worlds
        if world[start] and all((not world[a]) or world[b] == (word == "All") for word, a, b in rules)
    }
    return "unknown" if len(possible) == 2 else "yes" if possible.pop() else "no"


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


def _elimination(people: str, pets: str, clues: str, pet: str) -> str:
    names, animals = re.split(r", | and ", people), pets.split(", ")
    excluded = {
        (name, animal) for name, rest in re.findall(r"(\w+) has no (.*?)\.", clues) for animal in rest.split(" or ")
    }
    possible = [
        dict(zip(order, names, strict=True))
        for order in itertools.permutations(animals)
        if not excluded & set(zip(names, order, strict=True))
    ]
    assert len(possible) == 1  # the clues leave one arrangement
    return possible[0][pet]


RULES: dict[str, Callable[..., object]] = {
    rf"(.*) = {N} and (.*) = {N}\. What is ([xy])\?": _system,
    rf"If f\(x\) = (.*), what is f(')?\({N}\)\?": _value,
    r"Differentiate (.*) with respect to x\.": lambda formula: sympy.diff(symbolic(formula), x),
    rf"Integrate (.*) from x = {N} to x = {N}\.": lambda f, *ends: sympy.integrate(symbolic(f), (x, *ends)),
    rf"What is the limit of (.*) as x approaches {N}\?": lambda f, near: sympy.limit(symbolic(f), x, near),
    r"What is the (larger|smaller) eigenvalue of (.*)\?": _eigenvalue,
    rf"Compute {N} (sin|cos)\({N} deg\) ([-+]) {N} (sin|cos)\({N} deg\) exactly\.": _exact,
    r"The angle A is (acute|obtuse) and (sin|cos|tan) A = (.*)\. What is (sin|cos|tan) A\?": _other_function,
    r"(?:Siblings here share both parents\. )?((?:\w+ is the [\w-]+ of \w+\. )+)What is (\w+) to (\w+)\?": _kinship,
    r"((?:(?:All|No) \w+ are \w+\. )+)(\w+) is an? (\w+)\. Is \2 an? (\w+): yes, no or unknown\?": _quantifiers,
    r"Liars always lie, the others never\. (.*) Is (\w+) (honest|a liar)\?": _truth_tellers,
    r"([^.]*) each have another pet: (.*?)\. (.*) Who has the (\w+)\?": _elimination,
}


def answer(question: str) -> str | None:
    """The answer by the rule whose pattern is this question's, integers as `int`; None where there is none."""
    for pattern, rule in RULES.items():
        if match := re.fullmatch(pattern, question):
            return str(rule(*(int(g) if g and re.fullmatch(N, g) else g for g in match.groups())))
    return None
