"""Everything that lies on disk of a run or an evaluation: written here, and read here, for analysis too.

Nothing here trains or scores.
"""
