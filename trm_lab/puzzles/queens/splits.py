"""Drawing the questions of an n queens dataset, by the published protocol or with the splits kept apart.

S solutions, E examples, n side; tokens `[E, n·n]`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator, seed_for
from trm_lab.commands.progress import track
from trm_lab.puzzles.queens.boards import boards, completions
from trm_lab.puzzles.queens.reveal_order import placing_rounds
from trm_lab.puzzles.queens.tokens import QUEENS_QUEEN
from trm_lab.puzzles.square_symmetries import canonical, images
from trm_lab.puzzles.writer import Examples

PUBLISHED_SIDE, PUBLISHED_TRAIN, PUBLISHED_TEST = 8, 800, 200
_CANDIDATES = 1024  # drawn at once
_PATIENCE = 16 * _CANDIDATES  # candidates without a new question after which there is none to be expected


def given_queens(questions: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the given queens `[E]` of each question."""
    return (questions == QUEENS_QUEEN).sum(1)


def published_splits(
    columns: NDArray[np.int8], weights: NDArray[np.float64], seed: int, test_size: int = PUBLISHED_TEST
) -> dict[str, Examples]:
    """800 training questions in groups of 9, and 200 test questions, from one pool.

    For each of the 1000 a solution is drawn, a number of queens 0..7 and which ones stay, the latter two uniformly,
    and everything with replacement. A training group holds the question as drawn and then its eight images, of
    which the first is the question itself. The release does the same with generators of its own, so that its
    examples are others.

    Args:
        columns: `[S, n]` the solutions.
        weights: `[S]` the probability of each; the release's are `backtracking_weights`.
        test_size: the first 200 test questions are the same whatever it is; further ones are drawn alike.
    """
    generator = numpy_generator(seed, "queens, published")
    counts = PUBLISHED_TRAIN + PUBLISHED_TEST, max(0, test_size - PUBLISHED_TEST)
    drawn = [_published_draw(columns, weights, count, generator) for count in counts]
    questions, labels = (np.concatenate(parts)[: PUBLISHED_TRAIN + test_size] for parts in zip(*drawn, strict=True))
    train = slice(PUBLISHED_TRAIN)
    order = placing_rounds(PUBLISHED_SIDE, questions[train], labels[train])
    groups = [
        np.concatenate([_squares(tokens)[:, None], images(_squares(tokens))], axis=1)  # [800, 9, n, n]
        for tokens in (questions[train], labels[train], order)
    ]
    grouped, answers, orders = (group.reshape(-1, questions.shape[1]) for group in groups)
    sizes = np.full(PUBLISHED_TRAIN, groups[0].shape[1])
    return {
        "train": Examples(grouped, answers, sizes, orders),
        "test": Examples(questions[PUBLISHED_TRAIN:], labels[PUBLISHED_TRAIN:]),
    }


