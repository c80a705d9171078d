"""Templates of questions with computed answers, and how many different questions each can ask.

A template is a function of a few free choices, each from a finite *space*: any sequence (a range, a tuple, a string)
or one of those below. Different choices give different questions, so the product of the lengths counts them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

T = TypeVar("T")
Problem = tuple[str, str]  # question, answer
_LISTED = 1 << 18  # spaces up to this size are drawn from as a permutation, larger ones with repeats left out
_BLOCK = 256


class _Space(Sequence[tuple[T, ...]]):
    """Ways to take `taken` of the items, by number."""

    def __init__(self, items: Sequence[T], taken: int) -> None:
        self.items, self.taken = tuple(items), taken

    def choose(self, index: int) -> tuple[T, ...]:
        """The way with that number."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> tuple[T, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[T, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[T, ...] | Sequence[tuple[T, ...]]:
        if isinstance(index, slice):
            return [self.choose(i) for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.choose(index)


class Tuples(_Space[T]):
    """`taken` items in order, repeats allowed: n**taken ways."""

    def __len__(self) -> int:
        return len(self.items) ** self.taken

    def choose(self, index: int) -> tuple[T, ...]:
        chosen = []
        for _ in range(self.taken):
            index, place = divmod(index, len(self.items))
            chosen.append(self.items[place])
        return tuple(chosen)


class Orders(_Space[T]):
    """`taken` different items in order: n!/(n − taken)! ways."""

    def __len__(self) -> int:
        return math.perm(len(self.items), self.taken)

    def choose(self, index: int) -> tuple[T, ...]:
        left, chosen = list(self.items), []
        for _ in range(self.taken):
            index, place = divmod(index, len(left))
            chosen.append(left.pop(place))
        return tuple(chosen)


class Subsets(_Space[T]):
    """`taken` different items, in the order of the items: n over taken ways."""

    def __len__(self) -> int:
        return math.comb(len(self.items), self.taken)

    def choose(self, index: int) -> tuple[T, ...]:
        chosen: list[T] = []
        for place, item in enumerate(self.items):
            wanted = self.taken - len(chosen)
            if not wanted:
                break
            with_item = math.comb(len(self.items) - place - 1, wanted - 1)
            if index < with_item:
                chosen.append(item)
            else:
                index -= with_item
        return tuple(chosen)


@dataclass(frozen=True)
class Template:
    """One form of question.

    write: question and answer for one choice from each space.
    """

    write: Callable[..., Problem]
    spaces: tuple[Sequence[Any], ...]

    @property
    def size(self) -> int:
        """How many questions it can ask."""
        return math.prod(map(len, self.spaces))

    def questions(self, random: np.random.Generator) -> Iterator[Problem]:
        """Its questions in random order.

        Of a small space each one once, and then it ends; of a large one without end, now and then one again.
        """
        sizes = np.array([len(space) for space in self.spaces], np.int64)
        if self.size <= _LISTED:
            for index in random.permutation(self.size).tolist():
                yield self._write(_digits(index, sizes.tolist()))
            return
        while True:
            for digits in random.integers(0, sizes, (_BLOCK, len(sizes))).tolist():
                yield self._write(digits)

    def _write(self, digits: Sequence[int]) -> Problem:
        return self.write(*(space[digit] for space, digit in zip(self.spaces, digits, strict=True)))


def over(*spaces: Sequence[Any]) -> Callable[[Callable[..., Problem]], Template]:
    """Make a function of one choice from each space a template."""
    return lambda write: Template(write, spaces)


@dataclass(frozen=True)
class Family:
    """Templates of one kind of question.

    templates: asked equally often while they last.
    answers: with few possible answers, their number; no answer is then given more often than 1 in `answers`,
      as far as the space has such questions. 0: as they come.
    """

    name: str
    templates: tuple[Template, ...]
    answers: int = 0

    @property
    def size(self) -> int:
        """How many questions it can ask."""
        return sum(template.size for template in self.templates)


def _digits(index: int, sizes: Sequence[int]) -> list[int]:
    """`index` in the mixed radix `sizes`."""
    digits = []
    for size in sizes:
        index, digit = divmod(index, size)
        digits.append(digit)
    return digits
