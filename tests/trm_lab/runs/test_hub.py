"""Checkpoints on the hub: which files are fetched, what the cache gives without a network, and every refusal.

The hub's true library runs, in a process of its own, against a small hub on this machine or a laid-out cache.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import REPOSITORY
from tests.small_hub import COMMIT, SmallHub, lay_cache
from trm.errors import UserError
from trm_lab.runs import hub
from trm_lab.runs.hub import checkpoint_files, is_remote, located

PUBLISHED = {"maze/step_7": b"weights", "maze/all_config.yaml": b"arch: {}", "README.md": b"read me"}
EXPORT = {"model.safetensors": b"weights", "config.yaml": b"arch: {}", "README.md": b"read me"}
SEVERAL = {"a/step_1": b"1", "a/step_2": b"2", "b/model.pth": b"3"}
CLOSED = "http://127.0.0.1:9"  # nobody listens at the discard port
SCRIPT = """
import sys
from trm.errors import UserError
from trm_lab.runs.hub import located
for target in sys.argv[1:]:
    try:
        print(located(target))
    except UserError as error:
        print(f"{error.given} | {error.allowed} | {error.remedy}")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[SmallHub]:
    repositories = {"owner/published": PUBLISHED, "owner/export": EXPORT, "owner/several": SEVERAL}
    with SmallHub(repositories) as hub_server:
        yield hub_server
        hub_server.shutdown()


def locate(cache: Path, endpoint: str, *targets: str, **variables: str) -> tuple[list[str], str]:
    """For each target the path that `located` gives in another process, or the error's three parts; and stderr."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
    hub_s = {"HF_HUB_CACHE": str(cache), "HF_HOME": str(cache / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    own = {"HF_ENDPOINT": endpoint, "PYTHONPATH": str(REPOSITORY), **hub_s, **variables}
    words = [sys.executable, "-c", SCRIPT, *targets]
    done = subprocess.run(words, env={**inherited, **own}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_a_published_file_comes_with_its_configuration_and_is_there_without_a_network(
    server: SmallHub, tmp_path: Path
) -> None:
    targets = ["hf://owner/published/maze/step_7", "hf://owner/export/"]
    (published, exported), _ = locate(tmp_path, server.address, *targets)
    file, folder = Path(published), Path(exported)
    assert file.read_bytes() == b"weights"
    assert (file.parent / "all_config.yaml").read_bytes() == b"arch: {}"
    assert not (file.parents[1] / "README.md").exists()
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "config.yaml"}
    assert folder.name == COMMIT
    assert not any("README" in request for request in server.asked)
    snapshot = lay_cache(tmp_path, "owner/copied", EXPORT)  # fetched elsewhere
    lay_cache(tmp_path, "owner/part", {"config.yaml": b"arch: {}"})
    expected = {
        targets[0]: str(file),
        targets[1]: str(folder),
        "hf://owner/published": str(file),
        f"hf://owner/published@{COMMIT}/maze": str(file),
        "hf://owner/copied": str(snapshot),
        "hf://owner/part": "hub was not reached | what was fetched before: config.yaml",
        "hf://owner/other": "is not in the hub's cache, and HF_HUB_OFFLINE is set",
    }
    said, _ = locate(tmp_path, CLOSED, *expected, HF_HUB_OFFLINE="1")
    for line, text in zip(said, expected.values(), strict=True):
        assert text in line
    (path, unreached), errors = locate(tmp_path, CLOSED, "hf://owner/published", "hf://owner/other")
    assert path == str(file)
    assert "the hub cannot be reached; hf://owner/published is read from the cache" in errors
    assert "hf://owner/other cannot be fetched and is not in the hub's cache: " in unreached
    assert unreached.endswith("or fetch the files by other means and name their path")


def test_what_the_hub_refuses_is_said_in_three_parts(server: SmallHub, tmp_path: Path) -> None:
    messages = {
        "hf://owner/gated": "hf://owner/gated is gated: ",
        "hf://owner/missing/step_7": "hf://owner/missing is not on the hub, or is private",
        "hf://owner/published@v9": "hf://owner/published@v9: there is no revision v9",
        "hf://owner/published/maze/step_8": "one of its files: README.md, maze/all_config.yaml, maze/step_7",
        "hf://owner/several": "holds 3 checkpoints | a/step_1, a/step_2, b/model.pth | name one of them",
        "hf://owner/a--b": "hf://owner/a--b is not on the hub",
    }
    said, _ = locate(tmp_path, server.address, *messages)
    assert all(message in line for message, line in zip(messages.values(), said, strict=True))
    assert said[0].endswith("ask for access at https://huggingface.co/owner/gated, then log in: hf auth login")


def test_files_of_terabytes_are_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.Repository, "file_sizes", lambda _: {"step_7": 10**13})
    monkeypatch.setattr(hub.Repository, "snapshot", lambda *_: pytest.fail("fetched"))
    with pytest.raises(UserError, match="has 10,000,000,000,000 bytes"):
        located("hf://owner/name")


def test_the_weights_come_first_and_their_configuration_after_them() -> None:
    export = ["x/model.safetensors", "x/config.yaml"]
    cases: list[tuple[list[str], str, list[str]]] = [
        (["step_7", "identifiers.json"], "step_7", ["step_7", "identifiers.json"]),
        (["step_7", "all_config.yaml"], "", ["step_7", "all_config.yaml"]),
        ([*export, "x/step_7"], "x", export),
        (["x/step_7", *export], "x/model.safetensors", export),
        (["x/weights", "y/all_config.yaml"], "x/weights", ["x/weights"]),
        (["x/step_7.pth", "xy/step_8"], "x", ["x/step_7.pth"]),
        (["maze_hard_step_32550", "notes_step_by_step"], "", ["maze_hard_step_32550"]),
        (["x/model.ckpt", "README.md"], "", ["x/model.ckpt"]),
        ([*EXPORT, "identifiers.json"], "", ["model.safetensors", "config.yaml", "identifiers.json"]),
    ]
    for names, path, files in cases:
        assert checkpoint_files(names, path, "hf://owner/name") == files


def test_what_is_no_address_is_called_so() -> None:
    for address in ("hf://", "hf://owner", "hf://owner/na me", "hf://owner/name/\x1b[2J", "hf:///x/y"):
        assert is_remote(address)
        with pytest.raises(UserError, match="is no address on the hub") as caught:
            located(address)
        assert caught.value.given.isprintable()


def test_names_of_a_stranger_s_repository_only_print(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as caught:
        checkpoint_files([f"\x1b]0;{i}" for i in range(30)], "step_7", "hf://owner/name")
    assert caught.value.allowed.isprintable()
    assert caught.value.allowed.endswith("and 10 more")
