"""The command that built a dataset, as its manifest records it, and whether a configuration would build the same.

Only what decides the content is kept: where the dataset and its sources lie is not.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trm.errors import shown

NO_COMMAND: dict[str, Any] = {"builder": "", "arguments": {}, "defaults": {}}
_BUILDER = re.compile(r"build_\w+_dataset", re.ASCII)
_LONGEST = 2000  # characters of a value
_NOT_GIVEN = "None"


@dataclass(frozen=True)
class BuildCommand:
    """A builder and the values of all of its flags, as text.

    builder: such as `build_sudoku_4x4_dataset`.
    arguments: by flag, `train_size`; several values of one flag stand in one text.
    defaults: what each flag is where it is not given, by which a shorter command can be compared.
    """

    builder: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, program: str, words: Sequence[str], defaults: Mapping[str, Any]) -> "BuildCommand":
        """From a command line that was accepted.

        program: with the builder's name in it.  words: behind it.  defaults: of the flags that decide the content.
        """
        usual = {name: _text(value) for name, value in defaults.items()}
        flags = {name: value for name, value in _flags(words).items() if name in usual}
        return cls(_builder(program), {**usual, **flags}, usual)

    @property
    def text(self) -> str:
        """`python -m data.build_…_dataset` with the flags that are not as usual, as a user would type it."""
        unusual = {name: value for name, value in self.arguments.items() if value != self.defaults.get(name)}
        flags = [f"--{name.replace('_', '-')} {value}".removesuffix(" True") for name, value in unusual.items()]
        return " ".join([f"python -m data.{self.builder}", *flags])

    def problem(self) -> str | None:
        """A reason to refuse a command from a stranger's manifest; None for a usable one."""
        texts = [self.builder, *_items(self.arguments), *_items(self.defaults)]
        if not all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST for text in texts):
            return "a command that is none of a builder's"
        return None

    def differences(self, command: str) -> list[str]:
        """Compare with another command: `train_size 800, not 1000` for each flag that differs; [] for an equal one.

        command: `python -m data.build_…_dataset --flag value …`.
        """
        if _builder(command) != self.builder:
            return [f"built by {shown(self.builder)}, not {_builder(command)}"]
        requested = {**self.defaults, **_flags(shlex.split(command))}
        return [
            f"{name} {shown(value, 60)}, not {shown(requested[name], 60)}"
            for name, value in self.arguments.items()
            if name in requested and value != requested[name]
        ]


def _builder(text: str) -> str:
    match = _BUILDER.search(text)
    return match[0] if match else text


def _items(values: object) -> list[object]:
    return [*values.keys(), *values.values()] if isinstance(values, dict) else [values]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or _NOT_GIVEN
    return str(value)


def _flags(words: Sequence[str]) -> dict[str, str]:
    """The values of a command line's flags; a flag without a value is True."""
    flags: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word[2:].partition("=")
            values = flags.setdefault(flag.replace("-", "_"), [])
            values[:] = [value] if equals else []
        else:
            values.append(word)
    return {name: " ".join(values) or "True" for name, values in flags.items()}
