"""Drawing questions from families into a training and a test split, and writing them as a dataset.

Example i of a split belongs to family i mod F, in the order of the dataset's facts; no question comes twice.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.build_command import BuildCommand
from trm_lab.commands.progress import track
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.question_families import Family, Problem
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import Examples, write_plain_dataset

PRINTABLE = "".join(map(chr, range(32, 127)))  # of every generated set, so that sets share a vocabulary
SCORER = "answer"
_PATIENCE = 200  # draws for each question wanted before a rule (length, balance) is found too strict
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
    known = {family.name: family for family in families}
    for name in names:
        if name not in known or names.count(name) > 1:
            raise UserError(
                given=f"{flag} {name}" + (" twice" if name in known else ""),
                allowed=", ".join(known),
                remedy="name each one once, or leave the flag out for all of them",
            )
    return [known[name] for name in names]


def draw_splits(families: Sequence[Family], sizes: Sizes, seed: int) -> dict[str, Splits]:
    """Questions by family name and split.

    Raises:
        UserError: a family cannot ask that many different questions.
    """
    wanted = {"test": _shares(sizes.test, len(families)), "train": _shares(sizes.train, len(families))}
    for place, family in enumerate(families):
        count = wanted["test"][place] + wanted["train"][place]
        if count > family.size:
            raise UserError(
                given=f"{count:,} different questions of the family {family.name}",
                allowed=f"at most {family.size:,}, which is how many exist",
                remedy="lower --train-size or --test-size, or choose families with more questions",
            )
    drawn: dict[str, Splits] = {}
    seen: set[str] = set()
    for place, family in enumerate(track(families, "families")):
        random = numpy_generator(seed, f"questions/{family.name}")
        source = _Source(family, random, sizes.fits, seen)
        drawn[family.name] = {split: source.draw(counts[place]) for split, counts in wanted.items()}
    return drawn


def write_question_set(
    output: Path, about: About, splits: Mapping[str, Sequence[Problem]], tokens: TextTokens, sizes: Sizes,
    overwrite: bool, command: BuildCommand | None = None,
) -> dict[str, PuzzleMetadata]:  # fmt: skip
    """Write questions and masked answers; `about.facts` is filled up with what the scorer needs."""
    lengths = (sizes.question_length, sizes.answer_length)
    about.facts.update(tokens.facts(*lengths))
    examples = {}
    for split in ("train", "test"):
        questions, answers = ([problem[part] for problem in splits[split]] for part in (0, 1))
        examples[split] = Examples(*tokens.encode_pairs(questions, answers, *lengths))
    return write_plain_dataset(
        output, about, examples, vocab_size=tokens.vocab_size, overwrite=overwrite, command=command
    )


def interleaved(drawn: Mapping[str, Splits], split: str) -> list[Problem]:
    """One split's questions, the families taking turns."""
    rows = [family[split] for family in drawn.values()]
    longest = max(map(len, rows))
    return [row[turn] for turn in range(longest) for row in rows if turn < len(row)]


def family_facts(kind: str, families: Sequence[Family], drawn: Mapping[str, Splits]) -> dict[str, Any]:
    """For each family its counts and what always giving its commonest answer would score on its test questions.

    kind: what the families are called in the facts.
    """
    facts: dict[str, Any] = {}
    for family in families:
        splits = drawn[family.name]
        facts[family.name] = {
            "train": len(splits["train"]),
            "test": len(splits["test"]),
            "questions_that_exist": family.size,
            "most_common_answer_share": answer_share([splits["test"]]),
        }
    share = answer_share([splits["test"] for splits in drawn.values()])
    return {kind: facts, "most_common_answer_share": share}


def answer_share(groups: Sequence[Sequence[Problem]]) -> float:
    """The share that is right when each group's commonest answer is given to all of its questions."""
    hits = sum(max(Counter(answer for _, answer in group).values(), default=0) for group in groups)
    return round(hits / max(1, sum(map(len, groups))), 4)


def _shares(total: int, parts: int) -> list[int]:
    """`total` spread evenly, the first parts taking the remainder."""
    return [total // parts + (place < total % parts) for place in range(parts)]


class _Source:
    """A family's questions in random order, each once."""

    def __init__(
        self, family: Family, random: np.random.Generator, fits: Callable[[Problem], bool], seen: set[str]
    ) -> None:
        self._family, self._fits, self._seen = family, fits, seen
        self._streams = deque(template.questions(random) for template in family.templates)
        self._waiting: list[Problem] = []  # fit, but their answer had been given often enough

    def draw(self, count: int) -> list[Problem]:
        """`count` more questions, with the family's balance of answers where its space has it."""
        most = -(-count // self._family.answers) if self._family.answers else count
        given: Counter[str] = Counter()
        chosen: list[Problem] = []
        kept, self._waiting = deque(self._waiting), []
        candidates = self._candidates(kept, count)
        while len(chosen) < count and (problem := next(candidates, None)) is not None:
            free = given[problem[1]] < most
            given[problem[1]] += free
            (chosen if free else self._waiting).append(problem)
        self._waiting += kept
        lacking = count - len(chosen)
        chosen += self._waiting[:lacking]
        self._waiting = self._waiting[lacking:]
        if len(chosen) < count:
            raise UserError(
                given=f"{count:,} more different questions of the family {self._family.name}",
                allowed=f"{len(chosen):,}: no others were found that are short enough",
                remedy="raise --max-question-length or --max-answer-length, or lower the sizes",
            )
        return chosen

    def _candidates(self, kept: deque[Problem], count: int) -> Iterator[Problem]:
        """What was kept, taken out, then new questions that fit, the templates taking turns; patience ends it."""
        while kept:
            yield kept.popleft()
        for _ in range(_PATIENCE * count + 10_000):
            if not self._streams:
                return
            stream = self._streams.popleft()
            problem = next(stream, None)
            if problem is None:
                continue
            self._streams.append(stream)
            if self._fits(problem) and problem[0] not in self._seen:
                self._seen.add(problem[0])
                yield problem
