"""Questions and answers that are texts. Q question tokens, A answer slots, L = Q + A."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trm.errors import UserError, shown
from trm_lab.puzzles.notation import ANSWER, ink
from trm_lab.puzzles.picture import Tokens
from trm_lab.puzzles.scorer import whole_number
from trm_lab.puzzles.text.scorer import LONGEST_QUESTION
from trm_lab.puzzles.text.tokens import TextTokens


class TextNotation:
    """A question is its text, and so is an answer.

    Raises:
        UserError: facts without the characters, or no slot for an answer.
    """

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        self.tokens = TextTokens.from_facts(facts)
        self.question_length = whole_number(facts, "question_length", 0, LONGEST_QUESTION)
        self.slots = seq_len - self.question_length
        if self.slots < 1:
            raise UserError(
                f"questions of {self.question_length} characters in {seq_len} tokens",
                "more tokens than a question has",
                "use the checkpoint as it was written; do not use it if you do not know who made it",
            )

    def read(self, puzzle: object) -> Tokens:
        """See `Notation`."""
        if not isinstance(puzzle, str):
            raise UserError(f"a question as {type(puzzle).__name__}", "its text", "write the question out")
        question = puzzle.rstrip("\n")
        if not question.strip():
            raise UserError("an empty question", "its text", "write the question out")
        if len(question) > self.question_length:
            raise UserError(
                f"a question of {len(question)} characters: {shown(question, 60)}",
                f"at most {self.question_length}, as in training",
                "shorten it",
            )
        for place, character in enumerate(question, start=1):
            if character not in self.tokens.characters:
                raise UserError(
                    f"a question: {shown(repr(character), 40)} at character {place}",
                    f"the characters of the training questions: {shown(self.tokens.characters, 300)}",
                    "write it with these",
                )
        return self.tokens.encode_pairs([question], [""], self.question_length, self.slots)[0][0].astype(np.int32)

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`: a text breaks no rule."""
        return []

    def value(self, answer: Tokens) -> str:
        """See `Notation`."""
        return self.tokens.decode_answers(np.asarray(answer)[None], self.question_length)[0]

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`; a control character is written as its escape."""
        question_text = self.tokens.decode(np.asarray(question)[: self.question_length])
        lines = "\n".join(shown(line, len(line) + 1) for line in question_text.splitlines())
        text = self.value(answer)
        return f"{lines}\n→ {ink(shown(text, len(text) + 1), ANSWER, colours)}"
