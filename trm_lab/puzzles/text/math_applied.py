"""Mathematics in words: logic and sets, money and percentages, word problems of several steps."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from trm_lab.puzzles.text.math_notation import decimal, row
from trm_lab.puzzles.text.questions import Family, Orders, Problem, Space, Subsets, Tuples, over
from trm_lab.puzzles.text.words import NAMES, THINGS

Letters = tuple[str, ...]
Truths = tuple[bool, ...]
Numbers = tuple[int, ...]
_CONNECTIVES = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "implies": lambda a, b: not a or b,
}
_FORMULAS: dict[str, Space] = {
    "letters": Orders("pqr", 3),
    "negated": Tuples((False, True), 3),
    "joined": Tuples(_CONNECTIVES, 2),
    "side": ("left", "right"),
}


def _formula(letters: Letters, negated: Truths, joined: Letters, side: str) -> str:
    a, b, c = (f"not {letter}" if no else letter for letter, no in zip(letters, negated, strict=True))
    first, second = joined
    return f"({a} {first} {b}) {second} {c}" if side == "left" else f"{a} {first} ({b} {second} {c})"


def _truth(parts: Sequence[bool], joined: Letters, side: str) -> bool:
    """The truth of the formula whose three parts have these truth values."""
    a, b, c = parts
    first, second = (_CONNECTIVES[name] for name in joined)
    return second(first(a, b), c) if side == "left" else first(a, second(b, c))


@over(**_FORMULAS, values=Tuples((False, True), 3))
def _truth_value(letters: Letters, negated: Truths, joined: Letters, side: str, values: Truths) -> Problem:
    value_of = dict(zip("pqr", values, strict=True))
    parts = [value_of[letter] != no for letter, no in zip(letters, negated, strict=True)]
    assignment = ", ".join(f"{letter} is {str(value).lower()}" for letter, value in value_of.items())
    question = f"If {assignment}: what is {_formula(letters, negated, joined, side)}?"
    return question, str(_truth(parts, joined, side)).lower()


@over(**_FORMULAS)
def _models(letters: Letters, negated: Truths, joined: Letters, side: str) -> Problem:
    count = sum(_truth(parts, joined, side) for parts in product((False, True), repeat=3))
    formula = _formula(letters, negated, joined, side)
    return f"For how many of the 8 truth values of p, q and r is {formula} true?", str(count)


@over(counts=Tuples(range(1, 40), 4))
def _neither(counts: Numbers) -> Problem:
    chess, go, both, neither = counts
    question = (
        f"Of {sum(counts)} students, {chess + both} play chess, {go + both} play go and {both} play both. "
        "How many play neither?"
    )
    return question, str(neither)


@over(a=Subsets(range(1, 16), 3), b=Subsets(range(1, 16), 3))
def _union(a: Numbers, b: Numbers) -> Problem:
    question = f"A = {{{row(a)}}}, B = {{{row(b)}}}. List the union of A and B in ascending order."
    return question, row(sorted({*a, *b}))


_percent_of = over(percent=range(1, 100), number=range(11, 2000)).ask(
    "What is {percent}% of {number}?", lambda percent, number: decimal(percent * number)
)
_price_changes = over(
    price=range(100, 10_000, 100), first=range(5, 100, 5), second=range(5, 100, 5), how=("rises", "falls")
).ask(
    "A price of {price} {how} by {first}% and then falls by {second}%. What is it now?",
    lambda price, first, second, how: decimal(
        price // 100 * (100 + first if how == "rises" else 100 - first) * (100 - second)
    ),
)
_simple_interest = over(amount=range(100, 5000, 50), percent=range(1, 13), years=range(2, 11)).ask(
    "How much simple interest do {amount} dollars earn in {years} years at {percent}% a year?",
    lambda amount, percent, years: decimal(amount * percent * years),
)
_compound_interest = over(amount=range(1000, 100_000, 1000), percent=range(1, 26)).ask(
    "{amount} dollars earn {percent}% a year, compounded yearly. How many dollars are there after 2 years?",
    lambda amount, percent: decimal(amount // 100 * (100 + percent) ** 2),
)


@over(price=range(20, 4000, 20), percent=range(5, 100, 5))
def _before_discount(price: int, percent: int) -> Problem:
    paid = price * (100 - percent) // 100
    return f"After a discount of {percent}% a coat costs {paid} dollars. What did it cost before?", str(price)


@over(cost=range(20, 4000, 20), percent=range(5, 200, 5))
def _profit(cost: int, percent: int) -> Problem:
    price = cost * (100 + percent) // 100
    return f"Bought at {cost}, sold at {price}: how many percent of the cost is the profit?", str(percent)


_eggs = over(name=NAMES, laid=range(8, 40), eaten=range(1, 8), price=range(2, 10), days=range(2, 31)).ask(
    "{name}'s hens lay {laid} eggs a day. {name} eats {eaten} of them every day and sells the others "
    "at {price} dollars each. How many dollars does {name} earn in {days} days?",
    lambda name, laid, eaten, price, days: (laid - eaten) * price * days,
)
_average_speed = over(name=NAMES, hours=Tuples(range(1, 9), 2), speeds=Tuples(range(20, 130, 5), 2)).ask(
    "{name} drives {hours[0]} h at {speeds[0]} km/h and then {hours[1]} h at {speeds[1]} km/h. "
    "What is the average speed in km/h?",
    lambda name, hours, speeds: Fraction(hours[0] * speeds[0] + hours[1] * speeds[1], sum(hours)),
)


@over(
    name=NAMES, things=Orders(THINGS, 2), counts=Tuples(range(2, 13), 2), prices=Tuples(range(2, 30), 2),
    change=range(1, 50),
)  # fmt: skip
def _shopping(name: str, things: Letters, counts: Numbers, prices: Numbers, change: int) -> Problem:
    paid = counts[0] * prices[0] + counts[1] * prices[1] + change
    question = (
        f"{name} buys {counts[0]} {things[0]}s at {prices[0]} dollars each and {counts[1]} {things[1]}s at "
        f"{prices[1]} dollars each, and pays with {paid} dollars. How many dollars of change does {name} get?"
    )
    return question, str(change)


@over(machines=range(2, 13), hours=range(2, 13), rate=range(2, 20), others=range(2, 13), longer=range(2, 13))
def _machines(machines: int, hours: int, rate: int, others: int, longer: int) -> Problem:
    question = (
        f"{machines} machines make {machines * hours * rate} parts in {hours} hours. "
        f"How many parts do {others} such machines make in {longer} hours?"
    )
    return question, str(others * longer * rate)


@over(name=NAMES, start=range(20, 200), weekly=range(5, 40), weeks=range(3, 40), spent=range(5, 20))
def _savings(name: str, start: int, weekly: int, weeks: int, spent: int) -> Problem:
    goal = start - spent + weekly * weeks
    question = (
        f"{name} has {start} dollars, spends {spent} on a gift and then saves {weekly} dollars a week. "
        f"After how many weeks does {name} have {goal} dollars?"
    )
    return question, str(weeks)


@over(name=NAMES, first=range(10, 60), times=range(2, 5), days=range(2, 9), daily=range(8, 60))
def _reading(name: str, first: int, times: int, days: int, daily: int) -> Problem:
    pages = first + times * first + days * daily
    question = (
        f"A book has {pages} pages. {name} reads {first} of them on Monday, {times} times as many on Tuesday "
        f"and the rest in equal parts over {days} days. How many pages are that on each of these days?"
    )
    return question, str(daily)


@over(names=Orders(NAMES, 3), least=range(2, 40), more=range(1, 20))
def _shares(names: Letters, least: int, more: int) -> Problem:
    a, b, c = names
    question = (
        f"{a}, {b} and {c} share {4 * least + 3 * more} dollars. {b} gets {more} more than {c}, and {a} gets "
        f"twice as many as {b}. How many dollars does {c} get?"
    )
    return question, str(least)


@over(name=NAMES, thing=THINGS, first=range(2, 8), second=range(2, 8), unit=range(2, 30))
def _parts(name: str, thing: str, first: int, second: int, unit: int) -> Problem:
    question = (
        f"{name} has {first * second * unit} {thing}s, gives away 1/{first} of them and then sells 1/{second} of "
        f"the rest. How many {thing}s does {name} have left?"
    )
    return question, str((first - 1) * (second - 1) * unit)


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
