"""The answer scorer: the same value in any spelling is right, anything else is not, and garbage costs nothing."""

import time

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.answer_reading import reading
from trm_lab.puzzles.text.scorer import same_value
from trm_lab.puzzles.text.tokens import BROKEN, END, MASK, PAD, TextTokens

PRINTABLE = "".join(map(chr, range(32, 127)))
TOKENS = TextTokens(PRINTABLE)
QUESTION, ANSWER = 6, 16
SCORER = scorer_of(About("texts", 1, "clean", "answer", TOKENS.facts(QUESTION, ANSWER)))

SAME = [
    ("1/2", "0.5"), ("1/2", ".50"), ("0.5", "2/4"), ("-3/4", "-0.75"), ("12", "12.0"), ("12", "+12"), ("12", "12."),
    ("1000", "1,000"), ("1,000,000", "1000000"), ("5", "$5"), ("-5", "-$5"), ("5", "$5$"), ("5", "\\$5.00"),
    ("50%", "50.0%"), ("50\\%", "50 %"), ("7/3", "2 1/3"), ("x = 3", "3"), ("3", "y=3"),
    ("\\frac{3}{4}", "3/4"), ("\\dfrac34", "0.75"), ("-\\frac{3}{4}", "\\frac{-3}{4}"), ("2\\frac{1}{3}", "7/3"),
    ("45^\\circ", "45"), ("\\text{Monday}", "Monday"), ("3, 5", "3,5.0"), ("(1, -2)", "(1,-2)"),
    ("\\left(1, \\frac12\\right)", "(1, 0.5)"), ("{3, 1, 2}", "{1, 2, 3}"), ("\\{1,2\\}", "{2, 1}"),
    ("2*x + 3", "3 + 2x"), ("2x(x + 1)", "2x^2 + 2*x"), ("x^2 - 1", "(x-1)(x+1)"), ("-x^2", "0 - x**2"),
    ("sqrt(2)/2", "1/sqrt(2)"), ("2sqrt(3)", "\\sqrt{12}"), ("\\sqrt[3]{8}x", "2x"), ("5pi/6", "\\frac{5\\pi}{6}"),
    ("36cos(6x) + 1", "1+36*cos(6x)"), ("2sin(x)cos(x)", "sin(2x)"), ("exp(2x)", "exp(x)^2"), ("2^{10}", "1024"),
    ("4+3i", "3i+4"), ("pi", "1pi"), ("ln(4)", "2ln(2)"), ("no  answer", "no answer"), ("2xy", "2yx"),
    ("e^(x+1)", "e*e^x"), ("(x+1)/(2y)", "x/(2y) + 1/(2y)"),
]  # fmt: skip
OTHER = [
    ("1/2", "1/3"), ("12", "21"), ("12", "12 cm"), ("50%", "0.5"), ("50%", "50"), ("1,000", "1"), ("3", "1+2"),
    ("12", "3(4)"), ("935", "347+588"), ("9", "3^2"), ("4", "sqrt(16)"), ("7", "007"), ("0123", "123"), ("5", ""),
    ("3, 5", "5, 3"), ("3, 5", "3, 5, 5"), ("(1, 2)", "1, 2"), ("(1, 2)", "[1, 2]"), ("{1, 2}", "{1, 1}"),
    ("{1, 1, 2}", "{1, 2, 2}"), ("abc", "cab"), ("yes", "no"), ("yes", "Yes"), ("2023-05-21", "1997"),
    ("2023-10-21", "1992"), ("2023-10-21", "2023-21-10"), ("07:30", "7:30"), ("x^2", "x^3"), ("2x", "2y"),
    ("sqrt(2)", "1.41421356237309504"), ("sqrt(2)", "1.4142135623730950488016887242097"), ("pi", "22/7"),
    ("sin(x)", "x"), ("sqrt(x^2)", "x"), ("1/0", "2/0"), ("3 apples", "3 pleaps"), ("log(100)", "2"),
    ("10^-20x", "10^-21x"), ("0x", "10^-30x"), ("20 May 2021", "May 20 2021"), ("i", "1"), ("x", "y"),
]  # fmt: skip


def verdicts(pairs: list[tuple[str, str]]) -> dict[str, list[bool]]:
    assert SCORER is not None
    inputs, labels = TOKENS.encode_pairs(["what?"] * len(pairs), [truth for truth, _ in pairs], QUESTION, 40)
    _, answers = TOKENS.encode_pairs(["what?"] * len(pairs), [answer for _, answer in pairs], QUESTION, 40)
    ignored = np.where(labels == PAD, IGNORE_LABEL, labels.astype(np.int32))
    return {name: found.tolist() for name, found in SCORER(inputs, ignored, answers.astype(np.int32)).items()}


@pytest.mark.parametrize(("truth", "answer"), SAME)
def test_the_same_value_in_another_spelling_is_solved_but_not_exact(truth: str, answer: str) -> None:
    assert verdicts([(truth, answer)]) == {"solved": [True], "exact": [False], "well_formed": [True]}
    assert verdicts([(truth, truth)]) == {"solved": [True], "exact": [True], "well_formed": [True]}


