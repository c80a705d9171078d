"""A checkpoint says what its puzzles are, exports hand it on, and a stranger's description is held to bounds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.exportable import random_dis, write_run
from tests.runs import train_here
from trm.errors import UserError
from trm_lab.puzzles.datasets import PuzzleData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.writer import Examples, write_plain_dataset
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.puzzle_description import LONGEST, PuzzleDescription

QUEENS = PuzzleDescription("nqueens-4", "queens", 16, 3, {"side": 4, "odd": "${oc.env:HOME} /etc/x \ud800"})


def test_training_writes_it_and_every_export_hands_it_on(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("global_batch_size=8", "epochs=40", "eval_interval=40", "max_steps=1", "evaluators=[]")
    train_here("pretrain.py", f"data_paths=[{dataset}]", f"checkpoint_path={run}", *words)
    expected = PuzzleDescription.of(PuzzleData([dataset], "train"))
    assert (expected.name, expected.is_arc, expected.seq_len) == ("arc", True, 16)
    assert PuzzleDescription.of_dataset(dataset) == expected
    assert open_checkpoint(run).puzzle == expected
    assert open_checkpoint(run).row_names is not None
    for form in ("hub", "published"):
        export(ExportRequest(str(run), form, tmp_path / form))
        assert open_checkpoint(tmp_path / form).puzzle == expected


@pytest.mark.parametrize(("side", "vocab_size"), [(9, 11), (4, 12), (3, 5)])  # also in the shapes of sudoku and ARC
def test_a_dataset_that_names_no_kind_is_asked_in_its_tokens(side: int, vocab_size: int, tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(0, vocab_size, (4, side * side), np.uint8)
    splits = {"train": Examples(tokens[:2], tokens[:2]), "test": Examples(tokens[2:], tokens[2:])}
    write_plain_dataset(tmp_path / "own", About("own", 1, "clean"), splits, vocab_size=vocab_size)
    described = PuzzleDescription.of_dataset(tmp_path / "own")
    assert (described.kind, described.facts, described.is_arc) == ("tokens", {"vocab_size": vocab_size}, False)
    assert PuzzleDescription.of(PuzzleData([tmp_path / "own"], "train")) == described


def test_older_checkpoints_say_nothing(tmp_path: Path) -> None:
    assert open_checkpoint(write_run(tmp_path / "run", random_dis())).puzzle is None


def test_a_configuration_finds_no_interpolation_in_the_facts() -> None:
    text = OmegaConf.to_yaml(OmegaConf.create({"puzzle": QUEENS.encoded()}))
    assert "${" not in text
    assert PuzzleDescription.read(OmegaConf.create(text)["puzzle"]) == QUEENS


@pytest.mark.parametrize(
    "content",
    [
        7,
        "{",
        "[" * 1000,
        {"name": "x"},
        QUEENS.as_dict() | {"seq_len": 10**12},
        QUEENS.as_dict() | {"vocab_size": True},
        QUEENS.as_dict() | {"kind": "\x1b[31m"},
        QUEENS.as_dict() | {"facts": []},
        QUEENS.as_dict() | {"facts": {"side": float("nan")}},
        QUEENS.as_dict() | {"facts": {"side": "8" * LONGEST}},
        QUEENS.as_dict() | {"more": 1},
    ],
)
def test_anything_else_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        PuzzleDescription.read(content)


def test_a_stranger_s_description_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    export(ExportRequest(str(write_run(tmp_path / "run", random_dis())), "hub", tmp_path / "out"))
    config = tmp_path / "out/config.yaml"
    config.write_text(config.read_text() + f"puzzle: '{json.dumps({'name': 'x'})}'\n")
    with pytest.raises(UserError, match=r"config\.yaml: puzzle: ") as caught:
        open_checkpoint(tmp_path / "out")
    assert caught.value.given.isprintable()
