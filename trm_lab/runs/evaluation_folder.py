"""An evaluation on disk: `evaluations/step_<n>/`, complete or not there."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import report
from trm_lab.commands.tables import table
from trm_lab.files.checksums import MANIFEST, damage, write_manifest
from trm_lab.files.folders import Kind, new_folder
from trm_lab.files.untrusted import load_json
from trm_lab.runs.arc_outputs import VotingResult, outputs_table

SCORES_FILE = "scores.json"
LARGEST_SCORES = 64 << 20  # bytes
ARRAYS = {  # file → field of an `EvaluationResults`
    "rollout_samples": "samples",
    "predictions": "outputs",
    "examples": "examples",
    "profiles": "profiles",
    "rollouts": "rollouts",
}
OUTPUTS_TABLE = "outputs.txt"  # of ARC's test outputs, to read
OPTIONAL = ("submission.json", "outputs.jsonl", OUTPUTS_TABLE, *(f"{name}.npz" for name in ARRAYS))
IN_TRAINING_NAMES = "|".join(map(re.escape, (SCORES_FILE, MANIFEST, *OPTIONAL)))
IN_TRAINING = Kind("an evaluation in training", IN_TRAINING_NAMES, lambda folder: (folder / SCORES_FILE).is_file())

COPY, ANSWER, TOKENS = "copy", "most_common_answer", "most_common_token"
BASELINES = {  # as scores.json and as a table names them; the token is that of each position
    COPY: "copy the input",
    ANSWER: "most common answer",
    TOKENS: "most common token",
}


@dataclass(frozen=True)
class EvaluationResults:
    """The results of an evaluation, to be written.

    scores: the content of scores.json.  voting: ARC votes, or None.  samples: arrays for pictures
    (names `[K]`, inputs and labels `[K, L]`, preds `[K, S, L]`).  outputs: the arrays of --save-outputs.
    examples: of a set without votes: key `[E]`, right `[E]` and, with a scorer, solved `[E]`, of the last step.
    profiles: arrays by supervision step and position, of the advantage margin.
    rollouts: of a search, what is known of each of K rollouts after each step, `[E, S, K]` by name, and question `[E]`.
    """

    scores: dict[str, Any]
    voting: VotingResult | None
    samples: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]
    examples: dict[str, NDArray[Any]] = field(default_factory=dict)
    profiles: dict[str, NDArray[Any]] = field(default_factory=dict)
    rollouts: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_evaluation(folder: Path, evaluation: EvaluationResults) -> None:
    """Write an evaluation's files into a run whose lock is held; `folder` appears when all is written.

    Raises:
        UserError: something else is there.
        OSError: the system refused.
    """
    with new_folder(folder, IN_TRAINING, overwrite=True, alone=True) as partial:
        write_results(partial, evaluation)
        write_manifest(partial)


def write_results(folder: Path, evaluation: EvaluationResults) -> None:
    """Write scores.json and, where there is something to put in, the files of `OPTIONAL` into an existing folder."""
    for name in OPTIONAL:
        (folder / name).unlink(missing_ok=True)
    (folder / SCORES_FILE).write_text(json.dumps(evaluation.scores, indent=1) + "\n", encoding="utf-8")
    if evaluation.voting is not None:
        evaluation.voting.write(folder)
        (folder / OUTPUTS_TABLE).write_text(table(outputs_table(evaluation.voting.outputs)) + "\n", encoding="utf-8")
    for name, attribute in ARRAYS.items():
        arrays = getattr(evaluation, attribute)
        if arrays:
            np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **arrays)


def read_scores(folder: Path) -> dict[str, Any] | None:
    """The scores of a finished evaluation; None where there is none, or a damaged one, which is reported."""
    problem = damage(folder)
    if problem is not None:
        print(f"{folder} is damaged: {problem}; it is made again", file=sys.stderr, flush=True)
        return None
    try:
        return dict(load_json(folder / SCORES_FILE, LARGEST_SCORES, finite=False))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):  # never made, or cut off
        return None


def report_damaged(root: Path, before: int) -> None:
    """Name the damaged evaluations under `root` of steps that a run has behind it and will not come to again."""
    for folder in sorted(root.glob("step_*")):
        number = folder.name.removeprefix("step_")
        if not number.isdecimal() or int(number) >= before:
            continue
        problem = damage(folder)
        if problem is not None:
            checkpoint = root.parent / "checkpoints" / folder.name
            report(
                f"{folder} is damaged: {problem}",
                "training goes on; its scores are in the records as well",
                f"python evaluate.py {checkpoint} --output-dir <a new folder>",
            )
