"""Writing a puzzle dataset, group by group and all or nothing. Layout and letters as in `layout.py`."""

import glob
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.layout import (
    AUGMENTATIONS_FILE,
    IDENTIFIERS_FILE,
    METADATA_FILE,
    TEST_PUZZLES_FILE,
    PuzzleMetadata,
)
from trm.puzzles.manifest import MANIFEST_FILE, TOKEN_ARRAYS, UNFINISHED_FILE, About, write_manifest

_ROOT_FILES = (IDENTIFIERS_FILE, TEST_PUZZLES_FILE, AUGMENTATIONS_FILE, MANIFEST_FILE)


@contextmanager
def new_dataset(output: Path | str, about: About, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write a dataset into, which becomes `output` when the block ends and vanishes when it raises.

    The manifest is added when the block ends. The folder lies beside `output` as `<output>.partial-<host>-<pid>`; a
    process that is killed leaves that (the next build takes it away), or `<output>.old-<pid>` of what it was
    replacing, and never half a dataset under `output`. SIGTERM ends the block as an interrupt does.

    Raises:
        UserError: `output` is in use; see `check_output`.
    """
    output = Path(output).resolve()
    check_output(output, overwrite)
    beginning = f"{output.name}.partial-{platform.node()}-"
    _remove_dead(output.parent, beginning)
    partial = output.with_name(f"{beginning}{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        with _ended_by_sigterm():
            (partial / UNFINISHED_FILE).touch()
            yield partial
            write_manifest(partial, about)
            (partial / UNFINISHED_FILE).unlink()
            _replace(output, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in the block, so that it cleans up; elsewhere than in the main thread, nothing."""

    def stop(number: int, frame: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove_dead(folder: Path, beginning: str) -> None:
    """Remove what processes of this host that no longer run have left; `beginning` ends before their numbers."""
    for path in folder.glob(glob.escape(beginning) + "*") if folder.is_dir() else ():
        number = path.name.removeprefix(beginning)
        if number.isdigit() and (int(number) == os.getpid() or not _runs(int(number))):
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def check_output(output: Path, overwrite: bool) -> None:
    """Check that a dataset may be written at `output`.

    Raises:
        UserError: a file, or a folder with anything but a dataset in it; a dataset, without `overwrite`; or a place
            where nothing can be written.
    """
    _check_writable(output)
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    foreign = _foreign(output)
    if foreign:
        raise UserError(
            given=f"output {output} holds other things than a dataset, such as {foreign[0].name}",
            allowed="a new folder, an empty one, or with --overwrite an existing dataset",
            remedy="choose another --output-dir",
        )
    if not overwrite:
        raise UserError(
            given=f"output {output} already holds a dataset",
            allowed="a new folder, or an existing dataset with --overwrite",
            remedy="pass --overwrite to build it anew, or choose another --output-dir",
        )


def _check_writable(output: Path) -> None:
    parent = next(path for path in output.resolve().parents if path.exists())
    try:
        os.rmdir(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise UserError(
            given=f"output {output}: nothing can be written in {parent} ({error.strerror})",
            allowed="a folder in a place that you may write to",
            remedy="choose another --output-dir",
        ) from error


def _foreign(output: Path) -> list[Path]:
    """What is in the folder besides a dataset; all of it where no split is."""
    if not output.is_dir():
        return [output]
    entries = sorted(output.iterdir())
    splits = [path for path in entries if (path / METADATA_FILE).is_file()]
    known = {*splits, *(output / name for name in _ROOT_FILES)} if splits else set()
    return [path for path in entries if path not in known]


def _replace(output: Path, partial: Path) -> None:
    if output.is_dir() and any(output.iterdir()):
        old = partial.with_name(f"{output.name}.old-{os.getpid()}")
        output.rename(old)
        partial.rename(output)
        shutil.rmtree(old)
    else:
        partial.rename(output)


def write_identifiers(dataset: Path, names: Sequence[str]) -> None:
    """Write `identifiers.json`; `names[0]` is `BLANK`."""
    (dataset / IDENTIFIERS_FILE).write_text(json.dumps(list(names)), encoding="utf-8")


class SplitWriter:
    """One split with the one set "all", written group by group to `folder`; constant memory in E."""

    def __init__(self, folder: Path, seq_len: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.seq_len = folder, seq_len
        self._tokens = {name: _RowFile(self._file(name), seq_len) for name in TOKEN_ARRAYS}
        self._identifiers: list[NDArray[np.int32]] = []
        self._puzzle_ends: list[NDArray[np.int32]] = [np.zeros(1, np.int32)]
        self._group_ends: list[NDArray[np.int32]] = [np.zeros(1, np.int32)]
        self.puzzles = self.groups = 0  # written so far

    @property
    def examples(self) -> int:
        """Examples written so far."""
        return self._tokens["inputs"].rows

    def add_groups(
        self,
        inputs: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        puzzle_identifiers: Sequence[int] | NDArray[np.integer],
        puzzle_sizes: Sequence[int] | NDArray[np.integer],
        group_sizes: Sequence[int] | NDArray[np.integer],
    ) -> None:
        """Append groups.

        Args:
            inputs, labels: tokens `[E, L]` of the groups' examples, puzzle after puzzle.
            puzzle_identifiers: `[P]`.
            puzzle_sizes: `[P]` examples in each puzzle, at least 1; their sum is E.
            group_sizes: `[G]` puzzles in each group, at least 1; their sum is P.
        """
        assert inputs.shape == labels.shape == (sum(puzzle_sizes), self.seq_len)
        assert len(puzzle_identifiers) == len(puzzle_sizes) == sum(group_sizes) > 0
        self._puzzle_ends.append((self.examples + np.cumsum(puzzle_sizes)).astype(np.int32))
        self._identifiers.append(np.asarray(puzzle_identifiers, np.int32))
        self._group_ends.append((self.puzzles + np.cumsum(group_sizes)).astype(np.int32))
        self.puzzles, self.groups = self.puzzles + len(puzzle_sizes), self.groups + len(group_sizes)
        self._tokens["inputs"].append(inputs)
        self._tokens["labels"].append(labels)

    def add_group(
        self,
        inputs: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        puzzle_identifiers: Sequence[int] | NDArray[np.integer],
        puzzle_sizes: Sequence[int] | NDArray[np.integer],
    ) -> None:
        """Append one group; arguments as for `add_groups`."""
        self.add_groups(inputs, labels, puzzle_identifiers, puzzle_sizes, [len(puzzle_sizes)])

    def finish(
        self,
        *,
        vocab_size: int,
        num_puzzle_identifiers: int,
        pad_id: int = 0,
        ignore_label_id: int | None = 0,
        blank_identifier_id: int = 0,
    ) -> PuzzleMetadata:
        """Write the indices and, last of all, `dataset.json`; return what it says."""
        for rows in self._tokens.values():
            rows.close()
        np.save(self._file("puzzle_identifiers"), np.concatenate(self._identifiers))
        np.save(self._file("puzzle_indices"), np.concatenate(self._puzzle_ends))
        np.save(self._file("group_indices"), np.concatenate(self._group_ends))
        metadata = PuzzleMetadata(
            pad_id=pad_id,
            ignore_label_id=ignore_label_id,
            blank_identifier_id=blank_identifier_id,
            vocab_size=vocab_size,
            seq_len=self.seq_len,
            num_puzzle_identifiers=num_puzzle_identifiers,
            total_groups=self.groups,
            mean_puzzle_examples=self.examples / self.puzzles,
            total_puzzles=self.puzzles,
            sets=("all",),
        )
        metadata.write(self.folder)
        return metadata

    def _file(self, array: str) -> Path:
        return self.folder / f"all__{array}.npy"


class _RowFile:
    """A uint8 array `[rows, L]` in a .npy file that grows row by row; its header is right once it is closed."""

    def __init__(self, file: Path, seq_len: int) -> None:
        self.rows, self._seq_len = 0, seq_len
        self._stream: BinaryIO = file.open("wb")
        self._write_header()
        self._start = self._stream.tell()

    def append(self, rows: NDArray[np.uint8]) -> None:
        assert rows.dtype == np.uint8, rows.dtype
        self._stream.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def close(self) -> None:
        self._stream.seek(0)
        self._write_header()
        assert self._stream.tell() == self._start  # numpy leaves room in the header for a growing first axis
        self._stream.close()

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.rows, self._seq_len)}
        np.lib.format.write_array_header_1_0(self._stream, header)
