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

from tests.trm_lab.puzzles.text.question_rules import Rules

RULES = Rules()
asked = RULES.asked
N = r"(-?\d+)"
MIDNIGHT = datetime.datetime(2024, 1, 1)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


@asked(rf"What is {N} ([-+*]) {N}\?")
def _arithmetic(a: str, sign: str, b: str) -> int:
    if sign == "*":
        return sum([int(a)] * int(b))
    return int(a) + (int(b) if sign == "+" else -int(b))


@asked(rf"Which number is (larger|smaller), {N} or {N}\?")
def _comparison(which: str, a: str, b: str) -> str:
    first, second = sorted([a.zfill(9), b.zfill(9)])
    return (second if which == "larger" else first).lstrip("0") or "0"


@asked(r"Which is the (largest|smallest) of (.*)\?")
def _extreme(which: str, numbers: str) -> int:
    return sorted(map(int, numbers.split(", ")), reverse=which == "largest")[0]


@asked(r"How many times does (.) occur in (.*)\?")
def _letter_count(letter: str, word: str) -> int:
    return len(word) - len(word.replace(letter, ""))


@asked(r"What is the (\w+) letter of (.*)\?")
def _letter_position(ordinal: str, word: str) -> str:
    return next(letter for name, letter in zip(ORDINALS, word, strict=True) if name == ordinal)


@asked(r"Today is (\w+)\. Which day (?:will it be|was it) (\d+) days (from now|ago)\?")
def _weekday(today: str, days: str, way: str) -> str:
    start = datetime.date(2024, 1, 1) + datetime.timedelta(list(calendar.day_name).index(today))
    return (start + datetime.timedelta(int(days) * (1 if way == "from now" else -1))).strftime("%A")


@asked(r"It is (\w+)\. Which month will it be (\d+) months from now\?")
def _month(month: str, months: str) -> str:
    years = itertools.dropwhile(lambda name: name != month, itertools.cycle(list(calendar.month_name)[1:]))
    return next(itertools.islice(years, int(months), None))


@asked(r"It is (\d\d):(\d\d)\. What time (?:will it be in|was it) (\d+) minutes( ago)?\?")
def _clock(hour: str, minute: str, minutes: str, ago: str | None) -> str:
    change = datetime.timedelta(minutes=-int(minutes) if ago else int(minutes))
    return (MIDNIGHT.replace(hour=int(hour), minute=int(minute)) + change).strftime("%H:%M")


@asked(r"Which number comes next: (.*)\?")
def _sequence(numbers: str) -> int:
    terms = [int(number) for number in numbers.split(", ")]
    steps = {b - a for a, b in itertools.pairwise(terms)}
    if len(steps) == 1:
        return terms[-1] + steps.pop()
    (ratio,) = {Fraction(b, a) for a, b in itertools.pairwise(terms)}
    return int(terms[-1] * ratio)


@asked(rf"Is {N} divisible by {N}\?")
def _divisible(a: str, b: str) -> str:
    return "yes" if Fraction(int(a), int(b)).denominator == 1 else "no"


@asked(rf"What is the sum of the digits of {N}\?")
def _digits(number: str) -> int:
    left, total = int(number), 0
    while left:
        left, digit = divmod(left, 10)
        total += digit
    return total


@asked(rf"Round {N} to the nearest (ten|hundred|thousand), halves up\.")
def _rounding(number: str, unit: str) -> int:
    power = {"ten": 1, "hundred": 2, "thousand": 3}[unit]
    return int(Decimal(number).scaleb(-power).quantize(Decimal(1), ROUND_HALF_UP).scaleb(power))


@asked(rf"(\w+) has {N} (\w+)\. (\w+) has {N} (more|fewer) \3 than \1\. How many \3 do they have together\?")
def _sharing(a: str, count: str, things: str, b: str, change: str, way: str) -> int:
    return 2 * int(count) + int(change) * (-1 if way == "fewer" else 1)


