"""One ARC task from a JSON file, which may be a stranger's.

    {"train": [{"input": grid, "output": grid}, …], "test": [{"input": grid}, …]}     the public form
    {"<name>": {"train": …, "test": …}, …}                                            several, as on Kaggle

A test output that is missing or null is hidden. Demonstrations may be missing: only adaptation needs them.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.files.untrusted import load_json
from trm_lab.puzzles.arc.files import solutions_beside
from trm_lab.puzzles.arc.grids import CANVAS, Grid, parse_grid
from trm_lab.puzzles.arc.sources import TASK_NAMES, Pair, Task, check_known, is_task_name, with_solutions

LARGEST_FILE = 16 << 20  # bytes; the largest published file of tasks has 4 MB
MOST_PAIRS = 100  # of a task; the largest published one has 10 demonstrations
LONGEST_NAME = 200
NAMED_IN_ERRORS = 5
FORM = '{"train": [{"input": grid, "output": grid}, …], "test": [{"input": grid}, …]}'


def read_task(spec: str, canvas: int = CANVAS) -> Task:
    """The task that `file.json` holds, or the one of that name in it: `file.json:name`.

    Outputs hidden in `<prefix>_challenges.json` are taken from a `<prefix>_solutions.json` beside it (so are they with
    a hyphen before `challenges`).
    A task without a name is called after its file.

    Args:
        canvas: side C of the checkpoint's canvas; every grid must fit it.

    Raises:
        UserError: no such file or task, anything but a task in it, or a grid that does not fit.
    """
    file, wanted = _file_and_name(spec)
    content = _load(file)
    if any(isinstance(content.get(part), list) for part in ("train", "test")):
        name = file.stem
        if wanted is not None and wanted != name:
            raise _no_such_task(file, wanted, [name])
        return parse_task(name, content, f"{file}, task {name}", canvas)
    name = _chosen(file, content, wanted)
    task = parse_task(name, content[name], f"{file}, task {name}", canvas)
    beside = solutions_beside(file)
    if beside is None:
        return task
    solutions = _load(beside)
    check_known(solutions, content, beside, file)
    return with_solutions(task, solutions, beside, canvas)


def parse_task(name: str, entry: object, where: str, canvas: int = CANVAS) -> Task:
    """The task that a JSON value describes.

    Args:
        where: what it is and where it came from, for errors.

    Raises:
        UserError: it describes none, or one that does not fit the canvas.
    """
    if not is_task_name(name):
        raise _malformed(shown(where), "unusable as a name of a task", TASK_NAMES)
    if not isinstance(entry, Mapping):
        raise _malformed(where, "no task", FORM)
    train = _pairs(entry.get("train", []), f"{where}, train", canvas)
    test = _pairs(entry.get("test", []), f"{where}, test", canvas)
    if not test:
        raise _malformed(where, "no test pair, so nothing to answer", FORM)
    for number, pair in enumerate(train):
        if pair.output is None:
            raise _malformed(f"{where}, train pair {number}", "no output", FORM)
    return Task(name, train, test)


def _file_and_name(spec: str) -> tuple[Path, str | None]:
    if Path(spec).exists() or ":" not in spec:
        return Path(spec), None
    splits = [(Path(spec[:at]), spec[at + 1 :]) for at, sign in enumerate(spec) if sign == ":"]
    return next((split for split in splits if split[0].is_file()), splits[-1])  # a name may have colons, too


def _load(file: Path) -> Mapping[str, object]:
    try:
        content = load_json(file, LARGEST_FILE)
    except OSError as error:
        given = f"{file}: {error.strerror or 'unreadable'}"
        raise UserError(given, f"a JSON file: {FORM}", "check the path: --task file.json") from error
    except ValueError as error:
        given = f"{file}: not JSON ({shown(error)})"
        raise UserError(
            given, f"a JSON file in UTF-8: {FORM}", "check the file; it may be cut off"
        ) from error
    if not isinstance(content, dict) or not content:
        raise _malformed(str(file), "no task", FORM)
    return content


def _chosen(file: Path, tasks: Mapping[str, object], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in tasks:
            raise _no_such_task(file, wanted, list(tasks))
        return wanted
    if len(tasks) > 1:
        raise UserError(
            f"{file} holds {len(tasks)} tasks: {_some(list(tasks))}",
            "one task at a time",
            f"name it: --task {file}:{shown(next(iter(tasks)), LONGEST_NAME)}",
        )
    return next(iter(tasks))


def _no_such_task(file: Path, wanted: str, names: list[str]) -> UserError:
    near = difflib.get_close_matches(wanted, names, n=1)
    return UserError(
        f"{file} holds no task {wanted!r}",
        _some(names),
        f"did you mean {shown(near[0], LONGEST_NAME)}?" if near else "name one of these",
    )


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > NAMED_IN_ERRORS else ""
    return ", ".join(shown(name, 60) for name in names[:NAMED_IN_ERRORS]) + more


def _pairs(pairs: object, where: str, canvas: int) -> tuple[Pair, ...]:
    if not isinstance(pairs, list) or len(pairs) > MOST_PAIRS:
        raise _malformed(where, "no list of pairs", f"a list of at most {MOST_PAIRS} pairs")
    return tuple(_pair(pair, f"{where} pair {number}", canvas) for number, pair in enumerate(pairs))


def _pair(pair: object, where: str, canvas: int) -> Pair:
    if not isinstance(pair, Mapping) or "input" not in pair:
        raise _malformed(where, "no input", '{"input": grid, "output": grid}')
    output = pair.get("output")
    question = _grid(pair["input"], f"{where}, input", canvas)
    return Pair(question, None if output is None else _grid(output, f"{where}, output", canvas))


def _grid(cells: object, where: str, canvas: int) -> Grid:
    grid = parse_grid(cells, shown(where), largest=None)
    if max(grid.shape) > canvas:
        raise UserError(
            f"{shown(where)}: {grid.shape[0]}x{grid.shape[1]} cells",
            f"grids of at most {canvas}x{canvas}, the canvas that the checkpoint was trained on",
            "choose a smaller task, or a checkpoint with a larger canvas",
        )
    return grid


def _malformed(where: str, problem: str, allowed: str) -> UserError:
    return UserError(f"{shown(where)}: {problem}", allowed, "correct the file")
