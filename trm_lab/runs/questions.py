"""Which questions an evaluation answered, from its folder, which may be a stranger's; whether several are of the same.

The one check for all that lays evaluations side by side: comparing, pooling, and the tests between runs. A row's number
says nothing of what is asked there, so what counts is the dataset's fingerprint, the split, and the chosen tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from trm.errors import UserError, shown
from trm_lab.runs.evaluation_folder import SCORES_FILE
from trm_lab.runs.recorded_files import read_as, read_object, remedied, unreadable
from trm_lab.runs.rollout_store import INDEX_FILE, LONGEST_INDEX

PROVENANCE_FILE = "provenance.json"
TEST = "test"  # the split of evaluations that do not name theirs
_SHOWN = 12  # characters of a fingerprint


@dataclass(frozen=True)
class Dataset:
    """Identity of a dataset that was evaluated.  name: its own, for messages alone."""

    fingerprint: str
    split: str = TEST
    name: str = "data"

    @property
    def title(self) -> str:
        """For messages."""
        return f"{shown(self.name, 60)} ({shown(self.split, 20)}, {shown(self.fingerprint[:_SHOWN])})"


@dataclass(frozen=True)
class Questions:
    """The questions that an evaluation answered.

    title: of the evaluation.  datasets: in their order; None where it does not say which they were.
    tasks, first_tasks: the chosen part; None for all.  augmentations: of each task; None for all there are.
    sampled: at most so many examples were drawn from these; None for all.
    data_paths: of the datasets when they were evaluated.  confidence_kind: what the answers' confidences are.
    """

    title: str
    datasets: list[Dataset] | None = None
    tasks: Annotated[list[str] | None, "evaluated.tasks"] = None
    first_tasks: Annotated[int | None, "evaluated.first_tasks"] = None
    augmentations: Annotated[int | None, "evaluated.augmentations"] = None
    sampled: Annotated[int | None, "part.sampled"] = None
    data_paths: Annotated[list[str], "evaluated.data_paths"] = field(default_factory=list)
    confidence_kind: str = ""

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Fingerprint and split of each dataset."""
        return [(dataset.fingerprint, dataset.split) for dataset in self.datasets or ()]

    @property
    def selection(self) -> dict[str, Any]:
        """The chosen part, by the names of the options that chose it."""
        tasks = None if self.tasks is None else sorted(self.tasks)
        choices = {"--tasks": tasks, "--first-tasks": self.first_tasks, "--num-aug": self.augmentations}
        return choices | {"--examples": self.sampled}


def read_questions(folder: Path) -> Questions:
    """Which questions the evaluation in a folder answered.

    Raises:
        UserError: the folder has no readable scores.json.
    """
    file = folder / SCORES_FILE
    with remedied("evaluate again: python evaluate.py <checkpoint> --output-dir <folder>"):
        try:
            scores = read_object(file)
        except OSError as error:
            raise unreadable(f"{shown(file)}: {error.strerror}") from None
        questions = read_as(Questions, scores, shown(file), title=shown(folder))
        return questions if questions.datasets else replace(questions, datasets=_recorded(folder, scores))


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


def _recorded(folder: Path, scores: dict[str, Any]) -> list[Dataset] | None:
    """The datasets of an older evaluation, which names none: from its stored answers, or its run's provenance."""
    try:
        if (folder / INDEX_FILE).exists():
            fingerprints = read_object(folder / INDEX_FILE, LONGEST_INDEX)["request"]["data"]
        else:
            launch = read_object(folder.parents[1] / PROVENANCE_FILE)["launches"][0]
            fingerprints = [launch["datasets"][path] for path in scores["evaluated"]["data_paths"]]
        names = [str(task.get("dataset")) for task in scores.get("tasks") or []]
    except (OSError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if not fingerprints or not all(isinstance(fingerprint, str) for fingerprint in fingerprints):
        return None
    names = names if len(names) == len(fingerprints) else ["data"] * len(fingerprints)
    return [Dataset(fingerprint, name=name) for fingerprint, name in zip(fingerprints, names, strict=True)]
