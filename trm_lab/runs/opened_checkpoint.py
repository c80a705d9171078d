"""Opening a checkpoint, wherever it is from: its configuration, its weights, and a model made of them."""

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
from trm_lab.puzzles.layout import METADATA_FILE, PuzzleMetadata
from trm_lab.puzzles.manifest import fingerprint
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

    def changed_data(self, described: Sequence[Mapping[str, Any]]) -> list[str]:
        """Remarks on datasets that are not what the run was tested on in training; [] where it does not say.

        described: see `PuzzleData.described`.
        """
        tested = self._tested_fingerprints
        return [
            f"{data['path']} is not the data that {self.source} was tested on in training, or was built anew since"
            for data in described
            if tested is not None and data["fingerprint"] not in tested
        ]

    def training_data(self, described: Sequence[Mapping[str, Any]]) -> TrainedOn:
        """Where test examples of some datasets are to be looked for in what the run was trained on.

        As far as paths and fingerprints tell: a dataset built anew in the place of the run's is not noticed of a run
        with data_paths_test, nor of a lone checkpoint.

        described: see `PuzzleData.described`.
        """
        trained = [Path(path) for path in self.config.get("data_paths") or []]
        places = {path.resolve() for path in trained}
        prints = (None if self.config.get("data_paths_test") else self._tested_fingerprints) or set()
        at_hand = [path for path in trained if _is_at_hand(path, prints)]
        if not trained or all(
            data["fingerprint"] in prints or Path(data["path"]).resolve() in places for data in described
        ):
            return TrainedOn(trained if at_hand == trained else [Path(data["path"]) for data in described], [])
        data, names = ", ".join(data["path"] for data in described), ", ".join(map(shown, trained))
        if at_hand != trained:
            unknown = f"{data}: how much of it {self.source} was trained on is not known, {names} is not here"
            return TrainedOn([], [unknown])
        return TrainedOn(trained, [f"{data}: whether it stands in training is looked for in {names}, as trained on"])

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


def _is_at_hand(dataset: Path, fingerprints: Collection[str]) -> bool:
    """Whether a training split lies there, by the fingerprints, where there are any, the right one."""
    there = (dataset / "train" / METADATA_FILE).is_file()
    return there and (not fingerprints or fingerprint(dataset) in fingerprints)


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
