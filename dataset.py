"""The published builders' module, `dataset`, is called `data` here: `python -m dataset.build_…` ends by saying so."""

import sys

_module = next((word for word in sys.orig_argv if word.startswith("dataset.")), "dataset")
sys.exit(f"error: there is no {_module} here; the same builder is: python -m data{_module.removeprefix('dataset')}")
