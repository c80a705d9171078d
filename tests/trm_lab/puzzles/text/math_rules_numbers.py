"""The answers to the questions with numbers, found from their texts, with sympy or by counting."""

import itertools
import re
import statistics
from fractions import Fraction
from math import prod

import sympy
from sympy.ntheory import digits

from tests.trm_lab.puzzles.text.question_rules import N, Rules, numbers

RULES = Rules()
rule = RULES.rule
Q = r"(-?\d+(?:/\d+)?)"  # a number or a fraction


@rule(r"Compute ([-+*/^().\d ]*)(?: as a fraction)?\.")
def _compute(formula: str) -> str:
    rational = re.sub(r"\d+\.\d+", lambda n: f"({Fraction(n[0])})", formula.replace("^", "**"))
    value = sympy.sympify(rational, rational=True)
    if "." not in formula:
        return str(value)
    assert 100 % value.q == 0
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


rule(rf"What is the greatest common divisor of {N} and {N}\?")(
    lambda a, b: max(n for n in range(1, a + 1) if a % n == b % n == 0)
)
rule(rf"What is the least common multiple of {N} and {N}\?")(
    lambda a, b: next(n for n in itertools.count(a, a) if n % b == 0)
)
rule(rf"What is the remainder when {N}\^{N} is divided by {N}\?")(
    lambda base, power, modulus: base**power % modulus
)
rule(rf"How many positive divisors does {N} have\?")(lambda number: len(sympy.divisors(number)))
rule(rf"What is the largest prime factor of {N}\?")(lambda number: max(sympy.primefactors(number)))
rule(rf"Write {N} in base {N}\.")(lambda number, base: "".join(map(str, digits(number, base)[1:])))
rule(rf"How many ways are there to choose {N} of {N} women and {N} of {N} men\?")(
    lambda a, women, b, men: sympy.binomial(women, a) * sympy.binomial(men, b)
)
rule(rf"How many integers from 1 to {N} are divisible by {N} or by {N}\?")(
    lambda limit, a, b: len({*range(a, limit + 1, a), *range(b, limit + 1, b)})
)


@rule(r"In how many different ways can the letters of (\w+) be arranged\?")
def _rearrangements(word: str) -> int:
    ways, left = 1, len(word)
    for letter in sorted(set(word)):  # choose the places of one letter after another
        ways *= sympy.binomial(left, word.count(letter))
        left -= word.count(letter)
    return ways


@rule(rf"How many paths of steps right and up lead from \(0, 0\) to \({N}, {N}\) through \({N}, {N}\)\?")
def _paths(x: int, y: int, a: int, b: int) -> int:
    def count(width: int, height: int) -> int:
        row = [1] * (width + 1)
        for _ in range(height):
            row = list(itertools.accumulate(row))
        return row[-1]

    return count(a, b) * count(x - a, y - b)


@rule(
    rf"A die with sides 1 to {N} and one with sides 1 to {N} are rolled\. "
    rf"What is the probability of a sum of (exactly|at most) {N}\?"
)
def _dice(first: int, second: int, how: str, total: int) -> Fraction:
    rolls = list(itertools.product(range(1, first + 1), range(1, second + 1)))
    sums = [total] if how == "exactly" else range(total + 1)
    return Fraction(len([roll for roll in rolls if sum(roll) in sums]), len(rolls))


@rule(
    rf"A bag holds {N} red and {N} blue balls\. {N} are drawn without replacement\. "
    rf"What is the probability that exactly {N} of them (?:is|are) red\?"
)
def _balls(red: int, blue: int, drawn: int, reds_drawn: int) -> Fraction:
    """Ball after ball."""
    chances = {0: Fraction(1)}
    for taken in range(drawn):
        after: dict[int, Fraction] = {}
        for reds, chance in chances.items():
            share = Fraction(red - reds, red + blue - taken)
            after[reds + 1] = after.get(reds + 1, Fraction(0)) + chance * share
            after[reds] = after.get(reds, Fraction(0)) + chance * (1 - share)
        chances = after
    return chances.get(reds_drawn, Fraction(0))


@rule(
    rf"Two independent events have probabilities {Q} and {Q}\. "
    r"What is the probability that (both|at least one|exactly one|none) of them happens\?"
)
def _independent(a: str, b: str, how: str) -> Fraction:
    counts = {"both": (2,), "at least one": (1, 2), "exactly one": (1,), "none": (0,)}[how]
    p = (Fraction(a), Fraction(b))
    worlds = [world for world in itertools.product((0, 1), repeat=2) if sum(world) in counts]
    chances = [prod(q if happens else 1 - q for q, happens in zip(p, world, strict=True)) for world in worlds]
    return sum(chances, Fraction(0))


@rule(
    rf"A box holds {N} small red, {N} large red, {N} small blue and {N} large blue beads\. "
    r"A bead is (red|blue)\. What is the probability that it is large\?"
)
def _beads(small_red: int, large_red: int, small_blue: int, large_blue: int, colour: str) -> Fraction:
    beads = [("small", "red")] * small_red + [("large", "red")] * large_red
    beads += [("small", "blue")] * small_blue + [("large", "blue")] * large_blue
    sizes = [size for size, bead_colour in beads if bead_colour == colour]
    return Fraction(sizes.count("large"), len(sizes))


@rule(r"What is the (mean|median|population variance) of (.*)\?")
def _statistic(name: str, data: str) -> Fraction:
    ways = {"mean": statistics.mean, "median": statistics.median, "population variance": statistics.pvariance}
    return Fraction(ways[name]([Fraction(n) for n in numbers(data)]))


@rule(rf"The mean of (.*) and a fourth number is {N}\. What is the fourth number\?")
def _fourth(three: str, mean: int) -> int:
    return int(sympy.solve(sympy.Rational(sum(numbers(three)), 4) + sympy.Symbol("n") / 4 - mean)[0])


@rule(
    rf"An arithmetic sequence begins (.*)\. What is (its term number|the sum of its first) {N}(?: terms)?\?"
)
def _arithmetic(beginning: str, what: str, place: int) -> int:
    first, second, third = numbers(beginning)
    assert third - second == second - first
    terms = list(itertools.islice(itertools.count(first, second - first), place))
    return terms[-1] if what.startswith("its") else sum(terms)


@rule(rf"A geometric sequence begins {N}, {N}\. What is the sum of its first {N} terms\?")
def _geometric(first: int, second: int, count: int) -> int:
    terms = itertools.accumulate(
        [Fraction(first)] + [Fraction(second, first)] * (count - 1), lambda a, b: a * b
    )
    return int(sum(terms))


@rule(rf"What is the sum of the infinite geometric series with first term {N} and ratio {Q}\?")
def _infinite(first: int, ratio: str) -> Fraction:
    total = first / (1 - Fraction(ratio))
    partial = first * sum(float(Fraction(ratio)) ** n for n in range(900))
    assert abs(float(total) - partial) < 1e-6
    return total


@rule(rf"a\(1\) = {N} and a\(n\+1\) = {N} a\(n\) ([-+]) {N}\. What is a\({N}\)\?")
def _recursion(first: int, factor: int, sign: str, added: int, place: int) -> int:
    terms = [first]
    while len(terms) < place:
        terms.append(factor * terms[-1] + (added if sign == "+" else -added))
    return terms[-1]
