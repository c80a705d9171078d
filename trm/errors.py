"""The one exception for what a user got wrong, and the one form of telling trouble that ends nothing.

Entries print the exception without a traceback.
"""

import sys

LONGEST = 1000  # characters of what was given


class UserError(ValueError):
    """Something given from outside cannot be used.

    Args:
        given: what was given, and where it came from; told in one line.
        allowed: what would have been accepted.
        remedy: what to do about it; usually a command or a key to change.
    """

    def __init__(self, given: str, allowed: str, remedy: str) -> None:
        self.given, self.allowed, self.remedy = shown(given, LONGEST), allowed, remedy
        super().__init__(f"{self.given}\n  allowed: {allowed}\n  to do:   {remedy}")


def report(problem: str, consequence: str, remedy: str | None = None) -> None:
    """Tell on stderr what went wrong, what becomes of the run, and what to do where there is something."""
    todo = "" if remedy is None else f"\n  to do:   {remedy}"
    print(f"error: {problem}\n  {consequence}{todo}", file=sys.stderr, flush=True)


def shown(text: object, most: int = 200) -> str:
    """A stranger's text in one line that a terminal only prints: control characters as `\\x1b`, the end cut off."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[:most])
    return line if len(str(text)) <= most else line + "…"
