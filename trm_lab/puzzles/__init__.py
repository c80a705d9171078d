"""Puzzle datasets: their format, manifest, writer, sampler and loader; `kinds.py` lists the kinds of puzzles.

One folder holds everything about its kind (tokens, generator, builder, scorer, picture), and no kind knows another.
"""
