"""Halting: each policy by hand, the curves against plain loops, and what must hold between policies."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.evaluation import halting
from trm_lab.evaluation.halting import CONFIDENCE_GRIDS, Q_HALT_GRID, HaltingCurves, HaltingTally
from trm_lab.evaluation.step_scores import RightCells, StepTally

STEPS = 6
CALLS = [3 * step for step in range(1, STEPS + 1)]

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
seeds = st.integers(0, 10_000)


def rollouts(seed: int, examples: int = 29, tokens: int = 3) -> Arrays:
    """Predictions, labels, halting logits, confidence; answers often stay as they are from step to step."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 3, (examples, tokens)).astype(np.int32)
    labels[rng.random(labels.shape) < 0.3] = IGNORE_LABEL
    preds = rng.integers(1, 3, (examples, STEPS, tokens)).astype(np.uint8)
    for step in range(1, STEPS):
        same = rng.random(examples) < 0.5
        preds[same, step] = preds[same, step - 1]
    logits = rng.normal(0, 3, (examples, STEPS)).astype(np.float32)
    return preds, labels, logits, rng.random((examples, STEPS))


def curves(arrays: Arrays, *cuts: int, kind: str = "halting_probability") -> HaltingCurves:
    tally = HaltingTally(CALLS, kind)
    for part in zip(*(np.split(array, cuts) for array in arrays), strict=True):
        tally.add(*part)
    return tally.result()


class TestPoliciesByHand:
    def test_fixed_is_the_same_step_for_all(self) -> None:
        assert halting.fixed(3, 2).tolist() == [2, 2, 2]

    def test_q_halt_stops_above_its_threshold_and_at_the_end_otherwise(self) -> None:
        logits = np.array([[-1.0, 0.0, 0.5], [1.0, -1.0, 2.0], [-1.0, -1.0, -1.0], [np.nan, np.nan, np.nan]])
        assert halting.q_halt(logits, 0.0).tolist() == [3, 1, 3, 3]
        assert halting.q_halt(logits, -0.5).tolist() == [2, 1, 3, 3]

    def test_confidence_stops_where_it_reaches_its_threshold(self) -> None:
        confidence = np.array([[0.1, 0.5, 0.4, 0.9], [0.1, 0.2, 0.3, 0.4]])
        assert halting.confidence_at_least(confidence, 0.5).tolist() == [2, 4]
        assert halting.confidence_at_least(confidence, 0.95).tolist() == [4, 4]

    def test_agreement_wants_the_whole_answer_as_it_was_k_steps_long(self) -> None:
        answers = [[1, 1], [1, 2], [1, 2], [1, 1], [1, 1], [1, 1]]
        unchanged = halting.unchanged_for(np.array([answers], np.uint8))
        assert unchanged.tolist() == [[0, 0, 1, 0, 1, 2]]
        assert [halting.agreement(unchanged, k).item() for k in (1, 2, 3)] == [3, 6, 6]

    def test_the_oracles_know_the_first_right_and_the_best_step(self) -> None:
        right = np.array([[1, 3, 2, 3], [0, 1, 2, 2]])
        assert halting.oracle(right == 3).tolist() == [2, 4]
        assert halting.oracle_cells(right).tolist() == [2, 3]


def stop(policy: str, setting: Any, answers: NDArray[Any], label: NDArray[Any], *numbers: NDArray[Any]) -> int:
    """Where a policy stops on one example, step by step; numbers: its halting logits and confidence."""
    logits, confidence = numbers
    known = label != IGNORE_LABEL
    for step, answer in enumerate(answers):
        stops = {
            "fixed": step + 1 == setting,
            "q_halt": policy == "q_halt" and logits[step] > setting,
            "confidence": policy == "confidence" and confidence[step] >= setting,
            "agreement": policy == "agreement" and step >= setting and (answers[step - setting : step] == answer).all(),
            "oracle": (answer == label)[known].all(),
        }
        if stops[policy]:
            return step + 1
    return len(answers)


