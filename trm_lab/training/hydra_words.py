"""Hydra's command line in our words: its flags, the grammar of an override, and what it says when it fails."""

import argparse
import difflib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import NoReturn, get_args, get_origin

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from trm.errors import UserError, shown
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.configuration.typed_values import or_registered

FORMS = "key=value; a value with signs such as , = ( ) [ ] { } ; # ~ or letters beyond a-z stands in quotes of its own"
UNUSABLE = ("--shell-completion", "--experimental-rerun")  # they need Hydra's own folders and words
LIST_KEYS = {key.name for key in fields(TrainConfig) if get_origin(key.type) is list}
TEXT_KEYS = {key.name for key in fields(TrainConfig) if str in (key.type, *get_args(key.type))} - LIST_KEYS


def split_words(words: Sequence[str], configs: Path) -> tuple[list[str], list[str], list[Path]]:
    """Hydra's flags, the overrides between them, and the folders in which Hydra will look for configurations.

    Raises:
        UserError: an unknown flag, or a configuration or a folder that is not there.
    """
    parser = get_args_parser()
    parser.error = _refuse_flag(parser)  # type: ignore[method-assign, assignment]
    for word in words:
        flag = word.partition("=")[0]
        if re.match("--[a-z]", word) and flag not in parser._option_string_actions:
            raise _unknown_flag(flag, parser)
    arguments = parser.parse_intermixed_args(list(words))
    for flag in UNUSABLE:
        if getattr(arguments, flag.strip("-").replace("-", "_")):
            raise _unknown_flag(flag, parser)
    if (arguments.resolve or arguments.package) and not (arguments.cfg or arguments.help):
        flag = "--resolve" if arguments.resolve else "--package"
        raise UserError(f"{flag} without --cfg", "--cfg job with it", f"add --cfg job, or leave {flag} out")
    flags, overrides = list(words), list(arguments.overrides)
    for word in overrides:
        flags.remove(word)
    folders = [Path(arguments.config_path or configs)]
    folders += [Path(arguments.config_dir)] if arguments.config_dir else []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"no folder {shown(folder)}", "a folder of configurations", "correct --config-path or --config-dir"
            )
    if arguments.config_name is not None:
        check_name("--config-name ", arguments.config_name.removesuffix(".yaml"), files_in(folders))
    return flags, overrides, folders


def files_in(folders: Collection[Path]) -> set[str]:
    """The names of the configuration files in some folders."""
    return {file.stem for folder in folders for file in folder.glob("*.yaml")}


def check_name(what: str, name: str, allowed: Collection[str]) -> None:
    """UserError unless `name` is one of the configurations; names the nearest, and how one of one's own is made."""
    names = sorted(allowed)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, 1, 0.4)
    raise UserError(
        f"{what}{shown(name)}: no such configuration",
        " | ".join(names),
        or_registered(what.rstrip("="), f"did you mean {what}{near[0]}?" if near else "choose one of these"),
    )


def parsed(word: str, keys: Collection[str]) -> Override:
    """An override as Hydra reads it; `keys` are all that there are.

    Raises:
        UserError: Hydra cannot read it; with the quoting that it can.
    """
    try:
        return _parser().parse_override(word)
    except (HydraException, RecursionError):
        raise syntax_error(word, keys) from None


def check_one_value(override: Override) -> None:
    """UserError if an override asks for several runs, where only one is to start."""
    if override.is_sweep_override():
        key, _, value = (override.input_line or "").lstrip("+").partition("=")
        ways = [f"-m starts a run for each; one of them: {shown(key)}=…"]
        if key in LIST_KEYS:
            ways.append(f"a list: {quoted(key, '[' + value + ']')}")
        elif key in TEXT_KEYS:
            ways.append(f"a text with a comma: {quoted(key, value)}")
        raise UserError(
            f"{shown(key)}={shown(value)} stands for several runs, one for each value",
            "one value; several behind -m only",
            "; ".join(ways),
        )


@contextmanager
def as_user_errors() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise meanwhile into a `UserError`."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
        lines = [str(e).strip().partition("\n")[0] for e in (error, cause) if e is not None]
        raise UserError(
            ": ".join(shown(line) for line in lines),
            "keys and groups of configs/, and what Hydra's own documentation says of hydra.*",
            "`--cfg job` prints what a command resolves to; correct the key or the value",
        ) from error


def quoted(key: str, value: str) -> str:
    """The override for a shell, with the value, or each element of a list, in quotes of Hydra's."""
    text = value.strip()
    if text.startswith("["):
        parts = [_in_quotes(part) for part in text.strip("[]").split(",")]
        return _for_shell(f"{key}=[{','.join(parts)}]")
    if re.fullmatch(r"[\w./+-]+", text, re.ASCII):  # a number in quotes would be a text
        return f"{key}={text}"
    return _for_shell(f"{key}={_in_quotes(text)}")


def syntax_error(word: str, keys: Collection[str]) -> UserError:
    """What is wrong with an override that cannot be read, and how to write it."""
    key, equals, value = word.lstrip("+~").partition("=")
    key = key.strip()
    if not key:
        return UserError(f"{shown(word)!r} has no key", "key=value", "name the key: `--cfg job` prints them all")
    if not equals:
        near = difflib.get_close_matches(key, keys, 1, 0.6)
        remedy = f"did you mean {near[0]}=<value>?" if near else "write key=<value>; `--cfg job` prints the keys"
        return UserError(f"{shown(word)!r} has no value", "key=value", remedy)
    return UserError(f"{shown(word)} cannot be read", FORMS, f"type {quoted(key, value)}")


def _in_quotes(text: str) -> str:
    plain = shown(text.strip().strip("\"'"))
    return '"' + plain.replace('"', '\\"') + '"'


def _for_shell(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _refuse_flag(parser: argparse.ArgumentParser) -> Callable[[str], NoReturn]:
    def refuse(message: str) -> NoReturn:
        raise UserError(shown(message), "key=value, and Hydra's flags: " + " ".join(_flags(parser)), "see --hydra-help")

    return refuse


def _unknown_flag(flag: str, parser: argparse.ArgumentParser) -> UserError:
    flags = _flags(parser)
    near = difflib.get_close_matches(flag, flags, 1, 0.7)
    key = flag.lstrip("-").replace("-", "_")
    if key in {field.name for field in fields(TrainConfig)}:
        near = []
    return UserError(
        f"{shown(flag)} is no flag of a training command",
        "key=value without dashes, and Hydra's flags: " + " ".join(flags),
        f"did you mean {near[0]}?" if near else f"did you mean {shown(key)}=<value>?",
    )


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    names = parser._option_string_actions
    return [name for name in names if name.startswith("--") and name not in UNUSABLE]


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
