"""An answer is ranked by its own confidence: of the tokens that are voted for, over the cells that they show."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dis_trm.guidance import GuidanceProbe, guided
from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import act, batch, dis, draws, network
from trm.losses import NOTHING, TOKEN_LOSSES
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.answer_cells import CellsToEnd, GridCells, cells_by_set, every_cell
from trm_lab.evaluation.arc_scores import ArcTally
from trm_lab.evaluation.in_training import InTraining
from trm_lab.evaluation.predictor import Predictor
from trm_lab.evaluation.rollout import Rollout, roll_out
from trm_lab.puzzles.arc.grids import crop_sizes
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import About
from trm_lab.runs.answers import Answers


@pytest.fixture(scope="module")
def data(dataset: Path) -> EvaluationData:
    return EvaluationData([dataset], global_batch_size=50)


@pytest.mark.parametrize("seed", range(20))
def test_the_cells_of_a_grid_are_those_that_cropping_keeps(seed: int) -> None:
    canvas = 1 + seed % 7
    generator = np.random.Generator(np.random.Philox(seed))
    tokens = generator.choice(14, (200, canvas**2), p=[0.04, 0.04, *[0.09] * 10, 0.01, 0.01])
    cells = GridCells(canvas)(torch.from_numpy(tokens)).numpy().reshape(-1, canvas, canvas)
    for kept, (rows, columns) in zip(cells, crop_sizes(tokens.astype(np.uint8), canvas), strict=True):
        expected = np.zeros((canvas, canvas), bool)
        expected[:rows, :columns] = True
        np.testing.assert_array_equal(kept, expected)


def test_a_text_or_a_list_of_moves_ends_with_its_first_end_token() -> None:
    tokens = torch.tensor([[2, 5, 5, 2, 5, 2], [5, 2, 2, 2, 2, 2], [2, 2, 5, 5, 5, 5]])
    cells = CellsToEnd(2, 2)(tokens)
    assert cells.int().tolist() == [[0, 0, 1, 1, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]]


def test_what_an_answer_is_follows_from_the_dataset(data: EvaluationData) -> None:
    (one,) = data.sets
    assert cells_by_set(data) == {one.name: GridCells(4)}
    for about, expected in (
        (About("qa-1", 1, "clean", "answer", {"question_length": 9}), CellsToEnd(9, 2)),
        (About("cube-2x2x2-half", 1, "clean", "cube"), CellsToEnd(24, 2)),
        (About("sudoku-4x4", 1, "clean", "sudoku"), every_cell),
    ):
        assert cells_by_set(_said_to_be(data, about)) == {one.name: expected}


def _said_to_be(data: EvaluationData, about: About) -> Any:
    sets = [replace(one, about=about) for one in data.sets]
    return SimpleNamespace(sets=sets, metadata=data.metadata, test_puzzles=data.test_puzzles)


class Recorder:
    """A probe that keeps the logits of every step."""

    def __init__(self) -> None:
        self.logits: list[tuple[Tensor, Tensor]] = []

    def __call__(self, reference: Tensor, conditional: Tensor, *_: Any) -> dict[str, Tensor]:
        self.logits.append((reference, conditional))
        return {}


def rolled(supervision: Supervision[Any], *more: Any) -> tuple[Rollout, Recorder]:
    supervision.model.eval()
    recorder = Recorder()
    return roll_out(supervision, batch(), draws(), (recorder, GuidanceProbe([0, 0.5, 1, 2])), *more), recorder


def by_hand(supervision: Supervision[Any], logits: Tensor, canvas: int = 4) -> list[float]:
    """Mean log-probability of the argmax over the cells of the grid that it shows."""
    tokens = logits.argmax(-1)
    log_p = -TOKEN_LOSSES[supervision.loss_type](logits, tokens).double()
    sizes = crop_sizes(tokens.numpy().astype(np.uint8), canvas)
    grids = log_p.view(-1, canvas, canvas)
    return [
        float(grid[:rows, :columns].mean()) if rows else NOTHING
        for grid, (rows, columns) in zip(grids, sizes, strict=True)
    ]


@pytest.mark.parametrize("make", [act, dis])
def test_each_answer_also_a_guided_one_has_the_confidence_of_its_own_logits_over_its_own_cells(make: Any) -> None:
    supervision = make()
    rollout, recorder = rolled(supervision, GridCells(4))
    for step, logits in enumerate(recorder.logits):
        if supervision.confidence_kind != "halting_probability":
            expected = by_hand(supervision, logits[1])
            assert rollout.confidence[:, step].tolist() == pytest.approx(expected, rel=1e-9)
        for w in (0, 0.5, 2):
            found = rollout.probes[f"guided_confidence@{w}"][:, step].tolist()
            assert found == pytest.approx(by_hand(supervision, guided(*logits, w)), rel=1e-9)


def test_over_all_cells_as_before_there_is_one_confidence_and_none_of_guided_answers() -> None:
    supervision = dis()
    rollout, recorder = rolled(supervision)
    for step, (_, logits) in enumerate(recorder.logits):
        log_p = -TOKEN_LOSSES[supervision.loss_type](logits, logits.argmax(-1)).double()
        assert rollout.confidence[:, step].tolist() == pytest.approx(log_p.mean(-1).tolist(), rel=1e-12)
    assert not [name for name in rollout.probes if name.startswith("guided_confidence")]


def answers(data: EvaluationData) -> Answers:
    """Of an untrained model, with guidance 1.5 as its probe."""
    shape = PuzzleShape(data.metadata.seq_len, data.metadata.vocab_size, data.metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=2)
    supervision = DISSupervision(TinyRecursiveModel(network(), shape, 4), settings)
    made = Predictor(supervision, data, Ranks(), probes=[GuidanceProbe([1.5], margin=False)]).answers()
    return next(iter(made))


def test_guided_votes_are_ranked_by_the_guided_answers_confidence(data: EvaluationData) -> None:
    made = answers(data)
    truth = np.where(made.labels < 0, 0, made.labels).astype(np.uint8)
    right = np.arange(len(made)) % 2 == 0  # every second guided answer is right, and guided decoding is sure of it
    guided_answers = np.where(right[:, None], truth, 2)[:, None].repeat(2, 1).astype(np.uint8)
    own = np.where(right, -0.1, -2.0)[:, None].repeat(2, 1)
    scores = {}
    for name, confidence in (("own", own), ("reversed", own[::-1] if len(made) % 2 == 0 else -2.1 - own)):
        probes = {"guided_preds@1.5": guided_answers, "guided_confidence@1.5": confidence}
        tally = ArcTally(data, "mean_confidence", "answer_log_probability", each_step=True)
        tally.add(replace(made, probes=probes, confidence=-2.1 - own))
        found: dict[str, Any] = {"copy": {}}
        tally.put_into(found, InTraining(data))
        scores[name] = found["arc_guided"]["1.5"]["ARC/pass@1"]
        assert "over its cells" in found["guided_votes_ranked_by"]["1.5"]
    assert scores["own"] > scores["reversed"]


def test_answers_stored_without_guided_confidences_are_ranked_as_before_and_that_is_said(data: EvaluationData) -> None:
    made = answers(data)
    kept = {name: value for name, value in made.probes.items() if "confidence" not in name}
    tally = ArcTally(data, "count_confidence", "token_log_probability", each_step=True)
    tally.add(replace(made, probes=kept))
    found: dict[str, Any] = {"copy": {}}
    tally.put_into(found, InTraining(data))
    assert "over all cells" in found["guided_votes_ranked_by"]["1.5"]
    assert "over all cells" in found["votes_ranked_by"]
