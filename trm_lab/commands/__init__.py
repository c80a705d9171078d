"""What every command has in common: flags, streams, errors without a traceback, progress and tables.

Nothing here knows what a command does.
"""
