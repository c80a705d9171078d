"""Advanced questions: two or three steps of reasoning each."""

from trm_lab.puzzles.text.qa_deductions import relation
from trm_lab.puzzles.text.questions import Family, Orders, Problem, Subsets, Tuples, over
from trm_lab.puzzles.text.words import (
    CONSONANTS,
    NAMES,
    OPERATIONS,
    THINGS,
    VOWELS,
    changed,
    clock,
    listed,
    pronounceable,
    row,
)

Words = tuple[str, ...]
_SCALES = (
    ("taller", "shorter", ("tallest", "second tallest", "second shortest", "shortest")),
    ("older", "younger", ("oldest", "second oldest", "second youngest", "youngest")),
    ("faster", "slower", ("fastest", "second fastest", "second slowest", "slowest")),
)
_SET_SIZES = {
    "both sets": lambda a, b: len(a & b),
    "A but not in B": lambda a, b: len(a - b),
    "at least one of them": lambda a, b: len(a | b),
}

_sharing = over(
    people=Orders(NAMES, 2), thing=THINGS, count=range(50, 150), change=range(1, 50), which=("more", "fewer")
).ask(
    "{people[0]} has {count} {thing}s. {people[1]} has {change} {which} {thing}s than {people[0]}. "
    "How many {thing}s do they have together?",
    lambda count, change, which: 2 * count + (change if which == "more" else -change),
)
_film = over(hours=range(1, 6), minutes=range(1, 60), pause=range(5, 60), times=range(2, 6)).ask(
    "A show lasts {hours} h {minutes} min and is followed by a break of {pause} min. "
    "How many minutes do {times} shows with their breaks take?",
    lambda hours, minutes, pause, times: (60 * hours + minutes + pause) * times,
)
_weight = over(kilograms=range(1, 20), grams=range(1, 1000), boxes=range(2, 13)).ask(
    "A box weighs {kilograms} kg {grams} g. How many grams do {boxes} such boxes weigh?",
    lambda kilograms, grams, boxes: (1000 * kilograms + grams) * boxes,
)
_age_later = over(people=Orders(NAMES, 2), times=range(2, 6), age=range(3, 20), years=range(1, 30)).ask(
    "{people[1]} is {age} years old. {people[0]} is {times} times as old. "
    "How old will {people[0]} be in {years} years?",
    lambda times, age, years: times * age + years,
)
_prices = over(things=Orders(THINGS, 2), prices=Tuples(range(2, 60), 2), counts=Tuples(range(2, 10), 2)).ask(
    "One {things[0]} costs {prices[0]} and one {things[1]} costs {prices[1]}. "
    "What do {counts[0]} {things[0]}s and {counts[1]} {things[1]}s cost together?",
    lambda prices, counts: prices[0] * counts[0] + prices[1] * counts[1],
)


@over(
    scale=_SCALES, people=Orders(NAMES, 4), turned=Tuples((False, True), 3), order=Orders(range(3), 3), rank=range(4)
)  # fmt: skip
def _ordering(
    scale: tuple[str, str, Words], people: Words, turned: tuple[bool, ...], order: tuple[int, ...], rank: int
) -> Problem:
    more, less, ranks = scale
    facts = []
    for place in order:
        high, low = people[place], people[place + 1]
        facts.append(f"{low} is {less} than {high}." if turned[place] else f"{high} is {more} than {low}.")
    return f"{' '.join(facts)} Who is the {ranks[rank]}?", people[rank]


_rope = over(pieces=range(2, 13), length=range(101, 2000)).ask(
    "A rope of {total[0]} m {total[1]} cm is cut into {pieces} equal pieces. How many cm long is each piece?",
    lambda length: length,
    total=lambda pieces, length: divmod(pieces * length, 100),
)
_sets = over(a=Subsets(range(1, 13), 4), b=Subsets(range(1, 13), 4), part=tuple(_SET_SIZES)).ask(
    "A = {{{row_a}}}, B = {{{row_b}}}. How many numbers are in {part}?",
    lambda a, b, part: _SET_SIZES[part](set(a), set(b)),
    row_a=lambda a: row(a),
    row_b=lambda b: row(b),
)
_word_steps = over(consonants=Tuples(CONSONANTS, 3), vowels=Tuples(VOWELS, 2), steps=Orders(OPERATIONS, 2)).ask(
    "Take the word {word}. {first}, then {steps[1]}. What do you get?",
    lambda word, steps: changed(word, steps),
    word=pronounceable,
    first=lambda steps: steps[0].capitalize(),
)


@over(start=range(2, 100), steps=Tuples(("add", "subtract", "multiply by"), 3), numbers=Tuples(range(2, 16), 3))
def _number_steps(start: int, steps: Words, numbers: tuple[int, ...]) -> Problem:
    value = start
    for step, number in zip(steps, numbers, strict=True):
        value = {"add": value + number, "subtract": value - number, "multiply by": value * number}[step]
    first, second, third = (f"{step} {number}" for step, number in zip(steps, numbers, strict=True))
    return f"Start with {start}, {first}, {second}, then {third}. What is the result?", str(value)


@over(chain=("PP", "SP", "CS", "CC", "PS", "SC"), people=Orders(NAMES, 3), first=range(2), second=range(2))
def _kinship(chain: str, people: Words, first: int, second: int) -> Problem:
    a, b, c = people
    question = f"{a} is the {relation(chain[0])[first]} of {b}. {b} is the {relation(chain[1])[second]} of {c}. "
    return f"{question}What is {a} to {c}?", relation(chain)[first]


_age_now = over(people=Orders(NAMES, 2), age=range(30, 80), younger=range(1, 26), years=range(1, 16)).ask(
    "In {years} years {people[0]} will be {later}. {people[1]} is {younger} years younger than {people[0]}. "
    "How old is {people[1]} now?",
    lambda age, younger: age - younger,
    later=lambda age, years: age + years,
)


@over(people=Orders(NAMES, 5), places=Orders(range(5), 2))
def _queue(people: Words, places: tuple[int, int]) -> Problem:
    start, end = places
    distance = abs(end - start)
    question = (
        f"From front to back, {listed(list(people))} stand in a line. Who is {distance} "
        f"{'place' if distance == 1 else 'places'} {'behind' if end > start else 'ahead of'} {people[start]}?"
    )
    return question, people[end]


_schedule = over(start=range(1440), hours=range(1, 13), minutes=range(1, 60), stop=range(5, 60)).ask(
    "A train leaves at {time}, drives for {hours} h {minutes} min and stops on the way for {stop} min. "
    "When does it arrive?",
    lambda start, hours, minutes, stop: clock(start + 60 * hours + minutes + stop),
    time=lambda start: clock(start),
)

ADVANCED = (
    Family("sharing", (_sharing,)),
    Family("ordering", (_ordering,)),
    Family("conversion", (_rope, _film, _weight)),
    Family("sets", (_sets,), answers=7),
    Family("word_steps", (_word_steps,)),
    Family("number_steps", (_number_steps,)),
    Family("kinship", (_kinship,), answers=12),
    Family("ages", (_age_later, _age_now)),
    Family("queue", (_queue,)),
    Family("prices", (_prices,)),
    Family("schedule", (_schedule,)),
)
