"""From the words of a command line to a checked configuration, and from a UserError to a readable end."""

import os
import re
import sys
from collections.abc import Callable, Sequence

from trm.errors import UserError
from trm.training.config import Supervisions, check_key, known_keys

GROUPS = ("arch", "experiment")
_OVERRIDE = re.compile(r"^(?P<sign>\+{0,2}|~)(?P<key>[A-Za-z_][\w./@-]*)(=(?P<value>.*))?$", re.DOTALL)


def normalise(arguments: Sequence[str], supervisions: Supervisions) -> list[str]:
    """The same overrides with the sign that Hydra wants: a key may be given with or without a leading `+`.

    Raises UserError for a key that does not exist, before Hydra composes anything.
    """
    known = known_keys(supervisions)
    return [_normalise_one(argument, known) for argument in arguments]


def _normalise_one(argument: str, known: set[str]) -> str:
    match = _OVERRIDE.match(argument)
    if argument.startswith("-") or match is None or match["value"] is None:
        return argument
    key, value = match["key"], match["value"]
    if key.startswith("hydra") or match["sign"] == "~":
        return argument
    if key in GROUPS:
        return f"{key}={value}"
    check_key(key, known)
    return f"++{key}={value}"


def run(entry: Callable[[], None], supervisions: Supervisions) -> None:
    """Run a Hydra entry on this process's command line.

    A UserError ends it with exit code 2 and its three parts on the error stream; of several ranks the first
    one speaks in full.
    """
    with reported_errors():
        sys.argv[1:] = normalise(sys.argv[1:], supervisions)
        sys.argv += [
            "hydra.run.dir=.",
            "hydra.output_subdir=null",
            "hydra/job_logging=none",
            "hydra/hydra_logging=none",
        ]
        entry()


class reported_errors:  # noqa: N801  (reads as a statement: `with reported_errors():`)
    """Turn a UserError into its text and exit code 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UserError):
            rank = os.environ.get("RANK", "0")
            text = f"error: {error}" if rank == "0" else f"error on rank {rank}: {error.given}"
            print(text, file=sys.stderr, flush=True)
            sys.exit(2)
