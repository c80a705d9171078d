"""A folder that is either written whole or not there."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trm.errors import UserError


@contextmanager
def whole_folder(output: Path, overwrite: bool, is_own: Callable[[str], bool]) -> Iterator[Path]:
    """A folder to write into, which becomes `output` when the block ends and vanishes when it raises.

    overwrite: replace what is there, if it is nothing but such an export.
    is_own: whether a file of this name belongs to such an export.

    Raises:
        UserError: `output` is in use.
        OSError: the system refused.
    """
    _check_free(output, overwrite, is_own)
    output = output.resolve()
    partial = output.with_name(f".{output.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        yield partial
        old = partial.with_name(f".{output.name}.old-{os.getpid()}")
        if output.exists():
            output.rename(old)
        partial.rename(output)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_free(output: Path, overwrite: bool, is_own: Callable[[str], bool]) -> None:
    if not output.exists():
        return
    there = sorted(file.name for file in output.iterdir()) if output.is_dir() else [output.name]
    foreign = [name for name in there if not output.is_dir() or not is_own(name)]
    if foreign:
        raise UserError(
            f"output {output} holds other things than such an export, such as {foreign[0]}",
            "a new folder, an empty one, or with --overwrite an export of the same form",
            "choose another --output-dir",
        )
    if there and not overwrite:
        raise UserError(
            f"output {output} already holds an export",
            "a new folder, or an existing export with --overwrite",
            "pass --overwrite to write it anew, or choose another --output-dir",
        )
