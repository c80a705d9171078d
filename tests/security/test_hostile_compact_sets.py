"""Compact ARC sets, manifests and ARC sources made to harm whoever reads them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.security.attempts import change_json, save_array, unsigned, use
from tests.trm_lab.puzzles.arc.small_arc import build, write_sources
from trm.errors import UserError
from trm_lab.puzzles.arc.sources import read_files
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About, check_files, read_about, write_manifest
from trm_lab.puzzles.splits import open_split

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("compact"), materialize=False)[0]


@pytest.fixture
def dataset(built: Path, tmp_path: Path) -> Path:
    return unsigned(built, tmp_path / "theirs")


def sign(dataset: Path) -> Path:
    """With a manifest over what is there now: whoever can change files can make one."""
    write_manifest(dataset, About("theirs", 1, "clean"))
    return dataset


def test_what_the_attempts_damage_is_usable_before(dataset: Path) -> None:
    use(sign(dataset))
    use(dataset, "test")


def put(file: str, place: int, value: int, dtype: str = "int64") -> Damage:
    def damage(dataset: Path) -> None:
        array = np.load(dataset / file).astype(dtype)
        array.flat[place] = value
        np.save(dataset / file, array)

    return damage


def cut(file: str) -> Damage:
    return lambda dataset: np.save(dataset / file, np.load(dataset / file)[:-1])


def tell(**values: object) -> Damage:
    return lambda dataset: change_json(dataset / "train/dataset.json", **values)


def claim_a_billion_puzzles(dataset: Path) -> None:
    tell(total_puzzles=10**9, mean_puzzle_examples=3.0, total_groups=1)(dataset)
    save_array(dataset / "train/all__group_indices.npy", [0, 10**9])
    save_array(dataset / "train/all__first_identifiers.npy", [0])
    pairs = len(np.load(dataset / "train/all__shapes.npy"))
    save_array(dataset / "train/all__pair_indices.npy", [0, pairs])


def claim_trillions_of_examples(dataset: Path) -> None:
    """A million pairs of a cell each, a hundred thousand augmentations: 10^11 examples of 15 MB of files."""
    pairs, puzzles = 10**6, 10**5
    save_array(dataset / "train/all__cells.npy", np.zeros(2 * pairs), "uint8")
    save_array(dataset / "train/all__shapes.npy", np.ones((pairs, 2, 2)), "uint8")
    save_array(dataset / "train/all__pair_indices.npy", [0, pairs])
    save_array(dataset / "train/all__group_indices.npy", [0, puzzles])
    save_array(dataset / "train/all__first_identifiers.npy", [0])
    save_array(dataset / "augmentations.npy", np.tile(np.arange(10), (puzzles, 1)), "uint8")
    (dataset / "identifiers.json").write_text(json.dumps(["x"] * puzzles))
    tell(total_puzzles=puzzles, total_groups=1, mean_puzzle_examples=pairs)(dataset)
    tell(num_puzzle_identifiers=puzzles, blank_identifier_id=0)(dataset)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (put("train/all__first_identifiers.npy", 0, -3), "identifiers beyond"),
        (put("train/all__first_identifiers.npy", 0, 2**64 - 3, "uint64"), "identifiers beyond"),
        (put("train/all__group_indices.npy", 1, 10**9), "increasing positions"),
        (put("train/all__pair_indices.npy", 1, 2**64 - 1, "uint64"), "increasing positions"),
        (put("train/all__shapes.npy", 0, 2**32 + 3), "other grids than fit"),  # 3 once it is a uint8
        (put("train/all__shapes.npy", 0, 0), "input without cells"),
        (put("train/all__shapes.npy", 2, 0), "rows or columns only"),
        (put("train/all__cells.npy", 0, 256), "not all of them colours"),
        (put("augmentations.npy", 10, -1), "no transforms"),
        (cut("train/all__cells.npy"), "shapes of other grids"),
        (cut("train/all__first_identifiers.npy"), "4 groups"),
        (cut("augmentations.npy"), r"shape \(29, 10\)"),
        (lambda dataset: (dataset / "train/all__cells.npy").unlink(), "missing"),
        (tell(layout="new"), "layout 'new', which this version does not know"),
        (tell(seq_len=10**8), "not tokens of ARC"),
        (tell(vocab_size=3), "not tokens of ARC"),
        (tell(translations=["fresh"]), "translations="),
        (tell(seed="\x1b[2J"), "seed="),
        (claim_a_billion_puzzles, "of num_puzzle_identifiers="),
        (claim_trillions_of_examples, "examples, more than the"),
    ],
)
def test_a_compact_set_that_points_beyond_itself_is_refused_though_its_manifest_fits(
    dataset: Path, damage: Damage, problem: str
) -> None:
    damage(dataset)
    with pytest.raises(UserError, match=problem):
        use(sign(dataset))
    with pytest.raises(UserError, match=problem) as error:
        open_split(dataset, "train")
    assert "build it again" in error.value.remedy


def forge(dataset: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    """Change a manifest and give it the digest that belongs to it."""
    file = sign(dataset) / "manifest.json"
    content = json.loads(file.read_text())
    del content["sha256"]
    change(content)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps({**content, "sha256": digest}))


def refused_manifest(dataset: Path, read: Callable[[Path], object], reason: str = "") -> None:
    with pytest.raises(UserError, match=rf"manifest\.json: not a manifest{reason}") as caught:
        read(dataset)
    assert "\x1b" not in str(caught.value)
    assert len(caught.value.given) < 500 + len(str(dataset))


def test_a_manifest_s_entries_are_sizes_and_digests_of_files_in_its_dataset(dataset: Path) -> None:
    (dataset.parent / "secret").write_text("not yours")
    entry = {"size": 9, "sha256": "0" * 64}
    for name in ("../secret", "/etc/hostname", "train/../../secret", "", "a\0b", "..\\secret", "\x1b[2J"):
        forge(dataset, lambda content, name=name: content["files"].update({name: entry}))
        refused_manifest(dataset, check_files, r" \(a file .* not in the dataset")
    for wrong in (3, [], {"size": 1}, {"size": "1", "sha256": "0"}, {"size": 1, "sha256": None}):
        forge(dataset, lambda content, wrong=wrong: content["files"].update({"train/dataset.json": wrong}))
        refused_manifest(dataset, check_files)


ABOUT: tuple[dict[str, object], ...] = (
    *({"name": "\x1b]0;owned\x07"}, {"name": ["a"]}, {"name": "a" * 10_000}, {"protocol": "two\nlines"}),
    *({"scorer": {"queens": 1}}, {"version": 1e308}, {"facts": [1]}, {"other": 1}),
)


def test_a_manifest_says_what_ours_say(dataset: Path) -> None:
    for change in ABOUT:
        forge(dataset, lambda content, change=change: content["about"].update(change))
        refused_manifest(dataset, read_about)
    for content in ("", "[]", '{"about": {}, "files": {}}'):
        (dataset / "manifest.json").write_text(content)
        refused_manifest(dataset, read_about)


FACTS: tuple[dict[str, object], ...] = (
    {},
    {"side": 10**6, "size": 10**6, "box_rows": 10**3, "box_columns": 10**3, "moves": ["U"] * 10**5},
    {"side": -1, "size": -1, "box_rows": 0, "box_columns": 0, "moves": [["U"]]},
    {"side": "9", "size": [9], "box_rows": None, "box_columns": {}, "moves": {}},
    {"characters": "ab", "question_length": -1},
    {"characters": "ab", "question_length": "4"},
)


def test_facts_that_a_scorer_cannot_work_with_are_refused_before_it_makes_anything_of_them() -> None:
    for scorer in ("queens", "maze", "sudoku", "cube", "answer", "reasoning_gym", "os.system"):
        for facts in FACTS:
            with pytest.raises(UserError):
                scorer_of(About("theirs", 1, "clean", scorer, facts))


def test_arc_sources_made_to_harm_are_refused(tmp_path: Path) -> None:
    prefix = write_sources(tmp_path)
    for content in (
        "[" * 200_000,
        '{"a": {"train": [{"input": [[1' + "0" * 9999 + ']], "output": [[1]]}], "test": []}}',
        '{"a": {"train": [{"input": [' + "[[1]]," * 10_000 + '[]], "output": [[1]]}], "test": []}}',
        '{"\\u001b[2J": {"train": [], "test": []}}',
        json.dumps({"a" * 9999: {"train": [], "test": []}}),
    ):
        (tmp_path / "small_training_challenges.json").write_text(content)
        with pytest.raises(UserError, match=r"challenges\.json") as caught:
            read_files(prefix, "training")
        assert len(str(caught.value)) < 1000
        assert "\x1b" not in str(caught.value)
