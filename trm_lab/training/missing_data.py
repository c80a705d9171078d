"""Datasets that a configuration knows how to build: the command of each, and building what is missing."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.puzzles.layout import METADATA_FILE
from trm_lab.puzzles.manifest import read_command
from trm_lab.runs.run_directory import import_path
from trm_lab.runs.run_lock import exclusively


def build_command(config: TrainConfig, paths: Sequence[str]) -> str | None:
    """The command that builds the first missing dataset, where the configuration knows one."""
    commands = ((p, command_for(config, p)) for p in paths)
    return next((command for p, command in commands if command is not None and is_missing(p)), None)


def command_for(config: TrainConfig, path: str) -> str | None:
    """What builds the dataset at a path, also where this is spelt `./data/x` or `data/x/`."""
    command = config.data_build.get(path, config.data_build.get(os.path.normpath(path)))
    if command is not None:
        _check_builder(command)
    return command


def _check_builder(command: str) -> None:
    """UserError unless this is a command line of one of our builders: nothing else is advised or run."""
    try:
        shlex.split(command)
        ours = re.fullmatch(r"python -m data\.build_\w+_dataset( .*)?", command)
    except ValueError:  # a quote without its end
        ours = None
    if ours is None:
        raise UserError(
            f"data_build: {shown(repr(command))}", "python -m data.build_<dataset>_dataset …", "correct data_build"
        )


def check_built_as(path: str, command: str) -> None:
    """UserError where a dataset tells that it was built by another command; one that does not tell is taken."""
    built_by = read_command(path)
    differing = [] if built_by is None else built_by.differences(command)
    if differing:
        raise UserError(
            f"{path} holds another dataset than this configuration builds there: {shown('; '.join(differing), 400)}",
            f"the dataset of: {command}",
            f'build it elsewhere and name that place (--output-dir <new>, data_paths="[<new>]"); or build it anew '
            f"there: {command} --overwrite; or, to train on what is there, name it by its full path: "
            f'data_paths="[{Path(path).resolve()}]"',
        )


def build_missing_data(config: TrainConfig, ranks: Ranks) -> None:
    """Build the datasets that are missing and that the configuration says how to build; the first rank does it."""
    paths = [*config.data_paths, *config.data_paths_test]
    while (command := ranks.broadcast_object(build_command(config, paths))) is not None:
        if ranks.is_first:
            _build(command, config, paths)
        ranks.barrier()


def _build(command: str, config: TrainConfig, paths: Sequence[str]) -> None:
    """Build a dataset, unless another run does so meanwhile: only one at a time builds in a working directory."""
    with exclusively(Path()):
        if build_command(config, paths) == command:
            print(f"building the dataset: {command}", flush=True)
            run_module(shlex.split(command))


def is_missing(path: str) -> bool:
    """Whether there is no dataset at a path."""
    return not (Path(path) / "train" / METADATA_FILE).is_file()


def run_module(words: Sequence[str]) -> None:
    """Run `python -m <module of ours> …` with this Python.

    Raises:
        UserError: it is not such a command, or it failed.
    """
    if list(words[:2]) != ["python", "-m"]:
        raise UserError(f"command {shlex.join(words)!r}", "python -m <module> …", "correct data_build in the config")
    done = subprocess.run([sys.executable, *words[1:]], env={**os.environ, **import_path()})
    if done.returncode:
        raise UserError(
            f"{shlex.join(words)} failed with exit code {done.returncode}", "exit code 0", "see its message above"
        )
