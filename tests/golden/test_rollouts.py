"""Forward, losses, gradients, halting, targets, updates and evaluation equal the published implementations'."""

from collections.abc import Iterator

import pytest
import torch

from tests.golden.cases import PREFIX, Case, RecordedRandom, metric_total, relative_error, rollouts
from trm.puzzle_embedding import SignSGD
from trm.recursion import RECURSIONS
from trm.supervision import StepOutput, Supervision
from trm_lab.cluster.ranks import Ranks

METRICS = (
    "count",
    "accuracy",
    "exact_accuracy",
    "q_halt_accuracy",
    "steps",
    "lm_loss",
    "q_halt_loss",
    "q_continue_loss",
)


@pytest.fixture(params=rollouts())
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def train(case: Case, supervision: Supervision | None = None) -> Iterator[tuple[int, StepOutput]]:
    """Replay the recorded training; yields after backward and before the update of each step."""
    supervision, s = supervision or case.supervision(), case.settings
    model = supervision.model
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=s["lr"], betas=tuple(s["betas"]), weight_decay=s["weight_decay"]
    )
    assert model.puzzle_emb is not None
    sign_sgd = SignSGD(model.puzzle_emb, s["puzzle_emb_weight_decay"], Ranks())
    carry = supervision.initial_carry(case.batch("step0/batch"))
    for t in range(s["steps"]):
        key = f"step{t}/path_scores"
        scores = case[key] if key in case.recorded else None
        output = supervision.step(carry, case.batch(f"step{t}/batch"), RecordedRandom(scores, len(carry.steps)))
        carry = output.carry
        (output.loss / s["grad_divisor"]).backward()
        yield t, output
        sign_sgd.step(s["puzzle_emb_lr"])
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def test_there_are_recorded_rollouts_of_both_methods_and_every_recursion() -> None:
    assert {Case(name).is_dis for name in rollouts()} == {True, False}
    assert {Case(name).recursion for name in rollouts()} == RECURSIONS.keys()


def test_training_rollout_agrees_in_float64(case: Case) -> None:
    supervision = case.supervision()
    for t, output in train(case, supervision):
        here = f"step{t}"
        assert relative_error(output.logits, case[f"{here}/logits"]) < case.tolerance
        assert relative_error(output.q_halt_logits, case[f"{here}/q_halt_logits"]) < case.tolerance
        assert relative_error(output.loss, case[f"{here}/loss_sum"]) < case.tolerance
        assert torch.equal(output.predictions.long(), case[f"{here}/preds"].long())
        assert torch.equal(output.carry.steps, case[f"{here}/steps"])
        assert torch.equal(output.carry.halted, case[f"{here}/halted"])
        for name in METRICS:
            if f"{here}/metric/{name}" in case.recorded:
                expected = case[f"{here}/metric/{name}"].item()
                assert metric_total(output.metrics, name) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
        for name in (key.removeprefix(f"{here}/") for key in case.recorded if key.startswith(f"{here}/z_")):
            assert relative_error(output.carry.latents[name], case[f"{here}/{name}"]) < 1e-6
        if f"{here}/q_continue_logits" in case.recorded:
            q_continue = supervision.model.halting_logits(output.carry.latents)[:, 1]
            assert relative_error(q_continue, case[f"{here}/q_continue_logits"]) < case.tolerance
        if f"{here}/path" in case.recorded:
            assert torch.equal(output.carry.plan["path"], case[f"{here}/path"])


@pytest.mark.parametrize("name", [name for name in rollouts() if Case(name).is_dis])
def test_tokens_fed_agree(name: str) -> None:
    case = Case(name)
    fed = case["step0/input"]
    for t, output in train(case):
        assert torch.equal(fed.long(), case[f"step{t}/input"].long())
        if t + 1 < case.settings["steps"]:
            offered = case[f"step{t + 1}/batch/inputs"]
            fed = torch.where(output.carry.halted[:, None], offered, output.carry.fed)


def test_first_gradients_agree(case: Case) -> None:
    check_first_gradients(case, "float64", 1e-6)


def test_first_step_agrees_in_float32(case: Case) -> None:
    check_first_gradients(case, "float32", case.float32_tolerance)


def check_first_gradients(case: Case, dtype: str, tolerance: float) -> None:
    supervision = case.supervision(dtype)
    model = supervision.model.train()
    carry = supervision.initial_carry(case.batch("step0/batch"))
    scores = case["step0/path_scores"] if case.is_dis else None
    output = supervision.step(carry, case.batch("step0/batch"), RecordedRandom(scores, len(carry.steps)))
    assert relative_error(output.logits, case["step0/logits"]) < tolerance
    assert relative_error(output.loss, case["step0/loss_sum"]) < tolerance
    (output.loss / case.settings["grad_divisor"]).backward()
    expected = case.under(f"grad0/{PREFIX}")
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert relative_error(gradient, expected[name]) < tolerance, name
    assert model.puzzle_emb is not None
    (lookup,) = model.puzzle_emb.lookups
    rows = lookup.rows.grad
    assert rows is not None
    assert relative_error(rows, case["grad0/puzzle_emb_rows"]) < tolerance


def test_weights_after_all_updates_and_evaluation_agree(case: Case) -> None:
    supervision = case.supervision()
    for _ in train(case, supervision):
        pass
    for name, expected in case.under(f"final/{PREFIX}").items():
        assert relative_error(supervision.model.state_dict()[name], expected) < 1e-6, name
    batch = case.batch("eval/batch")
    carry = supervision.initial_carry(batch)
    output: StepOutput | None = None
    for k in range(case.settings["eval_steps"]):
        with torch.no_grad():
            output = supervision.step(carry, batch, RecordedRandom(None, len(carry.steps)))
        carry = output.carry
        assert relative_error(output.logits, case[f"eval/step{k}/logits"]) < case.tolerance
        assert relative_error(output.q_halt_logits, case[f"eval/step{k}/q_halt_logits"]) < case.tolerance
        assert torch.equal(output.predictions.long(), case[f"eval/step{k}/preds"].long())
    assert output is not None
    assert bool(output.carry.halted.all())
    for name in METRICS:
        if f"eval/metric/{name}" in case.recorded:
            expected = case[f"eval/metric/{name}"].item()
            assert metric_total(output.metrics, name) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
