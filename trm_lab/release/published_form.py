"""Weights in the form that the published code loads: `step_<n>` beside its `all_config.yaml` (docs/formats.md)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trm.errors import UserError, shown
from trm_lab.runs.exported_form import write_config, write_names
from trm_lab.runs.published_pickle import PREFIX
from trm_lab.runs.weights import PUBLISHED_CONFIG, PUBLISHED_NAMES


def export_published(
    folder: Path,
    step: int,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    row_names: Sequence[str] | None = None,
) -> Path:
    """Write `step_<n>` and `all_config.yaml` in the published form; returns the weights' file.

    config: of the run, with `arch` in our keys.
    row_names: see `write_names`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"step_{step}"
    _save(file, {PREFIX + name: weights[name].clone() for name in sorted(weights)})  # read in any order
    arch = dict(config["arch"])  # `supervision` stays: theirs ignore it
    loss_type = arch.pop("loss_type")
    recursion = arch.setdefault("recursion", "trm")
    if recursion not in PUBLISHED_NAMES:
        raise UserError(
            f"the published form with arch.recursion={shown(recursion)}, which the published code does not have",
            " | ".join(PUBLISHED_NAMES),
            "python export.py … --to hub, which writes any of them",
        )
    arch = {"H_layers": 0, **arch, "name": PUBLISHED_NAMES[recursion]}
    arch["loss"] = {"name": "losses@ACTLossHead", "loss_type": loss_type}
    evaluators = [{"name": "arc@ARC"} for _ in config.get("evaluators") or []]
    published = {**config, "arch": arch, "evaluators": evaluators, "step": step}  # theirs ignore the last
    write_config(folder / PUBLISHED_CONFIG, published)
    write_names(folder, row_names)
    return file


def _save(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """torch.save, whose complaint about a file that it could not end hides what the system refused."""
    try:
        with file.open("wb") as stream:
            torch.save(dict(tensors), stream)
    except (OSError, RuntimeError) as error:
        refusal = error if isinstance(error, OSError) else error.__context__
        if not isinstance(refusal, OSError):
            raise
        raise OSError(refusal.errno, refusal.strerror, str(file)) from error
