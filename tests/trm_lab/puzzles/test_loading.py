"""Batches: what a rank gets, what padding is, several datasets, and every reason to refuse."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.security.attempts import change_json
from tests.trm_lab.puzzles.arc.small_arc import build, tasks, write_sources
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm_lab.puzzles.loading import EvaluationData, TrainingData, rows_per_rank
from trm_lab.puzzles.manifest import MANIFEST_FILE
from trm_lab.puzzles.splits import open_split
from trm_lab.training.launch import check_same_tokens

FIELDS = ("inputs", "labels", "puzzle_identifiers")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("one"))[0]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other tasks, identifiers from 30 on."""
    folder = tmp_path_factory.mktemp("two")
    sources = {"all": {f"new-{name}": task for name, task in tasks()["evaluation"].items()}}
    options: dict[str, Any] = {"subsets": ("all",), "test_subsets": ("all",), "first_identifier": 30}
    return build(folder, write_sources(folder, sources), **options)[0]


def together(batches: list[Batch]) -> dict[str, Tensor]:
    return {field: torch.cat([getattr(batch, field) for batch in batches]) for field in FIELDS}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    for field in FIELDS:
        assert torch.equal(one[field], other[field]), field


def test_training_batches_hold_examples_of_the_dataset_under_their_identifiers(dataset: Path) -> None:
    arrays = open_split(dataset, "train").sets["all"]
    owner = np.repeat(arrays.puzzle_identifiers, np.diff(arrays.puzzle_indices))
    examples = {(bytes(arrays.inputs[i]), bytes(arrays.labels[i]), int(owner[i])) for i in range(len(owner))}
    batches = list(TrainingData([dataset], seed=0, global_batch_size=8, epochs_per_iteration=4).batches())
    assert len(batches) >= 4  # of 4 epochs of 13 examples, less what is cut
    for batch in batches:
        assert [getattr(batch, field).dtype for field in FIELDS] == [torch.int32] * 3
        labels = batch.labels.where(batch.labels != IGNORE_LABEL, 0)
        tokens = batch.inputs.byte().numpy(), labels.byte().numpy()
        for inputs, outputs, name in zip(*tokens, batch.puzzle_identifiers.tolist(), strict=True):
            assert (bytes(inputs), bytes(outputs), name) in examples
        assert (batch.labels != 0).all()
        assert (batch.labels == IGNORE_LABEL).any()


def test_slices_of_the_ranks_make_the_global_batch_and_stay_in_step(dataset: Path) -> None:
    def training(**rank: int) -> list[Batch]:
        data = TrainingData([dataset], seed=1, global_batch_size=8, epochs_per_iteration=3, **rank)
        return list(data.batches())

    def evaluation(**rank: int) -> list[Batch]:  # the last batch holds 1 of 21 examples
        return [loaded.batch for loaded in EvaluationData([dataset], global_batch_size=20, **rank)]

    for load, rows in ((training, 2), (evaluation, 5)):
        whole, ranks = load(), [load(rank=rank, world_size=4) for rank in range(4)]
        for batch, slices in zip(whole, zip(*ranks, strict=True), strict=True):
            assert {len(part) for part in slices} == {rows}
            assert_same(together(list(slices)), together([batch]))


@pytest.mark.parametrize("stop", [0, 5, 13])
def test_resumed_training_goes_on_as_if_never_interrupted(dataset: Path, second: Path, stop: int) -> None:
    def training() -> TrainingData:
        data = TrainingData([dataset, second], seed=1, global_batch_size=6, epochs_per_iteration=4)
        data.start_iteration(3)
        return data

    whole, first, resumed = training(), training(), training()
    for _ in range(stop):
        whole.next_batch()
        first.next_batch()
    resumed.start_iteration(0)
    resumed.restore(json.loads(json.dumps(first.state())))
    expected = list(whole.batches())
    assert bool(expected) == (stop < 13)
    for batch, again in zip(expected, resumed.batches(), strict=True):
        assert_same(together([batch]), together([again]))
    assert whole.state() == resumed.state()


def test_a_position_beyond_the_data_is_refused(dataset: Path) -> None:
    data = TrainingData([dataset], seed=1, global_batch_size=8)
    for data_set, cursor in ((2, 0), (0, 6)):
        with pytest.raises(UserError, match="beyond the data") as error:
            data.restore({"iteration": 0, "set": data_set, "cursor": cursor})
        assert "data_paths" in error.value.remedy


def test_evaluation_gives_every_example_once_in_file_order_and_fills_up_with_padding(dataset: Path) -> None:
    arrays = open_split(dataset, "test").sets["all"]
    data = EvaluationData([dataset], global_batch_size=4)
    assert data.total_examples == 21
    batches = list(data)
    assert len(data) == len(batches) == 6
    seen = np.concatenate([one.examples for one in batches])
    np.testing.assert_array_equal(seen, np.arange(21))
    for one in batches:
        real = len(one.examples)
        assert len(one.batch) == 4
        np.testing.assert_array_equal(one.batch.inputs[:real], arrays.inputs[one.examples])
        owners = np.searchsorted(arrays.puzzle_indices, one.examples, side="right") - 1
        np.testing.assert_array_equal(one.batch.puzzle_identifiers[:real], arrays.puzzle_identifiers[owners])
        assert (one.batch.puzzle_identifiers[:real] > 0).all()
        assert (one.batch.inputs[real:] == 0).all()
        assert (one.batch.labels[real:] == IGNORE_LABEL).all()
        assert (one.batch.puzzle_identifiers[real:] == 0).all()
        assert one.set_name == "all"


