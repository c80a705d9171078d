"""Which questions an evaluation answered, from its folder, which may be a stranger's; whether several are of the same.

The one check for all that lays evaluations side by side: comparing, pooling, and the tests between runs. A row's number
says nothing of what is asked there, so what counts is the dataset's fingerprint, the split, and the chosen tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm_lab.files.untrusted import load_json
from trm_lab.runs.rollout_store import INDEX_FILE, LONGEST_INDEX

SCORES_FILE, PROVENANCE_FILE = "scores.json", "provenance.json"
LONGEST_SCORES = 16 << 20  # bytes
MOST_DATASETS = 1024
TEST = "test"  # the split of evaluations that do not name theirs
_SHOWN = 12  # characters of a fingerprint


@dataclass(frozen=True)
class Dataset:
    """What counts of a dataset that was evaluated.  name: in its own words, for messages alone."""

    name: str
    fingerprint: str
    split: str

    @property
    def title(self) -> str:
        """For messages."""
        return f"{shown(self.name, 60)} ({shown(self.split, 20)}, {shown(self.fingerprint[:_SHOWN])})"


@dataclass(frozen=True)
class Questions:
    """title: of the evaluation.  datasets: in their order; None where it does not say which they were.

    tasks, first_tasks: the chosen part; None for all.  augmentations: of each task; None for all there are.
    """

    title: str
    datasets: tuple[Dataset, ...] | None
    tasks: tuple[str, ...] | None
    first_tasks: int | None
    augmentations: int | None

    @property
    def marks(self) -> tuple[tuple[str, str], ...]:
        """Fingerprint and split of each dataset."""
        return tuple((one.fingerprint, one.split) for one in self.datasets or ())

    @property
    def selection(self) -> dict[str, Any]:
        """The chosen part, by the names of the options that chose it."""
        return {"--tasks": self.tasks, "--first-tasks": self.first_tasks, "--num-aug": self.augmentations}


def described_datasets(scores: Mapping[str, Any]) -> tuple[Dataset, ...] | None:
    """The datasets that the content of a scores.json names; None where it names none.

    Raises:
        ValueError: it names them in another form.
    """
    listed = scores.get("datasets")
    if listed is None:
        return None
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_DATASETS:
        raise ValueError("datasets is no list of datasets")
    found = []
    for one in listed:
        values = {"name": "data", "split": TEST, **one} if isinstance(one, Mapping) else {}
        texts = [values.get(key) for key in ("name", "fingerprint", "split")]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a dataset without name, fingerprint and split")
        found.append(Dataset(*map(str, texts)))
    return tuple(found)


def read_questions(folder: Path) -> Questions:
    """Which questions the evaluation in a folder answered.

    Raises:
        UserError: the folder has no readable scores.json.
    """
    file = folder / SCORES_FILE
    try:
        scores = load_json(file, LONGEST_SCORES)
        if not isinstance(scores, dict):
            raise ValueError("no mapping")
        evaluated = scores.get("evaluated") or {}
        tasks = evaluated.get("tasks")
        return Questions(
            shown(folder),
            described_datasets(scores) or _recorded(folder, scores, evaluated.get("data_paths")),
            None if tasks is None else tuple(sorted(map(str, tasks))),
            evaluated.get("first_tasks"),
            evaluated.get("augmentations"),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{shown(file)} is unreadable: {shown(error)}",
            "the folder of an evaluation, as this version writes it",
            "evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
        ) from error


def check_same_questions(several: Sequence[Questions], same_selection: bool = True) -> None:
    """Refuse evaluations that did not answer the same questions.

    same_selection: the chosen tasks and augmentations are the same as well; else only data and split.

    Raises:
        UserError: two are of different data or, if asked for, of different parts; or one does not say of which data.
    """
    first = several[0]
    for one in several:
        if one.datasets is None:
            raise UserError(
                f"{one.title} does not say which dataset it is of: it names no fingerprint",
                "evaluations of the same dataset and split, which is told by its fingerprint",
                "evaluate the checkpoint again: python evaluate.py <checkpoint> --output-dir <a new folder>",
            )
        if one.marks != first.marks:
            raise UserError(
                f"{first.title} and {one.title} answered different questions: of {_titles(first)}, and of"
                f" {_titles(one)}",
                "evaluations of the same dataset (the same fingerprint) and split",
                "evaluate both checkpoints with the same --data-path",
            )
        parts = [key for key, value in one.selection.items() if value != first.selection[key]]
        if same_selection and parts:
            raise UserError(
                f"{first.title} and {one.title} answered different questions: other {' and '.join(parts)}",
                "evaluations of one dataset and one choice of tasks and augmentations",
                f"evaluate both with the same {' and '.join(parts)}",
            )


def _titles(one: Questions) -> str:
    return " and ".join(dataset.title for dataset in (one.datasets or ())[:3])


def _recorded(folder: Path, scores: Mapping[str, Any], paths: Any) -> tuple[Dataset, ...] | None:
    """Of an evaluation of before scores named their data: from its stored answers, or its run's provenance."""
    tasks = scores.get("tasks") or []
    try:
        marks = load_json(folder / INDEX_FILE, LONGEST_INDEX)["request"]["data"]
    except FileNotFoundError:
        try:
            launch = load_json(folder.parents[1] / PROVENANCE_FILE, LONGEST_SCORES)["launches"][0]
            marks = [launch["datasets"][path] for path in paths or ()]
        except (FileNotFoundError, KeyError, IndexError):
            return None
    except KeyError:
        return None
    if not marks or not all(isinstance(mark, str) for mark in marks):
        return None
    names = (
        [str(task.get("dataset")) for task in tasks] if len(tasks) == len(marks) else ["data"] * len(marks)
    )
    return tuple(Dataset(name, mark, TEST) for name, mark in zip(names, marks, strict=True))
