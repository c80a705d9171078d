"""How a checkpoint leaves the laboratory: exports, model cards, the Hub and competition packages.

Here lives what writes weights for others to use; it reads runs and evaluations, and no other room imports it.
"""
