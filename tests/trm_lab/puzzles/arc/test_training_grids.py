"""ARC grids that are trained on are found again, under every augmentation and wherever they lie on the canvas."""

from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import MATERIALIZED, build
from trm_lab.puzzles.arc.augmentation import Augmentation
from trm_lab.puzzles.arc.sources import Pair
from trm_lab.puzzles.arc.training_grids import AS_THEY_STAND, TrainingGrids, canonical, overlap, pairs_of_tasks
from trm_lab.puzzles.manifest import read_overlap
from trm_lab.puzzles.splits import open_split


def grid(*rows: str) -> np.ndarray:
    return np.array([[int(cell) for cell in row] for row in rows], np.uint8)


def test_all_augmentations_of_a_grid_have_one_form_and_no_other_grid_has_it() -> None:
    generator = np.random.default_rng(0)
    for shape in ((1, 1), (2, 3), (4, 4), (5, 2)):
        cells = generator.integers(0, 10, shape, np.uint8)
        colours = (0, *generator.permutation(np.arange(1, 10)).tolist())
        forms = {canonical(Augmentation(transform, colours).apply(cells)) for transform in range(8)}
        assert forms == {canonical(cells)}
    others = [grid("01"), grid("10", "00"), grid("0", "0", "1"), grid("11"), grid("12"), grid("00"), grid("102")]
    assert len({canonical(other) for other in others}) == len(others)


def test_black_is_no_colour_like_the_others() -> None:
    assert canonical(grid("12")) == canonical(grid("94"))
    assert canonical(grid("10")) != canonical(grid("12"))


def test_without_augmentations_grids_are_compared_as_they_stand() -> None:
    trained = [Pair(grid("12"), grid("1"))]
    turned = Pair(grid("2", "1"), grid("2"))
    assert TrainingGrids(trained, augmented=True).standing(turned) == (True, True)
    plain = TrainingGrids(trained, augmented=False)
    assert plain.compared == AS_THEY_STAND
    assert (plain.standing(turned), plain.standing(trained[0])) == ((False, False), (True, True))


def test_an_input_is_looked_for_among_inputs_and_pairs_that_do_not_train_or_are_hidden_do_not_count() -> None:
    trained = [Pair(grid("12"), grid("100")), Pair(grid("33", "33"), None)]
    asked = [Pair(grid("100"), grid("12")), Pair(grid("33", "33"), grid("1")), Pair(grid("12"), None)]
    counts = overlap(trained, asked, augmented=True)
    assert (counts.examples, counts.questions, counts.answers) == (2, 0, 0)


@pytest.mark.parametrize(
    "layout", [MATERIALIZED, {"materialize": False, "translations": "fresh"}], ids=["whole", "compact"]
)
def test_the_tasks_own_grids_are_read_from_both_layouts(tmp_path: Path, layout: dict[str, object]) -> None:
    dataset, _ = build(tmp_path, **layout)
    examples = open_split(dataset, "train").sets["all"]
    pairs = list(pairs_of_tasks(examples, 12))
    assert len(pairs) == 3 + 4 + 2 + 2 + 2  # of striped, noisy, black, mixed and tall, the last two without their tests
    assert {pair.input.shape for pair in pairs} == {(3, 4), (2, 5), (4, 4), (1, 6), (6, 1), (5, 5), (2, 2), (1, 1)} | {
        (3, 3), (4, 2), (9, 2), (8, 3)
    }  # fmt: skip
    said = read_overlap(dataset)
    assert said is not None
    assert (said.examples, said.questions, said.answers) == (3, 0, 0)
