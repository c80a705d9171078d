"""Mathematics with numbers: arithmetic, number theory, discrete mathematics, probability, statistics, sequences."""

import math
import operator
from collections import Counter
from fractions import Fraction
from itertools import product

from trm_lab.puzzles.text.math_notation import decimal
from trm_lab.puzzles.text.questions import Family, Orders, Problem, Subsets, Tuples, over
from trm_lab.puzzles.text.words import row

_PROPER = tuple(Fraction(a, b) for b in range(2, 21) for a in range(1, b) if math.gcd(a, b) == 1)
_SMOOTH = tuple(n for n in range(12, 3000) if pow(210, 12, n) == 0)  # primes up to 7: rich in common divisors
_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

_brackets = over(a=range(2, 100), b=range(10, 100), c=range(10, 100), sign="+-", d=range(2, 100)).ask(
    "Compute {a} * ({b} {sign} {c}) + {d}.", lambda a, b, c, sign, d: a * _SIGNS[sign](b, c) + d
)
_fractions = over(tops=Tuples(range(1, 20), 2), bottoms=Tuples(range(2, 20), 2), sign="+-*/").ask(
    "Compute ({tops[0]}/{bottoms[0]}) {sign} ({tops[1]}/{bottoms[1]}) as a fraction.",
    lambda tops, bottoms, sign: _SIGNS[sign](*map(Fraction, tops, bottoms)),
)
_powers = over(base=range(2, 13), power=range(2, 5), a=range(2, 100), b=range(2, 100)).ask(
    "Compute {base}^{power} - {a} * {b}.", lambda base, power, a, b: base**power - a * b
)
_decimals = over(a=range(101, 10_000), b=range(101, 10_000), sign="+-").ask(  # a and b in hundredths
    "Compute {first} {sign} {second}.",
    lambda a, b, sign: decimal(_SIGNS[sign](a, b)),
    first=lambda a: decimal(a),
    second=lambda b: decimal(b),
)
_gcd = over(pair=Orders(_SMOOTH, 2)).ask(
    "What is the greatest common divisor of {pair[0]} and {pair[1]}?", lambda pair: math.gcd(*pair)
)
_lcm = over(pair=Orders(range(6, 200), 2)).ask(
    "What is the least common multiple of {pair[0]} and {pair[1]}?", lambda pair: math.lcm(*pair)
)
_power_remainder = over(base=range(2, 60), power=range(2, 60), modulus=range(5, 40)).ask(
    "What is the remainder when {base}^{power} is divided by {modulus}?",
    lambda base, power, modulus: pow(base, power, modulus),
)
_divisors = over(number=range(20, 5000)).ask(
    "How many positive divisors does {number} have?",
    lambda number: math.prod(power + 1 for power in _factors(number).values()),
)
_largest_prime = over(number=range(40, 20_000, 2)).ask(
    "What is the largest prime factor of {number}?", lambda number: max(_factors(number))
)
_base = over(number=range(30, 2000), base=range(2, 10)).ask(
    "Write {number} in base {base}.", lambda number, base: _written_in_base(number, base)
)


def _factors(number: int) -> Counter[int]:
    """The prime factors with their powers, by trial division."""
    powers: Counter[int] = Counter()
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            powers[divisor] += 1
            number //= divisor
        divisor += 1
    if number > 1:
        powers[number] += 1
    return powers


