"""The answers to the questions with numbers and those in words, found from their texts, with sympy or by counting."""

import itertools
import re
import statistics
from fractions import Fraction
from math import prod

import sympy
from sympy.ntheory import digits

from tests.trm_lab.puzzles.text.question_rules import Rules

RULES = Rules()
asked = RULES.asked
N = r"(-?\d+)"
Q = r"(-?\d+(?:/\d+)?)"  # a number or a fraction


def numbers(text: str) -> list[int]:
    """Every integer of a text."""
    return [int(n) for n in re.findall(r"-?\d+", text)]


@asked(r"Compute ([-+*/^().\d ]*)(?: as a fraction)?\.")
def _compute(formula: str) -> str:
    rational = re.sub(r"\d+\.\d+", lambda n: f"({Fraction(n[0])})", formula.replace("^", "**"))
    value = sympy.sympify(rational, rational=True)
    if "." not in formula:
        return str(value)
    assert 100 % value.q == 0
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


@asked(rf"What is the greatest common divisor of {N} and {N}\?")
def _gcd(a: str, b: str) -> int:
    return max(n for n in range(1, int(a) + 1) if int(a) % n == int(b) % n == 0)


@asked(rf"What is the least common multiple of {N} and {N}\?")
def _lcm(a: str, b: str) -> int:
    return next(n for n in itertools.count(int(a), int(a)) if n % int(b) == 0)


@asked(rf"What is the remainder when {N}\^{N} is divided by {N}\?")
def _remainder(base: str, power: str, modulus: str) -> int:
    return int(base) ** int(power) % int(modulus)


@asked(rf"How many positive divisors does {N} have\?")
def _divisors(number: str) -> int:
    return len(sympy.divisors(int(number)))


@asked(rf"What is the largest prime factor of {N}\?")
def _largest_prime(number: str) -> int:
    return max(sympy.primefactors(int(number)))


@asked(rf"Write {N} in base {N}\.")
def _base(number: str, base: str) -> str:
    return "".join(map(str, digits(int(number), int(base))[1:]))


@asked(rf"How many ways are there to choose {N} of {N} women and {N} of {N} men\?")
def _committees(a: str, women: str, b: str, men: str) -> int:
    return sympy.binomial(int(women), int(a)) * sympy.binomial(int(men), int(b))


@asked(r"In how many different ways can the letters of (\w+) be arranged\?")
def _rearrangements(word: str) -> int:
    ways, left = 1, len(word)
    for letter in sorted(set(word)):  # choose the places of one letter after another
        ways *= sympy.binomial(left, word.count(letter))
        left -= word.count(letter)
    return ways


@asked(rf"How many integers from 1 to {N} are divisible by {N} or by {N}\?")
def _either(limit: str, a: str, b: str) -> int:
    return len({*range(int(a), int(limit) + 1, int(a)), *range(int(b), int(limit) + 1, int(b))})


@asked(rf"How many paths of steps right and up lead from \(0, 0\) to \({N}, {N}\) through \({N}, {N}\)\?")
def _paths(x: str, y: str, a: str, b: str) -> int:
    def count(width: int, height: int) -> int:
        row = [1] * (width + 1)
        for _ in range(height):
            row = list(itertools.accumulate(row))
        return row[-1]

    return count(int(a), int(b)) * count(int(x) - int(a), int(y) - int(b))


@asked(
    rf"A die with sides 1 to {N} and one with sides 1 to {N} are rolled\. "
    rf"What is the probability of a sum of (exactly|at most) {N}\?"
)
def _dice(first: str, second: str, how: str, wanted: str) -> Fraction:
    rolls = list(itertools.product(range(1, int(first) + 1), range(1, int(second) + 1)))
    sums = [int(wanted)] if how == "exactly" else range(int(wanted) + 1)
    return Fraction(len([roll for roll in rolls if sum(roll) in sums]), len(rolls))


