"""Ultra-complex questions of deduction. Each family comes in any number of entities."""

import itertools

from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Tuples, over
from trm_lab.puzzles.text.question_words import KINDS, NAMES, PETS, TOWNS, listed

# A chain of "is a … of": P parent, S sibling, C child. Reduced, it is C…C, at most one S, P…P.
_REDUCTIONS = (("SS", "S"), ("PS", "P"), ("SC", "C"))
_KIN = {
    "P": ("mother", "father"),
    "PP": ("grandmother", "grandfather"),
    "PPP": ("great-grandmother", "great-grandfather"),
    "C": ("daughter", "son"),
    "CC": ("granddaughter", "grandson"),
    "CCC": ("great-granddaughter", "great-grandson"),
    "S": ("sister", "brother"),
    "SP": ("aunt", "uncle"),
    "CS": ("niece", "nephew"),
    "CSP": ("cousin", "cousin"),
}


def kinship(hops: int) -> Family:
    """What the first is to the last of a chain of relatives."""
    chains = [
        chain for chain in map("".join, itertools.product("PSC", repeat=hops)) if _reduced(chain) in _KIN
    ]

    @over(Orders(NAMES, hops + 1), chains, Tuples((0, 1), hops), Orders(range(hops), hops))
    def write(
        names: tuple[str, ...], chain: str, genders: tuple[int, ...], order: tuple[int, ...]
    ) -> Problem:
        facts = [f"{names[i]} is the {_KIN[chain[i]][genders[i]]} of {names[i + 1]}." for i in order]
        question = f"Siblings here share both parents. {' '.join(facts)} What is {names[0]} to {names[-1]}?"
        return question, _KIN[_reduced(chain)][genders[0]]

    return Family("kinship_chain", (write,), answers=8)


def _reduced(chain: str) -> str:
    """The shortest chain with the same meaning."""
    for pattern, shorter in _REDUCTIONS:
        if pattern in chain:
            return _reduced(chain.replace(pattern, shorter, 1))
    return chain


def quantifiers(kinds: int) -> Family:
    """Whether a chain of "all" and "no" makes someone one of a kind; often it says nothing."""

    @over(
        NAMES,
        Orders(KINDS, kinds),
        Tuples((True, False), kinds - 1),
        Orders(range(kinds), 2),
        Orders(range(kinds - 1), kinds - 1),
    )
    def write(
        name: str,
        chosen: tuple[str, ...],
        every: tuple[bool, ...],
        ends: tuple[int, int],
        order: tuple[int, ...],
    ) -> Problem:
        known, asked = ends
        rules = [f"{'All' if every[i] else 'No'} {chosen[i]}s are {chosen[i + 1]}s." for i in order]
        question = (
            f"{' '.join(rules)} {name} is a {chosen[known]}. Is {name} a {chosen[asked]}: yes, no or unknown?"
        )
        return question, _follows(every, known, asked)

    return Family("quantifiers", (write,), answers=3)


def _follows(every: tuple[bool, ...], known: int, asked: int) -> str:
    """Whether a member of kind `known` is of kind `asked`, rule i being between kinds i and i + 1.

    Upward "all" carries membership and "no" ends it, after which nothing is known. Downward "no" excludes at once,
    and "all" carries exclusion further down; before a "no", "all" says nothing.
    """
    if asked > known:
        between = every[known:asked]
        return "yes" if all(between) else "no" if all(between[:-1]) else "unknown"
    between = every[asked:known]
    return "no" if not between[-1] and all(between[:-1]) else "unknown"


def truth_tellers(people: int) -> Family:
    """Everyone always lies or always tells the truth; the first one's kind is given."""

    @over(
        Orders(NAMES, people),
        Tuples((True, False), people),
        Orders(range(people - 1), people - 1),
        (True, False),
    )
    def write(
        names: tuple[str, ...], said: tuple[bool, ...], order: tuple[int, ...], truthful: bool
    ) -> Problem:
        honest = [said[0]]
        for claim in said[1:]:
            honest.append(honest[-1] == claim)
        claims = [
            f"{names[i]} says that {names[i + 1]} is {'honest' if said[i + 1] else 'a liar'}." for i in order
        ]
        question = (
            f"Liars always lie, the others never. {names[0]} is {'honest' if said[0] else 'a liar'}. "
            f"{' '.join(claims)} Is {names[-1]} {'honest' if truthful else 'a liar'}?"
        )
        return question, "yes" if honest[-1] == truthful else "no"

    return Family("truth_tellers", (write,), answers=2)


def records(rows: int) -> Family:
    """A list of people is filtered, then counted or searched for its oldest."""
    spaces = (Orders(NAMES, rows), Orders(range(18, 80), rows), Tuples(TOWNS, rows))

    def listing(names: tuple[str, ...], ages: tuple[int, ...], towns: tuple[str, ...]) -> str:
        return "; ".join(f"{n}, {a}, {t}" for n, a, t in zip(names, ages, towns, strict=True)) + "."

    @over(*spaces, TOWNS, range(25, 60))
    def count(
        names: tuple[str, ...], ages: tuple[int, ...], towns: tuple[str, ...], town: str, limit: int
    ) -> Problem:
        found = sum(t == town and a > limit for a, t in zip(ages, towns, strict=True))
        question = f"{listing(names, ages, towns)} How many people over {limit} live in {town}?"
        return question, str(found)

    @over(*spaces, range(rows))
    def oldest(names: tuple[str, ...], ages: tuple[int, ...], towns: tuple[str, ...], row: int) -> Problem:
        found = max((a, n) for n, a, t in zip(names, ages, towns, strict=True) if t == towns[row])
        return f"{listing(names, ages, towns)} Who is the oldest in {names[row]}'s town?", found[1]

    return Family("records", (count, oldest), answers=rows)


def elimination(people: int) -> Family:
    """Everyone has another pet; the clues leave one arrangement."""

    @over(
        Orders(NAMES, people),
        Orders(PETS, people),
        Orders(range(people - 1), people - 1),
        Orders(range(people), people),
        range(people),
    )
    def write(
        names: tuple[str, ...],
        pets: tuple[str, ...],
        clue_order: tuple[int, ...],
        told: tuple[int, ...],
        asked: int,
    ) -> Problem:
        # person i has pet i; the clue on i excludes the pets after it, so that the clues fix 0, then 1, …
        clues = []
        for i in clue_order:
            clues.append(f"{names[i]} has no {' or '.join(pets[j] for j in told if j > i)}.")
        question = (
            f"{listed([names[i] for i in told])} each have another pet: {', '.join(sorted(pets))}. "
            f"{' '.join(clues)} Who has the {pets[asked]}?"
        )
        return question, names[asked]

    return Family("elimination", (write,))
