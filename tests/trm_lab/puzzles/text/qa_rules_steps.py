"""The answers to the plain and advanced questions, found from their texts and another way than they were made."""

import calendar
import datetime
import itertools
import operator
import re
from collections import deque
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import reduce

from tests.trm_lab.puzzles.text.question_rules import N, Rules, numbers

RULES = Rules()
rule = RULES.rule
MIDNIGHT = datetime.datetime(2024, 1, 1)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


rule(rf"What is {N} \+ {N}\?")(lambda a, b: a - -b)
rule(rf"What is {N} - {N}\?")(lambda a, b: a + -b)
rule(rf"What is {N} \* {N}\?")(lambda a, b: sum([a] * b))
rule(rf"Which number is (larger|smaller), {N} or {N}\?")(lambda which, *pair: sorted(pair)[which == "larger"])
rule(r"Which is the (largest|smallest) of (.*)\?")(
    lambda which, terms: sorted(numbers(terms), reverse=which == "largest")[0]
)
rule(r"How many times does (.) occur in (.*)\?")(
    lambda letter, word: len(word) - len(word.replace(letter, ""))
)
rule(r"What is the (\w+) letter of (.*)\?")(
    lambda ordinal, word: dict(zip(ORDINALS, word, strict=True))[ordinal]
)
rule(rf"Is {N} divisible by {N}\?")(lambda a, b: "yes" if Fraction(a, b).denominator == 1 else "no")


@rule(rf"Today is (\w+)\. Which day (?:will it be|was it) {N} days (from now|ago)\?")
def _weekday(today: str, days: int, way: str) -> str:
    start = datetime.date(2024, 1, 1) + datetime.timedelta(list(calendar.day_name).index(today))
    return (start + datetime.timedelta(days if way == "from now" else -days)).strftime("%A")


@rule(rf"It is (\w+)\. Which month will it be {N} months from now\?")
def _month(month: str, months: int) -> str:
    years = itertools.dropwhile(lambda name: name != month, itertools.cycle(list(calendar.month_name)[1:]))
    return next(itertools.islice(years, months, None))


@rule(rf"It is {N}:{N}\. What time (?:will it be in|was it) {N} minutes( ago)?\?")
def _clock(hour: int, minute: int, minutes: int, ago: str | None) -> str:
    change = datetime.timedelta(minutes=-minutes if ago else minutes)
    return (MIDNIGHT.replace(hour=hour, minute=minute) + change).strftime("%H:%M")


@rule(r"Which number comes next: (.*)\?")
def _sequence(listed: str) -> int:
    terms = numbers(listed)
    steps = {b - a for a, b in itertools.pairwise(terms)}
    if len(steps) == 1:
        return terms[-1] + steps.pop()
    (ratio,) = {Fraction(b, a) for a, b in itertools.pairwise(terms)}
    return int(terms[-1] * ratio)


@rule(rf"What is the sum of the digits of {N}\?")
def _digits(number: int) -> int:
    left, total = number, 0
    while left:
        left, digit = divmod(left, 10)
        total += digit
    return total


@rule(rf"Round {N} to the nearest (ten|hundred|thousand), halves up\.")
def _rounding(number: int, unit: str) -> int:
    power = {"ten": 1, "hundred": 2, "thousand": 3}[unit]
    return int(Decimal(number).scaleb(-power).quantize(Decimal(1), ROUND_HALF_UP).scaleb(power))


rule(rf"(\w+) has {N} (\w+)\. (\w+) has {N} (more|fewer) \3 than \1\. How many \3 do they have together\?")(
    lambda _, count, __, ___, change, way: count + count + change * (-1 if way == "fewer" else 1)
)
rule(rf"A rope of {N} m {N} cm is cut into {N} equal pieces\. How many cm long is each piece\?")(
    lambda metres, centimetres, pieces: Fraction(metres * 100 + centimetres, pieces)
)
rule(rf"A box weighs {N} kg {N} g\. How many grams do {N} such boxes weigh\?")(
    lambda kilograms, grams, boxes: int(Decimal(f"{kilograms}.{grams:03d}") * boxes * 1000)
)
rule(rf"(\w+) is {N} years old\. (\w+) is {N} times as old\. How old will \3 be in {N} years\?")(
    lambda _, age, __, times, years: sum([age] * times, years)
)
rule(rf"In {N} years (\w+) will be {N}\. (\w+) is {N} years younger than \2\. How old is \4 now\?")(
    lambda years, _, age, __, younger: age - years - younger
)


