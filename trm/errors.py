"""The one exception for what a user got wrong; entries print it without a traceback."""


class UserError(ValueError):
    """Something given from outside cannot be used.

    Args:
        given: what was given, and where it came from.
        allowed: what would have been accepted.
        remedy: what to do about it; usually a command or a key to change.
    """

    def __init__(self, given: str, allowed: str, remedy: str) -> None:
        self.given, self.allowed, self.remedy = given, allowed, remedy
        super().__init__(f"{given}\n  allowed: {allowed}\n  to do:   {remedy}")
