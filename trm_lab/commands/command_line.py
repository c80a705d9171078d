"""Command lines: both spellings of a flag, nearest names, errors without a traceback."""

import argparse
import ast
import contextlib
import difflib
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from trm.errors import UserError, shown
from trm.ranges import LARGEST_SEED, Range
from trm_lab.commands.build_command import BuildCommand
from trm_lab.commands.invocation import as_typed, program_name
from trm_lab.commands.system_refusals import file_refusal, refusal
from trm_lab.commands.terminal import lost_output, settle_streams
from trm_lab.files.untrusted import read_regular

EXIT_USER_ERROR = 2
EXIT_SYSTEM_REFUSED = 74  # EX_IOERR of sysexits.h: another attempt may fare better
EXIT_INTERRUPTED = 130
OUR_FAULT = (
    "error: this is a fault of the program, not of what you gave it\n"
    "  to do:   report it as an issue of this repository, with the command and the lines below"
)
_BEFORE_ALLOWED = re.compile(r"; allowed is | \(choose from ")


class CommandLine(argparse.ArgumentParser):
    """An `ArgumentParser` whose complaints are `UserError`s and which reads `--num_aug` as `--num-aug`."""

    def __init__(self, program: str, description: str | None, example: str | None = None) -> None:
        """Without an example, a description's part behind its first paragraph is one.

        description: None, as a docstring is under `python -OO`, stands for that in the program's file.
        """
        description = _docstring() if description is None else description
        if example is None:
            description, _, example = description.partition("\n\n")
        super().__init__(
            prog=program_name(program),
            description=description,
            epilog=as_typed(f"example:\n{example.strip(chr(10))}") if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._script = program
        self._builds = False

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Read the arguments, or the process's own.

        The result also has `flags`, those on the command line.

        Raises:
            UserError: an unknown flag, or a missing or unusable value.
        """
        words = [_dashed(word) for word in (sys.argv[1:] if arguments is None else arguments)]
        for before, word in zip(["", *words], words, strict=False):
            # before argparse, which would first miss the flag that was misspelt
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag != "--" and flag not in self._option_string_actions:
                near = difflib.get_close_matches(flag, self._flags(), n=1, cutoff=0.5)
                raise UserError(
                    f"{shown(flag)} is no flag of {self.prog}",
                    " ".join(self._flags()),
                    f"did you mean {near[0]}?" if near else f"run {self.prog} --help",
                )
            if not before.startswith("--"):
                self._refuse_key(word)
        parsed = self.parse_args(words)
        parsed.flags = {word.partition("=")[0] for word in words} & set(self._option_string_actions)
        if self._builds:
            parsed.command = BuildCommand.of(self._script, words, self._contents())
        return parsed

    def add_builder_flags(self, seed: int) -> None:
        """The flags that every dataset builder has, with its own default seed; `parse` then tells the `command`."""
        self._builds = True
        self.add_argument("--seed", type=SEED, default=seed, help=f"of every random draw ({seed})")
        self.add_argument("--overwrite", action="store_true", help="replace an existing dataset")

    def add_steps_flag(self) -> None:
        """The flag of builders that know a solver, with which they store steps beside the training split."""
        self.add_argument(
            "--steps",
            type=integer(1, 255),
            help="also store so many steps from each training question to its answer, in the solver's order (none)",
        )

    def _contents(self) -> dict[str, Any]:
        """The defaults, by flag, of what decides a dataset's questions and answers: not where it or its sources lie."""
        defaults = {}
        for action in self._actions:
            usual, is_switch = self.get_default(action.dest), action.nargs == 0
            is_place = action.type in (local_path, path_or_address)
            says_nothing = is_switch and action.const == usual
            if action.dest not in ("help", "overwrite", "steps") and not is_place and not says_nothing:
                name = max(action.option_strings, key=len, default=action.dest)
                defaults[name.lstrip("-").replace("-", "_")] = False if is_switch else usual
        return defaults

    def error(self, message: str) -> NoReturn:
        """Called by argparse for anything it cannot use."""
        given, *allowed = _BEFORE_ALLOWED.split(message, 1)
        raise UserError(
            shown(given),
            shown(allowed[0].removesuffix(")")) if allowed else "the flags of --help",
            f"correct it; see {self.prog} --help",
        )

    def _refuse_key(self, argument: str) -> None:
        """UserError for `checkpoint=step_3`, as the training commands take it, in place of `--checkpoint step_3`."""
        key, equals, value = argument.partition("=")
        flag = "--" + key.lstrip("+").replace("_", "-")
        if equals and flag in self._option_string_actions and not os.path.lexists(argument):
            raise UserError(
                f"{shown(argument)} is no argument of {self.prog}",
                "flags: " + " ".join(self._flags()),
                f"did you mean {flag} {shown(value)}?",
            )

    def _flags(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]


def _docstring() -> str:
    """The docstring of the program that runs, which `python -OO` left out when it compiled it."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return (ast.get_docstring(ast.parse(read_regular(Path(file)))) or "") if file else ""


def _dashed(argument: str) -> str:
    """`--num_aug=3` as `--num-aug=3`."""
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value if flag.startswith("--") else argument


@dataclass(frozen=True)
class Number:
    """An argument type: a number in a range, so that a test can ask a command line for its ranges."""

    range: Range

    @property
    def allowed(self) -> str:
        """The range in words; both ends together where they are small."""
        low, high = self.range.lowest, self.range.highest
        kind = "an integer" if self.range.whole else "a finite number"
        return f"{kind} in {low}..{high}" if high <= 1000 else f"{kind}, at least {low} and at most {high:,}"

    def __call__(self, text: str) -> Any:
        """The number that the text says.

        Raises:
            ArgumentTypeError: no number, or out of range.
        """
        pattern = "-?[0-9]{1,40}" if self.range.whole else "[-+.0-9eE_a-z]{1,40}"
        try:
            if not re.fullmatch(pattern, text):
                raise ValueError
            value = int(text) if self.range.whole else float(text)
        except ValueError:
            noun = "integer" if self.range.whole else "number"
            problem = f"{shown(text, 40)!r} is no {noun}"
            raise argparse.ArgumentTypeError(f"{problem}; allowed is {self.allowed}") from None
        if value not in self.range:
            problem = f"{shown(text, 40)} is out of range"
            raise argparse.ArgumentTypeError(f"{problem}; allowed is {self.allowed}")
        return value


def refuse_without_effect(arguments: argparse.Namespace, effective: Collection[str], job: str) -> None:
    """UserError for a flag that does nothing in the job at hand.

    arguments: as `CommandLine.parse` returned it.
    job: in the words of the command line.
    """
    unused = sorted(arguments.flags - set(effective))
    if unused:
        raise UserError(
            f"{' '.join(unused)} would have no effect {job}",
            " ".join(sorted(effective)),
            f"leave {'it' if len(unused) == 1 else 'them'} out",
        )


def integer(lowest: int, highest: int) -> Number:
    """An argument type: an integer from `lowest` to `highest`."""
    return Number(Range(lowest, highest, whole=True))


def number(lowest: float, highest: float) -> Number:
    """An argument type: a finite number from `lowest` to `highest`."""
    return Number(Range(lowest, highest, whole=False))


COUNT, COUNT_OR_NONE = integer(1, 10**8), integer(0, 10**8)  # of examples, puzzles, questions, repeats
AUGMENTATIONS = integer(0, 10**6)  # of each puzzle besides itself
SEED = integer(0, LARGEST_SEED)


def local_path(text: str) -> Path:
    """An argument type: a file or a folder; `~` stands for the home folder, as in a shell."""
    return Path(path_or_address(text))


def path_or_address(text: str) -> str:
    """An argument type: a path as `local_path` reads it, or an address such as hf://….

    Raises:
        ArgumentTypeError: empty, or with a character that no path has.
    """
    try:
        return expanded(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{error.given}; allowed is {error.allowed}") from None


def name(text: str) -> str:
    """An argument type: a name, which is not empty.

    Raises:
        ArgumentTypeError: it is.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no name; leave the flag out, or name one")
    return text


def expanded(text: str) -> str:
    """A path whose `~` is replaced by the home folder.

    Raises:
        UserError: empty, with a NUL, or in the home of a user who has none.
    """
    if not text.strip() or "\0" in text:
        raise UserError(f"{shown(text)!r} is no path", "the path of a file or a folder", "write it out")
    if not text.startswith("~"):
        return text
    whole = os.path.expanduser(text)
    if whole.startswith("~"):
        raise UserError(f"{shown(text)}: no such home folder", "a path, or ~/…", "write the path out")
    return whole


def run_builder(main: Callable[[], None]) -> None:
    """Run a command that writes all of its output at its end or nothing; see `run_command`."""
    run_command(main, interrupted="interrupted; nothing was written")


def run_command(
    main: Callable[[], None], interrupted: str = "interrupted; the same command again resumes a run"
) -> None:
    """Run a command; print a user's error and exit with 2, or what the system refused and exit with 74.

    Any other exception is a fault of ours: its traceback follows a line that says so.
    Of several ranks all but the first print a user's error in one line, since most errors meet all of them.

    Args:
        interrupted: what to say after an interrupt, which exits with 130.
    """
    settle_streams()
    try:
        main()
    except UserError as error:
        _complain(error, EXIT_USER_ERROR)
    except SystemExit as end:  # --help
        if end.code:
            _leave(end.code)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr, flush=True)
        _leave(EXIT_INTERRUPTED)
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            print(OUR_FAULT, file=sys.stderr, flush=True)
            _tell_torchrun(traceback.format_exc())
            if _is_one_of_several():
                traceback.print_exc()
                _leave(1)
            raise
        _complain(refused, EXIT_SYSTEM_REFUSED)
    sys.stdout.flush()
    if lost := lost_output():
        _complain(file_refusal(OSError(lost.errno, lost.strerror, "standard output")), EXIT_SYSTEM_REFUSED)


