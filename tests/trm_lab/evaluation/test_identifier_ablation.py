"""Ablations of the puzzle embedding: who is given whose identifier."""

from pathlib import Path

import numpy as np
import pytest

from trm.errors import UserError
from trm_lab.evaluation.identifier_ablation import identifiers_to_feed
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.selection import task_name


@pytest.fixture(scope="module")
def data(dataset: Path) -> EvaluationData:
    return EvaluationData([dataset], global_batch_size=8)


def fed(data: EvaluationData, choice: str, seed: int = 0) -> np.ndarray:
    return identifiers_to_feed(choice, data.sets, len(data.identifiers), 0, seed)


def test_correct_ones_are_their_own_and_blank_ones_are_all_blank(data: EvaluationData) -> None:
    assert fed(data, "correct").tolist() == list(range(len(data.identifiers)))
    assert not fed(data, "blank").any()


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_every_puzzle_gets_one_of_another_task_and_a_task_all_of_one(data: EvaluationData, seed: int) -> None:
    table = fed(data, "shuffled", seed)
    own = np.unique(np.concatenate([one.examples.puzzle_identifiers for one in data.sets]))
    given: dict[str, set[str]] = {}
    for identifier in own.tolist():
        task, other = (task_name(data.identifiers[i]) for i in (identifier, table[identifier]))
        given.setdefault(task, set()).add(other)
    assert all(len(others) == 1 and task not in others for task, others in given.items())
    assert len({next(iter(others)) for others in given.values()}) == len(given)
    assert (table == fed(data, "shuffled", seed)).all()


def test_what_cannot_be_shuffled_is_refused(data: EvaluationData) -> None:
    with pytest.raises(UserError, match=r"correct \| blank \| shuffled"):
        fed(data, "other")
    with pytest.raises(UserError, match="no puzzle identifiers"):
        identifiers_to_feed("shuffled", [_Anonymous(data)], 3, 0, 0)  # type: ignore[list-item]


class _Anonymous:
    def __init__(self, data: EvaluationData) -> None:
        self.dataset = Path("data/x")
        self.examples = self
        self.group_indices = np.arange(4)
        self.puzzle_identifiers = np.zeros(3, np.int32)
