"""The ARC builder: published semantics on tasks small enough to check by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import EVALUATION, TRAINING, build, tasks, write_sources
from tests.trm_lab.puzzles.builders import files
from trm.errors import UserError
from trm_lab.puzzles.arc.augmentation import IDENTITY, draw, parse_name
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.puzzles.arc.puzzles import fixed_shifts
from trm_lab.puzzles.layout import read_identifiers, read_test_puzzles
from trm_lab.puzzles.splits import PuzzleArrays, open_split

CANVAS = 12
Examples = dict[int, list[tuple[np.ndarray, np.ndarray]]]  # puzzle: its inputs and labels


def examples(arrays: PuzzleArrays) -> Examples:
    bounds = zip(arrays.puzzle_indices[:-1], arrays.puzzle_indices[1:], strict=True)
    return {
        puzzle: [(arrays.inputs[i], arrays.labels[i]) for i in range(first, last)]
        for puzzle, (first, last) in enumerate(bounds)
    }


def names_of(dataset: Path, arrays: PuzzleArrays) -> list[str]:
    names = read_identifiers(dataset)
    return [names[identifier] for identifier in arrays.puzzle_identifiers]


def test_counts_are_those_of_the_tasks(tmp_path: Path) -> None:
    dataset, summary = build(tmp_path)
    train, test = open_split(dataset, "train").metadata, open_split(dataset, "test").metadata
    assert (summary.train, summary.test, summary.hidden_pairs) == (train, test, 0)
    assert (train.total_groups, test.total_groups) == (5, 2)
    assert (train.total_puzzles, test.total_puzzles) == (4 * 7 + 1, 2 * 7)  # `black` has one look only
    assert train.num_puzzle_identifiers == test.num_puzzle_identifiers == 30
    # All pairs of training tasks, demonstrations of evaluation tasks.
    assert train.mean_puzzle_examples == (7 * (3 + 4) + 2 + 7 * (2 + 2)) / 29
    assert test.mean_puzzle_examples == (7 * 2 + 7 * 1) / 14
    for metadata in (train, test):
        assert (metadata.pad_id, metadata.ignore_label_id, metadata.blank_identifier_id) == (0, 0, 0)
        assert (metadata.vocab_size, metadata.seq_len, metadata.sets) == (12, CANVAS**2, ("all",))


def test_every_puzzle_is_its_task_under_the_augmentation_of_its_name(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path)
    source = {name: task for subset in tasks().values() for name, task in subset.items()}
    for split in ("train", "test"):
        arrays = open_split(dataset, split).sets["all"]
        for name, found in zip(names_of(dataset, arrays), examples(arrays).values(), strict=True):
            task, augmentation = parse_name(name)
            scored = task in EVALUATION
            parts = ["test"] if split == "test" else ["train"] if scored else ["train", "test"]
            pairs = [pair for part in parts for pair in source[task][part]]
            assert len(found) == len(pairs)
            for (tokens, labels), pair in zip(found, pairs, strict=True):
                asked, answer = (augmentation.apply(np.array(pair[key], np.uint8)) for key in ("input", "output"))
                fitting = [
                    (row, column)
                    for row in range(CANVAS + 1 - max(asked.shape[0], answer.shape[0]))
                    for column in range(CANVAS + 1 - max(asked.shape[1], answer.shape[1]))
                    if split == "train" or (row, column) == (0, 0)
                ]
                expected = {tuple(map(bytes, encode_pair(asked, answer, *at, CANVAS))) for at in fitting}
                assert (bytes(tokens), bytes(labels)) in expected


def test_groups_start_with_the_task_itself_and_never_repeat_a_look(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, num_aug=40)
    arrays = open_split(dataset, "test").sets["all"]
    names, held = names_of(dataset, arrays), examples(arrays)
    for first, last in zip(arrays.group_indices[:-1], arrays.group_indices[1:], strict=True):
        task = names[first]
        assert parse_name(task) == (task, IDENTITY)
        assert {parse_name(name)[0] for name in names[first:last]} == {task}
        looks = [tuple(sorted(bytes(a) + bytes(b) for a, b in held[puzzle])) for puzzle in range(first, last)]
        assert len(set(looks)) == len(looks) == 41


def test_a_puzzle_is_new_if_any_of_its_pairs_looks_new_wherever_it_stands(tmp_path: Path) -> None:
    black, red, left, right = ({"input": cells, "output": [[0]]} for cells in ([[0]], [[1]], [[1, 0]], [[0, 1]]))
    for name, train, test, looks in (
        ("held out", [black], [red], 9),  # told apart by the held-out pair alone
        ("uneven", [left, right], [right], 2 * 2 * 9),  # lying or standing, which comes twice, and the colour
        ("even", [left, right], [left, right], 2 * 9),
    ):
        prefix = write_sources(tmp_path, {"all": {"task": {"train": train, "test": test}}})
        dataset, _ = build(tmp_path, prefix, name, subsets=("all",), test_subsets=("all",), num_aug=200)
        assert open_split(dataset, "train").metadata.total_puzzles == looks


def test_identifiers_count_up_from_the_start_and_are_shared_by_both_splits(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, first_identifier=100)
    names = read_identifiers(dataset)
    assert names[:100] == ["<blank>"] * 100
    assert "<blank>" not in names[100:]
    assert len(set(names[100:])) == len(names) - 100
    train, test = (open_split(dataset, split).sets["all"] for split in ("train", "test"))
    np.testing.assert_array_equal(train.puzzle_identifiers, np.arange(100, len(names)))
    assert {parse_name(name)[0] for name in names_of(dataset, test)} == set(EVALUATION)
    assert {parse_name(name)[0] for name in names_of(dataset, train)} == {*EVALUATION, *TRAINING}


def test_offsets_reach_every_place_where_both_grids_fit(tmp_path: Path) -> None:
    pair = {"input": [[1, 2]], "output": [[3]]}  # on a 3x3 canvas: 3x2 places lying, 2x3 standing
    prefix = write_sources(tmp_path, {"all": {"task": {"train": [pair, pair], "test": [pair]}}})
    options: dict[str, Any] = {"subsets": ("all",), "test_subsets": ("all",), "max_grid_size": 3}
    dataset, _ = build(tmp_path, prefix, num_aug=300, **options)
    coloured = open_split(dataset, "train").sets["all"].inputs[:] > 1
    assert (coloured.sum(1) == 2).all()
    places, counts = np.unique(coloured, axis=0, return_counts=True)
    assert len(places) == 3 * 2 + 2 * 3
    roaming = np.sort(counts)[:-2]  # the two in the corner hold every second example and some more
    assert roaming.min() > 0.5 * roaming.mean()


def test_the_same_seed_gives_the_same_bytes_whatever_the_order_of_tasks_and_another_does_not(tmp_path: Path) -> None:
    turned = {subset: dict(reversed(list(of.items()))) for subset, of in reversed(list(tasks().items()))}
    (tmp_path / "turned").mkdir()
    prefix = write_sources(tmp_path / "turned", turned)
    first = files(build(tmp_path, seed=7)[0])
    assert files(build(tmp_path, prefix, name="turned-set", seed=7)[0]) == first
    other = files(build(tmp_path, name="other", seed=8)[0])
    assert other["train/all__inputs.npy"] != first["train/all__inputs.npy"]


def test_the_scored_tasks_are_held_out_as_they_are_of_a_second_test_set_too(tmp_path: Path) -> None:
    assert read_test_puzzles(build(tmp_path)[0]) == tasks()["evaluation"]
    dataset, summary = build(tmp_path, name="both", test_subsets=("evaluation", "training"))
    assert set(read_test_puzzles(dataset)) == {*TRAINING, *EVALUATION}
    assert summary.test.total_groups == 5


def test_hidden_answers_are_all_pad_absent_from_test_puzzles_and_not_trained_on(tmp_path: Path) -> None:
    dataset, summary = build(tmp_path, write_sources(tmp_path, hidden="evaluation"))
    test = open_split(dataset, "test").sets["all"]
    assert (test.labels[:] == 0).all()
    assert ((test.inputs[:] > 1).any(axis=1)).all()
    for task in read_test_puzzles(dataset).values():
        assert all("output" in pair for pair in task["train"])
        assert all("output" not in pair for pair in task["test"])
    assert summary.hidden_pairs == 0
    (tmp_path / "other").mkdir()
    dataset, summary = build(tmp_path, write_sources(tmp_path / "other", hidden="training"), name="other-set")
    assert summary.hidden_pairs == 3
    train = open_split(dataset, "train").sets["all"]
    assert len(train.inputs) == 7 * (2 + 3) + 1 + 7 * (2 + 2)
    assert ((train.labels[:] > 1).any(axis=1)).all()


def test_tasks_too_large_for_the_canvas_are_dropped_only_on_request(tmp_path: Path) -> None:
    sources = tasks()
    sources["training"]["noisy"]["train"][0]["input"] = [[1] * 40]
    prefix = write_sources(tmp_path, sources)
    dataset, summary = build(tmp_path, prefix, max_grid_size=5)
    assert summary.train.seq_len == 25
    assert {parse_name(name)[0] for name in read_identifiers(dataset)[1:]} == {"striped", "black", "mixed"}
    with pytest.raises(UserError, match=r"task noisy, train pair 0, input: 1x40 cells") as error:
        build(tmp_path, prefix, name="all", max_grid_size=None)
    assert "--max-grid-size" in error.value.remedy
    assert not (tmp_path / "all").exists()


def test_subsets_that_do_not_fit_together_are_an_error(tmp_path: Path) -> None:
    sources = tasks()
    sources["training"]["mixed"] = sources["evaluation"]["mixed"]
    prefix = write_sources(tmp_path, sources)
    options: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "1 tasks of evaluation are in other subsets too, such as mixed in training"),
        ({"test_subsets": ("evaluate",)}, "'evaluate' is not among the subsets training, evaluation"),
        ({"subsets": ("training", "evaluation", "training")}, "names a subset twice"),
    )
    for option, problem in options:
        with pytest.raises(UserError, match=problem):
            build(tmp_path, prefix, **option)


def test_draws_are_uniform_over_transforms_and_colours() -> None:
    drawn = draw(np.random.default_rng(0), 20_000)
    assert np.abs(np.bincount(drawn[:, 0], minlength=8) / 20_000 - 1 / 8).max() < 0.01
    for column in range(1, 10):
        assert np.abs(np.bincount(drawn[:, column], minlength=10)[1:] / 20_000 - 1 / 9).max() < 0.01
    assert (np.sort(drawn[:, 1:], axis=1) == np.arange(1, 10)).all()


def test_fixed_shifts_are_uniform_and_one_random_example_of_each_puzzle_has_none() -> None:
    puzzles = np.repeat(np.arange(5000), 4)
    examples, places = np.arange(20_000), np.tile(np.arange(4), 5000)
    shifts = fixed_shifts(1, examples, puzzles, places, np.full(20_000, 4))
    corner = (shifts == 0).all(1).reshape(5000, 4)
    assert (corner.sum(1) == 1).all()
    assert np.abs(corner.mean(0) - 0.25).max() < 0.02
    free = shifts[~corner.ravel()]
    assert np.abs(np.histogram(free[:, 0], 10, (0, 1))[0] / len(free) - 0.1).max() < 0.01
    assert abs(np.corrcoef(free.T)[0, 1]) < 0.03
    some = np.random.default_rng(0).permutation(20_000)[:100]
    again = fixed_shifts(1, examples[some], puzzles[some], places[some], np.full(100, 4))
    np.testing.assert_array_equal(again, shifts[some])
    other = fixed_shifts(2, examples[some], puzzles[some], places[some], np.full(100, 4))
    assert not np.array_equal(other, shifts[some])
