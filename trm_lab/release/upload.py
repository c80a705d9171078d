"""Pushing an export to the Hugging Face Hub, for whoever asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from trm.errors import UserError, shown

_LOGIN = "log in with a token that may write: hf auth login, or HF_TOKEN=…"


class HubApi(Protocol):
    """The part of `huggingface_hub.HfApi` that a push needs."""

    def whoami(self) -> Any: ...

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any: ...

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> Any: ...


def check_repository(repository: str) -> None:
    """UserError unless this is the name of a repository, by the hub's own rules."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    problem = None if repository.count("/") == 1 else "no name of an owner and a repository"
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        problem = problem or shown(_first_line(error))
    if problem is not None:
        raise UserError(
            f"--push {shown(repository)}: {problem}",
            "owner/repository, each of letters, digits, and single - _ . between them",
            "name a repository of yours on the hub",
        )


def check_login(repository: str, api: HubApi | None = None) -> None:
    """Ask the hub who we are, before anything is written.

    Raises:
        UserError: no token, or no way to reach the hub.
    """
    with _refusals(repository, "export without --push, and later: hf upload " + f"{repository} <the folder>"):
        (api or _hub()).whoami()


def push(folder: Path, repository: str, private: bool, message: str, api: HubApi | None = None) -> str:
    """Make the repository where there is none, and upload the folder's files; returns its address.

    api: None for the hub itself.

    Raises:
        UserError: no right to write, or no way to reach the hub.
    """
    hub = api or _hub()
    with _refusals(repository, f"the export is complete; later: hf upload {repository} {folder}"):
        hub.create_repo(repository, private=private or None, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    return f"https://huggingface.co/{repository}"


def _hub() -> HubApi:
    from huggingface_hub import HfApi

    return HfApi()


@contextmanager
def _refusals(repository: str, remedy: str) -> Iterator[None]:
    """What the hub or the way to it refuses in the block, in three parts.

    remedy: where it is neither the token nor the right to write.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.LocalTokenNotFoundError as error:
        raise UserError(f"--push {repository}: no token of the hub", "a token that may write", _LOGIN) from error
    except errors.HfHubHTTPError as error:
        given = f"--push {repository}: {shown(_first_line(error))}"
        if error.response.status_code in (401, 403):
            raise UserError(given, "a repository that your token may write to", _LOGIN) from error
        raise UserError(given, "a repository and files that the hub takes", remedy) from error
    # the second kind as an older library raises it, the others as its parts that send files do
    except (errors.HTTPError, OSError, RuntimeError, ValueError) as error:
        given = f"--push {repository}: {shown(_first_line(error))}"
        raise UserError(given, "a hub that can be reached (HF_HUB_OFFLINE unset)", remedy) from error


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
