"""Exports: what is written is read back the same, whole or not at all, and only where it may go."""

import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors import safe_open

from tests.exportable import STEP, random_dis, write_launches, write_run
from tests.models import act, network
from tests.trm_lab.inference import described_runs
from trm.act import ACTConfig, ACTSupervision
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.commands.command_line import run_command
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.puzzles.sudoku import builder_4x4 as sudoku
from trm_lab.release.exporting import FORMS, ExportRequest, export
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.weights import PUZZLE_ROWS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "small", random_dis())


def exported(target: Path, form: str, output: Path, **more: Any) -> OpenedCheckpoint:
    export(ExportRequest(str(target), form, output, **more))
    return open_checkpoint(output if form != "published" else output / f"step_{STEP}")


@pytest.mark.parametrize("name", ["act", "dis"])
def test_an_export_and_one_of_it_are_read_back_as_what_they_were_made_from(name: str, tmp_path: Path) -> None:
    supervision = random_dis() if name == "dis" else act()
    target = run = write_run(tmp_path / "run", supervision, name)
    for form in ("hub", "published", "hub"):
        again = exported(target, form, tmp_path / f"{target.name}_{form}")
        torch.testing.assert_close(dict(again.weights), dict(supervision.model.state_dict()), rtol=0, atol=0)
        assert again.arch == open_checkpoint(run).arch
        assert (again.step, again.seed, again.batch_size, again.arch.supervision) == (STEP, 3, 4, name)
        target = again.path


def test_the_kind_of_weights_is_chosen_and_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", random_dis(), ema=True)
    for kind, told, more in (("auto", "ema", 1.0), ("ema", "ema", 1.0), ("raw", "raw", 0.0)):
        again = exported(run, "hub", tmp_path / kind, weight_kind=kind)
        expected = random_dis().model.state_dict()
        assert torch.equal(again.weights["q_head.weight"], expected["q_head.weight"] + more)
        assert torch.equal(again.weights[PUZZLE_ROWS], expected[PUZZLE_ROWS])
        assert again.config["weights"] == told
        with safe_open(tmp_path / kind / "model.safetensors", "pt") as file:
            about = {"format": "pt", "step": str(STEP), "weights": told, "supervision": "dis"}
            assert file.metadata() == about


def test_no_path_of_the_machine_is_in_what_goes_to_the_hub(run: Path, tmp_path: Path) -> None:
    exported(run, "hub", tmp_path / "out")
    for name in ("README.md", "config.yaml"):
        text = (tmp_path / "out" / name).read_text()
        assert str(tmp_path.parent) not in text
        assert "arc-small" in text
    config = OmegaConf.to_container(OmegaConf.load(tmp_path / "out/config.yaml"))
    assert isinstance(config, dict)
    assert config["data_paths"] == ["arc-small"]
    assert config["checkpoint_path"] == "small"
    assert config["data_build"] == {"arc-small": "python -m data.build_arc_dataset --output-dir arc-small"}
    assert (config["step"], config["weights"], config["seq_len"]) == (STEP, "raw", 16)


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("form", sorted(FORMS))
def test_what_is_there_is_replaced_only_if_it_is_such_an_export_and_by_the_same_bytes(
    tmp_path: Path, form: str
) -> None:
    """Of the wheel in the package: see test_wheel.py.  Of what else may be there: see test_own_folders.py."""
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    run = write_run(tmp_path / "run", random_dis(), row_names=[f"puzzle {number}" for number in range(9)])
    out = tmp_path / "out"
    export(ExportRequest(str(run), form, out))
    with pytest.raises(UserError, match="already holds an export"):
        export(ExportRequest(str(run), form, out))
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for _ in range(2):  # metadata of four keys in any order would be in one order 1 time in 24 ** 2
        export(ExportRequest(str(run), form, out, overwrite=True))
        assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    for place in (run, run / "checkpoints", run / f"checkpoints/step_{STEP}"):
        with pytest.raises(UserError, match="holds other things than"):
            export(ExportRequest(str(run), form, place, overwrite=True))
    (tmp_path / "README.md").write_text("a file")
    with pytest.raises(UserError, match=r"README\.md is a file"):
        export(ExportRequest(str(run), form, tmp_path / "README.md", overwrite=True))


