"""Which token means what in the puzzles other than ARC (see `arc_grids.py` for that). Token 0 is PAD everywhere."""

# Sudoku N×N: 1 a blank cell, digit + 1. Published for 9×9: 81 tokens, 11 values.
SUDOKU_BLANK = 1

# Maze: position in this string; "#" wall, " " free, "S" start, "G" goal, "o" the path. Published: 900 tokens.
MAZE_CHARACTERS = "\0# SGo"
MAZE_WALL, MAZE_FREE, MAZE_START, MAZE_GOAL, MAZE_PATH = 1, 2, 3, 4, 5

# N-Queens: published for 8×8, 64 tokens.
QUEENS_EMPTY, QUEENS_QUEEN = 1, 2

# 2×2×2 cube: 24 facelets, face by face in this order, each face row by row as it lies in the unfolded net
# (U above F, D below it, then R and B to its right, L to its left), then the slots for the moves of the answer.
CUBE_FACES = "URFDLB"
CUBE_MASK, CUBE_END = 1, 2  # an answer's slot in the input; no further move, to the last slot
CUBE_FIRST_COLOUR = 3  # + i: the colour that face i of a solved cube has
CUBE_FIRST_MOVE = CUBE_FIRST_COLOUR + len(CUBE_FACES)  # + i: the i-th of facts["moves"]
