"""Operations by formula are those that torch counts, and the issue's reference figure."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.configurations import named
from benchmarks.reference_step import plain_layers
from dis_trm.supervision import DISConfig, DISSupervision
from tests import models
from trm.act import ACTConfig
from trm.supervision import Supervision
from trm_lab.evaluation.measured_flops import operations_per_answer
from trm_lab.flops import answer_operations, step_cost

NETWORKS: list[dict[str, Any]] = [
    {},
    {"mlp_t": True, "pos_encodings": "none"},
    {"puzzle_emb_ndim": 0, "puzzle_emb_len": 0},
    {"mlp_t": True, "puzzle_emb_ndim": 0, "puzzle_emb_len": 0, "pos_encodings": "learned"},
    {"L_layers": 2, "H_cycles": 1, "hidden_size": 32},
]
SETTINGS = [
    DISConfig(halt_max_steps=3),
    DISConfig(halt_max_steps=3, loss_terms="dual", step_index="none"),
    ACTConfig(halt_max_steps=4),
    ACTConfig(halt_max_steps=4, no_ACT_continue=False),
]


class Counting(TorchDispatchMode):
    """Torch's own operation counts, of everything that is computed within.

    `FlopCounterMode` adds these up too, but its bookkeeping of modules cannot bear a call without gradient inside a
    step with gradient.
    """

    total = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        made = function(*arguments, **(named or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*arguments, **(named or {}), out_val=made)
        return made


def supervision(settings: ACTConfig | DISConfig, changes: dict[str, Any]) -> Supervision[Any]:
    made: Any = (
        models.dis(settings, **changes)
        if isinstance(settings, DISConfig)
        else models.act(settings, **changes)
    )
    made.model.train()
    return made


def step_rows(settings: ACTConfig | DISConfig) -> int:
    return DISSupervision.step_rows(settings) if isinstance(settings, DISConfig) else 0


@pytest.mark.parametrize("settings", SETTINGS, ids=["dis", "dis-dual", "act", "act-continue"])
@pytest.mark.parametrize(
    "changes", NETWORKS, ids=["attention", "mlp_t", "no-puzzles", "mlp_t-no-puzzles", "wide"]
)
def test_the_formula_counts_what_torch_counts(changes: dict[str, Any], settings: Any) -> None:
    made, batch = supervision(settings, changes), models.batch()
    carry = made.initial_carry(batch)
    with plain_layers(), sdpa_kernel(SDPBackend.MATH), Counting() as counter:
        made.step(carry, batch, models.draws()).loss.backward()
    cost = step_cost(made.model.config, models.SHAPE, settings)
    assert cost.operations(len(batch)) == counter.total


@pytest.mark.parametrize("settings", SETTINGS, ids=["dis", "dis-dual", "act", "act-continue"])
@pytest.mark.parametrize(
    "changes", NETWORKS, ids=["attention", "mlp_t", "no-puzzles", "mlp_t-no-puzzles", "wide"]
)
def test_the_weights_are_those_that_are_trained(changes: dict[str, Any], settings: Any) -> None:
    made = supervision(settings, changes)
    trained = sum(p.numel() for p in made.model.parameters() if p.requires_grad)
    cost = step_cost(made.model.config, models.SHAPE, settings, step_rows(settings))
    assert cost.weights == trained


@pytest.mark.parametrize("settings", SETTINGS, ids=["dis", "dis-dual", "act", "act-continue"])
@pytest.mark.parametrize(
    "changes", NETWORKS, ids=["attention", "mlp_t", "no-puzzles", "mlp_t-no-puzzles", "wide"]
)
def test_an_answer_takes_what_the_evaluation_counts(changes: dict[str, Any], settings: Any) -> None:
    made = supervision(settings, changes)
    counted = operations_per_answer(made, torch.device("cpu"))
    steps = settings.halt_max_steps
    assert answer_operations(made.model.config, models.SHAPE, settings, steps) == counted


def test_compact_dis_takes_21_8_gflop_an_example() -> None:
    (configuration,) = named("dis-compact-arc-b16-float32", "cpu", "float32")
    _, arch = configuration.composed()
    cost = step_cost(arch.network, configuration.shape, arch.settings)
    assert cost.operations_per_example / 1e9 == pytest.approx(21.8, abs=0.05)


def test_bytes_are_operands_and_results_once_and_the_update() -> None:
    """One layer, one pass forward and back, no puzzle tokens: written out by hand."""
    changes = {"puzzle_emb_ndim": 0, "puzzle_emb_len": 0, "H_cycles": 1, "L_cycles": 1}
    network, settings = models.network(**changes), DISConfig(halt_max_steps=3, step_index="none")
    S, D, I, V, B = 16, 16, 256, 12, 4  # noqa: E741
    weights = 3 * D * D + D * D + 3 * I * D
    activations = 4 * S * D + 2 * S * D + 4 * S * D + S * (D + 2 * I) + S * (I + D)
    one_pass, head = B * activations + weights, B * S * (D + V) + D * V
    halting = B * (D + 2) + 2 * D
    moved = 4 * (2 * 3 * one_pass + 3 * head + halting) + 4 * 7 * (weights + 2 * D * V)
    assert step_cost(network, models.SHAPE, settings).bytes(B) == moved


def test_an_example_costs_the_same_whatever_the_batch_and_the_weights_are_read_once() -> None:
    network = models.network()
    cost = step_cost(network, models.SHAPE, ACTConfig())
    assert cost.operations(8) == 2 * cost.operations(4)
    assert cost.bytes(8) < 2 * cost.bytes(4)
    assert cost.intensity(8) > cost.intensity(4)
    assert torch.float32.itemsize == cost.width
