"""A checkpoint in the published form, made of recorded weights, answers as the published implementation did."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tests.golden.cases import PREFIX, Case, RecordedRandom, metric_total, relative_error, rollouts
from trm.supervision import Supervision
from trm_lab.evaluation.rollout import roll_out
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint

COMPILED = "_orig_mod."
CLASS = "@TinyRecursiveReasoningModel_ACTV1"
NAMES = {
    **{mode: f"recursive_reasoning.{mode}{CLASS}" for mode in ("trm_singlez", "trm_hier6")},
    "hrm": "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1",
    "transformers_baseline": "recursive_reasoning.transformers_baseline@Model_ACTV2",
}
ARCH = (
    *("H_cycles", "L_cycles", "H_layers", "L_layers", "hidden_size", "expansion", "num_heads", "pos_encodings"),
    *("puzzle_emb_ndim", "puzzle_emb_len", "forward_dtype", "mlp_t"),
    *("halt_max_steps", "halt_exploration_prob", "no_ACT_continue"),
)


def published(folder: Path, case: Case, prefix: str) -> Path:
    """`step_<n>` and all_config.yaml, as the published code leaves them."""
    weights = case.under(f"final/{PREFIX}")
    torch.save({prefix + name: value for name, value in weights.items()}, folder / f"step_{case.settings['steps']}")
    arch = {key: case.settings[key] for key in ARCH if key in case.settings}
    arch |= {"name": NAMES.get(case.settings["mode"], f"recursive_reasoning.trm{CLASS}")}
    arch |= {"loss": {"name": "losses@ACTLossHead", "loss_type": case.settings["loss_type"]}}
    config: dict[str, Any] = {"arch": arch, "global_batch_size": 6, "data_paths": ["data/golden"]}
    config |= {"evaluators": [{"name": "arc@ARC"}], "lr": case.settings["lr"], "seed": 0}
    OmegaConf.save(OmegaConf.create(config), folder / "all_config.yaml")
    return folder / f"step_{case.settings['steps']}"


def opened(folder: Path, case: Case, prefix: str = PREFIX) -> tuple[OpenedCheckpoint, Supervision[Any]]:
    checkpoint = open_checkpoint(published(folder, case, prefix))
    s = case.settings
    sizes = (s["vocab_size"], s["seq_len"], s["num_puzzle_identifiers"])
    supervision, remarks = checkpoint.supervision(PuzzleMetadata(0, None, 0, *sizes, 1, 1.0, 1, ("all",)))
    assert remarks == []
    supervision.model.eval()
    return checkpoint, supervision


@pytest.mark.parametrize("prefix", [PREFIX, COMPILED + PREFIX])
@pytest.mark.parametrize("name", rollouts())
def test_the_recorded_evaluation_comes_out_again(name: str, prefix: str, tmp_path: Path) -> None:
    case = Case(name)
    checkpoint, supervision = opened(tmp_path, case, prefix)
    assert checkpoint.step == case.settings["steps"]
    assert checkpoint.arch.supervision == ("dis" if case.is_dis else "act")
    supervision.model.to(torch.float64)
    tolerance = 1e4 * case.tolerance  # the weights are recorded in float32, the rollout is one of float64 weights
    batch = case.batch("eval/batch")
    carry = supervision.initial_carry(batch)
    for k in range(case.settings["eval_steps"]):
        with torch.no_grad():
            output = supervision.step(carry, batch, RecordedRandom(None, len(batch)))
        carry = output.carry
        assert torch.equal(output.predictions.long(), case[f"eval/step{k}/preds"].long())
        assert relative_error(output.logits, case[f"eval/step{k}/logits"]) < tolerance
        assert relative_error(output.q_halt_logits, case[f"eval/step{k}/q_halt_logits"]) < tolerance
    assert bool(carry.halted.all())
    for metric in ("count", "accuracy", "exact_accuracy", "steps"):
        assert metric_total(output.metrics, metric) == pytest.approx(case[f"eval/metric/{metric}"].item(), abs=1e-6)


@pytest.mark.parametrize("name", rollouts())
def test_as_an_evaluation_rolls_it_out(name: str, tmp_path: Path) -> None:
    case = Case(name)
    _, supervision = opened(tmp_path, case)
    batch = case.batch("eval/batch")
    rollout = roll_out(supervision, batch, RecordedRandom(None, len(batch)))
    recorded = [case[f"eval/step{k}/preds"].to(torch.uint8) for k in range(case.settings["eval_steps"])]
    assert torch.equal(rollout.predictions, torch.stack(recorded, 1))


@pytest.mark.parametrize("name", rollouts())
def test_every_bit_is_that_of_the_same_weights_loaded_by_hand(name: str, tmp_path: Path) -> None:
    case = Case(name)
    _, ours = opened(tmp_path, case)
    by_hand = case.supervision()
    by_hand.model.load_state_dict(case.under(f"final/{PREFIX}"))
    by_hand.model.eval()
    ours.model.to(torch.float64)
    batch = case.batch("eval/batch")
    a, b = (roll_out(made, batch, RecordedRandom(None, len(batch))) for made in (ours, by_hand))
    assert torch.equal(a.predictions, b.predictions)
    assert torch.equal(a.q_halt_logits, b.q_halt_logits)
    assert torch.equal(a.confidence, b.confidence)
