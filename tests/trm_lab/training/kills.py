"""A kill at a chosen file operation, and what must hold after it."""

import shutil
from pathlib import Path

import pytest

from tests.trm_lab.runs.states import names, save
from trm_lab.files import folders, tensor_files
from trm_lab.runs import checkpoints


class Killed(BaseException):
    """Stands for a SIGKILL at one system call."""


def kill_at(call: int, patched: pytest.MonkeyPatch) -> list[str]:
    """Raise `Killed` at that file operation and at all after it; the operations that were reached, growing."""
    reached: list[str] = []

    def until(name: str, original):  # type: ignore[no-untyped-def]
        def operation(*arguments, **options):  # type: ignore[no-untyped-def]
            reached.append(name)
            if len(reached) >= call:
                raise Killed
            return original(*arguments, **options)

        return operation

    for owner, name in (
        (tensor_files, "save_file"),
        (folders, "sync"),
        (shutil, "rmtree"),
        (Path, "rename"),
        (Path, "replace"),
        (Path, "mkdir"),
        (Path, "write_text"),
    ):
        patched.setattr(owner, name, until(name, getattr(owner, name)))
    return reached


def assert_resumable(root: Path) -> None:
    """The newest checkpoint is whole, nothing half-done is left, and saving goes on."""
    checkpoints.tidy(root)
    found, loaded, faults = checkpoints.load_latest(root)
    assert found is not None
    assert loaded is not None
    assert faults == []
    assert loaded.state["step"] == loaded.model["b"] == checkpoints.step_of(found)
    save(root, 9)
    (root / "best.json").unlink(missing_ok=True)
    checkpoints.prune(root, 1)
    assert names(root) == ["step_9"]
