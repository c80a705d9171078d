"""What voting is made of: grids' digests, the grids that may be submitted, puzzles' names."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.trm_lab.evaluation.small_votes import QUESTION, A, task
from trm.errors import UserError
from trm_lab.commands.choices import RANKINGS
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.grid_digests import EMPTY, GridDigests
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.arc.augmentation import Augmentation, draw, grids_shown, names, parse_name, parse_names
from trm_lab.puzzles.arc.grids import FIRST_COLOUR, TRANSFORMS, Grid, encode_pair

SIDE = 7  # an odd canvas, whose cells make no pairs


@st.composite
def grids(draw_from: st.DrawFn, side: int = SIDE) -> Grid:
    height, width = draw_from(st.integers(1, side)), draw_from(st.integers(1, side))
    cells = st.lists(st.integers(0, 9), min_size=height * width, max_size=height * width)
    return np.array(draw_from(cells), np.uint8).reshape(height, width)


augmentations = st.builds(Augmentation, st.integers(0, 7), st.permutations(range(10)).map(tuple))


def shown(grid: Grid, augmentation: Augmentation, canvas: int) -> tuple[NDArray[np.uint8], ...]:
    """Tokens, transforms, colours of one sequence."""
    augmented = augmentation.apply(grid)
    tokens = encode_pair(augmented, augmented, canvas=canvas)[0]
    transform, colours = (np.array([augmentation.transform], np.uint8), np.array([augmentation.colours], np.uint8))
    return tokens[None], transform, colours


@settings(max_examples=60)
@given(grids(), grids(), augmentations)
def test_equal_grids_alone_have_equal_digests_under_every_augmentation(
    one: Grid, other: Grid, augmentation: Augmentation
) -> None:
    digests = GridDigests(SIDE)
    assert digests.of_sequences(*shown(one, augmentation, SIDE)) == [digests.of_grid(one)]
    assert (digests.of_grid(one) == digests.of_grid(other)) == np.array_equal(one, other)


def test_all_grids_that_differ_in_one_cell_have_different_digests_at_each_pair_of_points() -> None:
    tokens = np.full((1801, 900), FIRST_COLOUR, np.uint8)
    for changed, (cell, colour) in enumerate(itertools.product(range(900), (1, 9)), start=1):
        tokens[changed, cell] += colour
    still, same = np.zeros(len(tokens), np.uint8), np.tile(np.arange(10, dtype=np.uint8), (len(tokens), 1))
    digests = GridDigests().of_sequences(tokens, still, same)
    for number in range(3):
        assert len({digest[8 * number : 8 * number + 8] for digest in digests}) == len(tokens)


def test_digests_do_not_depend_on_the_sequences_beside_them() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 14, (700, 900)).astype(np.uint8)
    tokens[:, :40] = rng.integers(2, 12, (700, 40))
    table = draw(rng, 700)
    colours = np.hstack([np.zeros((700, 1), np.uint8), table[:, 1:]])
    digests = GridDigests()
    together = digests.of_sequences(tokens, table[:, 0], colours)
    grids = grids_shown(tokens, table[:, 0], colours)
    assert together == [digests.of_grid(grid) if grid.size else EMPTY for grid in grids]


def distinct_answers(count: int, first: int = 0) -> NDArray[np.uint8]:
    """As many different answers of 30 by 30."""
    answers = np.full((count, 900), 2, np.uint8)
    number = np.arange(first, first + count)
    for digit in range(6):
        answers[:, digit] += (number // 10**digit % 10).astype(np.uint8)
    return answers


def memory_voting(ranked_by: str = "count_confidence") -> ArcVoting:
    identifiers = ["<blank>", *names("x", draw(np.random.default_rng(0), 8))]
    return ArcVoting(Questions(identifiers, {"x": task((QUESTION, A))}), ranked_by)


def add(voting: ArcVoting, answers: NDArray[np.uint8], confidence: float) -> None:
    """Votes under the task's own name."""
    asked = encode_pair(np.array(QUESTION, np.uint8), np.array(QUESTION, np.uint8))[0]
    count = len(answers)
    voting.add(np.ones(count, np.int32), np.tile(asked, (count, 1)), answers, np.full(count, confidence))


