"""Which examples of an evaluation a picture shows, and how their answers were judged.

K examples, S supervision steps.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.puzzles.arc.picture import ArcPicture
from trm_lab.puzzles.kinds import picture_of, scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.picture import Picture
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import NEEDS_LIBRARY, TaskScores
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.stored_answers import NUMBERED, Answered, StoredAnswers, joined

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

CHOICE = "Half are solved where there are enough: a choice for the eye, not a score."

_SUGGESTED = 64  # names of each part that an error may suggest


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
    of_each_kind: int = 0,
) -> Chosen:
    """Look all answers to one dataset through and take at most `most`, in file order unless `halves` is set.

    names: these and no others; a number is short for "example <number>".  kind: of `KINDS`.
    dataset: its name; None: the first one.
    halves: without names and kind, half of them solved and half not, where there are enough: solved ones first.
    of_each_kind: so many of each kind, where there are, before others are taken.

    Raises:
        UserError: nothing is of this name, kind or dataset, or what is chosen cannot be drawn.
    """
    place = 0 if dataset is None else _task_number(source, dataset)
    wanted = [*names, *(NUMBERED.format(name) for name in names if name.isdecimal())]
    rule = _Rule(most, wanted, kind, halves and not names and kind is None, of_each_kind)
    sieve = _Sieve(rule)
    task = source.tasks[place] if source.tasks else None
    judge = Judge(task)
    for part in source.parts():
        rows = np.flatnonzero(part.task == place).tolist()
        if rows:
            of_task = part.take(rows)
            _check_drawable(source, task, of_task)
            sieve.add(of_task, judge.solved(of_task))
    return sieve.result(source, task)


def can_be_drawn(run: Run) -> bool:
    """Whether the first dataset of the run, which stored samples are of, has a picture; of puzzles other than ARC."""
    tasks = run.evaluation.tasks
    return bool(tasks) and picture_of(tasks[0].scorer, tasks[0].facts) is not None


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


@dataclass(frozen=True)
class _Rule:
    """See `choose`."""

    most: int
    names: Sequence[str]
    kind: str | None
    halves: bool
    of_each_kind: int

    def rows(self, solved: Bools) -> list[int]:
        """Which of the examples that were kept to show, in this order; solved: `[K, S]`."""
        if self.halves:
            return half_and_half(solved[:, -1], self.most)
        if not self.of_each_kind:
            return list(range(len(solved)))
        first = {
            row for of in KINDS.values() for row in np.flatnonzero(of(solved))[: self.of_each_kind].tolist()
        }
        others = [row for row in range(len(solved)) if row not in first]
        return sorted([*first, *others[: self.most - len(first)]])

    def words(self, solved: Bools, counts: dict[str, int]) -> str:
        """For a caption; solved: `[K, S]`, of the examples that are shown."""
        shown = len(solved)
        if self.names:
            return "Shown are the examples that were asked for."
        if self.halves:
            return f"{_of_two_kinds(int(solved[:, -1].sum()), shown)} {CHOICE}"
        if self.kind:
            of = f"{counts[self.kind]:,} that are {KIND_WORDS[self.kind]}"
            return f"Shown are the first {shown} in file order of {of}."
        if shown < counts["examples"] and self.of_each_kind:
            return f"Shown are {shown} in file order: the first {self.of_each_kind} of each kind, and the first others."
        return f"Shown are the first {shown} in file order."


class _Sieve:
    """Collects the first examples that are wanted, and counts them all."""

    def __init__(self, rule: _Rule) -> None:
        self._rule = rule
        self._counts = dict.fromkeys(("examples", *KINDS), 0)
        self._kept: list[tuple[Answered, Bools]] = []
        self._known: list[str] = []
        self._taken = dict.fromkeys(("any", *KINDS), 0)

    def add(self, part: Answered, solved: Bools) -> None:
        """Look a part through; solved: `[K, S]`."""
        judged = part.with_answer()
        kinds = {kind: of(solved) & judged for kind, of in KINDS.items()}
        self._counts["examples"] += int(judged.sum())
        for kind, members in kinds.items():
            self._counts[kind] += int(members.sum())
        wanted = kinds[self._rule.kind] if self._rule.kind else judged
        if self._rule.names:
            wanted = np.array([_called(name, self._rule.names) for name in part.names])
            self._known += part.names[:_SUGGESTED]
        taken = [row for row in np.flatnonzero(wanted).tolist() if self._takes(row, kinds)]
        if taken:
            self._kept.append((part.take(taken), solved[taken]))

    def _takes(self, row: int, kinds: dict[str, Bools]) -> bool:
        """Whether there is still room for an example."""
        rule, own = self._rule, [kind for kind, members in kinds.items() if members[row]]
        room = self._taken["any"] < rule.most
        if rule.halves:
            room = any(self._taken[kind] < rule.most for kind in own if kind in ("solved", "unsolved"))
        wanted = bool(rule.names) or room or any(self._taken[kind] < rule.of_each_kind for kind in own)
        if wanted:
            for kind in ("any", *own):
                self._taken[kind] += 1
        return wanted

    def result(self, source: StoredAnswers, task: TaskScores | None) -> Chosen:
        """What was found."""
        if not self._kept:
            raise self._nothing(source)
        answered = joined([part for part, _ in self._kept])
        solved = np.concatenate([verdicts for _, verdicts in self._kept])
        rows = self._rule.rows(solved)
        words = self._rule.words(solved[rows], self._counts)
        return Chosen(source, task, answered.take(rows), solved[rows], self._counts, words)

    def _nothing(self, source: StoredAnswers) -> UserError:
        names, kind = self._rule.names, self._rule.kind
        if names:
            near = difflib.get_close_matches(names[0], self._known, n=3, cutoff=0.4)
            asked = dict.fromkeys(name.removeprefix(NUMBERED.format("")) for name in names)
            return UserError(
                f"no example {' or '.join(asked)} in {source.source}",
                f"names such as {', '.join(near or self._known[:3])}",
                "give names or numbers of examples that were kept",
            )
        return UserError(
            f"no example that is {KIND_WORDS[kind] if kind else 'known'} in {source.source}",
            ", ".join(f"{name}: {self._counts[name]:,}" for name in KINDS),
            "choose another kind, or evaluate another checkpoint",
        )


def half_and_half(solved: Bools, most: int) -> list[int]:
    """Which of K examples to show: half of them solved, half not, each the first of its kind, the solved ones first.

    Where one kind is short the other fills up. The rule looks at nothing but `solved` `[K]`.
    """
    those, others = np.flatnonzero(solved).tolist(), np.flatnonzero(~solved).tolist()
    from_others = min(len(others), max(most // 2, most - len(those)))
    return those[: most - from_others] + others[:from_others]


def _of_two_kinds(solved: int, shown: int) -> str:
    """The order of `half_and_half`, in words."""
    kinds = (("solved", solved), ("unsolved", shown - solved))
    parts = [f"the first {count} that are {kind}" for kind, count in kinds if count]
    return f"Shown are {', then '.join(parts)}, each in file order."


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
