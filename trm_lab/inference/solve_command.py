"""The command of an offline package: read a competition's tasks, answer them, write submission.json."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trm.errors import UserError, report, shown
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.ranks import Ranks, choose_device
from trm_lab.commands.choices import ATTENTION_CHOICES, DEVICE_CHOICES
from trm_lab.commands.command_line import AUGMENTATIONS, SEED, CommandLine, integer, local_path, number, run_command
from trm_lab.commands.tables import duration
from trm_lab.evaluation.search_flags import add_stop_flag
from trm_lab.files.folders import check_output
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import check_parent, check_plain, is_there, write_whole
from trm_lab.inference.adaptation_flags import add_adaptation_flags, check_adaptation
from trm_lab.inference.adapted_export import save_adapted
from trm_lab.inference.solving import SolveSettings, solve, without_answer
from trm_lab.inference.task_puzzles import TaskPuzzles
from trm_lab.inference.weight_training import WeightTraining
from trm_lab.runs.arc_outputs import Submission
from trm_lab.runs.exported_form import ADAPTED
from trm_lab.runs.opened_checkpoint import open_checkpoint

CHALLENGES = "arc-agi_test_challenges.json"
INPUT = Path("/kaggle/input/arc-prize-2025") / CHALLENGES
LARGEST = 64 << 20  # bytes of the tasks
EXAMPLE = "python solve.py --input arc-agi_test_challenges.json --output submission.json --minutes 30"


def run(package: Path, arguments: Sequence[str] | None = None, started: float | None = None) -> None:
    """Answer the tasks that the command line names with the weights of `package`; errors come without a traceback.

    arguments: None: the process's own.
    started: when the time began to run, by `time.monotonic`; None: now.
    """
    begin = time.monotonic() if started is None else started
    run_command(
        lambda: _run(package, arguments, begin),
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
    add_adaptation_flags(line)
    add(
        "--save-adapted",
        type=local_path,
        metavar="FOLDER",
        help="with --adapt-weights all: where the adapted weights go, for evaluate.py and export.py",
    )
    add_stop_flag(line)
    add("--batch-size", type=integer(1, 2**24), help="examples at a time (default: what fits)")
    add("--overwrite", action="store_true", help="replace a submission, or adapted weights, that are there")
    add("--device", choices=DEVICE_CHOICES, default="auto")
    add("--attention", choices=ATTENTION_CHOICES, default="auto", help="attention backend on a GPU (auto)")
    add("--seed", type=SEED, default=0, help="of the augmentations (0)")
    return line


def _run(package: Path, arguments: Sequence[str] | None, started: float) -> None:
    flags = command_line().parse(arguments)
    challenges = read_challenges(flags.input)
    fallback = without_answer(challenges)
    check_submission(flags.output, fallback, flags.overwrite)
    check_adaptation(flags)
    check_place(flags)

    def save(submission: Submission) -> None:
        write_whole(flags.output, json.dumps(submission))

    save(fallback)  # valid from now on, and replaced by others that are
    ranks = Ranks(device=choose_device(flags.device))
    opened = open_checkpoint(package)
    choose_attention(flags.attention, opened.arch.network, ranks.device)

    def keep(training: WeightTraining, puzzles: Sequence[TaskPuzzles]) -> None:
        if flags.save_adapted is None:
            return
        try:
            save_adapted(flags.save_adapted, opened, training, puzzles, flags.overwrite)
        except (OSError, UserError) as error:
            report(f"the adapted weights are not written: {shown(error)}", "the tasks are answered with them")

    solved = solve(challenges, opened, solve_settings(flags), ranks, save, started=started, keep=keep)
    updates = f" in {solved.updates:,} updates of all weights" if solved.updates else ""
    print(
        f"{flags.output}: {len(challenges)} tasks, of which {solved.answered} answered by {solved.predictions:,} "
        f"predictions and {solved.adapted} adapted to{updates}, in {duration(time.monotonic() - started)}"
    )


def solve_settings(flags: argparse.Namespace) -> SolveSettings:
    """How to answer, by the command line."""
    return SolveSettings(
        augmentations=flags.augmentations,
        minutes=flags.minutes,
        embedding=flags.embedding,
        adapt=flags.adapt,
        adapt_weights=flags.adapt_weights,
        adapt_lr=flags.adapt_lr,
        adapt_freeze=flags.adapt_freeze,
        stop=flags.stop,
        batch_size=flags.batch_size,
        seed=flags.seed,
    )


def check_place(flags: argparse.Namespace) -> None:
    """Check that adapted weights may be written where the command line says.

    Raises:
        UserError: not all weights are adapted; or something else is there, or adapted weights without --overwrite.
    """
    if flags.save_adapted is None:
        return
    if not flags.adapt or flags.adapt_weights != "all":
        raise UserError(
            "--save-adapted where no weights are adapted",
            "--save-adapted with --adapt N --adapt-weights all",
            "add both, or leave it out",
        )
    check_output(flags.save_adapted, ADAPTED, flags.overwrite)


def check_submission(file: Path, fallback: Submission, overwrite: bool) -> None:
    """Check that a submission may be written here: over nothing, one without an answer, or any with `overwrite`.

    Raises:
        UserError: something else is there, a submission without `overwrite`, or nothing can be written there.
    """
    if not is_there(file, "--output"):
        check_parent(file, "--output")
        return
    check_plain(file)
    try:
        content = load_json(file, LARGEST)
    except (OSError, ValueError):
        content = None
    if not _is_submission(content):
        raise UserError(
            f"--output {shown(file)} is there and no submission",
            "a new file, or with --overwrite a submission",
            "choose another --output",
        )
    if content != fallback and not overwrite:
        raise UserError(
            f"--output {shown(file)} is there, a submission with answers",
            "a new file, or with --overwrite a submission",
            "pass --overwrite to answer anew, or choose another --output",
        )


def _is_submission(content: Any) -> bool:
    """Whether it is {task: [{"attempt_1": …, "attempt_2": …}, …]}."""
    if not isinstance(content, dict) or not all(isinstance(outputs, list) for outputs in content.values()):
        return False
    outputs = [output for of_task in content.values() for output in of_task]
    return all(isinstance(out, dict) and out.keys() == {"attempt_1", "attempt_2"} for out in outputs)


def read_challenges(place: Path) -> dict[str, Any]:
    """The tasks of a file, or of the file `CHALLENGES` in a folder, each as JSON says it.

    Raises:
        UserError: no such file, or no tasks in it.
    """
    file = place / CHALLENGES if place.is_dir() else place
    try:
        content = load_json(file, LARGEST)
        if isinstance(content, dict) and content:
            return content
        problem = "no tasks in it"
    except OSError as error:
        problem = error.strerror or "unreadable"
    except ValueError as error:
        problem = f"not JSON ({shown(error)})"
    raise UserError(
        f"{file}: {problem}",
        f"{CHALLENGES} of the competition, or a file of its form",
        "name it: --input <file>; on Kaggle add the competition's data to the notebook",
    )
