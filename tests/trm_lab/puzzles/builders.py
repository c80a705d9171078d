"""Running a builder as its command line does, and reading what it built."""

import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.manifest import MANIFEST_FILE, About, fingerprint, read_about, read_command


def build(builder: ModuleType, output: Path, *flags: object) -> Path:
    """Run a builder's main on a command line."""
    builder.main(["--output-dir", str(output), *map(str, flags)])
    return output


def files(dataset: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {p.relative_to(dataset).as_posix(): p.read_bytes() for p in dataset.rglob("*") if p.is_file()}


def check_same_bytes_twice(builder: ModuleType, folder: Path, *flags: object) -> None:
    """The same flags give the same bytes, wherever; another seed gives others."""
    first, second = (build(builder, folder / name, *flags) for name in ("first", "second"))
    assert files(first) == files(second)
    assert MANIFEST_FILE in files(first)
    command = read_command(first)  # for a configuration that would build at this place
    assert command is not None
    program = builder.command_line().prog
    assert command.differences(f"{program} {shlex.join(map(str, flags))}") == []
    other = build(builder, folder / "other", *flags, "--seed", 7)
    assert fingerprint(other) != fingerprint(first)


def about(dataset: Path) -> About:
    """What the dataset says of itself."""
    found = read_about(dataset)
    assert found is not None
    return found


def arrays(dataset: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32]]:
    """The tokens of a split's questions and answers, and where its groups end."""
    inputs, labels, ends = (
        np.load(dataset / name / f"all__{array}.npy") for array in ("inputs", "labels", "group_indices")
    )
    return inputs, labels, ends
