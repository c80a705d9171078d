"""Mathematics in words: logic and sets, money and percentages, word problems of several steps."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from trm_lab.puzzles.text.math_notation import decimal
from trm_lab.puzzles.text.questions import Family, Orders, Problem, Space, Subsets, Tuples, over
from trm_lab.puzzles.text.words import NAMES, THINGS, row

Letters = tuple[str, ...]
Truths = tuple[bool, ...]
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


_neither = over(counts=Tuples(range(1, 40), 4)).ask(  # only chess, only go, both, neither
    "Of {students} students, {chess} play chess, {go} play go and {counts[2]} play both. How many play neither?",
    lambda counts: counts[3],
    students=lambda counts: sum(counts),
    chess=lambda counts: counts[0] + counts[2],
    go=lambda counts: counts[1] + counts[2],
)
_union = over(a=Subsets(range(1, 16), 3), b=Subsets(range(1, 16), 3)).ask(
    "A = {{{row_a}}}, B = {{{row_b}}}. List the union of A and B in ascending order.",
    lambda a, b: row(sorted({*a, *b})),
    row_a=lambda a: row(a),
    row_b=lambda b: row(b),
)
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
_before_discount = over(price=range(20, 4000, 20), percent=range(5, 100, 5)).ask(
    "After a discount of {percent}% a coat costs {paid} dollars. What did it cost before?",
    lambda price: price,
    paid=lambda price, percent: price * (100 - percent) // 100,
)
_profit = over(cost=range(20, 4000, 20), percent=range(5, 200, 5)).ask(
    "Bought at {cost}, sold at {price}: how many percent of the cost is the profit?",
    lambda percent: percent,
    price=lambda cost, percent: cost * (100 + percent) // 100,
)
_eggs = over(name=NAMES, laid=range(8, 40), eaten=range(1, 8), price=range(2, 10), days=range(2, 31)).ask(
    "{name}'s hens lay {laid} eggs a day. {name} eats {eaten} of them every day and sells the others "
    "at {price} dollars each. How many dollars does {name} earn in {days} days?",
    lambda laid, eaten, price, days: (laid - eaten) * price * days,
)
_average_speed = over(name=NAMES, hours=Tuples(range(1, 9), 2), speeds=Tuples(range(20, 130, 5), 2)).ask(
    "{name} drives {hours[0]} h at {speeds[0]} km/h and then {hours[1]} h at {speeds[1]} km/h. "
    "What is the average speed in km/h?",
    lambda hours, speeds: Fraction(hours[0] * speeds[0] + hours[1] * speeds[1], sum(hours)),
)
_shopping = over(
    name=NAMES, things=Orders(THINGS, 2), n=Tuples(range(2, 13), 2), prices=Tuples(range(2, 30), 2), change=range(1, 50)
).ask(
    "{name} buys {n[0]} {things[0]}s at {prices[0]} dollars each and {n[1]} {things[1]}s at {prices[1]} dollars each, "
    "and pays with {paid} dollars. How many dollars of change does {name} get?",
    lambda change: change,
    paid=lambda n, prices, change: n[0] * prices[0] + n[1] * prices[1] + change,
)  # fmt: skip
_machines = over(
    machines=range(2, 13), hours=range(2, 13), rate=range(2, 20), others=range(2, 13), longer=range(2, 13)
).ask(
    "{machines} machines make {parts} parts in {hours} hours. "
    "How many parts do {others} such machines make in {longer} hours?",
    lambda rate, others, longer: others * longer * rate,
    parts=lambda machines, hours, rate: machines * hours * rate,
)
_savings = over(name=NAMES, start=range(20, 200), weekly=range(5, 40), weeks=range(3, 40), spent=range(5, 20)).ask(
    "{name} has {start} dollars, spends {spent} on a gift and then saves {weekly} dollars a week. "
    "After how many weeks does {name} have {goal} dollars?",
    lambda weeks: weeks,
    goal=lambda start, spent, weekly, weeks: start - spent + weekly * weeks,
)
_reading = over(name=NAMES, first=range(10, 60), times=range(2, 5), days=range(2, 9), daily=range(8, 60)).ask(
    "A book has {pages} pages. {name} reads {first} of them on Monday, {times} times as many on Tuesday "
    "and the rest in equal parts over {days} days. How many pages are that on each of these days?",
    lambda daily: daily,
    pages=lambda first, times, days, daily: first + times * first + days * daily,
)
_shares = over(names=Orders(NAMES, 3), least=range(2, 40), more=range(1, 20)).ask(
    "{names[0]}, {names[1]} and {names[2]} share {total} dollars. {names[1]} gets {more} more than {names[2]}, and "
    "{names[0]} gets twice as many as {names[1]}. How many dollars does {names[2]} get?",
    lambda least: least,
    total=lambda least, more: 4 * least + 3 * more,
)
_parts = over(name=NAMES, thing=THINGS, first=range(2, 8), second=range(2, 8), unit=range(2, 30)).ask(
    "{name} has {count} {thing}s, gives away 1/{first} of them and then sells 1/{second} of the rest. "
    "How many {thing}s does {name} have left?",
    lambda first, second, unit: (first - 1) * (second - 1) * unit,
    count=lambda first, second, unit: first * second * unit,
)

APPLIED_CATEGORIES = (
    Family("logic_and_sets", (_truth_value, _models, _neither, _union)),
    Family(
        "percentages", (_percent_of, _price_changes, _simple_interest, _compound_interest, _before_discount, _profit)
    ),
    Family("word_problems", (_shopping, _eggs, _average_speed, _machines, _savings, _reading, _shares, _parts)),
)
