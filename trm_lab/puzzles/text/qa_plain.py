"""Plain questions: one step of reasoning each."""

from trm_lab.puzzles.text.questions import Family, Orders, Tuples, over
from trm_lab.puzzles.text.words import LETTERS, MONTHS, ORDINALS, WEEKDAYS, clock, row

_SIZES = {"ten": 10, "hundred": 100, "thousand": 1000}
_sum = over(a=range(1000), b=range(1000)).ask("What is {a} + {b}?", lambda a, b: a + b)
_difference = over(a=range(1000), b=range(1000)).ask("What is {a} - {b}?", lambda a, b: a - b)
_product = over(a=range(2, 1000), b=range(2, 100)).ask("What is {a} * {b}?", lambda a, b: a * b)
_comparison = over(which=("larger", "smaller"), pair=Orders(range(2000), 2)).ask(
    "Which number is {which}, {pair[0]} or {pair[1]}?",
    lambda which, pair: max(pair) if which == "larger" else min(pair),
)
_weekday_after = over(today=WEEKDAYS, days=range(1, 10_000)).ask(
    "Today is {today}. Which day will it be {days} days from now?",
    lambda today, days: WEEKDAYS[(WEEKDAYS.index(today) + days) % 7],
)
_weekday_before = over(today=WEEKDAYS, days=range(1, 10_000)).ask(
    "Today is {today}. Which day was it {days} days ago?",
    lambda today, days: WEEKDAYS[(WEEKDAYS.index(today) - days) % 7],
)
_month_after = over(month=MONTHS, months=range(1, 5000)).ask(
    "It is {month}. Which month will it be {months} months from now?",
    lambda month, months: MONTHS[(MONTHS.index(month) + months) % 12],
)
_divisibility = over(number=range(2, 100_000), divisor=range(2, 13)).ask(
    "Is {number} divisible by {divisor}?", lambda number, divisor: "no" if number % divisor else "yes"
)
_digit_sum = over(number=range(100, 1_000_000)).ask(
    "What is the sum of the digits of {number}?", lambda number: sum(map(int, str(number)))
)
_rounding = over(number=range(1000, 100_000), unit=tuple(_SIZES)).ask(
    "Round {number} to the nearest {unit}, halves up.",
    lambda number, unit: (number + _SIZES[unit] // 2) // _SIZES[unit] * _SIZES[unit],
)
_extreme = over(which=("largest", "smallest"), numbers=Orders(range(10, 1000), 4)).ask(
    "Which is the {which} of {row}?",
    lambda which, numbers: max(numbers) if which == "largest" else min(numbers),
    row=row,
)
_letter_count = over(letter="abcde", letters=Tuples("abcde", 8)).ask(
    "How many times does {letter} occur in {word}?",
    lambda letter, letters: letters.count(letter),
    word=lambda letters: "".join(letters),
)
_letter_position = over(ordinal=ORDINALS, letters=Tuples(LETTERS, 7)).ask(
    "What is the {ordinal} letter of {word}?",
    lambda ordinal, letters: letters[ORDINALS.index(ordinal)],
    word=lambda letters: "".join(letters),
)
_clock_after = over(now=range(1440), minutes=range(1, 1440)).ask(
    "It is {time}. What time will it be in {minutes} minutes?",
    lambda now, minutes: clock(now + minutes),
    time=lambda now: clock(now),
)
_clock_before = over(now=range(1440), minutes=range(1, 1440)).ask(
    "It is {time}. What time was it {minutes} minutes ago?",
    lambda now, minutes: clock(now - minutes),
    time=lambda now: clock(now),
)
_rising = over(start=range(1000), step=range(1, 100)).ask(
    "Which number comes next: {terms}?",
    lambda start, step: start + 4 * step,
    terms=lambda start, step: row([start + step * i for i in range(4)]),
)
_falling = over(start=range(400, 1400), step=range(1, 100)).ask(
    "Which number comes next: {terms}?",
    lambda start, step: start - 4 * step,
    terms=lambda start, step: row([start - step * i for i in range(4)]),
)
_multiplied = over(start=range(1, 1000), ratio=range(2, 10)).ask(
    "Which number comes next: {terms}?",
    lambda start, ratio: start * ratio**4,
    terms=lambda start, ratio: row([start * ratio**i for i in range(4)]),
)

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