def _written_in_base(number: int, base: int) -> str:
    return _written_in_base(number // base, base) + str(number % base) if number else ""


_committees = over(groups=Tuples(range(8, 31), 2), committee=Tuples(range(2, 6), 2)).ask(
    "How many ways are there to choose {committee[0]} of {groups[0]} women and {committee[1]} of {groups[1]} men?",
    lambda groups, committee: math.prod(map(math.comb, groups, committee)),
)
_divisible_by_either = over(divisors=Subsets(range(2, 40), 2), limit=range(50, 1000)).ask(
    "How many integers from 1 to {limit} are divisible by {divisors[0]} or by {divisors[1]}?",
    lambda divisors, limit: sum(limit // n for n in divisors) - limit // math.lcm(*divisors),
)
_rearrangements = over(letters=Tuples("ABCD", 7)).ask(
    "In how many different ways can the letters of {word} be arranged?",
    lambda letters: math.factorial(7) // math.prod(map(math.factorial, Counter(letters).values())),
    word=lambda letters: "".join(letters),
)
_lattice_paths = over(a=range(1, 12), b=range(1, 12), c=range(1, 12), d=range(1, 12)).ask(
    "How many paths of steps right and up lead from (0, 0) to ({x}, {y}) through ({a}, {b})?",
    lambda a, b, c, d: math.comb(a + b, a) * math.comb(c + d, c),
    x=lambda a, c: a + c,
    y=lambda b, d: b + d,
)
_dice = over(sides=Tuples(range(4, 25), 2), total=range(2, 9), how=("exactly", "at most")).ask(
    "A die with sides 1 to {sides[0]} and one with sides 1 to {sides[1]} are rolled. "
    "What is the probability of a sum of {how} {total}?",
    lambda sides, total, how: Fraction(
        sum(
            sum(roll) == total or (how == "at most" and sum(roll) < total)
            for roll in product(*(range(1, side + 1) for side in sides))
        ),
        math.prod(sides),
    ),
)
_independent = over(chances=Tuples(_PROPER, 2), count=("both", "at least one", "exactly one", "none")).ask(
    "Two independent events have probabilities {chances[0]} and {chances[1]}. "
    "What is the probability that {count} of them happens?",
    lambda chances, count: _chance_of_count(chances[0], chances[1], count),
)
_given_colour = over(counts=Tuples(range(1, 30), 4), colour=("red", "blue")).ask(
    "A box holds {counts[0]} small red, {counts[1]} large red, {counts[2]} small blue and {counts[3]} large blue "
    "beads. A bead is {colour}. What is the probability that it is large?",
    lambda counts, colour: _share_of_second(*(counts[:2] if colour == "red" else counts[2:])),
)


def _chance_of_count(a: Fraction, b: Fraction, count: str) -> Fraction:
    both, exactly_one = a * b, a + b - 2 * a * b
    return {
        "both": both,
        "at least one": both + exactly_one,
        "exactly one": exactly_one,
        "none": 1 - both - exactly_one,
    }[count]


def _share_of_second(first: int, second: int) -> Fraction:
    return Fraction(second, first + second)


_balls = over(counts=Tuples(range(4, 30), 2), draws=range(2, 6), red=range(3)).ask(
    "A bag holds {counts[0]} red and {counts[1]} blue balls. {draws} are drawn without replacement. "
    "What is the probability that exactly {red} of them {verb} red?",
    lambda counts, draws, red: Fraction(
        math.comb(counts[0], red) * math.comb(counts[1], draws - red), math.comb(sum(counts), draws)
    ),
    verb=lambda red: "is" if red == 1 else "are",
)
_mean = over(numbers=Tuples(range(1, 60), 5)).ask(
    "What is the mean of {row}?", lambda numbers: Fraction(sum(numbers), 5), row=row
)
_median = over(numbers=Tuples(range(1, 60), 6)).ask(
    "What is the median of {row}?", lambda numbers: Fraction(sum(sorted(numbers)[2:4]), 2), row=row
)
_variance = over(numbers=Tuples(range(1, 30), 4)).ask(
    "What is the population variance of {row}?",
    lambda numbers: Fraction(4 * sum(n * n for n in numbers) - sum(numbers) ** 2, 16),
    row=row,
)
_missing_mean = over(numbers=Tuples(range(1, 60), 3), mean=range(5, 60)).ask(
    "The mean of {row} and a fourth number is {mean}. What is the fourth number?",
    lambda numbers, mean: 4 * mean - sum(numbers),
    row=row,
)
_geometric_sum = over(start=range(1, 100), factor=range(2, 6), count=range(4, 9)).ask(
    "A geometric sequence begins {start}, {second}. What is the sum of its first {count} terms?",
    lambda start, factor, count: start * (factor**count - 1) // (factor - 1),
    second=lambda start, factor: start * factor,
)
_infinite_sum = over(start=range(1, 100), factor=_PROPER).ask(
    "What is the sum of the infinite geometric series with first term {start} and ratio {factor}?",
    lambda start, factor: start / (1 - factor),
)


@over(start=range(-50, 100), step=range(2, 30), place=range(10, 100), what=("term", "sum"))
def _arithmetic_progression(start: int, step: int, place: int, what: str) -> Problem:
    beginning = f"An arithmetic sequence begins {start}, {start + step}, {start + 2 * step}."
    last = start + (place - 1) * step
    if what == "term":
        return f"{beginning} What is its term number {place}?", str(last)
    return f"{beginning} What is the sum of its first {place} terms?", str(place * (start + last) // 2)


@over(start=range(1, 20), factor=range(2, 6), added=range(-9, 20), place=range(3, 7))
def _recursion(start: int, factor: int, added: int, place: int) -> Problem:
    term = start
    for _ in range(place - 1):
        term = factor * term + added
    sign = "-" if added < 0 else "+"
    return f"a(1) = {start} and a(n+1) = {factor} a(n) {sign} {abs(added)}. What is a({place})?", str(term)


NUMBER_CATEGORIES = (
    Family("arithmetic", (_brackets, _fractions, _decimals, _powers)),
    Family("number_theory", (_gcd, _lcm, _power_remainder, _divisors, _largest_prime, _base)),
    Family("discrete_mathematics", (_committees, _rearrangements, _divisible_by_either, _lattice_paths)),
    Family("probability", (_dice, _balls, _independent, _given_colour)),
    Family("statistics", (_mean, _median, _variance, _missing_mean)),
    Family("sequences", (_arithmetic_progression, _geometric_sum, _infinite_sum, _recursion)),
)
