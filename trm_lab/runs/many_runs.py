"""Several runs, of which some may be unreadable: those are named and left out, never silently."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.runs.recorded_run import Run, read_run

MARKS = ("config.yaml", "metrics.jsonl")  # a folder with one of these is a run
DEEPEST = 4  # folders in each other that are searched for runs


@dataclass(frozen=True)
class Skipped:
    """A run that was left out, why, and what helps."""

    path: Path
    why: str
    remedy: str


@dataclass(frozen=True)
class ManyRuns:
    """The runs that could be read, in the order of their paths, and the others."""

    runs: list[Run]
    skipped: list[Skipped]

    def remarks(self) -> list[str]:
        """The runs and files that were left out, one line each."""
        lines = [f"left out: {shown(one.path)}: {one.why}" for one in self.skipped]
        return lines + [f"{run.name}: {remark}" for run in self.runs for remark in run.remarks]


def read_runs(paths: Sequence[Path]) -> ManyRuns:
    """Read every run that the paths name: run directories, folders of them, or patterns such as `runs/sudoku*`.

    Raises:
        UserError: a path is not there or holds no run, or not one of the runs can be read.
    """
    runs, skipped = [], []
    for path in find_runs(paths):
        try:
            runs.append(read_run(path))
        except UserError as error:
            skipped.append(Skipped(path, shown(error.given, 400), error.remedy))
        except OSError as error:
            skipped.append(Skipped(path, shown(error.strerror or error), "see that the files can be read"))
    if not runs:
        raise UserError(
            "; ".join(["no run can be read", *(f"{shown(one.path)}: {one.why}" for one in skipped)]),
            "at least one readable run with an evaluation",
            "\n    ".join([*dict.fromkeys(one.remedy for one in skipped), "or give other directories"]),
        )
    return ManyRuns(runs, skipped)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run directories that the paths name, each once; see `read_runs`.

    Raises:
        UserError: a path is not there or holds no run.
    """
    by_place: dict[Path, Path] = {}
    for pattern in paths:
        runs = [run for path in _expanded(pattern) for run in sorted(_below(path, DEEPEST))]
        if not runs:
            state = "holds no run directory" if pattern.exists() else "does not exist"
            raise UserError(
                f"'{shown(pattern)}' {state}",
                "a run directory, a folder of run directories, or a pattern of their names",
                "give the directory that the training command printed as its run directory",
            )
        for run in runs:
            by_place.setdefault(run.resolve(), run)
    return list(by_place.values())


def figures_of(paths: Sequence[Path], runs: Sequence[Path]) -> Path:
    """Folder for the figures of several runs: figures/ of the only path, or beside the runs.

    paths: as typed; the shell may have made many paths of a pattern.  runs: that they name.
    """
    if len(paths) == 1:
        (path,) = paths
        return path / "figures" if path.is_dir() else path.parent / "figures"
    parent, here = Path(os.path.commonpath([run.resolve() for run in runs])), Path.cwd()
    return (parent.relative_to(here) if parent.is_relative_to(here) else parent) / "figures"


def _expanded(pattern: Path) -> list[Path]:
    if pattern.exists() or not any(sign in str(pattern) for sign in "*?["):
        return [pattern]
    relative = str(pattern.relative_to(pattern.anchor))
    return sorted(Path(pattern.anchor).glob(relative) if pattern.anchor else Path().glob(relative))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The run directories in a folder; there are none within a run."""
    if any((folder / mark).is_file() for mark in MARKS):
        yield folder
    elif depth and folder.is_dir():
        for inner in folder.iterdir():
            if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith("."):
                yield from _below(inner, depth - 1)
