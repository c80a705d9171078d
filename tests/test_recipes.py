"""Every dataset has an experiment, and each recipe for a laptop trains DIS or TRM by `arch` and says what to expect."""

import re

import pytest

from tests.infra.compositions import composed
from tests.runs import REPOSITORY

EXPERIMENTS = REPOSITORY / "configs/experiment"
RECIPES = (
    "arc_small",
    "sudoku4x4",
    "sudoku6x6",
    "sudoku9x9",
    "nqueens8",
    "maze9x9",
    "maze11x11",
    "rubik2x2",
    "qa_plain",
    "qa_advanced",
    "qa_ultra_complex",
    "qa_ultra_complex_small",
    "math",
    "gsm8k",
    "reasoning_gym",
)
HEADINGS = ("Command", "Hardware and hours", "Expected", "Without learning", "Tried")


def head(experiment: str) -> str:
    """The comment that a file opens with, as one text."""
    lines = (EXPERIMENTS / f"{experiment}.yaml").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("#") for line in lines if line.startswith("#"))


def test_every_builder_has_an_experiment_that_trains_on_what_it_builds() -> None:
    configs = [composed("pretrain.py", f"experiment={file.stem}") for file in EXPERIMENTS.glob("*.yaml")]
    commands = [config.data_build[path] for config in configs for path in config.data_paths]
    trained_on = {match[1] for command in commands if (match := re.search(r"-m data\.(\w+)", command))}
    assert trained_on == {file.stem for file in (REPOSITORY / "data").glob("build_*.py")}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_either_method_alike_and_builds_its_own_data(name: str) -> None:
    dis, trm = (composed("pretrain.py", f"experiment={name}", f"arch={arch}") for arch in ("dis", "trm_compact"))
    assert (dis.arch["supervision"], trm.arch["supervision"]) == ("dis", "act")
    network = ("hidden_size", "L_layers", "H_cycles", "L_cycles", "mlp_t", "pos_encodings", "puzzle_emb_ndim")
    assert [dis.arch[key] for key in network] == [trm.arch[key] for key in network]
    assert {**vars(dis), "arch": None} == {**vars(trm), "arch": None}
    assert dis.run_name == name
    assert dis.build_missing_data
    assert dis.data_paths[0] in dis.data_build[dis.data_paths[0]]
    assert dis.device == "auto"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_s_head_gives_its_command_time_scores_and_baselines(name: str) -> None:
    text = head(name)
    assert [heading for heading in HEADINGS if not re.search(rf"^ {heading}: \S", text, re.MULTILINE)] == []
    assert f"Command: python pretrain.py experiment={name} arch=dis seed=0" in text
