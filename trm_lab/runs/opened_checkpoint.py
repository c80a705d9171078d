"""Opening a checkpoint, wherever it is from: its configuration, its weights, and a model made of them."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

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
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.puzzles.training_rows import open_training
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_forms import CheckpointForm, RunCheckpoint, find_checkpoint
from trm_lab.runs.hub import SCHEME, is_remote
from trm_lab.runs.puzzle_description import PuzzleDescription
from trm_lab.runs.run_directory import changes
from trm_lab.runs.shipped import shipped
from trm_lab.runs.weights import PUZZLE_ROWS, TOKEN_ROWS, check_size, load_into, published_arch
from trm_lab.runs.young_average import score_remark

# of the keys that are read from a configuration: types, numbers that must be in range, paths
TYPES: dict[str, type] = {
    "arch": dict,
    "data_build": dict,
    "data_paths": list,
    "data_paths_test": list,
    "evaluators": list,
    "global_batch_size": int,
    "seed": int,
}
NUMBERS = ("global_batch_size", "seed", "puzzle_emb_lr", "puzzle_emb_weight_decay")
PLACES = ("data_paths", "data_paths_test", "data_build", "checkpoint_path")
BUILDER = re.compile(r"python -m data\.build_\w+_dataset( [\w./=-]+)*", re.ASCII)


class TrainedOn(NamedTuple):
    """What a network was trained on, beside the datasets that it is evaluated on.

    paths: datasets at hand; []: none is.  remarks: what to tell the user of it.
    """

    paths: list[Path]
    remarks: list[str]


@dataclass(frozen=True)
class OpenedCheckpoint:
    """Weights by published name, and the configuration of the run that trained them.

    source: as the user named it.  form: what lies on this machine.  weight_kind: the requested one of `WEIGHT_KINDS`.
    puzzle: shape, kind and facts of the puzzles that it was trained on; None where the checkpoint does not say.
    """

    source: str
    form: CheckpointForm
    config: Mapping[str, Any]
    arch: Architecture
    weights: Mapping[str, Tensor] = field(repr=False)
    weight_kind: str
    puzzle: PuzzleDescription | None = None

    @property
    def path(self) -> Path:
        """Its folder or file on this machine."""
        return self.form.path

    @cached_property
    def step(self) -> int:
        """The step by its state, its configuration or its name; 0 where none of them says."""
        return self.form.step(self.config) or 0

    @property
    def title(self) -> str:
        """Its method, size and updates, in words."""
        parameters = sum(tensor.numel() for name, tensor in self.weights.items() if name != PUZZLE_ROWS)
        updates = f", after {self.step:,} updates" if self.step else ""
        method = self.arch.method.name(self.arch.as_dict())
        return f"{self.source}: {method}, {parameters:,} parameters{updates}"

    @property
    def seed(self) -> int:
        """The run's seed."""
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
    def score_remark(self) -> str:
        """What to say beside its scores if its averaged weights are still mostly the first ones; "" otherwise."""
        averaged = self.weight_kind != "raw" and isinstance(self.form, RunCheckpoint)
        return score_remark(self.config, self.step) if averaged else ""

    @property
    def puzzle_identifiers(self) -> int:
        """Rows of its puzzle embedding; 1, the blank one, where it has none."""
        rows = self.weights.get(PUZZLE_ROWS)
        return 1 if rows is None else len(rows)

    @cached_property
    def row_names(self) -> list[str] | None:
        """The puzzles that the rows of its puzzle embedding belong to; None where the checkpoint does not say."""
        return self.form.row_names()

    @cached_property
    def described_puzzle(self) -> PuzzleDescription | None:
        """Its puzzles by itself, or by the first of its datasets at hand with as many different tokens; else None."""
        for path in [] if self.puzzle is not None else self.data_paths:
            try:
                puzzle = PuzzleDescription.of_dataset(path)
            except UserError:  # there is none, or a broken one
                continue
            if puzzle.vocab_size == len(self.weights[TOKEN_ROWS]):
                return puzzle
        return self.puzzle

    def changed_data(self, described: Sequence[Mapping[str, Any]], chosen: bool = False) -> list[str]:
        """Remarks on datasets that are not what the run was tested on in training; [] where it does not say.

        described: see `PuzzleData.described`.  chosen: by the user, so that other places than the run's are expected.
        """
        tested, own = self._tested_fingerprints, {os.path.abspath(path) for path in self.data_paths}
        return [
            f"{data['path']} is not the data that {self.source} was tested on in training, or was built anew since"
            for data in described
            if tested is not None and data["fingerprint"] not in tested
            if not chosen or os.path.abspath(data["path"]) in own
        ]

    def training_data(self, described: Sequence[Mapping[str, Any]], seq_len: int) -> TrainedOn:
        """Where test examples of some datasets are to be looked for in what the run was trained on.

        As far as paths, names and fingerprints tell, which a lone checkpoint, an export and a run with data_paths_test
        do not have.

        described: see `PuzzleData.described`.  seq_len: tokens of a test example; other lengths cannot be compared.
        """
        trained, tested = self.config.get("data_paths") or [], ", ".join(data["path"] for data in described)
        if not trained:
            own = f"{tested}: looked for in its own training split: {self.source} does not say what it was trained on"
            return TrainedOn([Path(data["path"]) for data in described], [own])
        prints = (None if self.config.get("data_paths_test") else self._tested_fingerprints) or set()
        found = [_place(str(path), described, prints, seq_len, len(trained) == 1) for path in trained]
        missing = [shown(path) for path, place in zip(trained, found, strict=True) if place is None]
        places = [place for place in found if place is not None]
        remarks = []
        if missing:
            why = f"{', '.join(missing)} is not here as it was, or has questions of another length"
            remarks = [f"{tested}: how much of it {self.source} was trained on is not known: {why}"]
        elif not {data["path"] for data in described} <= set(map(str, places)):
            remarks = [f"{tested}: whether it stands in training is looked for in {', '.join(map(shown, places))}"]
        if first := self.config.get("load_checkpoint"):
            remarks.append(f"{self.source} began with {shown(first)}: what that was trained on is not looked for")
        return TrainedOn([] if missing else places, remarks)

    @cached_property
    def _tested_fingerprints(self) -> set[str] | None:
        """Of the data that the run was tested on in training; None where it does not say."""
        if not isinstance(self.form, RunCheckpoint):
            return None
        datasets = checkpoints.load_state(self.path).get("datasets")
        return None if datasets is None else {dataset["fingerprint"] for dataset in datasets}

    def data_paths_or_error(self) -> list[str]:
        """The run's test data.

        Raises:
            UserError: the configuration names none.
        """
        if not self.data_paths:
            raise UserError("the configuration names no data_paths", "test data", "name it: --data-path data/<name>")
        return self.data_paths

    def results_folder(self, suffix: str) -> Path:
        """Where an evaluation goes: `scored/` of the run, or beside what lies elsewhere; never its own evaluations."""
        if is_remote(self.source) or shipped(self.source):
            name = self.source.removeprefix(SCHEME).replace("/", "--").replace("@", "-at-")
            return Path("scored") / (name + suffix)
        if isinstance(self.form, RunCheckpoint) and self.path.parent.name == "checkpoints":
            return self.path.parents[1] / "scored" / (self.path.name + suffix)
        return self.path.with_name(f"{self.path.stem}{suffix}_scored")

    def build_command(self, dataset: str) -> str | None:
        """The command that builds a dataset, if the configuration (perhaps a stranger's) has one that is harmless."""
        command = (self.config.get("data_build") or {}).get(dataset)
        return command if isinstance(command, str) and BUILDER.fullmatch(command) else None

    def supervision(
        self, metadata: PuzzleMetadata, identifiers: Sequence[str] | None = None
    ) -> tuple[Supervision[Any], list[str]]:
        """A model for a dataset with these weights, on the CPU, with its supervision; and remarks for the user.

        identifiers: the dataset's names, by which rows of the puzzle embedding are matched; None: they are not.

        Raises:
            UserError: tensors that the architecture lacks or has in other shapes, by name.
        """
        shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
        check_memory(self.arch.network, shape, trained_weights(self.arch, shape), Load(slots=1), torch.device("cpu"))
        supervision = self.arch.build(shape, self.seed)
        names = None if identifiers is None or PUZZLE_ROWS not in self.weights else self.row_names
        return supervision, load_into(supervision.model, self.weights, self.source, names, identifiers)


