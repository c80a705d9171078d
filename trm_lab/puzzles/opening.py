"""Opening a split of a dataset, however its examples are kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.puzzles.arc.compact_set import LAYOUT, open_augmented
from trm_lab.puzzles.layout import (
    IDENTIFIERS_FILE,
    LARGEST_METADATA,
    METADATA_FILE,
    PuzzleExamples,
    PuzzleMetadata,
    check_identifier_count,
    read_json,
)
from trm_lab.puzzles.manifest import UNFINISHED_FILE, changed
from trm_lab.puzzles.written_arrays import open_arrays

Opener = Callable[[Path, str, PuzzleMetadata], PuzzleExamples]  # split's folder, set

_OPENERS: dict[str, Opener] = {"published": open_arrays, LAYOUT: open_augmented}


@dataclass(frozen=True)
class PuzzleSplit:
    """One split of one dataset."""

    folder: Path
    metadata: PuzzleMetadata
    sets: dict[str, PuzzleExamples]


def open_split(dataset: Path | str, split: str, build_command: str | None = None) -> PuzzleSplit:
    """Open a split; cheap whatever its size.

    Args:
        build_command: what builds this dataset, for the error when it is missing.

    Raises:
        UserError: no such dataset or split; one that is half written or disagrees with itself.
    """
    folder = Path(dataset) / split
    if (Path(dataset) / UNFINISHED_FILE).exists():
        raise changed(Path(dataset), "a builder was stopped while it wrote this")
    if not (folder / METADATA_FILE).is_file():
        raise _missing(Path(dataset), split, build_command)
    names = Path(dataset) / IDENTIFIERS_FILE
    if not names.is_file():
        raise changed(names, "no regular file" if names.exists() else "missing")
    metadata = PuzzleMetadata.read(folder)
    check_identifier_count(Path(dataset), metadata)
    layout = read_json(folder / METADATA_FILE, dict, LARGEST_METADATA).get("layout", "published")
    if not isinstance(layout, str) or layout not in _OPENERS:
        problem = f"layout {shown(repr(layout))}, which this version does not know"
        raise changed(folder / METADATA_FILE, problem)
    sets: dict[str, PuzzleExamples] = {
        name: _OPENERS[layout](folder, name, metadata) for name in metadata.sets
    }
    _check_counts(folder, metadata, sets.values())
    return PuzzleSplit(folder, metadata, sets)


def _check_counts(folder: Path, metadata: PuzzleMetadata, sets: Iterable[PuzzleExamples]) -> None:
    counts = [(len(one.group_indices) - 1, len(one.puzzle_identifiers), one.count) for one in sets]
    held = tuple(map(sum, zip(*counts, strict=True)))
    examples = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
    promised = (metadata.total_groups, metadata.total_puzzles, examples)
    if held != promised:
        words = "{} groups, {} puzzles and {} examples"
        problem = f"promises {words.format(*promised)}, but the arrays hold {words.format(*held)}"
        raise changed(folder / METADATA_FILE, problem)


def _missing(dataset: Path, split: str, build_command: str | None) -> UserError:
    found = [path.parent.name for path in sorted(dataset.glob(f"*/{METADATA_FILE}")) if path.is_file()]
    if found:
        return UserError(
            given=f"{dataset} has no split {split!r}",
            allowed=f"its splits: {', '.join(found)}",
            remedy=build_command or "name one of these, or build a dataset that has this split",
        )
    return UserError(
        given=f"no dataset at {dataset}",
        allowed=f"a folder with {split}/{METADATA_FILE}",
        remedy='if it lies elsewhere, name that place (training: data_paths="[…]"; evaluate.py: --data-path …); '
        f"else build it: {build_command or 'python -m data.build_<kind>_dataset --help tells how'}",
    )
