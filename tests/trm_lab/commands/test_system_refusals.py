"""What the system refuses is told in three parts; what is left is called a fault of ours."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from trm.errors import UserError
from trm_lab.commands.command_line import EXIT_SYSTEM_REFUSED, run_command
from trm_lab.commands.system_refusals import refusal


def ending(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    return ended.value.code, capsys.readouterr().err


def test_the_remedy_is_that_of_the_system_s_refusal() -> None:
    path = "correct the path"
    for number, remedy, other in (
        (errno.ENOSPC, "make room", path),
        (errno.ENOENT, path, "room"),
        (errno.ENOTDIR, path, "room"),
        (errno.ENAMETOOLONG, path, "room"),
        (errno.EACCES, "permissions", "room"),
        (errno.EMFILE, "ulimit -n", "room"),
    ):
        told = str(refusal(OSError(number, "refused", "x")))
        assert remedy in told
        assert other not in told


def test_the_working_directory_is_blamed_only_where_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_temporary = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    assert "working directory" not in str(refusal(no_temporary))
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "change into a folder that is there" in str(refusal(FileNotFoundError(errno.ENOENT, "No such file")))


def test_a_full_disk_names_the_path_though_the_system_does_not(tmp_path: Path) -> None:
    def write(file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        write(tmp_path / "scores.json")
    assert str(refusal(caught.value)).startswith(f"{tmp_path}/scores.json: No space left")


def test_too_little_memory_and_another_rank_that_ended_are_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    gloo = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4242"
    errors: list[tuple[BaseException, str]] = [(MemoryError(), "out of memory")]
    errors.append((RuntimeError(gloo), "another rank ended"))
    for allocate in (lambda: np.empty((1 << 50,)), lambda: torch.empty((1 << 60,))):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate()
        errors.append((caught.value, "out of memory"))
    for error, message in errors:
        code, output = ending(error, capsys)
        assert code == EXIT_SYSTEM_REFUSED
        assert output.startswith(f"error: {message}")
        assert output.count("\n") == 3


def test_a_fault_of_ours_is_called_one_before_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyError("nothing that was given")

    with pytest.raises(KeyError):
        run_command(main)
    assert "a fault of the program, not of what you gave it" in capsys.readouterr().err


def test_what_was_given_is_told_in_one_line_of_bounded_length() -> None:
    error = UserError("a\nb\x1b[31m" + "x" * 5000, "c", "d")
    assert str(error).count("\n") == 2
    assert "\x1b" not in str(error)
    assert len(error.given) < 1100
