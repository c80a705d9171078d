"""The fourteen categories of the mathematics set, and the room that a question and an answer need."""

from trm_lab.puzzles.text.math_categories_applied import APPLIED_CATEGORIES
from trm_lab.puzzles.text.math_categories_numbers import NUMBER_CATEGORIES
from trm_lab.puzzles.text.math_categories_symbols import SYMBOL_CATEGORIES

CATEGORIES = (*NUMBER_CATEGORIES, *SYMBOL_CATEGORIES, *APPLIED_CATEGORIES)
QUESTION_LENGTH = 176  # characters; longer questions are not asked
ANSWER_LENGTH = 24
