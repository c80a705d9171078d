"""DIS: every switch changes what it names and nothing else."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from dis_trm.source import PathTargets
from dis_trm.supervision import SWITCHES, DISCarry, DISConfig, DISSupervision
from dis_trm.targets import TARGETS
from tests.models import batch, dis, draws
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.losses import sequence_loss, stablemax_cross_entropy
from trm.randomness import StepRandom
from trm.supervision import Carry, StepOutput


def first_steps(count: int, **switches: Any) -> list[StepOutput]:
    supervision = dis(DISConfig(halt_max_steps=3, **switches))
    supervision.model.train()
    carry, outputs = supervision.initial_carry(batch()), []
    for step in range(1, count + 1):
        outputs.append(supervision.step(carry, batch(seed=step - 1), draws(step)))
        carry = outputs[-1].carry
    return outputs


def test_every_example_takes_exactly_its_steps() -> None:
    outputs = first_steps(7)
    assert [o.carry.steps.tolist()[0] for o in outputs] == [1, 2, 3, 1, 2, 3, 1]
    assert [bool(o.carry.halted.all()) for o in outputs] == [False, False, True, False, False, True, False]


def test_feed_decides_what_is_embedded_after_the_first_step() -> None:
    fed_prediction = first_steps(1)[0]
    fed_question = first_steps(1, feed="question")[0]
    assert torch.equal(fed_prediction.carry.fed, fed_prediction.predictions)
    assert torch.equal(fed_question.carry.fed, batch().inputs)


def test_linear_step_weights_have_mean_one_and_grow() -> None:
    uniform = first_steps(1)[0].loss
    first = first_steps(1, step_weights="linear")[0].loss
    torch.testing.assert_close(first, uniform * 2 * 1 / 4)
    supervision = dis(DISConfig(halt_max_steps=3, step_weights="linear"))
    weights = supervision._step_weight(torch.arange(1, 4))
    assert isinstance(weights, torch.Tensor)
    assert weights.mean().item() == pytest.approx(1.0)


def test_the_dual_loss_adds_the_loss_of_the_answer_before_the_step() -> None:
    settings = DISConfig(halt_max_steps=3, loss_terms="dual")
    supervision = dis(settings)
    single = dis(replace(settings, loss_terms="single"))
    carry = supervision.initial_carry(batch())
    dual_out = supervision.step(carry, batch(), draws())
    single_out = single.step(single.initial_carry(batch()), batch(), draws())
    start = supervision.model.initial_latents(4)
    before = supervision.model.answer_logits(start)
    extra = sequence_loss(stablemax_cross_entropy, before, dual_out.carry.plan["path"][:, 0]).sum()
    torch.testing.assert_close(dual_out.loss, single_out.loss + extra)


def test_step_index_sets_the_table() -> None:
    rows = {}
    for kind in SWITCHES["step_index"]:
        table = dis(DISConfig(step_index=kind)).model.timestep_embed
        rows[kind] = 0 if table is None else len(table.embedding_weight)
    assert rows == {"integer": 8, "continuous": 1, "none": 0}


def test_continuous_time_scales_one_learned_vector() -> None:
    supervision = dis(DISConfig(halt_max_steps=4, step_index="continuous"))
    at = supervision._step_embedding(torch.tensor([1, 2, 4], dtype=torch.int32))
    assert at is not None
    torch.testing.assert_close(at[0] * 4, at[2])
    torch.testing.assert_close(at[1] * 2, at[2])


@pytest.mark.parametrize("key", sorted(SWITCHES))
def test_a_value_that_no_switch_has_is_refused_with_the_allowed_ones(key: str) -> None:
    with pytest.raises(UserError) as caught:
        DISConfig(**{key: "nonsense"})  # type: ignore[arg-type]
    assert f"arch.{key}=nonsense" in str(caught.value)
    assert all(value in str(caught.value) for value in SWITCHES[key])


@pytest.mark.parametrize("kernel", ["reveal", "mask", "replace"])
def test_the_loss_falls_under_every_kernel(kernel: str) -> None:
    """The task: every token becomes its successor."""
    supervision = dis(DISConfig(halt_max_steps=3, target_kernel=kernel))
    supervision.model.train()
    optimizer = torch.optim.AdamW(supervision.model.parameters(), lr=3e-3)
    questions = batch(16)
    solvable = replace(questions, labels=questions.inputs % 11 + 1)
    carry, losses = supervision.initial_carry(solvable), []
    for step in range(120):
        output = supervision.step(carry, solvable, draws(step, 16))
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        losses.append(output.loss.item())
    assert losses[-1] < 0.8 * losses[2]  # both at step 3, whose target is the answer itself


EXTRAS = {
    "reveal_order": torch.arange(16, dtype=torch.int32).expand(4, -1) % 5,
    "stored_steps": torch.ones(4, 2, 16, dtype=torch.int32),
}
SOURCES: dict[str, dict[str, Any]] = {
    "reading": {"target_order": "reading", "target_direction": "backwards"},
    "solver, counted": {"target_order": "solver"},
    "solver, rounds": {"target_order": "solver", "target_schedule": "rounds", "target_kernel": "mask"},
    "prediction": {"target_kernel": "prediction"},
    "prediction, solver": {"target_kernel": "prediction", "target_order": "solver", "feed": "question"},
    "stored": {"targets": "stored"},
    "on_policy": {"targets": "on_policy"},
    "on_policy, dual": {"targets": "on_policy", "loss_terms": "dual", "pad_cells": "ignore"},
}


def losses(supervision: DISSupervision, carry: DISCarry, steps: range) -> tuple[list[float], DISCarry]:
    """Losses of some updates, each with a batch of its own that has every extra."""
    optimizer, values = torch.optim.SGD(supervision.model.parameters(), lr=0.01), []
    for step in steps:
        output = supervision.step(carry, replace(batch(seed=step // 3), **EXTRAS), draws(step))
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        values.append(output.loss.item())
    return values, carry


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_trains_and_goes_on_from_a_checkpoint_as_if_never_stopped(name: str) -> None:
    whole = dis(DISConfig(halt_max_steps=3, **SOURCES[name]))
    whole.model.train()
    _, carry = losses(whole, whole.initial_carry(batch()), range(4))
    weights = {name: tensor.clone() for name, tensor in whole.model.state_dict().items()}
    stored = {name: tensor.clone() for name, tensor in carry.tensors().items()}
    expected, _ = losses(whole, carry, range(4, 8))
    resumed = dis(whole.config)
    resumed.model.load_state_dict(weights)
    resumed.model.train()
    rows = Batch(stored["inputs"], stored["labels"], stored["puzzle_identifiers"])
    again, _ = losses(resumed, resumed.initial_carry(rows).restored(stored), range(4, 8))
    assert again == expected
    assert len(set(expected)) == 4


def test_a_carry_of_an_earlier_version_with_its_path_is_taken_up_in_the_middle_of_an_example() -> None:
    supervision = dis()
    carry = supervision.step(supervision.initial_carry(batch()), batch(), draws()).carry
    old = dict(carry.tensors())  # what earlier versions wrote, all of them fields
    assert old.keys() == {*shared_tensors(carry), "fed", "path"}
    again = supervision.initial_carry(batch(seed=1)).restored(old)
    assert again.steps_done == 1
    assert torch.equal(again.plan["path"], carry.plan["path"])
    assert again.plan["path"].shape == (4, 4, 16)


def shared_tensors(carry: DISCarry) -> set[str]:
    """The names of the tensors that every method's carry has."""
    return set(Carry.tensors(replace(carry, plan={}))) - {"fed"}


