"""Examples as numbers and strings for the page's own drawing (boards.js), with the colours of `trm_lab.puzzles`.

K examples, S supervision steps, L tokens. Arrays of bytes become base64.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import style
from analysis.choosing import Chosen, picture_for
from analysis.heat import Heat
from analysis.strips import example_name
from trm.batch import IGNORE_LABEL
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.puzzles.arc.colours import TOKEN_COLOURS
from trm_lab.puzzles.arc.picture import ArcPicture, extent, label_canvas
from trm_lab.puzzles.cube.picture import COLOURS, DARK_FACES, PLACES, CubePicture
from trm_lab.puzzles.cube.scorer import STICKERS
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_COLOUR
from trm_lab.puzzles.drawing import STRANGE, BoardPicture
from trm_lab.puzzles.maze.picture import FREE, WALL, MazePicture
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_GOAL, MAZE_START
from trm_lab.puzzles.picture import Example, Picture, Tokens
from trm_lab.puzzles.queens.picture import DARK, LIGHT, QUEEN, QueensPicture
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN
from trm_lab.puzzles.sudoku.picture import NO_TOKEN, SudokuPicture
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.puzzles.text.picture import TextPicture

Json = dict[str, Any]
NOT_SCORED, LARGEST_BYTE = -128, 127
LARGEST_BYTE_TOKEN = 255


def drawing(picture: Picture) -> Json:
    """What all examples of a dataset have in common."""
    for kind, describe in _DRAWINGS.items():
        if isinstance(picture, kind):
            return describe(picture)
    raise TypeError(f"no drawing of {type(picture).__name__}")


def example_data(chosen: Chosen, row: int, heat: Heat | None) -> Json:
    """One example: name `n`; solved `k`, wrong cells `w`, confidence `c` and mean margin `m` of each step; its parts.

    tokens: `q`, `a` and `p`, of two bytes each where the example is `wide`.
    margin: `g`, a byte for each step and token: the root of its share of the heat's limit, or `NOT_SCORED`.
    """
    answered, picture = chosen.answered, picture_for(chosen.source, chosen.task)
    example = Example(answered.inputs[row], answered.labels[row])
    wrong = np.stack([example.wrong(prediction) for prediction in answered.preds[row]])
    scorer = "" if chosen.task is None else chosen.task.scorer
    cells = answer_cells(scorer, answered.labels[row][None])[0]
    data: Json = {
        "n": example_name(answered.names[row]),
        "k": [int(solved) for solved in chosen.solved[row]],
        "w": (wrong & cells).sum(-1).tolist(),
    }
    if answered.confidence is not None:
        data["c"] = [finite(share, 4) for share in answered.confidence[row]]
    if answered.margin is not None and heat is not None:
        data["g"] = packed(_bytes_of_margin(answered.margin[row], heat))
        data["m"] = [finite(_mean(of_step), 4) for of_step in answered.margin[row]]
    return data | _parts(picture, example, answered.preds[row], wrong)


def packed(array: NDArray[Any]) -> str:
    """An array of bytes in base64."""
    return b64encode(np.ascontiguousarray(array).tobytes()).decode()


def packed_tokens(tokens: NDArray[np.integer[Any]], wide: bool) -> str:
    """Tokens in base64, one byte each, or two with the lower one first."""
    return packed(tokens.astype("<u2" if wide else "u1"))


def finite(number: float, digits: int) -> float | None:
    """A number as JSON has it, rounded to significant digits; None for nan and infinities."""
    return float(f"{number:.{digits}g}") if np.isfinite(number) else None


def _mean(of_step: NDArray[np.float64]) -> float:
    scored = of_step[~np.isnan(of_step)]
    return float(scored.mean()) if scored.size else np.nan


def _bytes_of_margin(margin: NDArray[np.float64], heat: Heat) -> NDArray[np.int8]:
    shares = np.clip(np.nan_to_num(margin) / heat.limit, -1, 1)
    levels = np.rint(LARGEST_BYTE * np.sign(shares) * np.sqrt(np.abs(shares)))
    return np.where(np.isnan(margin), NOT_SCORED, levels).astype(np.int8)


def _parts(picture: Picture, example: Example, preds: NDArray[np.integer[Any]], wrong: NDArray[np.bool_]) -> Json:
    if isinstance(picture, CubePicture):
        return _cube_parts(picture, example, preds, wrong)
    if isinstance(picture, TextPicture):
        return _text_parts(picture, example, preds)
    wide = max(example.inputs.max(), example.answer.max(), preds.max()) > LARGEST_BYTE_TOKEN
    data: Json = {
        "q": packed_tokens(example.inputs, wide),
        "a": packed_tokens(example.answer, wide),
        "p": packed_tokens(preds, wide),
        **({"wide": 1} if wide else {}),
    }
    if isinstance(picture, ArcPicture):
        data["a"] = packed_tokens(label_canvas(example), wide)
        hidden = bool((example.labels == IGNORE_LABEL).all())
        data |= {"qe": extent(example.inputs), "ae": extent(preds[-1] if hidden else label_canvas(example))}
    if (example.labels == IGNORE_LABEL).any():
        data["u"] = packed(example.labels == IGNORE_LABEL)
    return data


def _cube_parts(
    picture: CubePicture, example: Example, preds: NDArray[np.integer[Any]], wrong: NDArray[np.bool_]
) -> Json:
    nothing = np.zeros(len(example.inputs), bool)
    return {
        "q": packed_tokens(np.minimum(example.inputs[:STICKERS], LARGEST_BYTE_TOKEN), False),
        "a": _after(picture, example, example.answer, nothing),
        "p": [_after(picture, example, one, marks) for one, marks in zip(preds, wrong, strict=True)],
    }


def _after(picture: CubePicture, example: Example, answer: Tokens, wrong: NDArray[np.bool_]) -> Json:
    """The cube that an answer's moves lead to, and the moves."""
    ended = np.cumsum(answer[STICKERS:] == CUBE_END) > 0
    return {
        "t": packed_tokens(np.minimum(picture.after(example, answer), LARGEST_BYTE_TOKEN), False),
        "moves": [picture.sign(int(token)) for token in answer[STICKERS:]],
        "wrong": [int(mark) for mark in wrong[STICKERS:]],
        "over": [int(over) for over in ended],
    }


