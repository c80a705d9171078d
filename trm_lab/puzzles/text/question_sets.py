"""Drawing questions from families into a training and a test split, and writing them as a dataset.

Example i of a split belongs to family i mod F, in the order of the dataset's facts; no question comes twice.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.build_command import BuildCommand
from trm_lab.commands.progress import track
from trm_lab.puzzles.categories import by_name
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.questions import Family, Problem
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import Examples, write_plain_dataset

PRINTABLE = "".join(map(chr, range(32, 127)))  # of every generated set, so that sets share a vocabulary
SCORER = "answer"
_PATIENCE = 200  # draws for each question before a rule (length, balance) counts as too strict
Splits = dict[str, list[Problem]]


@dataclass(frozen=True)
class Sizes:
    """How many questions, and how long."""

    train: int
    test: int
    question_length: int
    answer_length: int

    def fits(self, problem: Problem) -> bool:
        """Whether a question and its answer have room."""
        question, answer = problem
        return len(question) <= self.question_length and len(answer) <= self.answer_length


def choose(families: Sequence[Family], names: Sequence[str] | None, flag: str) -> list[Family]:
    """The families of these names, or all.

    Raises:
        UserError: an unknown or repeated name.
    """
    if names is None:
        return list(families)
    by_name = {family.name: family for family in families}
    for name in names:
        if name not in by_name or names.count(name) > 1:
            raise UserError(
                given=f"{flag} {name}" + (" twice" if name in by_name else ""),
                allowed=", ".join(by_name),
                remedy="name each one once, or leave the flag out for all of them",
            )
    return [by_name[name] for name in names]


def draw_question_set(
    kind: str, families: Sequence[Family], sizes: Sizes, seed: int
) -> tuple[Splits, dict[str, Any], dict[str, str]]:
    """Both splits, the families taking turns; the facts of the families; and the family of each question.

    kind: what the families are called in the facts.

    Raises:
        UserError: a family cannot ask that many different questions.
    """
    splits_by_family = draw_splits(families, sizes, seed)
    turns = {
        split: chain.from_iterable(zip_longest(*(splits[split] for splits in splits_by_family.values())))
        for split in ("train", "test")
    }
    facts = {
        kind: {
            family.name: {
                "train": len(splits_by_family[family.name]["train"]),
                "test": len(splits_by_family[family.name]["test"]),
                "questions_that_exist": family.size,
                "most_common_answer_share": answer_share([splits_by_family[family.name]["test"]]),
            }
            for family in families
        },
        "most_common_answer_share": answer_share([splits["test"] for splits in splits_by_family.values()]),
    }
    family_of = {
        question: name
        for name, splits in splits_by_family.items()
        for question, _ in chain.from_iterable(splits.values())
    }
    return {split: [problem for problem in problems if problem] for split, problems in turns.items()}, facts, family_of


def draw_splits(families: Sequence[Family], sizes: Sizes, seed: int) -> dict[str, Splits]:
    """Questions by family name and split.

    Raises:
        UserError: a family cannot ask that many different questions.
    """
    counts = {"test": _shares(sizes.test, len(families)), "train": _shares(sizes.train, len(families))}
    for family, *sizes_of_splits in zip(families, *counts.values(), strict=True):
        if sum(sizes_of_splits) > family.size:
            raise UserError(
                given=f"{sum(sizes_of_splits):,} different questions of the family {family.name}",
                allowed=f"at most {family.size:,}, which is how many exist",
                remedy="lower --train-size or --test-size, or choose families with more questions",
            )
    splits_by_family: dict[str, Splits] = {}
    used_questions: set[str] = set()
    for place, family in enumerate(track(families, "families")):
        stream = _QuestionStream(family, sizes, seed, used_questions)
        splits_by_family[family.name] = {split: stream.draw(shares[place]) for split, shares in counts.items()}
    return splits_by_family


def write_question_set(
    output: Path, about: About, splits: Mapping[str, Sequence[Problem]], tokens: TextTokens, sizes: Sizes,
    overwrite: bool, command: BuildCommand | None = None, by: str = "", category_of: Mapping[str, str] | None = None,
) -> dict[str, PuzzleMetadata]:  # fmt: skip
    """Write questions and masked answers; `about.facts` is filled up with what the scorer needs.

    category_of: the category of each question, if they are told apart.  by: what these are.
    """
    lengths = (sizes.question_length, sizes.answer_length)
    about.facts.update(tokens.facts(*lengths))
    examples = {}
    for split in ("train", "test"):
        questions, answers = zip(*splits[split], strict=True)
        examples[split] = Examples(*tokens.encode_pairs(questions, answers, *lengths))
    names = {split: [category_of[question] for question, _ in splits[split]] for split in splits if category_of}
    return write_plain_dataset(
        output, about, examples, vocab_size=tokens.vocab_size, overwrite=overwrite, command=command,
        categories=by_name(by, names) if names else None,
    )  # fmt: skip


def answer_share(groups: Sequence[Sequence[Problem]]) -> float:
    """The share that is right when each group's commonest answer is given to all of its questions."""
    hits = sum(max(Counter(answer for _, answer in group).values(), default=0) for group in groups)
    return round(hits / max(1, sum(map(len, groups))), 4)


def _shares(total: int, parts: int) -> list[int]:
    """`total` spread evenly, the first parts taking the remainder."""
    return [total // parts + (place < total % parts) for place in range(parts)]


class _QuestionStream:
    """A family's questions in random order, each once.

    used_questions: the questions of all families so far; extended.
    """

    def __init__(self, family: Family, sizes: Sizes, seed: int, used_questions: set[str]) -> None:
        random = numpy_generator(seed, f"questions/{family.name}")
        self._family, self._sizes, self._used_questions = family, sizes, used_questions
        self._streams = deque(template.questions(random) for template in family.templates)
        self._postponed: list[Problem] = []  # short enough, but their answer had come often enough

    def draw(self, count: int) -> list[Problem]:
        """`count` more questions, with the family's balance of answers where its space has it."""
        most = -(-count // self._family.answers) if self._family.answers else count
        answers: Counter[str] = Counter()
        chosen: list[Problem] = []
        earlier, self._postponed = deque(self._postponed), []
        candidates = self._candidates(earlier, count)
        while len(chosen) < count and (problem := next(candidates, None)) is not None:
            balanced = answers[problem[1]] < most
            answers[problem[1]] += balanced
            (chosen if balanced else self._postponed).append(problem)
        self._postponed += earlier
        missing = count - len(chosen)
        chosen += self._postponed[:missing]
        self._postponed = self._postponed[missing:]
        if len(chosen) < count:
            raise UserError(
                given=f"{count:,} more different questions of the family {self._family.name}",
                allowed=f"{len(chosen):,}: no others were found that are short enough",
                remedy="raise --max-question-length or --max-answer-length, or lower the sizes",
            )
        return chosen

    def _candidates(self, earlier: deque[Problem], count: int) -> Iterator[Problem]:
        """The postponed questions, taken out, then new ones, the templates taking turns; patience ends it."""
        while earlier:
            yield earlier.popleft()
        for _ in range(_PATIENCE * count + 10_000):
            if not self._streams:
                return
            stream = self._streams.popleft()
            problem = next(stream, None)
            if problem is None:
                continue
            self._streams.append(stream)
            if self._sizes.fits(problem) and problem[0] not in self._used_questions:
                self._used_questions.add(problem[0])
                yield problem
