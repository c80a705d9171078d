"""Answering puzzles with a trained checkpoint, and fitting it to one puzzle first."""
