"""`<dataset>/manifest.json`: what a dataset says of itself, and its files' checksums, by which a change is noticed.

Written last by our builders. A dataset without one (made by the published builders) is taken as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm_lab.commands.build_command import NO_COMMAND, BuildCommand
from trm_lab.commands.tables import percent
from trm_lab.files import checksums
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import write_whole

MANIFEST_FILE = "manifest.json"
UNFINISHED_FILE = "unfinished"  # in a folder that a builder is writing
CATEGORIES_END = "__categories.npy"  # of a set's file of categories
REVEAL_ORDER_END, STEPS_END = "__reveal_order.npy", "__steps.npy"  # of a set's files of the way to its answers
_WHOLE = 256 << 20  # bytes; larger files are digested by sample
_BLOCK, _BLOCKS = 1 << 20, 64
_LARGEST = 16 << 20  # bytes of a manifest
_LONGEST_TEXT = 200  # characters
_NO_OVERLAP = {"examples": 0, "questions": 0, "answers": 0, "compared": ""}


@dataclass(frozen=True)
class About:
    """A dataset's own words on what it is.

    name: of the puzzle, such as "nqueens-8".
    version: of the builder's output; it rises when the same flags would give other data.
    protocol: how train and test were made and split, such as "published" or "clean".
    scorer: the kind of puzzle, a key of `trm_lab.puzzles.kinds.KINDS`; "" for accuracy against the labels alone.
    facts: JSON values that the scorer or a reader needs ({"side": 8, "best_exact_match": 0.651, "seed": 0}).
    """

    name: str
    version: int
    protocol: str
    scorer: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CategoryNames:
    """What the categories of examples are, such as "givens", and the name of each number (`categories.py`)."""

    by: str
    names: list[str]


@dataclass(frozen=True)
class Overlap:
    """How much of a test split stands in training.

    examples: that have an answer.  questions, answers: how many of these stand in training.
    compared: in words, how a test question and an answer were looked for there.
    """

    examples: int
    questions: int
    answers: int
    compared: str

    @property
    def title(self) -> str:
        """The counts in one line."""
        shares = [f"{count:,} ({percent(count / max(1, self.examples))})" for count in (self.questions, self.answers)]
        return f"in training: of {self.examples:,} test questions {shares[0]}, of their answers {shares[1]}"


def write_manifest(
    dataset: Path,
    about: About,
    command: BuildCommand | None = None,
    categories: CategoryNames | None = None,
    in_training: Overlap | None = None,
) -> None:
    """Write the manifest of a folder whose other files are complete.

    command: that built it, if any.  categories: of its examples, if they are told apart.
    in_training: what of its test split stands in training, if it was looked for.
    """
    files = {
        file.relative_to(dataset).as_posix(): {"size": file.stat().st_size, "sha256": digest(file)}
        for file in sorted(dataset.rglob("*"))
        if file.is_file() and file.name != UNFINISHED_FILE
    }
    content = {"about": asdict(about), "files": files} | ({"command": asdict(command)} if command else {})
    content |= {"categories": asdict(categories)} if categories else {}
    content |= {"in_training": asdict(in_training)} if in_training else {}
    write_whole(dataset / MANIFEST_FILE, json.dumps(checksums.sealed(content), indent=1) + "\n")


def read_about(dataset: Path | str) -> About | None:
    """Read what a dataset says of itself; None where it has no manifest.

    Raises:
        UserError: a broken manifest.
    """
    content = _read(Path(dataset))
    return None if content is None else About(**content["about"])


def read_command(dataset: Path | str) -> BuildCommand | None:
    """The command that built a dataset; None where it has no manifest, or one that does not say.

    Raises:
        UserError: a broken manifest.
    """
    content = _read(Path(dataset)) or {}
    return BuildCommand(**content["command"]) if "command" in content else None


def read_category_names(dataset: Path | str) -> CategoryNames | None:
    """Read what the categories of a dataset's examples are; None where it has no manifest, or one that names none.

    Raises:
        UserError: a broken manifest.
    """
    content = _read(Path(dataset)) or {}
    return CategoryNames(**content["categories"]) if "categories" in content else None


def read_overlap(dataset: Path | str) -> Overlap | None:
    """Read how much of a dataset's test split stands in training; None where its manifest does not say.

    Raises:
        UserError: a broken manifest.
    """
    content = _read(Path(dataset)) or {}
    return Overlap(**content["in_training"]) if "in_training" in content else None


def check_files(dataset: Path | str) -> About | None:
    """Compare every file with the manifest and return what it says; None for a dataset without a manifest.

    Raises:
        UserError: a file is missing, of another size, of other content, or an array that was not built is there.
    """
    root = Path(dataset)
    content = _read(root)
    if content is None:
        return None
    for name, promised in content["files"].items():
        file = root / name
        if not file.is_file():
            raise changed(file, "missing")
        size = file.stat().st_size
        if size != promised["size"]:
            raise changed(file, f"{size:,} bytes instead of {promised['size']:,}")
        if digest(file) != promised["sha256"]:
            raise changed(file, "its content is not what was built")
    for file in unlisted_arrays(root):
        if not file.name.endswith((REVEAL_ORDER_END, STEPS_END)):  # which may be put there by hand
            raise changed(file, "it was not there when this dataset was built")
    return About(**content["about"])


def unlisted_arrays(dataset: Path) -> list[Path]:
    """The array files in a dataset's folder that its manifest does not list; [] for a dataset without a manifest."""
    content = _read(dataset)
    files = [] if content is None else sorted(dataset.rglob("*.npy"))
    return [file for file in files if content and file.relative_to(dataset).as_posix() not in content["files"]]


