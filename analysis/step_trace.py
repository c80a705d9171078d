"""What happens inside supervision steps on one example: fed tokens, targets, answers before and after, network calls.

L grid tokens, P puzzle tokens, D hidden, S supervision steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from analysis import style
from analysis.heat import Heat
from analysis.sheets import Sheet, Space
from dis_trm.guidance import advantage_margin
from trm.batch import Batch
from trm.model import TinyRecursiveModel
from trm.randomness import SeededStepRandom
from trm.recursion import Latents, make_call
from trm.supervision import Supervision
from trm_lab.commands.tables import signed
from trm_lab.puzzles.picture import Example, Picture

MOST_STEPS = 8  # in a figure
ROWS = ("fed", "before", "after", "target")  # of it, above the margins


@dataclass(frozen=True)
class TracedStep:
    """One supervision step of one example, `[L]` each.

    fed: tokens that were embedded.  before, after: what the head reads from the latents, argmax.  target: what the step
    is trained towards.  margin: the advantage margin at w = 1, nan where not scored.
    """

    fed: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    target: NDArray[np.int64]
    margin: NDArray[np.float64]


@dataclass(frozen=True)
class TracedCall:
    """One pass of the reasoning module.

    updated: name of a latent, such as `z_L`.  answer: `[L]` what the head reads from the latents afterwards.
    change: ‖new − old‖ / ‖old‖ of what was updated.
    """

    updated: str
    answer: NDArray[np.int64]
    change: float


@torch.no_grad()
def trace_steps(supervision: Supervision[Any], example: Batch, seed: int = 0) -> list[TracedStep]:
    """Answer one example from scratch and note each step, with the targets that training would draw with `seed`."""
    model = supervision.model
    was_training = model.training
    model.eval()
    rng = SeededStepRandom(seed, 0, 1)
    carry, steps = supervision.initial_carry(example), []
    reference = model.answer_logits(model.initial_latents(1))
    fed = example.inputs
    for _ in range(supervision.max_steps):
        output = supervision.step(carry, example, rng)
        carry = output.carry
        towards = getattr(supervision, "trained_towards", None)  # DIS has a target for each step; TRM's is the answer
        target = carry.labels if towards is None else towards(carry, rng)
        margin = advantage_margin(reference, output.logits, example.labels)
        before, after = _first(reference.argmax(-1)), _first(output.logits.argmax(-1))
        steps.append(TracedStep(_first(fed), before, after, _first(target), margin[0].double().numpy()))
        reference, fed = output.logits, getattr(carry, "fed", carry.inputs)
    model.train(was_training)
    return steps


@torch.no_grad()
def trace_calls(model: TinyRecursiveModel, latents: Latents, x: Tensor) -> Iterator[TracedCall]:
    """The network calls of one supervision step of one example, as `TinyRecursiveModel.recurse` makes them.

    x: `[1, P+L, D]`, the embedded question.
    """
    for call in model.config.calls:
        before, latents = latents, make_call(call, model.blocks, latents, x)
        yield TracedCall(call.updates, _read(model, latents), _change(before[call.updates], latents[call.updates]))


def steps_figure(picture: Picture, example: Example, steps: Sequence[TracedStep], heading: str) -> Figure:
    """Draw each step in a column: fed, answers before and after, target, and the margin."""
    shown = style.evenly_chosen(len(steps), MOST_STEPS)
    heat = Heat.over(np.stack([steps[place].margin for place in shown]))
    with style.applied():
        sheet = Sheet(
            columns=[picture.answer_width] * len(shown),
            titles=[f"step {place + 1}" for place in shown],
            rows=[*[Space(picture.height(example))] * len(ROWS), Space(picture.colours_height(example))],
            heading=heading,
            caption=[
                "Fed: the tokens embedded at this step. Before, after: what the head reads from the latents. Target: "
                "what the step is trained towards. Circles: not as in the solution.",
                "Margin: how much the step favoured the solution's token over the others, its mean below.",
            ],
            scale=True,
        )
        fig, rows = sheet.figure()
        for name, row in zip(ROWS, rows, strict=False):
            row.pictures[0].set_ylabel(name, fontsize=8, labelpad=3)
            for axes, place in zip(row.pictures, shown, strict=True):
                picture.draw_prediction(axes, example, getattr(steps[place], name), solved=False)
        rows[-1].pictures[0].set_ylabel("margin", fontsize=8, labelpad=3)
        for axes, place in zip(rows[-1].pictures, shown, strict=True):
            margin = steps[place].margin
            picture.draw_colours(axes, example, heat.rgb(margin))
            axes.set_xlabel(signed(float(np.nanmean(margin)), ".2f"), fontsize=7.5, labelpad=2)
        heat.draw_scale(sheet.scale_axes(fig))
    return fig


def _first(tokens: Tensor) -> NDArray[np.int64]:
    return tokens[0].long().numpy()


def _read(model: TinyRecursiveModel, latents: Latents) -> NDArray[np.int64]:
    return _first(model.answer_logits(latents).argmax(-1))


def _change(old: Tensor, new: Tensor) -> float:
    return float((new - old).float().norm() / old.float().norm())
