"""What is ours is replaced only as a whole, by its own kind, and never with a file of somebody else in it."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.outputs import check_figures_folder, write_marked
from tests.exportable import STEP, random_dis, write_run
from tests.test_folder_walk import digest
from tests.trm_lab.inference.checkpoints_of import write_run as write_scored_run
from tests.trm_lab.puzzles.builders import build
from tests.trm_lab.runs.states import save
from trm.errors import UserError
from trm_lab.evaluation.pooling import pool
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.files.folders import PARTIAL, Kind, new_folder
from trm_lab.files.whole_files import check_output_file, mark, open_for_appending, write_output, write_whole
from trm_lab.puzzles.sudoku import builder_4x4 as build_sudoku_4x4_dataset
from trm_lab.release.exporting import FORMS, ExportRequest, export
from trm_lab.runs import checkpoints
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.runs.run_lock import RunLock
from trm_lab.runs.run_place import check_run_place

NOTES = Kind("notes", r"notes\.txt", lambda folder: (folder / "notes.txt").read_text().startswith("note"))


def write_notes(folder: Path, text: str, overwrite: bool = False) -> None:
    with new_folder(folder, NOTES, overwrite) as partial:
        (partial / "notes.txt").write_text(f"note {text}")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(build_sudoku_4x4_dataset, tmp_path_factory.mktemp("data") / "sudoku-4x4")


@pytest.fixture(scope="module")
def scored(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an evaluation, `scored/step_7`."""
    run = write_scored_run(tmp_path_factory.mktemp("runs") / "one", dataset)
    evaluate(run)
    return run


def evaluate(run: Path, **options: Any) -> None:
    score(ScoringRequest(str(run), device="cpu", **options))


