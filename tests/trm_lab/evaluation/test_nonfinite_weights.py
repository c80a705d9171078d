"""Weights that are not finite answer nothing: every door refuses them and names the first such tensor."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.models import dis
from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.inference.one_puzzle import run_task
from trm_lab.inference.one_task import TaskRequest
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_forms import find_checkpoint
from trm_lab.training.launch import load_checkpoint

DAMAGED = "L_level.layers.0.mlp.down_proj.weight"
TASK = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}]}


def changed(run: Path, change: Callable[[torch.Tensor], None]) -> Path:
    """The run, with another tensor in its checkpoint."""
    folder = run / "checkpoints/step_7"
    content = checkpoints.load(folder)
    model = {name: tensor.clone() for name, tensor in content.model.items()}
    change(model[DAMAGED])
    content = replace(content, model=model, state={**content.state, "step": 8})
    checkpoints.save(run / "checkpoints/step_8", content, keep=True)
    return run


@pytest.fixture(scope="module")
def damaged(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("runs") / "nan", dataset)
    return changed(run, lambda tensor: tensor[0].fill_(float("nan")))


DOORS: dict[str, Callable[[Path, Path], None]] = {
    "evaluate": lambda run, here: score(ScoringRequest(str(run), output=here / "out", device="cpu")),
    "task": lambda run, here: run_task(
        TaskRequest(str(run), str(here / "task.json"), output=here / "out", device="cpu")
    ),
    "export": lambda run, here: export(ExportRequest(str(run), "hub", here / "out")),
    "load_checkpoint": lambda run, here: load_checkpoint(dis().model, str(run), Ranks(), []),
}


@pytest.mark.parametrize("door", DOORS)
def test_weights_that_are_not_finite_are_refused_by_name(door: str, damaged: Path, tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(json.dumps(TASK))
    with pytest.raises(UserError, match=f"numbers of {DAMAGED} are nan or infinite"):
        DOORS[door](damaged, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_one_number_that_float32_does_not_hold_is_enough(number: float, tmp_path: Path) -> None:
    weights = {f"model.inner.{name}": tensor.double() for name, tensor in dis().model.state_dict().items()}
    weights[f"model.inner.{DAMAGED}"][3, 2] = number
    torch.save(weights, tmp_path / "step_7")
    with pytest.raises(UserError, match=f"1 of .* numbers of {DAMAGED} are nan or infinite"):
        find_checkpoint(tmp_path / "step_7").weights()


def test_finite_weights_whose_logits_are_not_give_no_score_and_no_answer(dataset: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", dataset)
    changed(run, lambda tensor: tensor.fill_(3e38))
    (tmp_path / "task.json").write_text(json.dumps(TASK))
    for door in ("evaluate", "task"):
        with pytest.raises(UserError, match=r"the logits of .* answers are nan or infinite"):
            DOORS[door](run, tmp_path)
    assert not list(tmp_path.rglob("scores.json"))
    assert not list(tmp_path.rglob("answer.json"))
