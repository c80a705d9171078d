"""docs/extending.md: every block of code runs, and what it defines trains, is evaluated, compared and exported."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from analysis.methods import method_name
from dis_trm.targets import TARGETS
from tests.runs import NARROW, REPOSITORY
from trm.model import PuzzleShape
from trm.recursion import RECURSIONS
from trm_lab.configuration.train_config import register_defaults
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.flops import step_flops
from trm_lab.methods import METHODS
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.recorded_run import read_run
from trm_lab.training.launch import train
from trm_lab.training.overrides import normalise

SECTIONS = dict(
    re.findall(
        r"^## (.+?)\n.*?```python\n(.*?)```", (REPOSITORY / "docs/extending.md").read_text(), re.DOTALL | re.MULTILINE
    )
)


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
        exec(SECTIONS["A dataset of one's own"], {})
    return folder / "data/backwards"


def define(section: str) -> tuple[str, dict[str, Any]]:
    """Run a section's block; the name that it registered, and what it defined."""
    names, before = {"__name__": "own_file"}, set(METHODS)
    exec(SECTIONS[section], names)
    (registered,) = METHODS.keys() - before
    return registered, names


def trained(name: str, dataset: Path, folder: Path, *more: str) -> list[dict[str, Any]]:
    """The training records of a short run, from the words of a command line."""
    register_defaults()  # for a line in methods.py this happens at import
    words = [f"arch={name}", f"data_paths=[{dataset}]", f"checkpoint_path={folder}", *NARROW, *more]
    words += ["epochs=40", "eval_interval=40", "max_steps=12", "log_interval=6", "global_batch_size=16"]
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        train(compose("cfg_pretrain", normalise(words)))
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "train"]


def test_a_target_source_of_one_s_own_passes_its_test_and_trains(dataset: Path, tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/extending.md").read_text().split("## A target source of your own")[1].split("\n## ")[0]
    defined: dict[str, Any] = {"__name__": "own_file"}
    exec("".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), defined)
    defined["test_frames_near_the_answer"]()
    record = trained("dis", dataset, tmp_path / "run", "arch.targets=row_by_row")[-1]
    assert record["metrics"]["lm_loss"] > 0
    assert open_checkpoint(tmp_path / "run").arch.settings.targets == "row_by_row"
    assert method_name(read_run(tmp_path / "run")).startswith("DIS, targets=row_by_row")


def test_a_recursion_of_one_s_own_passes_its_test_trains_and_is_exported(dataset: Path, tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/extending.md").read_text().split("## A recursion of your own")[1].split("\n## ")[0]
    defined: dict[str, Any] = {"__name__": "own_file"}
    exec("".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), defined)
    defined["test_the_answer_s_update_reads_the_question"]()
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


def test_a_metric_of_one_s_own_arrives_in_the_records(dataset: Path, tmp_path: Path) -> None:
    name, _ = define("One more metric")
    record = trained(name, dataset, tmp_path / "run")[-1]
    assert 0.1 < record["metrics"]["certainty"] < 1
    assert record["denominators"]["certainty"] == {"per": "slot", "count": 6 * 16}


def test_a_loop_of_one_s_own_learns(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(dataset.parents[1])
    exec(SECTIONS["A training loop of your own"].replace("epochs_per_iteration=60", "epochs_per_iteration=4"), {})
    shares = [float(share) for share in re.findall(r"([\d.]+)% of the cells", capsys.readouterr().out)]
    assert len(shares) == 2
    assert shares[-1] > 20  # of 9 digits, by chance 11


def test_every_section_of_the_page_has_its_test() -> None:
    assert len(SECTIONS) == 8
