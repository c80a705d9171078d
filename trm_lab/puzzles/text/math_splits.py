"""A training and a test split from the records of files.

Nothing is too long and no question comes twice; what was left out is counted.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.progress import track
from trm_lab.puzzles.manifest import digest
from trm_lab.puzzles.text.math_files import Record, check_characters, read_records, source_files
from trm_lab.puzzles.text.question_families import Problem
from trm_lab.puzzles.text.question_sets import PRINTABLE, Sizes, Splits, answer_share


@dataclass(frozen=True)
class FileSplits:
    """What the files gave.

    facts: for the dataset's `About`; among them how many records were left out, and why.
    """

    name: str
    splits: Splits
    facts: dict[str, Any]


def read_splits(
    train_paths: Sequence[Path],
    test_paths: Sequence[Path] | None,
    train_size: int | None,
    test_size: int | None,
    limits: Sizes,
    seed: int,
) -> FileSplits:
    """Read the files and split them.

    Args:
        test_paths: None: `test_size` questions of the training files, drawn by the seed.
        train_size, test_size: None is all there are.
        limits: its lengths hold; its sizes are not looked at.

    Raises:
        UserError: a broken file, fewer questions than asked for, or more characters than tokens.
    """
    seen: set[str] = set()
    test, train = (
        _Read.of(paths, split) for paths, split in ((test_paths or [], "test"), (train_paths, "train"))
    )
    test_kept, test_reasons = _kept(test.records, limits, seen)
    train_kept, train_reasons = _kept(train.records, limits, seen)
    left_out = {"train": train_reasons}
    if test_paths is None:
        assert test_size is not None
        shuffled = _drawn(train_kept, len(train_kept), "train", seed)
        test_kept, train_kept = _first(shuffled, test_size, "test"), shuffled[test_size:]
    else:
        left_out["test"] = test_reasons
        if test_size is not None:
            test_kept = _drawn(test_kept, test_size, "test", seed)
    if train_size is not None:
        train_kept = _drawn(train_kept, train_size, "train", seed)
    kept = {"train": train_kept, "test": test_kept}
    _check_not_empty(kept, left_out)
    used = {problem for split in kept.values() for problem in split}
    every = (*train.records, *test.records)
    check_characters([r for r in every if (r.question, r.answer) in used], PRINTABLE)
    facts = {
        "seed": seed,
        "sources": {"train": train.facts, **({"test": test.facts} if test_paths else {})},
        "left_out": left_out,
        "most_common_answer_share": answer_share([test_kept]),
    }
    forms = sorted({record.form for record in every})
    return FileSplits(f"{'-'.join(forms)}-files", kept, facts)


@dataclass(frozen=True)
class _Read:
    """The records of some files, and which files they were."""

    records: list[Record]
    facts: dict[str, Any]

    @classmethod
    def of(cls, paths: Sequence[Path], split: str) -> "_Read":
        files, content = source_files(paths), hashlib.sha256()
        records: list[Record] = []
        for file in track(files, f"{split} files"):
            records += read_records(file)
            content.update(digest(file).encode())
        return cls(records, {"files": len(files), "records": len(records), "sha256": content.hexdigest()})


def _check_not_empty(kept: Splits, left_out: dict[str, dict[str, int]]) -> None:
    for split, problems in kept.items():
        if not problems:
            raise UserError(
                given=f"no question is left for the {split} split; left out: {left_out}",
                allowed="at least one in each split",
                remedy="give other files, raise --max-question-length, or lower --test-size",
            )


def _kept(records: Sequence[Record], limits: Sizes, seen: set[str]) -> tuple[list[Problem], dict[str, int]]:
    """The records that fit and whose question is new, and how many were left out for which reason."""
    kept: list[Problem] = []
    reasons: Counter[str] = Counter()
    earlier = frozenset(seen)
    for record in records:
        spaced = " ".join(record.question.split())
        if not limits.fits((record.question, record.answer)):
            reasons["too_long"] += 1
        elif spaced in seen:
            reasons["asked_in_test_too" if spaced in earlier else "repeated"] += 1
        else:
            seen.add(spaced)
            kept.append((record.question, record.answer))
    return kept, {reason: reasons[reason] for reason in ("too_long", "repeated", "asked_in_test_too")}


def _drawn(problems: Sequence[Problem], size: int, split: str, seed: int) -> list[Problem]:
    """`size` of the problems in random order."""
    order = numpy_generator(seed, f"file questions/{split}").permutation(len(problems)).tolist()
    return _first([problems[i] for i in order], size, split)


def _first(problems: list[Problem], size: int, split: str) -> list[Problem]:
    if size > len(problems):
        raise UserError(
            given=f"--{split}-size {size:,}, but the files hold {len(problems):,} usable questions for it",
            allowed=f"at most {len(problems):,}",
            remedy="lower it, or raise --max-question-length or --max-answer-length",
        )
    return problems[:size]
