"""docs/extending.md: every block of code runs, and what it defines trains, is evaluated, compared and exported."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

import trm_lab
from analysis.methods import method_name
from dis_trm.targets import TARGETS
from tests.runs import NARROW, REPOSITORY, environment
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.recursion import RECURSIONS
from trm_lab.configuration.architecture import architecture
from trm_lab.configuration.train_config import register_defaults, train_config
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.flops import step_flops
from trm_lab.methods import METHODS
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.recorded_run import read_run
from trm_lab.training.launch import train
from trm_lab.training.overrides import normalise

PAGE = (REPOSITORY / "docs/extending.md").read_text(encoding="utf-8")
TEXTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCKS = {name: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for name, text in TEXTS.items()}
SECTIONS = {name: blocks[0] for name, blocks in BLOCKS.items()}
ENTRY = re.compile(r'^(?:METHODS|TARGETS|RECURSIONS)\["(\w+)"\]', re.MULTILINE)
EXTENSIONS = [name for name, block in SECTIONS.items() if ENTRY.search(block)]
RULES = "tests/test_architecture.py"
COPIED = ("trm", "dis_trm", "trm_lab", "analysis", "benchmarks", "configs", "pyproject.toml", "requirements.txt", RULES)
COMPOSED = """
import pytest
from hydra import compose, initialize_config_dir

from trm.model import PuzzleShape
from trm_lab.configuration.architecture import architecture
from trm_lab.configuration.train_config import train_config
from trm_lab.training.overrides import normalise


@pytest.mark.parametrize("words", {words!r})
def test_a_command_finds_what_the_file_registered(words):
    with initialize_config_dir({configs!r}, version_base="1.3"):
        config = train_config(compose("cfg_pretrain", normalise(words)))
    architecture(config.arch).build(PuzzleShape(16, 6, 1))
"""


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a block registers is gone after its test."""
    registries: tuple[dict[str, Any], ...] = (METHODS, TARGETS, RECURSIONS)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data").mkdir()
        exec(SECTIONS["Data of your own"], {})
    return folder / "data/backwards"


def define(section: str) -> tuple[str, dict[str, Any]]:
    """Run a section's block; the first name that it registered, and what it defined."""
    names: dict[str, Any] = {"__name__": "own_file"}
    before = set(METHODS)
    exec(SECTIONS[section], names)
    return next(name for name in METHODS if name not in before), names


def own_file(section: str) -> str:
    """The name of the file that a section names, or one of its own, without its ending."""
    named = re.search(r"`trm_lab/extensions/(\w+)\.py`", TEXTS[section])
    return named[1] if named else section.lower().replace(" ", "_")


