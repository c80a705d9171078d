"""Plain questions: one step of reasoning each."""

from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Tuples, over
from trm_lab.puzzles.text.question_words import LETTERS, MONTHS, ORDINALS, WEEKDAYS, clock

_UNITS = (("ten", 10), ("hundred", 100), ("thousand", 1000))


@over(range(1000), range(1000))
def _sum(a: int, b: int) -> Problem:
    return f"What is {a} + {b}?", str(a + b)


@over(range(1000), range(1000))
def _difference(a: int, b: int) -> Problem:
    return f"What is {a} - {b}?", str(a - b)


@over(range(2, 1000), range(2, 100))
def _product(a: int, b: int) -> Problem:
    return f"What is {a} * {b}?", str(a * b)


@over(("larger", "smaller"), Orders(range(2000), 2))
def _comparison(which: str, pair: tuple[int, int]) -> Problem:
    wanted = max(pair) if which == "larger" else min(pair)
    return f"Which number is {which}, {pair[0]} or {pair[1]}?", str(wanted)


@over(("largest", "smallest"), Orders(range(10, 1000), 4))
def _extreme(which: str, numbers: tuple[int, ...]) -> Problem:
    wanted = max(numbers) if which == "largest" else min(numbers)
    return f"Which is the {which} of {', '.join(map(str, numbers))}?", str(wanted)


@over("abcde", Tuples("abcde", 8))
def _letter_count(letter: str, letters: tuple[str, ...]) -> Problem:
    return f"How many times does {letter} occur in {''.join(letters)}?", str(letters.count(letter))


@over(range(7), Tuples(LETTERS, 7))
def _letter_position(place: int, letters: tuple[str, ...]) -> Problem:
    return f"What is the {ORDINALS[place]} letter of {''.join(letters)}?", letters[place]


@over(range(7), range(1, 10_000))
def _weekday_after(day: int, days: int) -> Problem:
    question = f"Today is {WEEKDAYS[day]}. Which day will it be {days} days from now?"
    return question, WEEKDAYS[(day + days) % 7]


@over(range(7), range(1, 10_000))
def _weekday_before(day: int, days: int) -> Problem:
    return f"Today is {WEEKDAYS[day]}. Which day was it {days} days ago?", WEEKDAYS[(day - days) % 7]


@over(range(12), range(1, 5000))
def _month_after(month: int, months: int) -> Problem:
    question = f"It is {MONTHS[month]}. Which month will it be {months} months from now?"
    return question, MONTHS[(month + months) % 12]


@over(range(1440), range(1, 1440))
def _clock_after(now: int, minutes: int) -> Problem:
    return f"It is {clock(now)}. What time will it be in {minutes} minutes?", clock(now + minutes)


@over(range(1440), range(1, 1440))
def _clock_before(now: int, minutes: int) -> Problem:
    return f"It is {clock(now)}. What time was it {minutes} minutes ago?", clock(now - minutes)


def _next(terms: list[int]) -> Problem:
    """The last of the terms is asked for."""
    return f"Which number comes next: {', '.join(map(str, terms[:-1]))}?", str(terms[-1])


@over(range(1000), range(1, 100))
def _rising(start: int, step: int) -> Problem:
    return _next([start + step * i for i in range(5)])


@over(range(400, 1400), range(1, 100))
def _falling(start: int, step: int) -> Problem:
    return _next([start - step * i for i in range(5)])


@over(range(1, 1000), range(2, 10))
def _multiplied(start: int, ratio: int) -> Problem:
    return _next([start * ratio**i for i in range(5)])


@over(range(2, 100_000), range(2, 13))
def _divisibility(number: int, divisor: int) -> Problem:
    return f"Is {number} divisible by {divisor}?", "no" if number % divisor else "yes"


@over(range(100, 1_000_000))
def _digit_sum(number: int) -> Problem:
    return f"What is the sum of the digits of {number}?", str(sum(map(int, str(number))))


@over(range(1000, 100_000), _UNITS)
def _rounding(number: int, unit: tuple[str, int]) -> Problem:
    name, size = unit
    question = f"Round {number} to the nearest {name}, halves up."
    return question, str((number + size // 2) // size * size)


PLAIN = (
    Family("arithmetic", (_sum, _difference, _product)),
    Family("comparison", (_comparison,)),
    Family("extreme", (_extreme,)),
    Family("letter_count", (_letter_count,), answers=5),
    Family("letter_position", (_letter_position,), answers=26),
    Family("calendar", (_weekday_after, _weekday_before, _month_after)),
    Family("clock", (_clock_after, _clock_before)),
    Family("sequence", (_rising, _falling, _multiplied)),
    Family("divisibility", (_divisibility,), answers=2),
    Family("digit_sum", (_digit_sum,)),
    Family("rounding", (_rounding,)),
)
