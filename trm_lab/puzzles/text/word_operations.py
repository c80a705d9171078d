"""What can be done to a word, in words."""

OPERATIONS = (
    "reverse it",
    "remove its first letter",
    "remove its last letter",
    "swap its first and last letters",
    "double its first letter",
    "move its first letter to the end",
    "replace every a by o",
)


def apply_operation(operation: str, word: str) -> str:
    """The word afterwards; it has at least two letters."""
    match operation:
        case "reverse it":
            return word[::-1]
        case "remove its first letter":
            return word[1:]
        case "remove its last letter":
            return word[:-1]
        case "swap its first and last letters":
            return word[-1] + word[1:-1] + word[0]
        case "double its first letter":
            return word[0] + word
        case "move its first letter to the end":
            return word[1:] + word[0]
        case "replace every a by o":
            return word.replace("a", "o")
    raise ValueError(operation)