@pytest.mark.usefixtures("no_wheel")
def test_a_package_whose_wheel_has_the_project_s_older_name_is_still_one_of_ours(run: Path, tmp_path: Path) -> None:
    request = ExportRequest(str(run), "kaggle", tmp_path / "out", overwrite=True)
    export(request)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    wheel.rename(wheel.with_name(wheel.name.replace("trm_lab", "dis_trm")))
    export(request)
    assert list((tmp_path / "out").glob("*.whl")) == [wheel]


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """`with full_after(size):` a file takes no more bytes than that, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    listening = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, listening)


@pytest.mark.parametrize(("form", "size"), [("hub", 20_000), ("published", 3_000), ("kaggle", 0), ("onnx", 9_000)])
def test_a_full_disk_is_told_in_three_parts_with_the_path_and_nothing_is_left(
    run: Path, tmp_path: Path, form: str, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    request = ExportRequest(str(run), form, tmp_path / "exports" / "out")
    with full_after(size), pytest.raises(SystemExit) as caught:
        run_command(lambda: export(request))
    assert caught.value.code == 74
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in said] == ["error", "allowed", "to do"]
    assert f"{tmp_path / 'exports' / 'out'}" in said[0]
    assert "File too large" in said[0]
    assert not list((tmp_path / "exports").iterdir())


def test_what_does_not_go_together_is_refused_and_nothing_is_written(run: Path, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"form": "published", "push_to": "me/model"}, "--push with --to published"),
        ({"form": "published", "evaluation": Path("x")}, "--evaluation with --to published"),
        ({"form": "published", "licence": ""}, "--license with --to published"),
        ({"private": True}, "--private without --push"),
        ({"licence": "a\nb: c"}, "--license"),
        ({"evaluation": Path("nowhere")}, "evaluation nowhere: there is no such folder"),
        ({"target": "nowhere"}, "no checkpoint at nowhere"),
    ]
    for changes, message in cases:
        request = {"target": str(run), "form": "hub", "output": tmp_path / "out", **changes}
        with pytest.raises(UserError, match=message):
            export(ExportRequest(**request))
    assert not (tmp_path / "out").exists()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def pointer(file: Path) -> None:
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def change(old: str, new: str, file: Path) -> None:
    file.write_text(re.sub(old, new, file.read_text()))


def test_a_damaged_export_is_refused_by_the_name_of_what_is_wrong(run: Path, tmp_path: Path) -> None:
    cases: list[tuple[str, str, Callable[[Path], object], str]] = [
        ("hub", "model.safetensors", cut, r"model\.safetensors: "),
        ("hub", "model.safetensors", pointer, "git-lfs pointer"),
        ("hub", "config.yaml", partial(change, "global_batch_size.*", ""), "lacks global_batch_size"),
        ("hub", "config.yaml", partial(change, "max_steps", "max_stepz"), "halt_max_stepz"),
        ("hub", "config.yaml", partial(change, "hidden_size: 16", "hidden_size: 32"), "hidden_size"),
        ("published", "step_12", cut, "step_12: "),
        ("published", "step_12", pointer, "git-lfs pointer"),
        ("published", "all_config.yaml", Path.unlink, "no configuration beside"),
    ]
    for number, (form, name, damage, message) in enumerate(cases):
        out = tmp_path / str(number)
        export(ExportRequest(str(run), form, out))
        damage(out / name)
        with pytest.raises(UserError, match=message):
            open_checkpoint(out if form == "hub" else out / f"step_{STEP}")


def test_only_arc_models_become_a_package_for_arc(tmp_path: Path) -> None:
    model = TinyRecursiveModel(network(), PuzzleShape(seq_len=15, vocab_size=12, num_puzzle_identifiers=3))
    run = write_run(tmp_path / "run", ACTSupervision(model, ACTConfig(halt_max_steps=2)), "act")
    with pytest.raises(UserError, match="a checkpoint that was trained on ARC"):
        export(ExportRequest(str(run), "kaggle", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_published_form_is_what_the_published_code_reads(run: Path, tmp_path: Path) -> None:
    exported(run, "published", tmp_path / "out")
    content = torch.load(tmp_path / f"out/step_{STEP}", weights_only=True)
    assert all(name.startswith("model.inner.") for name in content)
    config = OmegaConf.load(tmp_path / "out/all_config.yaml")
    assert config.arch.name == "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1"
    assert config.arch.loss == {"name": "losses@ACTLossHead", "loss_type": "stablemax_cross_entropy"}
    assert config.evaluators == [{"name": "arc@ARC"}]
    assert "loss_type" not in config.arch


def test_an_export_tells_how_its_data_are_built_which_an_evaluation_without_them_then_advises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sudoku.main(["--train-size", "8", "--test-size", "4", "--output-dir", "mine"])
    described = described_runs.write_run(Path("run"), described_runs.PUZZLES["sudoku"])
    config = OmegaConf.load(described / "config.yaml")
    config.data_paths, config.data_build = ["mine"], {}
    OmegaConf.save(config, described / "config.yaml")
    write_launches(described, [{"datasets": {"mine": fingerprint("mine")}}])
    command = "python -m data.build_sudoku_4x4_dataset --train-size 8 --test-size 4 --output-dir mine"
    exported(described, "hub", tmp_path / "out")
    assert f"`mine` is built by `{command}`" in Path("out/README.md").read_text()
    shutil.rmtree("mine")
    with pytest.raises(UserError, match="no dataset at mine") as missing:
        score(ScoringRequest("out", device="cpu"))
    assert missing.value.remedy.endswith(f"build it: {command}")
