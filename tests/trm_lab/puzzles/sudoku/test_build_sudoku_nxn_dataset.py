"""Sudokus have one solution and no two are images of one another."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from tests.trm_lab.puzzles import builders
from tests.trm_lab.puzzles.builders import build, check_same_bytes_twice
from tests.trm_lab.puzzles.sudoku import sudoku_reference as reference
from tests.trm_lab.puzzles.sudoku.sudoku_reference import BOXES
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.optim import AdamAtan2
from trm.randomness import SeededStepRandom
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.sudoku import builder_4x4 as build_sudoku_4x4_dataset
from trm_lab.puzzles.sudoku import nxn_builder as build_sudoku_nxn_dataset
from trm_lab.puzzles.sudoku import puzzles as sudoku_puzzles
from trm_lab.puzzles.sudoku.every_4x4 import every_puzzle
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES
from trm_lab.puzzles.sudoku.grids import count_grids, every_grid, sample_grids
from trm_lab.puzzles.sudoku.puzzles import remove_givens
from trm_lab.puzzles.sudoku.symmetries import fingerprints


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def split(dataset: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32]]:
    """Questions and answers as digits, and where groups end."""
    questions, answers, ends = builders.arrays(dataset, name)
    return questions - 1, answers - 1, ends


@pytest.mark.parametrize(("size", "puzzles"), [(4, 10), (6, 4), (9, 1)])
def test_givens_go_until_none_can(size: int, puzzles: int) -> None:
    grids = sample_grids(GEOMETRIES[size], puzzles, generator(10))
    given = remove_givens(GEOMETRIES[size], grids, np.zeros(puzzles, np.int64), generator(11))
    for question in np.where(given, grids, 0).tolist():
        assert reference.how_many(question, *BOXES[size]) == 1
        for cell in np.flatnonzero(question):
            without = [0 if place == cell else digit for place, digit in enumerate(question)]
            assert reference.how_many(without, *BOXES[size]) == 2


def test_the_list_of_4x4_puzzles_is_complete() -> None:
    questions, answers = every_puzzle()
    moves = reference.moves(2, 2)
    assert all(
        [answer] == list(reference.solutions(question, 2, 2))
        for question, answer in zip(questions[::40].tolist(), answers[::40].tolist(), strict=True)
    )
    of_any = {reference.canonical(question, moves) for question in questions}
    assert len(of_any) == len(questions) == 4710
    draw = generator(14)
    grids = every_grid(GEOMETRIES[4])[draw.integers(288, size=150)]
    for question in np.where(draw.random(grids.shape) < 0.45, grids, np.uint8(0)):
        unique = reference.how_many(question.tolist(), 2, 2) == 1
        assert (reference.canonical(question, moves) in of_any) == unique
    assert np.bincount(np.count_nonzero(questions, axis=1))[:5].tolist() == [0, 0, 0, 0, 13]  # known


@pytest.mark.parametrize(("size", "train", "test"), [(4, 60, 30), (6, 30, 10), (9, 6, 4)])
def test_puzzles_have_one_solution_and_splits_share_none_up_to_symmetry(
    size: int, train: int, test: int, tmp_path: Path
) -> None:
    flags = ("--size", size, "--train-size", train, "--test-size", test)
    dataset = build(build_sudoku_nxn_dataset, tmp_path / "set", *flags)
    canonical = set()
    moves = reference.moves(*BOXES[size]) if size < 9 else None
    for name, wanted in (("train", train), ("test", test)):
        questions, answers, _ = split(dataset, name)
        assert len(questions) == wanted
        for question, answer in zip(questions.tolist(), answers.tolist(), strict=True):
            assert reference.how_many(question, *BOXES[size]) == 1
            assert reference.is_solution(question, answer, *BOXES[size])
        if moves is not None:
            canonical |= {reference.canonical(question, moves) for question in questions}
        else:
            canonical |= set(fingerprints(GEOMETRIES[9], questions, answers).tolist())
    assert len(canonical) == train + test
    about = builders.about(dataset)
    assert about.protocol == "clean"
    assert about.facts["full_grids"] == count_grids(GEOMETRIES[size])
    metadata = json.loads((dataset / "test/dataset.json").read_text())
    assert (metadata["vocab_size"], metadata["seq_len"]) == (size + 2, size**2)


def test_puzzles_have_as_many_givens_as_requested(tmp_path: Path) -> None:
    sizes = ("--train-size", 20, "--test-size", 10)
    for size, flags, numbers in (
        (6, ("--givens", 14), {14}),
        (9, ("--min-givens", 30, "--max-givens", 33), {30, 31, 32, 33}),
    ):
        dataset = build(build_sudoku_nxn_dataset, tmp_path / str(size), "--size", size, *sizes, *flags)
        givens = [set(np.count_nonzero(split(dataset, name)[0], axis=1).tolist()) for name in ("train", "test")]
        assert set().union(*givens) == numbers


def test_images_of_training_puzzles_differ_and_are_their_images(tmp_path: Path) -> None:
    flags = ("--size", 6, "--train-size", 5, "--test-size", 5, "--num-aug", 12)
    dataset = build(build_sudoku_nxn_dataset, tmp_path / "set", *flags)
    questions, answers, ends = split(dataset, "train")
    assert ends.tolist() == list(range(0, 66, 13))
    moves = reference.moves(2, 3)
    for question, answer in zip(questions.tolist(), answers.tolist(), strict=True):
        assert reference.is_solution(question, answer, 2, 3)
    for start in ends[:-1]:
        group = questions[start : start + 13]
        assert len({question.tobytes() for question in group}) == 13
        assert len({reference.canonical(question, moves) for question in group}) == 1
    assert split(dataset, "test")[2].tolist() == list(range(6))


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        (("--size", 4, "--givens", 3), "3..3 givens for 4×4 cells\n  allowed: a range within 4..15"),
        (("--size", 6, "--min-givens", 7), "allowed: a range within 8..35"),
        (("--size", 9, "--min-givens", 40, "--max-givens", 30), "40..30 givens"),
        (("--givens", 30, "--max-givens", 40), "--givens 30 beside --min-givens or --max-givens"),
        (("--size", 4, "--givens", 4, "--train-size", 12, "--test-size", 2), "up to 13 in both splits"),
        (("--size", 5), "invalid choice: 5"),
    ):
        with pytest.raises(UserError) as refused:
            build(build_sudoku_nxn_dataset, tmp_path / "set", *flags)
        assert message in str(refused.value)
        assert not (tmp_path / "set").exists()


def test_puzzles_too_rare_to_be_found_are_given_up_and_not_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sudoku_puzzles, "_PATIENCE", 64)
    monkeypatch.setattr(sudoku_puzzles, "_SILENCE", 0)
    flags = ("--size", 6, "--givens", 8, "--train-size", 200)
    with pytest.raises(UserError, match=r"400 puzzles of 6×6 with 8\.\.8 givens: \d+ found, then none in"):
        build(build_sudoku_nxn_dataset, tmp_path / "set", *flags)
    assert "of 400 puzzles found" in capsys.readouterr().err


def test_same_flags_give_the_same_bytes(tmp_path: Path) -> None:
    small = ("--train-size", 12, "--test-size", 4, "--num-aug", 3)
    check_same_bytes_twice(build_sudoku_4x4_dataset, tmp_path / "4", *small)
    check_same_bytes_twice(build_sudoku_nxn_dataset, tmp_path / "6", "--size", 6, *small)


def test_a_model_learns_from_a_built_dataset_and_its_scorer_judges_the_answers(tmp_path: Path) -> None:
    flags = ("--train-size", 100, "--test-size", 20, "--num-aug", 20)
    dataset, rows = build(build_sudoku_4x4_dataset, tmp_path / "set", *flags), 16
    data = TrainingData([dataset], seed=0, global_batch_size=rows, epochs_per_iteration=10_000)
    metadata = data.metadata
    shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=2)
    config = network(hidden_size=32, puzzle_emb_ndim=32, H_cycles=1, L_cycles=2)
    model = TinyRecursiveModel(config, shape, DISSupervision.step_rows(settings))
    supervision = DISSupervision(model, settings)
    optimizer = AdamAtan2(model.parameters(), lr=3e-3)
    carry, losses = None, []
    data.start_iteration(0)
    for step in range(15):
        batch = data.next_batch()
        assert batch is not None
        carry = carry if carry is not None else supervision.initial_carry(batch)
        output = supervision.step(carry, batch, SeededStepRandom(0, step, rows))
        (output.loss / rows).backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        losses.append(output.loss.item() / rows)
    assert sum(losses[-3:]) < sum(losses[:3]), losses
    with torch.no_grad():
        test = EvaluationData([dataset], global_batch_size=rows)
        scores = Evaluator(supervision, test, Ranks(), arc=False).run().scores
    (task,) = scores["tasks"]
    assert (task["dataset"], task["scorer"]) == ("sudoku-4x4", "sudoku")
    assert task["examples"] == scores["examples"] == 20
    assert set(task["verdicts"]) == {"valid", "consistent", "solved"}
    assert 0 <= task["verdicts"]["solved"] <= 20
