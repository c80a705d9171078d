"""The answers to the ultra-complex questions and to those about relatives, found from their texts another way."""

import datetime
import itertools
import re
from collections import Counter

from tests.trm_lab.puzzles.text.qa_rules_steps import changed
from tests.trm_lab.puzzles.text.question_rules import N, Rules

RULES = Rules()
rule = RULES.rule


@rule(r"(.*) coins\.((?: \w+ gives \d+ to \w+\.)*) How many coins does (\w+) have now\?")
def _inventory(holdings: str, gifts: str, name: str) -> int:
    balance = Counter({who: int(count) for who, count in re.findall(r"(\w+) has (\d+)", holdings)})
    flow = re.findall(r"(\w+) gives (\d+) to (\w+)", gifts)
    return balance[name] + sum(
        int(count) * ((taker == name) - (giver == name)) for giver, count, taker in flow
    )


@rule(
    rf"A robot at \({N}, {N}\) faces \+y, with \+x on its right\. "
    r"((?:It turns \w+ and moves \d+\. )*)Where is it now\?"
)
def _robot(x: int, y: int, steps: str) -> str:
    clockwise = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    facing, place = 0, [x, y]
    for turn, length in re.findall(r"turns (\w+) and moves (\d+)", steps):
        facing = (facing + {"right": 1, "around": 2, "left": 3}[turn]) % 4
        place = [p + int(length) * d for p, d in zip(place, clockwise[facing], strict=True)]
    return f"({place[0]}, {place[1]})"


@rule(r"(.*)\. What is ([xyz])\?")
def _program(source: str, variable: str) -> int:
    python = re.sub(r"swap (\w) and (\w)", r"\1, \2 = \2, \1", source).split("; ")
    values: dict[str, int] = {}
    for line in python:  # the lines are Python's own now
        exec(line, {}, values)
    return values[variable]


@rule(r"Of the balls, (.*?)\.((?: \w+ swaps with \w+\.)*) Which has (\w+) now\?")
def _swaps(balls: str, exchanges: str, name: str) -> str:
    origin = name  # whose ball it was at first
    for a, b in reversed(re.findall(r"(\w+) swaps with (\w+)", exchanges)):
        origin = {a: b, b: a}.get(origin, origin)
    return dict(re.findall(r"(\w+) has (\w+)", balls))[origin]


@rule(r"(\w+ has the \w+ in .*) Where is the (\w+)\?")
def _whereabouts(story: str, thing: str) -> str:
    events = list(re.finditer(r"(\w+) (?:has the (\w+) in|goes to|is sent) the (\w+)\.", story))
    owner = next(
        event[1]
        for event in reversed(events)
        if event[2] == thing or (" is sent " in event[0] and event[3] == thing)
    )
    return next(event[3] for event in reversed(events) if event[1] == owner and " is sent " not in event[0])


@rule(r"Take the word (\w+)\. ((?:[A-Z][a-z ]*\. ?)*) ?What do you get\?")
def _word_program(word: str, orders: str) -> str:
    for order in orders.strip().rstrip(".").split(". "):
        word = changed(word, order[0].lower() + order[1:])
    return word


@rule(r"Start at (.*)\. Go (.*)\. Which date is it\?")
def _dates(start: str, moves: str) -> str:
    day = datetime.datetime.strptime(start, "%d %B %Y")
    for count, unit, way in re.findall(r"(\d+) (days|weeks) (forward|back)", moves):
        change = datetime.timedelta(**{unit: int(count)})
        day = day + change if way == "forward" else day - change
    return f"{day.day} {day:%B %Y}"


