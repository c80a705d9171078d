"""A run as one page of HTML: curves, tables, and its puzzles step by step."""
