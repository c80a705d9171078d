"""Answers to single examples that an evaluation kept: all of them, where `evaluate.py` made it, or the samples.

K examples, S supervision steps, L tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_files import unreadable
from trm_lab.runs.recorded_run import Run, Samples
from trm_lab.runs.recorded_scores import Scored
from trm_lab.runs.rollout_store import INDEX_FILE, TENSORS_FILE, RolloutStore

NUMBERED = (
    "example {}"  # the name of an example without an identity, counted from 1 over the whole evaluation
)


@dataclass(frozen=True)
class Answered:
    """Examples with what was answered to them.

    names: K.  task: `[K]`, which of the evaluation's tasks an example is of.  inputs: `[K, L]`.
    labels: `[K, L]`, IGNORE_LABEL where not scored.  preds: `[K, S, L]`, after each step.
    confidence: `[K, S]`.  margin: `[K, S, L]`, nan where not scored.  None where not kept.
    """

    names: list[str]
    task: NDArray[np.int64]
    inputs: NDArray[np.integer]
    labels: NDArray[np.int64]
    preds: NDArray[np.integer]
    confidence: NDArray[np.float64] | None = None
    margin: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> "Answered":
        """Some of the examples, in this order."""
        at = np.asarray(rows, np.int64)
        return Answered(
            [self.names[row] for row in rows], self.task[at], self.inputs[at], self.labels[at], self.preds[at],
            None if self.confidence is None else self.confidence[at],
            None if self.margin is None else self.margin[at],
        )  # fmt: skip

    def wrong_tokens(self) -> NDArray[np.bool_]:
        """`[K, S, L]`: where a prediction differs from a scored label."""
        labels = self.labels[:, None]
        return (self.preds != labels) & (labels != IGNORE_LABEL)

    def with_answer(self) -> NDArray[np.bool_]:
        """`[K]`: whether anything of an example is scored."""
        return (self.labels != IGNORE_LABEL).any(1)


@dataclass(frozen=True)
class StoredAnswers:
    """The answers that one evaluation of a run kept.

    source: the evaluation's folder in the run.  evaluation: its scores.  scored: the same with what `evaluate.py`
    found, where it made it.  samples: what training kept.
    """

    run: Run
    source: str
    evaluation: Evaluation
    scored: Scored | None
    samples: Samples | None

    @property
    def all_kept(self) -> bool:
        """Whether every example of the evaluation is here, or samples of them."""
        return self._store is not None and not self._by_samples

    @property
    def confidence_kind(self) -> str:
        """What `Answered.confidence` is, a key of `trm.supervision.CONFIDENCE_KINDS`."""
        if self.scored is not None and self.scored.confidence_kind is not None:
            return self.scored.confidence_kind
        return "halting_probability" if self.evaluation.method == "TRM" else "token_log_probability"

    @property
    def tasks(self) -> list[TaskScores]:
        """Of which dataset an example can be."""
        return self.evaluation.tasks

    @cached_property
    def _store(self) -> RolloutStore | None:
        return None if self.scored is None else RolloutStore.open(self.scored.folder)

    @property
    def _by_samples(self) -> bool:
        """Of ARC's augmented inputs, those that training kept: one of each task, and with its name."""
        return self.evaluation.is_arc and self.samples is not None

    def parts(self) -> Iterator[Answered]:
        """Everything that was kept, in file order, some examples at a time.

        Raises:
            UserError: a file is damaged.
        """
        store = self._store
        if store is None:
            assert self.samples is not None
            yield self._of_samples(self.samples)
        elif self._by_samples:
            assert self.samples is not None
            yield self._found_in(store, self._of_samples(self.samples))
        else:
            sets = list(store.sets)
            for made in store.answers():
                numbers = range(made.first + 1, made.first + 1 + len(made))
                yield _answered(made, [NUMBERED.format(n) for n in numbers], sets.index(made.set_name))

    def _of_samples(self, samples: Samples) -> Answered:
        ends = np.cumsum([task.examples for task in self.tasks])
        numbers = np.array([_number(name) for name in samples.names])
        return Answered(
            samples.names, np.searchsorted(ends, numbers), samples.inputs, samples.labels, samples.preds
        )

    def _found_in(self, store: RolloutStore, wanted: Answered) -> Answered:
        """The examples that the samples are of, as the store has them, with the names that it does not have."""
        places = {_key(wanted.inputs[row], wanted.labels[row]): row for row in range(len(wanted))}
        found: dict[int, Answered] = {}
        for made in store.answers():
            for row in range(len(made)):
                place = places.get(_key(made.inputs[row], made.labels[row]))
                if place is not None and place not in found:
                    found[place] = _answered(made, [""] * len(made), 0).take([row])
        if len(found) < len(wanted):
            return wanted
        return replace(joined([found[place] for place in range(len(wanted))]), names=wanted.names)


