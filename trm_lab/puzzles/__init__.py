"""What a puzzle dataset is: its format, manifest, writer, sampler and loader; one folder for each kind of puzzle.

A folder holds everything about its kind: tokens, generator, builder, scorer and picture; no kind knows another.
"""
