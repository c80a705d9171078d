"""Pushing to the hub: only if asked, exactly the export's files, and every refusal in three parts."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import errors

from tests.exportable import random_dis, write_run
from trm.errors import UserError
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.release.upload import push

transport = import_module(errors.HTTPError.__module__.partition(".")[0])  # what the hub's library sends with


class StubHub:
    """Remembers what it is asked; raises `refusal` at the call named `at`."""

    def __init__(self, at: str = "", refusal: Exception | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._at, self._refusal = at, refusal

    def _called(self, name: str, **given: Any) -> None:
        self.calls.append((name, given))
        if name == self._at and self._refusal is not None:
            raise self._refusal

    def whoami(self) -> None:
        self._called("whoami")

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> None:
        self._called("create_repo", repo_id=repo_id, private=private, exist_ok=exist_ok)

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        files = sorted(file.name for file in folder_path.iterdir())
        self._called("upload_folder", repo_id=repo_id, files=files, commit_message=commit_message)


def refusal(status: int) -> errors.HfHubHTTPError:
    response = transport.Response(status, request=transport.Request("POST", "https://hub.invalid"))
    return errors.HfHubHTTPError(f"{status} of the hub\nRequest ID: 1", response=response)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", random_dis())


def test_the_export_is_uploaded_as_it_lies_there(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub = StubHub()
    export(ExportRequest(str(run), "hub", tmp_path / "not asked"), hub)
    assert hub.calls == []
    request = ExportRequest(str(run), "hub", tmp_path / "out", push_to="me/model", private=True)
    export(request, hub)
    files = ["README.md", "config.yaml", "model.safetensors"]
    assert hub.calls == [
        ("whoami", {}),
        ("create_repo", {"repo_id": "me/model", "private": True, "exist_ok": True}),
        ("upload_folder", {"repo_id": "me/model", "files": files, "commit_message": "Step 12 of dis"}),
    ]
    assert "python evaluate.py hf://me/model" in (tmp_path / "out/README.md").read_text()
    assert "pushed to https://huggingface.co/me/model" in capsys.readouterr().out
    push(tmp_path, "me/model", False, "again", hub)
    assert hub.calls[3][1]["private"] is None  # a repository keeps its visibility


FIRST = "export without --push, and later: hf upload me"
LATER = "the export is complete; later: hf upload me/model"


@pytest.mark.parametrize(
    ("at", "raised", "message", "remedy"),
    [
        ("whoami", errors.LocalTokenNotFoundError("none"), "no token of the hub", "hf auth login"),
        ("create_repo", refusal(403), "403 of the hub", "hf auth login"),
        ("upload_folder", refusal(500), "500 of the hub", LATER),
        ("create_repo", transport.ConnectError("no route"), "no route", LATER),
        ("whoami", errors.OfflineModeIsEnabled("offline"), "offline", FIRST),
        ("whoami", ConnectionError("no route"), "no route", FIRST),
    ],
)
def test_a_refused_push_says_what_to_do_and_loses_nothing(
    run: Path, tmp_path: Path, at: str, raised: Exception, message: str, remedy: str
) -> None:
    request = ExportRequest(str(run), "hub", tmp_path / "out", push_to="me/model")
    with pytest.raises(UserError) as caught:
        export(request, StubHub(at, raised))
    assert message in caught.value.given
    assert "Request ID" not in caught.value.given
    assert remedy in caught.value.remedy
    assert caught.value.given.count("\n") == 0
    assert (tmp_path / "out/README.md").is_file() == (at != "whoami")  # refused before anything was written


def test_a_name_that_the_hub_does_not_take_is_refused_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    hub = StubHub()
    for name in ("model", "", "a/", "a/b/c", "../b", "a/b.git", "a--b/c", "a/-b", "a/b c", "a/" + "x" * 97):
        with pytest.raises(UserError, match="--push") as caught:
            export(ExportRequest(str(run), "hub", tmp_path / "out", push_to=name), hub)
        assert "owner/repository" in caught.value.allowed
    assert hub.calls == []
    assert not (tmp_path / "out").exists()
