"""Where a puzzle comes from: given itself, or in a text, JSON or .npy file, which may be a stranger's."""

from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm_lab.files.untrusted import check_regular, load_json, read_regular
from trm_lab.files.untrusted_arrays import map_array

LARGEST = 16 << 20  # bytes of a file
SUFFIXES = (".txt", ".json", ".npy")


def is_file_name(puzzle: object) -> bool:
    """Whether a puzzle is given as a file: a path, or a text of one line that ends in one of `SUFFIXES`."""
    if isinstance(puzzle, Path):
        return True
    return isinstance(puzzle, str) and "\n" not in puzzle and puzzle.lower().endswith(SUFFIXES)


def content_of(puzzle: object) -> object:
    """The puzzle itself, or what is in the file that it names: a text, a JSON value, or an array of integers.

    Raises:
        UserError: no such file, or one that cannot be read.
    """
    return _read(Path(str(puzzle))) if is_file_name(puzzle) else puzzle


def _read(file: Path) -> Any:
    try:
        if file.suffix.lower() == ".npy":
            check_regular(file, LARGEST)
            return map_array(file)
        if file.suffix.lower() == ".json":
            return load_json(file, LARGEST)
        return read_regular(file, LARGEST).decode("utf-8-sig")
    except OSError as error:
        problem = error.strerror or "unreadable"
    except ValueError as error:
        problem = shown(error)
    raise UserError(
        f"{shown(file)}: {problem}",
        f"a file with a puzzle: {', '.join(SUFFIXES)}, of at most {LARGEST >> 20} MiB",
        "check the path and the file",
    )
