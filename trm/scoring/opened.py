"""A checkpoint, wherever it is from: its weights, its architecture, and a model made of them.

Known forms: a run directory, one of its `checkpoints/step_<n>/`, a published file with its `all_config.yaml`, a folder
that `export.py` wrote (`model.safetensors` with `config.yaml`), and any of the last two on a hub (`hf://owner/repo/…`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from trm.config_files import read_config
from trm.errors import UserError
from trm.hub import SCHEME, is_remote, located
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.puzzles.layout import PuzzleMetadata
from trm.supervision import Supervision
from trm.training.config import Architecture, Supervisions, architecture
from trm.training.weights import (
    EXPORTED_CONFIG,
    PUBLISHED_CONFIG,
    PUZZLE_ROWS,
    check_size,
    find_checkpoint,
    is_exported,
    load_into,
    published_arch,
    read_weights,
)
from trm.untrusted import shown

TYPES: dict[str, type] = {  # of what is read here from a configuration
    "arch": dict,
    "data_build": dict,
    "data_paths": list,
    "data_paths_test": list,
    "evaluators": list,
    "global_batch_size": int,
    "seed": int,
}
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

    @property
    def step(self) -> int:
        """The step that an export tells, or in a name such as step_123 or step_123.pth; 0 where there is none."""
        told = self.config.get("step")
        if is_exported(self.path) and type(told) is int:
            return told
        number = self.path.stem.split("_")[-1]
        return int(number[:18]) if number.isdecimal() and number.isascii() else 0

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
        if self.path.is_file() or is_exported(self.path):
            return self.path.with_name(f"{self.path.stem}{suffix}_scored")
        return self.path.parents[1] / "scored" / (self.path.name + suffix)

    def build_command(self, dataset: str) -> str | None:
        """What builds a dataset, if the configuration (perhaps a stranger's) tells and it is safe to repeat."""
        command = (self.config.get("data_build") or {}).get(dataset)
        return command if isinstance(command, str) and BUILDER.fullmatch(command) else None

    def supervision(
        self, metadata: PuzzleMetadata, supervisions: Supervisions
    ) -> tuple[Supervision[Any], list[str]]:
        """A model for a dataset with these weights, on the CPU, with its supervision; and remarks for the user.

        Raises:
            UserError: tensors that the architecture lacks or has in other shapes, by name.
        """
        kind = supervisions[self.arch.supervision]
        shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
        rows = kind.step_rows(self.arch.settings)
        supervision = kind(TinyRecursiveModel(self.arch.network, shape, rows, self.seed), self.arch.settings)
        return supervision, load_into(supervision.model, self.weights, self.source)


def open_checkpoint(
    target: str | Path, supervisions: Supervisions, config: Path | None = None, weight_kind: str = "auto"
) -> OpenedCheckpoint:
    """Read what `target` stands for.

    config: config.yaml or all_config.yaml; None: the one that belongs to `target`.
    weight_kind: `auto` (averaged where the run kept an average), `ema` or `raw`.

    Raises:
        UserError: no checkpoint, no configuration, damaged files, or weights that cannot belong to it.
    """
    source = str(target)
    path = find_checkpoint(located(source) if is_remote(source) else Path(target))
    keys = _read_config(config or _config_beside(path))
    weights = read_weights(path, weight_kind)
    arch_keys = published_arch(keys["arch"], weights) if "name" in keys["arch"] else keys["arch"]
    arch = architecture(arch_keys, supervisions)
    check_size(arch.network, weights, source)
    return OpenedCheckpoint(source, path, keys, arch, weights, weight_kind)


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
            str(wanted),
            "name it: --config <config.yaml or all_config.yaml>",
        )
    return wanted


def _read_config(file: Path) -> dict[str, Any]:
    keys = read_config(file)
    missing = [k for k in ("arch", "global_batch_size") if k not in keys]
    if missing:
        raise UserError(
            f"{file} lacks {', '.join(missing)}", "the resolved configuration of a run", "check --config"
        )
    for key, kind in TYPES.items():
        if keys.get(key) is not None and not isinstance(keys[key], kind):
            raise UserError(f"{file}: {key}={shown(keys[key])}", f"a {kind.__name__}", "check --config")
    return keys
