"""Answers to single examples that an evaluation kept: all of them, if it is by `evaluate.py`, or samples.

K examples, S supervision steps, L tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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

NUMBERED = "example {}"  # the name of an example without an identity, counted from 1 over the whole evaluation


@dataclass(frozen=True)
class Answered:
    """Examples with the answers to them.

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
        arrays = {name: array[np.asarray(rows, np.int64)] for name, array in self._arrays().items()}
        return replace(self, names=[self.names[row] for row in rows], **arrays)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

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

    source: the evaluation's folder in the run.  evaluation: its scores.  scored: the evaluation by `evaluate.py`, if
    it is one.  samples: that training kept.
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
        """The meaning of `Answered.confidence`, a key of `trm.supervision.CONFIDENCE_KINDS`."""
        if self.scored is not None and self.scored.confidence_kind is not None:
            return self.scored.confidence_kind
        return "halting_probability" if self.evaluation.method == "TRM" else "token_log_probability"

    @property
    def tasks(self) -> list[TaskScores]:
        """The datasets that an example can be of."""
        return self.evaluation.tasks

    @cached_property
    def _store(self) -> RolloutStore | None:
        return None if self.scored is None else RolloutStore.open(self.scored.folder)

    @property
    def _by_samples(self) -> bool:
        """Whether to show, of ARC's augmented inputs, those that training kept: one of each task, with its name."""
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
            yield self._stored(store, self._of_samples(self.samples))
        else:
            sets = list(store.sets)
            for answers in store.answers():
                numbers = range(answers.first + 1, answers.first + 1 + len(answers))
                yield _answered(answers, [NUMBERED.format(n) for n in numbers], sets.index(answers.set_name))

    def _of_samples(self, samples: Samples) -> Answered:
        ends = np.cumsum([task.examples for task in self.tasks])
        numbers = np.array([_number(name) for name in samples.names])
        return Answered(samples.names, np.searchsorted(ends, numbers), samples.inputs, samples.labels, samples.preds)

    def _stored(self, store: RolloutStore, samples: Answered) -> Answered:
        """The stored answers to the examples of the samples, whose names the store does not have."""
        places = {_key(samples.inputs[row], samples.labels[row]): row for row in range(len(samples))}
        stored: dict[int, Answered] = {}
        for answers in store.answers():
            for row in range(len(answers)):
                place = places.get(_key(answers.inputs[row], answers.labels[row]))
                if place is not None and place not in stored:
                    stored[place] = _answered(answers, [""] * len(answers), 0).take([row])
        if len(stored) < len(samples):
            return samples
        return replace(joined([stored[place] for place in range(len(samples))]), names=samples.names)


def stored_answers(run: Run, name: str | None = None) -> StoredAnswers:
    """The answers kept by one evaluation: of this name, else the newest, rather by `evaluate.py` than by training.

    name: of a folder in scored/ or evaluations/.

    Raises:
        UserError: there is no such evaluation, or none that kept answers.
    """
    by_name = {answers.source.split("/")[1]: answers for answers in _sources(run)}
    if name in by_name:
        return by_name[name]
    if name is not None:
        without = any(scored.name == name for scored in run.scored)
        state = f"of {name!r} scores alone, no answers" if without else f"no evaluation {name!r} with answers"
        raise _none(run, state, by_name)
    if not by_name:
        raise _none(run, "no answers to show", by_name)
    usual = [one for one in by_name.values() if one.scored is None or one.scored.is_plain]
    return max(usual or list(by_name.values()), key=_preferred)


def _sources(run: Run) -> Iterator[StoredAnswers]:
    if run.samples is not None:
        yield StoredAnswers(run, run.source, run.evaluation, None, run.samples)
    for scored in run.scored:
        if (scored.folder / INDEX_FILE).is_file():
            yield StoredAnswers(run, f"scored/{scored.name}", scored.evaluation, scored, run.samples)


def _preferred(one: StoredAnswers) -> tuple[int, bool, bool]:
    scored = one.scored
    return one.evaluation.step, scored is not None, scored is not None and scored.margin is not None


def _none(run: Run, state: str, by_name: dict[str, StoredAnswers]) -> UserError:
    return UserError(
        f"run directory '{run.path}' holds {state}",
        " | ".join(by_name) or "evaluations/step_<n>/rollout_samples.npz, or what evaluate.py wrote into scored/",
        f"choose one of these, or make one: python evaluate.py {run.in_command} --margin",
    )


def _answered(answers: Answers, names: list[str], task: int) -> Answered:
    """Answers of a store.

    Raises:
        UserError: arrays that do not belong together.
    """
    preds, margin = answers.predictions, answers.probes.get("margin")
    fit = answers.labels.shape == answers.inputs.shape == (len(preds), preds.shape[2])
    fit = fit and answers.confidence.shape == preds.shape[:2] and len(answers.network_calls) == preds.shape[1]
    if not fit or (margin is not None and margin.shape != preds.shape):
        raise unreadable(f"{TENSORS_FILE} has arrays that do not belong together")
    return Answered(
        names,
        np.full(len(answers), task),
        answers.inputs,
        answers.labels.astype(np.int64),
        preds,
        answers.confidence,
        None if margin is None else margin.astype(np.float64),
    )


def joined(parts: Sequence[Answered]) -> Answered:
    """Several parts, all with or all without confidence and margin, as one."""
    arrays = {name: np.concatenate([vars(part)[name] for part in parts]) for name in parts[0]._arrays()}
    return Answered([name for part in parts for name in part.names], **arrays)


def _number(name: str) -> int:
    """The number of an example without an identity; 1 for others."""
    digits = name.removeprefix(NUMBERED.format(""))
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else 1


def _key(inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> bytes:
    return inputs.astype(np.int32).tobytes() + labels.astype(np.int32).tobytes()
