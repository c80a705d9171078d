"""Figures, tables, pages and notebooks out of recorded runs.

Runs are read through `trm_lab.runs`; nothing here trains.
"""
