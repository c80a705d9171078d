"""A checkpoint, wherever it is from: its weights, its architecture, and a model made of them.

Known forms: a run directory, one of its `checkpoints/step_<n>/`, a published file with its `all_config.yaml`, a folder
that `export.py` wrote (`model.safetensors` with `config.yaml`), and any of the last two on a hub (`hf://owner/repo/…`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trm.errors import UserError, report, shown
from trm.model import PuzzleShape
from trm.ranges import ranges
from trm.supervision import Supervision
from trm_lab.cluster.memory_needs import Load, check_memory
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.files.config_files import is_as_written, read_config
from trm_lab.flops import trained_weights
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.runs import checkpoints
from trm_lab.runs.hub import SCHEME, is_remote, located
from trm_lab.runs.run_directory import changes
from trm_lab.runs.weights import (
    EXPORTED_CONFIG,
    PUBLISHED_CONFIG,
    PUZZLE_ROWS,
    check_size,
    find_checkpoint,
    is_exported,
    load_into,
    published_arch,
    read_weights,
    row_names,
    step_of,
)

TYPES: dict[str, type] = {  # of what is read here from a configuration
    "arch": dict,
    "data_build": dict,
    "data_paths": list,
    "data_paths_test": list,
    "evaluators": list,
    "global_batch_size": int,
    "seed": int,
}
USED = ("global_batch_size", "seed", "puzzle_emb_lr", "puzzle_emb_weight_decay")  # numbers that are used here
PLACES = (
    "data_paths",
    "data_paths_test",
    "data_build",
    "checkpoint_path",
)  # where things lie, not what they are
BUILDER = re.compile(r"python -m data\.build_\w+_dataset( [\w./=-]+)*", re.ASCII)


@dataclass(frozen=True)
class OpenedCheckpoint:
    """Weights by published name, and the configuration of the run that they come from.

    source: as it was given.  path: a folder or a file on this machine.  weight_kind: one of `WEIGHT_KINDS`, as asked.
    """

    source: str
    path: Path
    config: Mapping[str, Any]
    arch: Architecture
    weights: Mapping[str, Tensor] = field(repr=False)
    weight_kind: str

    @cached_property
    def step(self) -> int:
        """The step that it tells, by its state, its configuration or its name; 0 where it does not."""
        return step_of(self.path, self.config) or 0

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.config.get("seed", 0)

    @property
    def batch_size(self) -> int:
        """The run's global batch size."""
        return self.config["global_batch_size"]

    @property
    def data_paths(self) -> list[str]:
        """The run's test data."""
        return list(self.config.get("data_paths_test") or self.config.get("data_paths") or [])

    @property
    def puzzle_identifiers(self) -> int:
        """Rows of its puzzle embedding; 1, the blank one, where it has none."""
        rows = self.weights.get(PUZZLE_ROWS)
        return 1 if rows is None else len(rows)

    def changed_data(self, described: Sequence[Mapping[str, Any]]) -> list[str]:
        """Remarks on datasets that are not what the run was tested on in training; [] where it does not tell.

        described: see `PuzzleData.described`.
        """
        if self.path.is_file() or is_exported(self.path):
            return []
        told = checkpoints.load_state(self.path).get("datasets")
        known = (
            {one.get("fingerprint") for one in told if isinstance(one, dict)}
            if isinstance(told, list)
            else None
        )
        return [
            f"{one['path']} is not the data that {self.source} was tested on in training, or was built anew since"
            for one in described
            if known is not None and one["fingerprint"] not in known
        ]

    def data_paths_or_error(self) -> list[str]:
        """The run's test data.

        Raises:
            UserError: the configuration names none.
        """
        if not self.data_paths:
            raise UserError(
                "the configuration names no data_paths", "test data", "name it: --data-path data/<name>"
            )
        return self.data_paths

    def results_folder(self, suffix: str) -> Path:
        """Where an evaluation goes: `scored/` of the run, or beside what lies elsewhere; never its own evaluations."""
        if is_remote(self.source):
            name = self.source.removeprefix(SCHEME).replace("/", "--").replace("@", "-at-")
            return Path("scored") / (name + suffix)
        if self.path.is_file() or is_exported(self.path) or self.path.parent.name != "checkpoints":
            return self.path.with_name(f"{self.path.stem}{suffix}_scored")
        return self.path.parents[1] / "scored" / (self.path.name + suffix)

    def build_command(self, dataset: str) -> str | None:
        """What builds a dataset, if the configuration (perhaps a stranger's) tells and it is safe to repeat."""
        command = (self.config.get("data_build") or {}).get(dataset)
        return command if isinstance(command, str) and BUILDER.fullmatch(command) else None

    @cached_property
    def row_names(self) -> list[str] | None:
        """The puzzles that the rows of its puzzle embedding belong to; None where it does not tell."""
        return row_names(self.path)

    def supervision(
        self, metadata: PuzzleMetadata, identifiers: Sequence[str] | None = None
    ) -> tuple[Supervision[Any], list[str]]:
        """A model for a dataset with these weights, on the CPU, with its supervision; and remarks for the user.

        identifiers: the dataset's names, by which rows of the puzzle embedding are matched; None: any will do.

        Raises:
            UserError: tensors that the architecture lacks or has in other shapes, by name.
        """
        shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
        check_memory(
            self.arch.network, shape, trained_weights(self.arch, shape), Load(slots=1), torch.device("cpu")
        )
        supervision = self.arch.build(shape, self.seed)
        names = None if identifiers is None or PUZZLE_ROWS not in self.weights else self.row_names
        return supervision, load_into(supervision.model, self.weights, self.source, names, identifiers)


