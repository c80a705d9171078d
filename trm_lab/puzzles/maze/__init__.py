"""Mazes: tokens, generator, published files, builder, scorer and picture."""
