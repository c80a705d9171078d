"""An evaluation on disk: `evaluations/step_<n>/`, complete or not there."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from trm.evaluation.evaluate import Evaluation

SCORES_FILE = "scores.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write scores.json, submission.json, outputs.jsonl, rollout_samples.npz and predictions.npz.

    The last four only where there is something to put in them. `folder` appears when all is written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / SCORES_FILE).write_text(json.dumps(evaluation.scores, indent=1) + "\n")
    if evaluation.voting is not None:
        evaluation.voting.write(partial)
    if evaluation.samples:
        np.savez_compressed(partial / "rollout_samples.npz", allow_pickle=False, **evaluation.samples)
    if evaluation.outputs:
        np.savez_compressed(partial / "predictions.npz", allow_pickle=False, **evaluation.outputs)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def read_scores(folder: Path) -> dict[str, Any] | None:
    """The scores of a finished evaluation, or None."""
    file = folder / SCORES_FILE
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # never made, or cut off by a power failure: made again
        return None
