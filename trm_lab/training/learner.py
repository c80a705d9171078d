"""What is trained, and how one supervision step changes it. B global batch (slots), b slots of this rank."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch
from trm.errors import UserError
from trm.metrics import UPDATE, Metric, per_update
from trm.optim import EMA, Rate, learning_rate, make_optimizer
from trm.puzzle_embedding import SignSGD
from trm.randomness import SeededStepRandom, seed_for
from trm.supervision import Carry, StepOutput, Supervision, choose, disturbed
from trm_lab.cluster.arriving import Arriving
from trm_lab.cluster.cuda_graphs import Recorded
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.training.flat_parameters import FlatParameters
from trm_lab.training.gradient_graph import GradientGraph, norms
from trm_lab.training.packed_metrics import PackedMetrics
from trm_lab.training.step_result import StepResult, finite_rows, non_finite

PUZZLE_TABLE = "puzzle_emb.weights"


class Learner:
    """Weights, optimizers, moving average and slots; `step` is the whole of training.

    On a GPU, unless compile=off, forward and backward are one CUDA graph and, on a single rank, the update is another:
    several ranks exchange messages in the update, too.

    Args:
        config: of the run.
        supervision: with its model on the rank's device.
        ranks: this process among all.
        total_steps: updates of the whole schedule, for the learning rate.
    """

    def __init__(self, config: TrainConfig, supervision: Supervision[Any], ranks: Ranks, total_steps: int) -> None:
        self.config, self.supervision, self.ranks, self.total_steps = config, supervision, ranks, total_steps
        self.model = supervision.model.train()
        puzzle_emb = self.model.puzzle_emb
        if config.freeze_weights and puzzle_emb is None:
            raise UserError(
                "freeze_weights=True with arch.puzzle_emb_ndim=0",
                "frozen weights with a puzzle embedding to train",
                "drop one of the two",
            )
        check_parts(config, ranks)
        if config.freeze_weights:
            self.model.requires_grad_(False)
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.flat = FlatParameters(trained) if trained else None
        betas = (config.beta1, config.beta2)
        self.optimizer = (
            make_optimizer(config.optimizer, [self.flat.vector], betas, config.weight_decay, ranks.device)
            if self.flat
            else None
        )
        self.sign_sgd = SignSGD(puzzle_emb, config.puzzle_emb_weight_decay, ranks) if puzzle_emb else None
        self.ema = EMA(self.flat.vector, config.ema_rate) if config.ema and self.flat else None
        self.carry: Carry | None = None
        self.steps_done = self.skipped = 0
        self.last_record: Mapping[str, Any] = {}  # of the run, for an error to show
        self._record_anew()

    def _record_anew(self) -> None:
        """Drop the CUDA graphs; new ones are recorded for the tensors as they are now."""
        self._gradients: GradientGraph | None = None
        self._updates: Recorded | None = None
        if self.ranks.device.type != "cuda" or self.config.compile == "off":
            return
        gradient = self.flat.gradient if self.flat is not None else None
        self._gradients = GradientGraph(self.supervision, self.config.global_batch_size, gradient)
        if self.ranks.world_size == 1:
            self._updates = Recorded(self._change_weights)

    @property
    def checks_first(self) -> bool:
        """Whether a step's numbers are read before its update; on a GPU that would make the device wait."""
        return self.ranks.device.type != "cuda" or self.config.on_nonfinite == "skip"

    def step(self, batch: Batch, stop: bool = False, save: bool = False, end: bool = False) -> StepResult:
        """Forward, loss, backward, reduction over the ranks, update.

        stop, save, end: what this rank asks for; all ranks learn it with the step's loss.

        Raises:
            NonFiniteError: before the update, if `checks_first`; else `check` tells when the numbers are there.
        """
        number = self.steps_done + 1
        output = self._accumulate(batch, number)
        sizes = self._gradient_sizes()  # before the sum, which changes the gradient meanwhile
        reduction = self.ranks.start_sum_(self.flat.gradient) if self.flat is not None else None
        requests = self.ranks.on_device([stop, save, end])
        sums = self.ranks.sum_(torch.cat((output.loss.view(1), sizes, requests)))
        output = replace(output, loss=sums[0])
        result = StepResult(number, output, Arriving(sums), self.config.global_batch_size)
        if reduction is not None:
            reduction.wait()
        if self.checks_first and not result.finite:
            self._refuse(result)
        else:
            metrics = PackedMetrics.of(output.metrics) | self._update(number)
            result = replace(result, output=replace(output, metrics=metrics))
            self.carry = output.carry
        self.steps_done = number
        return result

    def check(self, result: StepResult) -> None:
        """NonFiniteError if a step's numbers are not finite, and such steps are not skipped."""
        if self.config.on_nonfinite == "stop" and not result.finite:
            self._refuse(result)

    def was_skipped(self, result: StepResult) -> bool:
        """Whether no update was made from this step."""
        return self.config.on_nonfinite == "skip" and not result.finite

    def free_slots(self, after: int) -> NDArray[np.bool_] | None:
        """This rank's slots `[b]` that take new data in the step that follows update `after`; None: all may.

        Without asking a GPU: adaptive halting there gets rows for every slot.
        """
        slots = self.ranks.local_slots(self.config.global_batch_size)[1]
        if self.supervision.fixed_steps:
            return np.full(slots, after % self.supervision.max_steps == 0)
        if self.carry is None or after != self.steps_done or self.ranks.device.type == "cuda":
            return None
        return self.carry.halted.numpy()

    def lr(self, base: float, number: int) -> float:
        """The learning rate of update `number`, 1 being the first."""
        return learning_rate(base, number, self.config.lr_warmup_steps, self.total_steps, self.config.lr_min_ratio)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Everything that may influence the next step but the step number; the carry holds all ranks' slots.

        Every rank takes part; of several only the first one gets the slots, and the whole of a shared-out puzzle table.

        Raises:
            NonFiniteError: one of them is not finite, so that no checkpoint ever holds such a number.
        """
        model = self.model.state_dict()
        carry = self.carry.tensors() if self.carry is not None else {}
        parts = {
            "model": model,
            "ema": self.flat.split(self.ema.average) if self.ema and self.flat else {},
            "optimizer": dict(self._moments()),
            "carry": dict(carry),
        }
        held = {f"{part} {name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
        finite = torch.stack([tensor.isfinite().all().to(self.ranks.device) for tensor in held.values()]).tolist()
        wrong = [name for name, fine in zip(held, finite, strict=True) if not fine]
        if float(self.ranks.sum_(self.ranks.on_device([bool(wrong)]))[0]):
            raise non_finite(f"{wrong[0] if wrong else 'a number'} after step {self.steps_done}")
        if self.model.puzzle_emb is not None:
            model[PUZZLE_TABLE] = self.model.puzzle_emb.whole()
        parts["carry"] = {name: self.ranks.collect_rows(tensor) for name, tensor in carry.items()}
        return parts

    def restore(self, steps_done: int, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go back to where `tensors` was called, on any number of ranks."""
        self.steps_done = steps_done
        model = dict(parts["model"])
        if self.model.puzzle_emb is not None:
            self.model.puzzle_emb.load_whole(model[PUZZLE_TABLE])
            model[PUZZLE_TABLE] = self.model.puzzle_emb.weights
        self.model.load_state_dict(model)
        if self.ema is not None and self.flat is not None:
            self.ema.average = self.flat.join(parts["ema"])
        if parts["optimizer"]:
            self._restore_moments(parts["optimizer"])
        if parts["carry"]:
            self._restore_carry(parts["carry"])
        self._record_anew()

    def _accumulate(self, batch: Batch, number: int) -> StepOutput[Any]:
        """Gradients of the whole batch, part after part; what the parts give together."""
        if self.flat is not None:
            self.flat.gradient.zero_()
        if self.model.puzzle_emb is not None:
            self.model.puzzle_emb.lookups.clear()
        if self._gradients is not None:
            self._gradients.sizes = None
        carry = self.carry if self.carry is not None else self.supervision.initial_carry(batch)
        parts = self.config.gradient_accumulation_steps
        first, slots = self.ranks.local_slots(self.config.global_batch_size)
        if parts == 1:
            return self._backward(carry, batch, number, first)
        loss, metrics, whole = torch.zeros((), device=self.ranks.device), PackedMetrics(), dict[str, Tensor]()
        for start in range(0, slots, slots // parts):
            part = slice(start, start + slots // parts)
            output = self._backward(carry.rows(part), batch.rows(part), number, first + start)
            loss = loss + output.loss
            own = PackedMetrics.of(output.metrics)
            metrics = metrics + own if metrics else own.clone()  # the next part overwrites a CUDA graph's result
            for name, tensor in output.carry.tensors().items():
                if name not in whole:  # a method's targets may be there only once an example has started
                    whole[name] = tensor.new_empty(slots, *tensor.shape[1:])
                whole[name][part] = tensor
        return replace(output, carry=output.carry.with_tensors(whole), loss=loss, metrics=metrics)

    def _backward(self, carry: Carry, batch: Batch, number: int, first: int) -> StepOutput[Any]:
        """Add the gradients of some slots, of which the first is global slot `first`; their loss is float64."""
        of_all = self.config.global_batch_size
        draws = SeededStepRandom(self.config.seed, number, len(batch), first=first, global_slots=of_all)
        if self.model.config.latent_noise:
            slots = torch.arange(first, first + len(batch), device=self.ranks.device)
            key = seed_for(self.config.seed, "latent noise", number)
            carry = disturbed(carry, self.model.config.latent_noise, key, slots)
        with self._gradients.installed() if self._gradients is not None else nullcontext():
            output = self.supervision.step(carry, batch, draws)
        if output.loss.requires_grad:
            (output.loss / of_all).backward()
        return replace(output, loss=output.loss.detach().double())

    def _norms(self) -> dict[str, Metric]:
        """Euclidean norms of the network's trained weights and of their gradient over the global batch, which all
        ranks have alike, as they are before the update; of the puzzle embedding see `_change_weights`."""
        if self.flat is None:
            return {}
        vectors = {"gradient_norm": self.flat.gradient, "parameter_norm": self.flat.vector.detach()}
        return {
            name: per_update(torch.linalg.vector_norm(vector, dtype=torch.float64), self.ranks.is_first)
            for name, vector in vectors.items()
        }

    def _gradient_sizes(self) -> Tensor:
        """`norms` of this rank's gradients."""
        if self._gradients is not None and self._gradients.sizes is not None:
            return self._gradients.sizes
        lookups = self.model.puzzle_emb.lookups if self.model.puzzle_emb is not None else []
        gradients = [lookup.rows.grad for lookup in lookups if lookup.rows.grad is not None]
        return norms(gradients if self.flat is None else [*gradients, self.flat.gradient])

    def _refuse(self, result: StepResult) -> None:
        """No update from this step: stop, or go on from repaired slots."""
        if self.config.on_nonfinite == "stop":
            raise non_finite(self._what_is_wrong(result))
        self.skipped += 1
        self.carry = self._repaired(result.output.carry)

    def _what_is_wrong(self, result: StepResult) -> str:
        """Step, puzzles, ranks and what the run's last record said; every rank calls it, and says the same."""
        carry = result.output.carry
        slots = torch.where(finite_rows(carry), -1, carry.puzzle_identifiers)  # no identifier is negative
        of_ranks = self.ranks.gather_rows(slots.view(1, -1)).tolist()
        puzzles = list(dict.fromkeys(number for rank_slots in of_ranks for number in rank_slots if number >= 0))
        holders = ", ".join(str(rank) for rank, rank_slots in enumerate(of_ranks) if max(rank_slots) >= 0)
        shown = ", ".join(map(str, puzzles[:8])) + (" …" if len(puzzles) > 8 else "")
        where = f"puzzle identifiers {shown} on rank {holders}" if puzzles else "no slot's latents, only a sum of them"
        loss, number = result.loss, result.number
        what = f"a gradient of step {number}" if math.isfinite(loss) else f"the loss of step {number} ({loss})"
        record = {k: self.last_record[k] for k in ("step", "loss", "lr", "metrics") if k in self.last_record}
        if "metrics" in record:  # single numbers; a metric of many is too long to print
            record["metrics"] = {k: v for k, v in record["metrics"].items() if isinstance(v, float)}
        before = f"; last record: {json.dumps(record)}" if record else ""
        return f"{what}, in {where}{before},"

    def _repaired(self, carry: Carry) -> Carry:
        """Slots whose latents are not finite start again from the initial ones."""
        fresh, fine = self.model.initial_latents(len(carry.steps)), finite_rows(carry)
        latents = {name: choose(fine, latent, fresh[name]) for name, latent in carry.latents.items()}
        return replace(carry, latents=latents)

    def _update(self, number: int) -> PackedMetrics:
        """Change the weights; norms of weights and gradients."""
        rates: list[float] = []
        rows = summands = None
        if self.sign_sgd is not None:
            rates += self.sign_sgd.rates(self.lr(self.config.puzzle_emb_lr, number))
            rows, summands = self.sign_sgd.take()
        if self.optimizer is not None and self.flat is not None:
            (group,) = self.optimizer.param_groups
            group["lr"] = self.lr(self.config.lr, number)
            rates += self.optimizer.count(self.flat.vector, group)
        if self._updates is not None:
            return self._updates(self.ranks.on_device(rates), rows, summands)
        return self._change_weights(rates, rows, summands)

    def _change_weights(
        self, rates: list[float] | Tensor, rows: Tensor | None, summands: Tensor | None
    ) -> PackedMetrics:
        """Update the puzzle embedding, the weights and their average.

        rates: two of the puzzle embedding, those of the optimizer.  rows, summands: see `SignSGD.take`.
        """
        metrics, remaining = self._norms(), list[Rate](rates)
        if self.sign_sgd is not None and rows is not None and summands is not None:
            square = self.sign_sgd.update(rows, summands, *remaining[:2])
            remaining = remaining[2:]
            counted = torch.full_like(square, self.ranks.is_first)
            metrics["puzzle_emb_gradient_norm_squared"] = Metric(square, counted, UPDATE)  # its parts lie on the ranks
        if self.optimizer is not None and self.flat is not None:
            self.optimizer.move(self.flat.vector, self.optimizer.param_groups[0], *remaining)
        if self.ema is not None and self.flat is not None:
            self.ema.update(self.flat.vector)
        return PackedMetrics.of(metrics)

    def _moments(self) -> Iterator[tuple[str, Tensor]]:
        """The optimizer's tensors as `<parameter>/<moment>`."""
        if self.optimizer is None or self.flat is None:
            return
        for moment, value in self.optimizer.state.get(self.flat.vector, {}).items():
            if value.shape == self.flat.vector.shape:
                parts = self.flat.split(value)
            else:  # of all weights alike: the count of steps
                parts = dict.fromkeys(self.flat.names, value)
            yield from ((f"{name}/{moment}", part) for name, part in parts.items())

    def _restore_moments(self, moments: Mapping[str, Tensor]) -> None:
        assert self.optimizer is not None
        assert self.flat is not None
        first = self.flat.names[0]
        state: dict[str, Tensor] = {}
        for moment in (key.rsplit("/", 1)[1] for key in moments if key.rsplit("/", 1)[0] == first):
            of_moment = {name: moments[f"{name}/{moment}"] for name in self.flat.names}
            state[moment] = of_moment[first] if of_moment[first].ndim == 0 else self.flat.join(of_moment)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": {0: state}, "param_groups": groups})

    def _restore_carry(self, tensors: Mapping[str, Tensor]) -> None:
        first, slots = self.ranks.local_slots(self.config.global_batch_size)
        mine = {name: t[first : first + slots].to(self.ranks.device) for name, t in tensors.items()}
        rows = Batch(mine["inputs"], mine["labels"], mine["puzzle_identifiers"])
        self.carry = self.supervision.initial_carry(rows).restored(mine)


def check_parts(config: TrainConfig, ranks: Ranks) -> None:
    """UserError unless a rank's slots can be cut into gradient_accumulation_steps equal parts."""
    parts, slots = config.gradient_accumulation_steps, ranks.local_slots(config.global_batch_size)[1]
    if slots % parts:
        near = max(d for d in range(1, parts + 1) if slots % d == 0)
        raise UserError(
            f"gradient_accumulation_steps={parts} with {slots} slots on each of {ranks.world_size} ranks",
            f"a divisor of {slots}",
            f"set gradient_accumulation_steps={near}",
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
        if self._learner.ema is not None and self._learner.flat is not None:
            self._learner.ema.swap(self._learner.flat.vector)