@rule(r"((?:\w+ is \w+ than \w+\. )+)Who is the (second )?(\w+)\?")
def _ordering(facts: str, second: str | None, superlative: str) -> str:
    relations = re.findall(r"(\w+) is (\w+) than (\w+)\.", facts)
    people = sorted({name for a, _, b in relations for name in (a, b)})
    upward = ("taller", "older", "faster")
    (order,) = [  # from most to least: the only one that fits
        order
        for order in itertools.permutations(people)
        if all((order.index(a) < order.index(b)) == (word in upward) for a, word, b in relations)
    ]
    most = superlative in ("tallest", "oldest", "fastest")
    return order[(1 if second else 0) if most else (-2 if second else -1)]


@rule(
    rf"A show lasts {N} h {N} min and is followed by a break of {N} min\. "
    rf"How many minutes do {N} shows with their breaks take\?"
)
def _film(hours: int, minutes: int, pause: int, times: int) -> int:
    show = datetime.timedelta(hours=hours, minutes=minutes) + datetime.timedelta(minutes=pause)
    return times * show // datetime.timedelta(minutes=1)


@rule(r"A = \{(.*)\}, B = \{(.*)\}\. How many numbers are in (.*)\?")
def _sets(a: str, b: str, question: str) -> int:
    first, second = a.split(", "), b.split(", ")
    common = [n for n in first if n in second]
    return {
        "both sets": len(common),
        "A but not in B": len(first) - len(common),
        "at least one of them": len(first) + len(second) - len(common),
    }[question]


def changed(word: str, operation: str) -> str:
    """One operation on a word, as letters in a row."""
    letters = deque(word)
    if operation == "reverse it":
        letters.reverse()
    elif operation == "remove its first letter":
        letters.popleft()
    elif operation == "remove its last letter":
        letters.pop()
    elif operation == "swap its first and last letters":
        letters[0], letters[-1] = letters[-1], letters[0]
    elif operation == "double its first letter":
        letters.appendleft(letters[0])
    elif operation == "move its first letter to the end":
        letters.rotate(-1)
    else:
        assert operation == "replace every a by o"
        letters = deque("o" if letter == "a" else letter for letter in letters)
    return "".join(letters)


@rule(r"Take the word (\w+)\. ([^.]*), then ([^.]*)\. What do you get\?")
def _word_steps(word: str, first: str, second: str) -> str:
    return changed(changed(word, first[0].lower() + first[1:]), second)


@rule(rf"Start with {N}, ([a-z ]+) {N}, ([a-z ]+) {N}, then ([a-z ]+) {N}\. What is the result\?")
def _number_steps(start: int, *steps: str) -> int:
    ways = {"add": operator.add, "subtract": operator.sub, "multiply by": operator.mul}
    pairs = zip(steps[::2], steps[1::2], strict=True)
    return reduce(lambda value, step: ways[step[0]](value, step[1]), pairs, start)


@rule(rf"From front to back, (.*) stand in a line\. Who is {N} places? (behind|ahead of) (\w+)\?")
def _queue(people: str, distance: int, way: str, name: str) -> str:
    front = re.split(r", | and ", people)
    line = deque(front)
    while line[0] != name:
        line.rotate(-1)
    other = line[distance if way == "behind" else -distance]
    assert (front.index(other) > front.index(name)) == (way == "behind")  # nobody stands behind the last
    return other


@rule(rf"One (\w+) costs {N} and one (\w+) costs {N}\. What do {N} (\w+)s and {N} (\w+)s cost together\?")
def _prices(a: str, price_a: int, b: str, price_b: int, m: int, things_a: str, n: int, things_b: str) -> int:
    price = {a: price_a, b: price_b}
    return m * price[things_a] + n * price[things_b]


@rule(
    rf"A train leaves at {N}:{N}, drives for {N} h {N} min and stops on the way for {N} min\. When does it arrive\?"
)
def _schedule(hour: int, minute: int, hours: int, minutes: int, stop: int) -> str:
    start = MIDNIGHT.replace(hour=hour, minute=minute)
    drive = datetime.timedelta(hours=hours, minutes=minutes)
    return (start + drive + datetime.timedelta(minutes=stop)).strftime("%H:%M")
