"""Φ: the sources of step targets, and their registry.

B slots, L grid tokens, M stored frames, N supervision steps. DIS, arXiv 2511.16886 v2, §3.2, and its published code
(docs/method.md, "Sources of targets"). What a source is: `dis_trm/source.py`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dis_trm.reveal import KERNELS, ORDERS, PUBLISHED, ROUNDS, clean_share, shown_cells
from dis_trm.source import PathTargets, Plan, Prediction, Targets, TargetSettings
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.randomness import StepRandom

CORRUPTION_KEYS = ("target_kernel", "target_order", "target_direction", "target_schedule", "mask_token")
"""Keys of `arch` that some sources read: those that a class names in `reads`; the others must have their default."""


class Corruption(PathTargets):
    """A corruption of y* that is taken back cell by cell; its parts are those of `dis_trm.reveal`.

    A cell is hidden up to some step and shows y* from then on: unless a hidden cell shows the model's prediction, which
    may change, frames only ever come closer to y*.
    """

    reads = CORRUPTION_KEYS

    def __init__(self, settings: TargetSettings, vocab_size: int) -> None:
        super().__init__(settings, vocab_size)
        self.kernel, order = KERNELS[settings.target_kernel], settings.target_order
        self.order = ORDERS[self.kernel.published_order if order == PUBLISHED else order]
        self.batch_extras = self.order.batch_extras
        self.reads_predictions = self.kernel.shows is None
        self.monotone = not self.reads_predictions

    def start(self, batch: Batch, rng: StepRandom) -> dict[str, Tensor]:
        """See `Targets`: `path`, or where the frames are not there yet `shown_at` `[B, L]`, the first that shows y*."""
        if self.kernel.shows is None:
            return {"shown_at": (~self._shown(batch, rng)).sum(1, dtype=torch.int32)}
        return super().start(batch, rng)

    def path(self, batch: Batch, rng: StepRandom) -> Tensor:
        """See `PathTargets`."""
        assert self.kernel.shows is not None
        corrupt = self.kernel.shows(batch, rng, self.settings.mask_token, self.vocab_size)
        return torch.where(self._shown(batch, rng), batch.labels[:, None], corrupt[:, None]).int()

    def target(self, step: int, plan: Plan, labels: Tensor, latest: Prediction | None, rng: StepRandom) -> Tensor:
        """See `Targets`."""
        if latest is None:
            return super().target(step, plan, labels, latest, rng)
        return torch.where(plan["shown_at"] <= step, labels, latest.tokens)

    def _shown(self, batch: Batch, rng: StepRandom) -> Tensor:
        """`[B, N+1, L]` bool: the cells that already show y* in frame s."""
        scores = rng.uniform("target scores", batch.labels.shape[1]).to(batch.labels.device, non_blocking=True)
        hidden, settings = self.kernel.hidden(batch), self.settings
        if settings.pad_cells == "ignore":
            hidden = hidden & (batch.labels != IGNORE_LABEL)
        how = (self.order, settings.target_direction, settings.target_schedule, self.steps)
        return shown_cells(hidden, batch, scores, *how)


class Stored(PathTargets):
    """Frames that the dataset carries, such as a solver's or a teacher's: step s has frame ⌈s·M/N⌉ of 1..M."""

    batch_extras: tuple[str, ...] = ("stored_steps",)

    def path(self, batch: Batch, rng: StepRandom) -> Tensor:
        """See `PathTargets`; frame 0 is the question."""
        stored = batch.stored_steps
        assert stored is not None
        numbers = [math.ceil(s * stored.shape[1] / self.steps) for s in range(1, self.steps)]
        return torch.stack([batch.inputs, *(stored[:, n - 1] for n in numbers), batch.labels], 1).int()


class OnPolicy:
    """The model's own prediction with a few of its wrong cells mended: those of which it was most confident.

    Step s mends ⌈wrong·(c_s − c_{s−1}) / (1 − c_{s−1})⌉ of them; linear: wrong / (N − s + 1). So step N mends all.
    Cells without a label are as predicted up to step N, and not counted.
    """

    monotone = False
    reads_predictions = True
    batch_extras: tuple[str, ...] = ()
    reads = ("target_schedule",)

    def __init__(self, settings: TargetSettings, vocab_size: int) -> None:
        self.schedule, self.steps = settings.target_schedule, settings.halt_max_steps

    def start(self, batch: Batch, rng: StepRandom) -> dict[str, Tensor]:
        """See `Targets`; nothing is remembered."""
        return {}

    def target(self, step: int, plan: Plan, labels: Tensor, latest: Prediction | None, rng: StepRandom) -> Tensor:
        """See `Targets`."""
        assert latest is not None
        if step in (0, self.steps):
            return latest.tokens if step == 0 else labels
        wrong = (latest.tokens != labels) & (labels != IGNORE_LABEL)
        before, now = (clean_share(self.schedule, s, self.steps) for s in (step - 1, step))
        share = (now - before) / (1 - before) if before < 1 else 1.0
        count = (wrong.sum(-1, keepdim=True).double() * share - 1e-9).ceil()  # [B, 1]
        ties = rng.uniform("target ties", labels.shape[1]).to(labels.device, non_blocking=True).argsort(dim=-1)
        confidence = latest.log_probabilities.masked_fill(~wrong, -torch.inf).gather(-1, ties)
        order = ties.gather(-1, confidence.argsort(dim=-1, descending=True, stable=True))
        mended = wrong & (order.argsort(dim=-1) < count)
        return torch.where(mended, labels, latest.tokens)


TARGETS: dict[str, Callable[[TargetSettings, int], Targets]] = {
    "corruption": Corruption,
    "stored": Stored,
    "on_policy": OnPolicy,
}
"""Every source by its name, `arch.targets`: made from the settings and the vocabulary's size V."""


