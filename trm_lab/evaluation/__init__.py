"""From a model's rollouts to scores: answers, metrics, ARC votes, halting, guidance and comparisons of evaluations.

What reads or writes an evaluation's files belongs to `trm_lab.runs`; figures and tables of several runs to `analysis`.
"""
