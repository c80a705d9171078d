"""A Hydra command line as TRM's users type it: keys with or without a leading `+`, misspelt ones named."""

import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from trm.errors import UserError, shown
from trm.recursion import RECURSIONS
from trm_lab.commands.command_line import run_command
from trm_lab.commands.project_root import PROJECT_ROOT
from trm_lab.configuration.architecture import arch_classes, check_key
from trm_lab.configuration.train_config import TrainConfig, known_keys, register_defaults
from trm_lab.configuration.typed_values import check_value
from trm_lab.methods import METHODS
from trm_lab.runs.run_directory import import_path
from trm_lab.training.hydra_words import (
    TEXT_KEYS,
    as_user_errors,
    check_name,
    check_one_value,
    files_in,
    parsed,
    split_words,
    syntax_error,
)
from trm_lab.training.sweep import check_launcher

register_defaults()
CONFIGS = PROJECT_ROOT / "configs"
GROUPS = ("arch", "recursion", "experiment")
_REGISTERED: dict[str, Mapping[str, Any]] = {"arch": METHODS, "recursion": RECURSIONS}  # choices without a file
QUIET = (  # a run has its own directory and records; of a sweep Hydra leaves runs/multirun.yaml
    "hydra.run.dir=.",
    "hydra.sweep.dir=runs",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)
_OVERRIDE = re.compile(r"^(?P<sign>\+{0,2}|~)(?P<key>[A-Za-z_][\w./@-]*)(=(?P<value>.*))?$", re.DOTALL)


def run_hydra(entry: Callable[[], None]) -> None:
    """Run a Hydra entry on this process's command line; a UserError ends it with its text and exit code 2."""

    def checked() -> None:
        flags, words, folders = split_words(sys.argv[1:], CONFIGS)
        overrides = normalise(words, folders)
        if {"-m", "--multirun"} & set(flags):
            overrides = sweep_once(overrides)
            for word in overrides:
                check_swept_values(parsed(word, ()))
            os.environ |= import_path()  # a launcher may start its jobs from another folder
        else:
            for word in overrides:
                check_one_value(parsed(word, ()))
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let errors through in place of printing them
        sys.argv[1:] = [*overrides, *QUIET, *flags]  # --info would take the word behind it
        with as_user_errors():
            entry()

    run_command(checked)


def check_swept_values(override: Override) -> None:
    """UserError if one of the values that a sweep goes through is none for its key, before the first run starts."""
    key = override.key_or_group
    if override.is_sweep_override() and not key.startswith("hydra") and key not in GROUPS:
        prefix, name = ("arch.", key.removeprefix("arch.")) if key.startswith("arch.") else ("", key)
        kinds = list(arch_classes()) if prefix else [TrainConfig]
        for value in override.sweep_iterator(transformer=lambda value: value):
            check_value(kinds, name, value, prefix)


def sweep_once(overrides: Sequence[str]) -> list[str]:
    """The overrides of a sweep in which a key of the command line replaces the experiment's values for it.

    Hydra itself would multiply the two: the same run several times, at the same time where runs go side by side.

    Args:
        overrides: as `normalise` gives them.
    """
    values = {word.lstrip("+").partition("=")[0]: word.partition("=")[2] for word in overrides}
    own = _swept_by(values.get("experiment", ""))
    if not own or any(key.startswith("hydra.sweeper.params") for key in values):
        return list(overrides)
    remaining = [f"{'' if key in GROUPS else '++'}{key}={value}" for key, value in own.items() if key not in values]
    return ["hydra.sweeper.params=null", *remaining, *overrides]


def _swept_by(experiment: str) -> dict[str, Any]:
    """hydra.sweeper.params of an experiment and of those that it begins with."""
    file = CONFIGS / "experiment" / f"{experiment}.yaml"
    if not file.is_file():
        return {}
    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    params: dict[str, Any] = {}
    for base in content.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            params |= _swept_by(base)
    return params | content.get("hydra", {}).get("sweeper", {}).get("params", {})


def normalise(arguments: Sequence[str], folders: Collection[Path] = (CONFIGS,)) -> list[str]:
    """The same overrides with the sign that Hydra wants: a key may be given with or without a leading `+`.

    folders: with the configurations of the groups.

    Raises:
        UserError: a key that does not exist or a value that Hydra cannot read, before Hydra composes anything.
    """
    keys = known_keys()
    return [_normalise_one(argument, keys, folders) for argument in arguments]


def _normalise_one(argument: str, keys: set[str], folders: Collection[Path]) -> str:
    match = _OVERRIDE.match(argument)
    if match is None or (match["value"] is None and match["sign"] != "~"):
        raise syntax_error(argument, keys)
    key, value = match["key"], match["value"] or ""
    if match["sign"] == "~" and not key.startswith(("hydra", "data_build")):
        check_key(key, keys | set(GROUPS))
        raise UserError(f"{shown(argument)} takes {key} away", "a value for every key", f"set it: {key}=…, or leave it")
    if value.startswith("~/"):  # which Hydra's grammar has no place for
        argument, value = argument.replace("=~/", '="~/', 1) + '"', f'"{value}"'
    if key == "hydra/launcher":
        check_launcher(value)
    if key in GROUPS:
        names = files_in([folder / key for folder in folders]) | _REGISTERED.get(key, {}).keys()
        for choice in value.split(","):  # several in a sweep
            if (key, choice) not in (("experiment", "null"), ("recursion", "null")):
                check_name(f"{key}=", choice, names)
        return f"{key}={value}"
    if not key.startswith(("hydra.", "hydra/")):
        check_key(key, keys)
    value_read = parsed(argument, keys).value() if match["sign"] != "~" else None
    if key in TEXT_KEYS and isinstance(value_read, int | float):
        value = f'"{value}"'  # run_name=1e3 is a name
    if key.startswith("hydra") or match["sign"] == "~":
        return argument
    return f"++{key}={value}"
