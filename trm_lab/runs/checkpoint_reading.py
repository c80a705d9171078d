"""Reading a checkpoint without trusting it: names, sizes, checksums, headers and values, before anything is used.

A checkpoint that is cut off, bit-flipped or hostile ends in `DamagedError`, which names the file; nothing outside its
folder is opened, no link is followed, and a declared size is never believed before the file has it.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trm.errors import UserError
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, read_identifiers
from trm_lab.runs.training_state import PARTS

MANIFEST, STATE = "manifest.json", "state.json"
FILES = (*(f"{part}.safetensors" for part in PARTS), STATE)
OPTIONAL = (IDENTIFIERS_FILE,)  # not in checkpoints of before
LONGEST_JSON = 16 * 2**20  # bytes
_SHA256 = re.compile("[0-9a-f]{64}").fullmatch
_STEP_NAME = re.compile("step_([0-9]{1,18})").fullmatch
# what safetensors and torch raise at a file that is not what it says
UNREADABLE = (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)


class DamagedError(UserError):
    """A checkpoint that cannot be used; `fault` says why, without its folder."""

    def __init__(self, folder: Path, fault: str, remedy: str = "use an earlier checkpoint") -> None:
        self.fault = fault
        super().__init__(f"{folder} is damaged: {fault}", "a complete checkpoint", remedy)


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself: whether it is to be kept, and (bytes, sha256) of each file."""

    keep: bool
    files: dict[str, tuple[int, str]]


def read_manifest(folder: Path) -> Manifest:
    """The manifest, with the sizes on disk compared, which is cheap; no checksum is.

    Raises:
        DamagedError: it is missing or malformed, lists other files than a checkpoint has, or a size differs.
    """
    listed = _object(folder, MANIFEST, _read_short(folder, MANIFEST))
    files, keep = listed.get("files"), listed.get("keep")
    if not isinstance(files, dict) or not isinstance(keep, bool):
        raise DamagedError(folder, f"{MANIFEST} is unreadable")
    for name in sorted(files.keys() - {*FILES, *OPTIONAL}):
        raise DamagedError(folder, f"{MANIFEST} lists {name[:100]!r}, which is no file of a checkpoint")
    for name in FILES:
        if name not in files:
            raise DamagedError(folder, f"{MANIFEST} does not list {name}")
    present = [*FILES, *(name for name in OPTIONAL if name in files)]
    manifest = Manifest(keep, {name: _entry(folder, name, files[name]) for name in present})
    for name, (size, _) in manifest.files.items():
        with _opened(folder, name) as stream:
            found = os.fstat(stream.fileno()).st_size
        if found != size:
            raise DamagedError(folder, f"{name} has {found} bytes instead of {size}")
    return manifest


def read_tensors(folder: Path, part: str, manifest: Manifest) -> dict[str, Tensor]:
    """The tensors of one part, in memory of their own: a mapped file that is cut off later would end the process.

    Raises:
        DamagedError: the file differs from its checksum, is no safetensors file, or changes while it is read.
    """
    with _mapped(folder, f"{part}.safetensors", manifest) as tensors:
        return {name: tensor.clone() for name, tensor in tensors.items()}


def check_tensors(folder: Path, part: str, manifest: Manifest) -> None:
    """As `read_tensors`, without taking the memory."""
    with _mapped(folder, f"{part}.safetensors", manifest):
        pass


@contextmanager
def _mapped(folder: Path, name: str, manifest: Manifest) -> Iterator[dict[str, Tensor]]:
    """The tensors of a file that has its checksum, as the file's own pages."""
    with _opened(folder, name) as stream:
        identity = _identity(os.fstat(stream.fileno()))
        _compare(folder, name, manifest, hashlib.file_digest(stream, "sha256").hexdigest())
        try:
            tensors = load_file(folder / name)
        except UNREADABLE as error:
            raise DamagedError(folder, f"{name} is no safetensors file: {_first_line(error)}") from error
        yield tensors
        if identity != _identity(os.stat(folder / name, follow_symlinks=False)):
            raise DamagedError(folder, f"{name} was changed while it was read")


