"""Parts of a split: the right examples, in file order, whatever the batches and ranks."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import build, write_sources
from tests.trm_lab.puzzles.arc.small_arc import task as small_task
from trm.errors import UserError
from trm_lab.puzzles.arc.augmentation import SEPARATOR
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.selection import Part, Selection, sample_groups, task_name


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    tasks = {name: small_task((3, 3), (4, 2), (2, 4)) for name in ("first", "second", "third", "fourth")}
    prefix = write_sources(folder, {"all": tasks})
    return build(folder, prefix, subsets=("all",), test_subsets=("all",))[0]


def puzzles(dataset: Path, selection: Selection) -> list[str]:
    """The name of the puzzle of every example."""
    data = EvaluationData([dataset], global_batch_size=8, selection=selection)
    rows = [b.batch.puzzle_identifiers[: len(b.examples)].tolist() for b in data]
    assert len(rows) == len(data)
    assert sum(map(len, rows)) == data.total_examples
    return [data.identifiers[identifier] for part in rows for identifier in part]


def test_so_many_augmentations_of_each_task_stay_besides_itself(dataset: Path) -> None:
    every, found = puzzles(dataset, Selection()), puzzles(dataset, Selection(augmentations=2))
    assert [name for name in every if name in set(found)] == found
    for task in {task_name(name) for name in every}:
        of_task = list(dict.fromkeys(name for name in found if task_name(name) == task))
        assert of_task[0] == task
        assert len(of_task) <= 3
        assert all(SEPARATOR in name for name in of_task[1:])
    assert {task_name(name) for name in found} == {task_name(name) for name in every}


def test_named_tasks_are_taken_whole_and_only_they_are_scored(dataset: Path) -> None:
    every, names = puzzles(dataset, Selection()), ["second", "third"]
    selection = Selection(tasks=frozenset(names))
    assert puzzles(dataset, selection) == [name for name in every if task_name(name) in names]
    data = EvaluationData([dataset], global_batch_size=8, selection=selection)
    assert sorted(data.scored_puzzles) == names
    with pytest.raises(UserError, match="did you mean third"):
        puzzles(dataset, Selection(tasks=frozenset(["thirt"])))


def test_the_first_tasks_are_the_first_of_the_file_also_together_with_other_choices(dataset: Path) -> None:
    every = puzzles(dataset, Selection())
    order = list(dict.fromkeys(map(task_name, every)))
    assert puzzles(dataset, Selection(first_tasks=2, augmentations=0)) == [name for name in every if name in order[:2]]
    third = Selection(tasks=frozenset(order[2:4]), first_tasks=1)
    assert {task_name(name) for name in puzzles(dataset, third)} == {order[2]}


@pytest.mark.parametrize("chosen", [Selection(augmentations=1), Selection(sampled=18)])
def test_ranks_share_out_the_chosen_examples_from_any_start(dataset: Path, chosen: Selection) -> None:
    together = EvaluationData([dataset], global_batch_size=4, selection=chosen)
    whole = np.concatenate([load().examples for load in together.batches_from(3)])
    parts = [
        EvaluationData([dataset], global_batch_size=4, rank=rank, world_size=4, selection=chosen) for rank in range(4)
    ]
    loaded = [[load().examples for load in part.batches_from(3)] for part in parts]
    assert len({len(of_rank) for of_rank in loaded}) == 1
    joined = [np.concatenate(batch) for batch in zip(*loaded, strict=True)]
    np.testing.assert_array_equal(np.concatenate(joined), whole)


def test_a_sample_takes_whole_tasks_in_a_fixed_order_on_every_rank(dataset: Path) -> None:
    every = puzzles(dataset, Selection(augmentations=1))  # 4 tasks of 2 puzzles with 1 test input each
    small, larger = (puzzles(dataset, Selection(augmentations=1, sampled=most)) for most in (5, 7))
    assert len(small) == 4
    assert len(larger) == 6
    assert set(small) < set(larger)
    assert [name for name in every if name in set(larger)] == larger, "in file order"
    assert {name for name in every if task_name(name) in set(map(task_name, small))} == set(small)
    data = EvaluationData([dataset], global_batch_size=8, selection=Selection(augmentations=1, sampled=5))
    assert sorted(data.scored_puzzles) == sorted(set(map(task_name, small)))
    parts = [data.part, EvaluationData([dataset], global_batch_size=8).only(data.selection).part]
    assert parts == [Part(4, EvaluationData([dataset], global_batch_size=8).total_examples, 5)] * 2
    assert EvaluationData([dataset], global_batch_size=8, selection=Selection(sampled=10**6)).part is None


def test_a_sample_of_plain_examples_is_even_and_of_several_sets_shared_out() -> None:
    groups = [np.arange(300), np.arange(100)]
    first, second = sample_groups(groups, 100)
    assert first.sum() + second.sum() == 100
    assert 60 <= first.sum() <= 90
    assert 30 <= np.flatnonzero(first)[: first.sum() // 2].max() * first.sum() / 300 <= 60, "from all over the set"


def test_a_sample_without_room_for_one_task_is_refused(dataset: Path) -> None:
    with pytest.raises(UserError, match=r"eval_num_aug, --num-aug"):
        puzzles(dataset, Selection(sampled=1))


def test_the_number_that_a_refused_sample_is_told_to_raise_is_large_enough_and_the_only_one() -> None:
    for sizes in ((21, 63, 42), (63, 21, 42), (42, 63, 21)):
        groups = [np.repeat(np.arange(3), sizes)]
        with pytest.raises(UserError) as refused:
            sample_groups(groups, 20)
        told = {int(number) for number in re.findall(r"\d+", f"{refused.value.given} {refused.value.remedy}")} - {20}
        (enough,) = told
        assert sample_groups(groups, enough)[0].sum() == enough
