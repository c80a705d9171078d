"""The published builders' module, `dataset`, is called `data` here: `python -m dataset.build_…` ends by saying so."""

import sys

_asked = next((word for word in sys.orig_argv if word.startswith("dataset.")), "dataset")
sys.exit(
    f"error: there is no {_asked} here; the same builder is: python -m data{_asked.removeprefix('dataset')}"
)
