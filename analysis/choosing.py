"""Which examples of an evaluation a picture shows, and how their answers were judged.

K examples, S supervision steps.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.drawing.arc_pictures import ArcPicture
from analysis.drawing.pictures import Picture
from analysis.drawing.puzzle_pictures import picture_of
from analysis.reading.evaluations import NEEDS_LIBRARY, TaskScores
from analysis.reading.stored_answers import NUMBERED, Answered, StoredAnswers, joined
from trm.errors import UserError
from trm.evaluation.scorers.base import SOLVED
from trm.evaluation.scorers.registry import scorer_of
from trm.puzzles.manifest import About

Bools = NDArray[np.bool_]

KINDS: dict[str, Callable[[Bools], Bools]] = {
    "solved": lambda solved: solved[:, -1],
    "unsolved": lambda solved: ~solved[:, -1],
    "fixed-late": lambda solved: ~solved[:, 0] & solved[:, -1],
    "broken-late": lambda solved: solved[:, :-1].any(1) & ~solved[:, -1],
}
"""What became of examples, from whether each is solved after each step, `[K, S]` → `[K]`."""

KIND_WORDS = {
    "solved": "solved after the last step",
    "unsolved": "not solved after the last step",
    "fixed-late": "not solved after the first step and solved after the last",
    "broken-late": "solved after some step and not after the last",
}

CHOICE = "half of them solved where there are enough: a choice for the eye, not a score."


@dataclass(frozen=True)
class Chosen:
    """The examples to show.

    source: where they are from.  task: what their dataset says of itself, where it does.  solved: `[K, S]`, whether
    each answer is.  counts: of all the dataset's examples, how many are of each kind, and `examples`, how many were
    judged.  rule: how these were chosen, in words.
    """

    source: StoredAnswers
    task: TaskScores | None
    answered: Answered
    solved: Bools
    counts: dict[str, int]
    rule: str


class Judge:
    """Says which answers are solved: as the dataset's own scorer does; where it has none, those equal to the label.

    A scorer that needs a library counts as none: the library need not be where pictures are made.
    """

    def __init__(self, task: TaskScores | None) -> None:
        usable = task is not None and task.scorer not in ("", NEEDS_LIBRARY)
        self._scorer = scorer_of(_about(task)) if task is not None and usable else None

    @property
    def by_scorer(self) -> bool:
        """Whether the dataset's own scorer judges."""
        return self._scorer is not None

    def solved(self, answered: Answered) -> Bools:
        """`[K, S]`, of examples of this dataset."""
        if self._scorer is None:
            return ~answered.wrong_tokens().any(-1) & answered.with_answer()[:, None]
        given = answered.inputs, answered.labels
        steps = range(answered.preds.shape[1])
        return np.stack([self._scorer(*given, answered.preds[:, step])[SOLVED] for step in steps], axis=1)


def choose(
    source: StoredAnswers,
    most: int,
    *,
    names: Sequence[str] = (),
    kind: str | None = None,
    dataset: str | None = None,
    halves: bool = False,
) -> Chosen:
    """Look all answers to one dataset through and take at most `most`, in file order.

    names: these and no others; a number is short for "example <number>".  kind: of `KINDS`.
    dataset: its name; None: the first one.
    halves: without names and kind, half of them solved and half not, where there are enough: solved ones first.

    Raises:
        UserError: nothing is of this name, kind or dataset, or what is chosen cannot be drawn.
    """
    place = 0 if dataset is None else _task_number(source, dataset)
    wanted = [*names, *(NUMBERED.format(name) for name in names if name.isdecimal())]
    sieve = _Sieve(most, wanted, kind, halves and not names and kind is None)
    task = source.tasks[place] if source.tasks else None
    judge = Judge(task)
    for part in source.parts():
        rows = np.flatnonzero(part.task == place).tolist()
        if rows:
            of_task = part.take(rows)
            _check_drawable(source, task, of_task)
            sieve.add(of_task, judge.solved(of_task))
    return sieve.result(source, task)


def picture_for(source: StoredAnswers, task: TaskScores | None) -> Picture:
    """What draws the examples of a dataset.

    Raises:
        UserError: nothing does.
    """
    if source.evaluation.is_arc:
        return ArcPicture()
    try:
        picture = None if task is None else picture_of(task.scorer, task.facts)
    except (KeyError, TypeError, ValueError):
        picture = None
    if picture is None:
        name = "a dataset without a manifest" if task is None else task.title
        raise UserError(
            f"examples of {name}, of which there is no picture",
            "ARC, or a dataset with a scorer of its own",
            "build the dataset with one of this version's builders, and train on it",
        )
    return picture


