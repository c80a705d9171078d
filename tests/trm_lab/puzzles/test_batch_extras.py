"""A solver's order and stored steps: read with the batches that want them, and every file that is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt

from tests.security.attempts import little_room, npy
from tests.trm_lab.puzzles.arc.small_arc import build as build_arc
from tests.trm_lab.puzzles.builders import build
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm_lab.puzzles.arc.reveal_order import arc_reveal_order
from trm_lab.puzzles.loading import TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE, fingerprint
from trm_lab.puzzles.solver_order import frames, squeezed, write_solver_order
from trm_lab.puzzles.text import qa_builder
from trm_lab.puzzles.writer import check_output

Array = NDArray[Any]
BOTH = ("reveal_order", "stored_steps")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a kind that no solver is known of."""
    flags = ("--train-size", 30, "--test-size", 20)
    return build(qa_builder, tmp_path_factory.mktemp("data") / "texts", *flags)


def copied(dataset: Path, folder: Path, steps: int = 3) -> Path:
    """The dataset with an order and steps beside it: answer tokens are revealed from the left, one a round."""
    shutil.copytree(dataset, folder)
    inputs, labels = (np.load(folder / "train" / f"all__{name}.npy") for name in ("inputs", "labels"))
    order = np.where(labels > 0, np.cumsum(labels > 0, axis=1), 0).astype(np.uint8)
    write_solver_order(folder / "train", inputs, labels, order, steps)
    return folder


@pytest.fixture
def dataset(texts: Path, tmp_path: Path) -> Path:
    return copied(texts, tmp_path / "with-order")


def training(*datasets: Path, **ranks: Any) -> TrainingData:
    data = TrainingData(datasets, seed=0, global_batch_size=8, epochs_per_iteration=2, **ranks)
    data.read_extras(BOTH)
    return data


def same(one: Batch, other: Batch) -> bool:
    pairs = ((getattr(batch, name) for batch in (one, other)) for name in (*BOTH, "inputs", "labels"))
    return all(torch.equal(*pair) for pair in pairs)


def test_more_than_255_rounds_are_squeezed_and_keep_their_order() -> None:
    assert squeezed(np.array([[0, 1, 255], [9, 9, 0]])).tolist() == [[0, 1, 255], [9, 9, 0]]
    rounds = squeezed(np.arange(1001)[None])[0]
    assert (rounds[0], rounds[1], rounds[-1]) == (0, 1, 255)
    assert (np.diff(rounds.astype(int)) >= 0).all()
    assert set(rounds.tolist()) == set(range(256))


def test_stored_steps_reveal_equal_shares_of_the_rounds_and_end_at_the_answer() -> None:
    inputs, labels = np.array([[1, 1, 1, 7, 1]], np.uint8), np.array([[2, 3, 4, 7, 0]], np.uint8)
    order = np.array([[3, 1, 2, 0, 0]], np.uint8)
    assert frames(inputs, labels, order, 3)[0].tolist() == [[1, 3, 1, 7, 0], [1, 3, 4, 7, 0], [2, 3, 4, 7, 0]]
    assert frames(inputs, labels, order, 2)[0].tolist() == [[1, 3, 4, 7, 0], [2, 3, 4, 7, 0]]


def test_batches_bring_the_order_and_steps_of_their_examples(dataset: Path) -> None:
    data = training(dataset)
    inputs, order, steps = (np.load(dataset / "train" / f"all__{n}.npy") for n in ("inputs", "reveal_order", "steps"))
    rows = {row.tobytes(): number for number, row in enumerate(inputs)}
    for batch in data.batches():
        assert batch.reveal_order is not None
        assert batch.stored_steps is not None
        assert batch.reveal_order.dtype == batch.stored_steps.dtype == torch.int32
        numbers = [rows[row.tobytes()] for row in batch.inputs.numpy().astype(np.uint8)]
        np.testing.assert_array_equal(batch.reveal_order, order[numbers])
        np.testing.assert_array_equal(batch.stored_steps[:, -1], batch.labels)
        frames_of_batch = steps[numbers].astype(np.int32)
        unscored = (frames_of_batch == 0) | (batch.labels.numpy() == IGNORE_LABEL)[:, None]
        np.testing.assert_array_equal(batch.stored_steps, np.where(unscored, IGNORE_LABEL, frames_of_batch))


