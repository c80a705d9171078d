"""A dataset that a configuration would build is not taken for another that lies in its place."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.runs import REPOSITORY
from tests.trm_lab.training.test_every_preset import run
from trm.errors import UserError
from trm_lab.commands.build_command import BuildCommand
from trm_lab.puzzles.manifest import MANIFEST_FILE, About, fingerprint, read_command, write_manifest
from trm_lab.puzzles.sudoku import builder_4x4 as build_sudoku_4x4_dataset

SMALL = "--train-size 20 --test-size 10 --num-aug 2 --min-givens 8 --max-givens 10"
COMMAND = f"python -m data.build_sudoku_4x4_dataset {SMALL}"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    build_sudoku_4x4_dataset.main([*SMALL.split(), "--output-dir", str(tmp_path / "sudoku")])
    return tmp_path / "sudoku"


def test_a_dataset_of_another_command_is_named_with_the_ways_out(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = (Path(dataset.name), tmp_path / "run", "arch=dis", "evaluators=[]", "max_steps=1")
    other = f"{COMMAND.replace('--train-size 20', '--train-size 800')} --output-dir sudoku"
    with pytest.raises(UserError, match="train_size 20, not 800") as refused:
        run(*begun, f"+data_build.sudoku='{other}'")
    assert f"{other} --overwrite" in refused.value.remedy
    assert str(dataset) in refused.value.remedy
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="train_size 20, not 800"):  # the same place, spelt otherwise
        run(Path("sudoku/../sudoku"), *begun[1:], f"+data_build.sudoku='{other}'")
    for foreign in ("rm -rf x", f'{COMMAND} --output-dir "sudoku'):
        with pytest.raises(UserError, match="data_build: ") as refused:
            run(*begun, f"+data_build.sudoku='{foreign}'")
        assert foreign not in refused.value.remedy
    run(*begun, f"+data_build.sudoku='{COMMAND} --output-dir sudoku'")


def test_commands_are_compared_by_what_they_build(dataset: Path) -> None:
    recorded = read_command(dataset)
    assert recorded is not None
    seed, num_aug = recorded.defaults["seed"], recorded.defaults["num_aug"]
    for other, differences in (
        (f"{COMMAND} --seed {seed} --output-dir elsewhere", []),
        (COMMAND.replace("--num-aug 2", "--num_aug=2") + " --overwrite", []),
        (COMMAND.replace(" --num-aug 2", ""), [f"num_aug 2, not {num_aug}"]),
    ):
        assert recorded.differences(other) == differences
    assert recorded.differences(recorded.text) == []
    assert recorded.text.startswith("python -m data.build_sudoku_4x4_dataset --train-size 20 ")
    assert "--seed" not in recorded.text
    assert recorded.differences("python -m data.build_maze_dataset")[0].startswith("built by build_sudoku_4x4")


def test_a_command_is_no_part_of_what_a_dataset_is_and_a_stranger_s_is_refused(dataset: Path) -> None:
    before = fingerprint(dataset)
    content = json.loads((dataset / MANIFEST_FILE).read_text())
    (dataset / MANIFEST_FILE).unlink()
    about = About(**content["about"])
    write_manifest(dataset, about)
    assert read_command(dataset) is None
    assert fingerprint(dataset) == before
    (dataset / MANIFEST_FILE).unlink()
    write_manifest(dataset, about, BuildCommand("build_x_dataset", {"a": "\x1b[2J"}, {}))
    with pytest.raises(UserError, match="a command that is none of a builder's"):
        read_command(dataset)


def test_no_two_commands_of_ours_build_at_one_place() -> None:
    commands: dict[str, set[str]] = {}
    for file in (REPOSITORY / "configs").rglob("*.yaml"):
        for place, command in ((yaml.safe_load(file.read_text()) or {}).get("data_build") or {}).items():
            commands.setdefault(place, set()).add(" ".join(command.split()))
    for file in (REPOSITORY / "README.md", REPOSITORY / "data/README.md", *(REPOSITORY / "docs").glob("*.md")):
        for command in re.findall(r"^python -m data\.build_\w+ .*$", file.read_text(), re.MULTILINE):
            words = shlex.split(command.split("#")[0])
            if "--output-dir" in words:
                place = words[words.index("--output-dir") + 1]
                commands.setdefault(place, set()).add(" ".join(words))
    several = {}
    for place, different in commands.items():
        first, *others = (_as_built(command) for command in sorted(different))
        if any(other != first for other in others):
            several[place] = different
    assert several == {}


def _as_built(command: str) -> BuildCommand:
    """With the flags in any order, and without where it builds."""
    words = shlex.split(command)[3:]
    names = {word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")}
    return BuildCommand.of(command, words, dict.fromkeys(sorted(names - {"output_dir", "overwrite"})))
