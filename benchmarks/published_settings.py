"""The settings of an entry as Hydra composes them from configs/, read without Hydra: GPU machines seldom have it.

Of Hydra's language this knows the defaults list, `group: name`, `group: null`, `_self_` and `${.hidden_size}`.
"""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from trm_lab.configuration.architecture import arch_defaults
from trm_lab.configuration.train_config import run_defaults
from trm_lab.methods import METHODS

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def published_settings(entry: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Every key of `configs/<entry>.yaml` with its value; `arch` is a dictionary of its own.

    overrides: `arch=<name>`, `arch.<key>=<value>` and `<key>=<value>`, of texts, numbers, True and False.
    """
    changes = dict(word.split("=", 1) for word in overrides)
    settings = {"arch": {}, **_read(entry, changes)}
    for key, text in changes.items():
        group, _, name = key.rpartition(".")
        if key != "arch":
            (settings[group] if group else settings)[name] = _value(text)
    arch = settings["arch"]
    if arch["puzzle_emb_ndim"] is None:
        arch["puzzle_emb_ndim"] = arch["hidden_size"]
    return settings


def _value(text: str) -> Any:
    """A number, True or False, or the text itself; to YAML `off` would be False, and 1e-4 a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _read(name: str, choices: dict[str, str]) -> dict[str, Any]:
    """A file of configs/, or the defaults of the dataclasses, under what its own defaults list names."""
    if name == "train_config":
        return run_defaults()
    if name in {f"arch/{method}_defaults" for method in METHODS}:
        return {**arch_defaults(name.removeprefix("arch/").removesuffix("_defaults")), "puzzle_emb_ndim": None}
    content = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    defaults, values = content.pop("defaults"), dict[str, Any]()
    folder = f"{name.rpartition('/')[0]}/" if "/" in name else ""
    for line in defaults:
        if isinstance(line, dict):
            (group, chosen), *_ = line.items()
            chosen = choices.get(group, chosen)
            values |= {group: _read(f"{group}/{chosen}", choices)} if chosen else {}
        else:
            values |= content if line == "_self_" else _read(f"{folder}{line}", choices)
    return values
