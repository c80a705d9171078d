"""Ultra-complex questions that follow a state through several sentences. Each family comes in any number of steps."""

import datetime

from trm_lab.puzzles.text.questions import Family, Orders, Problem, Tuples, over
from trm_lab.puzzles.text.words import (
    COLOURS,
    CONSONANTS,
    MONTHS,
    NAMES,
    OPERATIONS,
    PLACES,
    THINGS,
    VOWELS,
    changed,
    listed,
    pronounceable,
)

Words = tuple[str, ...]
Numbers = tuple[int, ...]
_TURNS = {"left": 1j, "right": -1j, "around": -1}  # a heading is a complex number: +x is 1, +y is 1j
_FIRST_DAY = datetime.date(1990, 1, 1).toordinal()
_DAYS = 40 * 365


def inventory(people: int, gifts: int) -> Family:
    """Coins change hands; nobody ever has fewer than none."""
    possible_gifts = [(a, b, n) for a, b in Orders(range(people), 2) for n in range(1, 10)]
    lowest = 9 * gifts + 1

    @over(
        names=Orders(NAMES, people),
        starts=Tuples(range(lowest, lowest + 50), people),
        transfers=Tuples(possible_gifts, gifts),
        person=range(people),
    )
    def write(names: Words, starts: Numbers, transfers: tuple[Numbers, ...], person: int) -> Problem:
        coins = list(starts)
        holdings = listed([f"{name} has {count}" for name, count in zip(names, starts, strict=True)])
        sentences = [f"{holdings} coins."]
        for giver, taker, count in transfers:
            coins[giver] -= count
            coins[taker] += count
            sentences.append(f"{names[giver]} gives {count} to {names[taker]}.")
        return f"{' '.join(sentences)} How many coins does {names[person]} have now?", str(coins[person])

    return Family("inventory", (write,))


def robot(moves: int) -> Family:
    """A walk on a grid with turns."""
    steps = [(turn, length) for turn in _TURNS for length in range(1, 10)]

    @over(start=Tuples(range(-9, 10), 2), walk=Tuples(steps, moves))
    def write(start: Numbers, walk: tuple[tuple[str, int], ...]) -> Problem:
        place, heading, sentences = complex(*start), 1j, []
        for turn, length in walk:
            heading *= _TURNS[turn]
            place += heading * length
            sentences.append(f"It turns {turn} and moves {length}.")
        question = (
            f"A robot at ({start[0]}, {start[1]}) faces +y, with +x on its right. "
            f"{' '.join(sentences)} Where is it now?"
        )
        return question, f"({int(place.real)}, {int(place.imag)})"

    return Family("robot", (write,))


def program(statements: int) -> Family:
    """A short program over x, y and z."""
    variables = "xyz"
    lines = [f"{v} = {v} {sign} {w}" for v in variables for w in variables if v != w for sign in "+-"]
    lines += [f"{v} = {v} * {n}" for v in variables for n in (2, 3)]
    lines += [f"swap {v} and {w}" for v, w in ("xy", "xz", "yz")]
    lines += [f"if {v} > {w}: {v} = {v} - {w}" for v in variables for w in variables if v != w]

    @over(starts=Tuples(range(10), 3), body=Tuples(lines, statements), variable=variables)
    def write(starts: Numbers, body: Words, variable: str) -> Problem:
        values = dict(zip(variables, starts, strict=True))
        assignments = [f"{v} = {n}" for v, n in values.items()]
        for line in body:
            _execute(line, values)
        return f"{'; '.join([*assignments, *body])}. What is {variable}?", str(values[variable])

    return Family("program", (write,))


def _execute(line: str, values: dict[str, int]) -> None:
    words = line.split()
    if words[0] == "swap":
        values[words[1]], values[words[3]] = values[words[3]], values[words[1]]
        return
    if words[0] == "if":
        if values[words[1]] <= values[words[3].rstrip(":")]:
            return
        words = words[4:]
    target, _, left, sign, right = words
    operand = values[right] if right in values else int(right)
    results = {"+": values[left] + operand, "-": values[left] - operand, "*": values[left] * operand}
    values[target] = results[sign]


def swaps(people: int, exchanges: int) -> Family:
    """Balls of different colours are exchanged."""

    @over(
        names=Orders(NAMES, people),
        colours=Orders(COLOURS, people),
        pairs=Tuples(Orders(range(people), 2), exchanges),
        person=range(people),
    )
    def write(names: Words, colours: Words, pairs: tuple[Numbers, ...], person: int) -> Problem:
        ball = list(colours)
        balls = [f"{name} has {colour}" for name, colour in zip(names, colours, strict=True)]
        sentences = [f"Of the balls, {listed(balls)}."]
        for a, b in pairs:
            ball[a], ball[b] = ball[b], ball[a]
            sentences.append(f"{names[a]} swaps with {names[b]}.")
        return f"{' '.join(sentences)} Which has {names[person]} now?", ball[person]

    return Family("swaps", (write,))


def whereabouts(people: int, events: int) -> Family:
    """Things are carried about and handed over."""
    possible_events: list[tuple[int, str | int]]  # a person and the place they go to, or the thing they are sent
    possible_events = [(person, place) for person in range(people) for place in PLACES]
    possible_events += [(person, thing) for person in range(people) for thing in range(people)]

    @over(
        names=Orders(NAMES, people),
        things=Orders(THINGS, people),
        places=Tuples(PLACES, people),
        history=Tuples(possible_events, events),
        thing=range(people),
    )
    def write(
        names: Words, things: Words, places: Words, history: tuple[tuple[int, str | int], ...], thing: int
    ) -> Problem:
        place_of, holder = list(places), list(range(people))
        sentences = [f"{names[i]} has the {things[i]} in the {places[i]}." for i in range(people)]
        for person, what in history:
            if isinstance(what, str):
                place_of[person] = what
                sentences.append(f"{names[person]} goes to the {what}.")
            else:
                holder[what] = person
                sentences.append(f"{names[person]} is sent the {things[what]}.")
        return f"{' '.join(sentences)} Where is the {things[thing]}?", place_of[holder[thing]]

    return Family("whereabouts", (write,), answers=len(PLACES))


def word_program(operations: int) -> Family:
    """A word is changed step by step."""

    @over(consonants=Tuples(CONSONANTS, 4), vowels=Tuples(VOWELS, 3), steps=Tuples(OPERATIONS, operations))
    def write(consonants: Words, vowels: Words, steps: Words) -> Problem:
        word = pronounceable(consonants, vowels)
        orders = " ".join(f"{step.capitalize()}." for step in steps)
        return f"Take the word {word}. {orders} What do you get?", changed(word, steps)

    return Family("word_program", (write,))


def dates(steps: int) -> Family:
    """Days and weeks are counted forward and back."""
    moves = [(n, unit, sign) for n in range(2, 50) for unit in (1, 7) for sign in (1, -1)]

    @over(start=range(_FIRST_DAY, _FIRST_DAY + _DAYS), path=Tuples(moves, steps))
    def write(start: int, path: tuple[Numbers, ...]) -> Problem:
        end = start + sum(n * unit * sign for n, unit, sign in path)
        parts = [
            f"{n} {'weeks' if unit == 7 else 'days'} {'forward' if sign > 0 else 'back'}" for n, unit, sign in path
        ]
        return f"Start at {_date(start)}. Go {', then '.join(parts)}. Which date is it?", _date(end)

    return Family("dates", (write,))


def _date(day: int) -> str:
    """ "7 March 2021" """
    date = datetime.date.fromordinal(day)
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"
