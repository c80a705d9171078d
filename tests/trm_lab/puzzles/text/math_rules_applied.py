"""The answers to the questions in words, found from their texts by truth tables, decimals and solved equations."""

import itertools
from decimal import Decimal
from fractions import Fraction

import sympy

from tests.trm_lab.puzzles.text.math_rules_numbers import numbers
from tests.trm_lab.puzzles.text.question_rules import Rules

RULES = Rules()
asked = RULES.asked
N = r"(-?\d+)"
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


@asked(r"If p is (\w+), q is (\w+), r is (\w+): what is (.*)\?")
def _truth_value(p: str, q: str, r: str, formula: str) -> str:
    return str(truth(formula, dict(zip("pqr", (v == "true" for v in (p, q, r)), strict=True)))).lower()


@asked(r"For how many of the 8 truth values of p, q and r is (.*) true\?")
def _models(formula: str) -> int:
    worlds = itertools.product((True, False), repeat=3)
    return sum(truth(formula, dict(zip("pqr", world, strict=True))) for world in worlds)


@asked(rf"Of {N} students, {N} play chess, {N} play go and {N} play both\. How many play neither\?")
def _neither(everyone: str, chess: str, go: str, both: str) -> int:
    players = set(range(int(chess))) | set(range(int(chess) - int(both), int(chess) - int(both) + int(go)))
    return int(everyone) - len(players)


@asked(r"A = \{(.*)\}, B = \{(.*)\}\. List the union of A and B in ascending order\.")
def _union(a: str, b: str) -> str:
    return ", ".join(str(n) for n in range(1, 100) if n in numbers(a) or n in numbers(b))


@asked(rf"What is {N}% of {N}\?")
def _percent(percent: str, number: str) -> str:
    return decimal(Decimal(percent) / 100 * int(number))


@asked(rf"A price of {N} (rises|falls) by {N}% and then falls by {N}%\. What is it now\?")
def _price(price: str, how: str, first: str, second: str) -> str:
    now = Decimal(price)
    for sign, percent in ((1 if how == "rises" else -1, first), (-1, second)):
        now += sign * now * Decimal(percent) / 100
    return decimal(now)


@asked(rf"How much simple interest do {N} dollars earn in {N} years at {N}% a year\?")
def _simple_interest(amount: str, years: str, percent: str) -> str:
    return decimal(sum([Decimal(amount) * Decimal(percent) / 100] * int(years), Decimal(0)))


@asked(rf"{N} dollars earn {N}% a year, compounded yearly\. How many dollars are there after 2 years\?")
def _compound(amount: str, percent: str) -> str:
    after = Decimal(amount)
    for _ in range(2):
        after += after * Decimal(percent) / 100
    return decimal(after)


@asked(rf"After a discount of {N}% a coat costs {N} dollars\. What did it cost before\?")
def _before(percent: str, paid: str) -> object:
    return solved(unknown - unknown * int(percent) / 100, int(paid))


@asked(rf"Bought at {N}, sold at {N}: how many percent of the cost is the profit\?")
def _profit(cost: str, price: str) -> Fraction:
    return Fraction(100 * (int(price) - int(cost)), int(cost))


@asked(
    rf"\w+ buys {N} \w+ at {N} dollars each and {N} \w+ at {N} dollars each, and pays with {N} dollars\. "
    r"How many dollars of change does \w+ get\?"
)
def _change(m: str, a: str, n: str, b: str, paid: str) -> object:
    return solved(unknown + int(m) * int(a) + int(n) * int(b), int(paid))


@asked(
    rf"\w+'s hens lay {N} eggs a day\. \w+ eats {N} of them every day and sells the others at {N} dollars each\. "
    rf"How many dollars does \w+ earn in {N} days\?"
)
def _eggs(laid: str, eaten: str, price: str, days: str) -> int:
    return sum(int(laid) * int(price) - int(eaten) * int(price) for _ in range(int(days)))


@asked(rf"\w+ drives {N} h at {N} km/h and then {N} h at {N} km/h\. What is the average speed in km/h\?")
def _speed(h: str, v: str, k: str, w: str) -> object:
    return solved(unknown * (int(h) + int(k)), int(h) * int(v) + int(k) * int(w))


@asked(rf"{N} machines make {N} parts in {N} hours\. How many parts do {N} such machines make in {N} hours\?")
def _machines(machines: str, parts: str, hours: str, others: str, longer: str) -> Fraction:
    return Fraction(int(parts), int(machines) * int(hours)) * int(others) * int(longer)


@asked(
    rf"\w+ has {N} dollars, spends {N} on a gift and then saves {N} dollars a week\. "
    rf"After how many weeks does \w+ have {N} dollars\?"
)
def _savings(start: str, spent: str, weekly: str, goal: str) -> int:
    weeks, money = 0, int(start) - int(spent)
    while money < int(goal):
        weeks, money = weeks + 1, money + int(weekly)
    assert money == int(goal)
    return weeks


@asked(
    rf"A book has {N} pages\. \w+ reads {N} of them on Monday, {N} times as many on Tuesday and the rest in equal "
    rf"parts over {N} days\. How many pages are that on each of these days\?"
)
def _reading(pages: str, first: str, times: str, days: str) -> object:
    return solved(int(first) + int(first) * int(times) + int(days) * unknown, int(pages))


@asked(
    rf"(\w+), (\w+) and (\w+) share {N} dollars\. \2 gets {N} more than \3, and \1 gets twice as many as \2\. "
    r"How many dollars does \3 get\?"
)
def _shares(_: str, __: str, ___: str, total: str, more: str) -> object:
    return solved(2 * (unknown + int(more)) + (unknown + int(more)) + unknown, int(total))


@asked(
    rf"\w+ has {N} (\w+), gives away 1/{N} of them and then sells 1/{N} of the rest\. "
    r"How many \2 does \w+ have left\?"
)
def _parts(count: str, _: str, first: str, second: str) -> int:
    left = list(range(int(count)))
    for part in (first, second):
        assert len(left) % int(part) == 0
        del left[: len(left) // int(part)]
    return len(left)
