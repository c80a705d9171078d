"""Yours: every file of this folder is imported, so that what its last line registers has a name everywhere.

A file registers in `METHODS`, `TARGETS`, `RECURSIONS` or any other registry (docs/extending.md); no other file changes.
"""

from importlib import import_module
from pkgutil import iter_modules

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
