"""TRM as its paper describes it (arXiv 2510.04871), and the network that every method runs on.

Nothing here knows a file, a rank or the format of a dataset.
"""
