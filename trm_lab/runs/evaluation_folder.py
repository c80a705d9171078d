"""An evaluation on disk: `evaluations/step_<n>/`, complete or not there."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from trm.errors import report
from trm_lab.commands.tables import table
from trm_lab.evaluation.arc_metrics import outputs_table
from trm_lab.evaluation.evaluator import Evaluation
from trm_lab.files.checksums import MANIFEST, damage, write_manifest
from trm_lab.files.folders import Kind, new_folder
from trm_lab.files.untrusted import load_json

SCORES_FILE = "scores.json"
LARGEST_SCORES = 64 << 20  # bytes
ARRAYS = {  # file → field of an `Evaluation`
    "rollout_samples": "samples",
    "predictions": "outputs",
    "examples": "examples",
    "profiles": "profiles",
}


OUTPUTS_TABLE = "outputs.txt"  # of ARC's test outputs, to read
OPTIONAL = ("submission.json", "outputs.jsonl", OUTPUTS_TABLE, *(f"{name}.npz" for name in ARRAYS))


IN_TRAINING_NAMES = "|".join(map(re.escape, (SCORES_FILE, MANIFEST, *OPTIONAL)))
IN_TRAINING = Kind(
    "an evaluation in training", IN_TRAINING_NAMES, lambda folder: (folder / SCORES_FILE).is_file()
)


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write an evaluation's files into a run whose lock is held; `folder` appears when all is written.

    Raises:
        UserError: something else is there.
        OSError: the system refused.
    """
    with new_folder(folder, IN_TRAINING, overwrite=True, alone=True) as partial:
        write_results(partial, evaluation)
        write_manifest(partial)


def write_results(folder: Path, evaluation: Evaluation) -> None:
    """Write scores.json and, where there is something to put in, the files of `OPTIONAL` into an existing folder."""
    for name in OPTIONAL:
        (folder / name).unlink(missing_ok=True)
    (folder / SCORES_FILE).write_text(json.dumps(evaluation.scores, indent=1) + "\n", encoding="utf-8")
    if evaluation.voting is not None:
        evaluation.voting.write(folder)
        (folder / OUTPUTS_TABLE).write_text(
            table(outputs_table(evaluation.voting.outputs)) + "\n", encoding="utf-8"
        )
    for name, field in ARRAYS.items():
        arrays = getattr(evaluation, field)
        if arrays:
            np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **arrays)


def read_scores(folder: Path) -> dict[str, Any] | None:
    """The scores of a finished evaluation; None where there is none, or a damaged one, which is said."""
    wrong = damage(folder)
    if wrong is not None:
        print(f"{folder} is damaged: {wrong}; it is made again", file=sys.stderr, flush=True)
        return None
    try:
        return dict(load_json(folder / SCORES_FILE, LARGEST_SCORES, finite=False))
    except (
        FileNotFoundError,
        NotADirectoryError,
        ValueError,
        TypeError,
    ):  # never made, or cut off: made again
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