def open_checkpoint(
    target: str | Path, config: Path | None = None, weight_kind: str = "auto"
) -> OpenedCheckpoint:
    """Read what `target` stands for.

    config: config.yaml or all_config.yaml; None: the one that belongs to `target`.
    weight_kind: `auto` (averaged where the run kept an average), `ema` or `raw`.

    Raises:
        UserError: no checkpoint, no configuration, damaged files, or weights that cannot belong to it.
    """
    source = str(target)
    if not source.strip():
        raise UserError(
            "an empty name of a checkpoint", "a run, a checkpoint, an export or hf://…", "name one of these"
        )
    path = find_checkpoint(located(source) if is_remote(source) else Path(target))
    weights = read_weights(path, weight_kind)  # first: what holds none needs no configuration
    keys = _configuration(path, config)
    arch_keys = published_arch(keys["arch"], weights) if "name" in keys["arch"] else keys["arch"]
    try:
        arch = architecture(arch_keys)
    except UserError as error:
        raise UserError(
            f"{error.given} in the configuration of {source}",
            error.allowed,
            "check the configuration; do not use it if you do not know who made it",
        ) from error
    check_size(arch.network, weights, source)
    step_of(path, keys)  # a file under another step's name is noticed
    return OpenedCheckpoint(source, path, keys, arch, weights, weight_kind)


def _configuration(path: Path, given: Path | None) -> dict[str, Any]:
    """What the weights were made with: of a run's checkpoint as its state says, with the data paths of config.yaml.

    given: a file that counts instead; what it says otherwise than the checkpoint is reported.

    Raises:
        UserError: there is none, or it is no configuration, or an export's was changed.
    """
    if path.is_file() or is_exported(path):
        file = given or _config_beside(path)
        if file.is_file() and not is_as_written(file):
            report(
                f"{file} differs from its checksum: it was changed since it was written",
                "it is used as it is",
            )
        return _read_config(file)
    saved = checkpoints.load_state(path)["config"]
    if given is None and "arch" in saved:
        written = _written_beside(path, saved)
        return _checked(
            path / checkpoints.STATE, {**saved, **{k: written[k] for k in PLACES if k in written}}
        )
    keys = _read_config(given or _config_beside(path))
    if given is not None:
        _report_changes(given, saved, keys, "it counts, as it was given")
    return keys


def _written_beside(checkpoint: Path, saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """config.yaml of the run that a checkpoint lies in; {} where there is none, or a broken one, which is reported."""
    file, consequence = (
        checkpoint.parents[1] / "config.yaml",
        "the settings that the checkpoint was made with count",
    )
    if checkpoint.parent.name != "checkpoints" or not file.is_file():
        return {}
    try:
        written = read_config(file)
    except UserError as error:
        report(error.given, consequence)
        return {}
    _report_changes(file, saved, written, consequence)
    return written


def _report_changes(
    file: Path, saved: Mapping[str, Any], written: Mapping[str, Any], consequence: str
) -> None:
    common = {key for key in saved if key in written and key not in PLACES}
    changed = changes({k: saved[k] for k in common}, {k: written[k] for k in common})
    if changed:
        report(f"{file} is not what the checkpoint was made with: {shown('; '.join(changed))}", consequence)


def _config_beside(checkpoint: Path) -> Path:
    """The configuration that belongs to a checkpoint, by its form."""
    if checkpoint.is_file():
        wanted = checkpoint.parent / PUBLISHED_CONFIG
    elif is_exported(checkpoint):
        wanted = checkpoint / EXPORTED_CONFIG
    else:
        wanted = checkpoint.parents[1] / "config.yaml"
    if not wanted.is_file():
        raise UserError(
            f"no configuration beside {checkpoint}",
            f"{wanted}, with the settings that the weights were trained with",
            "name it: --config <config.yaml or all_config.yaml>; where there is none, write it: "
            "`python pretrain.py --cfg job --resolve <the training command's settings> > all_config.yaml`",
        )
    return wanted


def _read_config(file: Path) -> dict[str, Any]:
    return _checked(file, read_config(file))


def _checked(file: Path, keys: dict[str, Any]) -> dict[str, Any]:
    """Configuration keys that are there and of the right types; `file` names them in errors."""
    missing = [k for k in ("arch", "global_batch_size") if keys.get(k) is None]
    if missing:
        raise UserError(
            f"{file} lacks {', '.join(missing)}", "the resolved configuration of a run", "check --config"
        )
    for key, allowed in ranges(TrainConfig):
        if key in USED and keys.get(key) is not None and keys[key] not in allowed:
            raise UserError(
                f"{file}: {key}={shown(keys[key])}", str(allowed), f"correct {key}, or check --config"
            )
    for key, kind in TYPES.items():
        if keys.get(key) is not None and not isinstance(keys[key], kind):
            raise UserError(f"{file}: {key}={shown(keys[key])}", f"a {kind.__name__}", "check --config")
    for key in ("data_paths", "data_paths_test"):
        for path in keys.get(key) or []:
            if not isinstance(path, str):
                raise UserError(
                    f"{file}: {key} with {shown(repr(path))}", "paths of datasets", "check --config"
                )
    return keys
