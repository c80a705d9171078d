"""A step that is replayed as two CUDA graphs is the step: nothing is read that the next replay has overwritten."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from dis_trm.supervision import DISConfig
from tests import models
from tests.trm_lab.training.learners import learner
from trm_lab.cluster import cuda_graphs
from trm_lab.cluster.cuda_graphs import WARM_UP, Recorded
from trm_lab.training import gradient_graph
from trm_lab.training.gradient_graph import GradientGraph
from trm_lab.training.learner import Learner
from trm_lab.training.metric_window import Window
from trm_lab.training.packed_metrics import PackedMetrics

ON_POLICY = DISConfig(halt_max_steps=3, targets="on_policy", pad_cells="ignore")
SUPERVISIONS = {"dis": models.dis, "trm": models.act, "dis on_policy": partial(models.dis, ON_POLICY)}
STEPS = WARM_UP + 8


class Imitated(Recorded):
    """A recording on the CPU: its inputs and its results lie in memory of its own, which every call overwrites."""

    def __init__(self, function: Callable[..., Any], adds_to: Tensor | None = None) -> None:
        self.function, self.calls, self.inputs, self.result = function, 0, (), None

    def __call__(self, *inputs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            self.inputs = cuda_graphs._copied(inputs)
        for own, new in zip(cuda_graphs._tensors(self.inputs), cuda_graphs._tensors(inputs), strict=True):
            own.copy_(new)
        result = self.function(*self.inputs)
        if self.calls <= WARM_UP:
            return result
        if self.result is None:
            self.result = result
        for own, new in zip(tensors(self.result), tensors(result), strict=True):
            own.copy_(new.clone())
        return self.result


def tensors(thing: Any) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing.detach()
    elif isinstance(thing, PackedMetrics):
        yield from (pack.vector for pack in thing.packs)
    elif is_dataclass(thing):
        yield from (t for field in fields(thing) for t in tensors(getattr(thing, field.name)))
    elif isinstance(thing, dict):
        yield from (t for part in thing.values() for t in tensors(part))
    elif isinstance(thing, tuple | list):
        yield from (t for part in thing for t in tensors(part))


def recorded(one: Learner, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """The learner, as it is on a GPU."""
    monkeypatch.setattr(gradient_graph, "Recorded", Imitated)
    assert one.flat is not None
    one._gradients = GradientGraph(one.supervision, one.config.global_batch_size, one.flat.gradient)
    one._updates = Imitated(one._change_weights)
    return one


def outcome(one: Learner) -> tuple[list[float], dict[str, Any], dict[str, Tensor]]:
    """Losses, a record, and everything that a checkpoint holds; numbers of a step are read after the next one."""
    results, losses, window = [], [], Window()
    for step in range(STEPS):
        results.append(one.step(models.batch(8, seed=step)))
        window.add(results[-1].output)
        if step:
            losses.append(results[-2].loss)
    assert one.flat is not None
    means = {name: (metric.total.tolist(), metric.count.tolist()) for name, metric in window.sums.items()}
    state = {f"{kind}:{name}": t.clone() for kind, part in one.tensors().items() for name, t in part.items()}
    return losses, means, state


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("name", SUPERVISIONS)
def test_a_replayed_step_is_the_plain_one(name: str, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"ema": True, "gradient_accumulation_steps": parts, "lr": 1e-3}
    plain = learner(SUPERVISIONS[name](), **settings)
    plain._updates = plain._change_weights  # with rates as tensors, which round otherwise than numbers do
    losses, means, state = outcome(plain)
    replayed = outcome(recorded(learner(SUPERVISIONS[name](), **settings), monkeypatch))
    assert replayed[:2] == (losses, means)
    assert [key for key, tensor in state.items() if not torch.equal(replayed[2][key], tensor)] == []


@pytest.mark.parametrize("optimizer", ["adam_atan2", "adamw"])
@pytest.mark.parametrize("name", SUPERVISIONS)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_a_recorded_run_is_the_plain_one(name: str, optimizer: str) -> None:
    device, outcomes = torch.device("cuda"), []
    for mode in ("off", "auto"):
        supervision = SUPERVISIONS[name]()
        supervision.model.to(device)
        one = learner(supervision, device, compile=mode, optimizer=optimizer, ema=True, lr=1e-3)
        results = [one.step(models.batch(8, seed=step).to(device)) for step in range(STEPS)]
        outcomes.append([result.loss for result in results])
        if mode == "auto":
            assert one._gradients is not None
            assert one._gradients._recorded.works
    assert outcomes[1] == pytest.approx(outcomes[0], rel=1e-3)
