"""How the user started this process, so that messages name commands as he types them."""

import os
import re
import sys

from trm_lab.commands.terminal import settle_streams

_AS_TYPED = (  # a script's command, and the same in words of `trm-lab`
    (r"python -m data\.build_([\w<>]+)_dataset", r"trm-lab build \1"),
    (r"python -m analysis\.(\w+)", r"trm-lab analyse \1"),
    (r"python (evaluate|export)\.py", r"trm-lab \1"),
    (r"python pretrain\.py", "trm-lab train"),
)
_subcommand = ""


def start_as(subcommand: str) -> None:
    """From here on this process is `trm-lab <subcommand>`, not the script that it runs; \"\" takes that back."""
    global _subcommand
    _subcommand = subcommand


def program_name(script: str) -> str:
    """What this process is called: `trm-lab build nqueens`, or the script's own name where it was started itself."""
    return f"trm-lab {_subcommand}" if _subcommand else script


def say_loading(script: str, what: str) -> None:
    """Print the first line, before the imports that take seconds: what this process is, and what it loads.

    On standard error, since it is no result, and of several ranks on the first.
    """
    if os.environ.get("RANK", "0") == "0":
        settle_streams()
        print(f"{program_name(script)}: loading {what}", file=sys.stderr, flush=True)


def as_typed(text: str) -> str:
    """A text whose commands `python …` are replaced by those of `trm-lab`, where the user types these."""
    for script, subcommand in _AS_TYPED if _subcommand else ():
        text = re.sub(script, subcommand, text)
    return text
