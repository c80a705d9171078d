"""Mathematics in words: logic and sets, money and percentages, word problems of several steps."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from trm_lab.puzzles.text.math_text import decimal, ratio, row
from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Subsets, Tuples, over
from trm_lab.puzzles.text.question_words import NAMES, THINGS

Pair = tuple[int, int]
Trio = tuple[int, int, int]
_CONNECTIVES = ("and", "or", "xor", "implies")
_FORMULAS = (Orders("pqr", 3), Tuples((False, True), 3), Tuples(_CONNECTIVES, 2), ("left", "right"))


def _formula(letters: Sequence[str], negated: Sequence[bool], joined: Sequence[str], side: str) -> str:
    a, b, c = (f"not {letter}" if no else letter for letter, no in zip(letters, negated, strict=True))
    first, second = joined
    return f"({a} {first} {b}) {second} {c}" if side == "left" else f"{a} {first} ({b} {second} {c})"


def _truth(values: Sequence[bool], joined: Sequence[str], side: str) -> bool:
    """Of the formula whose three parts have these values."""
    a, b, c = values
    if side == "left":
        return _joined(_joined(a, joined[0], b), joined[1], c)
    return _joined(a, joined[0], _joined(b, joined[1], c))


def _joined(a: bool, connective: str, b: bool) -> bool:
    return {"and": a and b, "or": a or b, "xor": a != b, "implies": not a or b}[connective]


@over(*_FORMULAS, Tuples((False, True), 3))
def _truth_value(
    letters: tuple[str, ...],
    negated: tuple[bool, ...],
    joined: tuple[str, str],
    side: str,
    values: tuple[bool, ...],
) -> Problem:
    given = dict(zip("pqr", values, strict=True))
    parts = [given[letter] != no for letter, no in zip(letters, negated, strict=True)]
    told = ", ".join(f"{letter} is {str(truth).lower()}" for letter, truth in given.items())
    question = f"If {told}: what is {_formula(letters, negated, joined, side)}?"
    return question, str(_truth(parts, joined, side)).lower()


@over(*_FORMULAS)
def _models(
    letters: tuple[str, ...], negated: tuple[bool, ...], joined: tuple[str, str], side: str
) -> Problem:
    count = sum(_truth(values, joined, side) for values in product((False, True), repeat=3))
    formula = _formula(letters, negated, joined, side)
    return f"For how many of the 8 truth values of p, q and r is {formula} true?", str(count)


@over(Tuples(range(1, 40), 4))
def _neither(counts: tuple[int, ...]) -> Problem:
    chess, go, both, neither = counts
    question = (
        f"Of {sum(counts)} students, {chess + both} play chess, {go + both} play go and {both} play both. "
        "How many play neither?"
    )
    return question, str(neither)


@over(Subsets(range(1, 16), 3), Subsets(range(1, 16), 3))
def _union(a: Trio, b: Trio) -> Problem:
    question = f"A = {{{row(a)}}}, B = {{{row(b)}}}. List the union of A and B in ascending order."
    return question, row(sorted({*a, *b}))


@over(range(1, 100), range(11, 2000))
def _percent_of(percent: int, number: int) -> Problem:
    return f"What is {percent}% of {number}?", decimal(percent * number)


@over(range(1, 100), range(5, 100, 5), range(5, 100, 5), ("rises", "falls"))
def _price_changes(hundreds: int, first: int, second: int, how: str) -> Problem:
    factor = 100 + first if how == "rises" else 100 - first
    question = f"A price of {100 * hundreds} {how} by {first}% and then falls by {second}%. What is it now?"
    return question, decimal(hundreds * factor * (100 - second))


@over(range(100, 5000, 50), range(1, 13), range(2, 11))
def _simple_interest(amount: int, percent: int, years: int) -> Problem:
    question = f"How much simple interest do {amount} dollars earn in {years} years at {percent}% a year?"
    return question, decimal(amount * percent * years)


@over(range(1, 100), range(1, 26))
def _compound_interest(thousands: int, percent: int) -> Problem:
    question = (
        f"{1000 * thousands} dollars earn {percent}% a year, compounded yearly. "
        "How many dollars are there after 2 years?"
    )
    return question, decimal(10 * thousands * (100 + percent) ** 2)


@over(range(20, 4000, 20), range(5, 100, 5))
def _before_discount(price: int, percent: int) -> Problem:
    paid = price * (100 - percent) // 100
    return f"After a discount of {percent}% a coat costs {paid} dollars. What did it cost before?", str(price)


@over(range(20, 4000, 20), range(5, 200, 5))
def _profit(cost: int, percent: int) -> Problem:
    sold = cost * (100 + percent) // 100
    return f"Bought at {cost}, sold at {sold}: how many percent of the cost is the profit?", str(percent)


@over(NAMES, Orders(THINGS, 2), Tuples(range(2, 13), 2), Tuples(range(2, 30), 2), range(1, 50))
def _shopping(name: str, things: tuple[str, str], counts: Pair, prices: Pair, change: int) -> Problem:
    paid = counts[0] * prices[0] + counts[1] * prices[1] + change
    question = (
        f"{name} buys {counts[0]} {things[0]}s at {prices[0]} dollars each and {counts[1]} {things[1]}s at "
        f"{prices[1]} dollars each, and pays with {paid} dollars. How many dollars of change does {name} get?"
    )
    return question, str(change)


@over(NAMES, range(8, 40), range(1, 8), range(2, 10), range(2, 31))
def _eggs(name: str, laid: int, eaten: int, price: int, days: int) -> Problem:
    question = (
        f"{name}'s hens lay {laid} eggs a day. {name} eats {eaten} of them every day and sells the others "
        f"at {price} dollars each. How many dollars does {name} earn in {days} days?"
    )
    return question, str((laid - eaten) * price * days)


@over(NAMES, Tuples(range(1, 9), 2), Tuples(range(20, 130, 5), 2))
def _average_speed(name: str, hours: Pair, speeds: Pair) -> Problem:
    question = (
        f"{name} drives {hours[0]} h at {speeds[0]} km/h and then {hours[1]} h at {speeds[1]} km/h. "
        "What is the average speed in km/h?"
    )
    return question, ratio(hours[0] * speeds[0] + hours[1] * speeds[1], sum(hours))


@over(range(2, 13), range(2, 13), range(2, 20), range(2, 13), range(2, 13))
def _machines(machines: int, hours: int, rate: int, others: int, longer: int) -> Problem:
    question = (
        f"{machines} machines make {machines * hours * rate} parts in {hours} hours. "
        f"How many parts do {others} such machines make in {longer} hours?"
    )
    return question, str(others * longer * rate)


@over(NAMES, range(20, 200), range(5, 40), range(3, 40), range(5, 20))
def _savings(name: str, start: int, weekly: int, weeks: int, spent: int) -> Problem:
    goal = start - spent + weekly * weeks
    question = (
        f"{name} has {start} dollars, spends {spent} on a gift and then saves {weekly} dollars a week. "
        f"After how many weeks does {name} have {goal} dollars?"
    )
    return question, str(weeks)


@over(NAMES, range(10, 60), range(2, 5), range(2, 9), range(8, 60))
def _reading(name: str, first: int, times: int, days: int, daily: int) -> Problem:
    pages = first + times * first + days * daily
    question = (
        f"A book has {pages} pages. {name} reads {first} of them on Monday, {times} times as many on Tuesday "
        f"and the rest in equal parts over {days} days. How many pages are that on each of these days?"
    )
    return question, str(daily)


@over(Orders(NAMES, 3), range(2, 40), range(1, 20))
def _shares(names: tuple[str, str, str], least: int, more: int) -> Problem:
    a, b, c = names
    question = (
        f"{a}, {b} and {c} share {4 * least + 3 * more} dollars. {b} gets {more} more than {c}, and {a} gets "
        f"twice as many as {b}. How many dollars does {c} get?"
    )
    return question, str(least)


@over(NAMES, THINGS, range(2, 8), range(2, 8), range(2, 30))
def _parts(name: str, thing: str, first: int, second: int, unit: int) -> Problem:
    count = first * second * unit
    question = (
        f"{name} has {count} {thing}s, gives away 1/{first} of them and then sells 1/{second} of the rest. "
        f"How many {thing}s does {name} have left?"
    )
    return question, str(Fraction(first - 1, first) * Fraction(second - 1, second) * count)


APPLIED_CATEGORIES = (
    Family("logic_and_sets", (_truth_value, _models, _neither, _union)),
    Family(
        "percentages",
        (_percent_of, _price_changes, _simple_interest, _compound_interest, _before_discount, _profit),
    ),
    Family(
        "word_problems",
        (_shopping, _eggs, _average_speed, _machines, _savings, _reading, _shares, _parts),
    ),
)
