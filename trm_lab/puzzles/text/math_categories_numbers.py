"""Mathematics with numbers: arithmetic, number theory, discrete mathematics, probability, statistics, sequences."""

import math
from collections import Counter
from fractions import Fraction

from trm_lab.puzzles.text.math_text import decimal, ratio, row
from trm_lab.puzzles.text.question_families import Family, Orders, Problem, Subsets, Tuples, over

Pair = tuple[int, int]
Trio = tuple[int, int, int]
PROPER = tuple(Fraction(a, b) for b in range(2, 21) for a in range(1, b) if math.gcd(a, b) == 1)
_SMOOTH = tuple(
    n for n in range(12, 3000) if pow(210, 12, n) == 0
)  # primes up to 7 only: rich in common divisors


@over(range(2, 100), range(10, 100), range(10, 100), "+-", range(2, 100))
def _brackets(a: int, b: int, c: int, sign: str, d: int) -> Problem:
    inner = b + c if sign == "+" else b - c
    return f"Compute {a} * ({b} {sign} {c}) + {d}.", str(a * inner + d)


@over(Tuples(range(1, 20), 2), Tuples(range(2, 20), 2), "+-*/")
def _fractions(tops: Pair, bottoms: Pair, sign: str) -> Problem:
    a, b = (Fraction(top, bottom) for top, bottom in zip(tops, bottoms, strict=True))
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign]
    question = f"Compute ({tops[0]}/{bottoms[0]}) {sign} ({tops[1]}/{bottoms[1]}) as a fraction."
    return question, ratio(result)


@over(range(101, 10_000), range(101, 10_000), "+-")
def _decimals(a: int, b: int, sign: str) -> Problem:
    return f"Compute {decimal(a)} {sign} {decimal(b)}.", decimal(a + b if sign == "+" else a - b)


@over(range(2, 13), range(2, 5), range(2, 100), range(2, 100))
def _powers(base: int, power: int, a: int, b: int) -> Problem:
    return f"Compute {base}^{power} - {a} * {b}.", str(base**power - a * b)


@over(Orders(_SMOOTH, 2))
def _gcd(pair: Pair) -> Problem:
    return f"What is the greatest common divisor of {pair[0]} and {pair[1]}?", str(math.gcd(*pair))


@over(Orders(range(6, 200), 2))
def _lcm(pair: Pair) -> Problem:
    return f"What is the least common multiple of {pair[0]} and {pair[1]}?", str(math.lcm(*pair))


@over(range(2, 60), range(2, 60), range(5, 40))
def _power_remainder(base: int, power: int, modulus: int) -> Problem:
    question = f"What is the remainder when {base}^{power} is divided by {modulus}?"
    return question, str(pow(base, power, modulus))


@over(range(20, 5000))
def _divisors(number: int) -> Problem:
    count = math.prod(power + 1 for power in _factors(number).values())
    return f"How many positive divisors does {number} have?", str(count)


@over(range(20, 10_000))
def _largest_prime(number: int) -> Problem:
    return f"What is the largest prime factor of {2 * number}?", str(max(_factors(2 * number)))


@over(range(30, 2000), range(2, 10))
def _base(number: int, base: int) -> Problem:
    digits, rest = "", number
    while rest:
        digits, rest = str(rest % base) + digits, rest // base
    return f"Write {number} in base {base}.", digits


def _factors(number: int) -> Counter[int]:
    """The prime factors, by trial division."""
    found: Counter[int] = Counter()
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found[divisor] += 1
            number //= divisor
        divisor += 1
    if number > 1:
        found[number] += 1
    return found


@over(Tuples(range(8, 31), 2), Tuples(range(2, 6), 2))
def _committees(groups: Pair, chosen: Pair) -> Problem:
    women, men = groups
    question = f"How many ways are there to choose {chosen[0]} of {women} women and {chosen[1]} of {men} men?"
    return question, str(math.comb(women, chosen[0]) * math.comb(men, chosen[1]))


@over(Tuples("ABCD", 7))
def _rearrangements(letters: tuple[str, ...]) -> Problem:
    ways = math.factorial(7) // math.prod(map(math.factorial, Counter(letters).values()))
    return f"In how many different ways can the letters of {''.join(letters)} be arranged?", str(ways)


@over(Subsets(range(2, 40), 2), range(50, 1000))
def _divisible_by_either(divisors: Pair, limit: int) -> Problem:
    a, b = divisors
    count = limit // a + limit // b - limit // math.lcm(a, b)
    return f"How many integers from 1 to {limit} are divisible by {a} or by {b}?", str(count)


@over(range(1, 12), range(1, 12), range(1, 12), range(1, 12))
def _lattice_paths(a: int, b: int, c: int, d: int) -> Problem:
    question = (
        f"How many paths of steps right and up lead from (0, 0) to ({a + c}, {b + d}) through ({a}, {b})?"
    )
    return question, str(math.comb(a + b, a) * math.comb(c + d, c))


