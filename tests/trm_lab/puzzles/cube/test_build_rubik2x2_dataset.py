"""Every state of the cube, optimal solutions, splits that no symmetry joins; checked by a cube of stickers in space."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.builders import about, arrays, build, check_same_bytes_twice
from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.puzzles.cube import builder
from trm_lab.puzzles.cube.scorer import cube_scorer, sticker_places, sticker_sources
from trm_lab.puzzles.cube.states import (
    METRICS,
    ORIENTATIONS,
    PERMUTATIONS,
    SOLVED,
    STATE_COUNT,
    Cube,
    States,
    cube_in,
    facelets,
    rank_orientations,
    rank_permutations,
)
from trm_lab.puzzles.cube.symmetry import symmetry_classes
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE, CUBE_MASK
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.manifest import read_category_names


@pytest.fixture(scope="module", params=["half", "quarter"])
def cube(request: pytest.FixtureRequest) -> Cube:
    return cube_in(request.param)


@pytest.fixture(scope="module")
def some_states() -> States:
    return np.random.default_rng(0).integers(0, STATE_COUNT, 500, dtype=np.int32)


def scrambled(cube: Cube, words: np.ndarray) -> States:
    """The states that these moves solve, `words` `[E, slots]` padded with -1: their inverses, played backwards."""
    names = list(cube.metric.moves)
    states = np.full(len(words), SOLVED, np.int32)
    for column in words.T[::-1]:
        for move, name in enumerate(names):
            inverse = {"'": name[0], "2": name}.get(name[-1], f"{name}'")
            rows = column == move
            states[rows] = cube.after(states[rows], names.index(inverse))
    return states


def test_the_moves_are_those_of_a_cube_in_space(cube: Cube, some_states: States) -> None:
    for move, name in enumerate(cube.metric.moves):
        turned = facelets(some_states)[:, sticker_sources(name)]
        np.testing.assert_array_equal(facelets(cube.after(some_states, move)), turned)


def test_states_are_numbered_one_to_one() -> None:
    np.testing.assert_array_equal(rank_permutations(PERMUTATIONS), np.arange(5040))
    np.testing.assert_array_equal(rank_orientations(ORIENTATIONS), np.arange(729))
    assert len(PERMUTATIONS) * len(ORIENTATIONS) == STATE_COUNT == 3_674_160
    shown = facelets(np.arange(0, STATE_COUNT, 100, dtype=np.int32))
    assert len({row.tobytes() for row in shown}) == len(shown)  # no two look alike
    assert (np.sort(shown, axis=1) == np.repeat(np.arange(6), 4)).all()


def test_every_state_is_reached_and_the_distances_are_the_known_ones_and_those_of_a_search_over_stickers(
    cube: Cube,
) -> None:
    counts = np.bincount(cube.distances)
    assert counts.sum() == STATE_COUNT
    assert tuple(counts) == cube.metric.distances
    assert cube.metric.gods_number == {9: 11, 6: 14}[len(cube.metric.moves)]
    sources = [sticker_sources(name) for name in cube.metric.moves]
    start = facelets(np.array([SOLVED], np.int32))[0]
    seen, level, sizes = {start.tobytes()}, [start], [1]
    for _ in range(4):
        reached = {(stickers[source]).tobytes() for stickers in level for source in sources} - seen
        seen |= reached
        level = [np.frombuffer(stickers, np.uint8) for stickers in reached]
        sizes.append(len(reached))
    assert tuple(sizes) == cube.metric.distances[:5]


def test_solutions_are_optimal_and_the_first_of_their_kind(cube: Cube, some_states: States) -> None:
    steps = cube.solutions(some_states)
    np.testing.assert_array_equal((steps >= 0).sum(axis=1), cube.distances[some_states])
    near = np.flatnonzero(cube.distances == 3).astype(np.int32)[::160]
    for state, found in zip(near, cube.solutions(near), strict=True):
        words = [
            word
            for word in product(range(len(cube.metric.moves)), repeat=3)
            if cube.after(cube.after(cube.after(np.array([state]), word[0]), word[1]), word[2])[0] == SOLVED
        ]
        assert tuple(found[:3]) == min(words)
        assert (found[3:] == -1).all()
        assert cube.solution_counts[state] == len(words)


def test_symmetry_classes_are_the_orbits_of_48_symmetries_in_space() -> None:
    classes = symmetry_classes()
    assert (classes == np.arange(STATE_COUNT)).sum() == 77_802  # known: states of the cube up to symmetry
    places = [place.tobytes() for place in sticker_places()]
    matrices = [
        np.eye(3, dtype=np.int64)[list(axes)] * np.array(signs)[:, None]
        for axes in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
    images = [np.array([places.index(place.tobytes()) for place in sticker_places() @ matrix.T]) for matrix in matrices]
    rotations = [image for image, m in zip(images, matrices, strict=True) if round(np.linalg.det(m)) == 1]
    assert (len(images), len(rotations)) == (48, 24)
    solved = facelets(np.array([SOLVED], np.int32))[0]
    held = [14, 18, 23]  # the stickers of corner DBL

    def orbit(stickers: np.ndarray) -> set[bytes]:
        found = set()
        for image in images:
            seen_from_there, recoloured = np.empty_like(stickers), solved[image][::4]
            seen_from_there[image] = recoloured[stickers]
            for rotation in rotations:
                turned = np.empty_like(stickers)
                turned[rotation] = seen_from_there
                if (turned[held] == solved[held]).all():
                    found.add(turned.tobytes())
        return found

    for state in [SOLVED, 1, 729, *np.random.default_rng(1).integers(0, STATE_COUNT, 8)]:
        members = np.flatnonzero(classes == classes[state]).astype(np.int32)
        assert {row.tobytes() for row in facelets(members)} == orbit(facelets(np.array([state], np.int32))[0])


@pytest.mark.parametrize("metric", ["half", "quarter"])
def test_examples_are_states_without_repeats_and_labels_solve_them_optimally(tmp_path: Path, metric: str) -> None:
    flags = ("--metric", metric, "--train-size", 1000, "--test-size", 200)
    dataset = build(builder, tmp_path / "cube", *flags)
    facts = about(dataset).facts
    assert (about(dataset).scorer, about(dataset).protocol, facts["best_exact_match"]) == ("cube", "clean", 1.0)
    cube, classes, classes_of = cube_in(metric), symmetry_classes(), {}
    for name, count in (("train", 1000), ("test", 200)):
        inputs, labels, _ = arrays(dataset, name)
        slots = cube.metric.gods_number
        assert inputs.shape == labels.shape == (count, 24 + slots)
        assert PuzzleMetadata.read(dataset / name).vocab_size == CUBE_FIRST_MOVE + len(cube.metric.moves)
        assert (inputs[:, 24:] == CUBE_MASK).all()
        assert (labels[:, :24] == 0).all()
        moves = (labels >= CUBE_FIRST_MOVE).sum(1)
        names = read_category_names(dataset)
        assert names is not None
        assert [names.names[n] for n in np.load(dataset / name / "all__categories.npy")] == [str(n) for n in moves]
        wanted = np.where(labels == 0, IGNORE_LABEL, labels.astype(np.int64))
        verdicts = cube_scorer(facts)(inputs, wanted, labels)
        assert all(verdict.all() for verdict in verdicts.values()), verdicts
        shown = inputs[:, :24] - np.uint8(CUBE_FIRST_COLOUR)
        states = scrambled(cube, labels[:, 24:].astype(int) - CUBE_FIRST_MOVE)
        np.testing.assert_array_equal(facelets(states), shown)
        assert len(set(states)) == count
        distances = cube.distances[states]
        np.testing.assert_array_equal((labels[:, 24:] != CUBE_END).sum(axis=1), distances)
        assert facts["distances"][name] == {
            str(d): int(n) for d, n in zip(*np.unique(distances, return_counts=True), strict=True)
        }
        assert facts["several_optimal_solutions"][name] == (cube.solution_counts[states] > 1).sum()
        classes_of[name] = set(classes[states])
    assert not classes_of["train"] & classes_of["test"]


def test_levels_are_drawn_alike_or_as_they_come(tmp_path: Path) -> None:
    levels = ("--min-distance", 4, "--max-distance", 9)
    alike = build(builder, tmp_path / "alike", "--train-size", 600, "--test-size", 60, *levels)
    drawn = about(alike).facts["distances"]
    assert drawn == {"train": dict.fromkeys("456789", 100), "test": dict.fromkeys("456789", 10)}
    natural = build(builder, tmp_path / "natural", "--by-distance", "natural", "--train-size", 2000)
    counts = about(natural).facts["distances"]["train"]
    expected = np.array(METRICS["half"].distances[8:11]) / STATE_COUNT
    found = np.array([counts[str(distance)] for distance in (8, 9, 10)]) / 2000
    assert np.abs(found - expected).max() < 5 * (0.25 / 2000) ** 0.5  # standard errors


def test_same_flags_same_bytes(tmp_path: Path) -> None:
    check_same_bytes_twice(builder, tmp_path, "--train-size", 300, "--test-size", 60)


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    for flags, message in (
        (("--max-distance", 12), "God's number in the half-turn metric"),
        (("--metric", "quarter", "--min-distance", 14, "--max-distance", 13), "14, God's number"),
        (("--max-distance", 3), "whole symmetry classes"),
        (("--max-distance", 0, "--min-distance", 0, "--train-size", 1, "--test-size", 1), "--test-size 1"),
    ):
        with pytest.raises(UserError, match=message):
            build(builder, tmp_path / "cube", *flags)
        assert not (tmp_path / "cube").exists()
