"""Vocabularies of every allowed size, from a dataset to the analysis: a model that is always right scores 100 %."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from analysis.page.puzzle_data import packed_tokens
from tests.trm_lab.inference.checkpoints_of import write_run
from tests.trm_lab.inference.small_tasks import Repeating
from trm.batch import IGNORE_LABEL, label_dtype, token_dtype
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.evaluation.predictor import Predictor
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.methods import METHODS, Method
from trm_lab.puzzles.arc.grids import as_bytes, crop
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.runs.evaluation_folder import write_evaluation
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.recorded_run import read_run
from trm_lab.runs.rollout_store import TENSORS_FILE, RolloutStore
from trm_lab.runs.stored_answers import stored_answers

SIDE, EXAMPLES = 2, 6


def write_dataset(folder: Path, vocab_size: int) -> Path:
    """Questions that are their own answers, of a stranger who stores int64; the last slot is not scored."""
    rng = np.random.default_rng(vocab_size)
    tokens = rng.integers(1, vocab_size, (EXAMPLES, SIDE * SIDE))
    tokens[0, :2] = vocab_size - 1, vocab_size // 2
    labels = tokens.copy()
    labels[:, -1] = IGNORE_LABEL
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        arrays = {
            "inputs": tokens, "labels": labels, "puzzle_identifiers": np.zeros(EXAMPLES, np.int32),
            "puzzle_indices": np.arange(EXAMPLES + 1), "group_indices": np.arange(EXAMPLES + 1),
        }  # fmt: skip
        for name, array in arrays.items():
            np.save(folder / split / f"all__{name}.npy", array)
        PuzzleMetadata(0, None, 0, vocab_size, SIDE * SIDE, 1, EXAMPLES, 1, EXAMPLES, ("all",)).write(folder / split)
    (folder / "identifiers.json").write_text(json.dumps(["<blank>"]))
    return folder


def write_records(run: Path, scores: dict[str, Any]) -> None:
    (run / "metrics.jsonl").write_text(json.dumps({"kind": "evaluation", "step": 7, "scores": scores}) + "\n")
    (run / "provenance.json").write_text(json.dumps({"launches": []}))


@pytest.mark.parametrize("vocab_size", [12, 257, 40_000])
def test_a_model_that_is_always_right_scores_all_cells_and_its_answers_are_kept_as_they_are(
    tmp_path: Path, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "act", Method(Repeating, "TRM"))
    dataset = write_dataset(tmp_path / "data", vocab_size)
    run = write_run(tmp_path / "run", dataset, "act")
    known = EvaluationData([dataset], global_batch_size=5)
    inputs = np.load(dataset / "test/all__inputs.npy")
    supervision, _ = open_checkpoint(str(run)).supervision(known.metadata)
    trained = Evaluator(supervision, known, Ranks(), arc=False, save_outputs=("preds", "labels")).run()
    trained.scores.update(step=7, method="act", supervision="act")
    write_evaluation(run / "evaluations/step_7", trained)
    write_records(run, trained.scores)

    request = ScoringRequest(str(run), output=run / "scored/step_7", device="cpu", guidance=[1.0])
    score(request)

    scores = json.loads((run / "scored/step_7/scores.json").read_text())
    for one in (trained.scores, scores):
        assert one["per_step"]["cell_accuracy"] == one["per_step"]["exact_accuracy"] == [1.0] * 4
    stored = load_file(run / "scored/step_7" / TENSORS_FILE)
    assert stored["predictions"].dtype == stored["inputs"].dtype == token_dtype(vocab_size)
    assert stored["probes.guided_preds@1"].dtype == token_dtype(vocab_size)
    np.testing.assert_array_equal(stored["predictions"][:, -1], inputs)
    np.testing.assert_array_equal(stored["labels"], np.load(dataset / "test/all__labels.npy"))
    np.testing.assert_array_equal(trained.outputs["preds"], inputs)

    read = read_run(run)
    assert read.samples is not None
    np.testing.assert_array_equal(read.samples.preds[:, -1], inputs)
    assert read.samples.exactly_right().all()
    (answered,) = stored_answers(read, "step_7").parts()
    np.testing.assert_array_equal(answered.preds[:, -1], inputs)
    assert not answered.wrong_tokens().any()


def test_tokens_and_labels_are_stored_as_small_as_their_vocabulary_allows() -> None:
    assert [token_dtype(size).name for size in (1, 12, 256, 257, 65_536)] == ["uint8"] * 3 + ["uint16"] * 2
    assert [label_dtype(size).name for size in (12, 32_768, 32_769, 65_536)] == ["int16"] * 2 + ["int32"] * 2


def test_answers_that_were_once_stored_too_small_are_not_taken_up(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 300)
    run = write_run(tmp_path / "run", dataset, "act")
    request = ScoringRequest(str(run), output=tmp_path / "scored", device="cpu")
    score(request)
    assert RolloutStore.open(tmp_path / "scored").request["tokens"] == "uint16"


def test_a_token_beyond_a_byte_is_no_colour() -> None:
    canvas = np.zeros(9, np.uint16)
    canvas[:3] = 2, 258, 3
    assert crop(canvas, 3).tolist() == [[0]]
    assert as_bytes(canvas).tolist() == [2, 0, 3, 0, 0, 0, 0, 0, 0]


def test_the_page_packs_tokens_that_are_no_bytes_into_two_of_them() -> None:
    assert packed_tokens(np.array([1, 255]), wide=False) == "Af8="
    assert packed_tokens(np.array([1, 300]), wide=True) == "AQAsAQ=="


def test_a_batch_s_answers_travel_between_ranks_as_one_message_of_a_dtype_that_every_backend_sends(
    tmp_path: Path,
) -> None:
    dataset = write_dataset(tmp_path / "data", 300)
    data = EvaluationData([dataset], global_batch_size=EXAMPLES)
    run = write_run(tmp_path / "run", dataset, "act")
    supervision, _ = open_checkpoint(str(run)).supervision(data.metadata)
    sent: list[torch.dtype] = []

    class Watched(Ranks):
        def gather_rows(self, tensor: torch.Tensor) -> torch.Tensor:
            sent.append(tensor.dtype)
            return super().gather_rows(tensor)

    list(Predictor(supervision, data, Watched()).answers())
    assert sent == [torch.uint8] * len(data)
