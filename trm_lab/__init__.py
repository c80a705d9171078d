"""The laboratory: where a method is trained, measured and released.

It knows methods through `METHODS` in `methods.py` and the interface in `trm/supervision.py` alone.
"""
