"""The evaluation whose scores a model card shows: of which data it is, and how it was asked.

Nothing is guessed: what is not there, or damaged, is left out. A run directory may be a stranger's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trm.errors import UserError, report, shown
from trm_lab.files.checksums import damage
from trm_lab.files.folders import is_on_its_way
from trm_lab.files.untrusted import load_json
from trm_lab.runs.arc_outputs import OutputRecord, read_outputs
from trm_lab.runs.evaluation_folder import LARGEST_SCORES, SCORES_FILE
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
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
}


@dataclass(frozen=True)
class ScoredData:
    """A dataset as a score names it: what counts is its fingerprint; the folder is where it lay."""

    name: str
    version: int | None
    protocol: str | None
    split: str | None
    fingerprint: str | None
    folder: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "ScoredData":
        """From an entry of scores.json, perhaps a stranger's."""
        texts = {key: value for key, value in entry.items() if isinstance(value, str)}
        version, folder = entry.get("version"), Path(texts.get("path", "")).name
        return cls(
            name=texts.get("name") or folder or "a dataset without a name",
            version=version if type(version) is int else None,
            protocol=texts.get("protocol"),
            split=texts.get("split"),
            fingerprint=texts.get("fingerprint"),
            folder=folder,
        )


@dataclass(frozen=True)
class RecordedScores:
    """An evaluation: the content of scores.json, and the ARC outputs that it scored."""

    content: Mapping[str, Any]
    outputs: list[OutputRecord] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """The evaluation's settings; empty for one in training."""
        settings = self.content.get("evaluated")
        return settings if isinstance(settings, dict) else {}

    @property
    def unusual_settings(self) -> dict[str, Any]:
        """Settings that an evaluation does not have by default."""
        return {
            key: self.settings[key] for key, usual in USUAL.items() if self.settings.get(key) not in usual
        }

    @property
    def datasets(self) -> list[ScoredData]:
        """What was scored on; of an older evaluation without fingerprints, and perhaps nothing."""
        entries = self.content.get("datasets")
        entries = entries if isinstance(entries, list) and entries else self._datasets_by_tasks()
        return [ScoredData.of(entry) for entry in entries if isinstance(entry, dict)]

    def _datasets_by_tasks(self) -> list[dict[str, Any]]:
        """Datasets of an evaluation from before fingerprints: by its tasks, and by the paths in its settings."""
        paths, tasks = self.settings.get("data_paths"), self.content.get("tasks")
        places = [{"path": str(path)} for path in paths] if isinstance(paths, list) else []
        tasks = [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
        names = [{**task, "name": task.get("dataset")} for task in tasks]
        if places and len(places) != len(names):
            return places
        return [{**name, **place} for name, place in zip(names, places or [{}] * len(names), strict=True)]


def is_of_own_data(
    scores: RecordedScores, opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]
) -> bool:
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
    files = [file for file in files if not is_on_its_way(file.parent.name)]
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
    step, weights = scores.content.get("step"), scores.settings.get("weights", "auto")
    if step != opened.step:
        return f"step {shown(step)} instead of {opened.step}"
    if weights == "auto":
        weights = "ema" if opened.config.get("ema") is True else "raw"
    return None if kind in (None, weights) else f"{shown(weights)} weights instead of {kind}"


def _read(folder: Path) -> RecordedScores:
    problem = damage(folder) if folder.is_dir() else "there is no such folder"
    content = None
    try:
        content = None if problem else load_json(folder / SCORES_FILE, LARGEST_SCORES)
    except (OSError, ValueError) as error:
        problem = shown(getattr(error, "strerror", None) or error)
    if problem or not isinstance(content, dict):
        raise UserError(
            f"evaluation {folder}: {problem or 'no scores in it'}",
            f"a folder with {SCORES_FILE}, as evaluate.py writes it",
            "check the path, or evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
        )
    return RecordedScores(content, _outputs(folder / OUTPUTS_FILE))


def _outputs(file: Path) -> list[OutputRecord]:
    """Empty where there are no ARC outputs, or where they are unreadable."""
    try:
        outputs = read_outputs(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    typed = all(
        isinstance(output.task, str)
        and type(output.known) is bool
        and (output.rank is None or type(output.rank) is int)
        for output in outputs
    )
    return outputs if typed else []
