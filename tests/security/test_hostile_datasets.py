"""Datasets made to harm whoever opens them: each attempt is refused with an error that names the file."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.security.attempts import Traitor, change_json, npy, unsigned, use
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.puzzles.layout import read_test_puzzles
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.puzzles.splits import open_split

Damage = Callable[[Path], object]
INPUTS, LABELS = "train/all__inputs.npy", "train/all__labels.npy"
PUZZLES, GROUPS = "train/all__puzzle_indices.npy", "train/all__group_indices.npy"
WHO, ABOUT = "train/all__puzzle_identifiers.npy", "train/dataset.json"
NESTED = "[" * 200_000 + "]" * 200_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("written"))[0]


@pytest.fixture
def dataset(built: Path, tmp_path: Path) -> Path:
    return unsigned(built, tmp_path / "theirs")


def at(place: int, value: int, dtype: str) -> Damage:
    def change(file: Path) -> None:
        array = np.load(file).astype(dtype)
        array.flat[place] = value
        np.save(file, array)

    return change


def test_what_the_attempts_damage_is_usable_before_and_labels_may_have_either_mark(dataset: Path) -> None:
    use(dataset)
    use(dataset, "test")
    at(0, -100, "int32")(dataset / LABELS)
    change_json(dataset / ABOUT, ignore_label_id=77)
    at(1, 77, "int32")(dataset / LABELS)
    use(dataset)
    os.mkfifo(dataset / "train" / "more.npy")
    assert len(fingerprint(dataset)) == 64  # without waiting for the pipe


def text(content: str) -> Damage:
    return lambda file: file.write_text(content)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link_to(target: str) -> Damage:
    def change(file: Path) -> None:
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    return change


def refused(dataset: Path, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        use(dataset)
    assert len(caught.value.given) < 1100
    assert "\x1b" not in caught.value.given


def test_an_array_that_declares_more_than_it_holds_is_not_allocated(dataset: Path) -> None:
    rows = 1 << 40  # in a sparse file that does hold them
    (dataset / PUZZLES).write_bytes(npy(f"({rows},)", "'<i8'", b""))
    os.truncate(dataset / PUZZLES, (dataset / PUZZLES).stat().st_size + 8 * rows)
    with pytest.raises(UserError, match="puzzle_indices"):
        open_split(dataset, "train")
    for file in (PUZZLES, INPUTS):
        for shape, descr in (
            ("(1000000000000, 144)", "'|u1'"),
            ("(1000000000000,)", "'<i8'"),
            ("(9223372036854775807, 9223372036854775807)", "'<i8'"),  # whose product wraps around to 1
            ("(-4,)", "'|u1'"),
            ("(4,)", "'|O'"),
            ("(1,)", "[('a', '<f8', (100000, 100000))]"),
            ("(4,), " + "(" * 4000 + ")" * 4000, "'|u1'"),
            ("(4,", "'|u1'"),  # of which Python's tokenizer makes an error of its own
        ):
            (dataset / file).write_bytes(npy(shape, descr))
            refused(dataset, Path(file).name)
        (dataset / file).write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{")  # the length of its header
        refused(dataset, "format version")


def test_a_pickle_in_an_array_is_not_run(dataset: Path, tmp_path: Path) -> None:
    for file in (PUZZLES, INPUTS):
        traitors = np.array([Traitor(tmp_path / "harm")], dtype=object)
        np.save(dataset / file, traitors, allow_pickle=True)
        refused(dataset, Path(file).name)
        (dataset / file).write_bytes(traitors.dumps())
        refused(dataset, r"no whole \.npy array")
    assert not (tmp_path / "harm").exists()
    np.load(dataset / INPUTS, allow_pickle=True)  # it would have been
    assert (tmp_path / "harm").exists()


def test_what_would_index_beyond_an_array_or_an_embedding_is_refused(dataset: Path) -> None:
    attempts: list[tuple[str, Damage, str]] = [
        (PUZZLES, at(1, 20, "uint64"), "increasing positions"),  # no difference of unsigned ones is negative
        (PUZZLES, at(1, -1, "int64"), "increasing positions"),
        (PUZZLES, at(1, 2**62, "int64"), "increasing positions"),
        (GROUPS, at(1, 10**6, "int64"), "increasing positions"),
        (WHO, at(0, 2**63, "uint64"), "of num_puzzle_identifiers="),
        (WHO, at(0, -1, "int64"), "of num_puzzle_identifiers="),
        (INPUTS, at(0, -1, "int8"), r"tokens -1..11"),
        (INPUTS, at(0, 2**32 + 5, "int64"), r"tokens 0..4294967301"),  # 5 once it is an int32
        (LABELS, at(-1, 200, "uint8"), r"labels with tokens"),
        (LABELS, at(-1, -1, "int32"), r"labels with tokens"),
    ]
    for file, damage, problem in attempts:
        before = (dataset / file).read_bytes()
        damage(dataset / file)
        refused(dataset, problem)
        (dataset / file).write_bytes(before)


OUT_OF_RANGE: dict[str, tuple[object, ...]] = {
    "seq_len": (-1, 10**12),
    "vocab_size": (0, 10**12),
    "num_puzzle_identifiers": (10**9,),
    "pad_id": (12,),
    "blank_identifier_id": (10**6,),
    "ignore_label_id": (-(10**30),),
    "mean_puzzle_examples": (float("inf"),),
    "total_puzzles": (10**4000,),
    "total_groups": ([[]],),
    "layout": ({"a": []}, "\x1b[2J"),
    "sets": (["../../x"], ["/etc/passwd"], [".."], [""], ["a\0b"], ["a" * 999], ["all", "all"], [["all"]]),
}


def test_values_of_a_split_out_of_range_are_refused(dataset: Path) -> None:
    before = (dataset / ABOUT).read_text()
    for key, values in OUT_OF_RANGE.items():
        for value in values:
            change_json(dataset / ABOUT, **{key: value})
            refused(dataset, r"dataset\.json|identifiers\.json|inputs\.npy")
            (dataset / ABOUT).write_text(before)


@pytest.mark.parametrize("file", [ABOUT, "manifest.json"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (text(NESTED), "nested too deeply|in each other"),
        (text('{"a": ' * 100 + "1" + "}" * 100), "in each other"),
        (text('{"a": 1' + "0" * 10_000 + "}"), "not JSON|not a manifest"),
        (text('{"a": NaN' + " " * 999 + "}"), "no JSON number"),
        (text('{"a": 1e999}'), "beyond every float64"),
        (lambda file: os.truncate(file, 1 << 40), "bytes, more than the"),
        (pipe, "no regular file|missing|no split"),
        (link_to("/dev/zero"), "no regular file|missing|no split"),
    ],
)
def test_json_that_would_be_waited_for_or_fill_memory_or_stack_is_refused(
    dataset: Path, file: str, damage: Damage, problem: str
) -> None:
    (dataset / file).touch()
    damage(dataset / file)
    refused(dataset, problem)


def test_names_that_are_no_text_or_that_move_a_terminal_s_cursor_are_refused(dataset: Path) -> None:
    names = json.loads((dataset / "identifiers.json").read_text())
    for name in (3, ["x"], "\x1b]0;owned\x07", "two\nlines", "\u202egrid"):
        (dataset / "identifiers.json").write_text(json.dumps([names[0], name, *names[2:]]))
        refused(dataset, r"identifiers\.json: a name")


def test_tasks_that_are_no_grids_are_refused(dataset: Path) -> None:
    pairs = (
        *(3, {"output": [[1]]}, {"input": [[1] * 256]}, {"input": [[1, 2], [3]]}, {"input": [[10**4000]]}),
        *({"input": [[[[0]]]]}, {"input": [[1]], "output": [[-1]]}),
    )
    for task in (3, {"train": 4, "test": []}, *({"test": [pair]} for pair in pairs)):
        (dataset / "test_puzzles.json").write_text(json.dumps({"a": task}))
        with pytest.raises(UserError, match=r"test_puzzles\.json") as caught:
            Questions(["<blank>"], read_test_puzzles(dataset))
        assert len(caught.value.given) < 600


def test_arrays_may_be_links_as_download_caches_have_them_but_not_to_devices(dataset: Path) -> None:
    file = dataset / INPUTS
    link_to(str(file.rename(dataset.parent / "blob")))(file)
    use(dataset)
    for target in ("/dev/zero", "/nowhere"):
        link_to(target)(file)
        with pytest.raises(UserError, match=r"inputs\.npy"):
            use(dataset)