def define_with_test(section: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a section's block as the extension that its test, the other block, imports; what the test's file defines."""
    name = f"trm_lab.extensions.{own_file(section)}"
    extension, test = ModuleType(name), {"__name__": "own_test"}
    exec(BLOCKS[section][0], extension.__dict__)
    patch.setitem(sys.modules, name, extension)
    exec(BLOCKS[section][1], test)
    return test


def trained(name: str, dataset: Path, folder: Path, *more: str) -> list[dict[str, Any]]:
    """The training records of a short run, from the words of a command line."""
    register_defaults()  # for a line in methods.py this happens at import
    words = [f"arch={name}", f"data_paths=[{dataset}]", f"checkpoint_path={folder}", *NARROW, *more]
    words += ["epochs=40", "eval_interval=40", "max_steps=12", "log_interval=6", "global_batch_size=16"]
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        train(compose("cfg_pretrain", normalise(words)))
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "train"]


def test_a_target_source_of_one_s_own_passes_its_test_and_trains(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_with_test("A target source of your own", monkeypatch)["test_frames_near_the_answer"]()
    record = trained("dis", dataset, tmp_path / "run", "arch.targets=row_by_row")[-1]
    assert record["metrics"]["lm_loss"] > 0
    assert open_checkpoint(tmp_path / "run").arch.settings.targets == "row_by_row"
    assert method_name(read_run(tmp_path / "run")).startswith("DIS, targets=row_by_row")


def test_a_recursion_of_one_s_own_passes_its_test_trains_and_is_exported(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_with_test("A recursion of your own", monkeypatch)["test_the_answer_s_update_reads_the_question"]()
    record = trained("dis", dataset, tmp_path / "run", "recursion=question_in_answer")[-1]
    assert record["step"] == 12
    export(ExportRequest(str(tmp_path / "run"), "hub", tmp_path / "export"))
    assert open_checkpoint(tmp_path / "export").arch.network.recursion == "question_in_answer"
    assert method_name(read_run(tmp_path / "run")).endswith("recursion=question_in_answer T=1 n=2")


def test_a_higher_threshold_lets_slots_run_longer(dataset: Path, tmp_path: Path) -> None:
    name, _ = define("A new halting rule")
    assert trained(name, dataset, tmp_path / "run")[-1]["step"] == 12


def test_a_third_method_trains_is_evaluated_compared_and_exported(dataset: Path, tmp_path: Path) -> None:
    name, _ = define("A new supervision")
    trained(name, dataset, tmp_path / "run")
    score(ScoringRequest(str(tmp_path / "run"), output=tmp_path / "scored", device="cpu"))
    scores = json.loads((tmp_path / "scored/scores.json").read_text())
    assert scores["network_calls_per_answer"] == 6 * 3
    assert scores["cost"]["operations"] > 0
    run = read_run(tmp_path / "run")
    assert method_name(run) == "Fixed steps"
    export(ExportRequest(str(tmp_path / "run"), "hub", tmp_path / "export"))
    exported = open_checkpoint(tmp_path / "export")
    assert exported.arch.supervision == name
    assert step_flops(exported.arch, PuzzleShape(8, 10, 1)) is not None


def test_another_block_trains(dataset: Path, tmp_path: Path) -> None:
    name, defined = define("Another block")
    trained(name, dataset, tmp_path / "run")
    model = open_checkpoint(tmp_path / "run").arch.build(PuzzleShape(8, 10, 1)).model
    assert all(isinstance(layer, defined["PreNormBlock"]) for layer in model.L_level.layers)
    mixed = model_of("dis_pre_norm", "arch.mlp_t=True", "arch.pos_encodings=none")
    attended = model_of("dis_pre_norm")
    names = [{name.split(".")[3] for name, _ in m.L_level.named_parameters("L_level")} for m in (attended, mixed)]
    assert names == [{"self_attn", "mlp"}, {"mlp_t", "mlp"}]
    assert mixed.recurse(mixed.initial_latents(2), torch.ones(2, 10, 32))["z_H"].isfinite().all()


def model_of(name: str, *words: str) -> TinyRecursiveModel:
    """The network that a command line makes, for 8 tokens behind 2 of the puzzle."""
    register_defaults()
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        config = train_config(compose("cfg_pretrain", normalise([f"arch={name}", *NARROW, *words])))
    return architecture(config.arch).build(PuzzleShape(8, 10, 1)).model


def test_a_metric_of_one_s_own_arrives_in_the_records(dataset: Path, tmp_path: Path) -> None:
    name, _ = define("One more metric")
    record = trained(name, dataset, tmp_path / "run")[-1]
    assert 0.1 < record["metrics"]["certainty"] < 1
    assert record["denominators"]["certainty"] == {"per": "slot", "count": 6 * 16}


def test_a_network_trained_by_the_page_s_command_answers_a_question_in_tokens(dataset: Path, tmp_path: Path) -> None:
    text = TEXTS["Data of your own"]
    (command,) = re.findall(r"^python pretrain\.py (.+)$", text, re.MULTILINE)
    (question,) = re.findall(r'^trm-lab solve runs/\w+ "(.+)"$', text, re.MULTILINE)
    words = [word for word in shlex.split(command) if not word.startswith(("data_paths=", "max_steps="))]
    words += [f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", "max_steps=2", "device=cpu"]
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        train(compose("cfg_pretrain", normalise(words)))
    answer = trm_lab.load(tmp_path / "run", device="cpu").solve(question)
    assert answer.grid.shape == (8,)
    assert str(answer).startswith(f"{question}\n→ ")


def test_a_loop_of_one_s_own_learns(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(dataset.parents[1])
    exec(SECTIONS["A training loop of your own"].replace("epochs_per_iteration=60", "epochs_per_iteration=4"), {})
    shares = [float(share) for share in re.findall(r"([\d.]+)% of the cells", capsys.readouterr().out)]
    assert len(shares) == 2
    assert shares[-1] > 20  # of 9 digits, by chance 11


def copy_of_the_checkout(folder: Path) -> None:
    """Its code, without data, records and tests but those of the rules."""
    for name in (*COPIED, *(file.relative_to(REPOSITORY) for file in REPOSITORY.glob("*.py"))):
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "recorded"))
        else:
            shutil.copyfile(source, target)


@pytest.mark.long
def test_files_where_the_page_puts_them_are_found_and_break_no_rule_of_the_house(tmp_path: Path) -> None:
    copy_of_the_checkout(tmp_path)
    for section in EXTENSIONS:
        (tmp_path / f"trm_lab/extensions/{own_file(section)}.py").write_text(BLOCKS[section][0], encoding="utf-8")
        for test in BLOCKS[section][1:]:
            (tmp_path / f"tests/test_{own_file(section)}.py").write_text(test, encoding="utf-8")
    words = [shlex.split(command) for command in re.findall(r"^python pretrain\.py (.+)$", PAGE, re.MULTILINE)]
    small = ["arch.hidden_size=32", "arch.num_heads=2"]
    words += [[f"arch={name}", *small] for name in re.findall(r'^METHODS\["(\w+)"\]', PAGE, re.MULTILINE)]
    composed = COMPOSED.format(words=words, configs=str(tmp_path / "configs"))
    (tmp_path / "tests/test_composed.py").write_text(composed, encoding="utf-8")
    touched = "arrows or sitting or opens_with or documented or shadows or not test_architecture"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", "-k", touched]
    variables = environment() | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=variables, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


def test_every_section_of_the_page_has_its_test() -> None:
    assert len(SECTIONS) == 8
