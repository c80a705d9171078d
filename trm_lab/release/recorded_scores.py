"""The evaluation whose scores a model card shows: which one it is, of which data, and what was asked otherwise.

Nothing is guessed: what is not there, or damaged, is left out. A run directory may be a stranger's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trm.errors import UserError, report, shown
from trm_lab.files.checksums import damage
from trm_lab.files.folders import is_on_its_way
from trm_lab.files.untrusted import check_regular, load_json, parse_json
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint

SCORES, OUTPUTS = "scores.json", "outputs.jsonl"
EVALUATIONS = ("evaluations", "scored")  # of a run
USUAL: dict[
    str, tuple[Any, ...]
] = {  # what leaves an evaluation as it is, see `trm_lab.evaluation.score.described`
    "tasks": (None,),
    "first_tasks": (None,),
    "augmentations": (None,),
    "supervision_steps": (None,),
    "identifiers": (None, "correct"),
    "confidence": (None, "answer"),
}
LARGEST = 64 << 20  # bytes of a record
_WORDS = ("name", "protocol", "split", "fingerprint", "path")  # of a dataset, in scores.json


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
    def of(cls, told: Mapping[str, Any]) -> "ScoredData":
        """From an entry of scores.json, perhaps a stranger's."""
        words = {key: value if isinstance(value := told.get(key), str) else None for key in _WORDS}
        version = told.get("version")
        folder = Path(words["path"] or "").name
        return cls(
            name=words["name"] or folder or "a dataset without a name",
            version=version if type(version) is int else None,
            protocol=words["protocol"],
            split=words["split"],
            fingerprint=words["fingerprint"],
            folder=folder,
        )


@dataclass(frozen=True)
class RecordedScores:
    """An evaluation: the content of scores.json, and of each scored ARC output its task and right answer's rank."""

    content: Mapping[str, Any]
    ranks: list[tuple[str, int | None]] = field(default_factory=list)

    @property
    def evaluated(self) -> dict[str, Any]:
        """What was asked; empty for an evaluation in training."""
        asked = self.content.get("evaluated")
        return asked if isinstance(asked, dict) else {}

    @property
    def datasets(self) -> list[ScoredData]:
        """What was scored on; of an older evaluation without fingerprints, and perhaps nothing."""
        told = self.content.get("datasets")
        if not isinstance(told, list):
            told = self._named_by_tasks()
        return [ScoredData.of(one) for one in told if isinstance(one, dict)]

    def _named_by_tasks(self) -> list[dict[str, Any]]:
        """Datasets as an evaluation of before fingerprints tells them: its tasks, and the paths that were given."""
        paths, tasks = self.evaluated.get("data_paths"), self.content.get("tasks")
        places = [{"path": str(path)} for path in paths] if isinstance(paths, list) else []
        named = [one for one in tasks if isinstance(one, dict)] if isinstance(tasks, list) else []
        kinds = [{**one, "name": one.get("dataset")} for one in named]
        if places and len(places) != len(kinds):
            return places
        return [{**kind, **place} for kind, place in zip(kinds, places or [{}] * len(kinds), strict=True)]

    @property
    def limits(self) -> dict[str, Any]:
        """What was asked otherwise than an evaluation does of itself."""
        return {
            key: self.evaluated[key] for key, usual in USUAL.items() if self.evaluated.get(key) not in usual
        }

    def task_shares(self, k: int) -> list[float]:
        """Of each ARC task the share of its outputs that are right within k attempts."""
        right: dict[str, list[bool]] = {}
        for task, rank in self.ranks:
            right.setdefault(task, []).append(rank is not None and rank <= k)
        return [sum(outputs) / len(outputs) for outputs in right.values()]


def is_of_own_data(
    scores: RecordedScores, opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether an evaluation is of the data that its run is tested on: by fingerprints; by folders where these lack."""
    tested = scores.datasets
    told = launches[-1].get("datasets") if launches else None
    prints = [told.get(path) for path in opened.data_paths] if isinstance(told, dict) else [None]
    if all(prints) and all(data.fingerprint for data in tested):
        return not tested or {data.fingerprint for data in tested} == set(prints)
    folders = [data.folder for data in tested if data.folder]  # an evaluation in training named none
    return not folders or folders == [Path(path).name for path in opened.data_paths]


def newest_scores(
    run: Path, opened: OpenedCheckpoint, kind: str | None, launches: Sequence[Mapping[str, Any]]
) -> RecordedScores | None:
    """The newest evaluation of these weights that was asked as usual, of the run's own data if there is one.

    launches: of the run, which say what its data were. An evaluation that cannot be read is named and left out.
    """
    other_data = None
    files = [file for name in EVALUATIONS for file in (run / name).glob(f"*/{SCORES}")]
    found = [file for file in files if not is_on_its_way(file.parent.name)]
    for file in sorted(found, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            scores = _read(file.parent)
        except UserError as error:
            report(error.given, "the export goes on; it is left out")
            continue
        if _differs(scores, opened, kind) is None and not scores.limits:
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
    problem = _differs(scores, opened, kind)
    if problem is not None:
        raise UserError(
            f"--evaluation {folder} is of {problem}",
            "an evaluation of the checkpoint that is exported",
            "name another folder, or make it: python evaluate.py <checkpoint> --output-dir <folder>",
        )
    return scores


def _differs(scores: RecordedScores, opened: OpenedCheckpoint, kind: str | None) -> str | None:
    """What an evaluation is of, if not of these weights; one that does not say took the averaged ones if there are."""
    step, of = scores.content.get("step"), scores.evaluated.get("weights", "auto")
    if step != opened.step:
        return f"step {shown(step)} instead of {opened.step}"
    if of == "auto":
        of = "ema" if opened.config.get("ema") is True else "raw"
    return None if kind in (None, of) else f"{shown(of)} weights instead of {kind}"


def _read(folder: Path) -> RecordedScores:
    file = folder / SCORES
    problem = damage(folder) if folder.is_dir() else "there is no such folder"
    try:
        content = None if problem else load_json(file, LARGEST)
    except OSError as error:
        problem = error.strerror
    except ValueError as error:
        problem = shown(error)
    if problem or not isinstance(content, dict):
        raise UserError(
            f"evaluation {folder}: {problem or 'no scores in it'}",
            f"a folder with {SCORES}, as evaluate.py writes it",
            "check the path, or evaluate again: python evaluate.py <checkpoint> --output-dir <folder>",
        )
    return RecordedScores(content, _ranks(folder / OUTPUTS))


def _ranks(file: Path) -> list[tuple[str, int | None]]:
    """Empty where there are no ARC outputs, or where they are unreadable."""
    try:
        check_regular(file, LARGEST)
        rows = [parse_json(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found = [(row["task"], row["rank"]) for row in rows if row["known"] is True]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    typed = all(isinstance(task, str) and isinstance(rank, int | None) for task, rank in found)
    return found if typed else []
