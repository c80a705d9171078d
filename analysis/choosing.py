"""Which examples of an evaluation a picture shows, and how their answers were judged.

K examples, S supervision steps.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
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

_SUGGESTED = 4096  # names that an error may suggest


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
        questions = answered.inputs, answered.labels
        steps = range(answered.preds.shape[1])
        return np.stack([self._scorer(*questions, answered.preds[:, step])[SOLVED] for step in steps], axis=1)


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
    task = source.tasks[place] if source.tasks else None
    every_name: list[str] = []
    verdicts, with_answer = [], []
    judge = Judge(task)
    for part in _parts_of(source, place):
        _check_drawable(source, task, part)
        every_name += part.names
        verdicts.append(judge.solved(part))
        with_answer.append(part.with_answer())
    solved = np.concatenate(verdicts) if verdicts else np.zeros((0, 1), bool)
    judged = np.concatenate(with_answer) if with_answer else np.zeros(0, bool)
    members = {name: of(solved) & judged for name, of in KINDS.items()}
    counts = {"examples": int(judged.sum())} | {name: int(rows.sum()) for name, rows in members.items()}
    if names:
        wanted_names = {*names, *(NUMBERED.format(name) for name in names if name.isdecimal())}
        rows = [row for row, name in enumerate(every_name) if {name, name.partition("|||")[0]} & wanted_names]
        rule = "Shown are the examples that were asked for."
    elif kind:
        rows = np.flatnonzero(members[kind])[:most].tolist()
        of = f"{counts[kind]:,} {KIND_WORDS[kind]}"
        rule = f"{_shown_first(len(rows))} in file order of {of}."
    elif halves:
        places = np.flatnonzero(judged)
        rows = places[half_and_half(solved[places, -1], most)].tolist()
        rule = f"{_of_two_kinds(int(solved[rows, -1].sum()), len(rows))} {CHOICE}"
    else:
        first = {row for of in members.values() for row in np.flatnonzero(of)[:of_each_kind].tolist()}
        others = [row for row in np.flatnonzero(judged).tolist() if row not in first]
        rows = sorted([*first, *others[: most - len(first)]])
        rule = f"{_shown_first(len(rows))} in file order."
        if of_each_kind and len(rows) < counts["examples"]:
            order = f"the first {of_each_kind} of each kind, and the first others"
            rule = f"Shown are {len(rows)} in file order: {order}."
    if not rows:
        raise _nothing(source, names, kind, every_name, counts)
    return Chosen(source, task, _taken(source, place, rows), solved[rows], counts, rule)


def _parts_of(source: StoredAnswers, place: int) -> Iterator[Answered]:
    """The answers to one dataset, part by part."""
    for part in source.parts():
        rows = np.flatnonzero(part.task == place).tolist()
        if rows:
            yield part.take(rows)


def _taken(source: StoredAnswers, place: int, rows: Sequence[int]) -> Answered:
    """The answers in these rows of a dataset, in this order."""
    in_file_order = sorted(rows)
    start, parts = 0, []
    for part in _parts_of(source, place):
        of_part = [row - start for row in in_file_order if start <= row < start + len(part)]
        if of_part:
            parts.append(part.take(of_part))
        start += len(part)
        if start > in_file_order[-1]:
            break
    return joined(parts).take([in_file_order.index(row) for row in rows])


def _nothing(
    source: StoredAnswers, names: Sequence[str], kind: str | None, every_name: list[str], counts: dict[str, int]
) -> UserError:
    if names:
        near = difflib.get_close_matches(names[0], every_name[:_SUGGESTED], n=3, cutoff=0.4) or every_name[:3]
        requested = dict.fromkeys(name.removeprefix(NUMBERED.format("")) for name in names)
        return UserError(
            f"no example {' or '.join(requested)} in {source.source}",
            f"names such as {', '.join(near)}",
            "give names or numbers of examples that were kept",
        )
    return UserError(
        f"no example that is {KIND_WORDS[kind] if kind else 'answered'} in {source.source}",
        ", ".join(f"{name}: {counts[name]:,}" for name in KINDS),
        "choose another kind, or evaluate another checkpoint",
    )


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


def half_and_half(solved: Bools, most: int) -> list[int]:
    """Which of K examples to show: half of them solved, half not, each the first of its kind, the solved ones first.

    Where there are too few of one kind the other fills up. The rule looks at nothing but `solved` `[K]`.
    """
    those, others = np.flatnonzero(solved).tolist(), np.flatnonzero(~solved).tolist()
    from_others = min(len(others), max(most // 2, most - len(those)))
    return those[: most - from_others] + others[:from_others]


def _shown_first(count: int) -> str:
    return "Shown is the first" if count == 1 else f"Shown are the first {count}"


def _of_two_kinds(solved: int, shown: int) -> str:
    """The order of `half_and_half`, in words."""
    kinds = [(kind, count) for kind, count in (("solved", solved), ("unsolved", shown - solved)) if count]
    parts = [f"the first {kind} one" if count == 1 else f"the first {count} {kind} ones" for kind, count in kinds]
    are, each = ("is" if kinds[:1] and kinds[0][1] == 1 else "are"), (", each" if shown > len(kinds) else "")
    return f"Shown {are} {', then '.join(parts)}{each} in file order."


def _about(task: TaskScores) -> About:
    return About(task.dataset, task.version, task.protocol, task.scorer, task.facts)


def _task_number(source: StoredAnswers, dataset: str) -> int:
    names = [task.dataset for task in source.tasks]
    if dataset not in names:
        raise UserError(f"no dataset {dataset!r} in {source.source}", " | ".join(names), "choose one of these")
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
