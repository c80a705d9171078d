"""Puzzles of no other kind, the plain case: questions and answers are written as the tokens of their dataset."""
