"""Answering a question from its text alone: patterns, each with its own way to the answer."""

import re
from collections.abc import Callable

Rule = Callable[..., object]


class Rules:
    """Patterns of questions; a rule is called with the pattern's groups and returns the answer."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Rule]] = []

    def asked(self, pattern: str) -> Callable[[Rule], Rule]:
        """Register a rule."""

        def register(rule: Rule) -> Rule:
            self._rules.append((re.compile(pattern), rule))
            return rule

        return register

    def answer(self, question: str) -> str:
        """The answer by the one rule whose pattern is this question's."""
        matching = [(found, rule) for pattern, rule in self._rules if (found := pattern.fullmatch(question))]
        assert len(matching) == 1, (question, len(matching))
        found, rule = matching[0]
        return str(rule(*found.groups()))
