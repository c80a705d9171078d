"""Sudokus of any size: tokens, solver, grids, symmetries, published files, builders, scorer and picture."""
