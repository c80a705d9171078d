"""Text tokens: no symbol is lost, an answer's length is part of the answer, nothing breaks on garbage."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.errors import UserError
from trm_lab.puzzles.text.tokens import BROKEN, END, MASK, PAD, TextTokens

texts = st.text(st.characters(exclude_characters=BROKEN), max_size=20)  # lone surrogates and NUL among them


@settings(max_examples=30)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4), st.integers(0, 4))
def test_every_text_comes_back_symbol_by_symbol(pairs: list[tuple[str, str]], slack: int) -> None:
    questions, answers = [q for q, _ in pairs], [a for _, a in pairs]
    question_length, answer_length = max(map(len, questions)) + slack, max(map(len, answers)) + slack
    tokens = TextTokens.for_texts([*questions, *answers])
    inputs, labels = tokens.encode_pairs(questions, answers, question_length, answer_length)
    assert inputs.shape == labels.shape == (len(pairs), question_length + answer_length)
    assert inputs.dtype == labels.dtype == np.uint8
    assert tokens.decode_answers(labels, question_length) == answers
    for row, question in zip(inputs, questions, strict=True):
        assert tokens.decode(row[:question_length]) == question
        assert tokens.decode(tokens.encode(question)) == question


def test_an_example_is_question_padding_and_masks_and_its_label_the_answer_and_ends() -> None:
    tokens = TextTokens.for_texts(["ab", "c"])
    assert (tokens.characters, tokens.vocab_size) == ("abc", 6)
    inputs, labels = tokens.encode_pairs(["ab", "ab"], ["c", "ca"], 4, 3)
    assert inputs.tolist() == [[3, 4, PAD, PAD, MASK, MASK, MASK]] * 2  # nothing of the answer
    assert labels.tolist() == [[PAD, PAD, PAD, PAD, 5, END, END], [PAD, PAD, PAD, PAD, 5, 3, END]]


def test_any_token_values_decode_and_a_mask_or_unknown_token_equals_no_answer() -> None:
    assert TextTokens("abc").decode_answers(np.array([[-7, 3, 300, 5, END, 4]]), 0) == [f"{BROKEN}a{BROKEN}c"]
    tokens = TextTokens("ab")
    assert tokens.decode(np.array([3, MASK, 4])) == f"a{BROKEN}b"
    assert tokens.decode(np.array([3, 200, PAD, 4, END, 3])) == f"a{BROKEN}b"
    assert tokens.decode_answers(np.array([[3, PAD, 4]]), 0) == [f"a{BROKEN}b"]
    with pytest.raises(UserError, match="U\\+FFFD"):
        TextTokens.for_texts(["a" + BROKEN])


def test_facts_read_back_after_json() -> None:
    tokens = TextTokens("ba\ud800é")
    facts = json.loads(json.dumps(tokens.facts(7, 5)))
    assert facts == {"characters": tokens.characters, "question_length": 7, "answer_length": 5}
    again = TextTokens.from_facts(facts)
    assert again == tokens
    assert again.decode(again.encode("é\ud800ab")) == "é\ud800ab"
    with pytest.raises(UserError, match="facts are seed"):
        TextTokens.from_facts({"seed": 1})


def test_253_characters_fit_and_254_do_not() -> None:
    most = "".join(map(chr, range(253)))
    tokens = TextTokens.for_texts([most])
    assert tokens.vocab_size == 256
    assert tokens.decode(tokens.encode(most)) == most
    with pytest.raises(UserError, match="254 different characters"):
        TextTokens.for_texts([most, chr(253)])
    with pytest.raises(UserError, match="each character once"):
        TextTokens("aa")


def test_a_text_that_cannot_be_encoded_is_named() -> None:
    for question, answer, message in (
        ("ab", "a?", r"character '\?' at 1 of answer 1"),
        ("a!b", "a", r"character '!' at 1 of question 1"),
        ("aaaaa", "a", "question 1 has 5 characters: 'aaaaa'"),
        ("a", "aaaa", "answer 1 has 4 characters"),
    ):
        with pytest.raises(UserError, match=message):
            TextTokens("ab").encode_pairs(["ab", question], ["b", answer], 4, 3)
