"""Forward, losses, gradients, halting, targets, updates and evaluation equal the published implementations'."""

import pytest
import torch

from tests.golden.cases import PREFIX, Case, metric_total, relative_error, rollouts
from tests.golden.replay import evaluate, first_step_errors, train
from trm.recursion import RECURSIONS

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
    for t, output in train(case, case.supervision()):
        assert torch.equal(fed.long(), case[f"step{t}/input"].long())
        if t + 1 < case.settings["steps"]:
            offered = case[f"step{t + 1}/batch/inputs"]
            fed = torch.where(output.carry.halted[:, None], offered, output.carry.fed)


def test_first_gradients_agree(case: Case) -> None:
    assert {name: error for name, error in first_step_errors(case, "float64").items() if not error < 1e-6} == {}


def test_first_step_agrees_in_float32(case: Case) -> None:
    errors = first_step_errors(case, "float32")
    assert {name: error for name, error in errors.items() if not error < case.float32_tolerance} == {}


def test_weights_after_all_updates_and_evaluation_agree(case: Case) -> None:
    supervision = case.supervision()
    for _ in train(case, supervision):
        pass
    for name, expected in case.under(f"final/{PREFIX}").items():
        assert relative_error(supervision.model.state_dict()[name], expected) < 1e-6, name
    for k, output in evaluate(case, supervision):
        assert relative_error(output.logits, case[f"eval/step{k}/logits"]) < case.tolerance
        assert relative_error(output.q_halt_logits, case[f"eval/step{k}/q_halt_logits"]) < case.tolerance
        assert torch.equal(output.predictions.long(), case[f"eval/step{k}/preds"].long())
    assert bool(output.carry.halted.all())
    for name in METRICS:
        if f"eval/metric/{name}" in case.recorded:
            expected = case[f"eval/metric/{name}"].item()
            assert metric_total(output.metrics, name) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
