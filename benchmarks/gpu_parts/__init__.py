"""The parts of `benchmarks.gpu_check`, one module each: `measure(device)` yields rows as they are measured.

A row is a dictionary of texts, numbers and truth values: `table` names the table of the page that it belongs to, the
other keys are its columns. A row with `note` alone is a sentence under the tables.
"""