def stored_answers(run: Run, name: str | None = None) -> StoredAnswers:
    """The answers kept by one evaluation: of this name, else the newest, rather by `evaluate.py` than by training.

    name: of a folder in scored/ or evaluations/.

    Raises:
        UserError: there is no such evaluation, or none that kept answers.
    """
    known = {answers.source.split("/")[1]: answers for answers in _sources(run)}
    if name is not None:
        if name not in known:
            alone = any(one.name == name for one in run.scored)
            state = (
                f"of {name!r} scores alone, no answers" if alone else f"no evaluation {name!r} with answers"
            )
            raise _none(run, state, known)
        return known[name]
    usual = [one for one in known.values() if one.scored is None or one.scored.is_plain]
    if not known:
        raise _none(run, "no answers to show", known)
    return max(usual or list(known.values()), key=_preferred)


def _sources(run: Run) -> Iterator[StoredAnswers]:
    if run.samples is not None:
        yield StoredAnswers(run, run.source, run.evaluation, None, run.samples)
    for scored in run.scored:
        if (scored.folder / INDEX_FILE).is_file():
            yield StoredAnswers(run, f"scored/{scored.name}", scored.evaluation, scored, run.samples)


def _preferred(one: StoredAnswers) -> tuple[int, bool, bool]:
    scored = one.scored
    return one.evaluation.step, scored is not None, scored is not None and scored.margin is not None


def _none(run: Run, state: str, known: dict[str, StoredAnswers]) -> UserError:
    return UserError(
        f"run directory '{run.path}' holds {state}",
        " | ".join(known)
        or "evaluations/step_<n>/rollout_samples.npz, or what evaluate.py wrote into scored/",
        f"choose one of these, or make one: python evaluate.py {run.in_command} --margin",
    )


def _answered(made: Answers, names: list[str], task: int) -> Answered:
    """Answers of a store.

    Raises:
        UserError: arrays that do not belong together.
    """
    preds, margin = made.predictions, made.probes.get("margin")
    fit = made.labels.shape == made.inputs.shape == (len(preds), preds.shape[2])
    fit = fit and made.confidence.shape == preds.shape[:2] and len(made.network_calls) == preds.shape[1]
    if not fit or (margin is not None and margin.shape != preds.shape):
        raise unreadable(f"{TENSORS_FILE} has arrays that do not belong together")
    return Answered(
        names,
        np.full(len(made), task),
        made.inputs,
        made.labels.astype(np.int64),
        preds,
        made.confidence,
        None if margin is None else margin.astype(np.float64),
    )


def joined(parts: Sequence[Answered]) -> Answered:
    """Several parts, all with or all without confidence and margin, as one."""
    confidence = [part.confidence for part in parts if part.confidence is not None]
    margin = [part.margin for part in parts if part.margin is not None]
    return Answered(
        [name for part in parts for name in part.names],
        np.concatenate([part.task for part in parts]),
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.preds for part in parts]),
        np.concatenate(confidence) if confidence else None,
        np.concatenate(margin) if margin else None,
    )


def _number(name: str) -> int:
    """Of an example without an identity; 1 for others."""
    digits = name.removeprefix(NUMBERED.format(""))
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else 1


def _key(inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> bytes:
    return inputs.astype(np.int32).tobytes() + labels.astype(np.int32).tobytes()
