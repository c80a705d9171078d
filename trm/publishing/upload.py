"""Pushing an export to the Hugging Face Hub, for whoever asks for it."""

import re
from pathlib import Path
from typing import Any, Protocol

from trm.errors import UserError
from trm.untrusted import shown

_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_LOGIN = "log in with a token that may write: hf auth login, or HF_TOKEN=…"


class HubApi(Protocol):
    """The part of `huggingface_hub.HfApi` that a push needs."""

    def whoami(self) -> Any: ...

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any: ...

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> Any: ...


def check_repository(repository: str) -> None:
    """UserError unless this is the name of a repository."""
    if _REPOSITORY.fullmatch(repository) is None:
        raise UserError(
            f"--push {shown(repository)}", "owner/repository", "name a repository of yours on the hub"
        )


def push(folder: Path, repository: str, private: bool, message: str, api: HubApi | None = None) -> str:
    """Make the repository where there is none, and upload the folder's files; returns its address.

    api: None for the hub itself.

    Raises:
        UserError: no token, no right to write, or no way to reach the hub.
    """
    from huggingface_hub import HfApi, errors

    used: HubApi = HfApi() if api is None else api
    try:
        used.whoami()
        used.create_repo(repository, private=private or None, exist_ok=True)
        used.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    except errors.LocalTokenNotFoundError as error:
        raise UserError(
            f"--push {repository}: no token of the hub", "a token that may write", _LOGIN
        ) from error
    except errors.HfHubHTTPError as error:
        raise _refused(folder, repository, error, error.response.status_code) from error
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
        raise _refused(folder, repository, error, None) from error
    return f"https://huggingface.co/{repository}"


def _refused(folder: Path, repository: str, error: Exception, status: int | None) -> UserError:
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    given = f"--push {repository}: {shown(said)}"
    if status in (401, 403):
        return UserError(given, "a repository that your token may write to", _LOGIN)
    return UserError(
        given,
        "a hub that can be reached (HF_HUB_OFFLINE unset) and that takes the files",
        f"the export is complete; later: hf upload {repository} {folder}",
    )
