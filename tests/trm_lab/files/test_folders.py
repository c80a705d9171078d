"""A folder is written whole or not at all, and replaces only its own kind; the same of a single file."""

import errno
import os
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.files.folders import PARTIAL, Kind, new_folder
from trm_lab.files.whole_files import check_output_file, mark, open_for_appending, write_output, write_whole

NOTES = Kind("notes", r"notes\.txt", lambda folder: (folder / "notes.txt").read_text().startswith("note"))


def write_notes(folder: Path, text: str, overwrite: bool = False) -> None:
    with new_folder(folder, NOTES, overwrite) as partial:
        (partial / "notes.txt").write_text(f"note {text}")


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_kill_while_the_old_one_is_deleted_leaves_nothing_behind_nor_takes_what_sounds_like_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("out.old", "out.partial", "out.replaced-elsewhere-1", "out.partial-2")
    for name in (*names, "out"):
        write_notes(tmp_path / name, "mine")

    def killed(folder: Path, **_: object) -> None:
        if PARTIAL not in folder.name:
            (folder / "notes.txt").write_text("")  # no longer what says of itself that it is ours
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            write_notes(tmp_path / "out", "new", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 6
    write_notes(tmp_path / "out", "newer", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((*names, "out"))


def test_a_folder_below_a_link_of_the_user_is_written(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    write_notes(tmp_path / "runs/out", "new")
    assert (tmp_path / "disk/out/notes.txt").exists()


def test_what_is_no_place_for_a_folder_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "thesis.tex").write_text("years of work")
    (tmp_path / "link").symlink_to(work)
    (tmp_path / "dangling").symlink_to("gone")
    elsewhere = ("work", "link", "dangling", "dangling/new", "work/thesis.tex", "work/thesis.tex/new")
    for here, places in (
        (work, (".", "", "..", "/")),
        (tmp_path, (*elsewhere, "x" * 300, "work/../work", "new/../work")),
    ):
        monkeypatch.chdir(here)
        for place in places:
            with pytest.raises(UserError) as caught:
                write_notes(Path(place), "new", overwrite=True)
            assert all((caught.value.given, caught.value.allowed, caught.value.remedy))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "link", "work"]
    assert [path.read_text() for path in work.iterdir()] == ["years of work"]


def test_what_came_while_we_worked_is_not_replaced(tmp_path: Path) -> None:
    def work() -> None:
        with new_folder(tmp_path / "out", NOTES):
            (tmp_path / "out").mkdir()
            (tmp_path / "out/thesis.tex").write_text("years of work")

    with pytest.raises(UserError, match="holds other things than notes"):
        work()
    assert (tmp_path / "out/thesis.tex").read_text() == "years of work"


def test_a_full_disk_leaves_nothing_half_written_and_its_error_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="No space left") as caught, new_folder(tmp_path / "out", NOTES):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "mine").write_text("old")
    (tmp_path / "a.json.partial").symlink_to(tmp_path / "mine")  # a file's temporary name
    write_whole(tmp_path / "a.json", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a.json", "new")
    assert {file.read_text() for file in tmp_path.iterdir()} == {"old"}


def test_records_are_appended_to_a_plain_file_that_no_other_folder_shares(tmp_path: Path) -> None:
    file, mine = tmp_path / "metrics.jsonl", tmp_path / "mine"
    mine.write_text("mine\n")
    for make in (lambda: file.symlink_to(mine), lambda: os.mkfifo(file)):
        make()
        with pytest.raises(UserError, match=r"is a link|no plain file"):
            open_for_appending(file)
        file.unlink()
    os.link(mine, file)
    descriptor = open_for_appending(file)
    os.write(descriptor, b"new\n")
    os.close(descriptor)
    assert (mine.read_text(), file.read_text()) == ("mine\n", "mine\nnew\n")


def test_a_marked_file_is_replaced_by_its_own_kind_only(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    write_output(file, f"1 {mark('table')}", "table")
    write_output(file, f"2 {mark('table')}", "table")
    with pytest.raises(UserError, match="no report that we wrote"):
        check_output_file(file, "report")
