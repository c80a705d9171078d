"""Words that questions are made of: one set for all, so that families differ in their reasoning."""

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


def clock(minute: int) -> str:
    """A minute of any day as "HH:MM"."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def listed(parts: list[str]) -> str:
    """ "a, b and c" """
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
