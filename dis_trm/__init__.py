"""What Deep Improvement Supervision (arXiv 2511.16886) adds to TRM: step targets, their loss, and guidance.

Nothing here knows a file, a rank or the format of a dataset.
"""
