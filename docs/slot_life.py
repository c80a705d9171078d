"""Draws docs/slot_life.png: which example each slot of a batch works on, update after update. Run it by its path.

TRM and DIS take supervision steps as in training, on random tokens; the picture shows what their carries say. The
halting head of TRM's network is random too, so that slots halt at different steps. B slots, U updates.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from analysis import style
from dis_trm.supervision import DISConfig, DISSupervision
from trm.act import ACTConfig, ACTSupervision
from trm.batch import Batch
from trm.model import PuzzleShape, TinyRecursiveModel, TRMConfig
from trm.randomness import SeededStepRandom

SLOTS, UPDATES, STEPS = 4, 14, 6
SHADES = ("#BBD7EA", "#F3CFA8")


@dataclass(frozen=True)
class Lives:
    """What the slots held after each update: the update whose batch the example came from, from 1, and the step.

    Both `[U, B]`.
    """

    origin: Tensor
    steps: Tensor


def numbered_batch(update: int) -> Batch:
    """Random tokens whose puzzle identifiers tell the update."""
    tokens = torch.randint(1, 8, (SLOTS, 9), generator=torch.Generator().manual_seed(update), dtype=torch.int32)
    return Batch(tokens, tokens.flip(1), torch.full((SLOTS,), update, dtype=torch.int32))


def lives(supervision: Any) -> Lives:
    """Take UPDATES supervision steps, as training does, each offered a batch of its own."""
    carry, origins, steps = supervision.initial_carry(numbered_batch(0)), [], []
    for update in range(1, UPDATES + 1):
        rng = SeededStepRandom(0, update, SLOTS)
        carry = supervision.step(carry, numbered_batch(update), rng).carry
        origins.append(carry.puzzle_identifiers)
        steps.append(carry.steps)
    return Lives(torch.stack(origins), torch.stack(steps))


def network(step_rows: int = 0) -> TinyRecursiveModel:
    """A network whose halting head is random instead of shut."""
    config = TRMConfig(16, 2, L_layers=1, H_cycles=1, L_cycles=2, puzzle_emb_ndim=0, forward_dtype="float32")
    model = TinyRecursiveModel(config, PuzzleShape(9, 8, UPDATES + 1), step_rows)
    with torch.no_grad():
        model.q_head.weight.normal_(std=0.4, generator=torch.Generator().manual_seed(3))
        model.q_head.bias.zero_()
    return model


def trm_lives() -> Lives:
    """TRM's slots: each halts on its own."""
    return lives(ACTSupervision(network(), ACTConfig(halt_max_steps=STEPS)))


def dis_lives() -> Lives:
    """DIS's slots: all take N steps together."""
    settings = DISConfig(halt_max_steps=STEPS)
    return lives(DISSupervision(network(DISSupervision.step_rows(settings)), settings))


def draw(axes: Axes, held: Lives, title: str) -> None:
    """A row for each slot, a column for each update; a box for each example, with its supervision steps."""
    for slot in range(SLOTS):
        examples = 0
        for update in range(UPDATES):
            step = int(held.steps[update, slot])
            examples += step == 1
            box = Rectangle((update + 0.5, slot - 0.4), 1, 0.8, facecolor=SHADES[examples % 2], edgecolor="none")
            axes.add_patch(box)
            axes.text(update + 1, slot + 0.14, str(step), ha="center", va="center", fontsize=9.5)
            if step == 1:
                axes.plot([update + 0.5] * 2, [slot - 0.4, slot + 0.4], color="black", linewidth=1.6)
                origin = f"batch {held.origin[update, slot]}"
                axes.text(update + 0.57, slot - 0.33, origin, fontsize=6.2, va="top")
    axes.set(xlim=(0.45, UPDATES + 0.55), ylim=(SLOTS - 0.5, -0.5), title=title)
    axes.set_xticks(range(1, UPDATES + 1), [str(update) for update in range(1, UPDATES + 1)])
    axes.set_yticks(range(SLOTS), [f"slot {slot}" for slot in range(1, SLOTS + 1)])
    axes.tick_params(length=0)
    axes.grid(False)


def main() -> None:
    """Write the picture."""
    with style.applied():
        figure = Figure(figsize=(9.2, 4.9), layout="constrained")
        above, below = figure.subplots(2)
        draw(
            above, trm_lives(), f"TRM: a slot takes its next example when it halts, after N_sup = {STEPS} steps at most"
        )
        draw(below, dis_lives(), f"DIS: every slot takes exactly N = {STEPS} steps, all slots at once")
        below.set_xlabel(
            "update (optimizer step); in the boxes: supervision step, and the batch that the example is from"
        )
        figure.savefig(Path(__file__).with_name("slot_life.png"), dpi=150)


if __name__ == "__main__":
    main()
