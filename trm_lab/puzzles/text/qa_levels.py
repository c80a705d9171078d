"""The four levels of question-answer sets: their families, and the room that a question and an answer need."""

from dataclasses import dataclass

from trm_lab.puzzles.text.qa_families_advanced import ADVANCED
from trm_lab.puzzles.text.qa_families_logic import elimination, kinship, quantifiers, records, truth_tellers
from trm_lab.puzzles.text.qa_families_plain import PLAIN
from trm_lab.puzzles.text.qa_families_state import (
    dates,
    inventory,
    program,
    robot,
    swaps,
    whereabouts,
    word_program,
)
from trm_lab.puzzles.text.question_families import Family


@dataclass(frozen=True)
class Level:
    """One level.

    question_length, answer_length: characters; longer questions are not asked.
    """

    name: str
    families: tuple[Family, ...]
    question_length: int
    answer_length: int


_ULTRA_COMPLEX = (
    inventory(4, 5),
    robot(5),
    program(6),
    swaps(4, 5),
    whereabouts(3, 5),
    word_program(4),
    dates(4),
    kinship(4),
    quantifiers(5),
    truth_tellers(5),
    records(6),
    elimination(4),
)
_ULTRA_COMPLEX_SMALL = (
    inventory(2, 2),
    robot(2),
    program(3),
    swaps(3, 2),
    whereabouts(2, 2),
    word_program(2),
    dates(2),
    kinship(2),
    quantifiers(3),
    truth_tellers(3),
    records(3),
    elimination(3),
)
LEVELS = (
    Level("plain", PLAIN, 64, 12),
    Level("advanced", ADVANCED, 160, 16),
    Level("ultra-complex", _ULTRA_COMPLEX, 256, 20),
    Level("ultra-complex-small", _ULTRA_COMPLEX_SMALL, 140, 20),
)
