"""Evaluation: what is counted, and what must not change the scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from tests.runs import build_small_arc
from trm.distributed import Ranks
from trm.evaluation.evaluate import Evaluation, Evaluator, Tally
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.puzzles.loading import EvaluationData


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_arc(tmp_path_factory.mktemp("data") / "arc-small")


def evaluate(dataset: Path, batch_size: int) -> Evaluation:
    data = EvaluationData([dataset], global_batch_size=batch_size)
    shape = PuzzleShape(data.metadata.seq_len, data.metadata.vocab_size, data.metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=3)
    model = TinyRecursiveModel(network(), shape, DISSupervision.step_rows(settings))
    supervision = DISSupervision(model, settings)
    return Evaluator(supervision, data, Ranks(), arc=True, save_outputs=("preds", "labels", "inputs")).run()


def test_scores_do_not_depend_on_the_batch_size_nor_on_padding(dataset: Path) -> None:
    whole, cut = evaluate(dataset, 1000), evaluate(dataset, 7)
    assert whole.scores["examples"] == cut.scores["examples"]
    for name, values in whole.scores["per_step"].items():
        assert values == pytest.approx(cut.scores["per_step"][name]), name
    assert whole.voting is not None
    assert cut.voting is not None
    assert whole.voting.submission == cut.voting.submission


def test_accuracies_agree_with_a_count_over_the_kept_outputs(dataset: Path) -> None:
    evaluation = evaluate(dataset, 64)
    outputs: dict[str, Any] = evaluation.outputs
    scored = outputs["labels"] != -100
    for name, answers in (("per_step", outputs["preds"]), ("copy", outputs["inputs"])):
        right = (answers == outputs["labels"]) & scored
        cell = (right.sum(1) / scored.sum(1)).mean()
        exact = (right.sum(1) == scored.sum(1)).mean()
        found = evaluation.scores[name]
        shown = (found["cell_accuracy"], found["exact_accuracy"])
        last = tuple(s[-1] if isinstance(s, list) else s for s in shown)
        assert last == pytest.approx((cell, exact))


def test_copying_scores_nothing_where_no_answer_equals_its_question(dataset: Path) -> None:
    copied = evaluate(dataset, 64).scores["copy"]
    assert copied["scores"]["ARC/pass@2"] == 0
    assert 0 < copied["cell_accuracy"] < 1


def test_network_calls_are_summed_up_to_each_step(dataset: Path) -> None:
    scores = evaluate(dataset, 64).scores
    assert scores["per_step"]["network_calls"] == [8, 16, 24]
    assert scores["network_calls_per_answer"] == 24


def test_samples_are_unaugmented_inputs_of_different_tasks(dataset: Path) -> None:
    samples = evaluate(dataset, 16).samples
    assert len(set(samples["names"])) == len(samples["names"]) == 12
    assert not any("|||" in name for name in samples["names"])
    assert samples["preds"].shape[:2] == (12, 3)


def test_examples_without_a_known_answer_do_not_count() -> None:
    tally = Tally()
    tally.add(np.array([[1, 2], [0, 0], [3, 3]]), np.array([2, 0, 3]), np.array([1.0, 9.0, 2.0]))
    assert tally.examples == 2
    assert tally.loss == 3.0
    assert tally.means() == ([0.75, 1.0], [0.5, 1.0])
