"""Weights as an export (model.safetensors, config.yaml, identifiers.json), which `checkpoint_forms.Export` reads."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor

from trm_lab.files.config_files import sealed
from trm_lab.files.folders import Kind
from trm_lab.files.tensor_files import save_tensors
from trm_lab.files.whole_files import carries, mark
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.runs.identifier_names import encoded
from trm_lab.runs.weights import EXPORTED_CONFIG, EXPORTED_WEIGHTS

EXPORT_MARK = mark("export")
STEP, WEIGHT_KIND = "step", "weights"  # in an export's configuration


def write_export(
    folder: Path, weights: Mapping[str, Tensor], config: Mapping[str, Any], row_names: Sequence[str] | None
) -> None:
    """Write the three files into an existing folder.

    config: of the run, with `arch` in our keys, and what the export says of itself: its step, and its kind of weights.
    row_names: see `write_names`.
    """
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    about = {STEP: config[STEP], WEIGHT_KIND: config[WEIGHT_KIND], "supervision": config["arch"]["supervision"]}
    metadata = {key: str(value) for key, value in about.items() if value is not None}
    save_tensors(folder / EXPORTED_WEIGHTS, tensors, {"format": "pt", **metadata})
    write_config(folder / EXPORTED_CONFIG, config)
    write_names(folder, row_names)


def write_config(file: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration of an export, which says in its first lines that it is of an export, and its checksum."""
    text = sealed(OmegaConf.to_yaml(OmegaConf.create(dict(config))))
    file.write_text(f"# {EXPORT_MARK}\n{text}", encoding="utf-8")


def write_names(folder: Path, row_names: Sequence[str] | None) -> None:
    """Write the puzzle of each row of the puzzle embedding, as a dataset does; the published code reads no such file.

    row_names: None where they are not recorded.
    """
    if row_names is not None:
        (folder / IDENTIFIERS_FILE).write_bytes(encoded(row_names))


def _is_export(folder: Path) -> bool:
    return carries(folder / EXPORTED_CONFIG, EXPORT_MARK)


ADAPTED = Kind(
    "adapted weights",
    "|".join(map(re.escape, (EXPORTED_WEIGHTS, EXPORTED_CONFIG, IDENTIFIERS_FILE))),
    _is_export,
    "--save-adapted",
)
