"""DIS: every switch changes what it names and nothing else."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from dis_trm.supervision import SWITCHES, DISConfig
from tests.models import batch, dis, draws
from trm.errors import UserError
from trm.losses import sequence_loss, stablemax_cross_entropy
from trm.supervision import StepOutput


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
    start = supervision.model.initial_latents(4).z_H
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


@pytest.mark.parametrize("kernel", SWITCHES["target_kernel"])
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
