"""The Python API: loading a checkpoint, solving puzzles, adapting to one task, and answering a competition in time.

Here lives what answers with trained weights and writes those answers; scoring a test split is `trm_lab.evaluation`.
"""
