"""The training sampler: what an epoch is, what a batch is, and that a position is all there is to resume."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.errors import UserError
from trm_lab.puzzles.sampling import GroupSampler

Batches = list[tuple[np.ndarray, np.ndarray]]


def index_arrays(groups: list[list[int]]) -> Any:
    """What the sampler reads of a set: the index arrays of groups of puzzles of so many examples."""
    sizes = [size for group in groups for size in group]
    return SimpleNamespace(
        puzzle_indices=np.cumsum([0, *sizes]).astype(np.int32),
        group_indices=np.cumsum([0, *map(len, groups)]).astype(np.int32),
    )


def iteration(sampler: GroupSampler, number: int = 0) -> Batches:
    sampler.go_to(number)
    return [(drawn.examples, drawn.puzzles) for drawn in iter(sampler.next_batch, None)]


SEVEN = [[3, 3], [2], [4, 4, 4], [1], [3, 3], [2, 2], [5]]  # 20 examples in an epoch
group_lists = st.lists(
    st.integers(1, 4).flatmap(lambda size: st.lists(st.just(size), min_size=1, max_size=3)), min_size=1, max_size=6
)


@settings(max_examples=25)
@given(group_lists, st.integers(1, 30), st.integers(1, 4), st.integers(0, 5))
def test_a_batch_is_full_of_whole_puzzles_and_only_its_last_one_is_cut(
    groups: list[list[int]], batch: int, epochs: int, seed: int
) -> None:
    arrays = index_arrays(groups)
    per_epoch, sizes = sum(group[0] for group in groups), np.diff(arrays.puzzle_indices)
    if per_epoch * epochs < batch:
        with pytest.raises(UserError, match=f"do not fill a batch of {batch}") as error:
            GroupSampler(arrays, batch, seed, epochs)
        assert f"up to {per_epoch * epochs}" in error.value.allowed
        assert f"at least {-(-batch // per_epoch)} epochs" in error.value.remedy
        return
    batches = iteration(GroupSampler(arrays, batch, seed, epochs))
    assert batches
    for examples, puzzles in batches:
        assert examples.shape == puzzles.shape == (batch,)
        assert (arrays.puzzle_indices[puzzles] <= examples).all()
        assert (examples < arrays.puzzle_indices[puzzles + 1]).all()
        position = 0
        while position < batch:
            end = position + int(sizes[puzzles[position]])  # beyond the batch if the puzzle is cut
            assert set(puzzles[position:end]) == {puzzles[position]}
            assert len(set(examples[position:end])) == len(examples[position:end])
            position = end


def test_an_epoch_visits_every_group_once() -> None:
    arrays = index_arrays([[1] * 5] * 24)
    for batch in (6, 36):  # less and more than the 24 examples of an epoch
        batches = iteration(GroupSampler(arrays, batch, seed=3, epochs_per_iteration=3))
        epochs = np.split(np.concatenate([puzzles for _, puzzles in batches]) // 5, 3)
        assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) == 3  # each in an order of its own


def test_puzzles_and_orders_are_drawn_evenly() -> None:
    sampler = GroupSampler(index_arrays([[3, 3, 3, 3], [3]]), 6, seed=5, epochs_per_iteration=1200)
    of_group = [(examples[puzzles < 4], puzzles[puzzles < 4]) for examples, puzzles in iteration(sampler)]
    drawn = Counter(int(puzzles[0]) for _, puzzles in of_group)
    orders = Counter(tuple((examples % 3).tolist()) for examples, _ in of_group)
    assert (len(of_group), len(drawn), len(orders)) == (1200, 4, 6)
    assert min(drawn.values()) > 240  # 300 expected
    assert min(orders.values()) > 150  # 200 expected


def test_iterations_seeds_and_names_have_draws_of_their_own() -> None:
    arrays = index_arrays([[1] * 3] * 20)

    def drawn(seed: int = 0, name: str = "all", number: int = 0) -> bytes:
        sampler = GroupSampler(arrays, 20, seed, name=name)
        return b"".join(puzzles.tobytes() for _, puzzles in iteration(sampler, number))

    assert drawn() == drawn()
    assert len({drawn(), drawn(seed=1), drawn(name="all1"), drawn(number=1)}) == 4


def test_how_epochs_are_cut_into_iterations_does_not_change_their_group_order() -> None:
    arrays = index_arrays([[1]] * 12)
    long = iteration(GroupSampler(arrays, 4, seed=2, epochs_per_iteration=4))
    short = GroupSampler(arrays, 4, seed=2, epochs_per_iteration=2)
    parts = iteration(short, 0) + iteration(short, 1)
    np.testing.assert_array_equal([p for _, p in long], [p for _, p in parts])


@settings(max_examples=15)
@given(st.integers(0, 40), st.integers(1, 23))
def test_a_resumed_sampler_goes_on_as_if_never_interrupted(stop: int, batch: int) -> None:
    arrays = index_arrays(SEVEN)
    whole, first = (GroupSampler(arrays, batch, seed=4, epochs_per_iteration=3) for _ in range(2))
    whole.go_to(2)
    first.go_to(2)
    for _ in range(stop):
        whole.next_batch()
        first.next_batch()
    second = GroupSampler(arrays, batch, seed=4, epochs_per_iteration=3)
    second.go_to(first.iteration, first.cursor)
    for expected, found in zip(iter(whole.next_batch, None), iter(second.next_batch, None), strict=True):
        np.testing.assert_array_equal(expected.examples, found.examples)
        np.testing.assert_array_equal(expected.shifts, found.shifts)


def test_one_example_of_each_puzzle_has_no_shift_and_the_others_uniform_ones() -> None:
    sampler = GroupSampler(index_arrays([[4]] * 5), 20, seed=3, epochs_per_iteration=400)
    sampler.go_to(0)
    shifts = np.stack([drawn.shifts for drawn in iter(sampler.next_batch, None)])  # [400, 20, 2]
    corner = (shifts == 0).all(2)
    assert (corner.reshape(-1, 4).sum(1) == 1).all()
    free = shifts[~corner]
    assert np.abs(np.histogram(free, 10, (0, 1))[0] / free.size - 0.1).max() < 0.01
