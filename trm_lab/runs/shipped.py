"""The small trained models that come with the project: `pretrained/NAME` is one of them in every folder."""

from pathlib import Path

from trm_lab.commands.project_root import PROJECT_ROOT

SHIPPED = "pretrained"


def shipped(target: str | Path) -> Path | None:
    """Where the installation has `pretrained/…`; None for other names, and where the working folder has it itself."""
    path, place = Path(target), PROJECT_ROOT / target
    return place if path.parts[:1] == (SHIPPED,) and not path.exists() and place.exists() else None
