"""What the attempts share: a limit on memory, a pickle that gives itself away, datasets to damage and to use."""

import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE

ROOM = 1 << 29  # bytes that reading a small hostile file may add to the process


@contextmanager
def little_room() -> Iterator[None]:
    """Let the process grow by `ROOM` and no further: what allocates what a file declares gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Traitor:
    """An object whose pickle, when it is run, makes a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._folder,)


def use(dataset: Path, split: str = "train") -> None:
    """What training and evaluation do with a dataset: open it, read its names and tasks, draw from it."""
    with little_room():
        if split == "train":
            data = TrainingData([dataset], seed=0, global_batch_size=8)
            while data.next_batch() is not None:
                pass
        evaluated = EvaluationData([dataset], global_batch_size=8, split=split)
        assert evaluated.identifiers
        assert evaluated.test_puzzles
        for _ in evaluated:
            pass


def unsigned(dataset: Path, folder: Path) -> Path:
    """A copy of a dataset without its manifest, as the published builders leave it."""
    shutil.copytree(dataset, folder)
    (folder / MANIFEST_FILE).unlink()
    return folder


def change_json(file: Path, **values: object) -> None:
    """Set keys of a JSON object in a file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def npy(shape: str, descr: str, body: bytes = b"0000") -> bytes:
    """A .npy file with a header of this shape and type, as Python text, whatever follows it."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def save_array(file: Path, values: object, dtype: str = "int64") -> None:
    """Write an array of this type."""
    np.save(file, np.array(values, dtype))
