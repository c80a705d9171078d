"""The setting of each stopping rule: chosen on held-out questions, then read off the test split.

Chosen on the questions that it is reported for, a setting looks better than it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.evaluation.halting import HaltingTally
from trm_lab.runs.answers import Answers, question_digests
from trm_lab.runs.recorded_files import unreadable
from trm_lab.runs.recorded_scores import HaltingPoint
from trm_lab.runs.rollout_store import RolloutStore

RULES = ("q_halt", "agreement", "confidence")  # policies that know nothing of the answer and have a setting to choose
HALTING = "halting_probability"  # a kind of confidence: of the answer as a whole
MOST_LOST = 0.01  # of exact match, against taking all steps
_SAME = ("weights", "arch", "steps", "identifiers", "search", "confidence")  # in a request, where a setting is to fit


@dataclass(frozen=True)
class HaltingChoice:
    """Settings chosen on held-out questions, by rule.

    folder: of their evaluation.  examples: that were chosen on.  left_out: others, which the test split has as well.
    """

    folder: str
    examples: int
    left_out: int
    settings: dict[str, float | None]


def cheapest(points: Sequence[HaltingPoint]) -> dict[str, HaltingPoint]:
    """Of each rule the setting with fewest network calls that loses at most `MOST_LOST` against all steps."""
    steps = [(point.network_calls, point.exact_accuracy) for point in points if point.policy == "fixed"]
    _, of_all_steps = max(steps, default=(0.0, 1.0))
    good = [point for point in points if point.exact_accuracy >= of_all_steps - MOST_LOST]
    by_rule = {rule: [point for point in good if point.policy == rule] for rule in RULES}
    return {rule: min(of_rule, key=lambda point: point.network_calls) for rule, of_rule in by_rule.items() if of_rule}


def held_out_answers(folder: Path, request: Mapping[str, Any], confidence_kind: str) -> RolloutStore:
    """The stored answers of an evaluation of held-out questions.

    request: of the test split's answers.

    Raises:
        UserError: there are none, or not all of them, or they were answered in another way.
    """
    try:
        store = RolloutStore.open(folder)
    except FileNotFoundError:
        store = RolloutStore(folder, {}, {})
    names = [name for name in _SAME if name != "confidence" or confidence_kind != HALTING]
    differing = [name for name in names if store.request.get(name) != request.get(name)]
    if not store.is_complete or not store.total or differing:
        state = f"with other {' and '.join(differing)}" if store.total and differing else "without all of its answers"
        raise UserError(
            f"--choose-on {shown(folder)}, an evaluation {state}",
            "a finished evaluation by evaluate.py of the same checkpoint with the same flags, on held-out questions",
            "make it: python evaluate.py CHECKPOINT --data-path HELD-OUT, with the same flags",
        )
    return store


def choose(held_out: RolloutStore, test: RolloutStore, confidence_kind: str) -> HaltingChoice:
    """Choose each rule's setting on the held-out questions that the test split does not have.

    Raises:
        UserError: it has them all.
    """
    points, left_out = held_out_points(held_out, test, confidence_kind)
    if not points:
        raise UserError(
            f"--choose-on {shown(held_out.folder)}: the test split has all of its {held_out.total:,} questions as well",
            "questions that are in neither split",
            "build them with another --seed, or hold out a part of the training questions before training",
        )
    settings = {rule: point.setting for rule, point in cheapest(points).items()}
    if confidence_kind != HALTING:  # the halting head is not trained
        settings.pop("q_halt", None)
    return HaltingChoice(str(held_out.folder), held_out.total - left_out, left_out, settings)


def held_out_points(held_out: RolloutStore, test: RolloutStore, confidence_kind: str) -> tuple[list[HaltingPoint], int]:
    """Halting points of the held-out questions that the test split does not have (none: it has them all).

    And how many it has.

    Raises:
        UserError: stored answers are damaged.
    """
    test_digests = {digest for answers in test.answers() for digest in question_digests(answers.inputs).tolist()}
    usable = 0
    try:
        tally = HaltingTally(held_out.network_calls, confidence_kind)
        for answers in held_out.answers():
            digests = question_digests(answers.inputs).tolist()
            rows = np.array([digest not in test_digests for digest in digests], np.bool_)
            usable += int(rows.sum())
            tally.add(*(column[rows] for column in _columns(answers)))
    except ValueError as error:
        raise unreadable(f"{shown(held_out.folder)} has arrays that do not belong together: {error}") from None
    return tally.result().points if usable else [], held_out.total - usable


def _columns(answers: Answers) -> tuple[NDArray[Any], ...]:
    return answers.predictions, answers.labels, answers.q_halt_logits, answers.confidence
