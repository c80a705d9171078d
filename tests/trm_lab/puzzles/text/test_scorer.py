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
from trm_lab.puzzles.text.scorer import requested_names, same_value
from trm_lab.puzzles.text.tokens import BROKEN, END, MASK, PAD, TextTokens

PRINTABLE = "".join(map(chr, range(32, 127)))
TOKENS = TextTokens(PRINTABLE)
QUESTION, ANSWER = 6, 40  # characters
SCORER = scorer_of(About("texts", 1, "clean", "answer", TOKENS.facts(QUESTION, ANSWER)))
assert SCORER is not None

# (truth, answer) by what is written differently
AGREE = [
    # names
    ("x=1, y=2", "y=2, x=1"), ("x = 1, y = 2", "x=1 and y=2"), ("x=1; y=2", "x = 1, y = 2.0"),
    ("(x, y) = (1, 2)", "y = 2, x = 1"), ("(x, y) = (1, 2)", "(y, x) = (2, 1)"), ("n = 2k", "n=2*k"),
    ("n = 2k", "2k = n"), ("2k", "n = 2k"), ("x_1 = 3", "x_{1} = 3"), ("y = 2x + 1", "y = 1 + 2x"),
    ("f(x) = (x+1)^2", "f(x) = x^2 + 2x + 1"), ("speed = 12 km", "12km"), ("x = y", "y = x"),
    # the order of solutions
    ("x = 2 or x = 3", "x = 3 or x = 2"), ("x = 2, x = 3", "x = 3, 2"), ("x = 2 or 3", "x = 3, x = 2"),
    ("x = 1, y = 2 or x = 3, y = 4", "x = 3, y = 4 or y = 2, x = 1"),
    ("x=1, y=2 or x=3, y=4", "(x, y) = (1, 2) or (x, y) = (3, 4)"), ("x > 1 and x < 2", "x < 2, x > 1"),
    ("2 or 3", "3 or 2"), ("x = \\pm 2", "x = -2 or x = 2"), ("±sqrt(3)", "-sqrt(3), sqrt(3)"), ("{1, 2}", "{2, 1}"),
    ("\\{a, b\\}", "{b, a}"), ("{}", "\\emptyset"), ("x = 1, x = 4", "1, 4"),
    # tiny and huge, exactly
    ("2^(-200)", "4^-100"), ("2^200", "4^100"), ("10^40 + 1", "1 + 10^40"), ("10^100", "1" + "0" * 60 + "*10^40"),
    ("1e-45", "0." + "0" * 44 + "1"), ("1.5e3", "1500"), ("2.5E-3", "1/400"), ("10^1000x", "10^{1000} x"),
    ("x - x", "0"), ("sin(pi)", "0"), ("sqrt(2)^2 - 2", "0"), ("10^24", "1" + "0" * 24), ("1e-20", "10^{-20}"),
    ("300000000", "3*10^8"), ("0.0015", "1.5 × 10⁻³"), ("-2.5 \\cdot 10^3", "-2500"),
    # fractions, percentages, amounts, signs
    ("-1/2", "\\frac{-1}{2}"), ("1 1/2", "1.5"), ("- 5", "-5"), ("−5", "-5"), ("5 × 10^8x", "500000000x"),
    ("50 percent", "50%"), ("12 cm", "12.0cm"), ("1,200 km", "1200 km"), ("$3.50", "3.5"), ("-0", "0"),
    # powers, roots, constants, functions
    ("x²", "x^2"), ("√2", "sqrt(2)"), ("2√3", "\\sqrt{12}"), ("π/2", "\\frac{\\pi}{2}"), ("\\sqrt[3]{-8}x", "-2x"),
    ("\\sin x", "sin(x)"), ("sin^2(x)", "1 - cos^2(x)"), ("e^2", "exp(2)"), ("(x^2-1)/(x-1)", "x + 1"), ("i^2x", "-x"),
    ("\\boxed{7}", "7"), ("(1+sqrt(5))/2", "2/(sqrt(5)-1)"),
    # intervals, relations, texts
    ("[1, 2)", "[ 1,2 )"), ("(-\\infty, 3]", "(-inf, 3]"), ("(1,2) \\cup (3,4)", "(3, 4) ∪ (1, 2)"),
    ("x < 3", "3 > x"), ("x \\le 3", "x<=3"), ("1 < x < 3", "3 > x > 1"), ("x > 5 or x < 1", "x < 1 or x > 5"),
    ("x + y = 3", "3 = y + x"), ("x \\in (1,2)", "x \\in (1, 2)"), ("x \\cdot y", "xy"),
    ("x=2, \\quad y=3", "x=2, y=3"), ("\\text{Monday}", " Monday"), ("(B)", "B"), ("yes  no", "yes no"),
    # other spellings
    ("1/2", "0.5"), ("1/2", ".50"), ("0.5", "2/4"), ("-3/4", "-0.75"), ("12", "12.0"), ("12", "+12"), ("12", "12."),
    ("1000", "1,000"), ("1,000,000", "1000000"), ("5", "$5"), ("-5", "-$5"), ("5", "$5$"), ("5", "\\$5.00"),
    ("50%", "50.0%"), ("50\\%", "50 %"), ("7/3", "2 1/3"), ("x = 3", "3"), ("3", "y=3"), ("\\frac{3}{4}", "3/4"),
    ("\\dfrac34", "0.75"), ("-\\frac{3}{4}", "\\frac{-3}{4}"), ("2\\frac{1}{3}", "7/3"), ("45^\\circ", "45"),
    ("\\text{Monday}", "Monday"), ("3, 5", "3,5.0"), ("(1, -2)", "(1,-2)"), ("\\left(1, \\frac12\\right)", "(1, 0.5)"),
    ("{3, 1, 2}", "{1, 2, 3}"), ("\\{1,2\\}", "{2, 1}"), ("2*x + 3", "3 + 2x"), ("2x(x + 1)", "2x^2 + 2*x"),
    ("x^2 - 1", "(x-1)(x+1)"), ("-x^2", "0 - x**2"), ("sqrt(2)/2", "1/sqrt(2)"), ("2sqrt(3)", "\\sqrt{12}"),
    ("\\sqrt[3]{8}x", "2x"), ("5pi/6", "\\frac{5\\pi}{6}"), ("36cos(6x) + 1", "1+36*cos(6x)"),
    ("2sin(x)cos(x)", "sin(2x)"), ("exp(2x)", "exp(x)^2"), ("2^{10}", "1024"), ("4+3i", "3i+4"), ("pi", "1pi"),
    ("ln(4)", "2ln(2)"), ("no  answer", "no answer"), ("2xy", "2yx"), ("e^(x+1)", "e*e^x"),
    ("(x+1)/(2y)", "x/(2y) + 1/(2y)"),
]  # fmt: skip
DIFFER = [
    # names
    ("x=1, y=2", "y=1, x=2"), ("x=1, y=2", "x=2, y=1"), ("x = 1, y = 2", "1, 2"), ("1, 2", "x = 1, y = 2"),
    ("n = 2k", "m = 2k"), ("n = 2k", "n = 2j"), ("x = 3", "y = 3"), ("x = 3", "X = 3"), ("x_1 = 3", "x_2 = 3"),
    ("(x, y) = (1, 2)", "(y, x) = (1, 2)"), ("x=1, y=2", "x=1"), ("x=1, y=2", "x=1, y=2, z=3"),
    ("f(x) = 2", "f(y) = 2"), ("3", "x = 3, y = 3"), ("x=1, y=2", "x=1, z=2"), ("x = 1, x = 2", "y = 1, y = 2"),
    ("a = 5", "b = 5"),
    # the order, and how many
    ("1, 2, 3", "3, 2, 1"), ("(1, 2)", "(2, 1)"), ("x = 2 or x = 3", "x = 2"), ("±2", "2"), ("{1, 2}", "{1, 2, 3}"),
    ("{}", "{0}"), ("2 or 3", "2 or 4"), ("x = ±2", "x = ±3"),
    ("x = 1, y = 2 or x = 2, y = 1", "x = 1, y = 1 or x = 2, y = 2"), ("x = 1 or y = 2", "x = 1, y = 2"),
    ("x > 1 and x < 2", "x > 1 or x < 2"), ("x < 1 or x > 2", "x < 1, x > 2"),
    # tiny and huge
    ("1e-20", "10^-21"), ("300", "3*10^20"), ("10^8", "3*10^8"), ("2^(-200)", "0"), ("2^(-200)", "2^(-201)"),
    ("10^-46x", "0x"), ("0", "10^-60"), ("1e-45", "0"), ("1e-300", "1e-301"), ("10^40 + 1", "10^40"),
    ("10^80", "10^80 + 1"), ("x + 10^-40", "x"), ("2^200", "2^200 + 1"), ("10^-50", "10^-51"), ("1e5", "1e6"),
    ("10^100", "10^99"), ("exp(-200)", "0"), ("sqrt(2)", "1." + "41421356237309504880168872420969807856967"),
    # fractions, percentages, amounts, signs
    ("1/2", "-1/2"), ("1/3", "0.3333333333"), ("50%", "0.5"), ("5%", "5"), ("12 cm", "12 m"), ("12 cm", "12"),
    ("1,000", "1, 000"), ("-5", "5"), ("1/2x", "1/(2x)"), ("2 1/3", "21/3"), ("$5", "5%"),
    # powers, roots, constants, functions
    ("(-3)^2x", "-3^2x"), ("2^x", "x^2"), ("sqrt(3)", "sqrt(2)"), ("pi", "3.14159265358979"), ("e", "2.718281828"),
    ("e", "E"), ("sin(x)", "cos(x)"), ("sqrt(x^2)", "x"), ("x^2y", "xy^2"), ("\\sqrt[3]{2}", "\\sqrt{2}"),
    ("(x^2-1)/(x-1)", "x - 1"),
    # intervals, relations, texts
    ("[1, 2]", "(1, 2)"), ("[1, 2)", "(1, 2]"), ("(-inf, 3]", "(inf, 3]"), ("x < 3", "x <= 3"), ("x < 3", "x > 3"),
    ("x < 3", "x = 3"), ("x != 3", "x = 3"), ("(1,2) ∪ (3,4)", "(1,2)"), ("x + y = 3", "x - y = 3"), ("yes", "no"),
    ("abc", "acb"), ("07", "7"), ("2023-05-21", "2023-21-05"), ("A", "B"), ("3:4", "4:3"), ("", "0"),
    # other values
    ("1/2", "1/3"), ("12", "21"), ("12", "12 cm"), ("50%", "50"), ("1,000", "1"), ("3", "1+2"), ("12", "3(4)"),
    ("935", "347+588"), ("7", "007"), ("0123", "123"), ("5", ""), ("3, 5", "5, 3"), ("3, 5", "3, 5, 5"),
    ("(1, 2)", "1, 2"), ("(1, 2)", "[1, 2]"), ("{1, 2}", "{1, 1}"), ("{1, 1, 2}", "{1, 2, 2}"), ("abc", "cab"),
    ("yes", "Yes"), ("2023-05-21", "1997"), ("2023-10-21", "1992"), ("2023-10-21", "2023-21-10"), ("07:30", "7:30"),
    ("x^2", "x^3"), ("2x", "2y"), ("sqrt(2)", "1.41421356237309504"), ("sqrt(2)", "1.4142135623730950488016887242097"),
    ("pi", "22/7"), ("sin(x)", "x"), ("1/0", "2/0"), ("3 apples", "3 pleaps"), ("log(100)", "2"),
    ("10^-20x", "10^-21x"), ("0x", "10^-30x"), ("20 May 2021", "May 20 2021"), ("i", "1"), ("x", "y"),
]  # fmt: skip
ASKED = [  # truth, answer, question, whether the answer is right
    ("2", "y = 2", "x + y = 3 and x - y = 1. What is y?", True),
    ("2", "x = 2", "x + y = 3 and x - y = 1. What is y?", False),
    ("2", "2", "x + y = 3 and x - y = 1. What is y?", True),
    ("2k", "m = 2k", "Every even n is twice some k. Solve for n.", False),
    ("3, 5", "x = 3, y = 5", "Find x and y.", True),
    ("3, 5", "y = 5, x = 3", "Find x and y.", True),
    ("3, 5", "x = 5, y = 3", "Find x and y.", False),
    ("(3, 5)", "x = 3, y = 5", "Find (x, y).", True),
    ("2, 3", "x = 3, x = 2", "x^2 - 5x + 6 = 0. Solve for x.", True),
    ("2, 3", "y = 2, y = 3", "x^2 - 5x + 6 = 0. Solve for x.", False),
    ("4", "f(2) = 4", "Let f(x) = x^2. Find f(2).", True),
    ("4", "g(2) = 4", "Let f(x) = x^2. Find f(2).", False),
    ("6x", "y = 6x", "Differentiate 3x^2 with respect to x.", True),
]


