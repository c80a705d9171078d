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
from trm_lab.puzzles.arc.grids import CANVAS
from trm_lab.puzzles.arc.sources import FORM, Task, check_known, malformed, with_solutions
from trm_lab.puzzles.arc.sources import parse_task as parse_source

LARGEST_FILE = 16 << 20  # bytes; the largest published file of tasks has 4 MB
MOST_PAIRS = 100  # of a task; the largest published one has 10 demonstrations
LONGEST_NAME = 200
NAMED_IN_ERRORS = 5


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
    file, name = _file_and_name(spec)
    content = _load(file)
    if any(isinstance(content.get(part), list) for part in ("train", "test")):
        if name not in (None, file.stem):
            raise _no_such_task(file, str(name), [file.stem])
        return parse_task(file.stem, content, f"{file}, task {file.stem}", canvas)
    name = _chosen(file, content, name)
    task = parse_task(name, content[name], f"{file}, task {name}", canvas)
    beside = solutions_beside(file)
    if beside is None:
        return task
    solutions = _load(beside)
    check_known(solutions, content, beside, file)
    return with_solutions(task, solutions, beside, canvas)


def parse_task(name: str, entry: object, where: str, canvas: int = CANVAS) -> Task:
    """The task that a JSON value describes; its demonstrations may be missing.

    Args:
        where: what it is and where it came from, for errors.

    Raises:
        UserError: it describes none, or one that does not fit the canvas.
    """
    if isinstance(entry, Mapping):
        for part in ("train", "test"):
            pairs = entry.get(part)
            if isinstance(pairs, list) and len(pairs) > MOST_PAIRS:
                raise malformed(where, f"{len(pairs):,} {part} pairs", f"at most {MOST_PAIRS} pairs")
    task = parse_source(name, entry, where, None, needs_train=False)
    for part, pairs in (("train", task.train), ("test", task.test)):
        for number, pair in enumerate(pairs):
            for grid, side in zip(pair.grids(), ("input", "output"), strict=False):
                if max(grid.shape) > canvas:
                    raise UserError(
                        f"{shown(where)}, {part} pair {number}, {side}: {grid.shape[0]}x{grid.shape[1]} cells",
                        f"grids of at most {canvas}x{canvas}, the canvas that the checkpoint was trained on",
                        "choose a smaller task, or a checkpoint with a larger canvas",
                    )
    return task


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
        raise UserError(
            given, f"a JSON file: {FORM}", "check the path: file.json, or file.json:name of a task in it"
        ) from error
    except ValueError as error:
        given = f"{file}: not JSON ({shown(error)})"
        raise UserError(given, f"a JSON file in UTF-8: {FORM}", "check the file; it may be cut off") from error
    if not isinstance(content, dict) or not content:
        raise malformed(str(file), "no task", FORM)
    return content


def _chosen(file: Path, tasks: Mapping[str, object], name: str | None) -> str:
    if name is not None:
        if name not in tasks:
            raise _no_such_task(file, name, list(tasks))
        return name
    if len(tasks) > 1:
        raise UserError(
            f"{file} holds {len(tasks)} tasks: {_some(list(tasks))}",
            "one task at a time",
            f"name it: {file}:{shown(next(iter(tasks)), LONGEST_NAME)}",
        )
    return next(iter(tasks))


def _no_such_task(file: Path, name: str, names: list[str]) -> UserError:
    near = difflib.get_close_matches(name, names, n=1)
    return UserError(
        f"{file} holds no task {name!r}",
        _some(names),
        f"did you mean {shown(near[0], LONGEST_NAME)}?" if near else "name one of these",
    )


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > NAMED_IN_ERRORS else ""
    return ", ".join(shown(name, 60) for name in names[:NAMED_IN_ERRORS]) + more
