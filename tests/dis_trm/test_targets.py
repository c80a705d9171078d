"""Sources of step targets: what each of them, and each part of a corruption, promises."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dis_trm.reveal import DIRECTIONS, KERNELS, ORDERS, ROUNDS, SCHEDULES, clean_shares
from dis_trm.source import Prediction, TargetSettings
from dis_trm.supervision import DISConfig
from dis_trm.targets import TARGETS, Corruption, OnPolicy, Stored
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.randomness import SeededStepRandom

SLOTS, TOKENS, STEPS, VOCABULARY = 64, 50, 6, 12
FIXED = ("reveal", "mask", "replace")  # kernels whose frames are all there at the start
GRADUAL = sorted(set(SCHEDULES) - {"immediate"})


def example(seed: int) -> Batch:
    """Random questions, answers, orders of a solver, and stored steps whose distance never grows."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=generator, dtype=torch.int32)

    inputs, labels = tokens(0, VOCABULARY, SLOTS, TOKENS), tokens(1, VOCABULARY, SLOTS, TOKENS)
    same, unscored = (torch.rand(SLOTS, TOKENS, generator=generator) < share for share in (0.4, 0.2))
    labels = torch.where(same, inputs, labels)
    steps = torch.stack([torch.where(tokens(0, 4, SLOTS, TOKENS) < m, labels, inputs) for m in (1, 4)], 1)
    labels = torch.where(unscored, IGNORE_LABEL, labels)
    order = torch.where(unscored, 0, tokens(0, 9, SLOTS, TOKENS))
    return Batch(inputs, labels, torch.zeros(SLOTS, dtype=torch.int32), order, steps)


def small(answer: list[int], order: list[int] | None = None, question: int = 0) -> Batch:
    """One example: an answer of a few cells over an empty question."""
    labels = torch.tensor([answer], dtype=torch.int32)
    rounds = None if order is None else torch.tensor([order], dtype=torch.int32)
    return Batch(torch.full_like(labels, question), labels, torch.zeros(1, dtype=torch.int32), rounds)


def path(batch: Batch, seed: int = 0, **keys: Any) -> Tensor:
    config = TargetSettings(**{"halt_max_steps": STEPS, **keys})
    draws = SeededStepRandom(seed, 1, len(batch))
    return TARGETS[config.targets](config, VOCABULARY).start(batch, draws)["path"]


def monotone_settings() -> list[dict[str, str]]:
    """Every combination of keys whose source promises to come closer."""
    corruptions: list[dict[str, str]] = []
    for order, entry in {"published": None, **ORDERS}.items():
        for direction in DIRECTIONS if entry and entry.directed else ("forwards",):
            for schedule in (*SCHEDULES, ROUNDS) if order == "solver" else SCHEDULES:
                keys = {"target_order": order, "target_direction": direction, "target_schedule": schedule}
                corruptions += [{**keys, "target_kernel": kernel} for kernel in FIXED]
    return [*corruptions, {"targets": "stored"}]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["release", "ignore"]))
def test_targets_that_promise_it_come_closer_to_the_answer_and_reach_it(seed: int, pad_cells: str) -> None:
    batch = example(seed)
    scored = (batch.labels != IGNORE_LABEL)[:, None]
    for keys in monotone_settings():
        frames = path(batch, seed, **keys, pad_cells=pad_cells)
        wrong = ((frames != batch.labels[:, None]) & scored).sum((0, 2))
        assert bool((wrong.diff() <= 0).all()), keys
        assert torch.equal(frames[:, -1], batch.labels), keys


@pytest.mark.parametrize("pad_cells", ["release", "ignore"])
@pytest.mark.parametrize("schedule", GRADUAL)
@pytest.mark.parametrize("kernel", FIXED)
def test_a_path_nears_the_answer_and_ends_at_it(kernel: str, schedule: str, pad_cells: str) -> None:
    distances = torch.zeros(STEPS + 1)
    for seed in range(5):
        batch = example(seed)
        frames = path(batch, seed, target_kernel=kernel, target_schedule=schedule, pad_cells=pad_cells)
        right = frames == batch.labels[:, None]
        assert not bool((right[:, :-1] & ~right[:, 1:]).any())  # a cell once right stays right
        distances += (~right).float().mean((0, 2))
        unscored = (batch.labels == IGNORE_LABEL)[:, None].expand_as(frames)
        ever_trained = bool((frames[unscored] != IGNORE_LABEL).any())
        assert ever_trained == (pad_cells == "release")
    assert bool((distances.diff() < 0).all())


