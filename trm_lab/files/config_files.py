"""Reading a run's configuration from YAML that a stranger may have written.

OmegaConf replaces `${oc.env:...}` by a variable of the environment, which might be a secret and would go into all
files written afterwards; and it copies what an alias stands for, so that forty lines become a billion entries. A
resolved configuration has neither.
"""

import hashlib
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trm.errors import UserError, shown
from trm_lab.files.untrusted import DEEPEST, read_regular

CHECKSUM_LINE = "# sha256 of what follows: "  # a comment to YAML
LARGEST = 1 << 18  # bytes; a configuration has about 2,000
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def sealed(text: str) -> str:
    """A configuration's text with its checksum in a comment before it, so that a change by hand is noticed."""
    return f"{CHECKSUM_LINE}{_digest(text)}\n{text}"


def is_as_written(file: Path) -> bool:
    """Whether a file still has the checksum that was written into it; True for a file without one."""
    _, mark, remainder = read_regular(file).decode(errors="replace").partition(CHECKSUM_LINE)
    checksum, _, text = remainder.partition("\n")
    return not mark or checksum == _digest(text)


def read_config(file: Path) -> dict[str, Any]:
    """Keys and values of a resolved configuration.

    Raises:
        UserError: it cannot be read, is too large or too deep, is no mapping, or holds an interpolation or an alias.
    """
    try:
        text = read_regular(file, LARGEST).decode()
        _check_events(text)
        content = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror or 'unreadable'}",
            "the config.yaml or all_config.yaml of a run",
            "check the path, and whether you may read it",
        ) from error
    except (ValueError, OverflowError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        message = " ".join(str(error).split()) or type(error).__name__  # YAML's have several lines
        raise _unusable(file, shown(message)) from error
    if not isinstance(content, dict):
        raise _unusable(file, "not a mapping")
    return {str(key): value for key, value in content.items()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_events(text: str) -> None:
    """ValueError for what a resolved configuration has not; looks at the parser's events, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} lists and mappings in each other")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"the alias *{event.anchor}")
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            raise ValueError(f"the interpolation {event.value}")
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"the tag {event.tag}")


def _unusable(file: Path, problem: str) -> UserError:
    return UserError(
        f"{file}: {problem}",
        f"YAML of at most {LARGEST:,} bytes that is resolved: no ${{...}}, no aliases, no tags",
        "use the config.yaml or all_config.yaml that the run wrote, or write the values out",
    )
