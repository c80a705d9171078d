"""The machine: ranks, rendezvous, signals, the watchdog, energy, memory and compilation.

Nothing here knows a run or a dataset.
"""