def read_state(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """state.json: step ≥ 0, data (integers by name), records_bytes ≥ 0, config, datasets (paths and fingerprints).

    Raises:
        DamagedError: it differs from its checksum, a value is missing or of another type, or the folder's name is of
            another step.
    """
    data = _read_short(folder, STATE)
    _compare(folder, STATE, manifest, hashlib.sha256(data).hexdigest())
    state = _object(folder, STATE, data)
    for key in ("step", "records_bytes"):
        if not _is_count(state.get(key)):
            raise DamagedError(folder, f"{STATE}: {key} is {_brief(state.get(key))}, not a number ≥ 0")
    named = _STEP_NAME(folder.name)
    if named and int(named[1]) != state["step"]:
        own = f"step_{state['step']}"
        raise DamagedError(folder, f"it holds {own}: the folder was renamed", f"give it its name back: {own}")
    position = state.get("data")
    if not isinstance(position, dict) or not all(_is_integer(v) for v in position.values()):
        raise DamagedError(folder, f"{STATE}: data is {_brief(position)}, not integers by name")
    datasets = state.get("datasets", [])  # not in checkpoints of before
    if not isinstance(datasets, list) or not all(map(_is_named, datasets)):
        raise DamagedError(folder, f"{STATE}: datasets is {_brief(datasets)}, not paths with fingerprints")
    if not isinstance(state.get("config"), dict):
        raise DamagedError(folder, f"{STATE}: config is {_brief(state.get('config'))}, not keys and values")
    return state


def read_names(folder: Path, manifest: Manifest) -> list[str] | None:
    """The names of the puzzle table's rows; None where they were not kept.

    Raises:
        DamagedError: the file differs from its checksum, or holds anything but names.
    """
    if IDENTIFIERS_FILE not in manifest.files:
        return None
    check_names(folder, manifest)
    try:
        return read_identifiers(folder)
    except UserError as error:
        raise DamagedError(folder, error.given) from error


def check_names(folder: Path, manifest: Manifest) -> None:
    """Compare the names' file with its checksum, where there is one.

    Raises:
        DamagedError: it differs.
    """
    if IDENTIFIERS_FILE in manifest.files:
        with _opened(folder, IDENTIFIERS_FILE) as stream:
            _compare(folder, IDENTIFIERS_FILE, manifest, hashlib.file_digest(stream, "sha256").hexdigest())


def _entry(folder: Path, name: str, entry: Any) -> tuple[int, str]:
    size = entry.get("bytes") if isinstance(entry, dict) else None
    digest = entry.get("sha256") if isinstance(entry, dict) else None
    if not (isinstance(size, int) and _is_count(size)) or not isinstance(digest, str) or not _SHA256(digest):
        raise DamagedError(folder, f"{MANIFEST}: bytes or sha256 of {name} are unreadable")
    return size, digest


def _compare(folder: Path, name: str, manifest: Manifest, digest: str) -> None:
    if digest != manifest.files[name][1]:
        raise DamagedError(folder, f"{name} differs from its checksum")


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BufferedReader]:
    """A regular file, opened without following a link or waiting for a pipe's other end."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise DamagedError(folder, f"{name} is missing") from None
    except OSError as error:  # ELOOP where it is a link
        raise DamagedError(folder, f"{name} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DamagedError(folder, f"{name} is not a plain file")
    with open(descriptor, "rb") as stream:
        try:
            yield stream
        except OSError as error:
            raise DamagedError(folder, f"{name} cannot be read: {error.strerror}") from error


def _read_short(folder: Path, name: str) -> bytes:
    with _opened(folder, name) as stream:
        data = stream.read(LONGEST_JSON + 1)
    if len(data) > LONGEST_JSON:
        raise DamagedError(folder, f"{name} is longer than {LONGEST_JSON} bytes")
    return data


def _object(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        found = parse_json(data.decode(), finite=False)
    except ValueError:
        raise DamagedError(folder, f"{name} is unreadable") from None
    if not isinstance(found, dict):
        raise DamagedError(folder, f"{name} is unreadable")
    return found


def _identity(found: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_named(dataset: Any) -> bool:
    return isinstance(dataset, dict) and all(
        isinstance(dataset.get(key), str) for key in ("path", "fingerprint")
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _brief(value: Any) -> str:
    return repr(value)[:60]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