@asked(
    rf"A bag holds {N} red and {N} blue balls\. {N} are drawn without replacement\. "
    rf"What is the probability that exactly {N} of them (?:is|are) red\?"
)
def _balls(red: str, blue: str, drawn: str, wanted: str) -> Fraction:
    """Ball after ball."""
    chances = {0: Fraction(1)}
    for taken in range(int(drawn)):
        left = int(red) + int(blue) - taken
        after: dict[int, Fraction] = {}
        for reds, chance in chances.items():
            share = Fraction(int(red) - reds, left)
            after[reds + 1] = after.get(reds + 1, Fraction(0)) + chance * share
            after[reds] = after.get(reds, Fraction(0)) + chance * (1 - share)
        chances = after
    return chances.get(int(wanted), Fraction(0))


@asked(
    rf"Two independent events have probabilities {Q} and {Q}\. "
    r"What is the probability that (both|at least one|exactly one|none) of them happens\?"
)
def _independent(a: str, b: str, how: str) -> Fraction:
    counts = {"both": (2,), "at least one": (1, 2), "exactly one": (1,), "none": (0,)}[how]
    p = (Fraction(a), Fraction(b))
    worlds = [world for world in itertools.product((0, 1), repeat=2) if sum(world) in counts]
    chances = [prod(q if happens else 1 - q for q, happens in zip(p, world, strict=True)) for world in worlds]
    return sum(chances, Fraction(0))


@asked(
    rf"A box holds {N} small red, {N} large red, {N} small blue and {N} large blue beads\. "
    r"A bead is (red|blue)\. What is the probability that it is large\?"
)
def _beads(small_red: str, large_red: str, small_blue: str, large_blue: str, colour: str) -> Fraction:
    beads = [("small", "red")] * int(small_red) + [("large", "red")] * int(large_red)
    beads += [("small", "blue")] * int(small_blue) + [("large", "blue")] * int(large_blue)
    those = [size for size, found in beads if found == colour]
    return Fraction(those.count("large"), len(those))


@asked(r"What is the (mean|median|population variance) of (.*)\?")
def _statistic(name: str, data: str) -> Fraction:
    ways = {"mean": statistics.mean, "median": statistics.median, "population variance": statistics.pvariance}
    return Fraction(ways[name]([Fraction(n) for n in numbers(data)]))


@asked(rf"The mean of (.*) and a fourth number is {N}\. What is the fourth number\?")
def _fourth(known: str, mean: str) -> int:
    return int(sympy.solve(sympy.Rational(sum(numbers(known)), 4) + sympy.Symbol("n") / 4 - int(mean))[0])


@asked(
    rf"An arithmetic sequence begins (.*)\. What is (its term number|the sum of its first) {N}(?: terms)?\?"
)
def _arithmetic(begin: str, what: str, place: str) -> int:
    first, second, third = numbers(begin)
    assert third - second == second - first
    terms = list(itertools.islice(itertools.count(first, second - first), int(place)))
    return terms[-1] if what.startswith("its") else sum(terms)


@asked(rf"A geometric sequence begins {N}, {N}\. What is the sum of its first {N} terms\?")
def _geometric(first: str, second: str, count: str) -> int:
    step = Fraction(int(second), int(first))
    return int(sum(itertools.accumulate([Fraction(first)] + [step] * (int(count) - 1), lambda a, b: a * b)))


@asked(rf"What is the sum of the infinite geometric series with first term {N} and ratio {Q}\?")
def _infinite(first: str, ratio: str) -> Fraction:
    total = int(first) / (1 - Fraction(ratio))
    partial = float(first) * sum(float(Fraction(ratio)) ** n for n in range(900))
    assert abs(float(total) - partial) < 1e-6
    return total


@asked(rf"a\(1\) = {N} and a\(n\+1\) = {N} a\(n\) ([-+]) {N}\. What is a\({N}\)\?")
def _recursion(first: str, factor: str, sign: str, added: str, place: str) -> int:
    terms = [int(first)]
    while len(terms) < int(place):
        terms.append(int(factor) * terms[-1] + int(sign + added))
    return terms[-1]
