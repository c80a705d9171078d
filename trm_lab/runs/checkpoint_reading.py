"""Reading a checkpoint that may be cut off, bit-flipped or hostile: nothing is used before its checksum is compared.

What is wrong ends in `DamagedError`, which names the file. Nothing outside of the folder is opened, and no link is
followed. A file is read once, so that what was compared is what is used, whatever replaces the file meanwhile.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_in
from safetensors.torch import load_file
from torch import Tensor

from trm.errors import UserError
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, read_identifiers
from trm_lab.runs.puzzle_description import KEY as PUZZLE
from trm_lab.runs.puzzle_description import PuzzleDescription
from trm_lab.runs.training_state import PARTS

MANIFEST, STATE = "manifest.json", "state.json"
FILES = (*(f"{part}.safetensors" for part in PARTS), STATE)
OPTIONAL = (IDENTIFIERS_FILE,)  # not in checkpoints of earlier versions
LONGEST_JSON = 16 * 2**20  # bytes
_SHA256 = re.compile("[0-9a-f]{64}").fullmatch
_STEP_NAME = re.compile("step_([0-9]{1,18})").fullmatch
# what safetensors and torch raise at a file that is not what it says
_UNREADABLE = (
    SafetensorError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
)


class DamagedError(UserError):
    """A checkpoint that cannot be used; `fault` says why, without its folder."""

    def __init__(self, folder: Path, fault: str, remedy: str = "use an earlier checkpoint") -> None:
        self.fault = fault
        super().__init__(f"{folder} is damaged: {fault}", "a complete checkpoint", remedy)


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself; keep: whether `prune` spares it.  sha256: the checksum of each file."""

    keep: bool
    sha256: dict[str, str]


def read_manifest(folder: Path) -> Manifest:
    """The manifest, once the sizes of all files are compared with it, which is cheap; checksums are not.

    Raises:
        DamagedError: it is missing or malformed, lists other files than a checkpoint has, or a size differs.
    """
    manifest = _json_object(folder, MANIFEST, _read_short(folder, MANIFEST))
    files, keep = manifest.get("files"), manifest.get("keep")
    if not isinstance(files, dict) or not isinstance(keep, bool):
        raise DamagedError(folder, f"{MANIFEST} is unreadable")
    for name in sorted(files.keys() - {*FILES, *OPTIONAL}):
        raise DamagedError(folder, f"{MANIFEST} lists {name[:100]!r}, which is no file of a checkpoint")
    for name in FILES:
        if name not in files:
            raise DamagedError(folder, f"{MANIFEST} does not list {name}")
    for name, entry in files.items():
        match entry:
            case {"bytes": int(size), "sha256": str(digest)} if size >= 0 and _SHA256(digest):
                with _opened(folder, name) as stream:
                    actual_size = os.fstat(stream.fileno()).st_size
            case _:
                raise DamagedError(folder, f"{MANIFEST}: bytes or sha256 of {name} are unreadable")
        if actual_size != size:
            raise DamagedError(folder, f"{name} has {actual_size} bytes instead of {size}")
    return Manifest(keep, {name: entry["sha256"] for name, entry in files.items()})


def read_tensors(folder: Path, part: str, manifest: Manifest) -> dict[str, Tensor]:
    """The tensors of one of `PARTS`, in the order of their names and in memory of their own.

    Raises:
        DamagedError: the file differs from its checksum, or is no safetensors file.
    """
    name = f"{part}.safetensors"
    with _opened(folder, name) as stream:
        data = stream.read()
    _compare(folder, name, manifest, hashlib.sha256(data).hexdigest())
    with _safetensors_errors(folder, name):
        return dict(sorted(tensors_in(data).items()))  # the library gives them in any order


def check(folder: Path) -> None:
    """Compare everything in a checkpoint with its checksum, without taking the memory of its tensors.

    Raises:
        DamagedError: something differs, or is malformed.
    """
    manifest = read_manifest(folder)
    read_state(folder, manifest)
    for name in manifest.sha256:
        with _opened(folder, name) as stream:
            _compare(folder, name, manifest, hashlib.file_digest(stream, "sha256").hexdigest())
        if name not in (STATE, *OPTIONAL):
            with _safetensors_errors(folder, name):
                load_file(folder / name)  # memory-mapped


def read_state(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """state.json: step, data (position in the data), records_bytes, config, datasets (paths and fingerprints), puzzle.

    Raises:
        DamagedError: it differs from its checksum, a value is missing or of another type, or the folder's name is of
            another step.
    """
    data = _read_short(folder, STATE)
    _compare(folder, STATE, manifest, hashlib.sha256(data).hexdigest())
    state = _json_object(folder, STATE, data)
    for key, (form, is_valid) in _STATE_FORMS.items():
        if not is_valid(state.get(key)):
            raise DamagedError(folder, f"{STATE}: {key} is {repr(state.get(key))[:60]}, not {form}")
    step_in_name = _STEP_NAME(folder.name)
    if step_in_name and int(step_in_name[1]) != state["step"]:
        own_name = f"step_{state['step']}"
        raise DamagedError(folder, f"it holds {own_name}: the folder was renamed", f"give it its name back: {own_name}")
    return state


def read_names(folder: Path, manifest: Manifest) -> list[str] | None:
    """The names of the puzzle table's rows; None where the checkpoint has none.

    Raises:
        DamagedError: the file differs from its checksum, or holds anything but names.
    """
    if IDENTIFIERS_FILE not in manifest.sha256:
        return None
    with _opened(folder, IDENTIFIERS_FILE) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    _compare(folder, IDENTIFIERS_FILE, manifest, digest)
    try:
        return read_identifiers(folder)
    except UserError as error:
        raise DamagedError(folder, error.given) from error


def _compare(folder: Path, name: str, manifest: Manifest, digest: str) -> None:
    if digest != manifest.sha256[name]:
        raise DamagedError(folder, f"{name} differs from its checksum")


@contextmanager
def _safetensors_errors(folder: Path, name: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DamagedError(folder, f"{name} is no safetensors file: {reason}") from error


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


def _json_object(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        content = parse_json(data.decode(), finite=False)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DamagedError(folder, f"{name} is unreadable")
    return content


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _is_position(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_integer, value.values()))


def _are_datasets(value: Any) -> bool:
    def is_dataset(entry: Any) -> bool:
        return isinstance(entry, dict) and all(isinstance(entry.get(k), str) for k in ("path", "fingerprint"))

    return value is None or (isinstance(value, list) and all(map(is_dataset, value)))


def _is_description(value: Any) -> bool:
    try:
        return value is None or bool(PuzzleDescription.read(value))
    except ValueError:
        return False


_STATE_FORMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "step": ("a number ≥ 0", _is_count),
    "records_bytes": ("a number ≥ 0", _is_count),
    "data": ("integers by name", _is_position),
    "datasets": ("paths with fingerprints", _are_datasets),  # none in checkpoints of earlier versions
    PUZZLE: ("a description of the puzzles", _is_description),  # likewise
    "config": ("keys and values", lambda value: isinstance(value, dict)),
}
