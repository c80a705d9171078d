"""Where the project's files lie: the checkout, or its image in an installed wheel."""

from pathlib import Path

_PACKED = Path(__file__).parents[1] / "checkout"  # as setup.py puts it into the wheel
IS_CHECKOUT = not _PACKED.is_dir()
PROJECT_ROOT = Path(__file__).resolve().parents[2] if IS_CHECKOUT else _PACKED.resolve()
