"""The evaluation whose scores a model card shows: of which data it is, and how it was asked.

Nothing is guessed: what is not there, or damaged, is left out. A run directory may be a stranger's.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from trm.errors import UserError, report, shown
from trm_lab.files.checksums import damage
from trm_lab.files.folders import is_temporary
from trm_lab.files.untrusted import load_json
from trm_lab.runs.arc_outputs import OutputRecord, read_outputs
from trm_lab.runs.evaluation_folder import LARGEST_SCORES, SCORES_FILE
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_files import read_as
from trm_lab.runs.scored_items import OUTPUTS_FILE

EVALUATIONS = ("evaluations", "scored")  # of a run
# Settings that leave an evaluation as it is, see `trm_lab.evaluation.score.described`.
USUAL: dict[str, tuple[Any, ...]] = {
    "tasks": (None,),
    "first_tasks": (None,),
    "augmentations": (None,),
    "supervision_steps": (None,),
    "identifiers": (None, "correct"),
    "confidence": (None, "answer"),
    "search": (None,),
}


@dataclass(frozen=True)
class ScoredData:
    """A dataset as scores.json names it: what counts is its fingerprint; the folder is where it lay."""

    name: str = ""
    version: int | None = None
    protocol: str | None = None
    split: str | None = None
    fingerprint: str | None = None
    path: str = ""

    @property
    def folder(self) -> str:
        """The name of the folder that it lay in."""
        return Path(self.path).name

    @property
    def title(self) -> str:
        """The dataset's own name, or its folder's."""
        return self.name or self.folder or "a dataset without a name"


@dataclass(frozen=True)
class RecordedScores:
    """An evaluation, the datasets that it names, its settings (in training none), and its ARC outputs."""

    evaluation: Evaluation
    named_datasets: Annotated[list[ScoredData] | None, "datasets"] = None
    settings: Annotated[dict[str, Any], "evaluated"] = field(default_factory=dict)
    outputs: list[OutputRecord] = field(default_factory=list)

    @classmethod
    def from_record(cls, record: Any, outputs: list[OutputRecord], source: str) -> "RecordedScores":
        """Read the contents of a scores.json; `source` names it in errors.

        Raises:
            UserError: it is none.
        """
        evaluation = Evaluation.from_record(record, source)
        return read_as(cls, record, source, evaluation=evaluation, outputs=outputs)

    @property
    def unusual_settings(self) -> dict[str, Any]:
        """Settings that an evaluation does not have by default."""
        part = {"part": self.evaluation.part.title} if self.evaluation.part is not None else {}
        return part | {key: self.settings[key] for key, usual in USUAL.items() if self.settings.get(key) not in usual}

    @property
    def datasets(self) -> list[ScoredData]:
        """The datasets that were scored; of an older evaluation by its tasks and the paths in its settings."""
        if self.named_datasets:
            return self.named_datasets
        paths, tasks = self.settings.get("data_paths"), self.evaluation.tasks
        places = [ScoredData(path=str(path)) for path in paths] if isinstance(paths, list) else []
        if places and len(places) != len(tasks):
            return places
        names = [ScoredData(task.dataset, task.version, task.protocol) for task in tasks]
        return [replace(name, path=place.path) for name, place in zip(names, places or names, strict=True)]


def is_of_own_data(scores: RecordedScores, opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an evaluation is of the data that its run is tested on: by fingerprints; by folders where these lack."""
    tested = scores.datasets
    fingerprints = launches[-1].get("datasets") if launches else None
    own = [fingerprints.get(path) if isinstance(fingerprints, dict) else None for path in opened.data_paths]
    if all(own) and all(data.fingerprint for data in tested):
        return not tested or {data.fingerprint for data in tested} == set(own)
    folders = [data.folder for data in tested if data.folder]  # an evaluation in training named none
    return not folders or folders == [Path(path).name for path in opened.data_paths]


def newest_scores(
    run: Path, opened: OpenedCheckpoint, kind: str | None, launches: Sequence[Mapping[str, Any]]
) -> RecordedScores | None:
    """The newest evaluation of these weights with the usual settings, of the run's own data if there is one.

    launches: of the run, which say what its data were. An evaluation that cannot be read is named and left out.
    """
    other_data = None
    files = [file for name in EVALUATIONS for file in (run / name).glob(f"*/{SCORES_FILE}")]
    files = [file for file in files if not is_temporary(file.parent.name)]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            scores = _read(file.parent)
        except UserError as error:
            report(error.given, "the export goes on; it is left out")
            continue
        if _other_weights(scores, opened, kind) is None and not scores.unusual_settings:
            if is_of_own_data(scores, opened, launches):
                return scores
            other_data = other_data or scores
    return other_data


def scores_in(folder: Path, opened: OpenedCheckpoint, kind: str | None) -> RecordedScores:
    """The evaluation in a folder that the user named.

    Raises:
        UserError: it cannot be read, or is of other weights.
    """
    scores = _read(folder)
    problem = _other_weights(scores, opened, kind)
    if problem is not None:
        raise UserError(
            f"--evaluation {folder} is of {problem}",
            "an evaluation of the checkpoint that is exported",
            "name another folder, or make it: python evaluate.py <checkpoint> --output-dir <folder>",
        )
    return scores


def _other_weights(scores: RecordedScores, opened: OpenedCheckpoint, kind: str | None) -> str | None:
    """What an evaluation is of, if not of these weights; one that does not say took the averaged ones if there are."""
    step, weights = scores.evaluation.step, scores.settings.get("weights", "auto")
    if step != opened.step:
        return f"step {step} instead of {opened.step}"
    if weights == "auto":
        weights = "ema" if opened.config.get("ema") is True else "raw"
    return None if kind in (None, weights) else f"{shown(weights)} weights instead of {kind}"


def _read(folder: Path) -> RecordedScores:
    """The evaluation in a folder.

    Raises:
        UserError: it is damaged, or there is none.
    """
    file, outputs = folder / SCORES_FILE, []
    try:
        problem = damage(folder) if folder.is_dir() else "there is no such folder"
        if problem is None:
            with suppress(OSError, UserError):  # no ARC outputs, or unreadable ones
                outputs = read_outputs(folder / OUTPUTS_FILE)
            return RecordedScores.from_record(load_json(file, LARGEST_SCORES), outputs, str(file))
    except UserError as error:
        problem = error.given
    except (OSError, ValueError) as error:
        problem = shown(getattr(error, "strerror", None) or error)
    raise UserError(
        f"evaluation {folder}: {problem}",
        f"a folder with {SCORES_FILE}, as evaluate.py writes it",
        "check the path, or evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
    )
