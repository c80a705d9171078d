"""Part 3: bfloat16 in every compile mode against float32; whether the host waits in training and evaluation."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import torch

from benchmarks.configurations import Configuration, named
from benchmarks.contender import make_learner
from benchmarks.gpu_parts.part import Row, forget, verdict
from trm.batch import Batch
from trm.randomness import SeededStepRandom
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.rollout import roll_out
from trm_lab.training.learner import Learner
from trm_lab.training.step_result import StepResult

NAMES = "dis-compact-nqueens-b1024 trm-compact-nqueens-b1024"
MODES = ("off", "auto", "max")
STEPS = 20
ALLOWED = 0.02  # of a loss, relative: bfloat16 has 8 bits
STEPS_OF_ROUND = 6  # of training, before and after the evaluation


def measure(device: torch.device, names: str = NAMES, modes: tuple[str, ...] = MODES) -> Iterator[Row]:
    """Each method in float32, then in bfloat16 in every mode; `max`, which compiles longest, at the end."""
    expected = {}
    for name in names.split():
        (exact,) = named(f"{name}-float32-off", device.type, "float32")
        with forget():
            batch = exact.random_batch().to(device)
            expected[name] = losses(make_learner(exact, Ranks(device=device)), batch, STEPS)
    for mode, name in product(modes, expected):
        (ours,) = named(f"{name}-bfloat16-{mode}", device.type, "bfloat16")
        with forget():
            yield from compared(ours, expected[name], device)


def losses(learner: Learner, batch: Batch, steps: int) -> list[float]:
    """The loss of one example at each of the next steps, all fed with the same batch."""
    results = [learner.step(batch) for _ in range(steps)]
    return [result.loss for result in results]


def farthest(ours: list[float], expected: list[float]) -> float:
    """The largest relative difference; nan if any is nan."""
    differences = [abs(a - b) / max(abs(b), 1e-30) for a, b in zip(ours, expected, strict=True)]
    return float(torch.tensor(differences, dtype=torch.float64).max())  # Python's max loses nan


def compared(configuration: Configuration, expected: list[float], device: torch.device) -> Iterator[Row]:
    """The losses beside those of float32; then the host's waits."""
    learner = make_learner(configuration, Ranks(device=device))
    batch = configuration.random_batch()
    ours = losses(learner, batch.to(device), STEPS)
    difference = farthest(ours, expected)
    yield {
        "table": f"{STEPS} steps in bfloat16 beside float32, uncompiled (a loss may differ by {ALLOWED:.0%})",
        "configuration": configuration.name,
        "first loss": ours[0],
        "last loss": ours[-1],
        "last in float32": expected[-1],
        "largest difference": difference,
        "": verdict(difference, ALLOWED),
    }
    if device.type == "cuda":
        yield waits(configuration, learner, batch.pinned(), device)


def waits(configuration: Configuration, learner: Learner, batch: Batch, device: torch.device) -> Row:
    """The first unwanted wait in training, in an evaluation and in training after it."""
    unread: list[StepResult] = []
    rounds: dict[str, Callable[[], object]] = {
        "training": lambda: train(learner, batch, device, unread),
        "evaluation": lambda: evaluate(learner, batch, device),
        "training after it": lambda: train(learner, batch, device, unread),
    }
    for work in rounds.values():  # compiles, which waits
        work()
    return {
        "table": "Waits of the host, except for the previous step's numbers and for the answers",
        "configuration": configuration.name,
        **{name: first_wait(work) or "none" for name, work in rounds.items()},
    }


def train(learner: Learner, batch: Batch, device: torch.device, unread: list[StepResult]) -> None:
    """Make `STEPS_OF_ROUND` steps; each one's numbers are read when the next step is queued."""
    for _ in range(STEPS_OF_ROUND):
        unread.append(learner.step(batch.to(device)))
        if len(unread) > 1:
            with waiting_is("default"):  # the one wait that a step has
                unread.pop(0).sums.read()


def evaluate(learner: Learner, batch: Batch, device: torch.device) -> None:
    """Answer one batch as an evaluation does; fetching the answers is the only wait."""
    learner.model.eval()
    try:
        rollout = roll_out(learner.supervision, batch.to(device), SeededStepRandom(0, 0, len(batch)))
    finally:
        learner.model.train()
    with waiting_is("default"):
        rollout.predictions.cpu()


def first_wait(work: Callable[[], object]) -> str | None:
    """torch's message about the first wait, and our line that waited; None without a wait."""
    try:
        with waiting_is("error"):
            work()
    except RuntimeError as error:
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
        place = f"{Path(lines[-1].filename).name}:{lines[-1].lineno} {lines[-1].name}"
        return f"{str(error).splitlines()[0]} ({place})"
    return None


@contextmanager
def waiting_is(mode: str) -> Iterator[None]:
    """A context in which torch ignores waits (`default`), or warns or raises an error."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
