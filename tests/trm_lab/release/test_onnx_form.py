"""The step as a graph: its card's example answers as PyTorch does, and no graph that computes otherwise is written."""

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dis_trm.supervision import DISConfig
from tests.exportable import random_dis, write_run
from tests.models import act, batch, dis
from trm.act import ACTSupervision
from trm.batch import Batch
from trm.errors import UserError
from trm.randomness import SeededStepRandom
from trm.supervision import StepOutput, Supervision
from trm_lab.evaluation.rollout import roll_out
from trm_lab.methods import METHODS
from trm_lab.release.exporting import ExportRequest, export

needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))), reason="onnx or onnxruntime is not installed"
)
EARLIER = DISConfig(halt_max_steps=3, step_index="continuous", feed="question")


def halting() -> ACTSupervision:
    """Every slot would halt at once, were it training."""
    supervision = act(mlp_t=True, pos_encodings="none", puzzle_emb_ndim=0)
    with torch.no_grad():
        supervision.model.q_head.bias.fill_(5.0)
    return supervision


VARIANTS: dict[str, tuple[str, Supervision[Any]]] = {
    "DIS, attention": ("dis", random_dis()),
    "DIS of the paper, learned positions": ("dis", dis(EARLIER, pos_encodings="learned")),
    "TRM, MLP, no puzzle embedding": ("act", halting()),
    "TRM, single latent": ("act", act(recursion="single_z", H_cycles=1, L_cycles=1)),
    "six latents, attention": ("dis", dis(recursion="six_z", H_cycles=1, L_cycles=2)),
    "HRM": ("act", act(recursion="hrm", H_cycles=1, L_cycles=1)),
    "plain transformer": ("act", act(recursion="none", H_cycles=1, num_heads=7)),  # 7 heads of 2 for 16
}


def exported(tmp_path: Path, name: str, supervision: Supervision[Any]) -> Path:
    run = write_run(tmp_path / "run", supervision, name)
    export(ExportRequest(str(run), "onnx", tmp_path / "out"))
    return tmp_path / "out"


def answers_of_the_card(folder: Path, questions: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What the card's example gives when these questions are put into it."""
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    code, places = re.subn(r"^questions = .*$", "questions = QUESTIONS", example, flags=re.MULTILINE)
    assert places == 1
    names: dict[str, Any] = {"QUESTIONS": questions}
    monkeypatch.chdir(folder)
    exec(code, names)
    return names["answers"]


@needs_onnx
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_card_s_example_answers_as_the_method_does(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, supervision = VARIANTS[variant]
    folder = exported(tmp_path, name, supervision)
    assert "logits differ by at most" in capsys.readouterr().out
    model = supervision.model.eval()
    if model.puzzle_emb is not None:  # as the card's example, which takes every puzzle for an unknown one
        model.puzzle_emb.weights.copy_(model.puzzle_emb.weights.mean(0, keepdim=True).expand(9, -1))
    questions = batch(5)
    rollout = roll_out(supervision, questions, SeededStepRandom(0, 0, 5))
    answers = answers_of_the_card(folder, questions.inputs.numpy(), monkeypatch)
    assert np.array_equal(answers, rollout.predictions[:, -1])
    about = json.loads((folder / "step.json").read_text())
    calls = about["steps"] * about["network_calls_per_step"]
    assert (calls, about["feed"]) == (
        rollout.network_calls[-1],
        "prediction" if variant.endswith("attention") else "question",
    )


@needs_onnx
def test_weights_that_were_trained_in_bfloat16_are_exported_as_float32_and_it_is_said(tmp_path: Path) -> None:
    folder = exported(tmp_path, "act", act(forward_dtype="bfloat16", puzzle_emb_ndim=0))
    assert json.loads((folder / "step.json").read_text())["trained_in"] == "bfloat16"
    assert "it was trained, and is scored, in bfloat16" in (folder / "README.md").read_text()
    assert np.load(folder / "start.npz")["H_init"].dtype == np.float32


class Doubling(ACTSupervision):
    """Doubles the logits behind the heads, where no graph of the step has it."""

    def step(self, carry: Any, batch: Batch, rng: Any) -> StepOutput[Any]:
        output = super().step(carry, batch, rng)
        return replace(output, logits=2 * output.logits)


@needs_onnx
def test_a_graph_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "act", replace(METHODS["act"], supervision=Doubling))
    with pytest.raises(UserError, match="gives logits at step 1 that differs from PyTorch's"):
        exported(tmp_path, "act", act())
    assert not (tmp_path / "out").exists()


def test_without_its_packages_they_are_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_lab.release.onnx_form.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="--to onnx without the package onnx and onnxruntime") as caught:
        export(ExportRequest("nowhere", "onnx", tmp_path / "out"))
    assert caught.value.remedy == "pip install onnx onnxruntime"


@needs_onnx
def test_a_checkpoint_that_does_not_say_how_long_an_example_is_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", act(), "act")
    export(ExportRequest(str(run), "published", tmp_path / "theirs"))
    file = tmp_path / "theirs/step_12"
    config = file.with_name("all_config.yaml")
    config.write_text(re.sub("(?m)^seq_len: .*\n", "", config.read_text()))
    with pytest.raises(UserError, match="does not record how many tokens an example has"):
        export(ExportRequest(str(file), "onnx", tmp_path / "out"))
