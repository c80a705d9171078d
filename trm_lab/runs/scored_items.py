"""The score of each task or example of an evaluation, read from its folder, which may be a stranger's.

E examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.checksums import LONGEST, MANIFEST, digest
from trm_lab.files.untrusted import load_json
from trm_lab.files.untrusted_arrays import load_arrays
from trm_lab.runs.arc_outputs import ATTEMPTS, read_outputs, shares_by_task
from trm_lab.runs.recorded_files import remedied, unreadable

OUTPUTS_FILE = "outputs.jsonl"  # ARC: one line for each test output
EXAMPLES_FILE = "examples.npz"
"""Others: key, right, question (a digest), solved where a scorer judged, question_in_training where known, `[E]`."""

METRICS = {
    "right": "exact match",
    "solved": "solved, by the dataset's own scorer",
    "task": f"share of a task's outputs right in {ATTEMPTS} attempts",
}
LARGEST_EXAMPLES = 32 << 20  # bytes, packed
LARGEST_ARRAY = 128 << 20  # bytes, unpacked
MOST_EXAMPLES = 1 << 21
_SHOWN_KEY = 60  # characters


@dataclass(frozen=True)
class ScoredItems:
    """Scores in 0..1 of the tasks or examples of one evaluation, by their keys.

    title: what it is called beside another one.  metric: what the scores are; only equal ones are compared.
    questions: a digest of what each key asks; None where its key tells it, or the file is of before there were any.
    in_training: the keys whose question stands in training; None where that is not recorded.
    """

    title: str
    metric: str
    scores: Mapping[str, float]
    questions: Mapping[str, int] | None = None
    in_training: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for key, score in self.scores.items():
            if not (isfinite(score) and 0 <= score <= 1):
                raise ValueError(f"{self.title}: {shown(key, _SHOWN_KEY)} scores {score}, not within 0..1")


def has_items(folder: Path) -> bool:
    """Whether an evaluation's folder has a score of each task or example."""
    return any((folder / name).is_file() for name in (OUTPUTS_FILE, EXAMPLES_FILE))


def read_items(folder: Path, exact: bool = False) -> ScoredItems:
    """The scores of each task (ARC) or example in an evaluation's folder; examples as the dataset's scorer judged them.

    exact: examples by the label alone, whatever their scorer says.

    Raises:
        UserError: the folder holds neither outputs.jsonl nor examples.npz, or one that is damaged or not of their form.
    """
    with remedied("evaluate again: python evaluate.py <checkpoint> --output-dir <folder>"):
        if (folder / OUTPUTS_FILE).is_file():
            _check_unchanged(folder / OUTPUTS_FILE)
            return ScoredItems(shown(folder), METRICS["task"], _of_tasks(folder / OUTPUTS_FILE))
        if (folder / EXAMPLES_FILE).is_file():
            _check_unchanged(folder / EXAMPLES_FILE)
            return _of_examples(folder, exact)
    state = f"holds neither {OUTPUTS_FILE} nor {EXAMPLES_FILE}" if folder.is_dir() else "is no folder"
    raise UserError(
        f"{shown(folder)} {state}",
        f"the folder of an evaluation, with {OUTPUTS_FILE} (ARC) or {EXAMPLES_FILE} (other datasets)",
        "give <run>/evaluations/step_<n>, or evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
    )


def _of_tasks(file: Path) -> dict[str, float]:
    shares = shares_by_task(read_outputs(file), ATTEMPTS)
    if not shares:
        raise unreadable(f"{shown(file)}: it has no test output whose answer is known")
    return shares


def _of_examples(folder: Path, exact: bool) -> ScoredItems:
    file = folder / EXAMPLES_FILE
    kinds = {"key": "U", "right": "b", "solved": "b", "question": "u", "question_in_training": "b"}
    try:
        arrays = load_arrays(file, kinds, LARGEST_EXAMPLES, LARGEST_ARRAY)
        missing = [name for name in ("key", "right") if name not in arrays]
        if missing:
            raise ValueError(f"it has no array {' and '.join(missing)}")
        metric = "solved" if "solved" in arrays and not exact else "right"
        keys, right, questions = arrays["key"], arrays[metric], arrays.get("question")
        if not (keys.ndim == right.ndim == 1 and 0 < len(keys) == len(right) <= MOST_EXAMPLES):
            raise ValueError(f"keys {keys.shape} and scores {right.shape}: want one each for 1 to {MOST_EXAMPLES:,}")
        standing = arrays.get("question_in_training")
        if any(column is not None and column.shape != keys.shape for column in (questions, standing)):
            raise ValueError(f"keys {keys.shape} and questions of another shape: want one each")
        names = keys.tolist()
        if len(set(names)) < len(names):
            raise ValueError(f"{len(names) - len(set(names)):,} of its keys are given twice")
        scores = dict(zip(names, _zeros_and_ones(right), strict=True))
        in_training = None if standing is None else frozenset(keys[np.array(_zeros_and_ones(standing)) > 0].tolist())
    except (OSError, ValueError) as error:
        raise unreadable(f"{shown(file)}: {shown(error)}") from None
    question_digests = None if questions is None else dict(zip(names, questions.tolist(), strict=True))
    return ScoredItems(shown(folder), METRICS[metric], scores, question_digests, in_training)


def _zeros_and_ones(truths: NDArray[np.bool_]) -> list[float]:
    """Truths as numbers; a byte in their place that is neither is a ValueError."""
    numbers = truths.view(np.uint8)
    if numbers.max() > 1:
        raise ValueError("truths that are neither true nor false")
    return numbers.astype(np.float64).tolist()


def _check_unchanged(file: Path) -> None:
    """Refuse a file that is not as the manifest beside it says; one that none lists is taken as it is."""
    manifest = file.parent / MANIFEST
    try:
        listed = load_json(manifest, LONGEST)["files"].get(file.name)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise unreadable(f"{shown(manifest)}: it is no list of files") from None
    if listed is not None and listed != digest(file):
        raise unreadable(f"{shown(file)}: it differs from its checksum")
