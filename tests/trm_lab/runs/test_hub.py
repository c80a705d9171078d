"""Checkpoints on the hub: which files are fetched, what the cache gives without a network, and every refusal.

The hub's true library runs, in a process of its own, against a small hub on this machine or a laid-out cache.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.runs import REPOSITORY
from tests.small_hub import COMMIT, SmallHub, lay_cache
from trm.errors import UserError
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.runs import hub
from trm_lab.runs.hub import chosen, is_remote, located
from trm_lab.runs.weights import EXPORTED_CONFIG, EXPORTED_WEIGHTS, PUBLISHED_CONFIG

PUBLISHED = {"maze/step_7": b"weights", "maze/all_config.yaml": b"arch: {}", "README.md": b"read me"}
EXPORT = {"model.safetensors": b"weights", "config.yaml": b"arch: {}", "README.md": b"read me"}
SEVERAL = {"a/step_1": b"1", "a/step_2": b"2", "b/model.pth": b"3"}
CLOSED = "http://127.0.0.1:9"  # nobody listens at the discard port
SCRIPT = """
import sys
from trm.errors import UserError
from trm_lab.runs.hub import located
try:
    print(located(sys.argv[1]))
except UserError as error:
    print(f"{error.given} | {error.allowed} | {error.remedy}")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[SmallHub]:
    repositories = {"owner/published": PUBLISHED, "owner/export": EXPORT, "owner/several": SEVERAL}
    with SmallHub(repositories) as made:
        yield made
        made.shutdown()


def locate(target: str, cache: Path, endpoint: str, **more: str) -> tuple[str, str]:
    """What `located` gives in a process of its own, or the three parts of its error; and stderr."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
    own = {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, target],
        env={**kept, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(cache / "home"), **own, **more},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def offline(target: str, cache: Path) -> str:
    return locate(target, cache, CLOSED, HF_HUB_OFFLINE="1")[0]


def test_a_published_file_comes_with_its_configuration_and_is_there_without_a_network(
    server: SmallHub, tmp_path: Path
) -> None:
    found = Path(locate("hf://owner/published/maze/step_7", tmp_path, server.address)[0])
    assert found.read_bytes() == b"weights"
    assert (found.parent / "all_config.yaml").read_bytes() == b"arch: {}"
    assert not (found.parents[1] / "README.md").exists()
    assert offline("hf://owner/published/maze/step_7", tmp_path) == str(found)
    assert offline("hf://owner/published", tmp_path) == str(found)
    assert offline(f"hf://owner/published@{COMMIT}/maze", tmp_path) == str(found)
    unreached, said = locate("hf://owner/published", tmp_path, CLOSED)
    assert unreached == str(found)
    assert "the hub cannot be reached; hf://owner/published is read from the cache" in said


def test_a_repository_of_our_export_is_a_folder(server: SmallHub, tmp_path: Path) -> None:
    folder = Path(locate("hf://owner/export/", tmp_path, server.address)[0])
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "config.yaml"}
    assert folder.name == COMMIT


def test_a_laid_out_cache_is_enough(tmp_path: Path) -> None:
    snapshot = lay_cache(tmp_path, "owner/export", EXPORT)
    assert offline("hf://owner/export", tmp_path) == str(snapshot)
    assert (snapshot / "model.safetensors").is_symlink()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("hf://owner/gated", "hf://owner/gated is gated: "),
        ("hf://owner/gated", "ask for access at https://huggingface.co/owner/gated, then log in"),
        ("hf://owner/missing/step_7", "hf://owner/missing is not on the hub, or is private"),
        ("hf://owner/published@v9", "hf://owner/published@v9: there is no revision v9"),
        (
            "hf://owner/published/maze/step_8",
            "one of its files: README.md, maze/all_config.yaml, maze/step_7",
        ),
        ("hf://owner/several", "holds 3 checkpoints | a/step_1, a/step_2, b/model.pth | name one of them"),
        ("hf://owner/a--b", "hf://owner/a--b is not on the hub"),
    ],
)
def test_what_the_hub_refuses_is_said_in_three_parts(
    server: SmallHub, tmp_path: Path, target: str, message: str
) -> None:
    assert message in locate(target, tmp_path, server.address)[0]


def test_neither_network_nor_cache_says_which_of_them_to_mend(tmp_path: Path) -> None:
    unreached, _ = locate("hf://owner/export", tmp_path, CLOSED)
    assert "hf://owner/export cannot be fetched and is not in the hub's cache: " in unreached
    assert unreached.endswith("or fetch the files by other means and name their path")
    assert "is not in the hub's cache, and HF_HUB_OFFLINE is set" in offline("hf://owner/export", tmp_path)


def test_a_part_of_a_repository_in_the_cache_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    lay_cache(tmp_path, "owner/export", {"config.yaml": b"arch: {}"})
    said = offline("hf://owner/export", tmp_path)
    assert (
        "is not in the hub's cache, and the hub was not reached | what was fetched before: config.yaml"
        in said
    )


@pytest.mark.parametrize(
    ("names", "path", "files"),
    [
        (["step_7"], "step_7", ["step_7"]),
        (["step_7", "all_config.yaml"], "", ["step_7", "all_config.yaml"]),
        (["x/model.safetensors", "x/config.yaml", "x/step_7"], "x", ["x/model.safetensors", "x/config.yaml"]),
        (
            ["x/step_7", "x/model.safetensors", "x/config.yaml"],
            "x/model.safetensors",
            ["x/model.safetensors", "x/config.yaml"],
        ),
        ([*EXPORT], "model.safetensors", ["model.safetensors", "config.yaml"]),
        (["x/weights", "y/all_config.yaml"], "x/weights", ["x/weights"]),
        (["x/step_7.pth", "xy/step_8"], "x", ["x/step_7.pth"]),
        (["maze_hard_step_32550", "notes_step_by_step"], "", ["maze_hard_step_32550"]),
        (["x/model.ckpt", "README.md"], "", ["x/model.ckpt"]),
        (["step_7", "identifiers.json"], "step_7", ["step_7", "identifiers.json"]),
        ([*EXPORT, "identifiers.json"], "", ["model.safetensors", "config.yaml", "identifiers.json"]),
    ],
)
def test_the_weights_come_first_and_their_configuration_after_them(
    names: list[str], path: str, files: list[str]
) -> None:
    assert chosen(names, path, "hf://owner/name") == files


@pytest.mark.parametrize(
    "address",
    ["hf://", "hf://owner", "hf://owner/name@", "hf://owner/na me", "hf://owner/name/\x1b[2J", "hf:///x/y"],
)
def test_what_is_no_address_is_called_so(address: str) -> None:
    assert is_remote(address)
    with pytest.raises(UserError, match="is no address on the hub") as caught:
        located(address)
    assert caught.value.given.isprintable()


def test_names_of_a_stranger_s_repository_only_print(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as caught:
        chosen([f"\x1b]0;{i}" for i in range(30)], "step_7", "hf://owner/name")
    assert caught.value.allowed.isprintable()
    assert caught.value.allowed.endswith("and 10 more")


def test_the_names_of_files_are_those_of_the_forms() -> None:
    constants: Mapping[str, object] = {
        "CONFIG": PUBLISHED_CONFIG,
        "NAMES": IDENTIFIERS_FILE,
        "EXPORT": (EXPORTED_WEIGHTS, EXPORTED_CONFIG),
    }
    assert {name: getattr(hub, name) for name in constants} == constants
