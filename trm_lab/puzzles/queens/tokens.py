"""Tokens of a board of n×n squares, one a square; 0 is PAD. Published for 8×8: 64 tokens."""

QUEENS_EMPTY, QUEENS_QUEEN = 1, 2
