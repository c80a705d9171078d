"""Questions of the library reasoning-gym, judged by the library's own verifiers. E examples, L tokens.

The entry that a question belongs to is made again from the dataset's seed and found by the question's text.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.reasoning_gym.process import Answer, ReasoningGym, place
from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number
from trm_lab.puzzles.text.tokens import BROKEN, TextTokens

_AT_ONCE = 20  # entries asked for together
_MOST = 2**31 - 1


def reasoning_gym_scorer(facts: Mapping[str, Any]) -> Scorer:
    """Verdicts of the verifier of facts["task"].

    "solved": it gives the full score, 1.  "verifier_score_positive": it gives more than 0 (many verifiers give a little
    for any answer).  An answer with a token that is no character gets neither.

    Raises:
        UserError: reasoning-gym is not installed, or the facts are not those of its dataset.
    """
    missing = {"task", "options", "seed", "test_scanned", "question_length"} - facts.keys()
    if missing:
        raise UserError(
            given=f"a dataset of reasoning-gym without {', '.join(sorted(missing))} in its facts",
            allowed="one that data.build_reasoning_gym_dataset has built",
            remedy="build the dataset again",
        )
    tokens, length = TextTokens.from_facts(facts), whole_number(facts, "question_length", 0, _MOST)
    seed, scanned = whole_number(facts, "seed", 0, 2**63 - 1), whole_number(facts, "test_scanned", 0, _MOST)
    task, options = facts["task"], facts["options"]
    if not isinstance(task, str) or not isinstance(options, dict) or not _harmless(list(options.values())):
        raise UserError(
            given=f"a dataset of reasoning-gym's task {shown(repr(task))} with options {shown(repr(options))}",
            allowed="options that are numbers, words or lists of them; no paths, since some name a file to read",
            remedy="build the dataset again",
        )
    verifier = _Verifier(ReasoningGym(task, options), seed, scanned)

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        questions = [tokens.decode(row) for row in np.asarray(inputs)[:, :length]]
        scores = verifier.scores(questions, tokens.decode_answers(predictions, length))
        return {SOLVED: scores == 1.0, "verifier_score_positive": scores > 0}

    return score


def _harmless(value: object) -> bool:
    """Whether an option's value is a number, a word that leads to no other folder, or a list of such."""
    if isinstance(value, list):
        return all(map(_harmless, value))
    if isinstance(value, str):
        is_path = ".." in value or (len(value) > 1 and ("/" in value or "\\" in value))
        return value.isprintable() and not is_path
    return value is None or isinstance(value, int | float)


class _Verifier:
    """Scores of answers to questions of the test split; each (question, answer) is judged once."""

    def __init__(self, gym: ReasoningGym, seed: int, entries: int) -> None:
        self._gym, self._seed, self._entries = gym, seed, entries
        self._places: dict[str, tuple[int, int]] = {}
        self._scanned = 0
        self._scores: dict[tuple[str, str], float] = {}

    def scores(self, questions: list[str], answers: list[str]) -> NDArray[np.float64]:
        """The verifier's scores `[E]`; 0 for an answer with a token that is no character."""
        pairs = list(zip(questions, answers, strict=True))
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._scores and BROKEN not in pair[1]]
        judged = self._gym.scores([Answer(*self._place(question), question, text) for question, text in new])
        self._scores.update(zip(new, judged, strict=True))
        return np.array([self._scores.get(pair, 0.0) for pair in pairs], np.float64)

    def _place(self, question: str) -> tuple[int, int]:
        """Where the library makes this question."""
        while question not in self._places:
            if self._scanned >= self._entries:
                raise self._gym.other_question(question)
            seed, index = place(self._seed, "test", self._scanned)
            for entry in self._gym.entries(seed, index, index + _AT_ONCE):
                if entry is not None:
                    self._places.setdefault(entry.question, (seed, index))
                index += 1
            self._scanned += _AT_ONCE
        return self._places[question]
