"""A Hydra command line as TRM's users type it: keys with or without a leading `+`, misspelt ones named."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import OmegaConf

from trm.command_line import run_command
from trm.errors import UserError
from trm.project_root import PROJECT_ROOT
from trm.training.config import Supervisions, check_key, known_keys
from trm.training.run_directory import import_path
from trm.training.sweep import check_launcher

CONFIGS = PROJECT_ROOT / "configs"
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
        if {"-m", "--multirun"} & set(flags):
            overrides = sweep_once(overrides)
            os.environ |= import_path()  # a launcher may start its jobs from another folder
        sys.argv[1:] = [*flags, *overrides, *QUIET]
        entry()

    run_command(checked)


def sweep_once(overrides: Sequence[str]) -> list[str]:
    """The overrides of a sweep in which a key given takes the place of the experiment's values for it.

    Hydra itself would multiply the two: the same run several times, at the same time where runs go side by side.

    Args:
        overrides: as `normalise` gives them.
    """
    values = {word.lstrip("+").partition("=")[0]: word.partition("=")[2] for word in overrides}
    own = _swept_by(values.get("experiment", ""))
    if not own or any(key.startswith("hydra.sweeper.params") for key in values):
        return list(overrides)
    kept = [
        f"{'' if key in GROUPS else '++'}{key}={value}" for key, value in own.items() if key not in values
    ]
    return ["hydra.sweeper.params=null", *kept, *overrides]


def _swept_by(experiment: str) -> dict[str, Any]:
    """hydra.sweeper.params of an experiment and of those that it begins with."""
    file = CONFIGS / "experiment" / f"{experiment}.yaml"
    if not file.is_file():
        return {}
    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    found: dict[str, Any] = {}
    for base in content.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            found |= _swept_by(base)
    return found | content.get("hydra", {}).get("sweeper", {}).get("params", {})


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