@asked(r"((?:\w+ is \w+ than \w+\. )+)Who is the (second )?(\w+)\?")
def _ordering(facts: str, second: str | None, superlative: str) -> str:
    told = re.findall(r"(\w+) is (\w+) than (\w+)\.", facts)
    people = sorted({name for a, _, b in told for name in (a, b)})
    upward = ("taller", "older", "faster")
    (order,) = [  # from most to least: the only one that fits
        order
        for order in itertools.permutations(people)
        if all((order.index(a) < order.index(b)) == (word in upward) for a, word, b in told)
    ]
    most = superlative in ("tallest", "oldest", "fastest")
    return order[(1 if second else 0) if most else (-2 if second else -1)]


@asked(rf"A rope of {N} m {N} cm is cut into {N} equal pieces\. How many cm long is each piece\?")
def _rope(metres: str, rest: str, pieces: str) -> Fraction:
    return Fraction(int(metres) * 100 + int(rest), int(pieces))


@asked(
    rf"A show lasts {N} h {N} min and is followed by a break of {N} min\. "
    rf"How many minutes do {N} shows with their breaks take\?"
)
def _film(hours: str, minutes: str, pause: str, times: str) -> int:
    one = datetime.timedelta(hours=int(hours), minutes=int(minutes)) + datetime.timedelta(minutes=int(pause))
    return int(times) * one // datetime.timedelta(minutes=1)


@asked(rf"A box weighs {N} kg {N} g\. How many grams do {N} such boxes weigh\?")
def _weight(kilograms: str, grams: str, boxes: str) -> int:
    return int(Decimal(f"{kilograms}.{int(grams):03d}") * int(boxes) * 1000)


@asked(r"A = \{(.*)\}, B = \{(.*)\}\. How many numbers are in (.*)\?")
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


@asked(r"Take the word (\w+)\. ([^.]*), then ([^.]*)\. What do you get\?")
def _word_steps(word: str, first: str, second: str) -> str:
    return changed(changed(word, first[0].lower() + first[1:]), second)


@asked(rf"Start with {N}, ([a-z ]+) {N}, ([a-z ]+) {N}, then ([a-z ]+) {N}\. What is the result\?")
def _number_steps(start: str, *steps: str) -> int:
    ways = {"add": operator.add, "subtract": operator.sub, "multiply by": operator.mul}
    pairs = zip(steps[::2], steps[1::2], strict=True)
    return reduce(lambda value, step: ways[step[0]](value, int(step[1])), pairs, int(start))


@asked(rf"(\w+) is {N} years old\. (\w+) is {N} times as old\. How old will \3 be in {N} years\?")
def _age_later(_: str, age: str, __: str, times: str, years: str) -> int:
    return sum([int(age)] * int(times), int(years))


@asked(rf"In {N} years (\w+) will be {N}\. (\w+) is {N} years younger than \2\. How old is \4 now\?")
def _age_now(years: str, _: str, age: str, __: str, younger: str) -> int:
    return int(age) - int(years) - int(younger)


@asked(rf"From front to back, (.*) stand in a line\. Who is {N} places? (behind|ahead of) (\w+)\?")
def _queue(people: str, distance: str, way: str, name: str) -> str:
    line = deque(re.split(r", | and ", people))
    while line[0] != name:
        line.rotate(-1)
    front = re.split(r", | and ", people)
    wanted = line[int(distance) if way == "behind" else -int(distance)]
    assert (front.index(wanted) > front.index(name)) == (way == "behind")  # nobody stands behind the last
    return wanted


@asked(rf"One (\w+) costs {N} and one (\w+) costs {N}\. What do {N} (\w+)s and {N} (\w+)s cost together\?")
def _prices(a: str, price_a: str, b: str, price_b: str, m: str, things_a: str, n: str, things_b: str) -> int:
    price = {a: int(price_a), b: int(price_b)}
    return int(m) * price[things_a] + int(n) * price[things_b]


@asked(
    r"A train leaves at (\d\d):(\d\d), drives for (\d+) h (\d+) min and stops on the way for (\d+) min\. "
    r"When does it arrive\?"
)
def _schedule(hour: str, minute: str, hours: str, minutes: str, stop: str) -> str:
    start = MIDNIGHT.replace(hour=int(hour), minute=int(minute))
    drive = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    return (start + drive + datetime.timedelta(minutes=int(stop))).strftime("%H:%M")
