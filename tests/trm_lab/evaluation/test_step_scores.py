"""Scores of each step: a case by hand, a plain reference, and that parts and order change nothing."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.evaluation.step_scores import RightCells, StepScores, StepTally, first_right, stays_right


def scores(preds: NDArray[np.uint8], labels: NDArray[np.int32], *cuts: int) -> StepScores:
    tally = StepTally()
    for part, answers in zip(np.split(preds, cuts), np.split(labels, cuts), strict=True):
        tally.add(part, answers)
    return tally.result()


def rollouts(
    seed: int, examples: int = 23, steps: int = 5, tokens: int = 4
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Two colours and few tokens, so that answers are right and wrong in every order; some have no known token."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 3, (examples, tokens)).astype(np.int32)
    labels[rng.random(labels.shape) < 0.4] = IGNORE_LABEL
    return rng.integers(1, 3, (examples, steps, tokens)).astype(np.uint8), labels


def test_scores_by_hand() -> None:
    labels = np.array([[5, 6, IGNORE_LABEL, 7], [1, 1, 1, 1], [IGNORE_LABEL] * 4], np.int32)
    preds = np.array(
        [
            [[5, 6, 1, 0], [5, 6, 2, 7], [5, 6, 3, 7]],  # 2, 3, 3 of 3: right from step 2 on
            [[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0]],  # right from step 1 on, wrong after the last
            [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]],  # nothing scored
        ],
        np.uint8,
    )
    assert scores(preds, labels) == StepScores(
        examples=2,
        cell_accuracy=pytest.approx([(2 / 3 + 1) / 2, 1.0, 0.75]),
        exact_accuracy=[0.5, 1.0, 0.5],
        hamming=[0.5, 0.0, 1.0],
        changed=pytest.approx([1 / 6, 0.25]),  # the first example's unscored token changes uncounted
        first_right=[0, 1, 1, 0],
        stayed_right=[0, 0, 1, 0],
        fixed_late=1,
        broken_late=1,
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_every_score_is_what_its_definition_says(seed: int) -> None:
    preds, labels = rollouts(seed)
    found = scores(preds, labels)
    known = [row for row in range(len(labels)) if (labels[row] != IGNORE_LABEL).any()]
    shares, firsts, stayed = [], [], []
    for row in known:
        at = labels[row] != IGNORE_LABEL
        right = [(answer[at] == labels[row][at]).mean() for answer in preds[row]]
        shares.append(right)
        whole = [share == 1 for share in right]
        firsts.append(whole.index(True) + 1 if any(whole) else 0)
        stayed.append(any(whole) and all(whole[whole.index(True) :]))
    assert found.examples == len(known)
    assert found.cell_accuracy == pytest.approx(np.mean(shares, axis=0).tolist())
    assert found.exact_accuracy == pytest.approx(np.mean(np.array(shares) == 1, axis=0).tolist())
    assert found.first_right == [firsts.count(step) for step in range(6)]
    kept = [first for first, stays in zip(firsts, stayed, strict=True) if stays]
    assert found.stayed_right == [kept.count(step) for step in range(6)]
    assert found.fixed_late == sum(right[0] < 1 and right[-1] == 1 for right in shares)
    assert found.broken_late == sum(right[-1] < 1 and 1 in right for right in shares)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 23), max_size=4))
def test_neither_parts_nor_order_change_a_bit(seed: int, cuts: list[int]) -> None:
    preds, labels = rollouts(seed)
    order = np.random.default_rng(seed).permutation(len(preds))
    assert scores(preds[order], labels[order], *sorted(cuts)) == scores(preds, labels)


@given(st.integers(0, 10_000))
def test_the_counts_add_up(seed: int) -> None:
    found = scores(*rollouts(seed))
    ever_right = found.examples - found.first_right[0]
    right_at_the_end = round(found.exact_accuracy[-1] * found.examples)
    assert sum(found.first_right) == found.examples
    assert ever_right == right_at_the_end + found.broken_late
    assert all(a <= b for a, b in zip(found.stayed_right, found.first_right, strict=True))
    assert sum(found.stayed_right) <= right_at_the_end


def test_the_first_right_step_counts_from_1_and_0_is_never() -> None:
    whole = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 1]], bool)
    assert first_right(whole).tolist() == [0, 2, 1, 3, 1]
    assert stays_right(whole).tolist() == [False, False, True, True, False]


def test_a_token_that_is_not_scored_is_never_right() -> None:
    found = RightCells.of(np.array([[[156, 1]]], np.uint8), np.array([[IGNORE_LABEL, 1]], np.int64))
    assert found.right.tolist() == [[1]]
    assert found.cells.tolist() == [1]


def test_one_step_has_no_changes_and_json_takes_the_scores() -> None:
    found = scores(*rollouts(0, steps=1))
    assert found.changed == []
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()


def test_without_a_known_answer_nothing_counts() -> None:
    preds, labels = rollouts(0)
    found = scores(preds, np.full_like(labels, IGNORE_LABEL))
    assert found.examples == 0
    assert found.first_right == [0] * 6
    assert found.exact_accuracy == [0.0] * 5


def test_refuses_what_does_not_belong_together() -> None:
    preds, labels = rollouts(0)
    tally = StepTally()
    with pytest.raises(ValueError, match="no predictions were added"):
        tally.result()
    for wrong_preds, wrong_labels in ((preds[:, 0], labels), (preds[:, :0], labels), (preds, labels[:3])):
        with pytest.raises(ValueError, match=r"want \[E, S, L\]"):
            tally.add(wrong_preds, wrong_labels)
    tally.add(preds, labels)
    with pytest.raises(ValueError, match="after"):
        tally.add(preds[:, 1:], labels)
