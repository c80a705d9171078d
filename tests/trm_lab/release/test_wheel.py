"""The wheel, installed where nothing else of the project is: no generic names, every file, and each of its commands."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.runs import NARROW, REPOSITORY, environment
from tests.trm_lab.release.checkout_files import packed_files
from trm_lab import __main__ as commands

DRIVER = '''
"""Runs commands, each in a process of its own, which shares what this one has imported."""
import json, os, sys, traceback
import hydra, matplotlib.pyplot, scipy.stats, torch
import dis_trm.supervision, trm_lab.training.launch
from trm_lab import __main__ as commands

assert commands.__file__.startswith(sys.argv[1]), commands.__file__
assert not {"data", "analysis", "evaluate"} & sys.modules.keys()
for words in json.loads(sys.argv[2]):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            commands.main(words)
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {words}")
'''
RUN = ["data_paths=[queens]", "+run_name=small", "epochs=2", "eval_interval=2", "global_batch_size=8"]
SMALL_SET = "--output-dir queens --size 5 --num-aug 0 --train-size 16 --test-size 8"
USES = [
    ["data.build_nqueens_dataset", *SMALL_SET.split()],
    ["pretrain", "arch=trm", "evaluators=[]", *NARROW, *RUN, "arch.halt_max_steps=2", "max_steps=2"],
    ["evaluate.py", "runs/small", "--device", "cpu"],
    ["export", "runs/small", "--to", "hub", "--output-dir", "exported"],
    ["analysis.summary", "runs/small"],
    ["analysis.page", "runs/small"],
    ["analysis.report", "runs/small", "--output-dir", "report"],
]


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the unpacked wheel alone."""
    library = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(library)
    return library


def use(library: Path, folder: Path, words: list[list[str]]) -> str:
    """What commands print, in a process that finds the project in `library` alone."""
    process = [sys.executable, "-c", DRIVER, str(library), json.dumps(words)]
    alone = {**environment(), "PYTHONPATH": str(library)}
    done = subprocess.run(process, cwd=folder, env=alone, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_every_file_that_the_code_opens_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name.split("/")[0] for name in inside} == {"trm", "dis_trm", "trm_lab"}
    assert {"trm_lab/checkout/analysis/claims.yaml", "trm_lab/checkout/analysis/page/page.html"} <= inside
    assert inside == packed_files()


def test_each_of_its_commands_runs(installed: Path, tmp_path: Path) -> None:
    said = use(installed, tmp_path, [[name, "--help"] for name in commands.commands()])
    for name in commands.commands():
        assert name.rpartition(".")[2] in said, name


@pytest.mark.long
def test_it_builds_trains_scores_exports_and_reports(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluate.py").write_text("raise SystemExit('a file of the user')")
    (tmp_path / "data").mkdir()
    use(installed, tmp_path, USES)
    for name in ("exported/README.md", "runs/small/figures/index.html", "report/report.html"):
        assert (tmp_path / name).is_file(), name


def test_every_command_of_the_checkout_is_one_of_its_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(["--help"])
    listed = capsys.readouterr().out.split()
    modules = {f"data.{file.stem}" for file in (REPOSITORY / "data").glob("build_*.py")}
    assert {"evaluate", "export", "pretrain", "train_arc_tiny_corrupt", *modules} <= set(listed)
    with pytest.raises(SystemExit):
        commands.main(["evaluat"])
    said = capsys.readouterr().err
    assert "error: evaluat is no command of dis-trm\n  allowed: " in said
    assert "analysis.report" in said
