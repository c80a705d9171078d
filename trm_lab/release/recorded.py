"""What is recorded of a checkpoint beside its weights: the kind of weights, its run's launches, an evaluation.

Nothing is guessed: what is not there, or damaged, is None or empty. A run directory may be a stranger's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trm.errors import UserError, report
from trm_lab.files.checksums import is_intact
from trm_lab.files.untrusted import load_json
from trm_lab.inference.arc_checkpoint import SEQ_LEN, seq_len
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, read_identifiers
from trm_lab.puzzles.manifest import MANIFEST_FILE, fingerprint, read_command
from trm_lab.release.recorded_scores import RecordedScores, newest_scores, scores_in
from trm_lab.runs.exported_form import WEIGHT_KIND
from trm_lab.runs.opened_checkpoint import BUILDER, OpenedCheckpoint
from trm_lab.runs.run_directory import LARGEST_PROVENANCE
from trm_lab.runs.weights import PUZZLE_ROWS

PROVENANCE = "provenance.json"
LONGEST = 1 << 16  # tokens of an example; as many as two bytes count


@dataclass(frozen=True)
class Recorded:
    """The record of a checkpoint.

    weight_kind: `ema` or `raw`.  seq_len: tokens of an example.  launches: of the run, first to last.
    row_names: the puzzle of each row of the puzzle embedding.
    build_commands: what builds each of the run's datasets, by its path, as far as that is recorded.
    """

    weight_kind: str | None
    seq_len: int | None
    launches: list[dict[str, Any]]
    scores: RecordedScores | None
    row_names: list[str] | None = None
    build_commands: Mapping[str, str] = field(default_factory=dict)


def recorded(opened: OpenedCheckpoint, evaluation: Path | None = None) -> Recorded:
    """Gather what is recorded of an opened checkpoint.

    evaluation: a folder with scores.json; None: the newest one of its run that is of the same step and weights, and
        of a whole test split; one of the run's own data before any other.

    Raises:
        UserError: `evaluation` is none, is damaged, or is of another step or other weights; or the configuration tells
            of examples of an impossible length.
    """
    run, kind, puzzle = run_of(opened.path), weight_kind(opened), opened.described_puzzle
    tokens = seq_len(opened) or (None if puzzle is None else puzzle.seq_len)
    if tokens is not None and not 0 < tokens <= LONGEST:
        raise UserError(
            f"{SEQ_LEN}={tokens} in the configuration of {opened.source}",
            f"tokens of an example, at most {LONGEST}",
            "check the configuration; do not use it if you do not know who made it",
        )
    launches = [] if run is None else _launches(run / PROVENANCE)
    scores = None
    if evaluation is not None:
        scores = scores_in(evaluation, opened, kind)
    elif run is not None:
        scores = newest_scores(run, opened, kind, launches)
    names, commands = row_names(opened, launches), build_commands(opened, launches)
    return Recorded(kind, tokens, launches, scores, names, commands)


def run_of(checkpoint: Path) -> Path | None:
    """The run directory that a checkpoint lies in."""
    inside = checkpoint.is_dir() and checkpoint.parent.name == "checkpoints"
    return checkpoint.parents[1] if inside else None


def row_names(opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The puzzles of the rows of the puzzle embedding, by the checkpoint; else by the run's dataset, if unchanged.

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
    """Puzzle names of the run's dataset, if it is one, and at hand as it was."""
    if len(paths) != 1 or not _is_at_hand(str(paths[0]), IDENTIFIERS_FILE, launches):
        return None
    return read_identifiers(paths[0])


def build_commands(opened: OpenedCheckpoint, launches: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What builds each dataset of the run, by its path: as the configuration says, or else the dataset itself.

    A dataset tells it only where it is at hand as it was, by a command that `OpenedCheckpoint.build_command` takes.
    """
    commands = {path: text for path, text in (opened.config.get("data_build") or {}).items() if isinstance(text, str)}
    for path in {*opened.data_paths, *(opened.config.get("data_paths") or [])} - commands.keys():
        command = read_command(path) if _is_at_hand(path, MANIFEST_FILE, launches) else None
        text = "" if command is None else f"{command.text} --output-dir {path}"
        if BUILDER.fullmatch(text):
            commands[path] = text
    return commands


def _is_at_hand(dataset: str, file: str, launches: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a dataset is there, has a file of this name, and has the fingerprint that the run recorded."""
    fingerprints = launches[-1].get("datasets") if launches else None
    recorded_one = fingerprints.get(dataset) if isinstance(fingerprints, dict) else None
    return recorded_one is not None and (Path(dataset) / file).is_file() and fingerprint(dataset) == recorded_one


def weight_kind(opened: OpenedCheckpoint) -> str | None:
    """Whether the weights are the averaged ones; None for published files, which do not say."""
    if run_of(opened.path) is None:
        kind = opened.config.get(WEIGHT_KIND)
        return kind if kind in ("ema", "raw") else None
    if opened.weight_kind != "auto":
        return opened.weight_kind
    return "ema" if opened.config.get("ema") is True else "raw"


def _launches(file: Path) -> list[dict[str, Any]]:
    """The launches in a run's provenance; [] where there is none, or a damaged one, which is reported."""
    try:
        content = load_json(file, LARGEST_PROVENANCE)
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        content = None
    launches = content.get("launches") if isinstance(content, dict) and is_intact(content) else None
    if isinstance(launches, list) and all(isinstance(launch, dict) for launch in launches):
        return launches
    report(f"{file} is damaged", "the export goes on; what it told of the run's launches is left out")
    return []
