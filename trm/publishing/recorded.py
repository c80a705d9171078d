"""What is recorded of a checkpoint beside its weights: the kind of weights, its run's launches, an evaluation.

Nothing is guessed: what is not there, or damaged, is None or empty. A run directory may be a stranger's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trm.checksums import damage, is_intact
from trm.errors import UserError, report
from trm.folders import is_on_its_way
from trm.puzzles.layout import IDENTIFIERS_FILE, PuzzleMetadata, read_identifiers
from trm.puzzles.manifest import fingerprint
from trm.scoring.arc_checkpoint import SEQ_LEN, seq_len
from trm.scoring.opened import OpenedCheckpoint
from trm.training.weights import PUZZLE_ROWS
from trm.untrusted import check_regular, load_json, parse_json, shown

PROVENANCE, SCORES, OUTPUTS = "provenance.json", "scores.json", "outputs.jsonl"
EVALUATIONS = ("evaluations", "scored")  # of a run
WEIGHTS = "weights"  # the kind, in an export's configuration
USUAL: dict[str, tuple[Any, ...]] = {  # what leaves an evaluation as it is, see `trm.scoring.score.described`
    "tasks": (None,),
    "first_tasks": (None,),
    "augmentations": (None,),
    "supervision_steps": (None,),
    "identifiers": (None, "correct"),
}
LONGEST = 1 << 16  # tokens of an example; as many as two bytes count
_WORDS = ("name", "protocol", "split", "fingerprint", "path")  # of a dataset, in scores.json
_LARGEST = 64 << 20  # bytes of one of these files


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


@dataclass(frozen=True)
class Recorded:
    """What is known of a checkpoint.

    weight_kind: `ema` or `raw`.  seq_len: tokens of an example.  launches: of the run, first to last.
    row_names: the puzzle of each row of the puzzle embedding.
    """

    weight_kind: str | None
    seq_len: int | None
    launches: list[dict[str, Any]]
    scores: RecordedScores | None
    row_names: list[str] | None = None


def recorded(opened: OpenedCheckpoint, evaluation: Path | None = None) -> Recorded:
    """Gather what is recorded of an opened checkpoint.

    evaluation: a folder with scores.json; None: the newest one of its run that is of the same step and weights, and
        of a whole test split; one of the run's own data before any other.

    Raises:
        UserError: `evaluation` is none, is damaged, or is of another step or other weights; or the configuration tells
            of examples of an impossible length.
    """
    run, kind, tokens = run_of(opened.path), weight_kind(opened), seq_len(opened)
    if tokens is not None and not 0 < tokens <= LONGEST:
        raise UserError(
            f"{SEQ_LEN}={tokens} in the configuration of {opened.source}",
            f"tokens of an example, at most {LONGEST}",
            "check the configuration; do not use it if you do not know who made it",
        )
    scores = None if evaluation is None else _wanted(evaluation, opened, kind)
    if run is None:
        return Recorded(kind, tokens, [], scores, row_names(opened, []))
    launches = _launches(run)
    scores = scores or _newest(run, opened, kind, launches)
    return Recorded(kind, tokens, launches, scores, row_names(opened, launches))


def run_of(checkpoint: Path) -> Path | None:
    """The run directory that a checkpoint lies in."""
    inside = checkpoint.is_dir() and checkpoint.parent.name == "checkpoints"
    return checkpoint.parents[1] if inside else None


def row_names(opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Whose the rows of the puzzle embedding are, as the checkpoint tells; else as the run's dataset does, unchanged.

    Raises:
        UserError: as many names as there are not rows.
    """
    if PUZZLE_ROWS not in opened.weights:
        return None
    names = opened.row_names
    if names is None:
        names = _names_of_data(opened.config.get("data_paths") or [], launches)
    if names is not None and len(names) != opened.puzzle_identifiers:
        raise UserError(
            f"{opened.source}: {opened.puzzle_identifiers:,} puzzle embeddings and {len(names):,} names of puzzles",
            f"a name in {IDENTIFIERS_FILE} for each embedding",
            "copy the checkpoint again, with all of its files",
        )
    return names


def _names_of_data(paths: Sequence[Any], launches: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Of the one dataset that a run was trained on, if it is at hand with the fingerprint that the run recorded."""
    told = launches[-1].get("datasets") if launches else None
    if (
        len(paths) != 1
        or not isinstance(told, dict)
        or not (Path(str(paths[0])) / IDENTIFIERS_FILE).is_file()
    ):
        return None
    path = str(paths[0])
    return read_identifiers(path) if told.get(path) == fingerprint(path) else None


def weight_kind(opened: OpenedCheckpoint) -> str | None:
    """Whether the weights are the averaged ones; None for published files, which do not say."""
    if run_of(opened.path) is None:
        told = opened.config.get(WEIGHTS)
        return told if told in ("ema", "raw") else None
    if opened.weight_kind != "auto":
        return opened.weight_kind
    return "ema" if opened.config.get("ema") is True else "raw"


def dataset_like(opened: OpenedCheckpoint, tokens: int) -> PuzzleMetadata:
    """A dataset of unknown puzzles, all with one identifier, for which the weights can make a model."""
    words = opened.weights.get("embed_tokens.embedding_weight")
    return PuzzleMetadata(
        pad_id=0,
        ignore_label_id=None,
        blank_identifier_id=0,
        vocab_size=1 if words is None else len(words),
        seq_len=tokens,
        num_puzzle_identifiers=1,
        total_groups=1,
        mean_puzzle_examples=1.0,
        total_puzzles=1,
        sets=("all",),
    )


def _launches(run: Path) -> list[dict[str, Any]]:
    file = run / PROVENANCE
    try:
        content = load_json(file, _LARGEST)
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        content = None
    launches = content.get("launches") if isinstance(content, dict) and is_intact(content) else None
    if isinstance(launches, list) and all(isinstance(one, dict) for one in launches):
        return launches
    report(f"{file} is damaged", "the export goes on; what it told of the run's launches is left out")
    return []


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


def _newest(
    run: Path, opened: OpenedCheckpoint, kind: str | None, launches: Sequence[Mapping[str, Any]]
) -> RecordedScores | None:
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


def _wanted(folder: Path, opened: OpenedCheckpoint, kind: str | None) -> RecordedScores:
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
        content = None if problem else load_json(file, _LARGEST)
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
        check_regular(file, _LARGEST)
        rows = [parse_json(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found = [(row["task"], row["rank"]) for row in rows if row["known"] is True]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    typed = all(isinstance(task, str) and isinstance(rank, int | None) for task, rank in found)
    return found if typed else []