def test_nothing_is_read_where_nothing_is_asked_for(dataset: Path) -> None:
    (dataset / "train" / "all__steps.npy").write_bytes(b"")
    batch = TrainingData([dataset], seed=0, global_batch_size=8).next_batch()
    assert batch is not None
    assert batch.reveal_order is batch.stored_steps is None


def test_only_free_slots_are_filled_and_ranks_take_their_own_rows(dataset: Path) -> None:
    whole, second = training(dataset).next_batch(), training(dataset, rank=1, world_size=2).next_batch()
    free = np.arange(8) % 3 == 0
    part = training(dataset).next_batch(free)
    assert whole is not None
    assert second is not None
    assert part is not None
    assert same(second, whole.rows(slice(4, 8)))
    slots = torch.from_numpy(free)
    assert same(part.rows(slots), whole.rows(slots))
    assert part.reveal_order is not None
    assert part.stored_steps is not None
    assert (part.reveal_order[~slots] == 0).all()
    assert (part.stored_steps[~slots] == IGNORE_LABEL).all()


def test_a_resumed_run_gets_the_same_extras(dataset: Path) -> None:
    data, resumed = training(dataset), training(dataset)
    data.next_batch()
    resumed.restore(json.loads(json.dumps(data.state())))
    following = list(data.batches())
    assert following
    assert all(same(*pair) for pair in zip(following, resumed.batches(), strict=True))


def test_files_made_by_hand_change_neither_fingerprint_nor_opening(texts: Path, dataset: Path) -> None:
    assert fingerprint(dataset) == fingerprint(texts)
    training(dataset)
    bare = [folder / MANIFEST_FILE for folder in (texts, dataset)]
    contents = bare[0].read_bytes()
    for manifest in bare:
        manifest.unlink()
    try:
        assert fingerprint(dataset) == fingerprint(texts)
        training(dataset)
    finally:
        bare[0].write_bytes(contents)


def test_overwriting_does_not_lose_what_was_made_by_hand(dataset: Path) -> None:
    with pytest.raises(UserError, match=r"all__reveal_order\.npy was put into the dataset") as error:
        check_output(dataset, overwrite=True)
    assert "move the file" in error.value.remedy
    (dataset / MANIFEST_FILE).write_text("{")
    check_output(dataset, overwrite=True)  # a damaged dataset can be built anew


def test_all_of_several_datasets_must_have_what_is_asked_for(texts: Path, dataset: Path, tmp_path: Path) -> None:
    other = build(qa_builder, tmp_path / "other", "--train-size", 30, "--test-size", 20, "--seed", 5)
    with pytest.raises(UserError, match=r"other has no solver's order: there is no train/all__reveal_order\.npy") as e:
        training(dataset, other)
    assert "reading" in e.value.remedy
    for steps in (3, 4):
        with_steps = copied(other, tmp_path / f"other-{steps}", steps=steps)
        if steps == 3:
            assert all(batch.stored_steps is not None for batch in training(dataset, with_steps).batches())
        else:
            with pytest.raises(UserError, match=r"different numbers of stored steps: 3 in .* and 4 in .*other-4"):
                training(dataset, with_steps)


def test_missing_steps_are_named_with_what_makes_them(dataset: Path) -> None:
    (dataset / "train" / "all__steps.npy").unlink()
    with pytest.raises(UserError, match=r"has no stored steps: there is no train/all__steps\.npy") as error:
        training(dataset)
    assert "--steps" in error.value.allowed


def put(place: tuple[int, ...], value: int) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda steps: steps[:-1], "uint8 of shape"),
        (lambda steps: steps[:, :, :-1], "uint8 of shape"),
        (lambda steps: steps[:, :0], "uint8 of shape"),
        (lambda steps: np.repeat(steps, 86, axis=1), r"instead of uint8 of shape \(30, 255"),
        (lambda steps: steps.astype(np.int32), "int32 of shape"),
        (lambda steps: steps[:, 0], "2-dimensional uint8 instead of 3-dimensional"),
        (lambda steps: steps.astype(np.float32), "not integers"),
        (put((4, 1, 5), 255), r"example 4 \(from 0\), step 2, cell 5 \(from 0\): token 255 of vocab_size"),
        (put((3, 2, 0), 9), r"example 3, cell 0 \(both from 0\): the last step has 9 and the answer 0"),
    ],
)
def test_steps_of_a_wrong_form_or_end_are_refused(
    dataset: Path, change: Callable[[Array], Array], problem: str
) -> None:
    file = dataset / "train" / "all__steps.npy"
    np.save(file, change(np.load(file)))
    with pytest.raises(UserError, match=problem) as error:
        training(dataset)
    assert "all__steps.npy" in error.value.given
    assert error.value.remedy


