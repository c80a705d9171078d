"""Every supervision on every recursion: trains, resumes to the same bits, is exported and opened again, is counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests import models
from tests.exportable import STEP, write_run
from tests.runs import composition
from tests.trm_lab.training.learners import learner
from trm.act import ACTConfig
from trm.errors import UserError
from trm.model import PuzzleShape
from trm.randomness import SeededStepRandom
from trm.recursion import RECURSIONS, TRMRecursion
from trm.supervision import Supervision
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import train_config
from trm_lab.evaluation.answer_cells import every_cell
from trm_lab.evaluation.rollout import roll_out
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.trajectory import Questions
from trm_lab.evaluation.wide_rollout import roll_out_widely
from trm_lab.flops import FlopCounter, answer_flops, step_flops, trained_weights
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.release.card import model_card
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.release.recorded import recorded
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.weights import PUBLISHED_NAMES

BUILD: dict[str, Callable[..., Supervision[Any]]] = {"act": models.act, "dis": models.dis}
HRM = {"puzzle_emb_len": 0}  # the published classes have no such key: P = ceil(puzzle_emb_ndim / D)


def built(method: str, recursion: str) -> Supervision[Any]:
    """A small model; HRM and the plain transformer as the published code would configure them."""
    if recursion not in ("hrm", "none"):
        return BUILD[method](recursion=recursion)
    settings = {"no_ACT_continue": False} if recursion == "hrm" else {"halts_above_continue": True}
    act = ACTConfig(halt_max_steps=4, **settings)  # type: ignore[arg-type]
    cycles = {"H_cycles": 1} if recursion == "none" else {}
    return BUILD[method](act if method == "act" else None, recursion=recursion, H_layers=2, **HRM, **cycles)


def rebuilt(opened: OpenedCheckpoint) -> Supervision[Any]:
    shape = models.SHAPE
    sizes = (shape.vocab_size, shape.seq_len, shape.num_puzzle_identifiers)
    supervision, remarks = opened.supervision(PuzzleMetadata(0, None, 0, *sizes, 1, 1.0, 1, ("all",)))
    assert remarks == []
    supervision.model.eval()
    return supervision


@pytest.mark.parametrize("recursion", RECURSIONS)
@pytest.mark.parametrize("method", BUILD)
def test_training_goes_on_from_its_state_to_the_same_bits(method: str, recursion: str) -> None:
    whole = learner(built(method, recursion), ema=True)
    halfway: Any = None
    for number in range(6):
        if number == 3:
            parts = whole.tensors()
            halfway = {part: {name: tensor.clone() for name, tensor in parts[part].items()} for part in parts}
        result = whole.step(models.batch(8, number))
        assert result.finite
    resumed = learner(built(method, recursion), ema=True)
    resumed.restore(3, halfway)
    for number in range(3, 6):
        resumed.step(models.batch(8, number))
    ended, expected = resumed.tensors(), whole.tensors()
    assert [n for p in expected for n, t in expected[p].items() if not torch.equal(t, ended[p][n])] == []
    trained = {n for n, t in halfway["model"].items() if not torch.equal(t, ended["model"][n])}
    assert {name.split(".")[0] for name in trained} >= set(whole.model.config.modules)


@pytest.mark.parametrize("recursion", RECURSIONS)
@pytest.mark.parametrize("method", BUILD)
def test_an_export_of_each_is_opened_as_what_it_was_and_answers_to_the_same_bits(
    method: str, recursion: str, tmp_path: Path
) -> None:
    trained = learner(built(method, recursion))
    for number in range(3):
        trained.step(models.batch(8, number))
    supervision = trained.supervision
    run = write_run(tmp_path / "run", supervision, method)
    supervision.model.eval()
    questions = models.batch(5, seed=9)
    expected = roll_out(supervision, questions, SeededStepRandom(0, 0, 5))
    for form in ("hub", "published"):
        export(ExportRequest(str(run), form, tmp_path / form))
        opened = open_checkpoint(tmp_path / form / ("" if form == "hub" else f"step_{STEP}"))
        assert opened.arch == open_checkpoint(run).arch
        answers = roll_out(rebuilt(opened), questions, SeededStepRandom(0, 0, 5))
        assert torch.equal(answers.predictions, expected.predictions)
        assert torch.equal(answers.q_halt_logits, expected.q_halt_logits)
        assert answers.network_calls == expected.network_calls


THEIR_MODULES = {"hrm": {"H_level", "L_level"}, "none": {"H_level"}}
THEIR_STARTS = {
    "trm": {"H_init", "L_init"},
    "single_z": {"L_init"},
    "six_z": {"H_init", *(f"L{j}_init" for j in range(1, 7))},
    "hrm": {"H_init", "L_init"},
    "none": {"H_init"},
}
OURS_ALONE = ("recursion", "supervision", "halts_above_continue", "act_enabled", "latent_noise")


@pytest.mark.parametrize("recursion", PUBLISHED_NAMES)
def test_the_published_form_has_the_keys_of_the_published_class(recursion: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", built("act", recursion), "act")
    export(ExportRequest(str(run), "published", tmp_path / "out"))
    weights = torch.load(tmp_path / f"out/step_{STEP}", weights_only=True)
    firsts = {name.removeprefix("model.inner.").split(".")[0] for name in weights}
    heads = {"embed_tokens", "lm_head", "q_head", "puzzle_emb"}
    assert firsts == heads | THEIR_MODULES.get(recursion, {"L_level"}) | THEIR_STARTS[recursion]
    config = OmegaConf.load(tmp_path / "out/all_config.yaml")
    assert config.arch.name == PUBLISHED_NAMES[recursion]
    for key in ("H_cycles", "L_cycles", "H_layers", "L_layers", "hidden_size", "num_heads", "halt_max_steps"):
        assert key in config.arch
    for key in OURS_ALONE:  # as the published code writes it
        config.arch.pop(key, None)
    OmegaConf.save(config, tmp_path / "out/all_config.yaml")
    assert open_checkpoint(tmp_path / f"out/step_{STEP}").arch == open_checkpoint(run).arch


@pytest.mark.parametrize("recursion", ["hrm", "none"])
def test_a_published_configuration_may_leave_out_what_its_class_does_not_read(recursion: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", built("act", recursion), "act")
    export(ExportRequest(str(run), "published", tmp_path / "out"))
    config = OmegaConf.load(tmp_path / "out/all_config.yaml")
    for key in (*OURS_ALONE, "puzzle_emb_len", "no_ACT_continue"):
        config.arch.pop(key, None)
    if recursion == "none":
        for key in ("L_cycles", "L_layers"):
            config.arch.pop(key)
        config.arch.update({"H_cycles": 2, "act_inference": False, "act_enabled": True})
    else:
        config.arch.update(
            {"no_ACT_continue": True, "puzzle_emb_len": 16}
        )  # in TRM's command line; HRM's class drops them
    OmegaConf.save(config, tmp_path / "out/all_config.yaml")
    opened = open_checkpoint(tmp_path / f"out/step_{STEP}")
    ours = open_checkpoint(run)
    shape = models.SHAPE
    a, b = (each.arch.network for each in (opened, ours))
    assert (a.calls, a.modules, a.puzzle_tokens) == (b.calls, b.modules, b.puzzle_tokens)
    assert opened.arch.settings == ours.arch.settings
    questions = models.batch(3)
    rollouts = [roll_out(rebuilt(each), questions, SeededStepRandom(0, 0, 3)) for each in (opened, ours)]
    assert torch.equal(rollouts[0].q_halt_logits, rollouts[1].q_halt_logits)
    assert shape.seq_len == rollouts[0].predictions.shape[-1]


@pytest.mark.parametrize(
    ("recursion", "changes", "says"),
    [
        ("trm", {"name": PUBLISHED_NAMES["hrm"], "H_layers": 1}, "of another architecture"),
        ("hrm", {"name": PUBLISHED_NAMES["trm"]}, "of another architecture"),
        ("single_z", {"name": PUBLISHED_NAMES["trm"]}, "H_init: missing"),
        ("six_z", {"name": PUBLISHED_NAMES["trm"]}, "L_init: missing"),
        ("hrm", {"H_layers": 1000}, "of another architecture"),
        ("hrm", {"H_layers": 10**9}, "arch.H_layers"),
        ("none", {"num_heads": 7}, "qkv_proj.weight: (48, 16) instead of (42, 16)"),
        ("six_z", {"L_cycles": 7}, "arch.L_cycles=7"),
    ],
)
def test_a_configuration_that_does_not_fit_its_weights_is_refused(
    recursion: str, changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", built("act", recursion), "act")
    export(ExportRequest(str(run), "published", tmp_path / "out"))
    config = OmegaConf.load(tmp_path / "out/all_config.yaml")
    for key in OURS_ALONE:
        config.arch.pop(key, None)
    config.arch.update(changes)
    OmegaConf.save(config, tmp_path / "out/all_config.yaml")
    with pytest.raises(UserError) as refusal:
        rebuilt(open_checkpoint(tmp_path / f"out/step_{STEP}"))
    assert says in str(refusal.value)


def test_a_recursion_of_one_s_own_has_no_published_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECURSIONS, "own", TRMRecursion())
    run = write_run(tmp_path / "run", models.act(recursion="own"), "act")
    with pytest.raises(UserError, match=r"arch\.recursion=own, which the published code does not have"):
        export(ExportRequest(str(run), "published", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    export(ExportRequest(str(run), "hub", tmp_path / "hub"))
    assert open_checkpoint(tmp_path / "hub").arch.network.recursion == "own"


@pytest.mark.parametrize(("method", "recursion"), [("act", "hrm"), ("dis", "none"), ("dis", "six_z")])
def test_operations_and_weights_of_every_module_are_counted(method: str, recursion: str) -> None:
    supervision = built(method, recursion)
    arch = Architecture(method, supervision.model.config, supervision.config)  # type: ignore[attr-defined]
    questions = models.batch(1)
    supervision.model.eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounter() as counter:
        supervision.step(supervision.initial_carry(questions), questions, models.draws(slots=1))
    assert answer_flops(arch, models.SHAPE) == counter.total > 0
    assert trained_weights(arch, models.SHAPE) == sum(
        weight.numel() for weight in supervision.model.parameters() if weight.requires_grad
    )
    assert (step_flops(arch, models.SHAPE) or 0) > counter.total


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_a_command_names_a_recursion_for_any_method(recursion: str) -> None:
    arch = train_config(composition("pretrain.py", "arch=dis", f"recursion={recursion}", "data_paths=[a]")).arch
    assert architecture(arch).network.recursion == recursion


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_every_recursion_is_searched_from_random_starts(recursion: str) -> None:
    supervision = built("dis", recursion)
    supervision.model.eval()
    questions = Questions(models.batch(3), np.arange(3), 5, every_cell, None, None)
    rollout = roll_out_widely(supervision, questions, Search(width=3, start="random", noise=0.5))
    assert rollout.network_calls == [3 * step * supervision.model.config.network_calls for step in (1, 2, 3)]
    assert bool((rollout.probes["rollout_equal"].max(2).values > 0).any())  # rollouts differ


def test_a_model_card_says_the_layers_of_every_module(tmp_path: Path) -> None:
    supervision = models.act(recursion="hrm", H_layers=2)
    opened = open_checkpoint(write_run(tmp_path / "run", supervision, "act"))
    text = model_card(opened, recorded(opened, None), "me/small", "mit")
    assert "layers: 2 and 1 (in H_level, L_level)" in text


@pytest.mark.parametrize(
    ("preset", "weights"), [("trm", 6_828_034), ("hrm", 27_275_266), ("transformers_baseline", 27_144_194)]
)
def test_a_published_architecture_has_as_many_weights_as_published(preset: str, weights: int) -> None:
    arch = architecture(train_config(composition("pretrain.py", f"arch={preset}", "data_paths=[a]")).arch)
    assert trained_weights(arch, PuzzleShape(81, 11, 1)) == weights
