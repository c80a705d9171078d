"""The place of an evaluation: which folders may be there before, and how an interrupted one is taken up.

    <folder>              the evaluation, complete or not there
    <folder>.unfinished   where it is made; its lock is held meanwhile

A finished evaluation stays until the new one is whole, also while its own answers are scored anew.
"""

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm_lab.files.checksums import write_manifest
from trm_lab.files.folders import (
    OLD,
    Kind,
    beside,
    check_no_links,
    check_place,
    foreign,
    install,
    is_empty,
    naming,
    own_tag,
    refusal,
    tidy,
)
from trm_lab.runs.evaluation_folder import IN_TRAINING_NAMES
from trm_lab.runs.rollout_store import INDEX_FILE, TENSORS_FILE, RolloutStore
from trm_lab.runs.row_file import open_rows
from trm_lab.runs.run_lock import LOCK_NAMES

UNFINISHED = ".unfinished"  # behind the name of an evaluation's folder
SCORED = "scored"  # where a run's evaluations go


def _is_evaluation(folder: Path) -> bool:
    """Whether the answers of evaluate.py are in a folder, whole or not, or nothing yet but its lock."""
    if all(re.fullmatch(LOCK_NAMES, path.name) for path in folder.iterdir()):
        return True
    with suppress(FileNotFoundError, UserError):  # killed before the first batch, or damaged
        RolloutStore.open(folder)
        return True
    try:
        return "predictions" in open_rows(folder / TENSORS_FILE)
    except (OSError, ValueError):
        return False


EVALUATION_NAMES = rf"{IN_TRAINING_NAMES}|{INDEX_FILE}(\.partial)?|{TENSORS_FILE}|{LOCK_NAMES}"
EVALUATION = Kind("an evaluation by evaluate.py", EVALUATION_NAMES, _is_evaluation)


def check_no_links_in_run(folder: Path) -> None:
    """UserError where a link would lead results out of `scored/` of a run, which may be a stranger's."""
    if folder.parent.name == SCORED:
        check_no_links(folder, folder.parent.parent)


def check_evaluation_folder(folder: Path) -> None:
    """Check that nothing but an evaluation by evaluate.py, whole or not, is where one is to be written.

    Raises:
        UserError: other things are there, or nothing can be written.
    """
    check_no_links_in_run(folder)
    check_place(folder)
    for place in (folder, beside(folder, UNFINISHED)):
        check_place(place)
        name = None if is_empty(place) else foreign(place, EVALUATION)
        if name is not None:
            raise refusal(place, EVALUATION, name)


@dataclass(frozen=True)
class EvaluationPlace:
    """An evaluation's folder, and the working folder in which it is until it is whole.

    request, sets: see `RolloutStore`.
    """

    folder: Path
    request: Mapping[str, Any]
    sets: Mapping[str, int]
    overwrite: bool

    @property
    def working(self) -> Path:
        """The folder in which it is made."""
        return beside(self.folder, UNFINISHED)

    def check(self) -> None:
        """Check that an evaluation may be written; touches nothing.

        Raises:
            UserError: as for `check_evaluation_folder`, or one of another request without `overwrite`.
        """
        check_evaluation_folder(self.folder)
        if not self.overwrite:
            source = self.working if (self.working / INDEX_FILE).exists() else self.folder
            RolloutStore.matching(source, self.request, self.sets)

    def take_up(self) -> None:
        """Get the working folder, whose lock is held, ready: the answers that are there already, or none.

        Raises:
            UserError: as for `check`: the folders may have changed before the lock was taken.
        """
        tidy(self.folder, EVALUATION)
        self.check()
        if self.overwrite:
            for file in self.working.iterdir():
                if not re.fullmatch(LOCK_NAMES, file.name):
                    file.unlink()
        elif not (self.working / INDEX_FILE).exists() and (self.folder / INDEX_FILE).exists():
            for name in (TENSORS_FILE, INDEX_FILE):  # the index last: it says what the other holds
                if (self.folder / name).exists():
                    _link(self.folder / name, self.working / name)

    def finish(self) -> None:
        """Give a complete evaluation its name, in place of the one before it."""
        with naming(self.folder):
            write_manifest(self.working)
            folder = self.folder.resolve()
            install(self.working, folder, beside(folder, OLD + own_tag()))


def _link(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the file system has no such links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target)