def _text_parts(picture: TextPicture, example: Example, preds: NDArray[np.integer[Any]]) -> Json:
    return {
        "q": picture.question_text(example),
        "a": picture.answer_text(example.answer),
        "p": [picture.answer_text(one) for one in preds],
        "slots": picture.slot_signs(example),
    }


def _arc(picture: ArcPicture) -> Json:
    return {"kind": "cells", "cut": True, "colours": list(TOKEN_COLOURS)}


def _queens(picture: QueensPicture) -> Json:
    return _board(picture) | {
        "colours": [STRANGE, None, None],
        "checker": [LIGHT, DARK],
        "signs": {QUEENS_QUEEN: QUEEN},
        "blank": QUEENS_EMPTY,
    }


def _sudoku(picture: SudokuPicture) -> Json:
    digits = {SUDOKU_BLANK + digit: str(digit) for digit in range(1, picture.side + 1)}
    return _board(picture) | {"boxes": picture.box, "signs": digits, "blank": SUDOKU_BLANK, "other": NO_TOKEN}


def _maze(picture: MazePicture) -> Json:
    colours = [STRANGE, WALL, FREE, style.GREEN, style.VERMILION, style.SKY]
    marks = {token: MAZE_CHARACTERS[token] for token in (MAZE_START, MAZE_GOAL)}
    return _board(picture) | {"colours": colours, "marks": marks}


def _board(picture: BoardPicture) -> Json:
    return {"kind": "cells", "side": picture.side}


def _cube(picture: CubePicture) -> Json:
    places = [
        [2 * PLACES[face][0] + row, 2 * PLACES[face][1] + column]
        for face in CUBE_FACES
        for row in (0, 1)
        for column in (0, 1)
    ]
    stickers = {
        CUBE_FIRST_COLOUR + index: [face, COLOURS[face], face in DARK_FACES] for index, face in enumerate(CUBE_FACES)
    }
    return {"kind": "cube", "places": places, "stickers": stickers, "first": STICKERS}


def _text(picture: TextPicture) -> Json:
    return {"kind": "text", "first": picture.question_length}


_DRAWINGS: dict[type, Callable[[Any], Json]] = {
    ArcPicture: _arc,
    QueensPicture: _queens,
    SudokuPicture: _sudoku,
    MazePicture: _maze,
    CubePicture: _cube,
    TextPicture: _text,
}
