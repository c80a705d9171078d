"""The answers to the questions in words, found from their texts by truth tables, decimals and solved equations."""

import itertools
from decimal import Decimal
from fractions import Fraction

import sympy

from tests.trm_lab.puzzles.text.question_rules import N, Rules, numbers

RULES = Rules()
rule = RULES.rule
unknown = sympy.Symbol("unknown")


def decimal(value: Decimal) -> str:
    """A decimal without trailing zeros."""
    return f"{value.normalize():f}"


def solved(left: object, right: object) -> object:
    """The one value of `unknown` for which both are equal."""
    (value,) = sympy.solve(sympy.Eq(sympy.sympify(left), sympy.sympify(right)), unknown)
    return value


def truth(formula: str, world: dict[str, bool]) -> bool:
    """Word by word: brackets first, connectives from the left, "not" closest."""
    tokens = formula.replace("(", "( ").replace(")", " )").split()

    def part() -> bool:
        token = tokens.pop(0)
        if token == "not":
            return not part()
        if token == "(":
            value = whole()
            assert tokens.pop(0) == ")"
            return value
        return world[token]

    def whole() -> bool:
        value = part()
        while tokens and tokens[0] != ")":
            connective, right = tokens.pop(0), part()
            table = {"and": {(1, 1)}, "or": {(0, 1), (1, 0), (1, 1)}, "xor": {(0, 1), (1, 0)}}
            value = (value, right) in table.get(connective, {(0, 0), (0, 1), (1, 1)})
        return value

    return whole()


@rule(r"If p is (\w+), q is (\w+), r is (\w+): what is (.*)\?")
def _truth_value(p: str, q: str, r: str, formula: str) -> str:
    return str(truth(formula, dict(zip("pqr", (v == "true" for v in (p, q, r)), strict=True)))).lower()


@rule(r"For how many of the 8 truth values of p, q and r is (.*) true\?")
def _models(formula: str) -> int:
    worlds = itertools.product((True, False), repeat=3)
    return sum(truth(formula, dict(zip("pqr", world, strict=True))) for world in worlds)


rule(rf"Of {N} students, {N} play chess, {N} play go and {N} play both\. How many play neither\?")(
    lambda everyone, chess, go, both: everyone - len({*range(chess), *range(chess - both, chess - both + go)})
)


@rule(r"A = \{(.*)\}, B = \{(.*)\}\. List the union of A and B in ascending order\.")
def _union(a: str, b: str) -> str:
    return ", ".join(str(n) for n in range(1, 100) if n in numbers(a) or n in numbers(b))


rule(rf"What is {N}% of {N}\?")(lambda percent, number: decimal(Decimal(percent) / 100 * number))


@rule(rf"A price of {N} (rises|falls) by {N}% and then falls by {N}%\. What is it now\?")
def _price(price: int, how: str, first: int, second: int) -> str:
    now = Decimal(price)
    for sign, percent in ((1 if how == "rises" else -1, first), (-1, second)):
        now += sign * now * Decimal(percent) / 100
    return decimal(now)


@rule(rf"How much simple interest do {N} dollars earn in {N} years at {N}% a year\?")
def _simple_interest(amount: int, years: int, percent: int) -> str:
    return decimal(sum([Decimal(amount) * percent / 100] * years, Decimal(0)))


@rule(rf"{N} dollars earn {N}% a year, compounded yearly\. How many dollars are there after 2 years\?")
def _compound(amount: int, percent: int) -> str:
    after = Decimal(amount)
    for _ in range(2):
        after += after * Decimal(percent) / 100
    return decimal(after)


rule(rf"After a discount of {N}% a coat costs {N} dollars\. What did it cost before\?")(
    lambda percent, paid: solved(unknown - unknown * percent / 100, paid)
)
rule(rf"Bought at {N}, sold at {N}: how many percent of the cost is the profit\?")(
    lambda cost, price: Fraction(100 * (price - cost), cost)
)
rule(
    rf"\w+ buys {N} \w+ at {N} dollars each and {N} \w+ at {N} dollars each, and pays with {N} dollars\. "
    r"How many dollars of change does \w+ get\?"
)(lambda m, a, n, b, paid: solved(unknown + m * a + n * b, paid))
rule(
    rf"\w+'s hens lay {N} eggs a day\. \w+ eats {N} of them every day and sells the others at {N} dollars each\. "
    rf"How many dollars does \w+ earn in {N} days\?"
)(lambda laid, eaten, price, days: sum(laid * price - eaten * price for _ in range(days)))
rule(rf"\w+ drives {N} h at {N} km/h and then {N} h at {N} km/h\. What is the average speed in km/h\?")(
    lambda h, v, k, w: solved(unknown * (h + k), h * v + k * w)
)
rule(rf"{N} machines make {N} parts in {N} hours\. How many parts do {N} such machines make in {N} hours\?")(
    lambda machines, parts, hours, others, longer: Fraction(parts, machines * hours) * others * longer
)
rule(
    rf"A book has {N} pages\. \w+ reads {N} of them on Monday, {N} times as many on Tuesday and the rest in equal "
    rf"parts over {N} days\. How many pages are that on each of these days\?"
)(lambda pages, first, times, days: solved(first + first * times + days * unknown, pages))
rule(
    rf"(\w+), (\w+) and (\w+) share {N} dollars\. \2 gets {N} more than \3, and \1 gets twice as many as \2\. "
    r"How many dollars does \3 get\?"
)(lambda _, __, ___, total, more: solved(2 * (unknown + more) + (unknown + more) + unknown, total))


@rule(
    rf"\w+ has {N} dollars, spends {N} on a gift and then saves {N} dollars a week\. "
    rf"After how many weeks does \w+ have {N} dollars\?"
)
def _savings(start: int, spent: int, weekly: int, goal: int) -> int:
    weeks, money = 0, start - spent
    while money < goal:
        weeks, money = weeks + 1, money + weekly
    assert money == goal
    return weeks


@rule(
    rf"\w+ has {N} (\w+), gives away 1/{N} of them and then sells 1/{N} of the rest\. "
    r"How many \2 does \w+ have left\?"
)
def _parts(count: int, _: str, first: int, second: int) -> int:
    left = list(range(count))
    for part in (first, second):
        assert len(left) % part == 0
        del left[: len(left) // part]
    return len(left)
