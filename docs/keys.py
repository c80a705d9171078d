"""Writes docs/keys.md: every key with its meaning, what is allowed, and the values that are used. Run it by its path.

The meanings are the dataclasses' docstrings, which `--help` prints too; what is allowed is what the error for a wrong
value says; and the values are what Hydra composes.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from pydoc import locate
from re import MULTILINE, finditer, sub
from typing import Any

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from hydra import compose, initialize_config_dir

from trm.errors import UserError
from trm.model import TRMConfig
from trm_lab.configuration.architecture import arch_classes
from trm_lab.configuration.train_config import TrainConfig, register_defaults
from trm_lab.configuration.typed_values import plain_values, typed
from trm_lab.methods import METHODS
from trm_lab.training.entry import KEYS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/keys.md"
ENTRIES = {"pretrain.py": "cfg_pretrain", "train_arc_tiny_corrupt.py": "train_arc_tiny_corrupt"}
CHECKED_WITH = {"data_paths": ["data/any"], "evaluators": ["arc"]}  # of a run; the other keys have defaults
HEAD = """# Every key

What a run can be told, as `KEY=VALUE`. `python pretrain.py --help` prints the same meanings, and
`python pretrain.py --cfg job …` the values of a command; the recipes and what they mean are in [Training](training.md).
The last columns have the values that a command uses when nothing else is said; an `experiment=…` sets others.
Keys whose choices are registered take [your own](extending.md) too. [`docs/keys.py`](keys.py) writes this page from
the code.
"""
ARCH = """`arch=NAME` takes a preset: {presets}.
It sets `arch.supervision`, the method ({methods}), and the keys below as their last column says: the value that most
presets have, then the others'. Without `arch=NAME`, {choices}."""


def page_text() -> str:
    """The page."""
    runs = {script: composed(name) for script, name in ENTRIES.items()}
    presets = {path.stem: composed("cfg_pretrain", f"arch={path.stem}")["arch"] for path in preset_files()}
    parts = [HEAD]
    for title, name in KEYS.items():
        kind = class_of(name)
        if kind is TrainConfig:
            parts.append(table(title, run_rows(runs), *ENTRIES))
        else:
            introduction = arch_text(presets) if kind is TRMConfig else ""
            parts.append(table(title, arch_rows(kind, presets), "value in the presets", text=introduction))
    return "\n".join(parts)


def preset_files() -> list[Path]:
    """The presets of `arch`."""
    return sorted((ROOT / "configs/arch").glob("*.yaml"))


def composed(name: str, *words: str) -> dict[str, Any]:
    """The keys and values of an entry's command line."""
    register_defaults()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return plain_values(compose(name, list(words)))


def class_of(name: str) -> type[Any]:
    """The class of this full name."""
    kind = locate(name)
    assert isinstance(kind, type), name
    return kind


def arch_text(presets: Mapping[str, Any]) -> str:
    """What stands above the network's keys."""
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        chosen = {
            script: compose(name, return_hydra_config=True).hydra.runtime.choices.arch
            for script, name in ENTRIES.items()
        }
    choices = " and ".join(f"`{script}` takes `{name}`" for script, name in chosen.items())
    return ARCH.format(presets=codes(presets), methods=codes(METHODS), choices=choices) + "\n\n"


def codes(words: Any) -> str:
    """Words as code, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def table(title: str, rows: list[list[str]], *columns: str, text: str = "") -> str:
    """A heading, text, and a table of the rows."""
    heads = ["key", "meaning", "allowed", *(f"`{name}`" if name in ENTRIES else name for name in columns)]
    lines = [heads, ["---"] * len(heads), *rows]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"## {title}\n\n{text}{body}\n"


def run_rows(runs: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """A row for each key of a run, but `arch`."""
    return [
        [f"`{key}`", meaning, allowed(TrainConfig, key), *(value_text(run[key]) for run in runs.values())]
        for key, meaning in meanings(TrainConfig)
    ]


def arch_rows(kind: type[Any], presets: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """A row for each key of `arch` that a dataclass adds."""
    checking = next(other for other in arch_classes() if issubclass(other, kind))  # a base class checks no choices
    if checking is not TRMConfig:
        presets = {n: arch for n, arch in presets.items() if METHODS[arch["supervision"]].config_class is checking}
    return [
        [f"`{key}`", meaning, allowed(checking, key), preset_values(key, presets)] for key, meaning in meanings(kind)
    ]


def meanings(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """Key and meaning, in the docstring's order, of the fields that a dataclass adds to its base class.

    The docstring writes `key: meaning`, at the beginning of a line or behind a semicolon.
    """
    own = "|".join(key for key in kind.__annotations__ if key != "arch")
    text = sub(r"\n {2,}", " ", getdoc(kind) or "")
    for entry in finditer(rf"(?:^|; )({own}): (.+?)\.?(?=; (?:{own}): |$)", text, MULTILINE):
        yield entry[1], entry[2].replace("<", "&lt;").replace("|", "\\|")


def allowed(kind: type[Any], key: str) -> str:
    """What the error for a wrong value of a key says is allowed."""
    (field,) = (field for field in fields(kind) if field.name == key)
    wrong_word: Any = ["?"] if "list" in str(field.type) else "?"
    for wrong in (wrong_word, object()):
        try:
            typed(kind, {**(CHECKED_WITH if kind is TrainConfig else {}), key: wrong})
        except UserError as error:
            names = error.allowed.split(" | ")
            return codes(names) if len(names) > 1 else error.allowed
    raise AssertionError(f"{key} takes anything")


def preset_values(key: str, presets: Mapping[str, Mapping[str, Any]]) -> str:
    """A key's values with the presets of each; a value that all have stands alone, and the most frequent one first."""
    values: dict[str, list[str]] = {}
    for name, arch in presets.items():
        values.setdefault(value_text(arch[key]), []).append(name)
    first, *others = sorted(values.items(), key=lambda item: -len(item[1]))
    return "; ".join([first[0], *(f"{value}: {', '.join(names)}" for value, names in others)])


def value_text(value: Any) -> str:
    """A value as on a command line; of the commands of data_build, which would fill the page, how many there are."""
    if isinstance(value, Mapping):
        return f"{len(value)} commands"
    if isinstance(value, list):
        return f"`[{','.join(value)}]`"
    return "`null`" if value is None else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
