"""Questions and answers as character tokens; every symbol is kept.

E examples, Q question tokens, A answer slots, L = Q + A. Tokens: 0 PAD, 1 MASK, 2 END, then the characters in order.
An input is the question, PAD up to Q, then A MASK tokens; its label ignores the question and scores every answer slot:
the answer's characters, then END to the last slot, so that the answer's length is asked for too.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError

PAD, MASK, END = 0, 1, 2
FIRST_CHARACTER = 3
MOST_CHARACTERS = 256 - FIRST_CHARACTER  # tokens are stored as uint8
BROKEN = "\ufffd"  # what a token that is no character reads as; no text may hold it, so it equals no answer
_UNKNOWN = 255 + 1  # one past every token
_CODE = np.dtype("<u4")  # a Unicode code point
_UTF32 = ("utf-32-le", "surrogatepass")


@dataclass(frozen=True)
class TextTokens:
    """The tokens of a set of texts.

    characters: each once; the i-th is token 3 + i.

    Raises:
        UserError: more than 253 characters, a repeated one, or the replacement character U+FFFD.
    """

    characters: str

    def __post_init__(self) -> None:
        if len(self.characters) > MOST_CHARACTERS:
            raise UserError(
                given=f"texts of {len(self.characters)} different characters",
                allowed=f"at most {MOST_CHARACTERS}, since a token is one byte",
                remedy="leave out the texts with rare characters",
            )
        if len(set(self.characters)) != len(self.characters):
            raise UserError(
                given=f"the characters {self.characters!r}",
                allowed="each character once",
                remedy="take the characters from TextTokens.for_texts",
            )
        if BROKEN in self.characters:
            raise UserError(
                given="a text with the character U+FFFD, which stands for bytes that could not be read",
                allowed="texts that were read in their own encoding",
                remedy="save the source as UTF-8, or leave that text out",
            )

    @classmethod
    def for_texts(cls, texts: Iterable[str]) -> "TextTokens":
        """Tokens for every character that occurs, in the order of their code points."""
        return cls("".join(sorted(set().union(*map(set, texts)))))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "TextTokens":
        """The tokens of a dataset, from what `facts` put into its `About.facts`.

        Raises:
            UserError: `facts` does not hold them.
        """
        characters = facts.get("characters")
        if not isinstance(characters, str):
            raise UserError(
                given=f"a text dataset whose facts are {', '.join(facts) or 'empty'}",
                allowed="facts with the characters of its tokens",
                remedy="build the dataset again",
            )
        return cls(characters)

    def facts(self, question_length: int, answer_length: int) -> dict[str, Any]:
        """What a dataset's `About.facts` must hold for its texts to be read back."""
        return {"characters": self.characters, "question_length": question_length, "answer_length": answer_length}

    @property
    def vocab_size(self) -> int:
        """PAD, MASK, END and the characters."""
        return FIRST_CHARACTER + len(self.characters)

    def encode(self, text: str) -> NDArray[np.uint8]:
        """Tokens `[len(text)]`.

        Raises:
            UserError: a character that has no token.
        """
        return self._rows([text], len(text), PAD, "text")[0]

    def decode(self, tokens: NDArray[np.integer]) -> str:
        """The text of tokens `[n]` up to the first END, without PAD; any other value than a character's is `BROKEN`."""
        tokens = np.asarray(tokens)
        return self._texts(tokens[tokens != PAD][None])[0]

    def encode_pairs(
        self, questions: Sequence[str], answers: Sequence[str], question_length: int, answer_length: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Inputs and labels, each `[E, L]`.

        Raises:
            UserError: a text that is too long, or a character that has no token.
        """
        assert len(questions) == len(answers), (len(questions), len(answers))
        question_tokens = self._rows(questions, question_length, PAD, "question")
        answer_tokens = self._rows(answers, answer_length, END, "answer")
        masks = np.full_like(answer_tokens, MASK)
        unscored = np.full_like(question_tokens, PAD)
        return np.hstack([question_tokens, masks]), np.hstack([unscored, answer_tokens])

    def decode_answers(self, tokens: NDArray[np.integer], question_length: int) -> list[str]:
        """The answers in tokens `[E, L]` of any value, up to the first END; PAD in an answer is `BROKEN`."""
        return self._texts(np.asarray(tokens)[:, question_length:])

    def _rows(self, texts: Sequence[str], length: int, fill: int, kind: str) -> NDArray[np.uint8]:
        """Tokens `[E, length]`, `fill` after each text."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        if len(texts) and lengths.max() > length:
            worst = int(lengths.argmax())
            raise UserError(
                given=f"{kind} {worst} has {lengths[worst]} characters: {texts[worst][:60]!r}",
                allowed=f"at most {length}",
                remedy="allow more tokens, or leave that text out",
            )
        tokens = self._token_of_code[_codes("".join(texts))]
        if not tokens.all():
            raise self._no_token(texts, lengths, int(tokens.argmin()), kind)
        rows = np.full((len(texts), length), fill, np.uint8)
        rows[np.arange(length) < lengths[:, None]] = tokens
        return rows

    def _no_token(self, texts: Sequence[str], lengths: NDArray[np.int64], position: int, kind: str) -> UserError:
        """The error for the character at `position` of all texts one after another."""
        text = int(np.searchsorted(np.cumsum(lengths), position, side="right"))
        column = position - int(lengths[:text].sum())
        return UserError(
            given=f"character {texts[text][column]!r} at {column} of {kind} {text}: {texts[text][:60]!r}",
            allowed=f"the characters {self.characters!r}",
            remedy="make the tokens from all of the texts (TextTokens.for_texts)",
        )

    def _texts(self, tokens: NDArray[np.integer]) -> list[str]:
        """The text in each row of `[E, n]`."""
        width = tokens.shape[1]
        if not width:
            return [""] * len(tokens)
        codes = self._code_of_token[np.where((tokens >= 0) & (tokens < _UNKNOWN), tokens, _UNKNOWN)]
        ended = tokens == END
        lengths = np.where(ended.any(axis=1), ended.argmax(axis=1), width).tolist()
        text = codes.tobytes().decode(*_UTF32)
        return [text[row * width : row * width + length] for row, length in enumerate(lengths)]

    @cached_property
    def _token_of_code(self) -> NDArray[np.uint8]:
        """The token of each Unicode code point, 0 where it has none."""
        tokens = np.zeros(sys.maxunicode + 1, np.uint8)
        tokens[_codes(self.characters)] = np.arange(FIRST_CHARACTER, self.vocab_size)
        return tokens

    @cached_property
    def _code_of_token(self) -> NDArray[np.uint32]:
        """Code point of each token 0..256, `BROKEN` where it is no character."""
        codes = np.full(_UNKNOWN + 1, ord(BROKEN), _CODE)
        codes[FIRST_CHARACTER : self.vocab_size] = _codes(self.characters)
        return codes


def _codes(text: str) -> NDArray[np.uint32]:
    """The code points of a text; lone surrogates are kept."""
    return np.frombuffer(text.encode(*_UTF32), _CODE)
