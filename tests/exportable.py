"""A small run directory with everything that an export tells of, made without training."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dis_trm.supervision import DISSupervision
from tests.models import dis
from trm.supervision import Supervision
from trm_lab.configuration.architecture import Architecture
from trm_lab.files.checksums import sealed, write_manifest
from trm_lab.runs import checkpoints
from trm_lab.runs.arc_outputs import OutputRecord, VotingResult
from trm_lab.runs.identifier_names import encoded
from trm_lab.runs.training_state import TrainingState

STEP = 12
_TASK = {"dataset": "arc", "version": 2, "protocol": "published", "facts": {}, "scorer": "", "examples": 8}
SCORES: dict[str, Any] = {
    "examples": 8,
    "network_calls_per_answer": 18,
    "per_step": {"cell_accuracy": [0.25, 0.5], "exact_accuracy": [0.0, 0.25], "network_calls": [9, 18]},
    "tasks": [_TASK | {"verdicts": {"valid": 6}, "solved_per_step": []}],
    "copy": {"cell_accuracy": 0.5, "exact_accuracy": 0.0, "scores": {"ARC/pass@1": 0.0}, "counts": {}},
    "examples_per_second": 2.5,
    "method": "dis",
    "scores": {"ARC/pass@1": 0.25, "ARC/pass@2": 0.75, "ARC/prize_score": 0.5},
    "counts": {"tasks": 2, "outputs": 4, "outputs_correct@1": 1, "outputs_correct@2": 2},
    "votes_ranked_by": "count",
    "seed": 3,
    "step": STEP,
}
RANKS = [("a", 1), ("b", 2), ("b", None)]


def random_dis(seed: int = 0) -> DISSupervision:
    """A small model whose puzzle embedding is no longer at zero."""
    made = dis()
    assert made.model.puzzle_emb is not None
    made.model.puzzle_emb.weights.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def arch_of(supervision: Supervision[Any], name: str = "dis") -> dict[str, Any]:
    return Architecture(name, supervision.model.config, supervision.config).as_dict()  # type: ignore[attr-defined]


def write_run(
    folder: Path,
    supervision: Supervision[Any],
    name: str = "dis",
    ema: bool = False,
    row_names: Sequence[str] | None = None,
) -> Path:
    """A run of `supervision` with one checkpoint, an evaluation of it, and its provenance.

    ema: keep averaged weights too, which are the others plus one.
    row_names: of the puzzle embedding, which the checkpoint then tells.
    """
    data = str(folder.parent / "data" / "arc-small")
    config: dict[str, Any] = {
        "arch": arch_of(supervision, name),
        "data_paths": [data],
        "data_paths_test": [],
        "evaluators": ["arc"],
        "global_batch_size": 4,
        "seed": 3,
        "ema": ema,
        "checkpoint_path": str(folder),
        "data_build": {data: f"python -m data.build_arc_dataset --output-dir {data}"},
    }
    folder.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    model = supervision.model
    averaged = {k: v.detach() + 1 for k, v in model.named_parameters()} if ema else {}
    carry = {"inputs": torch.zeros(4, model.shape.seq_len, dtype=torch.int32)}
    names = None if row_names is None else encoded(row_names)
    state = {"step": STEP, "data": {}, "records_bytes": 0, "config": config}
    content = TrainingState(model.state_dict(), averaged, {}, carry, state)
    checkpoints.save(folder / f"checkpoints/step_{STEP}", content, keep=False, names=names)
    write_evaluation(folder / f"evaluations/step_{STEP}")
    launch = {
        "time": "2025-11-20T10:00:00+0000",
        "command": ["pretrain.py", f"++data_paths=[{data}]", f"++checkpoint_path={folder}"],
        "git": {"commit": "c0ffee", "dirty": True},
        "python": "3.11.7",
        "packages": {"torch": "2.13.0", "adam-atan2": None},
        "device": "cpu",
        "ranks": 2,
        "datasets": {data: "f1" * 32},
    }
    write_launches(folder, [launch, launch])
    return folder


def write_launches(run: Path, launches: list[dict[str, Any]]) -> None:
    """The provenance of a run."""
    (run / "provenance.json").write_text(json.dumps(sealed({"launches": launches})))


def write_evaluation(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps({**SCORES, **changes}))
    outputs = [OutputRecord(task, 0, True, rank, 9, 2, 6, 0.5) for task, rank in RANKS]
    VotingResult({}, {}, {}, outputs).write(folder)
    write_manifest(folder)
    return folder
