"""Checkpoints on the Hugging Face Hub: `hf://owner/repository[@revision][/path]`.

Files are fetched into the hub's own cache. What was fetched once is there without a network; with `HF_HUB_OFFLINE=1`
the network is not even tried.
"""

import glob
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trm.errors import UserError, shown
from trm_lab.puzzles.layout import IDENTIFIERS_FILE

SCHEME = "hf://"
EXPORT = ("model.safetensors", "config.yaml")  # the files of a folder that export.py wrote
CONFIG = "all_config.yaml"  # beside a published file
PUBLISHED = re.compile(r"(.*_)?step_\d+(\.\w+)?|.+\.(pth|pt|ckpt)", re.ASCII)  # names of published files
EXAMPLE = "python evaluate.py hf://arcprize/trm_arc_prize_verification/<file>"
LARGEST = 64 << 30  # bytes of the files of one checkpoint; published ones have a few GB
TIMEOUT = 10.0  # seconds until the hub answers
_ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w.-]+))?(/(?P<path>[\w./-]+))?", re.ASCII)
_MOST_SHOWN = 20  # names in one error


def is_remote(target: str) -> bool:
    """Whether `target` is an address on the hub."""
    return target.startswith(SCHEME)


def located(target: str) -> Path:
    """Fetch a checkpoint with its configuration into the hub's cache; returns its file, or its folder if an export.

    Raises:
        UserError: no such address, no checkpoint there, or no way to reach it.
    """
    match = _ADDRESS.fullmatch(target.rstrip("/"))
    if match is None:
        raise UserError(
            f"{shown(target)} is no address on the hub",
            "hf://owner/repository, hf://owner/repository/file, either with @revision behind the repository",
            EXAMPLE,
        )
    path = match["path"] or ""
    repository = Repository(match["repository"], match["revision"] or "main")
    sizes = repository.file_sizes()
    if sizes is None:  # the hub cannot be reached
        snapshot = repository.snapshot(None)
        cached_names = [f.relative_to(snapshot).as_posix() for f in snapshot.rglob("*") if f.is_file()]
        files = checkpoint_files(cached_names, path, target, whole=False)
    else:
        files = checkpoint_files(list(sizes), path, target)
        size = sum(sizes[name] for name in files)
        if size > LARGEST:
            raise UserError(
                f"{target} has {size:,} bytes",
                f"checkpoints of at most {LARGEST:,} bytes",
                "check the address; if it is what you want, fetch it by other means and name its path",
            )
        snapshot = repository.snapshot(files)
    weights = snapshot / files[0]
    return weights.parent if weights.name == EXPORT[0] else weights


def checkpoint_files(names: Sequence[str], path: str, target: str, whole: bool = True) -> list[str]:
    """The files of the checkpoint at `path` ("": anywhere) in a repository with files `names`: the weights first.

    whole: whether `names` are all files of the repository, and not only those in the cache.

    Raises:
        UserError: no checkpoint there, or several.
    """
    if PurePosixPath(path).name == EXPORT[0] and str(PurePosixPath(path).with_name(EXPORT[1])) in names:
        path = path.removesuffix(EXPORT[0]).rstrip("/")  # the weights of an export stand for its folder
    if path in names:
        beside = [str(PurePosixPath(path).with_name(name)) for name in (CONFIG, IDENTIFIERS_FILE)]
        return [path, *(name for name in beside if name in names)]
    folder = f"{path}/" if path else ""
    if all(folder + name in names for name in EXPORT):
        return [folder + name for name in (*EXPORT, IDENTIFIERS_FILE) if folder + name in names]
    weights = [n for n in names if n.startswith(folder) and PUBLISHED.fullmatch(PurePosixPath(n).name)]
    if len(weights) == 1:
        return checkpoint_files(names, weights[0], target, whole)
    if weights:
        raise UserError(
            f"{target} holds {len(weights)} checkpoints",
            _listed(weights),
            f"name one of them behind the repository, as in {EXAMPLE}",
        )
    if not whole:
        raise UserError(
            f"{target} is not in the hub's cache, and the hub was not reached",
            f"what was fetched before: {_listed(names)}",
            "give the same command again where there is a network, without HF_HUB_OFFLINE",
        )
    raise UserError(
        f"{target}: there is no such file, nor a checkpoint in such a folder",
        f"one of its files: {_listed(names)}",
        "check the path, or fetch another revision: hf://owner/repository@revision/file",
    )


