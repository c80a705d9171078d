"""Which token means what in the puzzles other than ARC (see `arc_grids.py` for that). Token 0 is PAD everywhere."""

# Sudoku N×N: 1 a blank cell, digit + 1. Published for 9×9: 81 tokens, 11 values.
SUDOKU_BLANK = 1

# Maze: position in this string; "#" wall, " " free, "S" start, "G" goal, "o" the path. Published: 900 tokens.
MAZE_CHARACTERS = "\0# SGo"

# N-Queens: published for 8×8, 64 tokens.
QUEENS_EMPTY, QUEENS_QUEEN = 1, 2