def test_only_sources_that_read_no_prediction_promise_to_come_closer() -> None:
    promises = {}
    for name in TARGETS:
        for kernel in KERNELS if name == "corruption" else ("reveal",):
            source = TARGETS[name](TargetSettings(targets=name, target_kernel=kernel), VOCABULARY)
            promises[f"{name} {kernel}"] = (source.monotone, source.reads_predictions)
    neither = {name for name, promise in promises.items() if promise == (False, True)}
    assert neither == {"corruption prediction", "on_policy reveal"}
    assert all(promise == (True, False) for name, promise in promises.items() if name not in neither)


def test_reveal_starts_at_the_question_and_shows_its_share_of_the_differing_cells() -> None:
    batch = example(3)
    inputs, labels, frames = batch.inputs, batch.labels, path(batch, 3)
    differing = (inputs != labels).sum(-1)
    assert torch.equal(frames[:, 0], inputs)
    for step in range(STEPS + 1):
        shown = ((frames[:, step] == labels) & (inputs != labels)).sum(-1)
        assert torch.equal(shown, step * differing // STEPS)
    agree = (inputs == labels)[:, None].expand_as(frames)
    assert torch.equal(frames[agree], inputs[:, None].expand_as(frames)[agree])


def test_mask_and_replace_corrupt_the_share_that_the_schedule_says() -> None:
    for kernel in ("mask", "replace"):
        corrupted = torch.zeros(STEPS + 1)
        for seed in range(30):
            batch = example(seed)
            frames = path(batch, seed, target_kernel=kernel, pad_cells="ignore")
            scored = (batch.labels != IGNORE_LABEL)[:, None]
            corrupted += ((frames != batch.labels[:, None]) & scored).sum((0, 2)) / scored.sum()
        pad = 0.4 / VOCABULARY  # share of answers that are the PAD token (`example`)
        chance = (1 - pad) / (VOCABULARY - 1) if kernel == "replace" else pad  # hits the answer itself
        expected = (1 - clean_shares("linear", STEPS)).float() * (1 - chance)
        torch.testing.assert_close(corrupted / 30, expected, atol=0.02, rtol=0)
        if kernel == "replace":  # never with PAD
            replaced = frames[:, 0][batch.labels != IGNORE_LABEL]
            assert (int(replaced.min()), int(replaced.max())) == (1, VOCABULARY - 1)


def test_schedules_rise_from_nothing_to_everything() -> None:
    for schedule in SCHEDULES:
        shares = clean_shares(schedule, STEPS)
        assert (shares[0], shares[-1]) == (0, 1)
        rises = shares.diff()
        assert bool((rises > 0).all()) if schedule in GRADUAL else rises.tolist() == [1, *[0] * (STEPS - 1)]


@pytest.mark.parametrize("kernel", FIXED)
def test_immediate_targets_are_the_answer_at_every_step(kernel: str) -> None:
    batch = example(3)
    frames = path(batch, target_kernel=kernel, target_schedule="immediate", pad_cells="ignore")
    assert all(torch.equal(frame, batch.labels) for frame in frames[:, 1:].unbind(1))


def test_published_is_random_for_reveal_and_each_cell_s_own_rate_for_mask_and_replace() -> None:
    for kernel, order in (("reveal", "random"), ("mask", "rate"), ("replace", "rate")):
        published = path(example(1), target_kernel=kernel)
        assert torch.equal(published, path(example(1), target_kernel=kernel, target_order=order))
    assert not torch.equal(published, path(example(1), target_kernel="replace", target_order="random"))


@pytest.mark.parametrize(
    ("direction", "shown"),
    [
        ("forwards", [[1, 0, 0, 0], [1, 2, 0, 0], [1, 2, 3, 0]]),
        ("backwards", [[0, 0, 0, 4], [0, 0, 3, 4], [0, 2, 3, 4]]),
    ],
)
def test_reading_reveals_cell_after_cell(direction: str, shown: list[list[int]]) -> None:
    frames = path(small([1, 2, 3, 4]), halt_max_steps=4, target_order="reading", target_direction=direction)
    assert frames[0, 1:4].tolist() == shown


def test_both_ends_meet_in_the_middle() -> None:
    frames = path(small([1, 2, 3, 4]), halt_max_steps=2, target_order="reading", target_direction="both_ends")
    assert frames[0, 1].tolist() == [1, 0, 0, 4]
    keys = {"target_order": "solver", "target_direction": "both_ends", "target_schedule": "rounds"}
    frames = path(small([7, 8, 9, 5, 6], [1, 2, 3, 4, 5]), halt_max_steps=3, **keys)
    assert frames[0, 1:].tolist() == [[7, 0, 0, 0, 6], [7, 8, 0, 5, 6], [7, 8, 9, 5, 6]]


def test_cells_that_agree_with_the_question_are_not_counted_in_reading_order() -> None:
    batch = replace(small([1, 2, 3, 4]), inputs=torch.tensor([[1, 0, 3, 0]], dtype=torch.int32))
    assert path(batch, halt_max_steps=2, target_order="reading")[0].tolist() == [
        [1, 0, 3, 0],
        [1, 2, 3, 0],
        [1, 2, 3, 4],
    ]


def test_a_solver_s_rounds_are_spread_evenly_over_the_steps() -> None:
    batch = small([1, 2, 3, 4, 5, 6], [3, 1, 1, 2, 1, 3])
    frames = path(batch, halt_max_steps=2, target_order="solver", target_schedule="rounds")  # step 1: ⌈3·1/2⌉ rounds
    assert frames[0, 1].tolist() == [0, 2, 3, 4, 5, 0]
    frames = path(batch, halt_max_steps=6, target_order="solver", target_schedule="rounds")
    assert [int((frame != 0).sum()) for frame in frames[0]] == [0, 3, 3, 4, 4, 6, 6]


def test_linear_counts_a_solver_s_cells_and_breaks_ties_within_a_round_at_random() -> None:
    batch = small([1, 2, 3, 4, 5, 6], [2, 1, 1, 1, 1, 2])
    first = {tuple(path(batch, seed, halt_max_steps=3, target_order="solver")[0, 1].tolist()) for seed in range(40)}
    assert len(first) == 6  # two of the four cells of round 1
    assert all(frame[0] == frame[5] == 0 and sum(token != 0 for token in frame) == 2 for frame in first)


@pytest.mark.parametrize("schedule", ["linear", "rounds"])
def test_cells_that_a_solver_s_order_leaves_out_show_the_answer_from_the_first_frame(schedule: str) -> None:
    batch = small([1, IGNORE_LABEL, 3, 4], [0, 0, 2, 1])
    frames = path(batch, halt_max_steps=2, target_order="solver", target_schedule=schedule)
    assert frames[0].tolist() == [[1, -100, 0, 0], [1, -100, 0, 4], [1, -100, 3, 4]]


def test_prediction_shows_what_the_model_last_predicted_where_a_cell_is_hidden() -> None:
    settings = TargetSettings(halt_max_steps=4, target_kernel="prediction", target_order="reading")
    source, draws = Corruption(settings, VOCABULARY), SeededStepRandom(0, 1, 1)
    batch = replace(small([1, 2, 3, 4]), inputs=torch.tensor([[1, 0, 0, 0]], dtype=torch.int32))
    plan = source.start(batch, draws)
    latest = Prediction(torch.full((1, 4), 9, dtype=torch.int32), torch.zeros(1, 4))
    frames = [source.target(step, plan, batch.labels, latest, draws)[0].tolist() for step in range(5)]
    assert frames == [[1, 9, 9, 9], [1, 9, 9, 9], [1, 2, 9, 9], [1, 2, 3, 9], [1, 2, 3, 4]]


def test_stored_frames_are_spread_over_the_steps_from_the_question_to_the_answer() -> None:
    batch = small([5, 5])
    batch = replace(batch, stored_steps=torch.tensor([[[1, 5], [2, 5], [5, 5]]], dtype=torch.int32))
    for steps, numbers in ((3, [1, 2, 5]), (2, [2, 5]), (6, [1, 1, 2, 2, 5, 5]), (1, [5])):
        frames = Stored(TargetSettings(halt_max_steps=steps), VOCABULARY).path(batch, SeededStepRandom(0, 1, 1))
        assert frames[0, :, 0].tolist() == [0, *numbers]  # 0: the question


def mended(wrong: int, step: int, log_probabilities: list[float], seed: int = 0, **keys: Any) -> list[int]:
    """The cells that `on_policy` mends, of `wrong` wrong ones before a right one and one without a label."""
    source = OnPolicy(TargetSettings(halt_max_steps=4, targets="on_policy", **keys), VOCABULARY)
    labels = torch.tensor([[*[7] * wrong, 3, IGNORE_LABEL]], dtype=torch.int32)
    latest = Prediction(torch.full_like(labels, 3), torch.tensor([log_probabilities]))
    target = source.target(step, {}, labels, latest, SeededStepRandom(seed, 1, 1))[0]
    assert target[wrong:].tolist() == [3, IGNORE_LABEL if step == 4 else 3]
    return [place for place in range(wrong) if target[place] == 7]


def test_on_policy_mends_the_cells_of_which_the_model_is_most_confidently_wrong() -> None:
    confidence = [-4.0, -1.0, -3.0, -2.0, -5.0, -0.1, -0.1]  # of five wrong cells, a right one, one without a label
    assert mended(5, 1, confidence) == [1, 3]  # ⌈5 / 4⌉
    assert mended(5, 2, confidence) == [1, 3]  # ⌈5 / 3⌉
    assert mended(5, 3, confidence) == [1, 2, 3]  # ⌈5 / 2⌉
    assert mended(5, 4, confidence) == [0, 1, 2, 3, 4]


def test_on_policy_breaks_ties_at_random_and_follows_the_schedule() -> None:
    alike = [0.0] * 6
    assert {tuple(mended(4, 1, alike, seed)) for seed in range(40)} == {(0,), (1,), (2,), (3,)}
    cosine = [len(mended(20, step, [0.0] * 22, target_schedule="cosine")) for step in (1, 2, 3, 4)]
    assert [len(mended(4, step, alike, target_schedule="immediate")) for step in (1, 2, 4)] == [4, 4, 4]
    assert cosine == [2, 5, 10, 20]  # ⌈20·(c_s − c_{s−1}) / (1 − c_{s−1})⌉, c = 0, 0.076, 0.293, 0.617, 1


def test_on_policy_reaches_the_answer_whatever_the_model_predicts() -> None:
    batch = example(5)
    source = OnPolicy(TargetSettings(targets="on_policy"), VOCABULARY)
    latest = Prediction(batch.inputs, torch.zeros(SLOTS, TOKENS))
    assert torch.equal(source.target(6, {}, batch.labels, latest, SeededStepRandom(0, 1, SLOTS)), batch.labels)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"targets": "on_policy", "target_kernel": "mask"}, "arch.target_kernel=mask with arch.targets=on_policy"),
        ({"targets": "stored", "target_schedule": "cosine"}, "arch.target_schedule=cosine with arch.targets=stored"),
        ({"targets": "stored", "mask_token": 3}, "arch.mask_token=3 with arch.targets=stored"),
        ({"target_direction": "backwards"}, "arch.target_order=published, which has no direction"),
        ({"target_direction": "both_ends", "target_order": "random"}, "which has no direction"),
        ({"target_schedule": "rounds"}, "which has no rounds"),
        ({"target_schedule": "rounds", "targets": "on_policy"}, "which has no rounds"),
    ],
)
def test_a_setting_that_nothing_would_read_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match="allowed:") as caught:
        DISConfig(**keys)
    assert words in caught.value.given


def test_every_key_of_the_targets_has_a_default_that_older_runs_had() -> None:
    old = {"halt_max_steps": 6, "target_kernel": "reveal", "target_schedule": "linear", "pad_cells": "release"}
    new = {"targets": "corruption", "target_order": "published", "target_direction": "forwards", "mask_token": 0}
    assert {key.name: key.default for key in fields(TargetSettings)} == old | new
