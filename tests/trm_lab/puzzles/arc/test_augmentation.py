"""Augmentations: back and forth, and the names that carry them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trm_lab.puzzles.arc.test_grids import few, grids
from trm.errors import UserError
from trm_lab.puzzles.arc.augmentation import IDENTITY_ROW, Augmentation, names, parse_name
from trm_lab.puzzles.arc.grids import dihedral

augmentations = st.builds(
    lambda transform, order: Augmentation(transform, (0, *order)),
    st.integers(0, 7),
    st.permutations(range(1, 10)),
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
