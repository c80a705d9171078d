"""What each task or example of an evaluation scored, read from its folder, which may be a stranger's.

E examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.checksums import LONGEST, MANIFEST, digest
from trm_lab.files.untrusted import check_regular, load_json
from trm_lab.files.untrusted_arrays import load_arrays
from trm_lab.runs.arc_outputs import ATTEMPTS, OutputRecord, read_outputs

OUTPUTS_FILE = "outputs.jsonl"  # ARC: one line for each test output
EXAMPLES_FILE = (
    "examples.npz"  # others: key, right, question (a digest) `[E]`; and solved `[E]` where a scorer judged
)

METRICS = {
    "right": "whole answer right",
    "solved": "solved, by the dataset's own scorer",
    "task": f"share of a task's outputs right in {ATTEMPTS} attempts",
}
LARGEST_OUTPUTS = 16 << 20  # bytes; a test output takes about 200
LARGEST_EXAMPLES = 32 << 20  # bytes, packed
LARGEST_ARRAY = 128 << 20  # bytes, unpacked
MOST_EXAMPLES = 1 << 21
_SHOWN_KEY = 60  # characters


@dataclass(frozen=True)
class ScoredItems:
    """Scores in 0..1 of the tasks or examples of one evaluation, by their keys.

    title: what it is called beside another one.  metric: what the scores are; only equal ones are compared.
    questions: a digest of what each key asks; None where its key tells it, or the file is of before there were any.
    """

    title: str
    metric: str
    scores: Mapping[str, float]
    questions: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        for key, score in self.scores.items():
            if not (isfinite(score) and 0 <= score <= 1):
                raise ValueError(f"{self.title}: {shown(key, _SHOWN_KEY)} scores {score}, not within 0..1")


def read_items(folder: Path) -> ScoredItems:
    """The scores of each task (ARC) or example in an evaluation's folder; examples as the dataset's scorer judged them.

    Raises:
        UserError: the folder holds neither outputs.jsonl nor examples.npz, or one that is damaged or not of their form.
    """
    for name in (OUTPUTS_FILE, EXAMPLES_FILE):
        if not (folder / name).is_file():
            continue
        _check_unchanged(folder / name)
        if name == OUTPUTS_FILE:
            return ScoredItems(shown(folder), METRICS["task"], _of_tasks(folder / name))
        metric, scores, questions = _of_examples(folder / name)
        return ScoredItems(shown(folder), METRICS[metric], scores, questions)
    state = f"holds neither {OUTPUTS_FILE} nor {EXAMPLES_FILE}" if folder.is_dir() else "is no folder"
    raise UserError(
        f"{shown(folder)} {state}",
        f"the folder of an evaluation, with {OUTPUTS_FILE} (ARC) or {EXAMPLES_FILE} (other datasets)",
        "give <run>/evaluations/step_<n>, or evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
    )


def _of_tasks(file: Path) -> dict[str, float]:
    try:
        check_regular(file, LARGEST_OUTPUTS)
        outputs = read_outputs(file)
    except KeyError as missing:
        raise _unreadable(file, f"a line has no key {missing}") from None
    except (TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(file, f"a line is no record ({type(error).__name__})") from None
    except (OSError, ValueError) as error:
        raise _unreadable(file, str(error)) from None
    right: dict[str, list[bool]] = {}
    for number, output in enumerate(outputs, start=1):
        if not _is_record(output):
            raise _unreadable(file, f"line {number} is no record of a test output")
        if output.known:
            right.setdefault(output.task, []).append(output.correct_at(ATTEMPTS))
    if not right:
        raise _unreadable(file, "it has no test output whose answer is known")
    return {task: sum(of_task) / len(of_task) for task, of_task in right.items()}


def _is_record(output: OutputRecord) -> bool:
    ranked = output.rank is None or (type(output.rank) is int and output.rank >= 1)
    return isinstance(output.task, str) and isinstance(output.known, bool) and ranked


def _of_examples(file: Path) -> tuple[str, dict[str, float], dict[str, int] | None]:
    """(metric, scores, questions), the last two by key."""
    kinds = {"key": "U", "right": "b", "solved": "b", "question": "u"}
    try:
        arrays = load_arrays(file, kinds, LARGEST_EXAMPLES, LARGEST_ARRAY)
        missing = [name for name in ("key", "right") if name not in arrays]
        if missing:
            raise ValueError(f"it has no array {' and '.join(missing)}")
        metric = "solved" if "solved" in arrays else "right"
        keys, right = arrays["key"], arrays[metric]
        if not (keys.ndim == right.ndim == 1 and 0 < len(keys) == len(right) <= MOST_EXAMPLES):
            raise ValueError(
                f"keys {keys.shape} and scores {right.shape}: want one each for 1 to {MOST_EXAMPLES:,}"
            )
        scores = dict(zip(keys.tolist(), _zeros_and_ones(right), strict=True))
        questions = arrays.get("question")
        if questions is not None and questions.shape != keys.shape:
            raise ValueError(f"keys {keys.shape} and questions {questions.shape}: want one each")
    except (OSError, ValueError) as error:
        raise _unreadable(file, str(error)) from None
    if len(scores) < len(keys):
        raise _unreadable(file, f"{len(keys) - len(scores):,} of its keys are given twice")
    return (
        metric,
        scores,
        None if questions is None else dict(zip(keys.tolist(), questions.tolist(), strict=True)),
    )


def _zeros_and_ones(truths: NDArray[np.bool_]) -> list[float]:
    """Truths as numbers; a byte in their place that is neither is a ValueError."""
    numbers = truths.view(np.uint8)
    if numbers.max() > 1:
        raise ValueError("truths that are neither true nor false")
    return numbers.astype(np.float64).tolist()


def _check_unchanged(file: Path) -> None:
    """Refuse a file that is not as the manifest beside it says; one that none lists is taken as it is."""
    try:
        content: Any = load_json(file.parent / MANIFEST, LONGEST)
        listed = content["files"].get(file.name)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _unreadable(file.parent / MANIFEST, "it is no list of files") from None
    if listed is not None and listed != digest(file):
        raise _unreadable(file, "it differs from its checksum")


def _unreadable(file: Path, problem: str) -> UserError:
    return UserError(
        f"{shown(file)}: {shown(problem)}",
        "the files as this version's evaluation writes them",
        "evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
    )
