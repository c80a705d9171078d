"""EvaluationResults: what is counted, and what must not change the scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.evaluator import Evaluator, Loss
from trm_lab.evaluation.rollout import roll_out
from trm_lab.evaluation.samples import SAMPLES, Samples
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import fingerprint, read_about
from trm_lab.runs.answers import Answers
from trm_lab.runs.evaluation_folder import EvaluationResults


def evaluate(dataset: Path, batch_size: int) -> EvaluationResults:
    data = EvaluationData([dataset], global_batch_size=batch_size)
    shape = PuzzleShape(data.metadata.seq_len, data.metadata.vocab_size, data.metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=3)
    model = TinyRecursiveModel(network(), shape, DISSupervision.step_rows(settings))
    supervision = DISSupervision(model, settings)
    return Evaluator(supervision, data, Ranks(), arc=True, save_outputs=("preds", "labels", "inputs")).run()


@pytest.fixture(scope="module")
def evaluation(dataset: Path) -> EvaluationResults:
    return evaluate(dataset, 64)


def test_scores_do_not_depend_on_the_batch_size_nor_on_padding(dataset: Path, evaluation: EvaluationResults) -> None:
    other = evaluate(dataset, 7)
    assert other.scores["examples"] == evaluation.scores["examples"]
    for name, values in evaluation.scores["per_step"].items():
        assert values == pytest.approx(other.scores["per_step"][name]), name
    assert evaluation.voting is not None
    assert other.voting is not None
    assert evaluation.voting.submission == other.voting.submission


def test_scores_say_what_was_evaluated(dataset: Path, evaluation: EvaluationResults) -> None:
    scores, data = evaluation.scores, EvaluationData([dataset], global_batch_size=8)
    assert scores["per_step"]["network_calls"] == [8, 16, 24]
    assert scores["network_calls_per_answer"] == 24
    assert scores["puzzle"] == {"seq_len": data.metadata.seq_len, "vocab_size": data.metadata.vocab_size}
    about = read_about(dataset)
    assert about is not None
    (described,) = scores["datasets"]
    assert (described["name"], described["version"]) == (about.name, about.version)
    assert described["fingerprint"] == fingerprint(dataset)
    assert (described["split"], described["path"]) == ("test", str(dataset))
    samples = evaluation.samples
    assert sorted(name.partition("|||")[0] for name in samples["names"]) == sorted(data.test_puzzles)
    assert samples["preds"].shape[:2] == (len(data.test_puzzles), 3)


def test_baselines_of_an_arc_set_are_of_its_cells(evaluation: EvaluationResults) -> None:
    scores = evaluation.scores
    assert 0 < scores["baselines"]["most_common_token"]["cell_accuracy"] < 1
    assert 0 < scores["copy"]["cell_accuracy"] < 1
    assert scores["copy"]["scores"]["ARC/pass@2"] == 0
    assert "outputs right, 2 attempts" in scores_table({**scores, "step": 1})


def test_accuracies_agree_with_a_count_over_the_kept_outputs(evaluation: EvaluationResults) -> None:
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


def answered(identifiers: list[int], labels: Any, preds: Any, first: int = 0, inputs: Any = None) -> Answers:
    rows, tokens = labels.shape
    return Answers(
        set_name="all",
        first=first,
        inputs=np.zeros((rows, tokens), np.uint8) if inputs is None else inputs.astype(np.uint8),
        labels=labels.astype(np.int16),
        puzzle_identifiers=np.array(identifiers, np.int32),
        predictions=preds[:, None],
        q_halt_logits=np.zeros((rows, 1), np.float32),
        confidence=np.zeros((rows, 1)),
        loss=np.zeros(rows),
        network_calls=[3],
    )


def test_of_a_task_s_test_inputs_the_first_that_ends_right_is_the_sample() -> None:
    samples = Samples(["<blank>", "a", "a|||t1|||0123456789", "a|||t2|||0123456789", "b"], [1, 2, 3, 4])
    labels = np.array([[5, -100], [5, -100], [6, -100], [7, -100]])
    preds = np.array([[4, 0], [5, 9], [6, 0], [0, 0]], np.uint8)
    samples.add(answered([1, 2, 3, 4], labels, preds))
    assert samples.stacked()["names"].tolist() == ["a|||t1|||0123456789", "b"]


def test_puzzles_without_an_identity_are_samples_of_their_own_the_first_ones_in_file_order() -> None:
    count = SAMPLES + 6
    samples = Samples(["<blank>"], [0] * count)
    labels = np.arange(count)[:, None] % 5 + 1
    preds = np.where(np.arange(count)[:, None] % 2, labels, 0).astype(np.uint8)
    for part in (slice(0, 40), slice(40, count)):
        rows = len(labels[part])
        samples.add(answered([0] * rows, labels[part], preds[part], part.start, labels[part] + 100))
    kept = samples.stacked()
    assert kept["names"].tolist() == [f"example {number}" for number in range(1, SAMPLES + 1)]
    np.testing.assert_array_equal(kept["labels"], labels[:SAMPLES])
    np.testing.assert_array_equal(kept["inputs"], labels[:SAMPLES] + 100)
    np.testing.assert_array_equal(kept["preds"][:, 0], preds[:SAMPLES])


def test_the_loss_is_of_examples_with_a_known_answer_and_one_that_is_not_finite_is_none() -> None:
    loss = Loss()
    made = answered([1, 1, 1], np.array([[5], [-100], [5]]), np.zeros((3, 1), np.uint8))
    loss.add(replace(made, loss=np.array([1.0, 9.0, 2.0])))
    assert loss.mean() == 1.5
    loss.add(replace(made, loss=np.array([np.inf, 0.0, 0.0])))
    assert loss.mean() is None


@pytest.mark.parametrize("batch_size", [20, 100])
def test_the_speed_of_an_evaluation_is_without_its_first_batch_where_there_are_others(
    batch_size: int, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, total = [0.0], EvaluationData([dataset], global_batch_size=1).total_examples

    def roll(*given: Any) -> Any:
        now[0] += 1.0 if now[0] else 100.0
        return roll_out(*given)

    monkeypatch.setattr("trm_lab.evaluation.evaluator.time.monotonic", lambda: now[0])
    monkeypatch.setattr("trm_lab.evaluation.predictor.roll_out", roll)
    speed = evaluate(dataset, batch_size).scores["examples_per_second"]
    batches = -(-total // batch_size)
    assert speed == (total / 100 if batches == 1 else (total - batch_size) / (batches - 1))
