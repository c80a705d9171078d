"""Tokens of an N×N sudoku, N·N of them: 0 PAD, 1 a blank cell, digit + 1. Published for 9×9: 81 tokens, 11 values."""

SUDOKU_BLANK = 1