def open_checkpoint(target: str | Path, config: Path | None = None, weight_kind: str = "auto") -> OpenedCheckpoint:
    """Read the checkpoint at `target` (see `find_checkpoint`).

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
    form = find_checkpoint(target)
    weights = form.weights(weight_kind)  # first: a file without weights needs no configuration
    keys = _configuration(form, config)
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
    form.step(keys)  # a file under another step's name is noticed
    return OpenedCheckpoint(source, form, keys, arch, weights, weight_kind, form.puzzle(keys))


def _place(
    trained: str, described: Sequence[Mapping[str, Any]], fingerprints: Collection[str], seq_len: int, alone: bool
) -> Path | None:
    """Where a dataset that a run was trained on lies now: among those described, or where it was; None: nowhere.

    fingerprints: of the run's data; empty where it does not say.  alone: whether it is the only one, which may have
    another name now.
    """
    for data in described:
        named = Path(data["path"]).name == Path(trained).name
        known = (alone or named) and data["fingerprint"] in fingerprints if fingerprints else named
        if known or os.path.abspath(data["path"]) == os.path.abspath(trained):
            return Path(data["path"])
    try:
        open_training(Path(trained), seq_len)
        same = not fingerprints or fingerprint(trained) in fingerprints
    except (UserError, OSError, ValueError):  # a path of another machine, which may be no path here
        return None
    return Path(trained) if same else None


def _configuration(form: CheckpointForm, config_file: Path | None) -> dict[str, Any]:
    """The configuration that the weights were trained with.

    A run's checkpoint holds it in its state; only the data's paths come from config.yaml, since data may be moved.

    config_file: counts instead where it is given; what it has otherwise than the checkpoint is reported.

    Raises:
        UserError: there is none, or it is no configuration.
    """
    if not isinstance(form, RunCheckpoint):
        file = config_file or _existing(form)
        if file.is_file() and not is_as_written(file):
            report(f"{file} differs from its checksum: it was changed since it was written", "it is used as it is")
        return _checked(file, read_config(file))
    saved = form.config()
    if config_file is None and "arch" in saved:
        written = _written_beside(form, saved)
        places = {key: written[key] for key in PLACES if key in written}
        return _checked(form.path / checkpoints.STATE, {**saved, **places})
    file = config_file or _existing(form)
    keys = _checked(file, read_config(file))
    if config_file is not None:
        _report_changes(config_file, saved, keys, "it counts, as it was given")
    return keys


def _written_beside(form: RunCheckpoint, saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """config.yaml of the run that a checkpoint lies in; {} where there is none, or a broken one, which is reported."""
    consequence = "the settings that the checkpoint was made with count"
    if form.path.parent.name != "checkpoints" or not form.config_file.is_file():
        return {}
    try:
        written = read_config(form.config_file)
    except UserError as error:
        report(error.given, consequence)
        return {}
    _report_changes(form.config_file, saved, written, consequence)
    return written


def _report_changes(file: Path, saved: Mapping[str, Any], written: Mapping[str, Any], consequence: str) -> None:
    common = {key for key in saved if key in written and key not in PLACES}
    changed = changes({k: saved[k] for k in common}, {k: written[k] for k in common})
    if changed:
        report(f"{file} is not what the checkpoint was made with: {shown('; '.join(changed))}", consequence)


def _existing(form: CheckpointForm) -> Path:
    """The file of the configuration that belongs to a checkpoint; UserError where it is missing."""
    if not form.config_file.is_file():
        raise UserError(
            f"no configuration beside {form.path}",
            f"{form.config_file}, with the settings that the weights were trained with",
            "name it: --config <config.yaml or all_config.yaml>; where there is none, write it: "
            "`python pretrain.py --cfg job --resolve <the training command's settings> > all_config.yaml`",
        )
    return form.config_file


def _checked(file: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration keys that are there, of the right types and in range; `file` names them in errors."""
    missing = [k for k in ("arch", "global_batch_size") if keys.get(k) is None]
    if missing:
        raise UserError(f"{file} lacks {', '.join(missing)}", "the resolved configuration of a run", "check --config")
    for key, allowed in ranges(TrainConfig):
        if key in NUMBERS and keys.get(key) is not None and keys[key] not in allowed:
            raise UserError(f"{file}: {key}={shown(keys[key])}", str(allowed), f"correct {key}, or check --config")
    for key, kind in TYPES.items():
        if keys.get(key) is not None and not isinstance(keys[key], kind):
            raise UserError(f"{file}: {key}={shown(keys[key])}", f"a {kind.__name__}", "check --config")
    for key in ("data_paths", "data_paths_test"):
        for path in keys.get(key) or []:
            if not isinstance(path, str):
                raise UserError(f"{file}: {key} with {shown(repr(path))}", "paths of datasets", "check --config")
    return dict(keys)
