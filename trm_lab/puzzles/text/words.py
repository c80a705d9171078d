"""Words that questions are made of: one set for all, so that families differ in their reasoning."""

from collections.abc import Sequence

NAMES = (
    "Alex", "Blake", "Casey", "Drew", "Eden", "Finn", "Gray", "Harper", "Indy", "Jules", "Kit", "Lee",
    "Max", "Nico", "Ori", "Pat", "Quinn", "Ray", "Sam", "Toni", "Uma", "Val", "Wren", "Yael",
)  # fmt: skip
THINGS = ("apple", "book", "coin", "egg", "lamp", "pen", "plum", "ring", "shell", "stamp")  # plural: + s
COLOURS = ("red", "blue", "green", "white", "black", "grey", "pink", "gold")
PLACES = ("garden", "kitchen", "office", "cellar", "attic", "garage", "hall", "shed")
TOWNS = ("Oslo", "Rome", "Lima", "Cairo")
PETS = ("cat", "dog", "fox", "hen", "owl", "pig")
KINDS = ("blick", "wug", "fep", "toma", "zorp", "lunk", "grob", "dobe", "tove", "mip", "rell", "snig")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOWELS = "aeiou"
CONSONANTS = "bdfgklmnprstvz"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
OPERATIONS = {  # what can be done to a word of at least two letters
    "reverse it": lambda word: word[::-1],
    "remove its first letter": lambda word: word[1:],
    "remove its last letter": lambda word: word[:-1],
    "swap its first and last letters": lambda word: word[-1] + word[1:-1] + word[0],
    "double its first letter": lambda word: word[0] + word,
    "move its first letter to the end": lambda word: word[1:] + word[0],
    "replace every a by o": lambda word: word.replace("a", "o"),
}


def pronounceable(consonants: tuple[str, ...], vowels: tuple[str, ...]) -> str:
    """Consonants with vowels between: "bad" of "bd" and "a"."""
    return "".join(map("".join, zip(consonants, (*vowels, ""), strict=True)))


def changed(word: str, operations: tuple[str, ...]) -> str:
    """The word after the operations, one after the other."""
    for operation in operations:
        word = OPERATIONS[operation](word)
    return word


def clock(minute: int) -> str:
    """A minute of any day as "HH:MM"."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def row(numbers: Sequence[int]) -> str:
    """ "3, 5, 8" """
    return ", ".join(map(str, numbers))


def listed(parts: list[str]) -> str:
    """ "a, b and c" """
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
