"""What voting is made of: fingerprints, marks, the table of candidates, the leaders' grids, names."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.trm_lab.evaluation.small_votes import QUESTION, A, task
from trm.errors import UserError
from trm_lab.evaluation import vote_table as arc_candidates
from trm_lab.evaluation import voting as arc_voting
from trm_lab.evaluation.grid_hashes import NUMBERS, Fingerprints
from trm_lab.evaluation.input_hashes import Marks
from trm_lab.evaluation.vote_ranking import RANKINGS
from trm_lab.evaluation.vote_table import MOST_VOTES, NONE, CandidateTable
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.arc.augmentation import Augmentation, draw, grids_shown, names, parse_name, parse_names
from trm_lab.puzzles.arc.grids import TRANSFORMS, Grid, crop_all, encode_pair

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
    transform, colours = (
        np.array([augmentation.transform], np.uint8),
        np.array([augmentation.colours], np.uint8),
    )
    return tokens[None], transform, colours


@given(grids(), augmentations)
def test_a_grid_has_one_fingerprint_under_every_augmentation(grid: Grid, augmentation: Augmentation) -> None:
    fingerprints = Fingerprints(SIDE)
    found = fingerprints.of_shown(*shown(grid, augmentation, SIDE))
    np.testing.assert_array_equal(found, fingerprints.of_grids([grid]))


@given(grids(), grids())
def test_different_grids_have_different_fingerprints(one: Grid, other: Grid) -> None:
    first, second = Fingerprints(SIDE).of_grids([one, other])
    assert (first == second).all() == np.array_equal(one, other)


def test_all_grids_that_differ_in_one_cell_have_different_fingerprints_in_each_number() -> None:
    grid = np.zeros((30, 30), np.uint8)
    changed = [grid]
    for cell in range(900):
        for colour in (1, 9):
            changed.append(grid.copy())
            changed[-1].flat[cell] = colour
    prints = Fingerprints().of_grids(changed)
    assert all(len(np.unique(prints[:, number])) == len(changed) for number in range(NUMBERS))


def test_fingerprints_do_not_depend_on_the_sequences_beside_them() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 14, (700, 900)).astype(np.uint8)
    tokens[:, :40] = rng.integers(2, 12, (700, 40))
    table = draw(rng, 700)
    colours = np.hstack([np.zeros((700, 1), np.uint8), table[:, 1:]])
    fingerprints = Fingerprints()
    together = fingerprints.of_shown(tokens, table[:, 0], colours)
    for row in range(0, 700, 50):
        one = slice(row, row + 1)
        alone = fingerprints.of_shown(tokens[one], table[one, 0], colours[one])
        mapped_back = grids_shown(tokens[one], table[one, 0], colours[one])
        np.testing.assert_array_equal(together[one], alone)
        if mapped_back[0].size:
            np.testing.assert_array_equal(alone, fingerprints.of_grids(mapped_back))
    assert len(np.unique(together[:, 0])) > 600


def test_what_shows_no_grid_has_the_lowest_fingerprint() -> None:
    nothing = np.ones((1, 900), np.uint8)
    found = Fingerprints().of_shown(nothing, np.zeros(1, np.uint8), np.arange(10, dtype=np.uint8)[None])
    assert (found == 0).all()


@given(grids(), augmentations)
def test_grids_shown_are_the_inverse_of_the_crop(grid: Grid, augmentation: Augmentation) -> None:
    tokens, transforms, colours = shown(grid, augmentation, SIDE)
    (found,) = grids_shown(tokens, transforms, colours, SIDE)
    np.testing.assert_array_equal(found, augmentation.inverse(crop_all(tokens, SIDE)[0]))
    np.testing.assert_array_equal(found, grid)


@given(grids(), augmentations, st.sampled_from([SIDE, SIDE + 1]))
def test_a_mark_is_known_from_the_sums_of_the_grid(
    grid: Grid, augmentation: Augmentation, canvas: int
) -> None:
    marks = Marks(canvas)
    tokens, _, colours = shown(grid, augmentation, canvas)
    expected = marks.augmented(marks.sums([grid])[:, augmentation.transform], colours)
    np.testing.assert_array_equal(marks.of(tokens), expected)


def test_any_other_sequence_has_another_mark() -> None:
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3)
    (tokens,) = encode_pair(grid, grid, canvas=SIDE)[:1]
    changed = np.tile(tokens, (len(tokens), 1))
    changed[np.arange(len(tokens)), np.arange(len(tokens))] += 1
    found = Marks(SIDE).of(np.vstack([tokens[None], changed]))
    assert (found[1:] != found[0]).all()


def keys(rng: np.random.Generator, count: int, different: int) -> tuple[NDArray[np.int64], ...]:
    """Questions and fingerprints of votes for so many candidates at most."""
    prints = rng.integers(0, 1 << 62, (different, NUMBERS))
    chosen = rng.integers(0, different, count)
    return chosen % 3, prints[chosen]


@pytest.mark.parametrize("clash", [False, True])
def test_the_table_counts_each_candidate_whatever_slots_they_share(
    clash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if clash:
        monkeypatch.setattr(arc_candidates, "_MIX", np.zeros(2, np.uint64))
    rng, table = np.random.default_rng(0), CandidateTable()
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(4):
        questions, prints = keys(rng, 600, 400)
        voted, votes = table.add(questions, prints, np.full(600, 0.5))
        for key in np.column_stack([questions, prints]).tolist():
            counts[tuple(key)] = counts.get(tuple(key), 0) + 1
        np.testing.assert_array_equal(table.prints[voted], prints[votes])
        np.testing.assert_array_equal(table.questions[voted], questions[votes])
    assert table.size == len(counts)
    rows = table.find(np.array([key[0] for key in counts]), np.array([key[1:] for key in counts]))
    assert table.votes[rows].tolist() == list(counts.values())
    assert (table.confidence_sums(rows) == table.votes[rows] / 2).all()
    assert (table.find(np.array([5, 0]), np.array([[1] * NUMBERS, [-1] * NUMBERS])) == NONE).all()


def test_the_largest_confidences_add_up_without_overflow() -> None:
    table = CandidateTable()
    questions, prints = np.zeros(MOST_VOTES, np.intp), np.ones((MOST_VOTES, NUMBERS), np.int64)
    for confidence in (1 - 2.0**-53, 1e30, -np.inf, 1e30):
        table.add(questions, prints, np.full(MOST_VOTES, confidence))
    expected = MOST_VOTES * ((1 - 2.0**-53) + arc_candidates.LARGEST_CONFIDENCE)
    assert table.confidence_sums(np.array([0])) == [expected]


def distinct_answers(count: int, first: int = 0) -> NDArray[np.uint8]:
    """As many different answers of 30 by 30."""
    answers = np.full((count, 900), 2, np.uint8)
    number = np.arange(first, first + count)
    for digit in range(6):
        answers[:, digit] += (number // 10**digit % 10).astype(np.uint8)
    return answers


@pytest.fixture
def counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No prediction waits for others."""
    monkeypatch.setattr(arc_voting, "_ENOUGH", 1)


