"""Advanced questions: two or three steps of reasoning each."""

from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Subsets, Tuples, over
from trm_lab.puzzles.text.question_words import CONSONANTS, NAMES, THINGS, VOWELS, clock, listed
from trm_lab.puzzles.text.word_operations import OPERATIONS, apply_operation

Pair = tuple[str, str]
Trio = tuple[str, str, str]
Quartet = tuple[str, str, str, str]

_SCALES = (
    ("taller", "shorter", ("tallest", "second tallest", "second shortest", "shortest")),
    ("older", "younger", ("oldest", "second oldest", "second youngest", "youngest")),
    ("faster", "slower", ("fastest", "second fastest", "second slowest", "slowest")),
)
_SET_QUESTIONS = ("both sets", "A but not in B", "at least one of them")
_STEPS = ("add", "subtract", "multiply by")
# what the first is to the third: (relation of first to second, of second to third, of first to third), by gender
_KIN = (
    (("mother", "father"), ("mother", "father"), ("grandmother", "grandfather")),
    (("sister", "brother"), ("mother", "father"), ("aunt", "uncle")),
    (("daughter", "son"), ("sister", "brother"), ("niece", "nephew")),
    (("daughter", "son"), ("daughter", "son"), ("granddaughter", "grandson")),
    (("mother", "father"), ("sister", "brother"), ("mother", "father")),
    (("sister", "brother"), ("daughter", "son"), ("daughter", "son")),
)


@over(Orders(NAMES, 2), THINGS, range(50, 150), range(1, 50), ("more", "fewer"))
def _sharing(people: Pair, thing: str, count: int, change: int, which: str) -> Problem:
    first, second = people
    other = count + change if which == "more" else count - change
    question = (
        f"{first} has {count} {thing}s. {second} has {change} {which} {thing}s than {first}. "
        f"How many {thing}s do they have together?"
    )
    return question, str(count + other)


@over(_SCALES, Orders(NAMES, 4), Tuples((False, True), 3), Orders(range(3), 3), range(4))
def _ordering(
    scale: tuple[str, str, Quartet],
    people: Quartet,
    turned: tuple[bool, ...],
    order: tuple[int, ...],
    rank: int,
) -> Problem:
    more, less, ranks = scale
    facts = []
    for place in order:
        high, low = people[place], people[place + 1]
        facts.append(f"{low} is {less} than {high}." if turned[place] else f"{high} is {more} than {low}.")
    return f"{' '.join(facts)} Who is the {ranks[rank]}?", people[rank]


@over(range(2, 13), range(101, 2000))
def _rope(pieces: int, length: int) -> Problem:
    metres, rest = divmod(pieces * length, 100)
    question = (
        f"A rope of {metres} m {rest} cm is cut into {pieces} equal pieces. How many cm long is each piece?"
    )
    return question, str(length)


@over(range(1, 6), range(1, 60), range(5, 60), range(2, 6))
def _film(hours: int, minutes: int, pause: int, times: int) -> Problem:
    question = (
        f"A show lasts {hours} h {minutes} min and is followed by a break of {pause} min. "
        f"How many minutes do {times} shows with their breaks take?"
    )
    return question, str((60 * hours + minutes + pause) * times)


@over(range(1, 20), range(1, 1000), range(2, 13))
def _weight(kilograms: int, grams: int, boxes: int) -> Problem:
    question = f"A box weighs {kilograms} kg {grams} g. How many grams do {boxes} such boxes weigh?"
    return question, str((1000 * kilograms + grams) * boxes)


@over(Subsets(range(1, 13), 4), Subsets(range(1, 13), 4), _SET_QUESTIONS)
def _sets(a: tuple[int, ...], b: tuple[int, ...], asked: str) -> Problem:
    found = dict(zip(_SET_QUESTIONS, (set(a) & set(b), set(a) - set(b), set(a) | set(b)), strict=True))
    first, second = (", ".join(map(str, numbers)) for numbers in (a, b))
    return f"A = {{{first}}}, B = {{{second}}}. How many numbers are in {asked}?", str(len(found[asked]))


@over(Tuples(CONSONANTS, 3), Tuples(VOWELS, 2), Orders(OPERATIONS, 2))
def _word_steps(consonants: Trio, vowels: Pair, steps: tuple[str, ...]) -> Problem:
    word = "".join(map("".join, zip(consonants, (*vowels, ""), strict=True)))
    result = word
    for step in steps:
        result = apply_operation(step, result)
    return f"Take the word {word}. {steps[0].capitalize()}, then {steps[1]}. What do you get?", result


@over(range(2, 100), Tuples(_STEPS, 3), Tuples(range(2, 16), 3))
def _number_steps(start: int, steps: Trio, numbers: tuple[int, int, int]) -> Problem:
    value = start
    for step, number in zip(steps, numbers, strict=True):
        value = {"add": value + number, "subtract": value - number, "multiply by": value * number}[step]
    first, second, third = (f"{step} {number}" for step, number in zip(steps, numbers, strict=True))
    question = f"Start with {start}, {first}, {second}, then {third}. What is the result?"
    return question, str(value)


@over(_KIN, Orders(NAMES, 3), range(2), range(2))
def _kinship(relation: tuple[Pair, Pair, Pair], people: Trio, first: int, second: int) -> Problem:
    a, b, c = people
    question = f"{a} is the {relation[0][first]} of {b}. {b} is the {relation[1][second]} of {c}. What is {a} to {c}?"
    return question, relation[2][first]


@over(Orders(NAMES, 2), range(2, 6), range(3, 20), range(1, 30))
def _age_later(people: Pair, times: int, age: int, years: int) -> Problem:
    question = (
        f"{people[1]} is {age} years old. {people[0]} is {times} times as old. "
        f"How old will {people[0]} be in {years} years?"
    )
    return question, str(times * age + years)


@over(Orders(NAMES, 2), range(30, 80), range(1, 26), range(1, 16))
def _age_now(people: Pair, age: int, younger: int, years: int) -> Problem:
    question = (
        f"In {years} years {people[0]} will be {age + years}. {people[1]} is {younger} years younger "
        f"than {people[0]}. How old is {people[1]} now?"
    )
    return question, str(age - younger)


@over(Orders(NAMES, 5), Orders(range(5), 2))
def _queue(people: tuple[str, ...], places: tuple[int, int]) -> Problem:
    known, asked = places
    distance = abs(asked - known)
    question = (
        f"From front to back, {listed(list(people))} stand in a line. Who is {distance} "
        f"{'place' if distance == 1 else 'places'} {'behind' if asked > known else 'ahead of'} {people[known]}?"
    )
    return question, people[asked]


@over(Orders(THINGS, 2), Tuples(range(2, 60), 2), Tuples(range(2, 10), 2))
def _prices(things: Pair, prices: tuple[int, int], counts: tuple[int, int]) -> Problem:
    a, b = things
    question = (
        f"One {a} costs {prices[0]} and one {b} costs {prices[1]}. "
        f"What do {counts[0]} {a}s and {counts[1]} {b}s cost together?"
    )
    return question, str(prices[0] * counts[0] + prices[1] * counts[1])


@over(range(1440), range(1, 13), range(1, 60), range(5, 60))
def _schedule(start: int, hours: int, minutes: int, stop: int) -> Problem:
    question = (
        f"A train leaves at {clock(start)}, drives for {hours} h {minutes} min and stops on the way "
        f"for {stop} min. When does it arrive?"
    )
    return question, clock(start + 60 * hours + minutes + stop)


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