def test_steps_that_lead_away_from_the_answer_are_refused(dataset: Path) -> None:
    file = dataset / "train" / "all__steps.npy"
    steps, labels = np.load(file), np.load(dataset / "train" / "all__labels.npy")
    steps[5] = labels[5]
    cell = int(np.flatnonzero(labels[5])[0])
    steps[5, 1, cell] = 1 + (labels[5, cell] == 1)
    np.save(file, steps)
    with pytest.raises(UserError, match=r"example 5 \(from 0\): 0 wrong cells in step 1 and 1 in step 2"):
        training(dataset)


@pytest.mark.parametrize("name", ["reveal_order", "steps"])
def test_a_hostile_file_is_refused_without_allocating_what_it_declares(dataset: Path, name: str) -> None:
    file = dataset / "train" / f"all__{name}.npy"
    shape = np.load(file).shape
    for content in (b"", b"PK\3\4", npy(str((*shape[:-1], 1 << 40)), "'|u1'"), npy(str(shape), "'|O'")):
        file.write_bytes(content)
        with little_room(), pytest.raises(UserError, match=f"all__{name}"):
            training(dataset)


def test_an_order_of_another_shape_or_type_is_refused(dataset: Path) -> None:
    file = dataset / "train" / "all__reveal_order.npy"
    order = np.load(file)
    for wrong in (order[:-1], order[:, :-1], order.astype(np.uint16), order[0]):
        np.save(file, wrong)
        with pytest.raises(UserError, match="all__reveal_order"):
            training(dataset)


def test_cells_of_arc_are_ordered_by_distance_from_what_the_question_shows() -> None:
    inputs = np.array([[2, 3, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    labels = np.array([[2, 4, 4, 1], [5, 5, 5, 1], [1, 1, 1, -100], [-100] * 4])
    expected = [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 0], [0, 0, 0, 0]]
    assert arc_reveal_order(inputs.reshape(1, 16), labels.reshape(1, 16)).reshape(4, 4).tolist() == expected
    inputs[0, 0] = 9  # now nothing is shown
    order = arc_reveal_order(inputs.reshape(1, 16), labels.reshape(1, 16)).reshape(4, 4)
    assert order.tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]]


def test_distances_of_arc_are_those_of_a_distance_transform() -> None:
    draw = np.random.default_rng(0)
    inputs, labels = draw.integers(0, 12, (2, 20, 900))
    labels = np.where(draw.random(labels.shape) < 0.02, inputs, labels)
    order = arc_reveal_order(inputs, labels)
    assert arc_reveal_order(inputs[:0], labels[:0]).shape == (0, 900)
    for question, answer, rounds in zip(inputs, labels, order, strict=True):
        away = (question != answer) | (answer < 2)
        distances = distance_transform_cdt(away.reshape(30, 30), "taxicab").ravel()
        np.testing.assert_array_equal(rounds, np.where((answer > 0) & (question != answer), distances, 0))


def test_arc_needs_no_file_and_has_no_stored_steps(tmp_path: Path) -> None:
    compact = build_arc(tmp_path, translations="fresh", materialize=False)[0]
    data = TrainingData([compact], seed=0, global_batch_size=8)
    data.read_extras(["reveal_order"])
    batch = data.next_batch()
    assert batch is not None
    assert batch.reveal_order is not None
    differing = (batch.labels != IGNORE_LABEL) & (batch.inputs != batch.labels)
    assert torch.equal(batch.reveal_order > 0, differing)
    with pytest.raises(UserError, match="makes its examples when they are drawn") as error:
        data.read_extras(["stored_steps"])
    assert "--materialize" in error.value.remedy
