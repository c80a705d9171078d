"""Guidance and advantage margin: the identities that they promise, and Prop. 4.1 on random logits."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dis_trm.guidance import GuidanceProbe, advantage_margin, guided
from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm.losses import softmax_cross_entropy

SLOTS, TOKENS, VOCABULARY = 4, 30, 12
WEIGHTS = (-1.0, 0.0, 0.3, 0.5, 1.0, 2.5)

seeds, spreads = st.integers(0, 2**31), st.floats(0.01, 30)


def logits(seed: int, spread: float = 3.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Reference, conditional, labels; every fifth token is not scored."""
    generator = torch.Generator().manual_seed(seed)
    both = spread * torch.randn(2, SLOTS, TOKENS, VOCABULARY, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, VOCABULARY, (SLOTS, TOKENS), generator=generator, dtype=torch.int32)
    labels[:, ::5] = IGNORE_LABEL
    return both[0].to(dtype), both[1].to(dtype), labels


def scored_losses(
    reference: Tensor, conditional: Tensor, labels: Tensor, weights: tuple[float, ...]
) -> Iterator[Tensor]:
    for w in weights:
        yield softmax_cross_entropy(guided(reference, conditional, w), labels)[labels != IGNORE_LABEL]


def scored_margin(reference: Tensor, conditional: Tensor, labels: Tensor, w: float) -> Tensor:
    return advantage_margin(reference, conditional, labels, w)[labels != IGNORE_LABEL]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_weight_0_is_the_step_before_and_1_plain_decoding_bit_for_bit(dtype: torch.dtype) -> None:
    reference, conditional, _ = logits(0, dtype=dtype)
    reference[0, 0, 0], conditional[0, 0, 1] = -0.0, -torch.inf
    for w, expected in ((0, reference), (1, conditional), (1.0, conditional)):
        assert torch.equal(guided(reference, conditional, w), expected)
        assert guided(reference, conditional, w).signbit().equal(expected.signbit())


@settings(max_examples=25)
@given(seeds, st.floats(-5, 5))
def test_guided_logits_are_the_mixture(seed: int, w: float) -> None:
    reference, conditional, _ = logits(seed)
    expected = reference + w * (conditional - reference)
    torch.testing.assert_close(guided(reference, conditional, w), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=25)
@given(seeds, st.floats(0.01, 5), st.sampled_from(WEIGHTS))
def test_the_margin_is_minus_the_numerical_derivative_of_the_cross_entropy(seed: int, spread: float, w: float) -> None:
    reference, conditional, labels = logits(seed, spread)
    step = 1e-5
    before, after = scored_losses(reference, conditional, labels, (w - step, w + step))
    margin = scored_margin(reference, conditional, labels, w)
    torch.testing.assert_close(margin, (before - after) / (2 * step), rtol=1e-5, atol=1e-6)


@settings(max_examples=25)
@given(seeds, spreads)
def test_a_positive_margin_at_1_means_that_the_step_improved_and_none_at_0_that_it_did_not(
    seed: int, spread: float
) -> None:
    reference, conditional, labels = logits(seed, spread)
    before, after = scored_losses(reference, conditional, labels, (0, 1))
    first, last = (scored_margin(reference, conditional, labels, w) for w in (0, 1))
    rounding = 1e-10 * (1 + spread)
    assert bool((last <= before - after + rounding).all())
    assert bool((before - after <= first + rounding).all())
    improved = before - after
    assert bool((improved[last > rounding] > 0).all())
    assert bool((improved[first < -rounding] < 0).all())


def test_a_margin_by_hand() -> None:
    reference, conditional = torch.zeros(1, 1, 3), torch.tensor([[[2.0, 0.0, -1.0]]])
    margins = [advantage_margin(reference, conditional, torch.tensor([[answer]]), w=0).item() for answer in range(3)]
    assert margins == pytest.approx([2 - 1 / 3, -1 / 3, -1 - 1 / 3])


def test_positions_that_are_not_scored_have_no_margin_and_all_others_have_one() -> None:
    reference, conditional, labels = logits(3, dtype=torch.bfloat16)
    margin = advantage_margin(reference, conditional, labels)
    assert margin.dtype == torch.float32
    assert torch.equal(margin.isnan(), labels == IGNORE_LABEL)


def test_the_sign_of_a_margin_far_smaller_than_the_logits_is_right() -> None:
    reference = torch.tensor([[[60.0, 0.0]]])
    for change, sign in ((1.0, 1), (-1.0, -1)):
        conditional = reference + torch.tensor([change, 0.0])
        margin = advantage_margin(reference, conditional, torch.tensor([[0]])).item()
        assert 0 < sign * margin < 1e-24
        held = GuidanceProbe([])(reference, conditional, torch.tensor([[0]]))["margin"].item()
        assert 0 < sign * held < 1e-7


def test_the_probe_gives_predictions_for_every_weight_and_the_margin_unless_it_is_left_out() -> None:
    reference, conditional, labels = logits(4, dtype=torch.float32)
    tensors = GuidanceProbe([0, 0.5, 1, 1.25])(reference, conditional, labels)
    names = ["guided_preds@0", "guided_preds@0.5", "guided_preds@1", "guided_preds@1.25", "margin"]
    assert list(tensors) == names
    for name, w in zip(names, (0, 0.5, 1, 1.25), strict=False):
        assert tensors[name].dtype == torch.uint8
        assert torch.equal(tensors[name].long(), guided(reference, conditional, w).argmax(-1))
    exact = advantage_margin(reference, conditional, labels)
    assert tensors["margin"].dtype == torch.float16
    torch.testing.assert_close(tensors["margin"].float(), exact, rtol=1e-3, atol=1e-7, equal_nan=True)
    assert list(GuidanceProbe([2], margin=False)(*logits(5))) == ["guided_preds@2"]


def test_margins_beyond_float16_stay_finite_and_a_zero_stays_zero() -> None:
    reference = torch.zeros(1, 3, 2)
    conditional = torch.tensor([[[0.0, 1e6], [0.0, 0.0], [1e-12, 0.0]]])
    margin = GuidanceProbe([])(reference, conditional, torch.zeros(1, 3, dtype=torch.int32))["margin"]
    assert margin.tolist() == [[-65504.0, 0.0, 2.0**-24]]


def test_guidance_weights_are_finite_numbers_of_different_names() -> None:
    weights: tuple[Any, ...] = (float("nan"), float("inf"), 1e7, "1", None)
    for weight in weights:
        with pytest.raises(UserError, match="guidance weight") as caught:
            GuidanceProbe([0.5, weight])
        assert "finite number" in caught.value.allowed
    with pytest.raises(UserError, match="two have one name"):
        GuidanceProbe([0.5, 0.50000001])