def fingerprint(dataset: Path | str) -> str:
    """A hexadecimal digest that tells two datasets apart, wherever they lie.

    With a manifest, a digest of it, without the command that built it. Without one, sha256 over the JSON and array
    files, of token arrays of more than 2 MiB their size and first and last MiB: a change in the middle of such an
    array alone is not seen. Categories, the order in which a solver finds the cells, stored steps and how much of the
    test split stands in training change no example, and are left out.
    """
    root = Path(dataset)
    content = _read(root)
    if content is not None:
        beside = (CATEGORIES_END, REVEAL_ORDER_END, STEPS_END)
        files = {name: entry for name, entry in content["files"].items() if not name.endswith(beside)}
        return _checksum({"about": content["about"], "files": files})
    whole = hashlib.sha256()
    for file in sorted(p for p in root.glob("**/*") if p.suffix in (".json", ".npy") and p.is_file()):
        if file.name.endswith((REVEAL_ORDER_END, STEPS_END)):
            continue
        size = file.stat().st_size
        whole.update(f"{file.relative_to(root).as_posix()} {size}\n".encode())
        with file.open("rb") as stream:
            whole.update(stream.read(_BLOCK))
            if file.stem.endswith(("inputs", "labels")) and size > 2 * _BLOCK:
                stream.seek(size - _BLOCK)
            while block := stream.read(_BLOCK):
                whole.update(block)
    return whole.hexdigest()


def digest(file: Path) -> str:
    """Hexadecimal sha256 of a file; of a file over 256 MiB, of 64 blocks of 1 MiB spread evenly over it.

    In such a large file a change between the blocks is not seen.
    """
    size = file.stat().st_size
    if size <= _WHOLE:
        return checksums.digest(file)
    blocks = hashlib.sha256()
    with file.open("rb") as stream:
        for block in range(_BLOCKS):
            stream.seek(block * (size - _BLOCK) // (_BLOCKS - 1))
            blocks.update(stream.read(_BLOCK))
    return blocks.hexdigest()


def changed(file: Path, problem: str) -> UserError:
    """The error for a dataset that is not as it was built."""
    return UserError(
        given=f"{file}: {problem}",
        allowed="a dataset that was written to its end and not changed since",
        remedy="build it again: the same command with --overwrite, or into another --output-dir; or fetch it again",
    )


def _read(root: Path) -> Mapping[str, Any] | None:
    file = root / MANIFEST_FILE
    if not file.exists():
        return None
    try:
        content = load_json(file, _LARGEST)
        problem = _problem(About(**content["about"]), content["files"])
        problem = problem or BuildCommand(**content.get("command", NO_COMMAND)).problem()
        problem = problem or _problem_of_names(CategoryNames(**content.get("categories", {"by": "", "names": []})))
        problem = problem or _problem_of_overlap(Overlap(**content.get("in_training", _NO_OVERLAP)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise changed(file, f"not a manifest ({shown(error)})") from error
    if problem:
        raise changed(file, f"not a manifest ({problem})")
    if content.pop("sha256", None) != _checksum(content):
        raise changed(file, "its content is not what was written")
    return content


def _problem(about: About, files: Mapping[str, Any]) -> str | None:
    """The part of a manifest that no builder of ours writes; its checksum proves nothing, as anyone can compute it."""
    for key in ("name", "protocol", "scorer"):
        text = getattr(about, key)
        if not isinstance(text, str) or not text.isprintable() or len(text) > _LONGEST_TEXT:
            return f"{key}={shown(repr(text))}"
    if type(about.version) is not int or not isinstance(about.facts, dict):
        return f"version={shown(repr(about.version))}, facts={shown(repr(about.facts))}"
    for name, entry in files.items():
        if not _inside(name):
            return f"a file {shown(repr(name))} that is not in the dataset's folder"
        if not isinstance(entry, dict) or not {"size", "sha256"} <= entry.keys():
            return "a file without size and sha256"
        if type(entry["size"]) is not int or not isinstance(entry["sha256"], str):
            return f"{name} of size {shown(repr(entry['size']))}"
    return None


def _problem_of_names(categories: CategoryNames) -> str | None:
    """The name of a category that no builder of ours writes."""
    for text in (categories.by, *categories.names):
        if not isinstance(text, str) or not text.isprintable() or len(text) > _LONGEST_TEXT:
            return f"a category {shown(repr(text))}"
    return None if isinstance(categories.names, list) else "categories without a list of names"


def _problem_of_overlap(known: Overlap) -> str | None:
    """A count or a text that no builder of ours writes."""
    counts = (known.examples, known.questions, known.answers)
    if any(type(count) is not int or not 0 <= count <= known.examples for count in counts):
        return f"counts in training of {shown(repr(counts))}"
    return None if isinstance(known.compared, str) and known.compared.isprintable() else "unprintable text"


def _inside(name: str) -> bool:
    """Whether a name with slashes is of a file below the folder that it is taken from."""
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and not {"", ".", ".."} & set(parts)


def _checksum(content: Mapping[str, Any]) -> str:
    return str(checksums.sealed(content)[checksums.CHECKSUM])
