"""Rollouts on disk: written as they are made, taken up again after an interruption, read many times.

    predictions.safetensors   every array of `Answers` for all examples, `[E, …]`; made in full length at the start
    predictions.json          the request, what each set holds, and for each batch written its rows and checksum

A batch counts once predictions.json lists it, after its rows were synced; so what a kill cuts off is made again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trm.errors import UserError, shown
from trm_lab.files.checksums import is_intact, sealed
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import write_whole
from trm_lab.runs.answers import Answers
from trm_lab.runs.row_file import RowFile

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


class WarmUp(NamedTuple):
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
    request: Mapping[str, Any]
    sets: Mapping[str, int]
    network_calls: list[int] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)
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
            return cls(folder, request, sets)
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
            content = load_json(file, LONGEST_INDEX)
            if not is_intact(content) or content["format"] != FORMAT:
                raise ValueError("not as it was written")
            store = cls(
                folder,
                dict(content["request"]),
                {str(name): int(size) for name, size in content["sets"].items()},
                [int(calls) for calls in content["network_calls"]],
                [(int(rows), int(checksum)) for rows, checksum in content["batches"]],
                float(content["seconds"]),
                None if content.get("joules") is None else float(content["joules"]),
                _warm_up(content.get("warm_up")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(file, str(error)) from error
        if (
            min([0, *store.sets.values(), *(rows for rows, _ in store.batches)]) < 0
            or store.done > store.total
        ):
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
            RowFile.create(self.folder / TENSORS_FILE, arrays, self.total)
        checksum = self._file().write(self.done, arrays)
        self.batches.append((len(answers), checksum))
        self.seconds += seconds
        self.joules = None if self.joules is None or joules is None else self.joules + joules
        self._write_index()

    def warmed_up(self, supervision_steps: int, seconds: float) -> None:
        """Take note of a launch's warm-up; it is written with the next batch."""
        if self.warm_up is not None:
            launches, most_steps, seconds_before = self.warm_up
            self.warm_up = WarmUp(launches + 1, max(most_steps, supervision_steps), seconds_before + seconds)

    def answers(self, rows: int = ROWS) -> Iterator[Answers]:
        """Everything written, in file order, at most `rows` at a time and of one set.

        Raises:
            UserError: predictions.safetensors is cut off or not what predictions.json says.
        """
        if not self.batches:
            return
        file, first = self._file(), 0
        for name, size in self.sets.items():
            end = min(first + size, self.done)
            for start in range(first, end, rows):
                arrays = file.read(start, min(rows, end - start))
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
        if not self.batches:
            return 0
        try:
            file, first = self._file(), 0
        except UserError:
            return 0
        for number, (rows, checksum) in enumerate(self.batches):
            if file.checksum(first, rows) != checksum:
                return number
            first += rows
        return len(self.batches)

    def _file(self) -> RowFile:
        path = self.folder / TENSORS_FILE
        try:
            file = RowFile.open(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        columns = {name: column for name, column in file.columns.items() if not name.startswith(PROBES)}
        fit = columns.keys() == COLUMNS.keys() and all(
            column.dtype.name in COLUMNS[name][0] and len(column.row) == COLUMNS[name][1]
            for name, column in columns.items()
        )
        if not fit or file.rows != self.total:
            raise _damaged(path, "not the columns and rows of predictions.json")
        return file

    def _write_index(self) -> None:
        content = {
            "format": FORMAT,
            "request": self.request,
            "sets": self.sets,
            "network_calls": self.network_calls,
            "batches": self.batches,
            "seconds": self.seconds,
            "joules": self.joules,
            "warm_up": self.warm_up,
        }
        write_whole(self.folder / INDEX_FILE, json.dumps(sealed(json.loads(json.dumps(content)))))


def _warm_up(values: Any) -> WarmUp | None:
    if values is None:
        return None
    launches, steps, seconds = values
    return WarmUp(int(launches), int(steps), float(seconds))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    parts = [f"{key}: {shown(before.get(key), 60)} → {shown(now.get(key), 60)}" for key in keys[:4]]
    return "; ".join(parts) or "other examples"


def _damaged(file: Path, problem: str) -> UserError:
    return UserError(
        f"{file} is damaged: {shown(problem)}",
        "the files that evaluate.py wrote, whole",
        "give the command with --overwrite to make it again",
    )
