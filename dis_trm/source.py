"""What a source of step targets (Φ) is. A new one is a class like those in `dis_trm/targets.py`, and a line there.

B slots, L grid tokens, N supervision steps. Step s of 1..N is trained towards frame s; frame 0 is where an example
starts, frame N is y*.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from trm.batch import Batch
from trm.randomness import StepRandom
from trm.ranges import MOST_STEPS, ranged

Plan = Mapping[str, Tensor]


@dataclass(frozen=True)
class TargetSettings:
    """The keys of `arch` that say where the targets come from; the defaults are the released code.

    halt_max_steps: N, the exact number of supervision steps.
    targets: the source of the step targets, one of `dis_trm.targets.TARGETS`.
    target_kernel: what a cell shows until it is revealed: `reveal` the question, and only cells in which y* differs
      are hidden (released code); `mask` the mask token, `replace` a random token, and all cells are hidden (paper);
      `prediction` what the model predicted there at the step before, of the cells that `reveal` hides.
    target_order: in which order cells are revealed: `published` (`random` for reveal and prediction, `rate` for mask
      and replace); `random`; `rate`, each with its own probability; `reading`; `solver`, of the dataset.
    target_direction: of the orders `reading` and `solver`: `forwards`, `backwards`, `both_ends` inwards.
    target_schedule: how many cells frame s shows: `linear`, `cosine`, `immediate` (all from step 1 on); or `rounds`
      ⌈R·s/N⌉ of a solver's R.
    pad_cells: cells without a label: `release` trains them towards what the frame shows until they are revealed;
      `ignore` never.
    mask_token: what `mask` shows.
    """

    halt_max_steps: int = ranged(6, 1, MOST_STEPS)
    targets: str = "corruption"
    target_kernel: str = "reveal"
    target_order: str = "published"
    target_direction: str = "forwards"
    target_schedule: str = "linear"
    pad_cells: str = "release"
    mask_token: int = ranged(0, 0, 65_535)


@dataclass(frozen=True)
class Prediction:
    """What the model answered at the step before: tokens `[B, L]` int32 and their log-probabilities `[B, L]`.

    Before the first step: the question, with log-probability 0.
    """

    tokens: Tensor
    log_probabilities: Tensor


class Targets(Protocol):
    """Φ: a source of step targets."""

    monotone: bool  # promises that targets only come closer to y*
    reads_predictions: bool  # targets depend on the model's prediction at the step before
    batch_extras: tuple[str, ...]  # optional parts of a Batch that `start` reads

    def start(self, batch: Batch, rng: StepRandom) -> dict[str, Tensor]:
        """The plan of examples that start: tensors `[B, …]`, carried until the examples end."""
        ...

    def target(self, step: int, plan: Plan, labels: Tensor, latest: Prediction | None, rng: StepRandom) -> Tensor:
        """Frame `step` of 0..N, `[B, L]` int32; labels: y* `[B, L]`.  latest: if it reads predictions."""
        ...


class PathTargets(ABC):
    """A source whose frames are all there when an example starts; a subclass has `path`."""

    monotone = True
    reads_predictions = False
    batch_extras: tuple[str, ...] = ()

    def __init__(self, settings: TargetSettings, vocab_size: int) -> None:
        self.settings, self.steps, self.vocab_size = settings, settings.halt_max_steps, vocab_size

    @abstractmethod
    def path(self, batch: Batch, rng: StepRandom) -> Tensor:
        """Frames 0..N `[B, N+1, L]` int32; frame N is y*."""

    def start(self, batch: Batch, rng: StepRandom) -> dict[str, Tensor]:
        """See `Targets`."""
        return {"path": self.path(batch, rng)}

    def target(self, step: int, plan: Plan, labels: Tensor, latest: Prediction | None, rng: StepRandom) -> Tensor:
        """See `Targets`."""
        return plan["path"][:, step]
