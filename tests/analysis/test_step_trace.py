"""Inside a step: what is noted is what the model and the supervision do, and the figure shows it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from analysis.step_trace import steps_figure, trace_calls, trace_steps
from dis_trm.guidance import advantage_margin
from dis_trm.supervision import DISConfig, DISSupervision
from tests.analysis.small_puzzles import PUZZLES
from trm.act import ACTConfig, ACTSupervision
from trm.batch import Batch
from trm.model import PuzzleShape, TinyRecursiveModel, TRMConfig
from trm.randomness import SeededStepRandom
from trm.recursion import RECURSIONS
from trm_lab.evaluation.rollout import roll_out
from trm_lab.puzzles.sudoku.picture import SudokuPicture

PUZZLE = PUZZLES["sudoku"]
NETWORK = TRMConfig(
    hidden_size=16, num_heads=2, L_layers=1, H_cycles=2, L_cycles=3, puzzle_emb_ndim=0, puzzle_emb_len=0,
    forward_dtype="float32",
)  # fmt: skip
SHAPE = PuzzleShape(seq_len=16, vocab_size=6, num_puzzle_identifiers=1)


def dis(**switches: str) -> DISSupervision:
    config = DISConfig(halt_max_steps=4, **switches)
    return DISSupervision(TinyRecursiveModel(NETWORK, SHAPE, DISSupervision.step_rows(config)), config)


def trm() -> ACTSupervision:
    return ACTSupervision(TinyRecursiveModel(NETWORK, SHAPE), ACTConfig(halt_max_steps=4))


@pytest.fixture
def example() -> Batch:
    inputs, labels = (torch.from_numpy(part[None]).int() for part in (PUZZLE.inputs, PUZZLE.labels))
    return Batch(inputs, labels, torch.zeros(1, dtype=torch.int32))


@pytest.mark.parametrize("supervision", [dis(), dis(feed="question"), trm()], ids=["dis", "dis_paper", "trm"])
def test_the_answers_are_those_of_a_rollout(supervision: DISSupervision, example: Batch) -> None:
    steps = trace_steps(supervision, example)
    assert supervision.model.training  # as it was
    supervision.model.eval()
    rolled = roll_out(supervision, example, SeededStepRandom(0, 0, 1))
    np.testing.assert_array_equal([step.after for step in steps], rolled.predictions[0].numpy())
    for earlier, later in pairwise(steps):
        np.testing.assert_array_equal(later.before, earlier.after)


def test_dis_feeds_and_targets_what_its_switches_say_and_trm_always_the_answer(example: Batch) -> None:
    released, written = trace_steps(dis(), example), trace_steps(dis(feed="question"), example)
    np.testing.assert_array_equal(released[0].fed, PUZZLE.inputs)
    for earlier, later in pairwise(released):
        np.testing.assert_array_equal(later.fed, earlier.after)
    assert all((step.fed == PUZZLE.inputs).all() for step in written)
    wrong = [int((step.target != PUZZLE.labels).sum()) for step in released]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0] > wrong[-1] == 0
    assert all((step.target == PUZZLE.labels).all() for step in trace_steps(trm(), example))


def test_the_margin_is_that_of_the_logits_before_and_after(example: Batch) -> None:
    supervision = trm()
    first = trace_steps(supervision, example)[0]
    model = supervision.model.eval()
    with torch.no_grad():
        start = model.initial_latents(1)
        after = model.answer_logits(model.recurse(start, model.embed(example.inputs, None)))
        margin = advantage_margin(model.answer_logits(start), after, example.labels)
    np.testing.assert_allclose(first.margin, margin[0].numpy())


def test_the_calls_of_a_step_are_those_of_the_recursion(example: Batch) -> None:
    model = trm().model.eval()
    x, start = model.embed(example.inputs, None), model.initial_latents(1)
    calls = list(trace_calls(model, start, x))
    assert [call.updated for call in calls] == ["z_L", "z_L", "z_L", "z_H"] * 2
    assert len(calls) == NETWORK.network_calls
    with torch.no_grad():
        answer = model.answer_logits(model.recurse(start, x)).argmax(-1)
    np.testing.assert_array_equal(calls[-1].answer, answer[0].numpy())
    assert all(call.change > 0 for call in calls)


def test_the_figure_has_a_column_for_each_step_and_a_row_for_what_is_noted(example: Batch) -> None:
    steps = trace_steps(dis(), example)
    fig = steps_figure(SudokuPicture(PUZZLE.facts), PUZZLE.example, steps, "heading")
    panels = np.array(fig.axes[:-1], dtype=object).reshape(5, 4)
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["fed", "before", "after", "target", "margin"]
    assert [axes.get_title() for axes in panels[0]] == [f"step {n}" for n in range(1, 5)]
    written = [text.get_text() for text in panels[3, -1].texts]
    assert written == [str(token - 1) for token in PUZZLE.labels]
    assert panels[4, 0].get_xlabel() == f"{steps[0].margin.mean():+.2f}".replace("-", "−")


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_the_calls_of_every_recursion_are_traced_to_the_answer_of_the_step(recursion: str, example: Batch) -> None:
    model = TinyRecursiveModel(replace(NETWORK, recursion=recursion), SHAPE)
    x, start = model.embed(example.inputs, None), model.initial_latents(1)
    calls = list(trace_calls(model, start, x))
    assert [call.updated for call in calls] == [call.updates for call in model.config.calls]
    with torch.no_grad():
        answer = model.answer_logits(model.recurse(start, x)).argmax(-1)
    np.testing.assert_array_equal(calls[-1].answer, answer[0].numpy())
