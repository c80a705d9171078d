"""The exception for what a user got wrong, and the report of a problem that ends nothing.

Commands print the exception without a traceback. Both have three parts: what was given, what is allowed, what to do.
"""

import sys

LONGEST = 1000  # characters of `given` that are shown


class UserError(ValueError):
    """Something given from outside cannot be used.

    Args:
        given: the unusable value and where it came from, in one line.
        allowed: what would have been accepted.
        remedy: what to do about it; usually a command or a key to change.
    """

    def __init__(self, given: str, allowed: str, remedy: str) -> None:
        self.given, self.allowed, self.remedy = shown(given, LONGEST), allowed, remedy
        super().__init__(f"{self.given}\n  allowed: {allowed}\n  to do:   {remedy}")


def report(problem: str, consequence: str, remedy: str | None = None) -> None:
    """Print on stderr what went wrong, what follows for the run, and what to do if anything."""
    todo = "" if remedy is None else f"\n  to do:   {remedy}"
    print(f"error: {problem}\n  {consequence}{todo}", file=sys.stderr, flush=True)


def shown(text: object, most: int = 200) -> str:
    """Untrusted text as one printable line: control characters escaped, cut off at `most` characters."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[:most])
    return line if len(str(text)) <= most else line + "…"