def check_targets(settings: TargetSettings) -> None:
    """UserError for a setting that nothing would read, or that needs another beside it."""
    source, order = f"arch.targets={settings.targets}", f"arch.target_order={settings.target_order}"
    reads = getattr(TARGETS[settings.targets], "reads", ())
    for key in (key for key in CORRUPTION_KEYS if key not in reads):
        default = getattr(TargetSettings, key)
        if getattr(settings, key) != default:
            raise UserError(
                f"arch.{key}={getattr(settings, key)} with {source}, which does not read it",
                f"arch.{key}={default}; of these keys {settings.targets} reads {', '.join(reads) or 'none'}",
                f"leave arch.{key} out, or set arch.targets=corruption",
            )
    directed = [name for name, entry in ORDERS.items() if entry.directed]
    if settings.target_direction != TargetSettings.target_direction and settings.target_order not in directed:
        raise UserError(
            f"arch.target_direction={settings.target_direction} with {order}, which has no direction",
            f"arch.target_order={' | '.join(directed)}",
            "set one of these orders, or leave arch.target_direction out",
        )
    if settings.target_schedule == ROUNDS and settings.target_order != "solver":
        raise UserError(
            f"arch.target_schedule={ROUNDS} with {source} {order}, which has no rounds",
            "arch.targets=corruption arch.target_order=solver",
            "set both, or another arch.target_schedule",
        )


EXTRAS = {  # parts of a batch that a dataset may lack: what they are, and how a dataset gets them
    "reveal_order": ("the order in which a solver finds the cells", "with a builder whose solver knows one"),
    "stored_steps": ("stored steps", "with --steps N"),
}


def missing_extra(settings: TargetSettings, name: str) -> UserError:
    """The error for a batch without a part that the source reads."""
    what, how = EXTRAS[name]
    return UserError(
        f"arch.targets={settings.targets} arch.target_order={settings.target_order} on data without {what}",
        f"data that have {what}, or targets that need none (arch.target_order=random)",
        f"build the dataset anew {how}, or choose other targets",
    )
