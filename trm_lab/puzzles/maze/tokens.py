"""Tokens of a maze of n×n cells, one a cell; 0 is PAD. Published for 30×30: 900 tokens."""

MAZE_CHARACTERS = "\0# SGo"  # a token is a position in it: "#" wall, " " free, "S" start, "G" goal, "o" the path
MAZE_WALL, MAZE_FREE, MAZE_START, MAZE_GOAL, MAZE_PATH = 1, 2, 3, 4, 5