def _complain(error: UserError, code: int) -> NoReturn:
    rank = os.environ.get("RANK", "0")
    typed = UserError(error.given, error.allowed, as_typed(error.remedy))
    parts = (typed.given, f"allowed: {typed.allowed}", f"to do: {typed.remedy}")
    # in one line, since several ranks write at once; in full, since a node's log may lack the first rank's
    words = f"error: {typed}" if rank == "0" else f"error on rank {rank}: {'; '.join(parts)}"
    print(words, file=sys.stderr, flush=True)
    _tell_torchrun(f"error: {typed}")
    _leave(code)


def _tell_torchrun(text: str) -> None:
    """Leave an error where torchrun looks for it: its own traceback, of thirty lines, then ends with this text.

    The file's form is that of torch.distributed.elastic's `record`, which would import torch first.
    """
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if file:
        message = {"message": text, "extraInfo": {"timestamp": str(int(time.time()))}}
        with contextlib.suppress(OSError):  # the error was printed
            Path(file).write_text(json.dumps({"message": message}), encoding="utf-8")


def _is_one_of_several() -> bool:
    """Whether other ranks run the same command."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def _leave(code: int | str) -> NoReturn:
    """End the process; one of several ranks at once, since an interpreter that ends waits for messages under way."""
    if _is_one_of_several():
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)
    sys.exit(code)