def test_on_policy_mends_the_prediction_that_the_step_before_left() -> None:
    supervision = dis(DISConfig(halt_max_steps=3, targets="on_policy", pad_cells="ignore"))
    first = supervision.step(supervision.initial_carry(batch()), batch(), draws(1))
    second = supervision.step(first.carry, batch(), draws(2))
    labels, before, target = batch().labels, first.predictions, second.carry.plan["latest_target"]
    wrong = before != labels
    mended = wrong & (target == labels)
    assert torch.equal(mended.sum(-1), -(-wrong.sum(-1) // 2))  # ⌈wrong / 2⌉ with two steps to go
    assert torch.equal(target[~mended], before[~mended])
    log_probabilities = first.carry.plan["latest_log_probabilities"]
    for row in range(4):
        least = log_probabilities[row][mended[row]].min()
        assert bool((log_probabilities[row][wrong[row] & ~mended[row]] <= least).all())
    third = supervision.step(second.carry, batch(), draws(3))
    assert torch.equal(third.carry.plan["latest_target"], labels)


def test_the_dual_loss_has_the_target_that_the_step_before_was_trained_towards() -> None:
    keys: dict[str, Any] = {"halt_max_steps": 3, "targets": "on_policy"}
    dual = dis(DISConfig(**keys, loss_terms="dual"))
    single = dis(DISConfig(**keys))
    first = single.step(single.initial_carry(batch()), batch(), draws(1)).carry
    expected = single.step(first, batch(), draws(2)).loss
    before = single.model.answer_logits(first.latents)
    expected = expected + sequence_loss(stablemax_cross_entropy, before, first.plan["latest_target"]).sum()
    torch.testing.assert_close(dual.step(first, batch(), draws(2)).loss, expected)


@pytest.mark.parametrize("keys", [{"targets": "stored"}, {"target_order": "solver"}])
def test_data_without_what_a_source_reads_are_refused_in_training_and_evaluated_towards_the_answer(
    keys: dict[str, Any],
) -> None:
    supervision = dis(DISConfig(halt_max_steps=2, **keys))
    supervision.model.train()
    with pytest.raises(UserError, match="on data without") as caught:
        supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert supervision.batch_extras[0] in EXTRAS
    assert "arch.target_order=random" in caught.value.allowed
    supervision.model.eval()
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    loss = sequence_loss(stablemax_cross_entropy, output.logits, batch().labels).sum()
    torch.testing.assert_close(output.loss, loss)
    assert output.carry.rows(slice(2)).plan == {}


class Answers(PathTargets):
    """Every step is trained towards the answer."""

    def path(self, batch: Batch, rng: StepRandom) -> torch.Tensor:
        return batch.labels[:, None].expand(-1, self.steps + 1, -1)


def test_a_source_of_one_s_own_is_one_line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "answers", Answers)
    supervision = dis(DISConfig(halt_max_steps=3, targets="answers"))
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    torch.testing.assert_close(output.loss, sequence_loss(stablemax_cross_entropy, output.logits, batch().labels).sum())
    with pytest.raises(UserError, match="target_kernel=mask"):
        DISConfig(targets="answers", target_kernel="mask")


def test_pad_cells_holds_for_every_source() -> None:
    unscored = replace(batch(), labels=torch.where(torch.arange(16) < 8, batch().labels, IGNORE_LABEL), **EXTRAS)
    for pad_cells in ("ignore", "release"):
        for name in ("stored", "on_policy", "prediction"):
            supervision = dis(DISConfig(halt_max_steps=3, pad_cells=pad_cells, **SOURCES[name]))
            carry = supervision._start(supervision.initial_carry(unscored), unscored, draws())
            target = supervision._target(1, carry, draws())
            trained = target[:, 8:] != IGNORE_LABEL
            assert bool(trained.any()) == (pad_cells == "release"), (name, pad_cells)
            assert bool((target[:, :8] != IGNORE_LABEL).all())
