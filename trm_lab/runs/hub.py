"""The Hugging Face Hub, as a place that checkpoints come from: `hf://owner/repository[@revision][/path]`.

The hub's own cache is used: what was fetched once is there without a network (`HF_HUB_OFFLINE=1` does not even try).
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trm.errors import UserError, shown

SCHEME = "hf://"
EXPORT = ("model.safetensors", "config.yaml")  # the files of a folder that export.py wrote
CONFIG = "all_config.yaml"  # beside a published file
NAMES = "identifiers.json"  # of the puzzle table's rows, beside weights that tell them
PUBLISHED = re.compile(r"(.*_)?step_\d+(\.\w+)?|.+\.(pth|pt|ckpt)", re.ASCII)
EXAMPLE = "python evaluate.py hf://arcprize/trm_arc_prize_verification/<file>"
_ADDRESS = re.compile(
    r"hf://(?P<repository>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w.-]+))?(/(?P<path>[\w./-]+))?", re.ASCII
)
PATIENCE = 10.0  # seconds
_MOST_SHOWN = 20  # names in one error


def is_remote(target: str) -> bool:
    """Whether `target` names something on the hub."""
    return target.startswith(SCHEME)


def located(target: str) -> Path:
    """Fetch what `target` names into the hub's cache, with what must lie beside it; a file or a folder there.

    Raises:
        UserError: no such address, nothing there, or no way to reach it.
    """
    match = _ADDRESS.fullmatch(target.rstrip("/"))
    if match is None:
        raise UserError(
            f"{shown(target)} is no address on the hub",
            "hf://owner/repository, hf://owner/repository/file, either with @revision behind the repository",
            EXAMPLE,
        )
    repository = Repository(match["repository"], match["revision"] or "main")
    names, whole = repository.names()
    wanted = chosen(names, match["path"] or "", target, whole)
    first = repository.fetched(wanted[0])
    same = Repository(repository.name, repository.commit_of(first, wanted[0]))  # whatever is pushed meanwhile
    for name in wanted[1:]:
        same.fetched(name)
    return first.parent if first.name == EXPORT[0] else first


def chosen(names: Sequence[str], path: str, target: str, whole: bool = True) -> list[str]:
    """The files to fetch for `path` ("": the whole repository) of a repository with these files: the weights first.

    whole: whether `names` are all of its files; if not, those in the cache.

    Raises:
        UserError: no checkpoint there, or several.
    """
    if PurePosixPath(path).name == EXPORT[0] and str(PurePosixPath(path).with_name(EXPORT[1])) in names:
        path = path.removesuffix(EXPORT[0]).rstrip("/")  # an export is its folder
    if path in names:
        beside = [str(PurePosixPath(path).with_name(name)) for name in (CONFIG, NAMES)]
        return [path, *(name for name in beside if name in names)]
    inside = f"{path}/" if path else ""
    export = [inside + name for name in EXPORT]
    if all(name in names for name in export):
        return [*export, *([inside + NAMES] if inside + NAMES in names else [])]
    found = [n for n in names if n.startswith(inside) and PUBLISHED.fullmatch(PurePosixPath(n).name)]
    if len(found) == 1:
        return chosen(names, found[0], target, whole)
    if found:
        raise UserError(
            f"{target} holds {len(found)} checkpoints",
            _listed(found),
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


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return (", ".join(shown(name) for name in sorted(names)[:_MOST_SHOWN]) or "none") + more


@dataclass(frozen=True)
class Repository:
    """A model repository at a branch, a tag or a commit."""

    name: str
    revision: str

    def names(self) -> tuple[list[str], bool]:
        """Its files, and whether these are all: where the hub cannot be reached, they are those in the cache.

        Raises:
            UserError: no such repository or revision, no right to it, or neither network nor cache.
        """
        from huggingface_hub import HfApi, errors  # a fifth of a second, for those who need it

        try:
            about = HfApi().model_info(self.name, revision=self.revision, timeout=PATIENCE)
            return [file.rfilename for file in about.siblings or []], True
        except _refusals() as error:
            raise self._refused(error) from error
        except (errors.OfflineModeIsEnabled, errors.HTTPError, OSError, ValueError) as error:
            cached = self._cached_names()
            if not cached:
                raise self._unreachable(error) from error
            if not isinstance(error, errors.OfflineModeIsEnabled):
                print(
                    f"the hub cannot be reached; {self} is read from the cache", file=sys.stderr, flush=True
                )
            return cached, False

    def fetched(self, name: str) -> Path:
        """A file, in the cache.

        Raises:
            UserError: it is not there, there is no right to it, or neither network nor cache.
        """
        from huggingface_hub import errors, hf_hub_download

        try:
            return Path(hf_hub_download(self.name, name, revision=self.revision))
        except errors.LocalEntryNotFoundError as error:
            raise self._unreachable(error, name) from error
        except _refusals() as error:
            raise self._refused(error) from error
        except errors.EntryNotFoundError as error:
            raise UserError(
                f"{self} has no file {name} any more", "one of its files", "give the same command again"
            ) from error
        except (errors.HTTPError, OSError, ValueError) as error:
            raise self._unreachable(error, name) from error

    @staticmethod
    def commit_of(file: Path, name: str) -> str:
        """The commit of a cached file: its folder's, `snapshots/<commit>/<name>`."""
        return file.parents[len(PurePosixPath(name).parts) - 1].name

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}" + ("" if self.revision == "main" else f"@{self.revision}")

    def _cached_names(self) -> list[str]:
        """The files in the cache: `models--owner--repository/snapshots/<commit>/`, the commit in `refs/<revision>`."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        root = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.name, repo_type="model")
        reference = root / "refs" / self.revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else self.revision
        snapshot = root / "snapshots" / commit
        return [file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file()]

    def _refused(self, error: Exception) -> UserError:
        from huggingface_hub import errors

        if isinstance(error, errors.GatedRepoError):
            return UserError(
                f"{self} is gated: {_reason(error)}",
                "repositories that your account may read",
                f"ask for access at https://huggingface.co/{self.name}, then log in: hf auth login",
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return UserError(
                f"{self}: there is no revision {self.revision}",
                "a branch, a tag or a commit of the repository",
                f"see https://huggingface.co/{self.name}/commits/main",
            )
        return UserError(
            f"{self} is not on the hub, or is private: {_reason(error)}",
            "a model repository: hf://owner/repository",
            "check its name; for a private one log in: hf auth login",
        )

    def _unreachable(self, error: Exception, name: str = "") -> UserError:
        from huggingface_hub import constants

        what = f"{name} of {self}" if name else str(self)
        if constants.HF_HUB_OFFLINE:
            return UserError(
                f"{what} is not in the hub's cache, and HF_HUB_OFFLINE is set",
                "what was fetched before, or a network",
                "fetch it where there is a network, or unset HF_HUB_OFFLINE",
            )
        return UserError(
            f"{what} cannot be fetched and is not in the hub's cache: {_reason(error)}",
            "a network that reaches huggingface.co, or what was fetched before",
            "check the network and give the same command again, or fetch the files by other means and name their path",
        )


def _refusals() -> tuple[type[Exception], ...]:
    """What the hub answers that trying again, or a copy in the cache, does not help against."""
    from huggingface_hub import errors

    return (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
        errors.DisabledRepoError,
        errors.HFValidationError,
    )


def _reason(error: Exception) -> str:
    """An error's first line; the hub's own come with several."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return shown(lines[0]) if lines else type(error).__name__
