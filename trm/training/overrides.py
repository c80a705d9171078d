"""A Hydra command line as TRM's users type it: keys with or without a leading `+`, misspelt ones named."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from trm.command_line import run_command
from trm.errors import UserError
from trm.training.config import Supervisions, check_key, known_keys
from trm.training.sweep import check_launcher, find_modules_in_jobs

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GROUPS = ("arch", "experiment")
QUIET = (  # a run has its own directory and records; of a sweep Hydra leaves runs/multirun.yaml
    "hydra.run.dir=.",
    "hydra.sweep.dir=runs",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)
_OVERRIDE = re.compile(r"^(?P<sign>\+{0,2}|~)(?P<key>[A-Za-z_][\w./@-]*)(=(?P<value>.*))?$", re.DOTALL)


def run_hydra(entry: Callable[[], None], supervisions: Supervisions) -> None:
    """Run a Hydra entry on this process's command line; a UserError ends it with its text and exit code 2."""

    def checked() -> None:
        given = normalise(sys.argv[1:], supervisions)
        overrides = [word for word in given if _is_override(word)]
        flags = [word for word in given if not _is_override(word)]  # `--cfg job` may stand after an override
        sys.argv[1:] = [*flags, *overrides, *QUIET]
        find_modules_in_jobs(os.environ)
        entry()

    run_command(checked)


def normalise(arguments: Sequence[str], supervisions: Supervisions) -> list[str]:
    """The same overrides with the sign that Hydra wants: a key may be given with or without a leading `+`.

    Raises:
        UserError: a key that does not exist, named before Hydra composes anything.
    """
    known = known_keys(supervisions)
    return [_normalise_one(argument, known) for argument in arguments]


def _is_override(word: str) -> bool:
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def _normalise_one(argument: str, known: set[str]) -> str:
    match = _OVERRIDE.match(argument)
    if argument.startswith("-") or match is None or match["value"] is None:
        return argument
    key, value = match["key"], match["value"]
    if key == "hydra/launcher":
        check_launcher(value)
    if key.startswith("hydra") or match["sign"] == "~":
        return argument
    if key in GROUPS:
        for choice in value.split(","):  # several in a sweep
            _check_choice(key, choice)
        return f"{key}={value}"
    check_key(key, known)
    return f"++{key}={value}"


def _check_choice(group: str, choice: str) -> None:
    known = sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))
    if choice not in known:
        near = difflib.get_close_matches(choice, known, 1, 0.4)
        raise UserError(
            f"{group}={choice}",
            " | ".join(known),
            f"did you mean {group}={near[0]}?" if near else f"choose one of configs/{group}/",
        )
