"""The wheel, installed where nothing else of the project is: no generic names, every file, and each of its commands."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.runs import NARROW, environment
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
    ["build", "nqueens", *SMALL_SET.split()],
    ["train", "arch=dis", "evaluators=[]", *NARROW, *RUN, "arch.halt_max_steps=2", "max_steps=2"],
    ["evaluate", "runs/small", "--device", "cpu"],
    ["solve", "runs/small", "Q" + 24 * ".", "--device", "cpu"],
    ["solve", "pretrained/sudoku6_dis", "1..... ..3..2 .4.... ....5. .2.... 6....1", "--device", "cpu"],
    ["export", "runs/small", "--to", "hub", "--output-dir", "exported"],
    ["analyse", "summary", "runs/small"],
    ["analyse", "page", "runs/small"],
    ["analyse", "report", "runs/small", "--output-dir", "report"],
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


@pytest.mark.long
def test_each_of_its_commands_runs(installed: Path, tmp_path: Path) -> None:
    names = [name for name in commands.commands() if not name.startswith("train")]
    said = use(installed, tmp_path, [[*name.split(), "--help"] for name in [*names, "train", "train dis"]])
    for name in names:
        assert f"usage: trm-lab {name} " in said, name
    for name in ("train", "train dis"):
        assert f"usage: trm-lab {name} [" in said


@pytest.mark.long
def test_it_builds_trains_scores_exports_and_reports(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluate.py").write_text("raise SystemExit('a file of the user')")
    (tmp_path / "data").mkdir()
    use(installed, tmp_path, USES)
    for name in ("exported/README.md", "runs/small/figures/index.html", "report/report.html", "scored"):
        assert (tmp_path / name).exists(), name


@pytest.mark.long
def test_several_ranks_train_from_it(installed: Path, tmp_path: Path) -> None:
    use(installed, tmp_path, USES[:1])
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "trm_lab"]
    words = ["train", "arch=dis", "evaluators=[]", *NARROW, *RUN, "arch.halt_max_steps=2", "max_steps=2"]
    alone = {**environment(), "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, *launcher, *words], cwd=tmp_path, env=alone, check=True)
    (launch,) = json.loads((tmp_path / "runs/small/provenance.json").read_text())["launches"]
    assert launch["command"][:2] == ["trm-lab", "train"]
    assert launch["ranks"] == 2
