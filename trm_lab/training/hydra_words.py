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

FORMS = "key=value; a value with signs such as , = ( ) [ ] { } ; # ~ or letters beyond a-z stands in quotes of its own"
LIST_KEYS = {one.name for one in fields(TrainConfig) if get_origin(one.type) is list}
TEXT_KEYS = {one.name for one in fields(TrainConfig) if str in (one.type, *get_args(one.type))} - LIST_KEYS


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
    given = parser.parse_intermixed_args(list(words))
    if given.shell_completion or given.experimental_rerun:
        raise _unknown_flag(
            "--shell-completion" if given.shell_completion else "--experimental-rerun", parser
        )
    if (given.resolve or given.package) and not (given.cfg or given.help):
        flag = "--resolve" if given.resolve else "--package"
        raise UserError(f"{flag} without --cfg", "--cfg job with it", f"add --cfg job, or leave {flag} out")
    overrides = list(given.overrides)
    flags = list(words)
    for word in overrides:
        flags.remove(word)
    folders = [Path(given.config_path) if given.config_path else configs]
    folders += [Path(given.config_dir)] if given.config_dir else []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"no folder {shown(folder)}",
                "a folder of configurations",
                "correct --config-path or --config-dir",
            )
    if given.config_name is not None:
        check_name("--config-name ", given.config_name.removesuffix(".yaml"), folders)
    return flags, overrides, folders


def check_name(what: str, name: str, folders: Collection[Path]) -> None:
    """UserError unless one of the folders holds the configuration `name`; names the nearest, or all."""
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1, 0.4)
    raise UserError(
        f"{what}{shown(name)}: no such configuration",
        " | ".join(known),
        f"did you mean {what}{near[0]}?" if near else "choose one of these",
    )


def parsed(word: str, known: Collection[str]) -> Override:
    """An override as Hydra reads it; `known` are the keys that there are.

    Raises:
        UserError: Hydra cannot read it; with the quoting that it can.
    """
    try:
        return _parser().parse_override(word)
    except (HydraException, RecursionError):
        raise syntax_error(word, known) from None


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
def told_in_three_parts() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise meanwhile into a `UserError`."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
        lines = [str(one).strip().partition("\n")[0] for one in (error, cause) if one is not None]
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


def syntax_error(word: str, known: Collection[str]) -> UserError:
    """What is wrong with an override that cannot be read, and how to write it."""
    key, equals, value = word.lstrip("+~").partition("=")
    key = key.strip()
    if not key:
        return UserError(
            f"{shown(word)!r} has no key", "key=value", "name the key: `--cfg job` prints them all"
        )
    if not equals:
        near = difflib.get_close_matches(key, known, 1, 0.6)
        remedy = (
            f"did you mean {near[0]}=<value>?" if near else "write key=<value>; `--cfg job` prints the keys"
        )
        return UserError(f"{shown(word)!r} has no value", "key=value", remedy)
    return UserError(f"{shown(word)} cannot be read", FORMS, f"type {quoted(key, value)}")


def _in_quotes(text: str) -> str:
    plain = shown(text.strip().strip("\"'"))
    return '"' + plain.replace('"', '\\"') + '"'


def _for_shell(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _refuse_flag(parser: argparse.ArgumentParser) -> Callable[[str], NoReturn]:
    def refuse(message: str) -> NoReturn:
        raise UserError(
            shown(message), "key=value, and Hydra's flags: " + " ".join(_flags(parser)), "see --hydra-help"
        )

    return refuse


def _unknown_flag(flag: str, parser: argparse.ArgumentParser) -> UserError:
    flags = _flags(parser)
    near = difflib.get_close_matches(flag, flags, 1, 0.7)
    key = flag.lstrip("-").replace("-", "_")
    if key in {one.name for one in fields(TrainConfig)}:
        near = []
    return UserError(
        f"{shown(flag)} is no flag of a training command",
        "key=value without dashes, and Hydra's flags: " + " ".join(flags),
        f"did you mean {near[0]}?" if near else f"did you mean {shown(key)}=<value>?",
    )


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    unusable = ("--shell-completion", "--experimental-rerun")  # here: they need Hydra's own folders and words
    names = parser._option_string_actions
    return [name for name in names if name.startswith("--") and name not in unusable]


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