class _Sieve:
    """Collects the first examples that are wanted, and counts them all."""

    def __init__(self, most: int, names: Sequence[str], kind: str | None, halves: bool) -> None:
        self._most, self._names, self._kind, self._halves = most, names, kind, halves
        self._counts = dict.fromkeys(("examples", *KINDS), 0)
        self._kept: list[tuple[Answered, Bools]] = []
        self._known: list[str] = []
        self._taken = dict.fromkeys((True, False), 0)

    def add(self, part: Answered, solved: Bools) -> None:
        """Look a part through; solved: `[K, S]`."""
        judged = part.with_answer()
        kinds = {kind: of(solved) & judged for kind, of in KINDS.items()}
        self._counts["examples"] += int(judged.sum())
        for kind, members in kinds.items():
            self._counts[kind] += int(members.sum())
        wanted = kinds[self._kind] if self._kind else judged
        if self._names:
            wanted = np.array([_called(name, self._names) for name in part.names])
            self._known += part.names[:_SUGGESTED]
        self._keep(part, solved, np.flatnonzero(wanted).tolist())

    def _keep(self, part: Answered, solved: Bools, rows: Sequence[int]) -> None:
        taken = []
        for row in rows:
            half = bool(solved[row, -1]) if self._halves else True
            if self._names or self._taken[half] < self._most:
                self._taken[half] += 1
                taken.append(row)
        if taken:
            self._kept.append((part.take(taken), solved[taken]))

    def result(self, source: StoredAnswers, task: TaskScores | None) -> Chosen:
        """What was found."""
        if not self._kept:
            raise self._nothing(source)
        answered = joined([part for part, _ in self._kept])
        solved = np.concatenate([verdicts for _, verdicts in self._kept])
        rows = half_and_half(solved[:, -1], self._most) if self._halves else list(range(len(answered)))
        return Chosen(source, task, answered.take(rows), solved[rows], self._counts, self._rule(len(rows)))

    def _rule(self, shown: int) -> str:
        if self._names:
            return "Shown are the examples that were asked for."
        if self._halves:
            return f"Shown are {shown} in file order, {CHOICE}"
        if self._kind:
            of = f"{self._counts[self._kind]:,} that are {KIND_WORDS[self._kind]}"
            return f"Shown are the first {shown} in file order of {of}."
        return f"Shown are the first {shown} in file order."

    def _nothing(self, source: StoredAnswers) -> UserError:
        if self._names:
            near = difflib.get_close_matches(self._names[0], self._known, n=3, cutoff=0.4)
            return UserError(
                f"no example {' or '.join(self._names)} in {source.source}",
                f"names such as {', '.join(near or self._known[:3])}",
                "give names or numbers of examples that were kept",
            )
        counts = ", ".join(f"{kind}: {self._counts[kind]:,}" for kind in KINDS)
        return UserError(
            f"no example that is {KIND_WORDS[self._kind]} in {source.source}" if self._kind else "no example",
            counts,
            "choose another kind, or evaluate another checkpoint",
        )


_SUGGESTED = 64  # names of each part that an error may suggest


def half_and_half(solved: Bools, most: int) -> list[int]:
    """Which of K examples to show: half of them solved, half not, each the first of its kind, the solved ones first.

    Where one kind is short the other fills up. The rule looks at nothing but `solved` `[K]`.
    """
    those, others = np.flatnonzero(solved).tolist(), np.flatnonzero(~solved).tolist()
    from_others = min(len(others), max(most // 2, most - len(those)))
    return those[: most - from_others] + others[:from_others]


def _about(task: TaskScores) -> About:
    return About(task.dataset, task.version, task.protocol, task.scorer, task.facts)


def _called(name: str, wanted: Sequence[str]) -> bool:
    """Whether an example, or the task that it is an augmentation of, is among those wanted."""
    return name in wanted or name.partition("|||")[0] in wanted


def _task_number(source: StoredAnswers, dataset: str) -> int:
    names = [task.dataset for task in source.tasks]
    if dataset not in names:
        raise UserError(
            f"no dataset {dataset!r} in {source.source}", " | ".join(names), "choose one of these"
        )
    return names.index(dataset)


def _check_drawable(source: StoredAnswers, task: TaskScores | None, part: Answered) -> None:
    """UserError unless there is a picture of the dataset, for so many tokens."""
    tokens = part.inputs.shape[1]
    if not picture_for(source, task).fits(tokens):
        raise UserError(
            f"examples of {tokens} tokens in {source.source}, which are no puzzles of their dataset",
            "the files as this version's trainer and evaluation write them",
            "evaluate the run again with evaluate.py",
        )
