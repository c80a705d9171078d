"""Text tokens: no symbol is lost, an answer's length is part of the answer, nothing breaks on garbage."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.errors import UserError
from trm_lab.puzzles.text.tokens import BROKEN, END, MASK, PAD, TextTokens

texts = st.text(st.characters(exclude_characters=BROKEN), max_size=20)  # lone surrogates and NUL among them


@given(st.lists(texts, max_size=8))
def test_every_text_comes_back_symbol_by_symbol(many: list[str]) -> None:
    tokens = TextTokens.for_texts(many)
    for text in many:
        encoded = tokens.encode(text)
        assert encoded.dtype == np.uint8
        assert encoded.shape == (len(text),)
        assert tokens.decode(encoded) == text


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8), st.integers(0, 4))
def test_pairs_come_back_in_batches_and_one_by_one(pairs: list[tuple[str, str]], slack: int) -> None:
    questions, answers = [q for q, _ in pairs], [a for _, a in pairs]
    question_length, answer_length = max(map(len, questions)) + slack, max(map(len, answers)) + slack
    tokens = TextTokens.for_texts([*questions, *answers])
    inputs, labels = tokens.encode_pairs(questions, answers, question_length, answer_length)
    assert inputs.shape == labels.shape == (len(pairs), question_length + answer_length)
    assert tokens.decode_answers(labels, question_length) == answers
    for row, (question, answer) in enumerate(pairs):
        one = tokens.encode_pair(question, answer, question_length, answer_length)
        assert np.array_equal(one[0], inputs[row])
        assert np.array_equal(one[1], labels[row])
        assert tokens.decode(one[0][:question_length]) == question
        assert tokens.decode_answer(one[1], question_length) == answer


def test_layout_of_an_example_is_question_padding_masks_and_answer_ends() -> None:
    tokens = TextTokens.for_texts(["ab", "c"])
    assert (tokens.characters, tokens.vocab_size) == ("abc", 6)
    inputs, labels = tokens.encode_pair("ab", "c", 4, 3)
    assert inputs.tolist() == [3, 4, PAD, PAD, MASK, MASK, MASK]
    assert labels.tolist() == [PAD, PAD, PAD, PAD, 5, END, END]


def test_the_answer_is_nowhere_in_the_input() -> None:
    tokens = TextTokens.for_texts(["x + 1", "12"])
    first, _ = tokens.encode_pair("x + 1", "12", 6, 4)
    other, _ = tokens.encode_pair("x + 1", "2", 6, 4)
    assert np.array_equal(first, other)


@settings(max_examples=50)
@given(st.lists(st.integers(-300, 300), max_size=12), st.integers(0, 5))
def test_any_token_values_decode(values: list[int], question_length: int) -> None:
    tokens = TextTokens("abc")
    answer = tokens.decode_answer(np.array(values, np.int64), question_length)
    kept = values[question_length:]
    kept = kept[: kept.index(END)] if END in kept else kept
    assert answer == "".join("abc"[v - 3] if 3 <= v < 6 else BROKEN for v in kept)


def test_a_mask_or_unknown_token_equals_no_answer() -> None:
    tokens = TextTokens("ab")
    assert tokens.decode(np.array([3, MASK, 4])) == f"a{BROKEN}b"
    assert tokens.decode(np.array([3, 200, PAD, 4, END, 3])) == f"a{BROKEN}b"
    assert tokens.decode_answer(np.array([3, PAD, 4]), 0) == f"a{BROKEN}b"
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


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("ab", "a?", r"character '\?' at 1 of answer 1"),
        ("a!b", "a", r"character '!' at 1 of question 1"),
        ("aaaaa", "a", "question 1 has 5 characters: 'aaaaa'"),
        ("a", "aaaa", "answer 1 has 4 characters"),
    ],
)
def test_a_text_that_cannot_be_encoded_is_named(question: str, answer: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TextTokens("ab").encode_pairs(["ab", question], ["b", answer], 4, 3)


def test_no_characters_at_all() -> None:
    assert TextTokens("").encode("").shape == (0,)
    assert TextTokens("").decode_answers(np.zeros((2, 3), int), 3) == ["", ""]
    with pytest.raises(UserError, match="at 0 of text 0"):
        TextTokens("").encode("a")
