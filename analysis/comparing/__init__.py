"""Runs beside each other: what may be compared, significance, costs, and the figures of it."""