def verdicts(pairs: list[tuple[str, str]]) -> dict[str, list[bool]]:
    truths, texts = zip(*pairs, strict=True)
    inputs, labels = TOKENS.encode_pairs(["what?"] * len(pairs), truths, QUESTION, ANSWER)
    _, answers = TOKENS.encode_pairs(["what?"] * len(pairs), texts, QUESTION, ANSWER)
    ignored = np.where(labels == PAD, IGNORE_LABEL, labels.astype(np.int32))
    return {name: values.tolist() for name, values in SCORER(inputs, ignored, answers.astype(np.int32)).items()}


def test_answers_that_say_the_same_agree() -> None:
    assert [pair for pair in AGREE if not same_value(*pair)] == []
    assert [truth for truth, _ in AGREE if not same_value(truth, truth)] == []


def test_answers_that_say_something_else_differ() -> None:
    assert [pair for pair in DIFFER if same_value(*pair) or same_value(*pair[::-1])] == []
    copied = [("935", "347 + 588"), ("3/4", "1/2 + 1/4"), ("8", "2^3"), ("9", "3^2"), ("4", "sqrt(16)")]
    assert not any(same_value(*pair) for pair in copied)  # a question is no answer to itself


def test_the_name_that_a_question_asks_for_counts() -> None:
    for truth, answer, question, right in ASKED:
        assert requested_names(question) or right
        assert same_value(truth, answer, question) is right, (truth, answer, question)


