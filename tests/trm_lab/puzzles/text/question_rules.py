"""Answering a question from its text alone: patterns, each with its own way to the answer."""

import re
from collections.abc import Callable

N = r"(-?\d+)"
Rule = Callable[..., object]


class Rules:
    """Patterns of questions; a rule is called with the pattern's groups, integers as `int`, and returns the answer."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Rule]] = []

    def rule(self, pattern: str) -> Callable[[Rule], Rule]:
        """Register the rule for a pattern."""

        def register(rule: Rule) -> Rule:
            self._rules.append((re.compile(pattern), rule))
            return rule

        return register

    def answer(self, question: str) -> str:
        """The answer by the one rule whose pattern is this question's."""
        matches = [(match, rule) for pattern, rule in self._rules if (match := pattern.fullmatch(question))]
        assert len(matches) == 1, (question, len(matches))
        match, rule = matches[0]
        return str(rule(*(int(g) if g and re.fullmatch(N, g) else g for g in match.groups())))


def numbers(text: str) -> list[int]:
    """Every integer of a text."""
    return [int(n) for n in re.findall(N, text)]
