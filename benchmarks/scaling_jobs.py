"""The runs whose scaling is modelled, and what a slot of theirs takes, measured on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.scaling_model import Job
from benchmarks.scaling_ranks import Trial

ARC_1 = 876_406  # puzzles of ARC-1 with 1000 augmentations, as published
SLOT_BATCHES = (1, 2)
MODELLED_RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
BFLOAT16 = ("arch.forward_dtype=bfloat16", "compile=off")


@dataclass(frozen=True)
class Modelled:
    """A published run.

    settings: as one process with few slots and puzzles.  slot_trial: what of that kind is measured for the activations;
    another run's are scaled by tokens and passes with gradient (attention keeps no scores).
    """

    settings: Trial
    puzzles: int
    batch: int
    slot_trial: Trial

    @property
    def name(self) -> str:
        """With its batch."""
        return f"{self.settings.name}, batch {self.batch}"

    def job(self) -> Job:
        """As published."""
        return _job(replace(self.settings, name=self.name, puzzles=self.puzzles, batch=self.batch))


@cache
def _job(trial: Trial) -> Job:
    return trial.job()


def _one(name: str, entry: str, settings: str, grid: int) -> Trial:
    words = (*settings.split(), *BFLOAT16)
    return Trial(name, entry, words, grid, 1000, 1, 1, steps=1, checkpoint=False)


DIS_ARC = _one("DIS-compact, ARC-1", "train_arc_tiny_corrupt", "arch=dis", 900)
TRM_ARC = _one("TRM 7M, ARC-1", "cfg_pretrain", "arch=trm arch.L_cycles=4 ema=True", 900)
TRM_ONE_CYCLE = _one(  # cycles without gradient keep nothing
    "TRM 7M of one cycle, ARC-1", "cfg_pretrain", "arch=trm arch.H_cycles=1 arch.L_cycles=4 ema=True", 900
)
TRM_SUDOKU = _one("TRM 7M, Sudoku", "cfg_pretrain", "arch=trm ema=True", 81)
JOBS = (
    Modelled(DIS_ARC, ARC_1, 512, DIS_ARC),
    Modelled(TRM_ARC, ARC_1, 768, TRM_ONE_CYCLE),
    Modelled(TRM_ARC, ARC_1, 4608, TRM_ONE_CYCLE),
    # of a short sequence few slots tell little beside what the weights take
    Modelled(TRM_SUDOKU, 1, 18_432, TRM_ONE_CYCLE),
)


def activation_bytes(report: Mapping[str, Any], modelled: Modelled) -> float:
    """Bytes that a step takes for each slot besides what the slot keeps, of the measured processes."""
    peaks = {
        result["trial"]["batch"]: result["ranks"][0]["memory"]
        for result in report["results"]
        if result["trial"]["name"] == modelled.slot_trial.name
    }
    few, many = SLOT_BATCHES
    measured, wanted = _job(modelled.slot_trial), modelled.job()
    each = (peaks[many] - peaks[few]) / (many - few) - measured.slot_bytes
    return each * _gradient_tokens(wanted) / _gradient_tokens(measured)


def _gradient_tokens(job: Job) -> int:
    return job.tokens * job.gradient_calls
