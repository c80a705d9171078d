"""Pairs of answers that say the same, and pairs that do not: truth, answer and, where it decides, the question."""

import pytest

from trm_lab.puzzles.text.answer_reading import reading
from trm_lab.puzzles.text.scorer import requested_names, same_value

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
    ("2 or 3", "3 or 2"), ("x = \\pm 2", "x = -2 or x = 2"), ("±sqrt(3)", "-sqrt(3), sqrt(3)"),
    ("{1, 2}", "{2, 1}"), ("\\{a, b\\}", "{b, a}"), ("{}", "\\emptyset"), ("x = 1, x = 4", "1, 4"),
    # tiny and huge, exactly
    ("2^(-200)", "4^-100"), ("2^200", "4^100"), ("10^40 + 1", "1 + 10^40"), ("10^100", "1" + "0" * 60 + "*10^40"),
    ("1e-45", "0." + "0" * 44 + "1"), ("1.5e3", "1500"), ("2.5E-3", "1/400"), ("10^1000x", "10^{1000} x"),
    ("x - x", "0"), ("sin(pi)", "0"), ("sqrt(2)^2 - 2", "0"), ("10^24", "1" + "0" * 24),
    ("1e-20", "10^{-20}"), ("300000000", "3*10^8"), ("0.0015", "1.5 × 10⁻³"), ("-2.5 \\cdot 10^3", "-2500"),
    # fractions, percentages, amounts, signs
    ("-1/2", "\\frac{-1}{2}"), ("1 1/2", "1.5"), ("- 5", "-5"), ("−5", "-5"), ("5 × 10^8x", "500000000x"),
    ("50 percent", "50%"), ("12 cm", "12.0cm"), ("1,200 km", "1200 km"), ("$3.50", "3.5"), ("-0", "0"),
    # powers, roots, constants, functions
    ("x²", "x^2"), ("√2", "sqrt(2)"), ("2√3", "\\sqrt{12}"), ("π/2", "\\frac{\\pi}{2}"), ("\\sqrt[3]{-8}x", "-2x"),
    ("\\sin x", "sin(x)"), ("sin^2(x)", "1 - cos^2(x)"), ("e^2", "exp(2)"), ("(x^2-1)/(x-1)", "x + 1"),
    ("i^2x", "-x"), ("\\boxed{7}", "7"), ("(1+sqrt(5))/2", "2/(sqrt(5)-1)"),
    # intervals, relations, texts
    ("[1, 2)", "[ 1,2 )"), ("(-\\infty, 3]", "(-inf, 3]"), ("(1,2) \\cup (3,4)", "(3, 4) ∪ (1, 2)"),
    ("x < 3", "3 > x"), ("x \\le 3", "x<=3"), ("1 < x < 3", "3 > x > 1"), ("x > 5 or x < 1", "x < 1 or x > 5"),
    ("x + y = 3", "3 = y + x"), ("x \\in (1,2)", "x \\in (1, 2)"),
    ("x \\cdot y", "xy"), ("x=2, \\quad y=3", "x=2, y=3"),
    ("\\text{Monday}", " Monday"), ("(B)", "B"), ("yes  no", "yes no"),
]  # fmt: skip
DIFFER = [
    # names
    ("x=1, y=2", "y=1, x=2"), ("x=1, y=2", "x=2, y=1"), ("x = 1, y = 2", "1, 2"), ("1, 2", "x = 1, y = 2"),
    ("n = 2k", "m = 2k"), ("n = 2k", "n = 2j"), ("x = 3", "y = 3"), ("x = 3", "X = 3"), ("x_1 = 3", "x_2 = 3"),
    ("(x, y) = (1, 2)", "(y, x) = (1, 2)"), ("x=1, y=2", "x=1"), ("x=1, y=2", "x=1, y=2, z=3"),
    ("f(x) = 2", "f(y) = 2"),
    ("3", "x = 3, y = 3"), ("x=1, y=2", "x=1, z=2"), ("x = 1, x = 2", "y = 1, y = 2"), ("a = 5", "b = 5"),
    # the order, and how many
    ("1, 2, 3", "3, 2, 1"), ("(1, 2)", "(2, 1)"), ("x = 2 or x = 3", "x = 2"), ("±2", "2"), ("{1, 2}", "{1, 2, 3}"),
    ("{}", "{0}"), ("2 or 3", "2 or 4"), ("x = ±2", "x = ±3"),
    ("x = 1, y = 2 or x = 2, y = 1", "x = 1, y = 1 or x = 2, y = 2"), ("x = 1 or y = 2", "x = 1, y = 2"),
    ("x > 1 and x < 2", "x > 1 or x < 2"), ("x < 1 or x > 2", "x < 1, x > 2"),
    # tiny and huge
    ("1e-20", "10^-21"), ("300", "3*10^20"), ("10^8", "3*10^8"),
    ("2^(-200)", "0"), ("2^(-200)", "2^(-201)"), ("10^-46x", "0x"), ("0", "10^-60"), ("1e-45", "0"),
    ("1e-300", "1e-301"),
    ("10^40 + 1", "10^40"), ("10^80", "10^80 + 1"), ("x + 10^-40", "x"), ("2^200", "2^200 + 1"), ("10^-50", "10^-51"),
    ("1e5", "1e6"), ("10^100", "10^99"), ("exp(-200)", "0"),
    ("sqrt(2)", "1." + "41421356237309504880168872420969807856967"),
    # fractions, percentages, amounts, signs
    ("1/2", "-1/2"), ("1/3", "0.3333333333"), ("50%", "0.5"), ("5%", "5"), ("12 cm", "12 m"), ("12 cm", "12"),
    ("1,000", "1, 000"),
    ("-5", "5"), ("1/2x", "1/(2x)"), ("2 1/3", "21/3"), ("$5", "5%"),
    # powers, roots, constants, functions
    ("(-3)^2x", "-3^2x"), ("2^x", "x^2"), ("sqrt(3)", "sqrt(2)"), ("pi", "3.14159265358979"),
    ("e", "2.718281828"), ("e", "E"),
    ("sin(x)", "cos(x)"), ("sqrt(x^2)", "x"), ("x^2y", "xy^2"), ("\\sqrt[3]{2}", "\\sqrt{2}"),
    ("(x^2-1)/(x-1)", "x - 1"),
    # intervals, relations, texts
    ("[1, 2]", "(1, 2)"), ("[1, 2)", "(1, 2]"), ("(-inf, 3]", "(inf, 3]"), ("x < 3", "x <= 3"), ("x < 3", "x > 3"),
    ("x < 3", "x = 3"), ("x != 3", "x = 3"), ("(1,2) ∪ (3,4)", "(1,2)"), ("x + y = 3", "x - y = 3"),
    ("yes", "no"), ("abc", "acb"),
    ("07", "7"), ("2023-05-21", "2023-21-05"), ("A", "B"), ("3:4", "4:3"), ("", "0"),
]  # fmt: skip
ASKED = [
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


def test_there_are_sixty_pairs_of_each_kind() -> None:
    assert len(set(AGREE)) >= 60
    assert len(set(DIFFER)) >= 60


@pytest.mark.parametrize(("truth", "answer"), AGREE)
def test_answers_that_say_the_same_agree(truth: str, answer: str) -> None:
    assert same_value(truth, answer)


@pytest.mark.parametrize(("truth", "answer"), DIFFER)
def test_answers_that_say_something_else_differ(truth: str, answer: str) -> None:
    assert not same_value(truth, answer)
    assert not same_value(answer, truth)


@pytest.mark.parametrize(("truth", "answer", "question", "right"), ASKED)
def test_the_name_that_a_question_asks_for_counts(
    truth: str, answer: str, question: str, right: bool
) -> None:
    assert requested_names(question) or right
    assert same_value(truth, answer, question) is right


def test_a_name_with_a_reading_of_its_own_is_kept() -> None:
    assert reading("\\theta = 3").text == "theta"
