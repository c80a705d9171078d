"""Where the project's files lie: the checkout, or its image in an installed wheel."""

from pathlib import Path

_PACKED = Path(__file__).parent / "checkout"  # as setup.py puts it into the wheel
IS_CHECKOUT = not _PACKED.is_dir()
PROJECT_ROOT = Path(__file__).resolve().parents[1] if IS_CHECKOUT else _PACKED.resolve()