def test_a_right_answer_in_another_spelling_is_solved_but_not_exact() -> None:
    pairs = [("1/2", "0.5"), ("3, 5", "3, 5"), ("x^2 - 1", "(x-1)(x+1)"), ("12", "21"), ("50%", "0.5")]
    assert verdicts(pairs) == {
        "solved": [True, True, True, False, False],
        "exact": [False, True, False, False, False],
        "well_formed": [True] * 5,
    }


def test_tokens_after_the_end_or_that_are_no_characters_are_not_well_formed() -> None:
    inputs, labels = TOKENS.encode_pairs(["?"] * 7, ["12"] * 6 + ["1212"], QUESTION, 4)
    answers = labels.copy()
    one, two = TOKENS.encode("12")
    answers[:, QUESTION:] = [
        [one, two, END, END],
        [one, two, END, two],
        [one, MASK, two, END],
        [one, two, PAD, END],
        [END, one, two, END],
        [one, two, 255, 255],
        [one, two, one, two],  # an answer may fill every slot
    ]
    values = SCORER(inputs, labels, answers)
    assert values["well_formed"].tolist() == [True, False, False, False, False, False, True]
    assert values["solved"].tolist() == [True, True, False, False, False, False, True]
    assert values["exact"].tolist() == values["solved"].tolist()


