"""An evaluation on disk: `evaluations/step_<n>/`, complete or not there."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from trm.checksums import damage, write_manifest
from trm.errors import report
from trm.evaluation.evaluate import Evaluation

SCORES_FILE = "scores.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write scores.json, submission.json, outputs.jsonl, rollout_samples.npz and predictions.npz.

    The last four only where there is something to put in them; manifest.json has their checksums. `folder` appears
    when all is written.
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
    write_manifest(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def read_scores(folder: Path) -> dict[str, Any] | None:
    """The scores of a finished evaluation; None where there is none, or a damaged one, which is said."""
    wrong = damage(folder)
    if wrong is not None:
        print(f"{folder} is damaged: {wrong}; it is made again", file=sys.stderr, flush=True)
        return None
    try:
        return json.loads((folder / SCORES_FILE).read_bytes())
    except (FileNotFoundError, ValueError):  # never made, or cut off by a power failure: made again
        return None


def report_damaged(root: Path, before: int) -> None:
    """Name the damaged evaluations under `root` of steps that a run has behind it and will not come to again."""
    for folder in sorted(root.glob("step_*")):
        number = folder.name.removeprefix("step_")
        if not number.isdecimal() or int(number) >= before:
            continue
        wrong = damage(folder)
        if wrong is not None:
            checkpoint = root.parent / "checkpoints" / folder.name
            report(
                f"{folder} is damaged: {wrong}",
                "training goes on; its scores are in the records as well",
                f"python evaluate.py {checkpoint} --output-dir <a new folder>",
            )
