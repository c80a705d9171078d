"""Score a checkpoint on a test split, answer one puzzle, or compare and pool evaluations that are there.

python evaluate.py runs/arc_mini_dis
python evaluate.py hf://owner/repository/step_155718 --data-path data/arc1concept-aug-1000 --steps 32
python evaluate.py runs/arc_mini_dis --task task.json --adapt 100
python evaluate.py runs/sudoku_dis --puzzle sudoku.txt
python evaluate.py --compare runs/arc_mini_dis/scored/step_5694 runs/arc_mini_trm/scored/step_5694
python evaluate.py --pool runs/arc_mini_dis/scored/step_5694 runs/arc_mini_dis/scored/step_5000
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

import trm_lab.commands.interrupts  # noqa: F401 (first: what is imported later takes seconds)
from trm.errors import UserError
from trm.ranges import MOST_STEPS
from trm_lab.commands.choices import (
    ATTENTION_CHOICES,
    COMPILE_CHOICES,
    CONFIDENCES,
    DEFAULT_RANKING,
    DEVICE_CHOICES,
    EMBEDDINGS,
    IDENTIFIER_CHOICES,
    RANKINGS,
    SAVED_OUTPUTS,
    WEIGHT_KINDS,
)
from trm_lab.commands.command_line import (
    AUGMENTATIONS,
    COUNT,
    SEED,
    CommandLine,
    integer,
    local_path,
    number,
    path_or_address,
    refuse_without_effect,
    run_command,
)
from trm_lab.commands.invocation import say_loading
from trm_lab.evaluation.search_flags import SEARCH_FLAGS, add_search_flags, search_of
from trm_lab.inference.adaptation_flags import ADAPTATION_FLAGS, add_adaptation_flags, check_adaptation

if TYPE_CHECKING:  # a job imports these itself: imported here, every --help would wait for torch
    from trm_lab.evaluation.request import ScoringRequest
    from trm_lab.inference.one_task import TaskRequest

_MODEL = {"--checkpoint", "--config", "--weights", "--data-path", "--steps", "--num-aug", "--batch-size"}
_MODEL |= {"--device", "--attention", "--output-dir", "--overwrite"}
EFFECTIVE = {  # the flags that have an effect on each job
    "score": _MODEL
    | {"--tasks", "--first-tasks", "--examples", "--by", "--identifiers", "--guidance", "--margin", "--rank-by"}
    | {"--choose-on", "--confidence", "--compile", "--save-outputs"}
    | SEARCH_FLAGS,
    "task": _MODEL | SEARCH_FLAGS | {"--task", "--embedding", "--seed", *ADAPTATION_FLAGS},
    "puzzle": _MODEL | SEARCH_FLAGS | {"--puzzle", "--embedding", "--seed", *ADAPTATION_FLAGS},
    "compare": {"--compare", "--common"},
    "pool": {"--pool", "--data-path", "--rank-by", "--output-dir", "--overwrite"},
}


def command_line() -> CommandLine:
    """Every flag."""
    line = CommandLine("evaluate.py", __doc__)
    add = line.add_argument
    add(
        "target",
        nargs="?",
        type=path_or_address,
        help="a run, a checkpoint, an exported folder, a published file, or hf://…",
    )
    add("--checkpoint", type=path_or_address, help="the same, in the published form")
    add("--config", type=local_path, help="config.yaml or all_config.yaml (default: the checkpoint's own)")
    add("--weights", choices=WEIGHT_KINDS, default="auto", help="auto: averaged where the run kept an average")
    add("--data-path", nargs="+", type=path_or_address, default=[], help="test data (default: the configuration's)")
    add("--steps", type=integer(1, MOST_STEPS), help="supervision steps of an answer (default: as trained)")
    add("--num-aug", type=AUGMENTATIONS, help="augmentations of each task besides itself (default: the dataset's)")
    add("--tasks", nargs="+", default=[], help="names of the tasks to evaluate (default: all)")
    add("--first-tasks", type=COUNT, help="only so many tasks, in the dataset's order")
    add("--examples", type=COUNT, help="only a random sample of at most so many, the one that eval_examples takes")
    add("--by", choices=("category",), help="also print the scores of each category, such as the number of givens")
    add("--identifiers", choices=IDENTIFIER_CHOICES, default="correct", help="ablation of the puzzle embedding")
    add(
        "--guidance",
        nargs="+",
        type=number(-1000, 1000),
        default=[],
        metavar="W",
        help="also decode (1-w) ref + w cond",
    )
    add("--margin", action="store_true", help="measure what each step improves, and its advantage margin")
    add("--rank-by", choices=tuple(RANKINGS), default=DEFAULT_RANKING, help="how ARC votes rank")
    add(
        "--confidence",
        choices=tuple(CONFIDENCES),
        default="answer",
        help="whose confidence ranks votes without a halting probability: the answer's, over its cells; or, as before, "
        "the plain answer's, over all cells",
    )
    add_search_flags(line)
    add(
        "--choose-on",
        type=local_path,
        metavar="FOLDER",
        help="choose the settings of stopping early on this evaluation of held-out questions",
    )
    add("--batch-size", type=integer(1, 2**24), help="examples at a time over all ranks (default: what fits)")
    add("--device", choices=DEVICE_CHOICES, default="auto", help="(auto)")
    add("--compile", choices=COMPILE_CHOICES, default="auto", help="auto: on a GPU only (auto)")
    add("--attention", choices=ATTENTION_CHOICES, default="auto", help="attention backend on a GPU (auto)")
    add("--output-dir", type=local_path, help="where the results go (default: beside the checkpoint)")
    add("--overwrite", action="store_true", help="put away the results that are there")
    add("--save-outputs", nargs="+", choices=SAVED_OUTPUTS, default=[], help="keep these arrays as .npz, too")
    _add_other_jobs(line)
    return line


def _add_other_jobs(line: CommandLine) -> None:
    """Flags of the jobs other than scoring a split."""
    add = line.add_argument
    add("--task", type=path_or_address, metavar="FILE[:NAME]", help="answer this ARC task (JSON) and draw it")
    add(
        "--puzzle",
        metavar="TEXT|FILE",
        help="answer this puzzle of the checkpoint's kind (.txt, .json, .npy) and draw it",
    )
    add("--embedding", choices=EMBEDDINGS, default="auto", help="with an ARC task: the puzzle embedding to use")
    add_adaptation_flags(line, "with an ARC task: ")
    add("--seed", type=SEED, default=0, help="with --puzzle or --task: of whatever is drawn")
    add("--compare", nargs=2, type=local_path, metavar="FOLDER", help="test the difference of two evaluations")
    add("--common", action="store_true", help="with --compare: on the tasks that both have")
    add(
        "--pool",
        nargs="+",
        type=local_path,
        metavar="FOLDER",
        help="let the answers of several evaluations vote together",
    )


def job(flags: argparse.Namespace) -> Callable[[], None]:
    """The job that the command line asks for.

    Raises:
        UserError: two jobs at once, or none.
    """
    target = flags.checkpoint or flags.target
    other_jobs = [name for name in ("task", "puzzle", "compare", "pool") if getattr(flags, name) is not None]
    clash = len(other_jobs) > 1 or (flags.checkpoint and flags.target)
    if clash or (target is None) != (other_jobs in (["compare"], ["pool"])):
        jobs = " ".join(f"--{name}" for name in other_jobs)
        raise UserError(
            f"target {flags.target}, --checkpoint {flags.checkpoint} {jobs}".rstrip(),
            "one target, with or without --task or --puzzle; or --compare or --pool without a target",
            "python evaluate.py <run>",
        )
    kind = other_jobs[0] if other_jobs else "score"
    refuse_without_effect(flags, EFFECTIVE[kind], f"with --{kind}" if other_jobs else "when a split is scored")
    check_adaptation(flags)
    return lambda: _start(kind, target, flags)


def _start(kind: str, target: str, flags: argparse.Namespace) -> None:
    say_loading("evaluate.py", "PyTorch, then " + ("the evaluations" if target is None else "the checkpoint"))
    _JOBS[kind](target, flags)


def _score(target: str, flags: argparse.Namespace) -> None:
    from trm_lab.evaluation.score import score

    score(_scoring_request(target, flags))


def _task(target: str, flags: argparse.Namespace) -> None:
    from trm_lab.inference.one_puzzle import run_task

    run_task(_task_request(target, flags.task, flags))


def _puzzle(target: str, flags: argparse.Namespace) -> None:
    from trm_lab.inference.one_puzzle import run_puzzle

    run_puzzle(_task_request(target, flags.puzzle, flags))


def _compare(target: str, flags: argparse.Namespace) -> None:
    from trm_lab.evaluation.comparison import compare_folders

    first, second = flags.compare
    compare_folders(first, second, flags.common)


def _pool(target: str, flags: argparse.Namespace) -> None:
    from trm_lab.evaluation.pooling import pool

    pool(flags.pool, flags.data_path, flags.rank_by, flags.output_dir, flags.overwrite)


_JOBS = {"score": _score, "task": _task, "puzzle": _puzzle, "compare": _compare, "pool": _pool}


def _scoring_request(target: str, flags: argparse.Namespace) -> "ScoringRequest":
    from trm_lab.evaluation.request import ScoringRequest
    from trm_lab.puzzles.selection import Selection

    return ScoringRequest(
        target=target,
        config=flags.config,
        weights=flags.weights,
        data_paths=flags.data_path,
        selection=Selection(frozenset(flags.tasks), flags.first_tasks, flags.num_aug, flags.examples),
        steps=flags.steps,
        identifiers=flags.identifiers,
        guidance=flags.guidance,
        margin=flags.margin,
        ranked_by=flags.rank_by,
        confidence=flags.confidence,
        search=search_of(flags),
        batch_size=flags.batch_size,
        device=flags.device,
        compile=flags.compile,
        attention=flags.attention,
        output=flags.output_dir,
        overwrite=flags.overwrite,
        by_category=flags.by is not None,
        choose_on=flags.choose_on,
        save_outputs=flags.save_outputs,
    )


def _task_request(target: str, task: str, flags: argparse.Namespace) -> "TaskRequest":
    from trm_lab.inference.one_task import TaskRequest

    return TaskRequest(
        target=target,
        task=task,
        config=flags.config,
        weights=flags.weights,
        data_paths=flags.data_path,
        embedding=flags.embedding,
        augmentations=flags.num_aug,
        adapt=flags.adapt,
        adapt_weights=flags.adapt_weights,
        adapt_lr=flags.adapt_lr,
        adapt_freeze=flags.adapt_freeze,
        steps=flags.steps,
        search=search_of(flags),
        batch_size=flags.batch_size,
        device=flags.device,
        attention=flags.attention,
        output=flags.output_dir,
        overwrite=flags.overwrite,
        seed=flags.seed,
    )


if __name__ == "__main__":
    run_command(
        lambda: job(command_line().parse())(),
        interrupted="interrupted; the same command again goes on from the answers that are there",
    )
