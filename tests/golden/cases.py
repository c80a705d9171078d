"""The recorded cases of GOLDEN_DIR, replayed with our model: any file that holds a `config` is a rollout.

GOLDEN_DIR is tests/fixtures/golden, or the folder that the environment's variable of this name holds.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dis_trm.supervision import DISConfig, DISSupervision
from trm.act import ACTConfig, ACTSupervision
from trm.batch import Batch
from trm.metrics import Metric
from trm.model import PuzzleShape, TinyRecursiveModel, TRMConfig

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR") or Path(__file__).parents[1] / "fixtures" / "golden")
PREFIX = "model.inner."
RECURSIONS = {"trm_singlez": "single_z", "trm_hier6": "six_z", "hrm": "hrm", "transformers_baseline": "none"}  # by mode


@cache
def load(path: Path) -> Mapping[str, np.ndarray]:
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


def rollouts() -> list[str]:
    return sorted(p.stem for p in GOLDEN_DIR.glob("*.npz") if "config" in load(p))


class Case:
    """One recorded rollout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.recorded = load(GOLDEN_DIR / f"{name}.npz")
        self.settings: dict[str, Any] = json.loads(str(self.recorded["config"]))

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.recorded[key]))

    def under(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): self[k] for k in self.recorded if k.startswith(prefix)}

    def batch(self, prefix: str) -> Batch:
        return Batch(*(self[f"{prefix}/{k}"] for k in ("inputs", "labels", "puzzle_identifiers")))

    @property
    def is_dis(self) -> bool:
        return self.settings["mode"] == "dis"

    @property
    def tolerance(self) -> float:
        """Relative, of logits and losses in float64."""
        return 1e-7 if self.settings.get("mlp_t") else 1e-9

    @property
    def recursion(self) -> str:
        return RECURSIONS.get(self.settings["mode"], "trm")

    @property
    def float32_tolerance(self) -> float:
        """Relative, of a first step in float32."""
        of_recursion = {"hrm": 2e-5, "none": 2e-5, "single_z": 5e-5, "six_z": 1e-4}
        return of_recursion.get(self.recursion, 2e-5 if self.settings.get("mlp_t") else 1e-5)

    def supervision(self, forward_dtype: str = "float64") -> ACTSupervision | DISSupervision:
        """The recorded architecture with the recorded initial weights, in `forward_dtype` throughout."""
        s = self.settings
        keys = ["hidden_size", "num_heads", "expansion", "L_layers", "H_cycles", "L_cycles", "pos_encodings"]
        keys += ["mlp_t", "puzzle_emb_ndim", "puzzle_emb_len"]
        recursion = self.recursion
        network = TRMConfig(
            **{"puzzle_emb_len": 0, **{key: s[key] for key in keys if key in s}},
            recursion=recursion,
            H_layers=s["H_layers"] if recursion in ("hrm", "none") else 0,
            forward_dtype=forward_dtype,
        )
        shape = PuzzleShape(s["seq_len"], s["vocab_size"], s["num_puzzle_identifiers"])
        made: ACTSupervision | DISSupervision
        if self.is_dis:
            dis = DISConfig(halt_max_steps=s["halt_max_steps"], loss_type=s["loss_type"])
            made = DISSupervision(TinyRecursiveModel(network, shape, DISSupervision.step_rows(dis)), dis)
        else:
            act = ACTConfig(
                halt_max_steps=s["halt_max_steps"],
                halt_exploration_prob=s["halt_exploration_prob"],
                no_ACT_continue=s.get("no_ACT_continue", recursion != "hrm"),
                halts_above_continue=recursion == "none",
                loss_type=s["loss_type"],
            )
            made = ACTSupervision(TinyRecursiveModel(network, shape), act)
        made.model.load_state_dict(self.under(f"init/{PREFIX}"))
        made.model.to(network.dtype)
        return made


class RecordedRandom:
    """Hands out the recorded target scores; exploration is off in all recorded cases."""

    def __init__(self, scores: Tensor | None, slots: int) -> None:
        self.scores, self.slots = scores, slots

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        if purpose == "target scores":
            if self.scores is None:
                return torch.zeros(self.slots, *shape)
            return self.scores
        return torch.ones(self.slots, *shape) * 0.999


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference relative to the largest recorded value."""
    ours, theirs = ours.detach().double().cpu(), theirs.double()
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30))


def metric_total(metrics: Mapping[str, Metric], name: str) -> float:
    """What the published code calls a metric: a sum over the slots; `count`, the number of finished examples."""
    return float(metrics["accuracy"].count if name == "count" else metrics[name].total)
