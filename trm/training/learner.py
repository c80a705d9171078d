"""What is trained, and how one supervision step changes it. B global batch (slots), b slots of this rank."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW

from trm.distributed import Ranks
from trm.errors import UserError
from trm.optim import EMA, AdamAtan2, learning_rate, make_optimizer
from trm.puzzle_embedding import SignSGD
from trm.puzzles.batch import Batch
from trm.randomness import SeededStepRandom
from trm.supervision import Carry, StepOutput, Supervision
from trm.training.config import TrainConfig


class NonFiniteError(UserError):
    """A loss, gradient or weight is nan or infinite; nothing was updated or saved with it."""


class Learner:
    """Weights, optimizers, moving average and slots; `step` is the whole of training.

    Args:
        config: of the run.
        supervision: with its model on the rank's device.
        ranks: this process among all.
        total_steps: updates of the whole schedule, for the learning rate.
    """

    def __init__(
        self, config: TrainConfig, supervision: Supervision[Any], ranks: Ranks, total_steps: int
    ) -> None:
        self.config, self.supervision, self.ranks, self.total_steps = config, supervision, ranks, total_steps
        self.model = supervision.model.train()
        if config.freeze_weights:
            self.model.requires_grad_(False)
        self.parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        betas = (config.beta1, config.beta2)
        self.optimizer = (
            make_optimizer(
                config.optimizer, self.parameters.values(), betas, config.weight_decay, ranks.device
            )
            if self.parameters
            else None
        )
        puzzle_emb = self.model.puzzle_emb
        if config.freeze_weights and puzzle_emb is None:
            raise UserError(
                "freeze_weights=True with arch.puzzle_emb_ndim=0",
                "frozen weights with a puzzle embedding to train",
                "drop one of the two",
            )
        self.sign_sgd = SignSGD(puzzle_emb, config.puzzle_emb_weight_decay, ranks) if puzzle_emb else None
        self.ema = EMA(self.model, config.ema_rate) if config.ema else None
        self.carry: Carry | None = None
        self.steps_done = 0

    def step(self, batch: Batch) -> tuple[StepOutput[Any], float]:
        """Forward, loss, backward, reduction over the ranks, update; the step's output and its loss per example.

        Raises:
            NonFiniteError: before anything is updated.
        """
        number = self.steps_done + 1
        if self.carry is None:
            self.carry = self.supervision.initial_carry(batch)
        output = self.supervision.step(self.carry, batch, self._draws(number))
        loss = self._global_loss(output, number)
        (output.loss / self.config.global_batch_size).backward()
        self.ranks.sum_gradients_(self.parameters.values())
        self._check_gradients(number)
        self._update(number)
        self.carry, self.steps_done = output.carry, number
        return output, loss

    def free_slots(self) -> NDArray[np.bool_] | None:
        """This rank's slots `[b]` that take new data in the next step; None: all of them."""
        if self.carry is None:
            return None
        if self.supervision.fixed_steps:  # known without asking the device
            starts = self.steps_done % self.supervision.max_steps == 0
            return np.full(len(self.carry.halted), starts)
        return self.carry.halted.cpu().numpy()

    def lr(self, base: float, number: int) -> float:
        """The learning rate of update `number`, 1 being the first."""
        return learning_rate(
            base, number, self.config.lr_warmup_steps, self.total_steps, self.config.lr_min_ratio
        )

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Everything that may influence the next step but the step number; the carry holds all ranks' slots.

        Raises:
            NonFiniteError: a weight is not finite, so that no checkpoint ever holds one.
        """
        if not _all_finite(self.model.state_dict().values()):
            raise _non_finite(f"a weight after step {self.steps_done}")
        carry = self.carry.tensors() if self.carry is not None else {}
        return {
            "model": self.model.state_dict(),
            "ema": dict(self.ema.shadow) if self.ema is not None else {},
            "optimizer": dict(self._moments()),
            "carry": {name: self.ranks.gather_rows(tensor) for name, tensor in carry.items()},
        }

    def restore(self, steps_done: int, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go back to where `tensors` was called, on any number of ranks."""
        device = self.ranks.device
        self.steps_done = steps_done
        self.model.load_state_dict(dict(parts["model"]))
        if self.ema is not None:
            self.ema.shadow = {name: tensor.to(device) for name, tensor in parts["ema"].items()}
        if parts["optimizer"]:
            self._restore_moments(parts["optimizer"])
        if parts["carry"]:
            self._restore_carry(parts["carry"])

    def _draws(self, number: int) -> SeededStepRandom:
        """This step's random numbers, for this rank's slots."""
        first, slots = self.ranks.local_slots(self.config.global_batch_size)
        return SeededStepRandom(self.config.seed, number, self.config.global_batch_size, first, slots)

    def _global_loss(self, output: StepOutput[Any], number: int) -> float:
        summed = self.ranks.sum_(output.loss.detach().double().clone())
        loss = summed.item() / self.config.global_batch_size
        if not math.isfinite(loss):
            raise _non_finite(f"the loss of step {number} ({loss})")
        return loss

    def _check_gradients(self, number: int) -> None:
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        if not _all_finite(gradients):
            raise _non_finite(f"a gradient of step {number}")

    def _update(self, number: int) -> None:
        if self.sign_sgd is not None:
            self.sign_sgd.step(self.lr(self.config.puzzle_emb_lr, number))
        if self.optimizer is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr(self.config.lr, number)
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.ema is not None:
            self.ema.update(self.model)

    def _moments(self) -> Iterator[tuple[str, Tensor]]:
        """The optimizer's tensors as `<parameter>/<moment>`."""
        if self.optimizer is None:
            return
        for name, parameter in self.parameters.items():
            for moment, value in self.optimizer.state.get(parameter, {}).items():
                yield f"{name}/{moment}", value

    def _restore_moments(self, moments: Mapping[str, Tensor]) -> None:
        assert self.optimizer is not None
        order = {name: index for index, name in enumerate(self.parameters)}
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            name, moment = key.rsplit("/", 1)
            state.setdefault(order[name], {})[moment] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if not isinstance(self.optimizer, AdamAtan2 | AdamW):  # the extension counts steps on the device
            for kept in self.optimizer.state.values():
                kept["step"] = kept["step"].to(self.ranks.device)

    def _restore_carry(self, tensors: Mapping[str, Tensor]) -> None:
        first, slots = self.ranks.local_slots(self.config.global_batch_size)
        mine = {name: t[first : first + slots].to(self.ranks.device) for name, t in tensors.items()}
        rows = Batch(mine["inputs"], mine["labels"], mine["puzzle_identifiers"])
        self.carry = self.supervision.initial_carry(rows).with_tensors(mine)


def _all_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def _non_finite(what: str) -> NonFiniteError:
    return NonFiniteError(
        f"{what} is not finite; the update was not made, and the last checkpoint is from before it",
        "finite numbers",
        "the same command would meet it again: start a new run (another run_name) with a lower lr, more "
        "lr_warmup_steps or arch.forward_dtype=float32, with load_checkpoint=<this run> to keep what it learned",
    )


class AveragedWeights:
    """`with AveragedWeights(learner):` the model holds the averaged weights, if there are any."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()

    def _swap(self) -> None:
        if self._learner.ema is not None:
            self._learner.ema.swap(self._learner.model)