def test_a_kill_between_the_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notes(tmp_path / "out", "old")
    rename = Path.rename
    for killed_at in (1, 2):  # before the old one goes, and before the new one comes
        calls: list[Path] = []

        def killing(path: Path, target: Path, at: int = killed_at, calls: list[Path] = calls) -> Path:
            calls.append(path)
            if len(calls) >= at:
                raise KeyboardInterrupt
            return rename(path, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", killing)
            with pytest.raises(KeyboardInterrupt):
                write_notes(tmp_path / "out", "new", overwrite=True)
        with pytest.raises(UserError, match="already holds notes"):
            write_notes(tmp_path / "out", "other")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out/notes.txt").read_text() == "note old"
    write_notes(tmp_path / "out", "new", overwrite=True)
    assert (tmp_path / "out/notes.txt").read_text() == "note new"


def test_a_kill_while_the_old_one_is_deleted_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notes(tmp_path / "out", "old")

    def killed(folder: Path, **_: object) -> None:
        if PARTIAL not in folder.name:
            (folder / "notes.txt").unlink()
            (folder / "notes.txt").touch()  # no longer what says of itself that it is ours
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            write_notes(tmp_path / "out", "new", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2
    write_notes(tmp_path / "out", "newer", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_beside_that_only_sounds_like_a_leftover_stays(tmp_path: Path) -> None:
    for name in ("out.old", "out.partial", "out.replaced-elsewhere-1", "out.partial-2"):
        write_notes(tmp_path / name, "mine")
    write_notes(tmp_path / "out", "old")
    write_notes(tmp_path / "out", "new", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_below_a_link_of_the_user_is_written(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    write_notes(tmp_path / "runs/out", "new")
    assert (tmp_path / "disk/out/notes.txt").exists()


def test_what_came_while_we_worked_is_not_replaced(tmp_path: Path) -> None:
    def work() -> None:
        with new_folder(tmp_path / "out", NOTES):
            (tmp_path / "out").mkdir()
            (tmp_path / "out/thesis.tex").write_text("years of work")

    with pytest.raises(UserError, match="holds other things than notes"):
        work()
    assert (tmp_path / "out/thesis.tex").read_text() == "years of work"


def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, new_folder(tmp_path / "out", NOTES):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


INSIDE = (
    "notes.txt",
    "train/notes.txt",
    "train/mine/",
    "train/all__mine.npy",
    "train/mine__inputs.npy",
    "mine/",
)


@pytest.mark.parametrize("inside", INSIDE)
def test_a_dataset_with_a_file_of_somebody_in_it_is_not_built_anew(
    inside: str, dataset: Path, tmp_path: Path
) -> None:
    build(build_sudoku_4x4_dataset, tmp_path / "set")
    mine = tmp_path / "set" / inside
    mine.mkdir() if inside.endswith("/") else mine.write_text("mine")
    before = digest(tmp_path)
    with pytest.raises(UserError, match=f"such as {inside.rstrip('/')}"):
        build(build_sudoku_4x4_dataset, tmp_path / "set", "--overwrite")
    assert digest(tmp_path) == before


def test_a_dataset_that_the_published_builders_wrote_is_not_replaced(dataset: Path, tmp_path: Path) -> None:
    theirs = Path(shutil.copytree(dataset, tmp_path / "set"))
    (theirs / "manifest.json").unlink()
    before = digest(tmp_path)
    with pytest.raises(UserError, match="other things than a dataset of our builders"):
        build(build_sudoku_4x4_dataset, theirs, "--overwrite")
    assert digest(tmp_path) == before


@pytest.mark.parametrize("name", ["step_2.old", "step_2_mine.partial", "step_2.replaced"])
def test_a_copy_of_a_checkpoint_that_its_owner_made_stays(name: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(save(tmp_path, 2), tmp_path / name))
    (copy / "notes.txt").write_text("mine")
    checkpoints.tidy(tmp_path)
    assert (copy / "notes.txt").exists()


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


def test_a_checkpoint_with_a_file_of_somebody_in_it_is_neither_deleted_nor_replaced(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step)
    (tmp_path / "step_1/notes.txt").write_text("mine")
    checkpoints.prune(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_1", "step_3"]
    with pytest.raises(OSError, match=r"notes\.txt is there"):
        save(tmp_path, 1)
    assert (tmp_path / "step_1/notes.txt").read_text() == "mine"


def test_published_weights_of_somebody_are_no_export_of_ours(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", random_dis())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / f"step_{STEP}").write_bytes(b"weights")
    (theirs / "all_config.yaml").write_text("arch: {}\n")
    with pytest.raises(UserError, match="holds other things than an export"):
        export(ExportRequest(str(run), "published", theirs, overwrite=True))
    assert (theirs / f"step_{STEP}").read_bytes() == b"weights"


def test_a_running_evaluation_is_safe_from_a_second_one_with_overwrite(scored: Path) -> None:
    working = scored / "scored/step_7.unfinished"
    with RunLock(working):
        before = digest(scored / "scored")
        with pytest.raises(UserError, match="is in use by process"):
            evaluate(scored, overwrite=True)
        assert digest(scored / "scored") == before
    (working).rmdir()


def test_an_evaluation_stays_until_the_new_one_is_whole(
    scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scored / "scored/step_7"
    before = digest(folder)
    for overwrite in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr("trm_lab.evaluation.score.write_results", interrupt)
            with pytest.raises(KeyboardInterrupt):
                evaluate(scored, overwrite=overwrite)
        assert digest(folder) == before
    evaluate(scored)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["step_7"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["checkpoints", "checkpoints/step_7", "scored", "."])
def test_no_part_of_a_run_but_an_evaluation_gives_way_to_one(scored: Path, place: str) -> None:
    before = digest(scored)
    with pytest.raises(UserError, match="holds other things than an evaluation"):
        evaluate(scored, output=scored / place, overwrite=True)
    assert digest(scored) == before


def test_a_run_that_cannot_be_written_into_names_the_flag(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(**_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    run = write_scored_run(tmp_path / "run", dataset)
    monkeypatch.setattr("tempfile.mkdtemp", refusing)
    with pytest.raises(UserError, match="nothing can be written in") as caught:
        evaluate(run)
    assert caught.value.remedy == "choose another --output-dir"


LINKS = (
    "scored",
    "scored/step_7",
    "scored/step_7.unfinished",
    "scored/step_7/scores.json",
    "scored/step_7/predictions.safetensors",
    "scored/step_7.unfinished/predictions.safetensors",
    "scored/step_7.unfinished/lock.json",
)


@pytest.mark.parametrize("place", LINKS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_evaluation_writes_through_no_link_of_a_stranger_s_run(
    place: str, overwrite: bool, dataset: Path, tmp_path: Path
) -> None:
    run, mine = write_scored_run(tmp_path / "run", dataset), tmp_path / "mine"
    (run / place).parent.mkdir(parents=True, exist_ok=True)
    if place.endswith((".json", ".safetensors")):
        mine.write_text("years of work")
    else:
        mine.mkdir()
        (mine / "thesis.tex").write_text("years of work")
    (run / place).symlink_to(mine)
    before = digest(tmp_path)
    with pytest.raises(UserError, match=r"link|holds other things") as caught:
        evaluate(run, overwrite=overwrite)
    assert all((caught.value.allowed, caught.value.remedy))
    assert digest(tmp_path) == before


RUN_PLACES = (
    "config.yaml", "provenance.json", "metrics.jsonl", "lock.json", "checkpoints", "evaluations", "figures", "scored",
    "wandb", "tensorboard", "checkpoints/step_12", "checkpoints/step_12.partial", "checkpoints/step_9.replaced",
    "evaluations/step_12",
)  # fmt: skip


@pytest.mark.parametrize("place", RUN_PLACES)
@pytest.mark.parametrize("what", ["link to a file", "link to a folder", "pipe"])
def test_a_run_goes_on_through_no_link_and_waits_for_no_pipe(place: str, what: str, tmp_path: Path) -> None:
    run, mine = write_run(tmp_path / "run", random_dis()), tmp_path / "mine"
    check_run_place(run)
    if (run / place).exists():
        (run / place).rename(tmp_path / "moved")
    (run / place).parent.mkdir(exist_ok=True)
    if what == "pipe":
        os.mkfifo(run / place)
    else:
        mine.mkdir() if "folder" in what else mine.write_text(
            "arch: {}\ndata_paths: []\nglobal_batch_size: 1\n"
        )
        (run / place).symlink_to(mine)
    before = digest(tmp_path)
    with pytest.raises(UserError):
        check_run_place(run)
    assert digest(tmp_path) == before


@pytest.mark.parametrize("left", [[], ["lock.json"], ["lock.json", "config.yaml.partial"]])
def test_a_run_begins_where_one_ended_before_it_began(left: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in left:
        (run / name).write_text("{}")
    check_run_place(run)
    check_run_place(tmp_path / "new")
    (tmp_path / "elsewhere").symlink_to(run)
    check_run_place(tmp_path / "elsewhere")


LOCKS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "link": lambda path: path.symlink_to("nowhere"),
    "folder": os.mkdir,
}


def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    for name, make in LOCKS.items():
        folder = tmp_path / name
        folder.mkdir()
        make(folder / "lock.json")
        with pytest.raises(UserError, match=r"lock\.json is (a link|a folder|no plain file)"):
            RunLock(folder).acquire()


def test_records_are_appended_to_a_plain_file_only(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="is a link"):
        open_for_appending(tmp_path / "metrics.jsonl")
    assert (tmp_path / "mine").read_text() == "mine"


def test_records_are_not_appended_to_what_another_folder_shares(tmp_path: Path) -> None:
    (tmp_path / "backup.jsonl").write_text("mine\n")
    os.link(tmp_path / "backup.jsonl", tmp_path / "metrics.jsonl")
    descriptor = open_for_appending(tmp_path / "metrics.jsonl")
    os.write(descriptor, b"new\n")
    os.close(descriptor)
    assert (tmp_path / "backup.jsonl").read_text() == "mine\n"
    assert (tmp_path / "metrics.jsonl").read_text() == "mine\nnew\n"


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a.json", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


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


def test_a_file_is_written_beside_a_link_of_its_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.json.partial").symlink_to(tmp_path / "mine")
    write_whole(tmp_path / "a.json", "new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "a.json").read_text() == "new"


def test_a_marked_file_is_replaced_by_its_own_kind_only(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    write_output(file, f"1 {mark('table')}", "table")
    write_output(file, f"2 {mark('table')}", "table")
    with pytest.raises(UserError, match="no report that we wrote"):
        check_output_file(file, "report")


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o027])
def test_the_umask_decides_for_every_file_and_folder(
    mask: int, umask: Callable[[int], None], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trm_lab.release.kaggle.build_wheel", lambda to: (to / "dis_trm-1.whl").write_text("")
    )
    umask(mask)
    run = write_scored_run(tmp_path / "run", dataset)
    evaluate(run)
    build(build_sudoku_4x4_dataset, tmp_path / "set")
    other = write_run(tmp_path / "other", random_dis())
    for form in FORMS:
        export(ExportRequest(str(other), form, tmp_path / form))
    files = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert {"model.safetensors", "predictions.safetensors", "dataset.json", "step_7"} <= {
        f.name for f in files
    }
    for path in files:
        whole = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == whole & ~mask, path