@pytest.mark.parametrize("ranked_by", sorted({*RANKINGS} - {"mean_confidence"}))
def test_only_the_best_candidates_keep_their_grids(ranked_by: str) -> None:
    voting = memory_voting(ranked_by)
    for part in range(3):
        add(voting, distinct_answers(400, 400 * part), 0.5 - part / 100)
        assert len(voting._grids[0]) == 2
    assert voting.result().outputs[0].candidates == 1200


@pytest.mark.parametrize("ranked_by", RANKINGS)
def test_one_that_was_passed_over_is_submitted_with_its_grid_when_it_comes_back(ranked_by: str) -> None:
    voting = memory_voting(ranked_by)
    first, others = distinct_answers(1), distinct_answers(3, first=1)
    add(voting, first, 0.5)
    add(voting, np.repeat(others, 2, axis=0), 0.75)
    add(voting, np.repeat(first, 3, axis=0), 1.0)
    (attempts,) = voting.result().submission["x"]
    assert attempts["attempt_1"] == (first.reshape(30, 30) - 2).tolist()


def test_ranked_by_mean_confidence_one_may_come_back_without_a_vote() -> None:
    voting = memory_voting("mean_confidence")
    passed_over, others = distinct_answers(1), distinct_answers(2, first=1)
    add(voting, passed_over, 0.5)
    add(voting, others, 0.75)
    add(voting, others, 0.0)
    (attempts,) = voting.result().submission["x"]
    assert attempts["attempt_1"] == (passed_over.reshape(30, 30) - 2).tolist()


def test_a_leader_that_gains_leaves_room_for_another_that_gains_less() -> None:
    """With 5 and 5 votes before, 2 more for the second and for a third with 4: the first is passed over."""
    voting, answers = memory_voting(), distinct_answers(3)
    for answer, votes in zip(answers, (5, 5, 4), strict=True):
        add(voting, np.repeat(answer[None], votes, axis=0), 0.5)
    add(voting, np.repeat(answers[1:], [3, 2], axis=0), 0.5)
    (attempts,) = voting.result().submission["x"]
    expected = [(answer.reshape(30, 30) - 2).tolist() for answer in answers[1:]]
    assert list(attempts.values()) == expected


def test_the_largest_confidences_add_up_exactly() -> None:
    voting, (answer,) = memory_voting(), distinct_answers(1)
    for confidence in (1 - 2.0**-53, 1e30, -np.inf, 1e30):
        add(voting, np.tile(answer, (1000, 1)), confidence)
    assert voting.result().outputs[0].confidence_of_best == (1 - 2.0**-53 + 2**20) / 4


Parsed = list[tuple[str, Augmentation]]


def outcome(parse: Callable[[list[str]], Parsed], given_names: list[str]) -> Parsed | str:
    """What is parsed, or the error's words."""
    try:
        return parse(given_names)
    except UserError as error:
        return str(error)


def together(given_names: list[str]) -> Parsed:
    tasks, turns, colours = parse_names(given_names)
    columns = tasks, turns.tolist(), colours.tolist()
    return [(name, Augmentation(turn, tuple(own))) for name, turn, own in zip(*columns, strict=True)]


def one_by_one(given_names: list[str]) -> Parsed:
    return [parse_name(name) for name in given_names]


PUZZLES = st.tuples(st.text("x|t3é\n\0", max_size=6), augmentations, st.booleans())


@settings(max_examples=40)
@given(st.lists(PUZZLES, max_size=5))
def test_names_are_parsed_alike_one_by_one_and_together(drawn: list[tuple[str, Augmentation, bool]]) -> None:
    given_names = [
        name if plain else f"{name}|||t{one.transform}|||{''.join(map(str, one.colours))}" for name, one, plain in drawn
    ]
    assert outcome(together, given_names) == outcome(one_by_one, given_names)


@pytest.mark.parametrize("name", ["x|||t8|||0123456789", "x|||t1|||0123456788", "x|||t1|||012345678", "x|||"])
def test_a_broken_name_is_an_error_among_good_ones(name: str) -> None:
    good = names("x", draw(np.random.default_rng(0), TRANSFORMS))
    with pytest.raises(UserError, match="is no augmentation"):
        parse_names([*good, name])