@settings(max_examples=15)
@given(seeds)
def test_every_point_is_what_stopping_there_gives(seed: int) -> None:
    arrays = rollouts(seed)
    examples = [example for example in zip(*arrays, strict=True) if (example[1] != IGNORE_LABEL).any()]
    found = curves(arrays)
    assert found.examples == len(examples)
    for point in found.points:
        if point.policy == "oracle_cells":
            continue
        at = [stop(point.policy, point.setting, *example) for example in examples]
        shares = [
            (answers[step - 1] == label)[label != IGNORE_LABEL].mean()
            for (answers, label, *_), step in zip(examples, at, strict=True)
        ]
        assert point.cell_accuracy == pytest.approx(np.mean(shares))
        assert point.exact_accuracy == pytest.approx(np.mean(np.array(shares) == 1))
        assert point.steps == pytest.approx(np.mean(at))
        assert point.network_calls == pytest.approx(3 * np.mean(at))


@settings(max_examples=25)
@given(seeds, st.lists(st.integers(0, 29), max_size=4))
def test_neither_parts_nor_order_change_a_bit(seed: int, cuts: list[int]) -> None:
    arrays = rollouts(seed)
    order = np.random.default_rng(seed).permutation(29)
    preds, labels, logits, confidence = (array[order] for array in arrays)
    assert curves((preds, labels, logits, confidence), *sorted(cuts)) == curves(arrays)


@settings(max_examples=25)
@given(seeds)
def test_no_policy_gets_more_right_than_the_oracles(seed: int) -> None:
    found = curves(rollouts(seed))
    assert [point.setting for point in found.curve("agreement")] == [1, 2, 3, 4]  # fewer than the steps
    best = found.best_reachable
    most_cells = found.curve("oracle_cells")[0].cell_accuracy
    for point in found.points:
        assert point.exact_accuracy <= best.exact_accuracy
        assert point.cell_accuracy <= most_cells + 1e-12
        assert CALLS[0] <= point.network_calls <= CALLS[-1]


@settings(max_examples=25)
@given(seeds)
def test_the_oracle_is_right_where_any_step_is_and_fixed_steps_are_the_steps_scores(seed: int) -> None:
    arrays = rollouts(seed)
    preds, labels, *_ = arrays
    ever = RightCells.of(preds, labels).whole.any(1)
    found = curves(arrays)
    assert found.best_reachable.exact_accuracy == pytest.approx(ever.mean())
    tally = StepTally()
    tally.add(preds, labels)
    assert [point.exact_accuracy for point in found.curve("fixed")] == tally.result().exact_accuracy
    assert [point.cell_accuracy for point in found.curve("fixed")] == tally.result().cell_accuracy


@settings(max_examples=25)
@given(seeds)
def test_a_higher_threshold_never_stops_earlier(seed: int) -> None:
    found = curves(rollouts(seed))
    for policy in ("q_halt", "confidence", "agreement"):
        points = found.curve(policy)
        assert [point.setting for point in points] == sorted(point.setting for point in points)
        spent = [point.network_calls for point in points]
        assert spent == sorted(spent)


def test_confidence_is_asked_on_the_scale_of_its_kind() -> None:
    preds, labels, logits, probability = rollouts(1)
    found = curves((preds, labels, logits, np.log(probability)), kind="token_log_probability")
    settings = [point.setting for point in found.curve("confidence")]
    assert settings == sorted(CONFIDENCE_GRIDS["token_log_probability"])
    assert (settings[0], settings[-1]) == (-4.0, -(2.0**-14))
    assert len({point.steps for point in found.curve("confidence")}) > 3
    assert [point.setting for point in found.curve("q_halt")] == list(Q_HALT_GRID)


def test_without_a_known_answer_nothing_counts() -> None:
    preds, labels, *rest = rollouts(0)
    found = curves((preds, np.full_like(labels, IGNORE_LABEL), rest[0], rest[1]))
    assert found.examples == 0
    assert {point.exact_accuracy for point in found.points} == {0.0}


def test_refuses_what_does_not_belong_together() -> None:
    preds, labels, logits, confidence = rollouts(0)
    tally = HaltingTally(CALLS, "halting_probability")
    for wrong in (
        (preds[:, 1:], labels, logits, confidence),
        (preds, labels[1:], logits, confidence),
        (preds, labels, logits[:, :1], confidence),
        (preds, labels, logits, confidence[1:]),
    ):
        with pytest.raises(ValueError, match=r"want \[E, S, L\]"):
            tally.add(*wrong)
    for calls, kind in (([], "halting_probability"), (CALLS, "charm")):
        with pytest.raises(ValueError, match="want 1 or more"):
            HaltingTally(calls, kind)
