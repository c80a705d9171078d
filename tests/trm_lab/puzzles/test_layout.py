"""Opening a dataset: what is there is what was written, and what is broken is refused."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.security.attempts import change_json
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.puzzles import kinds
from trm_lab.puzzles.layout import PuzzleMetadata, read_test_puzzles
from trm_lab.puzzles.manifest import About, fingerprint
from trm_lab.puzzles.splits import open_split

PUBLISHED_KEYS = [
    "pad_id", "ignore_label_id", "blank_identifier_id", "vocab_size", "seq_len", "num_puzzle_identifiers",
    "total_groups", "mean_puzzle_examples", "total_puzzles", "sets",
]  # fmt: skip


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return build(tmp_path)[0]


def test_published_datasets_open_whatever_their_integers(dataset: Path) -> None:
    for file in [*(dataset / "test").glob("*.npy"), dataset / "manifest.json", dataset / "test_puzzles.json"]:
        if file.suffix == ".npy":
            np.save(file, np.load(file).astype(np.int64))
        else:
            file.unlink()
    change_json(dataset / "test/dataset.json", ignore_label_id=None)
    split = open_split(dataset, "test")
    assert split.metadata.ignore_label_id is None
    assert isinstance(split.sets["all"].inputs, np.memmap)
    assert read_test_puzzles(dataset) == {}


def test_metadata_has_exactly_the_published_keys_and_survives_a_round_trip(dataset: Path) -> None:
    assert list(json.loads((dataset / "train" / "dataset.json").read_text())) == PUBLISHED_KEYS
    metadata = PuzzleMetadata.read(dataset / "train")
    metadata.write(dataset)
    assert PuzzleMetadata.read(dataset) == metadata


def test_a_missing_dataset_says_how_to_build_it_and_a_missing_split_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dataset at .*absent") as error:
        open_split(tmp_path / "absent", "train")
    assert "python -m data.build_" in error.value.remedy
    with pytest.raises(UserError) as error:
        open_split(tmp_path / "absent", "train", build_command="python -m data.build_it")
    assert error.value.remedy.endswith("else build it: python -m data.build_it")
    with pytest.raises(UserError, match="has no split 'validation'") as error:
        open_split(build(tmp_path)[0], "validation")
    assert "test, train" in error.value.allowed


def change_array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda file: np.save(file, change(np.load(file)))


Damage = Callable[[Path], object]
DAMAGES: tuple[tuple[str, Damage, str], ...] = (
    ("train/all__inputs.npy", Path.unlink, "missing"),
    ("train/all__labels.npy", lambda file: os.truncate(file, file.stat().st_size - 100), "cut off"),
    ("train/all__inputs.npy", change_array(lambda a: a[:-1]), "shape"),
    ("train/all__inputs.npy", change_array(lambda a: a[0]), "1-dimensional uint8"),
    ("train/all__labels.npy", change_array(lambda a: a.astype(float)), "2-dimensional float64"),
    ("train/all__puzzle_indices.npy", change_array(lambda a: a[:-1]), "examples"),
    ("train/all__group_indices.npy", change_array(lambda a: a + 1), "puzzles"),
    ("train/all__group_indices.npy", change_array(lambda a: a[:0]), "holds nothing"),
    ("train/all__puzzle_identifiers.npy", change_array(lambda a: a[:-1]), "identifiers for"),
    ("train/dataset.json", lambda file: file.write_text("{}"), "lacks pad_id"),
    ("train/dataset.json", lambda file: change_json(file, seq_len="144"), "seq_len='144'"),
    ("train/dataset.json", lambda file: change_json(file, total_groups=7), "promises 7 groups"),
    ("identifiers.json", Path.unlink, "missing"),
)


def test_a_broken_dataset_is_refused(dataset: Path) -> None:
    for name, damage, problem in DAMAGES:
        content = (dataset / name).read_bytes()
        damage(dataset / name)
        with pytest.raises(UserError, match=problem) as error:
            open_split(dataset, "train")
        assert str(dataset) in error.value.given
        assert "build it again" in error.value.remedy
        (dataset / name).write_bytes(content)


def test_a_fingerprint_follows_the_content_and_not_the_place(dataset: Path, tmp_path: Path) -> None:
    first = fingerprint(dataset)
    moved = dataset.rename(tmp_path / "elsewhere")
    assert fingerprint(moved) == first
    assert fingerprint(build(tmp_path, name="again")[0]) == first
    assert fingerprint(build(tmp_path, name="other", seed=1)[0]) != first


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    assert kinds.scorer_of(None) is None
    assert kinds.picture_of("chess", {}) is None
    with pytest.raises(UserError, match="asks for the scorer 'chess'") as error:
        kinds.scorer_of(About("mine", 1, "clean", "chess"))
    assert "sudoku" in error.value.allowed


def test_matplotlib_is_imported_by_no_module_but_when_a_picture_is_drawn() -> None:
    for file in Path(kinds.__file__).parent.rglob("*.py"):
        assert not re.search(r"^(import|from) matplotlib", file.read_text(), re.MULTILINE), file
