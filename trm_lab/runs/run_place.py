"""Whether a run may be in a folder: a new one in a new folder, or the one that is there; never among other things.

A run's folder is never replaced, so that a file that its owner laid beside the run's own stays where it is. It may be a
stranger's: a link in the place of anything that training writes is refused, since nothing is written through one.
"""

import os
import re
import stat
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.files.config_files import CHECKSUM_LINE, read_config
from trm_lab.files.folders import Kind, check_place, is_empty, refusal
from trm_lab.files.untrusted import open_regular
from trm_lab.files.whole_files import check_parent, check_plain, is_there
from trm_lab.runs.checkpoints import steps
from trm_lab.runs.run_lock import LOCK, LOCK_NAMES, SYSTEM_LOCK
from trm_lab.runs.weights import EXPORTED_WEIGHTS

FLAG = "run_name or checkpoint_path"
FILES = ("config.yaml", "provenance.json", "metrics.jsonl", LOCK, SYSTEM_LOCK)
FOLDERS = ("checkpoints", "evaluations", "figures", "scored", "wandb", "tensorboard")
RUN = Kind("a run", "", lambda folder: is_run(folder), FLAG)


def check_run_place(folder: Path) -> None:
    """Check that a run may begin or go on in `folder`; touches nothing.

    Raises:
        UserError: other things are there, a link stands in the place of something that is written, or nothing can be
            written.
    """
    if not is_there(folder, FLAG):
        check_parent(folder, FLAG)
    elif is_run(folder):
        _check_no_links(folder)
    elif not _is_beginning(folder):
        check_place(folder, FLAG)
        raise refusal(folder, RUN, next(path.name for path in sorted(folder.iterdir())))
    elif is_empty(folder):
        check_place(folder.resolve(), FLAG)  # a link to an empty folder is its owner's wish: nothing is replaced


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run: its configuration, perhaps damaged, or checkpoints."""
    if (folder / EXPORTED_WEIGHTS).exists():  # an export, which has a run's configuration beside its weights
        return False
    return _is_configuration(folder / "config.yaml") or bool(steps(folder / "checkpoints"))


def _is_configuration(file: Path) -> bool:
    beginning = CHECKSUM_LINE.encode()
    try:
        with open_regular(file) as stream:
            if stream.read(len(beginning)) == beginning:
                return True
        return {"arch", "data_paths", "global_batch_size"} <= read_config(file).keys()
    except (OSError, ValueError):  # a UserError is a ValueError
        return False


def _is_beginning(folder: Path) -> bool:
    """Whether there is nothing but what a run leaves that ended before it wrote its configuration."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return all(re.fullmatch(rf"{LOCK_NAMES}|config\.yaml\.partial", name) for name in names)


def _check_no_links(folder: Path) -> None:
    for name in FILES:
        check_plain(folder / name)
    places = [folder / name for name in FOLDERS]
    for root in (folder / "checkpoints", folder / "evaluations"):
        if root.is_dir() and not root.is_symlink():
            places += [path for path in sorted(root.iterdir()) if path.name.startswith("step_")]
    for place in places:
        if os.path.lexists(place) and not stat.S_ISDIR(os.lstat(place).st_mode):
            raise UserError(
                f"{shown(place)} is {'a link' if place.is_symlink() else 'no folder'}",
                "plain folders in a run: nothing is written through a link in it",
                f"see what it is and who made it; put a folder in its place, or choose another {FLAG}",
            )
