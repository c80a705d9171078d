"""A metric of any name and shape arrives in metrics.jsonl, divided by what it names, however the batch was cut up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import SHAPE, batch, network
from tests.several_ranks import on_ranks
from tests.trm_lab.training.test_every_preset import run
from trm.metrics import Metric, per_slot
from trm.model import TinyRecursiveModel
from trm.supervision import Advanced
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.methods import METHODS, Method
from trm_lab.runs.recorded_run import read_run
from trm_lab.training.learner import Learner
from trm_lab.training.metric_window import Window

SLOTS = 8
NORMS = ("gradient_norm", "parameter_norm", "puzzle_emb_gradient_norm_squared")
EXPECTED = {  # over supervision steps 1, 2 and 3
    "step_moments": [[2.0, 14 / 3], [1.0, 0.0]],
    "halves_loss": 0.5,
    "by_step": [1.0, 4.0, 9.0],
    "of_nothing": None,
    "by_step_and_never": [[1.0, None], [2.0, None], [3.0, None]],
}


class Reporting(DISSupervision):
    """DIS that reports metrics with misleading names."""

    def forward(self, *given: Any) -> Advanced:
        made, steps = super().forward(*given), given[-1]
        return replace(made, metrics=made.metrics | odd_metrics(steps, made.predictions.shape[1]))


def odd_metrics(steps: Tensor, tokens: int) -> dict[str, Metric]:
    s, one = steps.double(), torch.ones(len(steps))
    moments = torch.stack((torch.stack((s.sum(), s.square().sum())), torch.stack((one.sum(), 0 * one.sum()))))
    here = torch.zeros(3).index_add_(0, steps.long() - 1, one)
    squares = torch.zeros(3, dtype=torch.float64).index_add_(0, steps.long() - 1, s.square())
    never = torch.stack((here, 0 * here), 1)
    return {
        "step_moments": per_slot(moments, steps),
        "halves_loss": Metric(one.sum() * tokens / 2, one.sum() * tokens, "token"),
        "by_step": Metric(squares, here, "slot at that step"),
        "of_nothing": Metric(0 * one.sum(), 0 * one.sum(), "unicorn"),
        "by_step_and_never": Metric(torch.arange(1, 4)[:, None] * never, never, "slot in that box"),
    }


def check_odd(record: dict[str, Any]) -> None:
    for name, value in EXPECTED.items():
        assert _rounded(record["metrics"][name]) == _rounded(value), name


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return None if value is None else round(value, 12)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_metric_of_any_name_and_shape_arrives_in_metrics_jsonl(
    parts: int, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["log_interval=3", "max_steps=6", f"gradient_accumulation_steps={parts}", "arch=dis"]
    monkeypatch.setitem(METHODS, "dis", Method(Reporting, "DIS"))
    run(dataset, tmp_path / "run", *words)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    for record in (line for line in lines if line["kind"] == "train"):
        check_odd(record)
        assert record["denominators"]["halves_loss"]["per"] == "token"
        assert record["denominators"]["lm_loss"] == {"per": "slot", "count": 3 * SLOTS}
        assert record["denominators"]["by_step"]["count"] == [SLOTS] * 3
    read = read_run(tmp_path / "run").training.metrics
    assert read["step_moments"].shape == (2, 2, 2)
    assert read["by_step"].tolist() == [[1, 4, 9]] * 2
    assert read["gradient_norm"].shape == (2,)


def learner(ranks: Ranks, parts: int, shared: bool) -> Learner:
    settings = {"data_paths": ["unused"], "global_batch_size": SLOTS, "lr_warmup_steps": 0}
    config = TrainConfig(**settings, gradient_accumulation_steps=parts)
    model = TinyRecursiveModel(network(), SHAPE, Reporting.step_rows(DISConfig(halt_max_steps=3)))
    supervision = Reporting(model, DISConfig(halt_max_steps=3))
    if shared:
        assert model.puzzle_emb is not None
        model.puzzle_emb.shard(ranks)
    return Learner(config, supervision, ranks, total_steps=1000)


def record(ranks: Ranks, parts: int = 1, shared: bool = False) -> dict[str, Any]:
    one, window, (start, slots) = learner(ranks, parts, shared), Window(), ranks.local_slots(SLOTS)
    for step in range(3):
        window.add(one.step(batch(SLOTS, seed=step).rows(slice(start, start + slots))).output)
    window.close(ranks, {}, SLOTS, EnergyMeter(ranks.device))
    return window.record()


def records_of_two(ranks: Ranks) -> list[dict[str, Any]]:
    return [record(ranks, parts, shared) for parts in (1, 2) for shared in (False, True)]


def test_metrics_and_norms_depend_neither_on_ranks_nor_on_parts_nor_on_where_the_table_lies(tmp_path: Path) -> None:
    whole = record(Ranks())
    others = [record(Ranks(), 2), record(Ranks(), 8), *on_ranks(2, records_of_two, tmp_path)[1]]
    for other in others:
        check_odd(other)
        for name in (*NORMS, "lm_loss", "accuracy"):
            assert other["metrics"][name] == pytest.approx(whole["metrics"][name], rel=1e-4), name
        assert other["denominators"] == whole["denominators"]
    assert whole["denominators"]["gradient_norm"] == {"per": "update", "count": 3}


def test_the_norms_are_of_the_weights_and_the_gradient_before_the_update() -> None:
    one, other = learner(Ranks(), 1, False), learner(Ranks(), 1, False)
    assert other.flat is not None
    assert other.model.puzzle_emb is not None
    weights = other.flat.split(other.flat.vector.detach().clone())
    metrics = one.step(batch(SLOTS)).output.metrics
    other._accumulate(batch(SLOTS), 1)
    gradients = [p.grad for p in other.model.parameters() if p.grad is not None]
    for name, tensors in (("gradient_norm", gradients), ("parameter_norm", weights.values())):
        norm = sum(float(t.double().square().sum()) for t in tensors) ** 0.5
        assert float(metrics[name].total) == pytest.approx(norm, rel=1e-9)
        assert float(metrics[name].count) == 1
    table = torch.zeros(SHAPE.num_puzzle_identifiers, network().puzzle_emb_ndim)
    for lookup in other.model.puzzle_emb.lookups:
        assert lookup.rows.grad is not None
        table.index_add_(0, lookup.identifiers, lookup.rows.grad)
    square = float(table.double().square().sum())
    assert float(metrics["puzzle_emb_gradient_norm_squared"].total) == pytest.approx(square, rel=1e-5)
    assert square > 0


def test_a_metric_reported_at_some_steps_only_is_a_mean_over_those() -> None:
    one, window = learner(Ranks(), 1, False), Window()
    for step in range(4):
        window.add(one.step(batch(SLOTS)).output)
        if step % 2:
            window.report({"seconds_of_loading": Metric(torch.tensor(float(step)), torch.tensor(1), "batch")})
    window.close(Ranks(), {}, SLOTS, EnergyMeter(torch.device("cpu")))
    found = window.record()
    assert found["metrics"]["seconds_of_loading"] == 2
    assert found["denominators"]["seconds_of_loading"] == {"per": "batch", "count": 2}


def test_a_count_that_does_not_fit_its_total_is_refused() -> None:
    with pytest.raises(ValueError, match="metric odd: a count"):
        Window().report({"odd": Metric(torch.zeros(2), torch.zeros(3), "slot")})
