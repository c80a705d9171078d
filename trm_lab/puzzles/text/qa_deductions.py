"""Ultra-complex questions of deduction. Each family comes in any number of entities."""

import itertools

from trm_lab.puzzles.text.questions import Family, Orders, Problem, Space, Tuples, over
from trm_lab.puzzles.text.words import KINDS, NAMES, PETS, TOWNS, listed

Words = tuple[str, ...]
Numbers = tuple[int, ...]
Truths = tuple[bool, ...]
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


def _shuffled(count: int) -> Orders[int]:
    """Every order of `count` sentences."""
    return Orders(range(count), count)


def kinship(hops: int) -> Family:
    """What the first is to the last of a chain of relatives."""
    all_chains = map("".join, itertools.product("PSC", repeat=hops))
    chains = [chain for chain in all_chains if _reduced(chain) in _KIN]

    @over(names=Orders(NAMES, hops + 1), chain=chains, genders=Tuples((0, 1), hops), order=_shuffled(hops))
    def write(names: Words, chain: str, genders: Numbers, order: Numbers) -> Problem:
        facts = [f"{names[i]} is the {relation(chain[i])[genders[i]]} of {names[i + 1]}." for i in order]
        question = f"Siblings here share both parents. {' '.join(facts)} What is {names[0]} to {names[-1]}?"
        return question, relation(chain)[genders[0]]

    return Family("kinship_chain", (write,), answers=8)


def relation(chain: str) -> tuple[str, str]:
    """What a woman and a man are called to the last of a chain of parents P, siblings S and children C."""
    return _KIN[_reduced(chain)]


def _reduced(chain: str) -> str:
    """The shortest chain with the same meaning."""
    for pattern, shorter in _REDUCTIONS:
        if pattern in chain:
            return _reduced(chain.replace(pattern, shorter, 1))
    return chain


def quantifiers(kinds: int) -> Family:
    """Whether a chain of "all" and "no" makes someone one of a kind; often it says nothing."""

    @over(
        name=NAMES,
        words=Orders(KINDS, kinds),
        every=Tuples((True, False), kinds - 1),
        ends=Orders(range(kinds), 2),
        order=_shuffled(kinds - 1),
    )
    def write(name: str, words: Words, every: Truths, ends: tuple[int, int], order: Numbers) -> Problem:
        start, end = ends
        rules = [f"{'All' if every[i] else 'No'} {words[i]}s are {words[i + 1]}s." for i in order]
        question = f"{' '.join(rules)} {name} is a {words[start]}. Is {name} a {words[end]}: yes, no or unknown?"
        return question, _follows(every, start, end)

    return Family("quantifiers", (write,), answers=3)


def _follows(every: Truths, start: int, end: int) -> str:
    """Whether a member of kind `start` is of kind `end`, rule i being between kinds i and i + 1.

    Upward "all" carries membership and "no" ends it, after which nothing is known. Downward "no" excludes at once,
    and "all" carries exclusion further down; before a "no", "all" says nothing.
    """
    if end > start:
        between = every[start:end]
        return "yes" if all(between) else "no" if all(between[:-1]) else "unknown"
    between = every[end:start]
    return "no" if not between[-1] and all(between[:-1]) else "unknown"


def truth_tellers(people: int) -> Family:
    """Everyone always lies or always tells the truth; the first one's kind is given."""

    @over(
        names=Orders(NAMES, people),
        claims=Tuples((True, False), people),
        order=_shuffled(people - 1),
        truthful=(True, False),
    )
    def write(names: Words, claims: Truths, order: Numbers, truthful: bool) -> Problem:
        honest = list(itertools.accumulate(claims, lambda speaker, claim: speaker == claim))
        kinds = ["honest" if claim else "a liar" for claim in claims]
        sentences = [f"{names[i]} says that {names[i + 1]} is {kinds[i + 1]}." for i in order]
        question = (
            f"Liars always lie, the others never. {names[0]} is {kinds[0]}. "
            f"{' '.join(sentences)} Is {names[-1]} {'honest' if truthful else 'a liar'}?"
        )
        return question, "yes" if honest[-1] == truthful else "no"

    return Family("truth_tellers", (write,), answers=2)


def records(rows: int) -> Family:
    """A list of people is filtered, then counted or searched for its oldest."""
    people: dict[str, Space] = {
        "names": Orders(NAMES, rows),
        "ages": Orders(range(18, 80), rows),
        "towns": Tuples(TOWNS, rows),
    }

    def listing(names: Words, ages: Numbers, towns: Words) -> str:
        return "; ".join(f"{n}, {a}, {t}" for n, a, t in zip(names, ages, towns, strict=True)) + "."

    @over(**people, town=TOWNS, limit=range(25, 60))
    def count(names: Words, ages: Numbers, towns: Words, town: str, limit: int) -> Problem:
        number = sum(t == town and a > limit for a, t in zip(ages, towns, strict=True))
        question = f"{listing(names, ages, towns)} How many people over {limit} live in {town}?"
        return question, str(number)

    @over(**people, row=range(rows))
    def oldest(names: Words, ages: Numbers, towns: Words, row: int) -> Problem:
        _, name = max((a, n) for n, a, t in zip(names, ages, towns, strict=True) if t == towns[row])
        return f"{listing(names, ages, towns)} Who is the oldest in {names[row]}'s town?", name

    return Family("records", (count, oldest), answers=rows)


def elimination(people: int) -> Family:
    """Everyone has another pet; the clues leave one arrangement."""

    @over(
        names=Orders(NAMES, people),
        pets=Orders(PETS, people),
        clue_order=_shuffled(people - 1),
        listed_order=_shuffled(people),
        person=range(people),
    )
    def write(names: Words, pets: Words, clue_order: Numbers, listed_order: Numbers, person: int) -> Problem:
        # person i has pet i; the clue on i excludes the pets after it, so that the clues fix 0, then 1, …
        clues = [f"{names[i]} has no {' or '.join(pets[j] for j in listed_order if j > i)}." for i in clue_order]
        question = (
            f"{listed([names[i] for i in listed_order])} each have another pet: {', '.join(sorted(pets))}. "
            f"{' '.join(clues)} Who has the {pets[person]}?"
        )
        return question, names[person]

    return Family("elimination", (write,))