@rule(r"(?:Siblings here share both parents\. )?((?:\w+ is the [\w-]+ of \w+\. )+)What is (\w+) to (\w+)\?")
def _kinship(facts: str, first: str, last: str) -> str:
    """Every person has one set of parents; siblings have the same one."""
    relations = re.findall(r"(\w+) is the ([\w-]+) of (\w+)\.", facts)
    people = {name for a, _, b in relations for name in (a, b)}
    home = {name: {name} for name in people}  # those who have the same parents, siblings
    for a, relation, b in relations:
        if relation in ("sister", "brother"):
            together = home[a] | home[b]
            home.update(dict.fromkeys(together, together))
    parents: dict[str, set[str]] = {name: set() for name in people}
    for a, relation, b in relations:
        if relation not in ("sister", "brother"):
            child, parent = (b, a) if relation in ("mother", "father") else (a, b)
            for sibling in home[child]:
                parents[sibling].add(parent)

    def up(names: set[str]) -> set[str]:
        return set().union(*(parents[name] for name in names)) if names else set()

    def beside(names: set[str]) -> set[str]:
        return {other for name in names for other in home[name] - {name}}

    ways = {  # the relation, seen from the last person
        ("mother", "father"): first in up({last}),
        ("grandmother", "grandfather"): first in up(up({last})),
        ("great-grandmother", "great-grandfather"): first in up(up(up({last}))),
        ("daughter", "son"): last in up({first}),
        ("granddaughter", "grandson"): last in up(up({first})),
        ("great-granddaughter", "great-grandson"): last in up(up(up({first}))),
        ("sister", "brother"): first in beside({last}),
        ("aunt", "uncle"): first in beside(up({last})),
        ("niece", "nephew"): last in beside(up({first})),
        ("cousin", "cousin"): bool(up({first}) & beside(up({last}))),
    }
    (names,) = [names for names, holds in ways.items() if holds]
    male = next(relation for a, relation, _ in relations if a == first) in ("father", "brother", "son")
    return names[male]


@rule(r"((?:(?:All|No) \w+ are \w+\. )+)(\w+) is an? (\w+)\. Is \2 an? (\w+): yes, no or unknown\?")
def _quantifiers(sentences: str, _: str, start: str, question: str) -> str:
    rules = [(word, a[:-1], b[:-1]) for word, a, b in re.findall(r"(All|No) (\w+) are (\w+)\.", sentences)]
    kinds = sorted({kind for _, a, b in rules for kind in (a, b)})
    worlds = (
        dict(zip(kinds, world, strict=True)) for world in itertools.product((False, True), repeat=len(kinds))
    )
    possible = {
        world[question]
        for world in worlds
        if world[start] and all((not world[a]) or world[b] == (word == "All") for word, a, b in rules)
    }
    return "unknown" if len(possible) == 2 else "yes" if possible.pop() else "no"


@rule(r"Liars always lie, the others never\. (.*) Is (\w+) (honest|a liar)\?")
def _truth_tellers(sentences: str, name: str, question: str) -> str:
    claims = re.findall(r"(?:(\w+) says that )?(\w+) is (honest|a liar)\.", sentences)
    people = sorted({name for speaker, about, _ in claims for name in (speaker, about) if name})
    possible = set()
    for honest in itertools.product((False, True), repeat=len(people)):
        kind = dict(zip(people, honest, strict=True))
        if all((kind[about] == (said == "honest")) == kind.get(who, True) for who, about, said in claims):
            possible.add(kind[name])
    (answer,) = possible
    return "yes" if answer == (question == "honest") else "no"


def _rows(listing: str) -> list[tuple[str, int, str]]:
    return [(name, int(age), town) for name, age, town in (row.split(", ") for row in listing.split("; "))]


@rule(rf"([^.]*)\. How many people over {N} live in (\w+)\?")
def _count(listing: str, limit: int, town: str) -> int:
    return len([row for row in _rows(listing) if row[1] > limit and row[2] == town])


@rule(r"([^.]*)\. Who is the oldest in (\w+)'s town\?")
def _oldest(listing: str, neighbour: str) -> str:
    town = {name: town for name, _, town in _rows(listing)}[neighbour]
    *_, last = sorted((row for row in _rows(listing) if row[2] == town), key=lambda row: row[1])
    return last[0]


@rule(r"([^.]*) each have another pet: (.*?)\. (.*) Who has the (\w+)\?")
def _elimination(people: str, pets: str, clues: str, pet: str) -> str:
    names, animals = re.split(r", | and ", people), pets.split(", ")
    excluded = {
        (name, animal)
        for name, rest in re.findall(r"(\w+) has no (.*?)\.", clues)
        for animal in rest.split(" or ")
    }
    possible = [
        dict(zip(order, names, strict=True))
        for order in itertools.permutations(animals)
        if not excluded & set(zip(names, order, strict=True))
    ]
    assert len(possible) == 1  # the clues leave one arrangement
    return possible[0][pet]
