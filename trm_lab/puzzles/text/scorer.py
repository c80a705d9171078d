"""Questions with one true answer, told by the label's text: an answer is right if it says the same, in any spelling.

E examples, Q question tokens, A answer slots; tokens as in `trm_lab/puzzles/text/tokens.py`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number
from trm_lab.puzzles.text.answer_values import same_value
from trm_lab.puzzles.text.tokens import END, FIRST_CHARACTER, TextTokens

LONGEST_QUESTION = 1 << 20


def answer_scorer(facts: Mapping[str, Any]) -> Scorer:
    """The scorer of a dataset of texts.

    Verdicts: "solved" the answer has the true one's value (`answer_values.same_value`); "exact" it is the same
    character for character; "well_formed" characters, and then nothing but END.

    Args:
        facts: what `TextTokens.facts` gave when the dataset was built.

    Raises:
        UserError: they are not that.
    """
    tokens = TextTokens.from_facts(facts)
    question_length = whole_number(facts, "question_length", 0, LONGEST_QUESTION)

    def judge(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        truths = tokens.decode_answers(labels, question_length)
        answers = tokens.decode_answers(predictions, question_length)
        well_formed = _well_formed(np.asarray(predictions)[:, question_length:], tokens.vocab_size)
        pairs = list(zip(truths, answers, strict=True))
        asked = (
            tokens.decode(row[:question_length]) if "=" in answer else ""  # where it could tell of a name
            for row, answer in zip(np.asarray(inputs), answers, strict=True)
        )
        solved = (same_value(*pair, question) for pair, question in zip(pairs, asked, strict=True))
        return {
            SOLVED: np.fromiter(solved, bool, len(pairs)),
            "exact": np.fromiter((truth == answer for truth, answer in pairs), bool, len(pairs)),
            "well_formed": well_formed,
        }

    return judge


def _well_formed(answers: NDArray[np.integer], vocab_size: int) -> NDArray[np.bool_]:
    """Whether each row of tokens `[E, A]` is characters and then END to the last slot, which may be a character."""
    ended = np.logical_or.accumulate(answers == END, axis=1)
    character = (answers >= FIRST_CHARACTER) & (answers < vocab_size)
    return np.asarray(np.where(ended, answers == END, character).all(axis=1))
