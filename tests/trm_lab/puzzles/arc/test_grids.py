"""Grids, tokens, crops and augmentations: the published numbers, and what must hold for any grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.golden.cases import GOLDEN_DIR
from trm.errors import UserError
from trm_lab.puzzles.arc.augmentation import IDENTITY_ROW, Augmentation, names, parse_name
from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import (
    COLOURS,
    END,
    PAD,
    TRANSFORMS,
    crop,
    crop_all,
    dihedral,
    encode_pair,
    grid_hash,
    parse_grid,
)

GOLDEN = np.load(GOLDEN_DIR / "arc_data.npz")
CASES = sorted({key.split("/")[0] for key in GOLDEN.files if key.startswith("grid")})
SIDE = 8
few = settings(max_examples=20)
grids = st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 9))
)


def slow_crop(tokens: np.ndarray, canvas: int) -> np.ndarray:
    """The rule, rectangle by rectangle."""
    cells = tokens.reshape(canvas, canvas)
    best = (0, 0)
    for height in range(1, canvas + 1):
        widths = [width for width in range(canvas + 1) if ((cells[:height, :width] - 2) < 10).all()]
        if height * max(widths) > best[0] * best[1]:
            best = height, max(widths)
    return cells[: best[0], : best[1]] - 2


@pytest.mark.parametrize("case", CASES)
def test_hash_turns_tokens_and_crops_are_the_published_ones(case: str) -> None:
    grid, other = GOLDEN[case], GOLDEN[f"{case}/other"]
    assert grid_hash(grid) == str(GOLDEN[f"{case}/hash"])
    for transform in range(8):
        np.testing.assert_array_equal(dihedral(grid, transform), GOLDEN[f"{case}/dihedral{transform}"])
    tokens, other_tokens = encode_pair(grid, other, *GOLDEN[f"{case}/pad"].tolist())
    np.testing.assert_array_equal(tokens, GOLDEN[f"{case}/seq"])
    np.testing.assert_array_equal(other_tokens, GOLDEN[f"{case}/other_seq"])
    np.testing.assert_array_equal(encode_pair(grid, other)[0], GOLDEN[f"{case}/seq0"])
    np.testing.assert_array_equal(crop(GOLDEN[f"{case}/seq0"]), GOLDEN[f"{case}/crop_seq0"])
    np.testing.assert_array_equal(crop(GOLDEN[f"{case}/noisy"]), GOLDEN[f"{case}/crop_noisy"])


def test_the_published_name_maps_its_grid_back() -> None:
    _, augmentation = parse_name(str(GOLDEN["inverse_aug/name"]))
    np.testing.assert_array_equal(augmentation.inverse(GOLDEN["inverse_aug/in"]), GOLDEN["inverse_aug/out"])


@few
@given(grids, st.data())
def test_an_offset_moves_cells_and_ends_and_a_grid_in_the_corner_can_be_read_off(
    grid: np.ndarray, data: st.DataObject
) -> None:
    height, width = grid.shape
    row = data.draw(st.integers(0, SIDE - height))
    column = data.draw(st.integers(0, SIDE - width))
    canvas = encode_pair(grid, grid, row, column, SIDE)[0].reshape(SIDE, SIDE)
    expected = np.full((SIDE, SIDE), PAD)
    expected[row : row + height + 1, column : column + width + 1] = END
    expected[row + height :, column + width :] = PAD  # the corner of the ends
    expected[row : row + height, column : column + width] = grid + 2
    np.testing.assert_array_equal(canvas, expected)
    np.testing.assert_array_equal(crop(encode_pair(grid, grid, canvas=SIDE)[1], SIDE), grid)


@given(arrays(np.uint8, (3, 25), elements=st.sampled_from([0, 1, 2, 5, 11, 11, 11, 3, 12])))
@settings(max_examples=30)
def test_crop_takes_the_first_of_the_largest_rectangles(tokens: np.ndarray) -> None:
    for row, found in zip(tokens, crop_all(tokens, 5), strict=True):
        expected = slow_crop(row, 5)
        assert found.dtype == np.uint8
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_what_is_no_grid_is_named() -> None:
    cases: list[tuple[object, str]] = [
        ("0 1", "not a list of rows"),
        ([1, 2], "not a list of rows"),
        ([[]], "an empty grid"),
        ([[1, 2], [3]], "ragged rows"),
        ([[1], [10]], "10 in row 1 is no colour"),
        ([[-1]], "-1 in row 0 is no colour"),
        ([[1.0]], "1.0 in row 0 is no colour"),
        ([[True]], "True in row 0 is no colour"),
        ([[0]] * 31, "31x1 cells"),
    ]
    for cells, problem in cases:
        with pytest.raises(UserError, match=problem) as error:
            parse_grid(cells, "the third one")
        assert "the third one" in error.value.given
        assert "0..9" in error.value.allowed
    assert parse_grid([[0] * 31], "wide", largest=None).shape == (1, 31)
    with pytest.raises(UserError, match="1x256"):  # more than a hash can hold
        parse_grid([[0] * 256], "wider", largest=None)


augmentations = st.builds(
    lambda transform, order: Augmentation(transform, (0, *order)), st.integers(0, 7), st.permutations(range(1, 10))
)


def name_of(augmentation: Augmentation, task: str) -> str:
    row = [augmentation.transform, *augmentation.colours[1:]]
    return names(task, np.array([IDENTITY_ROW, row], np.uint8))[1]


@few
@given(grids, augmentations)
def test_an_augmentation_can_be_undone_and_redone(grid: np.ndarray, augmentation: Augmentation) -> None:
    np.testing.assert_array_equal(augmentation.inverse(augmentation.apply(grid)), grid)
    np.testing.assert_array_equal(augmentation.apply(augmentation.inverse(grid)), grid)


@few
@given(augmentations)
def test_a_name_carries_its_augmentation(augmentation: Augmentation) -> None:
    assert parse_name(name_of(augmentation, "00576224")) == ("00576224", augmentation)


def test_colours_are_mapped_first_and_digit_i_is_the_new_colour_of_i() -> None:
    augmentation = Augmentation(1, (0, 2, 3, 1, 4, 5, 6, 7, 8, 9))
    assert name_of(augmentation, "t") == "t|||t1|||0231456789"
    grid = np.array([[0, 1], [2, 3]], np.uint8)
    np.testing.assert_array_equal(augmentation.apply(grid), dihedral(np.array([[0, 2], [3, 1]]), 1))


def test_a_name_that_is_no_augmentation_is_refused() -> None:
    for ending in ("t8|||0123456789", "t1|||0123456788", "t1", "1|||0123456789", "t1|||012345678|||9"):
        with pytest.raises(UserError, match="is no augmentation"):
            parse_name(f"a|||{ending}")


def test_many_grids_laid_at_once_are_the_grids_laid_one_by_one() -> None:
    canvas, count = 7, 4096 * 2 + 5  # more than one chunk
    generator = np.random.default_rng(0)
    sides = generator.integers(1, canvas + 1, (40, 2))
    grids = [generator.integers(0, COLOURS, shape).astype(np.uint8) for shape in sides]
    which, turns = generator.integers(0, 40, count), generator.integers(0, TRANSFORMS, count)
    colours = generator.permuted(np.tile(np.arange(COLOURS), (count, 1)), axis=1)
    room = canvas + 1 - Grids.of(grids).turned_shapes(which, turns)
    offsets = (generator.random((count, 2)) * room).astype(int)
    laid = lay(Grids.of(grids), which, turns, colours, offsets, canvas)
    for row in [*range(0, count, 41), count - 1]:
        grid = dihedral(colours[row].astype(np.uint8)[grids[which[row]]], int(turns[row]))
        expected = encode_pair(grid, grid, *offsets[row].tolist(), canvas)[0]
        np.testing.assert_array_equal(laid[row], expected)
