"""The command of an offline package: read a competition's tasks, answer them, write submission.json."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trm.command_line import AUGMENTATIONS, SEED, CommandLine, integer, local_path, number, run_command
from trm.distributed import DEVICE_CHOICES, Ranks, choose_device
from trm.errors import UserError
from trm.evaluation.table import duration
from trm.publishing.solving import SolveSettings, solve
from trm.scoring.opened import open_checkpoint
from trm.training.config import Supervisions
from trm.untrusted import load_json, shown
from trm.whole_files import write_whole

CHALLENGES = "arc-agi_test_challenges.json"
INPUT = Path("/kaggle/input/arc-prize-2025") / CHALLENGES
LARGEST = 64 << 20  # bytes of the tasks
EXAMPLE = "python solve.py --input arc-agi_test_challenges.json --output submission.json --minutes 30"


def run(package: Path, supervisions: Supervisions, arguments: Sequence[str] | None = None) -> None:
    """Answer what the command line says with the weights of `package`; errors are printed, without a traceback.

    arguments: None: the process's own.
    """
    started = time.monotonic()
    run_command(
        lambda: _run(package, supervisions, arguments, started),
        interrupted="interrupted; the submission holds what was answered so far",
    )


def command_line() -> CommandLine:
    """Every flag."""
    line = CommandLine("solve.py", "Answer ARC tasks without a network.", EXAMPLE)
    usual = SolveSettings()
    add = line.add_argument
    add("--input", type=local_path, default=INPUT, help=f"the tasks, or a folder with {CHALLENGES} ({INPUT})")
    add("--output", type=local_path, default=Path("submission.json"), help="the submission (submission.json)")
    add(
        "--augmentations",
        type=AUGMENTATIONS,
        default=usual.augmentations,
        help=f"of each task besides itself ({usual.augmentations})",
    )
    add("--minutes", type=number(0, 525_600), default=usual.minutes, help=f"in all ({usual.minutes:g})")
    add(
        "--embedding",
        choices=("auto", "mean", "blank"),
        default=usual.embedding,
        help="of the tasks; auto: a task's own where the model was trained on it, else the mean of all",
    )
    add("--adapt", type=integer(0, 10**6), default=0, help="steps that fit each task's embeddings first (0)")
    add("--batch-size", type=integer(1, 2**24), help="examples at a time (default: what fits)")
    add("--device", choices=DEVICE_CHOICES, default="auto")
    add("--seed", type=SEED, default=0, help="of the augmentations (0)")
    return line


def _run(package: Path, supervisions: Supervisions, arguments: Sequence[str] | None, started: float) -> None:
    given = command_line().parse(arguments)
    challenges = read_challenges(given.input)
    opened = open_checkpoint(package, supervisions)
    settings = SolveSettings(
        given.augmentations, given.minutes, given.embedding, given.adapt, given.batch_size, given.seed
    )
    left = settings.minutes - (time.monotonic() - started) / 60
    solved = solve(
        challenges,
        opened,
        supervisions,
        replace(settings, minutes=left),
        Ranks(device=choose_device(given.device)),
        lambda submission: write_whole(given.output, json.dumps(submission)),
    )
    print(
        f"{given.output}: {len(challenges)} tasks, of which {solved.answered} answered by {solved.predictions:,} "
        f"predictions and {solved.adapted} adapted to, in {duration(time.monotonic() - started)}"
    )


def read_challenges(place: Path) -> dict[str, Any]:
    """The tasks of a file, or of the file `CHALLENGES` in a folder, each as JSON says it.

    Raises:
        UserError: no such file, or no tasks in it.
    """
    file = place / CHALLENGES if place.is_dir() else place
    try:
        content = load_json(file, LARGEST)
        problem = None if isinstance(content, dict) and content else "no tasks in it"
    except OSError as error:
        content, problem = {}, error.strerror or "unreadable"
    except ValueError as error:
        content, problem = {}, f"not JSON ({shown(error)})"
    if problem is not None:
        raise UserError(
            f"{file}: {problem}",
            f"{CHALLENGES} of the competition, or a file of its form",
            "name it: --input <file>; on Kaggle add the competition's data to the notebook",
        )
    return dict(content)