@settings(max_examples=30)
@given(st.text(PRINTABLE + BROKEN + "é\n", max_size=30), st.text("0123456789x+-*/^(){}[],.$%\\ ", max_size=40))
def test_reading_any_text_ends_and_never_raises(first: str, second: str) -> None:
    for truth in (first, second, "2x + 1", "\\frac{1}{2}", "sqrt(2)"):
        for answer in (first, second):
            assert isinstance(same_value(truth, answer), bool)
    assert same_value(second, second)


MONSTERS = [
    "9^9^9^9^9^9^9x", "x" + "^9" * 39, "(" * 40 + "x" + ")" * 40, "{" * 128 + "}" * 128, "-" * 79 + "x",
    "sin(9^9^9)", "exp(exp(exp(99x)))", "\\frac" * 40, "\\sqrt" * 40, "x" * 80, "1" * 250, "sqrt(" * 16, "x/(x-x)",
    "\\frac{" * 30, "ln(0x)", "x^(1/0)", "0^(-x)", ",".join("x" * 100), "1e999999999", "__import__(os)",
]  # fmt: skip


def test_monstrous_answers_take_no_time() -> None:
    for text in MONSTERS:
        started = time.process_time()
        for truth, answer in (("2x + 1", text), ("7", text), (text, "2x + 1")):
            assert not same_value(truth, answer), text
        assert time.process_time() - started < 1, text


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


@settings(max_examples=50)
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


def test_2000_answers_are_judged_in_seconds() -> None:
    rng = np.random.Generator(np.random.Philox(0))
    letters = rng.integers(3, TOKENS.vocab_size, (2000, QUESTION + 16))
    truths = [("3/4", "12x + 5", "1,200", "2sqrt(3)", "yes")[i % 5] for i in range(2000)]
    near = [f"{i}x + {i % 7}" if i % 5 == 1 else str(i / 4) for i in range(2000)]
    inputs, labels = TOKENS.encode_pairs(["?"] * 2000, truths, QUESTION, 16)
    _, close = TOKENS.encode_pairs(["?"] * 2000, near, QUESTION, 16)
    started = time.process_time()
    for answers in (letters, close):
        assert SCORER(inputs, labels, answers)["solved"].mean() < 0.01
    assert time.process_time() - started < 4  # about 0.5 s alone on a core


def test_facts_without_the_texts_tokens_are_refused() -> None:
    with pytest.raises(UserError, match="facts"):
        scorer_of(About("texts", 1, "clean", "answer", {"seed": 0}))
