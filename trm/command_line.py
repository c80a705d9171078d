"""Command lines: both spellings of a flag, nearest names, errors without a traceback."""

import argparse
import difflib
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from trm.errors import UserError

EXIT_USER_ERROR = 2
EXIT_SYSTEM_REFUSED = 74  # EX_IOERR of sysexits.h: another attempt may fare better


class CommandLine(argparse.ArgumentParser):
    """An `ArgumentParser` whose complaints are `UserError`s and which reads `--num_aug` as `--num-aug`."""

    def __init__(self, program: str, description: str, example: str) -> None:
        super().__init__(
            prog=program,
            description=description,
            epilog=f"example:\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Read the arguments, or the process's own.

        Raises:
            UserError: an unknown flag, or a missing or unusable value.
        """
        given = [_dashed(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
        for argument in given:  # before argparse, which would first miss the flag that was misspelt
            flag = argument.partition("=")[0]
            if flag.startswith("--") and flag not in self._option_string_actions:
                raise self._unknown(flag)
        return self.parse_args(given)

    def add_builder_flags(self, seed: int) -> None:
        """The flags that every dataset builder has, with its own default seed."""
        self.add_argument("--seed", type=integer(0), default=seed, help=f"of every random draw ({seed})")
        self.add_argument("--overwrite", action="store_true", help="replace an existing dataset")

    def error(self, message: str) -> NoReturn:
        """Called by argparse for anything it cannot use."""
        raise UserError(message, "the flags of --help", f"run {self.prog} --help")

    def _unknown(self, flag: str) -> UserError:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        near = difflib.get_close_matches(flag, known, n=1, cutoff=0.5)
        return UserError(
            given=f"{flag} is no flag of {self.prog}",
            allowed=" ".join(known),
            remedy=f"did you mean {near[0]}?" if near else f"run {self.prog} --help",
        )


def _dashed(argument: str) -> str:
    """`--num_aug=3` as `--num-aug=3`."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def integer(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """An argument type: an integer from `lowest` to `highest`."""
    allowed = f"an integer, at least {lowest}" if highest is None else f"an integer in {lowest}..{highest}"

    def read(text: str) -> int:
        if re.fullmatch("-?[0-9]+", text) is None:
            raise argparse.ArgumentTypeError(f"{text!r} is no integer; allowed is {allowed}")
        number = int(text)
        if number < lowest or (highest is not None and number > highest):
            raise argparse.ArgumentTypeError(f"{number} is out of range: {allowed}")
        return number

    return read


def number(lowest: float = -math.inf, highest: float = math.inf) -> Callable[[str], float]:
    """An argument type: a finite number from `lowest` to `highest`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not math.isfinite(value) or not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(
                f"{text} is out of range: a finite number in {lowest}..{highest}"
            )
        return value

    return read


def run_builder(main: Callable[[], None]) -> None:
    """Run a command that writes all of its output at its end or nothing; see `run_command`."""
    run_command(main, interrupted="interrupted; nothing was written")


def run_command(
    main: Callable[[], None], interrupted: str = "interrupted; the same command again resumes a run"
) -> None:
    """Run a command; print what the user got wrong and exit with 2, or what the system refused and exit with 74.

    Of several ranks the first one speaks in full, since most errors meet all of them.

    Args:
        interrupted: what to say after an interrupt, which exits with 130.
    """
    try:
        main()
    except UserError as error:
        _complain(str(error), error.given)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr, flush=True)
        sys.exit(130)
    except OSError as error:
        if error.errno is None:  # not the system's refusal but a fault of ours
            raise
        where = f"{error.filename}: " if error.filename else ""
        refused = UserError(
            f"{where}{error.strerror}",
            "files that can be read, and room to write",
            "make room or correct the path, and give the same command again; nothing half-written is used",
        )
        _complain(str(refused), refused.given, EXIT_SYSTEM_REFUSED)


def _complain(whole: str, brief: str, code: int = EXIT_USER_ERROR) -> NoReturn:
    rank = os.environ.get("RANK", "0")
    print(f"error: {whole}" if rank == "0" else f"error on rank {rank}: {brief}", file=sys.stderr, flush=True)
    sys.exit(code)
