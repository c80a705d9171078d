"""Templates of questions with computed answers, and how many different questions each can ask.

A template asks about a few free choices, each from a finite *space*: a range, a tuple, a string, or one of those below.
Different choices give different questions, so the product of the spaces' lengths counts them.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

T = TypeVar("T")
Problem = tuple[str, str]  # question, answer
_LISTED = 1 << 18  # spaces up to this size are drawn from as a permutation, larger ones with repeats left out
_BLOCK = 256  # choices drawn together from a large space


class Space(Protocol):
    """The ways to make one choice, by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class _Selections(Generic[T]):
    """The ways to select `count` of the items."""

    def __init__(self, items: Iterable[T], count: int) -> None:
        self.items, self.count = tuple(items), count

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[T, ...]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[T, ...]]:
        return map(self.__getitem__, range(len(self)))


class Tuples(_Selections[T]):
    """`count` items in order, repeats allowed: n**count ways."""

    def __len__(self) -> int:
        return len(self.items) ** self.count

    def __getitem__(self, index: int) -> tuple[T, ...]:
        return tuple(self.items[digit] for digit in _digits(index, [len(self.items)] * self.count))


class Orders(_Selections[T]):
    """`count` different items in order: n!/(n − count)! ways."""

    def __len__(self) -> int:
        return math.perm(len(self.items), self.count)

    def __getitem__(self, index: int) -> tuple[T, ...]:
        left = list(self.items)
        sizes = range(len(left), len(left) - self.count, -1)
        return tuple(left.pop(digit) for digit in _digits(index, sizes))


class Subsets(_Selections[T]):
    """`count` different items, in the order of the items: n over count ways."""

    def __len__(self) -> int:
        return math.comb(len(self.items), self.count)

    def __getitem__(self, index: int) -> tuple[T, ...]:
        selection: list[T] = []
        for place, item in enumerate(self.items):
            missing = self.count - len(selection)
            if not missing:
                break
            subsets_with_item = math.comb(len(self.items) - place - 1, missing - 1)
            if index < subsets_with_item:
                selection.append(item)
            else:
                index -= subsets_with_item
        return tuple(selection)


@dataclass(frozen=True)
class Template:
    """One form of question.

    spaces: what there is to choose from, by the name of the choice.
    write: question and answer for one choice from each space, passed by name.
    """

    spaces: dict[str, Space]
    write: Callable[..., Problem]

    @property
    def size(self) -> int:
        """How many questions it can ask."""
        return math.prod(map(len, self.spaces.values()))

    def questions(self, random: np.random.Generator) -> Iterator[Problem]:
        """Its questions in random order.

        Of a small space each question once, and then it ends; of a large one without end, now and then one again.
        """
        sizes = list(map(len, self.spaces.values()))
        if self.size <= _LISTED:
            for index in random.permutation(self.size).tolist():
                yield self.problem(_digits(index, sizes))
            return
        while True:
            for choice in random.integers(0, np.array(sizes, np.int64), (_BLOCK, len(sizes))).tolist():
                yield self.problem(choice)

    def problem(self, choice: Sequence[int]) -> Problem:
        """The question and answer for these numbers in the spaces."""
        return self.write(**{name: space[i] for (name, space), i in zip(self.spaces.items(), choice, strict=True)})


class over:  # noqa: N801 (reads as a word: over(a=range(9)).ask(…), @over(a=range(9)))
    """Templates over these spaces; as a decorator of a function that writes question and answer, or with `ask`."""

    def __init__(self, **spaces: Space) -> None:
        self._spaces = spaces

    def __call__(self, write: Callable[..., Problem]) -> Template:
        return Template(self._spaces, write)

    def ask(self, question: str, answer: Callable[..., object], **computed: Callable[..., object]) -> Template:
        """A question with names of choices in braces, and its answer as a function of choices, by their names.

        computed: further values by name, each a function of choices and of the values before it.
        """

        def write(**values: object) -> Problem:
            for name, function in computed.items():
                values[name] = _applied(function, values)
            return question.format(**values), str(_applied(answer, values))

        return self(write)


@dataclass(frozen=True)
class Family:
    """Templates of one kind of question.

    templates: used equally often while they last.
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


def _applied(function: Callable[..., object], values: dict[str, object]) -> object:
    """The function of the values that its parameters name."""
    return function(*(values[name] for name in _parameters(function)))


@cache
def _parameters(function: Callable[..., object]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _digits(index: int, sizes: Iterable[int]) -> list[int]:
    """`index` in the mixed radix `sizes`, the lowest digit first."""
    digits = []
    for size in sizes:
        index, digit = divmod(index, size)
        digits.append(digit)
    return digits
