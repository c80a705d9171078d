"""What a run can be told: the keys, their types, defaults and checks.

Nothing here trains or reads a run.
"""