@dataclass(frozen=True)
class Repository:
    """A model repository on the hub; revision: a branch, a tag or a commit."""

    name: str
    revision: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}" + ("" if self.revision == "main" else f"@{self.revision}")

    def file_sizes(self) -> dict[str, int] | None:
        """Bytes of each file (0 where the hub does not say); None where the hub cannot be reached.

        Raises:
            UserError: the hub refuses: no such repository or revision, or no right to it.
        """
        from huggingface_hub import HfApi, errors  # imported here: it takes a fifth of a second

        try:
            info = HfApi().model_info(self.name, revision=self.revision, timeout=TIMEOUT, files_metadata=True)
        except errors.OfflineModeIsEnabled:
            return None
        except (errors.HTTPError, OSError, ValueError) as error:
            if isinstance(error, _refusals()):
                raise self._error(error) from error
            try:
                self.snapshot(None)
            except UserError:
                raise self._error(error) from error
            print(f"the hub cannot be reached; {self} is read from the cache", file=sys.stderr, flush=True)
            return None
        return {file.rfilename: file.size or 0 for file in info.siblings or []}

    def snapshot(self, files: Sequence[str] | None) -> Path:
        """The repository's folder in the cache, into which `files` are fetched; None: without using the network.

        Raises:
            UserError: they cannot be fetched, or are not there any more.
        """
        from huggingface_hub import errors, snapshot_download

        patterns = [glob.escape(name) for name in files or ()]
        try:
            folder = Path(
                snapshot_download(
                    self.name, revision=self.revision, allow_patterns=patterns, local_files_only=files is None
                )
            )
        except (errors.HTTPError, OSError, ValueError) as error:
            raise self._error(error) from error
        for name in files or ():
            if not (folder / name).is_file():
                raise UserError(
                    f"{self}: {name} was not fetched; it is gone meanwhile, or the network is",
                    "one of its files",
                    "give the same command again",
                )
        return folder

    def _error(self, error: Exception) -> UserError:
        """What the hub, the network or the cache refused, in three parts."""
        from huggingface_hub import constants, errors

        message = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if isinstance(error, errors.GatedRepoError):
            return UserError(
                f"{self} is gated: {shown(message)}",
                "repositories that your account may read",
                f"ask for access at https://huggingface.co/{self.name}, then log in: hf auth login",
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return UserError(
                f"{self}: there is no revision {self.revision}",
                "a branch, a tag or a commit of the repository",
                f"see https://huggingface.co/{self.name}/commits/main",
            )
        if isinstance(error, _refusals()):
            return UserError(
                f"{self} is not on the hub, or is private: {shown(message)}",
                "a model repository: hf://owner/repository",
                "check its name; for a private one log in: hf auth login",
            )
        if constants.HF_HUB_OFFLINE:
            return UserError(
                f"{self} is not in the hub's cache, and HF_HUB_OFFLINE is set",
                "what was fetched before, or a network",
                "fetch it where there is a network, or unset HF_HUB_OFFLINE",
            )
        return UserError(
            f"{self} cannot be fetched and is not in the hub's cache: {shown(message)}",
            "a network that reaches huggingface.co, or what was fetched before",
            "check the network and give the same command again, or fetch the files by other means and name their path",
        )


def _refusals() -> tuple[type[Exception], ...]:
    """Answers of the hub against which neither another try nor the cache helps."""
    from huggingface_hub import errors

    return (
        errors.RepositoryNotFoundError,  # a gated one is a subclass
        errors.RevisionNotFoundError,
        errors.DisabledRepoError,
        errors.HFValidationError,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return (", ".join(shown(name) for name in sorted(names)[:_MOST_SHOWN]) or "none") + more
