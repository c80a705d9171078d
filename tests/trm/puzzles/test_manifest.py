"""A dataset says what it is; a changed, cut off or missing file is noticed when it is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trm.puzzles.small_arc import build
from trm.errors import UserError
from trm.puzzles import manifest
from trm.puzzles.loading import EvaluationData, TrainingData
from trm.puzzles.manifest import (
    MANIFEST_FILE,
    About,
    check_files,
    digest,
    fingerprint,
    read_about,
    write_manifest,
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return build(tmp_path)[0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["train/all__inputs.npy", "identifiers.json", "test/dataset.json"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [(flip, "its content is not what was built"), (cut, "bytes instead of"), (Path.unlink, "missing")],
)
def test_a_changed_file_is_named_when_the_dataset_is_loaded(
    dataset: Path, file: str, damage: Callable[[Path], None], problem: str
) -> None:
    damage(dataset / file)
    with pytest.raises(UserError, match=problem) as error:
        check_files(dataset)
    assert file in error.value.given
    with pytest.raises(UserError):
        TrainingData([dataset], seed=0, global_batch_size=8)
    with pytest.raises(UserError):
        EvaluationData([dataset], global_batch_size=8)


def test_a_dataset_of_the_published_builders_has_no_manifest_and_loads(dataset: Path) -> None:
    with_manifest = fingerprint(dataset)
    (dataset / MANIFEST_FILE).unlink()
    assert read_about(dataset) is None
    TrainingData([dataset], seed=0, global_batch_size=8)
    without = fingerprint(dataset)
    assert without != with_manifest
    flip(dataset / "train" / "all__inputs.npy")
    assert fingerprint(dataset) != without


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"about": {}, "files": {}}', '{"about": 3, "files": 3}']
)
def test_a_broken_manifest_is_refused(dataset: Path, content: str) -> None:
    (dataset / MANIFEST_FILE).write_text(content)
    with pytest.raises(UserError, match=r"manifest.json: not a manifest"):
        read_about(dataset)


def test_what_is_written_of_a_dataset_is_read_back(tmp_path: Path) -> None:
    about = About("mine", 3, "clean", "queens", {"side": 8})
    (tmp_path / "file").write_text("content")
    write_manifest(tmp_path, about)
    assert read_about(tmp_path) == about
    assert json.loads((tmp_path / MANIFEST_FILE).read_text())["files"]["file"]["size"] == 7


def test_of_a_large_file_blocks_are_read_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_WHOLE", 1 << 12)
    monkeypatch.setattr(manifest, "_BLOCK", 16)
    file = tmp_path / "large"
    seen = {}
    for place in (None, 0, 5, (1 << 16) - 1, 100):
        content = bytearray(1 << 16)
        if place is not None:
            content[place] = 1
        file.write_bytes(content)
        seen[place] = digest(file)
    assert len({seen[None], seen[0], seen[5], seen[(1 << 16) - 1]}) == 4
    assert seen[100] == seen[None]  # documented: between the blocks nothing is seen
