"""Mazes: generator, published files, builder and scorer."""
