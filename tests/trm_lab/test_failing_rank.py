"""One rank that fails ends the job: it says why and leaves with its code, whatever messages are under way."""

import re
import sys
from pathlib import Path

import pytest

from tests.runs import NARROW, REPOSITORY, finish
from tests.trm_lab.inference.checkpoints_of import write_run
from trm_lab.cluster.watchdog import EXIT_HUNG
from trm_lab.commands.command_line import EXIT_INTERRUPTED, EXIT_USER_ERROR

FAILING = """
import importlib, os, runpy, sys
import torch
import torch.distributed as dist
from trm.errors import UserError

error, place, calls, sys.argv = eval(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
module, owner, method = place.split(":")
owner = getattr(importlib.import_module(module), owner)
original = getattr(owner, method)

def fails_at_last(*arguments):
    global calls
    calls -= 1
    if calls > 0:
        return original(*arguments)
    if os.environ["RANK"] == "0":
        dist.recv(torch.ones(1), src=1)  # waits for what rank 1 never sends
    dist.all_reduce(torch.ones(1), async_op=True)  # a message under way that rank 0 never joins
    raise error

setattr(owner, method, fails_at_last)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
ERROR = "UserError('rank 1 is out of luck', 'luck', 'try again')"
STEP, ANSWER = "trm_lab.training.learner:Learner:step", "trm_lab.evaluation.predictor:Predictor:_roll_out"


def codes_of_two_ranks(folder: Path, program: str, *words: str) -> tuple[dict[int, int], str]:
    """How a program's ranks ended that failed, and what all printed.

    No rank gives up waiting for the other before `finish` gives up waiting for them.
    """
    script = folder / "program.py"
    script.write_text(program)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    output = finish([*launcher, str(script), *words], folder, code=1)
    ends = re.findall(r"rank +: (\d) .*\n +exitcode +: (-?\d+)", output)  # torchrun's summary
    return {int(rank): int(code) for rank, code in ends}, output


def training(dataset: Path, run: Path) -> list[str]:
    words = [str(REPOSITORY / "train_arc_tiny_corrupt.py"), *NARROW, f"data_paths=[{dataset}]"]
    return [*words, f"checkpoint_path={run}", "global_batch_size=8", "epochs=40", "hang_timeout=null"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ERROR, EXIT_USER_ERROR, "error on rank 1: rank 1 is out of luck"),
        pytest.param("ZeroDivisionError('a fault')", 1, "ZeroDivisionError: a fault", marks=pytest.mark.long),
        pytest.param("KeyboardInterrupt()", EXIT_INTERRUPTED, "interrupted; the same", marks=pytest.mark.long),
    ],
)
def test_a_rank_that_fails_in_a_step_ends_the_training(
    error: str, code: int, said: str, dataset: Path, tmp_path: Path
) -> None:
    codes, output = codes_of_two_ranks(tmp_path, FAILING, error, STEP, "3", *training(dataset, tmp_path / "run"))
    assert codes[1] == code, output
    assert said in output


@pytest.mark.long
def test_a_rank_that_fails_within_an_evaluation_ends_it(dataset: Path, tmp_path: Path) -> None:
    words = [str(REPOSITORY / "evaluate.py"), str(write_run(tmp_path / "run", dataset)), "--batch-size=8"]
    codes, output = codes_of_two_ranks(tmp_path, FAILING, ERROR, ANSWER, "3", *words, "--device=cpu")
    assert codes[1] == EXIT_USER_ERROR, output
    assert "error on rank 1: rank 1 is out of luck" in output


FROM_PYTHON = """
import sys
import trm_lab
import yaml
from trm.errors import UserError

pairs = [word.split("=", 1) for word in sys.argv[1:]]
try:
    trm_lab.train("dis", overrides={key: yaml.safe_load(value) for key, value in pairs})
except UserError as error:
    print("caught:", error.given, flush=True)
    sys.exit(5)
"""


@pytest.mark.long
def test_a_rank_that_fails_in_training_from_python_gets_its_error_and_ends_as_it_likes(
    dataset: Path, tmp_path: Path
) -> None:
    caller = tmp_path / "caller.py"
    caller.write_text(FROM_PYTHON)
    words = training(dataset, tmp_path / "run")[1:]
    codes, output = codes_of_two_ranks(tmp_path, FAILING, ERROR, STEP, "3", str(caller), *words)
    assert codes[1] == 5, output
    assert "caught: rank 1 is out of luck" in output


HANGING = """
import runpy, sys, time
import trm_lab.evaluation.score
from trm_lab.evaluation.predictor import Predictor

def never_answers(*_):
    time.sleep(1000)

trm_lab.evaluation.score.HANG_SECONDS = 15.0
Predictor._roll_out, sys.argv = never_answers, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.long
def test_a_rank_that_hangs_in_an_evaluation_says_so_and_ends_it(dataset: Path, tmp_path: Path) -> None:
    words = [str(REPOSITORY / "evaluate.py"), str(write_run(tmp_path / "run", dataset)), "--batch-size=8"]
    codes, output = codes_of_two_ranks(tmp_path, HANGING, *words, "--device=cpu", "--compile=off")
    assert EXIT_HUNG in codes.values(), output
    assert "of 2 hangs: no sign of life for" in output
    assert "never_answers" in output
