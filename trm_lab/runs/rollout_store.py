"""Rollouts on disk: written as they are made, taken up again after an interruption, read many times.

    predictions.safetensors   every array of `Answers` for all examples, `[E, …]`; made in full length at the start
    predictions.json          the request, what each set holds, and for each batch written its rows and checksum

A batch counts once predictions.json lists it, after its rows were synced; so what a kill cuts off is made again.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.checksums import is_intact, sealed
from trm_lab.files.whole_files import write_whole
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_files import UnreadableError, read_as, read_object, unreadable
from trm_lab.runs.row_file import Columns, create_rows, open_rows, write_rows

TENSORS_FILE, INDEX_FILE = "predictions.safetensors", "predictions.json"
FORMAT = 1
LONGEST_INDEX = 64 << 20  # bytes
ROWS = 512  # read at a time
PROBES = "probes."  # before the names of probes' arrays
_TOKENS, _LABELS = ("uint8", "uint16"), ("int16", "int32")  # by the vocabulary
COLUMNS = {  # dtypes, and dimensions of a row
    "inputs": (_TOKENS, 1),
    "labels": (_LABELS, 1),
    "puzzle_identifiers": (("int32",), 0),
    "predictions": (_TOKENS, 2),
    "q_halt_logits": (("float32",), 1),
    "confidence": (("float64",), 1),
    "loss": (("float64",), 0),
}


@dataclass(frozen=True)
class WarmUp:
    """Work that launches did before their first answer, so that its time is no answer's.

    launches: that warmed up.  supervision_steps: of one of them, the most.  seconds: of all of them together.
    """

    launches: int = 0
    supervision_steps: int = 0
    seconds: float = 0.0


@dataclass
class RolloutStore:
    """The rollouts of one evaluation, `[E, …]`.

    request: what decides the rollouts, in full, as JSON keeps it; equal requests have equal rollouts.
    sets: examples of each set, in order.  network_calls: `[S]`, summed up.
    batches: (rows, CRC-32 of their bytes) of each batch written.  seconds: that all answers took so far.
    joules: the same of energy; None where the device did not report it for all of them.
    warm_up: not in `seconds` and `joules`; None where it was not recorded separately, as in older stores.
    """

    folder: Path
    request: dict[str, Any]
    sets: dict[str, int]
    network_calls: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    seconds: float = 0.0
    joules: float | None = 0.0
    warm_up: WarmUp | None = field(default_factory=WarmUp)

    @property
    def total(self) -> int:
        """E, the number of examples."""
        return sum(self.sets.values())

    @property
    def done(self) -> int:
        """Examples written."""
        return sum(rows for rows, _ in self.batches)

    @property
    def is_complete(self) -> bool:
        """Whether all examples are there."""
        return self.done == self.total

    @classmethod
    def resume(cls, folder: Path, request: Mapping[str, Any], sets: Mapping[str, int]) -> "RolloutStore":
        """The store in `folder`, with as many of its first batches as are whole: every byte is read for it.

        Raises:
            UserError: it holds the rollouts of another request.
        """
        store = cls.matching(folder, request, sets)
        store.batches = store.batches[: store._whole_batches()]
        return store

    @classmethod
    def matching(cls, folder: Path, request: Mapping[str, Any], sets: Mapping[str, int]) -> "RolloutStore":
        """The store in `folder` according to predictions.json; an empty one where there is none.

        Raises:
            UserError: it holds the rollouts of another request.
        """
        try:
            store = cls.open(folder)
        except FileNotFoundError:
            return cls(folder, dict(request), dict(sets))
        if store.request != request or store.sets != sets:
            raise UserError(
                f"{folder} holds the rollouts of another evaluation: {_differences(store.request, request)}",
                "a new folder, or the same request again",
                "name another --output-dir, or give --overwrite",
            )
        return store

    @classmethod
    def open(cls, folder: Path) -> "RolloutStore":
        """The content of predictions.json.

        Raises:
            FileNotFoundError: there is none.
            UserError: it is damaged.
        """
        file = folder / INDEX_FILE
        try:
            content = read_object(file, LONGEST_INDEX)
            if not is_intact(content) or content.get("format") != FORMAT:
                raise unreadable(f"{file} is not as it was written")
            content = {"joules": None, **content}  # which older stores lack
            store = read_as(cls, content, str(file), folder=folder, warm_up=_warm_up(content, str(file)))
        except UnreadableError as error:
            raise _damaged(file, error.given) from None
        sound = all(len(batch) == 2 and batch[0] >= 0 for batch in store.batches)
        if not sound or min([0, *store.sets.values()]) < 0 or store.done > store.total:
            raise _damaged(file, "numbers that cannot be")
        return store

    def write(self, answers: Answers, seconds: float, joules: float | None = None) -> None:
        """Add the next batch; it stays, whatever happens afterwards.

        seconds, joules: that its answers took; None: the device does not report energy.

        Raises:
            OSError: the disk refused.
        """
        assert answers.first == self.done, (answers.first, self.done)
        arrays = {PROBES + n if n in answers.probes else n: array for n, array in answers.arrays().items()}
        if not self.batches:
            self.network_calls = answers.network_calls
            create_rows(self.folder / TENSORS_FILE, arrays, self.total)
        columns = self._columns()
        write_rows(self.folder / TENSORS_FILE, columns, self.done, arrays)
        self.batches.append([len(answers), _checksum([arrays[name] for name in columns])])
        self.seconds += seconds
        self.joules = None if self.joules is None or joules is None else self.joules + joules
        self._write_index()

    def warmed_up(self, supervision_steps: int, seconds: float) -> None:
        """Take note of a launch's warm-up; it is written with the next batch."""
        if self.warm_up is not None:
            most_steps = max(self.warm_up.supervision_steps, supervision_steps)
            self.warm_up = WarmUp(self.warm_up.launches + 1, most_steps, self.warm_up.seconds + seconds)

    def answers(self, rows: int = ROWS, rank: int = 0, ranks: int = 1) -> Iterator[Answers]:
        """Everything written, in file order, at most `rows` at a time and of one set.

        rank, ranks: read this rank's portions only; the `ranks` ranks cut the same portions and take them in turn.

        Raises:
            UserError: predictions.safetensors is cut off or not what predictions.json says.
        """
        if not self.batches:
            return
        columns, first, starts = self._columns(), 0, count()
        for name, size in self.sets.items():
            end = min(first + size, self.done)
            for start in range(first, end, rows):
                if next(starts) % ranks != rank:
                    continue
                arrays = {n: np.array(column[start : min(start + rows, end)]) for n, column in columns.items()}
                probes = {n.removeprefix(PROBES): arrays.pop(n) for n in list(arrays) if n.startswith(PROBES)}
                yield Answers(name, start, **arrays, network_calls=self.network_calls, probes=probes)
            first += size

    def check(self) -> None:
        """Compare every batch with its checksum.

        Raises:
            UserError: one differs.
        """
        whole = self._whole_batches()
        if whole < len(self.batches):
            raise _damaged(self.folder / TENSORS_FILE, f"batch {whole} differs from its checksum")

    def _whole_batches(self) -> int:
        """How many of the first batches have their checksums."""
        try:
            columns, first = self._columns() if self.batches else {}, 0
        except UserError:
            return 0
        for number, (rows, checksum) in enumerate(self.batches):
            if _checksum([column[first : first + rows] for column in columns.values()]) != checksum:
                return number
            first += rows
        return len(self.batches)

    def _columns(self) -> Columns:
        path = self.folder / TENSORS_FILE
        try:
            columns = open_rows(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        own = {name: column for name, column in columns.items() if not name.startswith(PROBES)}
        fit = own.keys() == COLUMNS.keys() and all(
            column.dtype.name in COLUMNS[name][0] and column.ndim == 1 + COLUMNS[name][1]
            for name, column in own.items()
        )
        if not fit or len(own["loss"]) != self.total:
            raise _damaged(path, "not the columns and rows of predictions.json")
        return columns

    def _write_index(self) -> None:
        content = {
            "format": FORMAT,
            "request": self.request,
            "sets": self.sets,
            "network_calls": self.network_calls,
            "batches": self.batches,
            "seconds": self.seconds,
            "joules": self.joules,
            "warm_up": None if self.warm_up is None else astuple(self.warm_up),
        }
        write_whole(self.folder / INDEX_FILE, json.dumps(sealed(json.loads(json.dumps(content)))))


def _warm_up(content: Mapping[str, Any], source: str) -> WarmUp | None:
    values = content.get("warm_up")
    if not isinstance(values, list):
        return None
    names = [own.name for own in fields(WarmUp)]
    return read_as(WarmUp, dict(zip(names, values, strict=False)), source)


def _checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """The CRC-32 of some rows' bytes, column by column."""
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(array.tobytes(), checksum)
    return checksum


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    parts = []
    for key in keys[:4]:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            parts.append(f"{key} ({_differences(old, new)})")
        else:
            parts.append(f"{key}: {shown(old, 60)} → {shown(new, 60)}")
    return "; ".join(parts) or "other examples"


def _damaged(file: Path, problem: str) -> UserError:
    return UserError(
        f"{file} is damaged: {shown(problem)}",
        "the files that evaluate.py wrote, whole",
        "give the command with --overwrite to make it again",
    )
