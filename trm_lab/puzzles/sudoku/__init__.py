"""Sudokus of any size: solver, generators, symmetries, builders and scorer."""