def memory_voting(ranked_by: str = "count_confidence") -> ArcVoting:
    identifiers = ["<blank>", *names("x", draw(np.random.default_rng(0), 8))]
    return ArcVoting(identifiers, {"x": task((QUESTION, A))}, ranked_by=ranked_by)


def add(voting: ArcVoting, answers: NDArray[np.uint8], confidence: float) -> None:
    """Votes under the task's own name."""
    asked = encode_pair(np.array(QUESTION, np.uint8), np.array(QUESTION, np.uint8))[0]
    count = len(answers)
    voting.add(np.ones(count, np.int32), np.tile(asked, (count, 1)), answers, np.full(count, confidence))


@pytest.mark.usefixtures("counted_at_once")
@pytest.mark.parametrize("ranked_by", sorted({*RANKINGS} - {"mean_confidence"}))
def test_a_candidate_costs_a_small_record_and_only_the_best_keep_their_grids(ranked_by: str) -> None:
    voting = memory_voting(ranked_by)
    for part in range(6):
        add(voting, distinct_answers(4000, 4000 * part), 0.5 - part / 100)
        table, leaders = voting._voting._table, voting._voting._leaders
        assert len(leaders.grids) == 2
        assert table.size == 4000 * (part + 1)
        assert table.nbytes <= 2 * 72 * max(table.size, 4000)  # room doubles; a grid alone has 900 bytes
    assert voting.result().outputs[0].candidates == 24000


