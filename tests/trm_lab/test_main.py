"""The one command, `trm-lab`: the scripts under shorter names, from any folder."""

import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, environment
from trm_lab.__main__ import commands, main
from trm_lab.commands.invocation import start_as
from trm_lab.puzzles.manifest import read_command
from trm_lab.release import wheel


@pytest.fixture(autouse=True)
def same_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `main` changes of its process is put back."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    start_as("")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command that cannot run prints."""
    with pytest.raises(SystemExit, match="2"):
        main(words)
    return capsys.readouterr().err


def test_every_script_of_the_checkout_is_one_of_its_commands() -> None:
    files = [*REPOSITORY.glob("*.py"), *(REPOSITORY / "data").glob("*.py"), *(REPOSITORY / "analysis").rglob("*.py")]
    scripts = {
        ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__main__")
        for file in files
        if '__name__ == "__main__":' in file.read_text()
    }
    assert set(commands().values()) == scripts


@pytest.mark.parametrize(
    ("words", "module", "behind"),
    [
        ("train arch=dis seed=1", "pretrain", "arch=dis seed=1"),
        ("train -m seed=1,2", "pretrain", "-m seed=1,2"),
        ("train", "pretrain", ""),
        ("train trm seed=1", "pretrain", "seed=1"),
        ("train dis seed=1", "train_arc_tiny_corrupt", "seed=1"),
        ("evaluate runs/a --margin", "evaluate", "runs/a --margin"),
        ("solve runs/a 53..7 --steps 3", "evaluate", "runs/a --puzzle=53..7 --steps 3"),
        ("solve runs/a --task task.json", "evaluate", "runs/a --task task.json"),
        ("export runs/a --to hub", "export", "runs/a --to hub"),
        ("build sudoku-4x4 --seed 1", "data.build_sudoku_4x4_dataset", "--seed 1"),
        ("analyse page runs/a", "analysis.page", "runs/a"),
        ("evaluate.py runs/a", "evaluate", "runs/a"),
        ("train_arc_tiny_corrupt seed=1", "train_arc_tiny_corrupt", "seed=1"),
        ("data.build_arc_dataset --seed 1", "data.build_arc_dataset", "--seed 1"),
    ],
)
def test_a_command_is_a_script_with_the_words_behind_it(
    words: str, module: str, behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(runpy, "run_module", lambda name, **_: started.append(name))
    main(words.split())
    assert started == [module]
    assert sys.argv[1:] == behind.split()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("evaluat runs/a", "'evaluat' is no command of trm-lab\n  allowed: train | .*did you mean trm-lab evaluate?"),
        ("compare runs/a runs/b", "'compare' is no command of trm-lab\n.*did you mean trm-lab analyse compare?"),
        ("nquens", "'nquens' is no command of trm-lab\n.*did you mean trm-lab build nqueens?"),
        ("train diss", "'diss' is no command of trm-lab train\n  allowed: trm | dis\n.*mean trm-lab train dis?"),
        ("build nquens", "'nquens' is no command of trm-lab build\n.* | nqueens | .*mean trm-lab build nqueens?"),
        ("analyse --most 3", "'--most' is no command of trm-lab analyse\n.* | page | .*"),
        ("solve runs/a --steps 3", "trm-lab solve runs/a --steps 3: no puzzle\n  allowed: trm-lab solve CHECKPOINT .*"),
    ],
)
def test_a_wrong_word_is_named_with_the_nearest(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, *later = complaint.split(".*")
    output = said(capsys, *words.split())
    assert output.startswith(f"error: {first}")
    assert all(part in output for part in later)


def test_help_lists_what_there_is_without_importing_torch() -> None:
    program = "import sys; sys.modules['torch'] = None; from trm_lab.__main__ import main; main(sys.argv[1:])"
    for group in ("", "build", "analyse"):
        process = [sys.executable, "-c", program, *group.split(), "--help"]
        lines = subprocess.run(process, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
        for name in commands():
            if name.startswith(f"{group} "):
                (line,) = (line for line in lines if line.startswith(f"  {name} "))
                assert len(line.removeprefix(f"  {name} ").strip()) > 20
            elif not group:
                assert any(line.startswith(f"  {name.split()[0]}") for line in lines), name


def test_help_and_errors_name_the_command_as_it_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", "nqueens", "--help"])
    text = capsys.readouterr().out
    assert "usage: trm-lab build nqueens [" in text
    assert "\n  trm-lab build nqueens --output-dir data/nqueens-8\n" in text
    assert "python -m" not in text
    assert "see trm-lab build nqueens --help" in said(capsys, "build", "nqueens", "--size", "x")
    assert "to do:   trm-lab evaluate <run>\n" in said(capsys, "evaluate", "--margin")


def test_a_dataset_s_manifest_names_its_builder_however_it_was_started(tmp_path: Path) -> None:
    main(["build", "sudoku-4x4", "--train-size", "4", "--test-size", "2", "--output-dir", str(tmp_path / "set")])
    command = read_command(tmp_path / "set")
    assert command is not None
    assert command.differences("python -m data.build_sudoku_4x4_dataset --train-size 4 --test-size 2") == []


def test_an_editable_installation_serves_any_folder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """As `make` installs it; a checkout's own code comes first within its root."""
    checkout, environ = tmp_path / "checkout", tmp_path / "environment"
    wheel._copy_sources(checkout)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environ], check=True)
    python = environ / "bin/python"
    libraries = sysconfig.get_path("purelib", vars={"base": str(environ)})
    (Path(libraries) / "outer.pth").write_text(sysconfig.get_path("purelib"))
    before = {path for path in checkout.rglob("*") if path.is_file()}
    (recipe,) = (line for line in (REPOSITORY / "Makefile").read_text().splitlines() if "--editable" in line)
    options = recipe.partition(" -m pip ")[2].split()
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *options, "--no-index"], cwd=checkout, check=True)
    assert {path for path in checkout.rglob("*") if path.is_file()} == before

    other = tmp_path / "another/trm_lab"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    alone = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
    for folder, place in ((tmp_path, checkout / "trm_lab"), (other.parent, other)):
        words = [python, "-c", "import trm_lab; print(trm_lab.__file__)"]
        output = subprocess.run(words, cwd=folder, env=alone, capture_output=True, text=True, check=True).stdout
        assert Path(output.strip()).parent == place
    words = [environ / "bin/trm-lab", "--help"]
    done = subprocess.run(words, cwd=tmp_path, env=alone, capture_output=True, text=True, check=True)
    assert "usage: trm-lab COMMAND" in done.stdout
    shutil.rmtree(environ)
