"""Stored rollouts: what was written is there, what a kill or a damaged file costs is made again, never more."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from trm.errors import UserError
from trm_lab.files.checksums import CHECKSUM, sealed
from trm_lab.runs.answers import Answers
from trm_lab.runs.rollout_store import INDEX_FILE, TENSORS_FILE, RolloutStore, WarmUp
from trm_lab.runs.row_file import create_rows, open_rows

SETS = {"all": 7, "all1": 5}
REQUEST = {"weights": "abc", "steps": None}
STEPS, TOKENS = 3, 4


def part(first: int, rows: int, set_name: str = "all") -> Answers:
    rng = np.random.default_rng(first)
    return Answers(
        set_name,
        first,
        inputs=rng.integers(0, 12, (rows, TOKENS), np.uint8),
        labels=rng.integers(-100, 12, (rows, TOKENS)).astype(np.int16),
        puzzle_identifiers=rng.integers(0, 99, rows).astype(np.int32),
        predictions=rng.integers(0, 12, (rows, STEPS, TOKENS), np.uint8),
        q_halt_logits=rng.normal(size=(rows, STEPS)).astype(np.float32),
        confidence=rng.normal(size=(rows, STEPS)),
        loss=rng.normal(size=rows),
        network_calls=[3, 6, 9],
        probes={"margin": rng.normal(size=(rows, STEPS, TOKENS)).astype(np.float16)},
    )


PARTS = (part(0, 4), part(4, 3), part(7, 5, "all1"))


def filled(folder: Path, parts: int = len(PARTS)) -> RolloutStore:
    store = RolloutStore(folder, REQUEST, SETS)
    for one in PARTS[:parts]:
        store.write(one, 0.5)
    return store


def arrays(store: RolloutStore, rows: int = 512) -> dict[str, Any]:
    portions = [answers.arrays() for answers in store.answers(rows)]
    return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}


EXPECTED = {name: np.concatenate([one.arrays()[name] for one in PARTS]) for name in PARTS[0].arrays()}


def test_what_was_written_is_read_in_any_portions_and_never_across_sets(tmp_path: Path) -> None:
    filled(tmp_path)
    store = RolloutStore.open(tmp_path)
    assert store.is_complete
    assert store.seconds == 1.5
    for rows in (3, 512):
        for name, array in arrays(store, rows).items():
            np.testing.assert_array_equal(array, EXPECTED[name], err_msg=name)
        places = [(answers.set_name, answers.first, len(answers)) for answers in store.answers(rows)]
        assert sum(size for _, _, size in places) == store.total
        assert all((name == "all1") == (first >= SETS["all"]) for name, first, _ in places)
    by_safetensors = load_file(tmp_path / TENSORS_FILE)
    np.testing.assert_array_equal(by_safetensors["probes.margin"], EXPECTED["margin"])


@pytest.mark.parametrize("ranks", [1, 2, 3, 9])
def test_ranks_read_every_portion_between_them_and_the_portions_are_one_rank_s(ranks: int, tmp_path: Path) -> None:
    store = filled(tmp_path)
    alone = [(answers.first, len(answers)) for answers in store.answers(2)]
    shares = [[(answers.first, len(answers)) for answers in store.answers(2, rank, ranks)] for rank in range(ranks)]
    assert sorted(place for share in shares for place in share) == alone
    assert shares[0][0] == alone[0], "the first rank has some of what there is"
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_energy_adds_up_and_is_unknown_once_a_batch_does_not_tell(tmp_path: Path) -> None:
    """Or in a store of before energy and warm-up were recorded."""
    store = RolloutStore(tmp_path, REQUEST, SETS)
    store.write(PARTS[0], 0.5, 2.0)
    store.write(PARTS[1], 0.5, 3.0)
    store.warmed_up(2, 9.0)
    store.warmed_up(1, 4.0)
    assert store.warm_up == WarmUp(2, 2, 13.0)
    resumed = RolloutStore.resume(tmp_path, REQUEST, SETS)
    assert resumed.joules == 5.0
    content = json.loads((tmp_path / INDEX_FILE).read_text())
    resumed.write(PARTS[2], 0.5)
    assert RolloutStore.open(tmp_path).joules is None
    older = {key: value for key, value in content.items() if key not in ("joules", "warm_up", CHECKSUM)}
    (tmp_path / INDEX_FILE).write_text(json.dumps(sealed(older)))
    store = RolloutStore.open(tmp_path)
    assert (store.joules, store.warm_up, store.done) == (None, None, 7)


def test_taken_up_after_any_batch_it_ends_as_if_never_interrupted(tmp_path: Path) -> None:
    filled(tmp_path / "whole")
    for written in range(3):
        folder = tmp_path / f"cut {written}"
        store = filled(folder, written)
        if written:
            index = (folder / INDEX_FILE).read_bytes()
            store.write(PARTS[written], 0.5)
            (folder / INDEX_FILE).write_bytes(index)  # killed between rows and index
        store = RolloutStore.resume(folder, REQUEST, SETS)
        assert store.done == sum(map(len, PARTS[:written]))
        for one in PARTS[written:]:
            store.write(one, 0.5)
        assert (folder / TENSORS_FILE).read_bytes() == (tmp_path / "whole" / TENSORS_FILE).read_bytes()


def test_from_a_flipped_bit_or_a_cut_on_everything_is_made_again(tmp_path: Path) -> None:
    filled(tmp_path)
    file = tmp_path / TENSORS_FILE
    whole, columns = file.read_bytes(), open_rows(file)
    for name in ("inputs", "probes.margin"):
        place = columns[name].offset + 5 * columns[name].strides[0]  # in the second batch
        data = bytearray(whole)
        data[place] ^= 1
        file.write_bytes(data)
        with pytest.raises(UserError, match="batch 1 differs"):
            RolloutStore.open(tmp_path).check()
        assert RolloutStore.resume(tmp_path, REQUEST, SETS).done == len(PARTS[0])
        filled(tmp_path / "again")
        (tmp_path / INDEX_FILE).write_bytes((tmp_path / "again" / INDEX_FILE).read_bytes())
    for length in (0, 40, 1000):
        file.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged"):
            list(RolloutStore.open(tmp_path).answers())
    assert RolloutStore.resume(tmp_path, REQUEST, SETS).done == 0


def test_what_differs_inside_of_a_request_is_named(tmp_path: Path) -> None:
    search = {"width": 8, "noise": 0.3, "start": "trained", "symmetries": False, "select": "confidence"}
    RolloutStore(tmp_path, {**REQUEST, "search": search}, SETS).write(PARTS[0], 0.5)
    with pytest.raises(UserError, match=r"search \(select: confidence → vote\)"):
        RolloutStore.resume(tmp_path, {**REQUEST, "search": {**search, "select": "vote"}}, SETS)


def test_rollouts_of_another_request_are_left_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(UserError, match="steps: None → 9"):
        RolloutStore.resume(tmp_path, {**REQUEST, "steps": 9}, SETS)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_index_that_was_tampered_with_or_columns_of_other_kinds_are_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    file = tmp_path / INDEX_FILE
    index = file.read_text()
    changes: tuple[dict[str, Any], ...] = (
        {"batches": [[99, 0]]},
        {"batches": [[-1, 0]]},
        {"batches": [[1, 2, 3]]},
        {"sets": {"all": -3}},
        {"format": 99},
        {"network_calls": [None]},
    )
    for change in changes:
        content = json.loads(index) | change
        content.pop("sha256")  # as somebody would who writes one
        file.write_text(json.dumps(content))
        with pytest.raises(UserError, match="damaged"):
            RolloutStore.open(tmp_path)
    file.write_text(index)
    create_rows(tmp_path / TENSORS_FILE, {"inputs": np.zeros((1, 4), np.float64)}, 12)
    with pytest.raises(UserError, match="not the columns"):
        list(RolloutStore.open(tmp_path).answers())


def test_headers_that_promise_what_is_not_there_are_refused(tmp_path: Path) -> None:
    for header in (
        {"a": {"dtype": "U8", "shape": [10**12, 4], "data_offsets": [0, 8]}},
        {"a": {"dtype": "U8", "shape": [2, 4], "data_offsets": [-80, 8]}},
        {"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}},
        {"a": 7},
        {},
    ):
        text = json.dumps(header).encode()
        (tmp_path / "x").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
        with pytest.raises(ValueError, match=r".+"):
            open_rows(tmp_path / "x")