@pytest.mark.usefixtures("counted_at_once")
@pytest.mark.parametrize("ranked_by", RANKINGS)
def test_one_that_was_passed_over_is_submitted_with_its_grid_when_it_comes_back(ranked_by: str) -> None:
    voting = memory_voting(ranked_by)
    first, others = distinct_answers(1), distinct_answers(3, first=1)
    add(voting, first, 0.5)
    add(voting, np.repeat(others, 2, axis=0), 0.75)
    add(voting, np.repeat(first, 3, axis=0), 1.0)
    (attempts,) = voting.result().submission["x"]
    assert attempts["attempt_1"] == (first.reshape(30, 30) - 2).tolist()


@pytest.mark.usefixtures("counted_at_once")
def test_ranked_by_mean_confidence_one_may_come_back_without_a_vote() -> None:
    voting = memory_voting("mean_confidence")
    passed_over, others = distinct_answers(1), distinct_answers(2, first=1)
    add(voting, passed_over, 0.5)
    add(voting, others, 0.75)
    add(voting, others, 0.0)
    (attempts,) = voting.result().submission["x"]
    assert attempts["attempt_1"] == (passed_over.reshape(30, 30) - 2).tolist()


@pytest.mark.usefixtures("counted_at_once")
def test_a_leader_that_gains_leaves_room_for_another_that_gains_less() -> None:
    """With 5 and 5 votes before, 2 more for the second and for a third with 4: the first is passed over."""
    voting, answers = memory_voting(), distinct_answers(3)
    for answer, votes in zip(answers, (5, 5, 4), strict=True):
        add(voting, np.repeat(answer[None], votes, axis=0), 0.5)
    add(voting, np.repeat(answers[1:], [3, 2], axis=0), 0.5)
    (attempts,) = voting.result().submission["x"]
    expected = [(answer.reshape(30, 30) - 2).tolist() for answer in answers[1:]]
    assert list(attempts.values()) == expected


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


def test_few_predictions_wait_for_more_and_for_no_longer() -> None:
    voting, answers = memory_voting(), distinct_answers(10000)
    shown = answers[:5000].copy()
    add(voting, shown, 0.5)
    shown[:] = 0  # the caller's array may be used again
    assert voting._voting._table.size == 0
    add(voting, answers[5000:], 0.5)
    assert voting._voting._table.size == 10000
    add(voting, answers[:1], 0.5)
    assert voting.result().outputs[0].votes == 10001
    assert voting.result().outputs[0].candidates == 10000


@settings(max_examples=60)
@given(st.lists(PUZZLES, max_size=5))
def test_names_are_parsed_alike_one_by_one_and_together(drawn: list[tuple[str, Augmentation, bool]]) -> None:
    given_names = [
        name if plain else f"{name}|||t{one.transform}|||{''.join(map(str, one.colours))}"
        for name, one, plain in drawn
    ]
    assert outcome(together, given_names) == outcome(one_by_one, given_names)


@pytest.mark.parametrize("name", ["x|||t8|||0123456789", "x|||t1|||0123456788", "x|||t1|||012345678", "x|||"])
def test_a_broken_name_is_an_error_among_good_ones(name: str) -> None:
    good = names("x", draw(np.random.default_rng(0), TRANSFORMS))
    with pytest.raises(UserError, match="is no augmentation"):
        parse_names([*good, name])