@pytest.mark.parametrize(("truth", "answer"), OTHER)
def test_another_value_is_not_solved(truth: str, answer: str) -> None:
    assert verdicts([(truth, answer)]) == {"solved": [False], "exact": [False], "well_formed": [True]}


def test_a_question_copied_as_the_answer_is_not_an_answer() -> None:
    assert not any(verdicts([("935", "347 + 588"), ("3/4", "1/2 + 1/4"), ("8", "2^3")])["solved"])


def test_tokens_after_the_end_or_that_are_no_characters_are_not_well_formed() -> None:
    assert SCORER is not None
    inputs, labels = TOKENS.encode_pairs(["?"] * 6, ["12"] * 6, QUESTION, 4)
    answers = labels.copy()
    one, two = TOKENS.encode("12")
    answers[:, QUESTION:] = [
        [one, two, END, END],
        [one, two, END, two],
        [one, MASK, two, END],
        [one, two, PAD, END],
        [END, one, two, END],
        [one, two, 255, 255],
    ]
    found = SCORER(inputs, labels, answers)
    assert found["well_formed"].tolist() == [True, False, False, False, False, False]
    assert found["solved"].tolist() == [True, True, False, False, False, False]
    assert found["exact"].tolist() == [True, True, False, False, False, False]


def test_an_answer_may_fill_every_slot() -> None:
    assert SCORER is not None
    inputs, labels = TOKENS.encode_pairs(["?"], ["1234"], QUESTION, 4)
    assert all(found.all() for found in SCORER(inputs, labels, labels).values())


@settings(max_examples=60, deadline=None)
@given(
    st.text(PRINTABLE + BROKEN + "é\n", max_size=30), st.text("0123456789x+-*/^(){}[],.$%\\ ", max_size=40)
)
def test_reading_any_text_ends_and_never_raises(first: str, second: str) -> None:
    for truth in (first, second, "2x + 1", "\\frac{1}{2}", "sqrt(2)"):
        for answer in (first, second):
            assert isinstance(same_value(truth, answer), bool)
    assert same_value(second, second)


@pytest.mark.parametrize(
    "text",
    [
        "9^9^9^9^9^9^9x", "x" + "^9" * 39, "(" * 40 + "x" + ")" * 40, "{" * 128 + "}" * 128, "-" * 79 + "x",
        "sin(9^9^9)", "exp(exp(exp(99x)))", "\\frac" * 40, "\\sqrt" * 40, "x" * 80, "1" * 250, "sqrt(" * 16, "x/(x-x)",
        "\\frac{" * 30, "ln(0x)", "x^(1/0)", "0^(-x)", ",".join("x" * 100), "1e999999999", "__import__(os)",
    ],
)  # fmt: skip
def test_monstrous_answers_take_no_time(text: str) -> None:
    started = time.process_time()
    assert not same_value("2x + 1", text)
    assert not same_value("7", text)
    assert not same_value(text, "2x + 1")
    assert time.process_time() - started < 0.25


def _expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["x", "y", "2", "3", "7", "sqrt(2)", "pi", "sqrt(x)"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
            st.builds("({})^{}".format, inner, st.integers(0, 3)),
            st.builds("{}({})".format, st.sampled_from(["sin", "cos", "tan"]), inner),
        ),
        max_leaves=4,
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_expressions(), _expressions())
def test_sympy_agrees_on_what_is_equal(first: str, second: str) -> None:
    """Against each other, and against a rewritten form of the first."""

    def symbolic(text: str) -> sympy.Expr:
        return sympy.sympify(text.replace("^", "**"))

    if reading(first).kind != "expression" or symbolic(first).has(sympy.nan, sympy.zoo):  # 1/0
        return
    expanded = str(sympy.expand(symbolic(first))).replace("E", "e").replace("I", "i")
    if reading(expanded).kind in ("expression", "number"):
        assert same_value(first, expanded), (first, expanded)
    if same_value(first, second):
        assert sympy.simplify(symbolic(first) - symbolic(second)) == 0, (first, second)


def test_10000_answers_are_judged_in_two_seconds() -> None:
    assert SCORER is not None
    rng = np.random.Generator(np.random.Philox(0))
    letters = rng.integers(3, TOKENS.vocab_size, (10_000, QUESTION + ANSWER))
    truths = [("3/4", "12x + 5", "1,200", "2sqrt(3)", "yes")[i % 5] for i in range(10_000)]
    near = [f"{i}x + {i % 7}" if i % 5 == 1 else str(i / 4) for i in range(10_000)]
    inputs, labels = TOKENS.encode_pairs(["?"] * 10_000, truths, QUESTION, ANSWER)
    _, close = TOKENS.encode_pairs(["?"] * 10_000, near, QUESTION, ANSWER)
    for answers in (letters, close):
        started = time.process_time()
        found = SCORER(inputs, labels, answers)
        assert time.process_time() - started < 4  # about 1 s alone on a core
        assert found["solved"].mean() < 0.01


def test_facts_without_the_texts_tokens_are_refused() -> None:
    with pytest.raises(UserError, match="facts"):
        scorer_of(About("texts", 1, "clean", "answer", {"seed": 0}))