def _published_draw(
    columns: NDArray[np.int8], weights: NDArray[np.float64], count: int, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Questions with 0 to 7 given queens and their labels, `[count, 64]`."""
    drawn = columns[generator.choice(len(columns), count, p=weights)]
    given = generator.integers(0, PUBLISHED_SIDE, count)
    return boards(drawn, _some(count, PUBLISHED_SIDE, given, generator)), boards(drawn)


def with_images(questions: NDArray[np.uint8], labels: NDArray[np.uint8], num_aug: int) -> Examples:
    """Groups of each example and up to `num_aug` (0..7) of its images, all different."""
    pairs = np.concatenate([images(_squares(questions)), images(_squares(labels))], axis=2)  # [E, 8, 2n, n]
    pairs = pairs.reshape(len(questions), pairs.shape[1], -1)
    new_images = np.ones(pairs.shape[:2], bool)  # [E, 8]
    for image in range(1, new_images.shape[1]):
        new_images[:, image] = ~(pairs[:, :image] == pairs[:, image, None]).all(2).any(1)
    new_images &= new_images.cumsum(1) <= 1 + num_aug
    inputs, answers = np.split(pairs[new_images], 2, axis=1)
    order = images(_squares(placing_rounds(math.isqrt(labels.shape[1]), questions, labels)))  # [E, 8, n, n]
    return Examples(inputs, answers, new_images.sum(1), order[new_images].reshape(answers.shape))


@dataclass(frozen=True)
class Side:
    """One split's share of the solutions and of the questions.

    A question belongs to the split whose solutions complete it. One that solutions of both splits complete goes,
    with all of its images, to one of them by a coin that the seed tosses.

    name: "train" or "test".
    columns: `[S, n]` its solutions, with all of their images.
    others: `[·, n·n]` the boards of the other split's solutions.
    coin: 0 or 1, the side of the coin that it wins with.
    """

    name: str
    columns: NDArray[np.int8]
    others: NDArray[np.uint8]
    coin: int
    seed: int

    def draw(self, size: int, givens: range) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Questions and labels `[size, n·n]`, the numbers of given queens as even as the questions allow.

        No test question is an image of another; of training questions, which may have several answers, no pair of
        question and label is.

        Raises:
            UserError: there are too few.
        """
        generator = numpy_generator(self.seed, f"queens, {self.name}")
        seen: set[bytes] = set()
        parts: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        count, left = 0, list(givens)
        while count < size and left:
            quotas = np.full(len(left), (size - count) // len(left))
            quotas[generator.permutation(len(left))[: (size - count) % len(left)]] += 1
            plan = [(given, quota) for given, quota in zip(left, quotas.tolist(), strict=True) if quota]
            for given, quota in plan if parts else track(plan, f"{self.name} questions"):
                questions, labels = self._draw_given(given, quota, seen, generator)
                parts.append((questions, labels))
                count += len(questions)
                if len(questions) < quota:
                    left.remove(given)
        if count < size:
            raise UserError(
                given=f"{size} {self.name} questions, of which only {count} were found that differ by more "
                "than a turn or a mirror image",
                allowed=f"up to {count} with {givens[0]} to {givens[-1]} given queens",
                remedy=f"ask for fewer (--{self.name}-size), widen --min-given and --max-given, change "
                "--test-classes, or take a larger --size",
            )
        order = generator.permutation(size)
        return np.concatenate([q for q, _ in parts])[order], np.concatenate([a for _, a in parts])[order]

    def _draw_given(
        self, given: int, quota: int, seen: set[bytes], generator: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw up to `quota` new questions with `given` queens, and their labels."""
        side = self.columns.shape[1]
        questions, labels = [np.zeros((0, side * side), np.uint8)], [np.zeros((0, side * side), np.uint8)]
        missing, idle = quota, 0
        while missing and idle < _PATIENCE:
            drawn = self.columns[generator.integers(0, len(self.columns), _CANDIDATES)]
            staying = _some(_CANDIDATES, side, np.full(_CANDIDATES, given), generator)
            candidates, answers = boards(drawn, staying), boards(drawn)
            new = self._new(candidates, answers, seen)[:missing]
            idle = 0 if len(new) else idle + _CANDIDATES
            missing -= len(new)
            seen.update(self._keys(candidates[new], answers[new]))
            questions.append(candidates[new])
            labels.append(answers[new])
        return np.concatenate(questions), np.concatenate(labels)

    def _new(self, questions: NDArray[np.uint8], labels: NDArray[np.uint8], seen: set[bytes]) -> NDArray[np.intp]:
        """The places of candidates of this split that are neither in `seen` nor repeat an earlier one."""
        keys = self._keys(questions, labels)
        first = dict.fromkeys(keys, 0) | {key: place for place, key in reversed(list(enumerate(keys)))}
        fresh = np.array(sorted(place for key, place in first.items() if key not in seen), np.intp)
        return fresh[self._ours(questions[fresh])]

    def _ours(self, questions: NDArray[np.uint8]) -> NDArray[np.bool_]:
        ours = completions(questions, self.others) == 0
        shared = np.flatnonzero(~ours)
        for place, key in zip(shared, canonical(_squares(questions[shared])).tolist(), strict=True):
            ours[place] = seed_for(self.seed, "queens, coin", int.from_bytes(key)) % 2 == self.coin
        return ours

    def _keys(self, questions: NDArray[np.uint8], labels: NDArray[np.uint8]) -> list[bytes]:
        """A key for each example; examples that must not be drawn twice have the same."""
        pairs = labels + (questions == QUEENS_QUEEN)  # a given queen has a token of its own
        return canonical(_squares(questions if self.name == "test" else pairs)).tolist()


def _some(count: int, side: int, given: NDArray[np.integer], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Rows to keep `[count, side]`, `given[e]` of them in row e, each choice equally likely."""
    return generator.random((count, side)).argsort(1).argsort(1) < given[:, None]


def _squares(tokens: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[E, n·n]` as `[E, n, n]`."""
    side = round(tokens.shape[1] ** 0.5)
    return tokens.reshape(-1, side, side)
