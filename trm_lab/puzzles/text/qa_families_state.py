"""Ultra-complex questions that follow a state through several sentences. Each family comes in any number of steps."""

import datetime

from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Tuples, over
from trm_lab.puzzles.text.question_words import (
    COLOURS,
    CONSONANTS,
    MONTHS,
    NAMES,
    PLACES,
    THINGS,
    VOWELS,
    listed,
)
from trm_lab.puzzles.text.word_operations import OPERATIONS, apply_operation

_TURNS = {"left": 1j, "right": -1j, "around": -1}  # a heading is a complex number: +x is 1, +y is 1j
_FIRST_DAY = datetime.date(1990, 1, 1).toordinal()
_DAYS = 40 * 365


def inventory(people: int, gifts: int) -> Family:
    """Coins change hands; nobody ever has fewer than none."""
    givings = [(a, b, n) for a, b in Orders(range(people), 2) for n in range(1, 10)]
    lowest = 9 * gifts + 1

    @over(
        Orders(NAMES, people),
        Tuples(range(lowest, lowest + 50), people),
        Tuples(givings, gifts),
        range(people),
    )
    def write(
        names: tuple[str, ...], starts: tuple[int, ...], given: tuple[tuple[int, int, int], ...], asked: int
    ) -> Problem:
        coins = list(starts)
        holdings = listed([f"{name} has {count}" for name, count in zip(names, starts, strict=True)])
        sentences = [f"{holdings} coins."]
        for giver, taker, count in given:
            coins[giver] -= count
            coins[taker] += count
            sentences.append(f"{names[giver]} gives {count} to {names[taker]}.")
        return f"{' '.join(sentences)} How many coins does {names[asked]} have now?", str(coins[asked])

    return Family("inventory", (write,))


def robot(moves: int) -> Family:
    """A walk on a grid with turns."""
    steps = [(turn, length) for turn in _TURNS for length in range(1, 10)]

    @over(Tuples(range(-9, 10), 2), Tuples(steps, moves))
    def write(start: tuple[int, int], walked: tuple[tuple[str, int], ...]) -> Problem:
        place, heading, sentences = complex(*start), 1j, []
        for turn, length in walked:
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

    @over(Tuples(range(10), 3), Tuples(lines, statements), variables)
    def write(starts: tuple[int, int, int], chosen: tuple[str, ...], asked: str) -> Problem:
        values = dict(zip(variables, starts, strict=True))
        for line in chosen:
            _execute(line, values)
        opening = "; ".join(f"{v} = {n}" for v, n in zip(variables, starts, strict=True))
        return f"{opening}; {'; '.join(chosen)}. What is {asked}?", str(values[asked])

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
        Orders(NAMES, people),
        Orders(COLOURS, people),
        Tuples(Orders(range(people), 2), exchanges),
        range(people),
    )
    def write(
        names: tuple[str, ...], colours: tuple[str, ...], made: tuple[tuple[int, int], ...], asked: int
    ) -> Problem:
        held = list(colours)
        balls = [f"{name} has {colour}" for name, colour in zip(names, colours, strict=True)]
        sentences = [f"Of the balls, {listed(balls)}."]
        for a, b in made:
            held[a], held[b] = held[b], held[a]
            sentences.append(f"{names[a]} swaps with {names[b]}.")
        return f"{' '.join(sentences)} Which has {names[asked]} now?", held[asked]

    return Family("swaps", (write,))


def whereabouts(people: int, events: int) -> Family:
    """Things are carried about and handed over."""
    happenings: list[tuple[str, int, str | int]] = [
        ("go", person, place) for person in range(people) for place in PLACES
    ]
    happenings += [("get", person, thing) for person in range(people) for thing in range(people)]

    @over(
        Orders(NAMES, people),
        Orders(THINGS, people),
        Tuples(PLACES, people),
        Tuples(happenings, events),
        range(people),
    )
    def write(
        names: tuple[str, ...],
        things: tuple[str, ...],
        places: tuple[str, ...],
        happened: tuple[tuple[str, int, str | int], ...],
        asked: int,
    ) -> Problem:
        where, holder = list(places), list(range(people))
        sentences = [
            f"{name} has the {thing} in the {place}."
            for name, place, thing in zip(names, places, things, strict=True)
        ]
        for kind, person, what in happened:
            if kind == "go":
                where[person] = str(what)
                sentences.append(f"{names[person]} goes to the {what}.")
            else:
                holder[int(what)] = person
                sentences.append(f"{names[person]} is sent the {things[int(what)]}.")
        return f"{' '.join(sentences)} Where is the {things[asked]}?", where[holder[asked]]

    return Family("whereabouts", (write,), answers=len(PLACES))


def word_program(operations: int) -> Family:
    """A word is changed step by step."""

    @over(Tuples(CONSONANTS, 4), Tuples(VOWELS, 3), Tuples(OPERATIONS, operations))
    def write(consonants: tuple[str, ...], vowels: tuple[str, ...], steps: tuple[str, ...]) -> Problem:
        word = "".join(map("".join, zip(consonants, (*vowels, ""), strict=True)))
        result = word
        for step in steps:
            result = apply_operation(step, result)
        orders = " ".join(f"{step.capitalize()}." for step in steps)
        return f"Take the word {word}. {orders} What do you get?", result

    return Family("word_program", (write,))


def dates(steps: int) -> Family:
    """Days and weeks are counted forward and back."""
    moves = [(n, unit, sign) for n in range(2, 50) for unit in (1, 7) for sign in (1, -1)]

    @over(range(_FIRST_DAY, _FIRST_DAY + _DAYS), Tuples(moves, steps))
    def write(start: int, moved: tuple[tuple[int, int, int], ...]) -> Problem:
        end = start + sum(n * unit * sign for n, unit, sign in moved)
        parts = [
            f"{n} {'weeks' if unit == 7 else 'days'} {'forward' if sign > 0 else 'back'}"
            for n, unit, sign in moved
        ]
        return f"Start at {_written(start)}. Go {', then '.join(parts)}. Which date is it?", _written(end)

    return Family("dates", (write,))


def _written(day: int) -> str:
    """ "7 March 2021" """
    date = datetime.date.fromordinal(day)
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"
