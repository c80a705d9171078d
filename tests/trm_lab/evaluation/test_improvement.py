"""Cross-entropies before and after each supervision step are those of the logits, and belong to examples alone."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import act, batch, dis
from tests.trm_lab.inference.checkpoints_of import SETTINGS, write_run
from trm.batch import IGNORE_LABEL, Batch
from trm.losses import softmax_cross_entropy, stablemax_cross_entropy
from trm.randomness import StepRandom
from trm_lab.evaluation.details_table import details_table
from trm_lab.evaluation.improvement import AGAINST, ExampleRandom, ImprovementTally, cross_entropy, step_improvement
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.rollout import Rollout, roll_out
from trm_lab.evaluation.score import score
from trm_lab.methods import GuidanceProbe

VARIANTS: dict[str, dict[str, Any]] = {
    "released": {},
    "paper": {"target_kernel": "mask", "pad_cells": "ignore", "feed": "question"},
    "reads predictions": {"targets": "on_policy"},
}


def supervisions() -> dict[str, Any]:
    of_dis = {name: dis(DISConfig(halt_max_steps=3, **switches)) for name, switches in VARIANTS.items()}
    return {"TRM": act(), **of_dis}


def questions() -> Batch:
    """Four questions; every fifth token has no label, and the last question none."""
    asked = batch()
    labels = asked.labels.clone()
    labels[:, ::5] = IGNORE_LABEL
    labels[-1] = IGNORE_LABEL
    return Batch(asked.inputs, labels, asked.puzzle_identifiers)


def numbers(*places: int) -> ExampleRandom:
    return ExampleRandom(0, torch.tensor(places or (0, 1, 2, 3)))


@torch.no_grad()
def logits_and_targets(supervision: Any, asked: Batch, rng: StepRandom) -> tuple[list[Tensor], list[Tensor]]:
    """ℓ_0 … ℓ_S, and y†_1 … y†_S as the network is compared with them."""
    logits, targets = [supervision.model.answer_logits(supervision.model.initial_latents(len(asked)))], []
    forward, carry = supervision.run_forward, supervision.initial_carry(asked)

    def noting(latents: Any, fed: Tensor, labels: Tensor, target: Any, *others: Any) -> Any:
        targets.append(target if isinstance(supervision, DISSupervision) else labels)
        return forward(latents, fed, labels, target, *others)

    supervision.run_forward = noting
    for _ in range(supervision.max_steps):
        output = supervision.step(carry, asked, rng)
        carry = output.carry
        logits.append(output.logits)
    supervision.run_forward = forward
    return logits, targets


def losses(logits: Tensor, towards: Tensor, labels: Tensor, trained: bool) -> NDArray[np.float64]:
    """`[B, L]`, nan where nothing is scored: minus the logarithm of the softmax, or of the stablemax, in numpy."""
    wide, tokens = logits.double().numpy(), towards.long().numpy()
    scored = (labels != IGNORE_LABEL).numpy()
    powers = np.where(wide < 0, 1 / (1 - np.minimum(wide, 0)), wide + 1) if trained else np.exp(wide)
    chosen = np.take_along_axis(powers, np.where(scored, tokens, 0)[..., None], -1)[..., 0]
    return np.where(scored, -np.log(chosen / powers.sum(-1)), np.nan)


@pytest.mark.parametrize("name", ["TRM", *VARIANTS])
def test_the_numbers_of_each_step_are_those_of_its_logits_answer_and_target(name: str) -> None:
    supervision, asked = supervisions()[name], questions()
    supervision.model.eval()
    logits, targets = logits_and_targets(supervision, asked, numbers())
    assert any(not torch.equal(target, asked.labels) for target in targets) == (name != "TRM")
    probes = roll_out(supervision, asked, numbers(), improvement=True).probes
    for step, target in enumerate(targets):
        for against, towards in zip(AGAINST, (asked.labels, target) * 2, strict=True):
            both, trained = (logits[step], logits[step + 1]), against.startswith("trained")
            before, after = (losses(each, towards, asked.labels, trained)[:3] for each in both)
            expected = {"ce_before": before.mean(1, where=~np.isnan(before))}
            expected["ce_after"] = after.mean(1, where=~np.isnan(after))
            expected["cells_improved"] = (after < before).sum(1) / (~np.isnan(before)).sum(1)
            for column, values in expected.items():
                found = probes[f"{column}@{against}"][:, step]
                np.testing.assert_allclose(found[:3], values, rtol=1e-6)
                assert torch.isnan(found[3])


@pytest.mark.parametrize("name", ["TRM", "released"])
def test_a_step_starts_from_the_cross_entropy_to_the_answer_at_which_the_one_before_ended(name: str) -> None:
    probes = roll_out(supervisions()[name], questions(), numbers(), improvement=True).probes
    before, after = (probes[f"{column}@answer"][:3] for column in ("ce_before", "ce_after"))
    assert torch.equal(before[:, 1:], after[:, :-1])


@pytest.mark.parametrize("name", ["TRM", "released"])
def test_the_stored_improvement_lies_between_the_margins_at_1_and_at_0(name: str) -> None:
    supervision, asked = supervisions()[name], questions()
    rollout = roll_out(supervision, asked, numbers(), [GuidanceProbe([])], improvement=True)
    logits, _ = logits_and_targets(supervision, asked, numbers())
    least = rollout.probes["margin"][:3].double().nanmean(-1)  # [B, S], stored in float16
    fell = (rollout.probes["ce_before@answer"] - rollout.probes["ce_after@answer"])[:3].double()
    changes = [after.double() - before.double() for before, after in pairwise(logits)]
    most = torch.stack([margin_at_0(*both, asked.labels) for both in zip(logits[:-1], changes, strict=True)], 1)[:3]
    assert (least <= fell + 1e-3 * (1 + least.abs())).all()
    assert (fell <= most + 1e-5).all()
    assert not torch.allclose(least, fell, atol=1e-3)  # a bound, not the improvement


def test_a_cell_that_is_all_but_certain_improves_where_its_margin_is_positive() -> None:
    before, after = torch.tensor([[[60.0, 0.0, 0.0]]]), torch.tensor([[[61.0, 0.0, 0.0]]])
    labels = torch.zeros(1, 1, dtype=torch.int32)
    assert GuidanceProbe([])(before, after, labels)["margin"] > 0
    probes = step_improvement(before, after, labels, None, stablemax_cross_entropy)
    assert probes["cells_improved@answer"] == 1
    assert probes["ce_after@answer"].item() == pytest.approx(2 * np.exp(-61), rel=1e-6)


def margin_at_0(before: Tensor, change: Tensor, labels: Tensor) -> Tensor:
    """Mean over scored tokens of Δℓ[y*] − E_{a∼softmax(ℓ_u)} Δℓ[a]; `[B]`."""
    scored = labels != IGNORE_LABEL
    chosen = change.gather(-1, torch.where(scored, labels, 0).long()[..., None])[..., 0]
    expected = (before.double().softmax(-1) * change).sum(-1)
    return torch.where(scored, chosen - expected, torch.nan).nanmean(-1)


def test_a_run_trained_with_softmax_has_nothing_beside_it() -> None:
    supervision = dis(DISConfig(halt_max_steps=3, loss_type="softmax_cross_entropy"))
    probes = roll_out(supervision, questions(), numbers(), improvement=True).probes
    assert {name.split("@")[1] for name in probes} == {"answer", "target"}


def test_targets_that_a_test_split_lacks_have_no_columns() -> None:
    supervision = dis(DISConfig(target_order="solver"))
    supervision.model.eval()
    probes = roll_out(supervision, questions(), numbers(), improvement=True).probes
    assert {name.split("@")[1] for name in probes} == {"answer", "trained_answer"}


def test_the_cross_entropy_is_the_usual_one() -> None:
    logits = 20 * torch.randn(4, 16, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = questions().labels
    torch.testing.assert_close(cross_entropy(logits, labels), softmax_cross_entropy(logits, labels))


def test_rows_have_the_same_targets_in_any_batch() -> None:
    supervision, asked = supervisions()["paper"], batch()
    whole = roll_out(supervision, asked, numbers(3, 1, 0, 2), improvement=True)
    part = roll_out(supervision, asked.rows(torch.tensor([2, 1])), numbers(0, 1), improvement=True)
    other = roll_out(supervision, asked, numbers(7, 8, 9, 10), improvement=True)

    def target(rollout: Rollout) -> Tensor:
        return rollout.probes["ce_after@target"]

    torch.testing.assert_close(target(part), target(whole)[[2, 1]], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(target(other), target(whole))


def test_draws_are_uniform_below_1_and_others_for_each_purpose() -> None:
    rng = ExampleRandom(3, torch.arange(50))
    drawn = rng.uniform("scores", 400)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < 0.001 < 0.999 < float(drawn.max()) < 1
    share_below = (drawn < torch.linspace(0.1, 0.9, 9)[:, None, None]).double().mean((1, 2))
    torch.testing.assert_close(share_below, torch.linspace(0.1, 0.9, 9, dtype=torch.float64), atol=0.01, rtol=0)
    assert not torch.equal(drawn, rng.uniform("ties", 400))


def test_means_are_over_examples_with_a_label_in_any_order_of_the_parts() -> None:
    before = np.array([[1.0, 0.5], [np.nan, np.nan], [3.0, 1.0]], np.float32)
    after = np.array([[0.5, 0.6], [np.nan, np.nan], [1.0, 0.5]], np.float32)
    columns = {"ce_before@answer": before, "ce_after@answer": after, "cells_improved@answer": before / 4}
    forwards, backwards = ImprovementTally(), ImprovementTally()
    for tally, rows in ((forwards, (0, 1, 2)), (backwards, (2, 1, 0))):
        for row in rows:
            tally.add(row, {name: column[row : row + 1] for name, column in columns.items()})
    expected = {"examples": 2, "before": [2.0, 0.75], "after": [0.75, (np.float64(after[0, 1]) + 0.5) / 2]}
    expected |= {"cells_improved": [0.5, 0.1875], "examples_improved": [1.0, 0.5]}
    assert forwards.scores() == backwards.scores() == {"answer": expected}


@pytest.mark.parametrize("method", ["dis", "act"])
def test_an_evaluation_with_margins_says_how_each_step_improved_for_any_batch_size(
    method: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", dataset, method)
    results = {}
    for size in (7, 64):
        score(ScoringRequest(str(run), margin=True, batch_size=size, output=tmp_path / str(size), device="cpu"))
        results[size] = json.loads((tmp_path / str(size) / "scores.json").read_text())["improvement"]
    assert results[7] == results[64]
    answer, target = (results[7][against] for against in AGAINST[:2])
    assert answer["before"][1:] == answer["after"][:-1]
    assert (answer == target) == (method == "act")
    text = capsys.readouterr().out
    assert f"{answer['before'][0]:.3g} → {answer['after'][0]:.3g}" in text
    assert ("the target of every step is the answer" in text) == (method == "act")
    assert ("towards the step's own target" in text) == (method == "dis")
    assert "the training loss, stablemax_cross_entropy" in text


def test_why_the_targets_of_the_steps_are_not_known_is_said(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "dis", DISConfig(halt_max_steps=3, target_order="solver"))
    run = write_run(tmp_path / "run", dataset, "dis")
    score(ScoringRequest(str(run), margin=True, output=tmp_path / "a", device="cpu"))
    scores = json.loads((tmp_path / "a/scores.json").read_text())
    assert "target" not in scores["improvement"]
    assert "reveal order of a training split, which a test split lacks" in details_table(scores)
