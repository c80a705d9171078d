"""A checkpoint as a folder for the Hugging Face Hub: model.safetensors, config.yaml, identifiers.json, README.md.

`open_checkpoint` reads such a folder, here or on the hub, and it scores as what it was made from.
"""

from pathlib import Path
from typing import Any

from trm_lab.inference.arc_checkpoint import SEQ_LEN
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.release.card import model_card, without_paths
from trm_lab.release.recorded import Recorded
from trm_lab.runs.exported_form import STEP, WEIGHT_KIND, write_export
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.puzzle_description import KEY as PUZZLE
from trm_lab.runs.weights import EXPORTED_CONFIG, EXPORTED_WEIGHTS

CARD = "README.md"
FILES = (EXPORTED_WEIGHTS, EXPORTED_CONFIG, IDENTIFIERS_FILE, CARD)


def export_safetensors(
    folder: Path, opened: OpenedCheckpoint, record: Recorded, name: str, licence: str | None
) -> None:
    """Write the files into an existing folder; `name` and `licence` as for `model_card`."""
    write_weights(folder, opened, record)
    (folder / CARD).write_text(model_card(opened, record, name, licence), encoding="utf-8")


def write_weights(folder: Path, opened: OpenedCheckpoint, record: Recorded) -> None:
    """Write model.safetensors, config.yaml and identifiers.json into an existing folder."""
    write_export(folder, opened.weights, exported_config(opened, record), record.row_names)


def exported_config(opened: OpenedCheckpoint, record: Recorded) -> dict[str, Any]:
    """The run's resolved configuration without paths of the machine, and what the weights' folder said before."""
    facts = {STEP: opened.step, WEIGHT_KIND: record.weight_kind, SEQ_LEN: record.seq_len, **puzzle_key(opened)}
    config = _without_paths({**opened.config, "data_build": dict(record.build_commands)})
    return {**config, "arch": opened.arch.as_dict(), **facts}


def puzzle_key(opened: OpenedCheckpoint) -> dict[str, str]:
    """What an export says of the puzzles: as the checkpoint does, or else its dataset, if that is at hand."""
    puzzle = opened.described_puzzle
    return {} if puzzle is None else {PUZZLE: puzzle.encoded()}


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {_without_paths(key): _without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    return without_paths(value) if isinstance(value, str) else value