def test_a_batch_that_ranks_cannot_share_is_refused() -> None:
    for size, ranks, remedy in (
        (512, 3, "use global_batch_size=510 or 513, or 2 or 4 ranks"),
        (2, 4, "use global_batch_size=4, or 2 ranks"),
        (-3, 2, "use global_batch_size=2"),
    ):
        with pytest.raises(UserError, match=f"size={size} cannot be split over {ranks} ranks") as error:
            rows_per_rank(size, ranks)
        assert error.value.remedy == remedy


def published(tmp_path: Path, file: str, **values: object) -> Path:
    """A dataset without manifest, as of the published builders, with other values in a file."""
    dataset = build(tmp_path)[0]
    (dataset / MANIFEST_FILE).unlink()
    change_json(dataset / file, **values)
    return dataset


def test_ids_of_padding_and_of_ignored_labels_are_the_dataset_s_own(tmp_path: Path) -> None:
    path = published(tmp_path, "test/dataset.json", pad_id=3, blank_identifier_id=5)
    *_, last = EvaluationData([path], global_batch_size=16)
    assert len(last.examples) == 5
    assert (last.batch.inputs[5:] == 3).all()
    assert (last.batch.puzzle_identifiers[5:] == 5).all()
    change_json(path / "train/dataset.json", ignore_label_id=None)
    batch = TrainingData([path], seed=0, global_batch_size=8).next_batch()
    assert batch is not None
    assert (batch.labels == 0).any()
    assert not (batch.labels == IGNORE_LABEL).any()
    with pytest.raises(UserError, match="ignore_label_id: None and 0"):
        check_same_tokens(*(open_split(path, split).metadata for split in ("train", "test")))


def test_a_token_beyond_the_vocabulary_is_found_in_any_part_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_lab.puzzles.splits._TOKENS_AT_ONCE", 1000)  # several parts
    path = published(tmp_path, "test/dataset.json")
    tokens = np.load(path / "test/all__labels.npy")
    tokens[-1, -1] = 12
    np.save(path / "test/all__labels.npy", tokens)
    with pytest.raises(UserError, match=r"labels with tokens .*12, of vocab_size=12"):
        EvaluationData([path], global_batch_size=8)


def test_identifiers_have_different_names_that_cover_the_dataset(tmp_path: Path) -> None:
    path = published(tmp_path, "test/dataset.json")
    names = json.loads((path / "identifiers.json").read_text())
    twice = f"identifiers 1 and {len(names) - 1} are both called"
    for content, problem in (([*names[:-1], names[1]], twice), (["<blank>" * 99], "holds 1 names")):
        (path / "identifiers.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=problem):
            TrainingData([path], seed=0, global_batch_size=8)


def test_several_datasets_are_walked_one_after_another(dataset: Path, second: Path) -> None:
    data = TrainingData([dataset, second], seed=0, global_batch_size=6, epochs_per_iteration=4)
    assert (data.total_groups, data.metadata.total_puzzles) == (5 + 2, 29 + 14)
    assert data.metadata.num_puzzle_identifiers == 44
    assert data.mean_puzzle_examples == pytest.approx((79 + 28) / (29 + 14))
    first_puzzles = [batch.puzzle_identifiers[0].item() // 30 for batch in data.batches()]
    assert first_puzzles == sorted(first_puzzles)
    assert set(first_puzzles) == {0, 1}
    assert data.identifiers[30:] == [name for name in data.identifiers if name.startswith("new-")]
    test = EvaluationData([dataset, second], global_batch_size=16)
    loaded = list(test)
    assert [batch.set_name for batch in loaded] == ["all", "all", "all1", "all1"]
    assert sum(len(batch.examples) for batch in loaded) == test.total_examples == 42
    assert set(test.test_puzzles) == {"mixed", "tall", "new-mixed", "new-tall"}


def test_datasets_that_do_not_go_together_are_refused(dataset: Path, tmp_path: Path) -> None:
    small = build(tmp_path, name="small", max_grid_size=5)[0]
    other_names = build(tmp_path, name="other-names", seed=1)[0]
    (tmp_path / "link").symlink_to(dataset)
    for path, problem in (
        (small, r"disagree on seq_len: 144 in .*, 25 in .*small"),
        (other_names, r"puzzle identifier \d+ is "),
        (tmp_path / "link", "are the same dataset"),
        (shutil.copytree(dataset, tmp_path / "copy"), "are the same dataset"),
    ):
        with pytest.raises(UserError, match=problem) as error:
            TrainingData([dataset, path], seed=0, global_batch_size=8)
        assert path != other_names or "--puzzle-identifiers-start 30" in error.value.remedy
    with pytest.raises(UserError, match="names no dataset"):
        TrainingData([], seed=0, global_batch_size=8)
    sources = tasks()
    sources["evaluation"]["mixed"]["test"][0]["output"] = [[1]]
    other = build(tmp_path, write_sources(tmp_path, sources), first_identifier=30)[0]
    with pytest.raises(UserError, match=r"task mixed of .* differs"):
        EvaluationData([dataset, other], global_batch_size=8).test_puzzles  # noqa: B018
