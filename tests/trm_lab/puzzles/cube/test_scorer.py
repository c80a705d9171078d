"""The cube's scorer: its turns are a cube's, and it tells right answers from wrong ones, whatever the label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.puzzles.cube.scorer import cube_scorer, sticker_sources
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE, CUBE_MASK
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.scorer import Scorer

MOVES = ["U", "U2", "U'", "R", "R2", "R'", "F", "F2", "F'"]
SLOTS = 11
SOLVED_CUBE = np.repeat(np.arange(6), 4)


def scorer(moves: list[str] = MOVES) -> Scorer:
    return cube_scorer({"metric": "half", "moves": moves})


def scrambled(moves: str) -> np.ndarray:
    """Facelets `[24]` of a solved cube after moves such as "R U' F2"."""
    stickers = SOLVED_CUBE
    for move in moves.split():
        stickers = stickers[sticker_sources(move)]
    return stickers


def answer(moves: str) -> np.ndarray:
    """Tokens of the answer's slots `[11]`."""
    tokens = [CUBE_FIRST_MOVE + MOVES.index(move) for move in moves.split()]
    return np.array(tokens + [CUBE_END] * (SLOTS - len(tokens)))


def judge(scramble: str, label: str, tokens: np.ndarray) -> dict[str, bool]:
    """Verdicts on one answer's tokens `[11]`."""
    question = np.concatenate([scrambled(scramble) + CUBE_FIRST_COLOUR, np.full(SLOTS, CUBE_MASK)])
    labels = np.concatenate([np.full(24, IGNORE_LABEL), answer(label)])
    prediction = np.concatenate([np.zeros(24, np.int64), tokens]).astype(np.uint8)
    verdicts = scorer()(question[None], labels[None], prediction[None])
    return {name: bool(verdict[0]) for name, verdict in verdicts.items()}


def verdicts(solved: bool, optimal: bool, well_formed: bool) -> dict[str, bool]:
    return {"solved": solved, "optimal": optimal, "well_formed": well_formed}


def test_a_turn_moves_the_stickers_that_a_cube_in_the_hand_moves() -> None:
    def face(stickers: np.ndarray, name: str) -> str:
        return "".join(CUBE_FACES[colour] for colour in stickers[4 * CUBE_FACES.index(name) :][:4])

    turned = scrambled("R")  # the right column: front goes up, up back, back down, down comes to the front
    assert [face(turned, name) for name in "URFDLB"] == ["UFUF", "RRRR", "FDFD", "DBDB", "LLLL", "UBUB"]
    turned = scrambled("U")  # the upper row: front goes left, left goes back
    assert [face(turned, name) for name in "URFDLB"] == ["UUUU", "BBRR", "RRFF", "DDDD", "FFLL", "LLBB"]
    turned = scrambled("F")
    assert [face(turned, name) for name in "URFDLB"] == ["UULL", "URUR", "FFFF", "RRDD", "LDLD", "BBBB"]


def test_any_solution_is_solved_and_one_as_short_as_the_label_optimal() -> None:
    assert (scrambled("R2 U2 R2 U2 R2 U2") == SOLVED_CUBE).all()  # is no move at all
    for scramble, label, moves, solved, optimal in (
        ("R2", "R2", "R2", True, True),
        ("R2 U2 R2", "R2 U2 R2", "U2 R2 U2", True, True),
        ("R U", "U' R'", "U U2 R'", True, False),  # a detour
        ("R", "R'", "R R R", True, False),
        *(("R U", "U' R'", wrong, False, False) for wrong in ("", "U'", "R' U'", "U' R' U")),
    ):
        assert judge(scramble, label, answer(moves)) == verdicts(solved, optimal, True), moves


def test_a_cube_that_is_solved_but_held_otherwise_is_solved() -> None:
    assert judge("R", "R'", answer("R'"))["solved"]
    scorer_of_six = scorer(["R", "L'"])  # R L' turns the whole cube
    question = np.concatenate([SOLVED_CUBE + CUBE_FIRST_COLOUR, [CUBE_MASK] * 2])
    labels = np.array([IGNORE_LABEL] * 24 + [CUBE_END] * 2)
    prediction = np.array([0] * 24 + [CUBE_FIRST_MOVE, CUBE_FIRST_MOVE + 1])
    given = scorer_of_six(question[None], labels[None], prediction[None])
    assert (given["solved"][0], given["optimal"][0]) == (True, False)


def test_garbage_before_the_end_spoils_the_answer_and_after_it_only_its_form() -> None:
    for garbage in (0, CUBE_MASK, CUBE_FIRST_COLOUR, 255):
        tokens = answer("U' R'")
        tokens[2] = garbage
        assert judge("R U", "U' R'", tokens) == verdicts(False, False, False)
    for garbage in (0, CUBE_FIRST_MOVE, 255):
        tokens = answer("U' R'")
        tokens[5] = garbage
        assert judge("R U", "U' R'", tokens) == verdicts(True, True, False)


@settings(max_examples=20)
@given(st.lists(st.sampled_from(MOVES), max_size=SLOTS))
def test_undoing_a_scramble_solves_it(moves: list[str]) -> None:
    inverse = {"U": "U'", "R": "R'", "F": "F'"}
    undone = [next((m for m, i in inverse.items() if i == move), inverse.get(move, move)) for move in moves]
    given = judge(" ".join(moves), " ".join(reversed(undone)), answer(" ".join(reversed(undone))))
    assert given == verdicts(True, True, True)


def test_answers_of_any_tokens_are_judged() -> None:
    inputs, labels, predictions = np.random.default_rng(0).integers(0, 256, (3, 1000, 24 + SLOTS))
    verdicts_of_all = scorer()(inputs, labels, predictions.astype(np.uint8))
    assert {verdict.shape for verdict in verdicts_of_all.values()} == {(1000,)}
    assert not verdicts_of_all["solved"].any()


def test_facts_without_a_cubes_moves_are_refused() -> None:
    for facts in ({"metric": "half"}, *({"moves": moves} for moves in ([], ["U", "X"], "U", [1]))):
        with pytest.raises(UserError, match="build the dataset again"):
            scorer_of(About("cube", 1, "clean", "cube", facts))