@over(Tuples(range(4, 25), 2), range(2, 9), ("exactly", "at most"))
def _dice(sides: Pair, wanted: int, how: str) -> Problem:
    first, second = sides
    sums = [a + b for a in range(1, first + 1) for b in range(1, second + 1)]
    hits = sum(s == wanted if how == "exactly" else s <= wanted for s in sums)
    question = (
        f"A die with sides 1 to {first} and one with sides 1 to {second} are rolled. "
        f"What is the probability of a sum of {how} {wanted}?"
    )
    return question, ratio(hits, first * second)


@over(Tuples(range(4, 30), 2), range(2, 6), range(3))
def _balls(counts: Pair, drawn: int, red: int) -> Problem:
    reds, blues = counts
    ways = math.comb(reds, red) * math.comb(blues, drawn - red)
    question = (
        f"A bag holds {reds} red and {blues} blue balls. {drawn} are drawn without replacement. "
        f"What is the probability that exactly {red} of them {'is' if red == 1 else 'are'} red?"
    )
    return question, ratio(ways, math.comb(reds + blues, drawn))


@over(Tuples(PROPER, 2), ("both", "at least one", "exactly one", "none"))
def _independent(chances: tuple[Fraction, Fraction], asked: str) -> Problem:
    a, b = chances
    found = {"both": a * b, "at least one": a + b - a * b, "exactly one": a + b - 2 * a * b}
    question = (
        f"Two independent events have probabilities {a} and {b}. "
        f"What is the probability that {asked} of them happens?"
    )
    return question, ratio(found.get(asked, (1 - a) * (1 - b)))


@over(Tuples(range(1, 30), 4), ("red", "blue"))
def _given_colour(counts: tuple[int, ...], colour: str) -> Problem:
    red, red_large, blue, blue_large = counts
    large, small = (red_large, red) if colour == "red" else (blue_large, blue)
    question = (
        f"A box holds {red} small red, {red_large} large red, {blue} small blue and {blue_large} large blue "
        f"beads. A bead is {colour}. What is the probability that it is large?"
    )
    return question, ratio(large, large + small)


@over(Tuples(range(1, 60), 5))
def _mean(numbers: tuple[int, ...]) -> Problem:
    return f"What is the mean of {row(numbers)}?", ratio(sum(numbers), 5)


@over(Tuples(range(1, 60), 6))
def _median(numbers: tuple[int, ...]) -> Problem:
    middle = sorted(numbers)[2:4]
    return f"What is the median of {row(numbers)}?", ratio(sum(middle), 2)


@over(Tuples(range(1, 30), 4))
def _variance(numbers: tuple[int, ...]) -> Problem:
    question = f"What is the population variance of {row(numbers)}?"
    return question, ratio(4 * sum(n * n for n in numbers) - sum(numbers) ** 2, 16)


@over(Tuples(range(1, 60), 3), range(5, 60))
def _missing_mean(numbers: Trio, mean: int) -> Problem:
    question = f"The mean of {row(numbers)} and a fourth number is {mean}. What is the fourth number?"
    return question, str(4 * mean - sum(numbers))


@over(range(-50, 100), range(2, 30), range(10, 100), ("term", "sum"))
def _arithmetic_progression(start: int, step: int, place: int, asked: str) -> Problem:
    first = f"An arithmetic sequence begins {start}, {start + step}, {start + 2 * step}."
    if asked == "term":
        return f"{first} What is its term number {place}?", str(start + (place - 1) * step)
    return (
        f"{first} What is the sum of its first {place} terms?",
        str(place * (2 * start + (place - 1) * step) // 2),
    )


@over(range(1, 100), range(2, 6), range(4, 9))
def _geometric_sum(start: int, ratio_: int, count: int) -> Problem:
    question = (
        f"A geometric sequence begins {start}, {start * ratio_}. What is the sum of its first {count} terms?"
    )
    return question, str(start * (ratio_**count - 1) // (ratio_ - 1))


@over(range(1, 100), PROPER)
def _infinite_sum(start: int, factor: Fraction) -> Problem:
    question = f"What is the sum of the infinite geometric series with first term {start} and ratio {factor}?"
    return question, ratio(Fraction(start) / (1 - factor))


@over(range(1, 20), range(2, 6), range(-9, 20), range(3, 7))
def _recursion(start: int, factor: int, added: int, place: int) -> Problem:
    term = start
    for _ in range(place - 1):
        term = factor * term + added
    sign = "-" if added < 0 else "+"
    question = f"a(1) = {start} and a(n+1) = {factor} a(n) {sign} {abs(added)}. What is a({place})?"
    return question, str(term)


NUMBER_CATEGORIES = (
    Family("arithmetic", (_brackets, _fractions, _decimals, _powers)),
    Family("number_theory", (_gcd, _lcm, _power_remainder, _divisors, _largest_prime, _base)),
    Family("discrete_mathematics", (_committees, _rearrangements, _divisible_by_either, _lattice_paths)),
    Family("probability", (_dice, _balls, _independent, _given_colour)),
    Family("statistics", (_mean, _median, _variance, _missing_mean)),
    Family("sequences", (_arithmetic_progression, _geometric_sum, _infinite_sum, _recursion)),
)
