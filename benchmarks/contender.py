"""One side of a measurement, in its own process, which makes steps when asked to.

Ours and the reference are two such processes, so that each has its own memory and their turns can alternate: what slows
the machine for a while then slows both.
"""

import gc
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import torch

from benchmarks import limits, machine
from benchmarks.configurations import Configuration
from benchmarks.reference_step import ReferenceStep
from benchmarks.roofline import products
from trm.batch import Batch
from trm.errors import UserError
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.compilation import compile_forward
from trm_lab.cluster.determinism import make_deterministic
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.learner import Learner
from trm_lab.training.metric_window import Window
from trm_lab.training.step_result import StepResult

SIDES = ("ours", "reference")
TOTAL_STEPS = 10**6  # of the learning rate's schedule
WARM_UP = {"cpu": 1, "cuda": 4}  # steps: they compile, make moments and slots, and on a GPU record CUDA graphs
MEASURED_FOR_MEMORY = 2  # steps after these
TURN_SECONDS = 0.3  # that one turn lasts at least, if steps are shorter
MOST_STEPS = 600  # of a turn

_step: Callable[[], None]  # of a contender's own process


@dataclass(frozen=True)
class Ready:
    """What a warmed-up contender reports.  steps: of a turn; memory: of steps after the warm-up; about: the machine."""

    steps: int
    memory: machine.Memory
    about: dict[str, Any]


class Contender:
    """`with Contender(configuration, "ours", ...) as contender:` a process that makes steps when asked to.

    All methods raise UserError where the configuration cannot be measured here (it does not fit into the memory, or
    cannot be compiled).
    """

    def __init__(self, configuration: Configuration, side: str, device: torch.device, threads: int | None):
        self._configuration, self._side, self._device, self._threads = configuration, side, device, threads
        self._worker = ProcessPoolExecutor(1, get_context("spawn"))

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)

    def ready(self) -> Ready:
        """Wait until it has warmed up."""
        return self._ask(warm_up, self._side, self._threads)

    def turn(self, steps: int) -> float:
        """Seconds for each of `steps` steps."""
        return self._ask(turn, steps)

    def limits(self) -> limits.Limits:
        """The machine's limits at this moment."""
        return self._ask(measure_limits)

    def _ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            job = self._worker.submit(attempt, work, self._configuration, self._device, *arguments)
            answer, problem = job.result()
        except BrokenProcessPool:
            answer, problem = None, "its process ended; its own messages are above"
        if problem is not None:
            raise UserError(
                f"{self._configuration.name}, {self._side}: {problem}",
                "a configuration that this machine can run",
                "leave it out",
            )
        return answer


def attempt(work: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
    """The answer, or why there is none: a UserError has three arguments and cannot travel between processes."""
    try:
        return work(*arguments), None
    except UserError as error:
        return None, error.given
    except torch.OutOfMemoryError:
        return None, "does not fit into the device's memory"


def warm_up(configuration: Configuration, device: torch.device, side: str, threads: int | None) -> Ready:
    """Make the step in this process, and run it a few times."""
    global _step
    if threads:
        torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    _, arch = configuration.composed()
    gc.collect()
    baseline = 0 if device.type == "cuda" else resident()
    _step = make_step(configuration, side, device)
    timed(_step, WARM_UP[device.type], device)
    machine.start_peak(device)
    seconds = timed(_step, MEASURED_FOR_MEMORY, device)
    memory = machine.Memory(machine.peak(device), baseline)
    steps = steps_of_turn(seconds, int(arch.settings.halt_max_steps))
    return Ready(steps, memory, machine.described(device))


def turn(configuration: Configuration, device: torch.device, steps: int) -> float:
    """Seconds for each of `steps` steps of this process."""
    return timed(_step, steps, device)


def measure_limits(configuration: Configuration, device: torch.device) -> limits.Limits:
    """The machine's limits at the configuration's shapes."""
    config, arch = configuration.composed()
    shapes = products(arch.network, configuration.shape)
    return limits.measure(shapes, config.global_batch_size, configuration.torch_dtype, device)


def resident() -> int:
    """Bytes of this process's memory now, as a peak that begins here."""
    device = torch.device("cpu")
    machine.start_peak(device)
    return machine.peak(device)


def make_step(configuration: Configuration, side: str, device: torch.device) -> Callable[[], None]:
    """A function that makes one supervision step with its update, from a batch in the host's memory."""
    batch = configuration.random_batch()
    if side == "reference":
        config, arch = configuration.composed()
        compiled = config.compile == "max" or (config.compile == "auto" and device.type == "cuda")
        supervision = configuration.supervision(arch, device)
        reference = ReferenceStep(config, supervision, Ranks(device=device), TOTAL_STEPS, compiled)
        return lambda: _reference_step(reference, batch, device)
    learner = make_learner(configuration, Ranks(device=device))
    if device.type == "cuda":
        batch = batch.pinned()
    unread: list[StepResult] = []
    window = Window()
    return lambda: our_step(learner, batch, device, unread, window)


def make_learner(configuration: Configuration, ranks: Ranks, **changes: Any) -> Learner:
    """A learner of ours, untrained, compiled as the configuration says.

    changes: keys of the run in place of the published ones.
    """
    config, arch = configuration.composed()
    config = replace(config, **changes)
    choose_attention(config.attention, arch.network, ranks.device)
    make_deterministic(config.deterministic or ranks.device.type == "cpu")
    supervision = configuration.supervision(arch, ranks.device)
    compile_forward(supervision, config.compile, ranks.device)
    return Learner(config, supervision, ranks, TOTAL_STEPS)


def _reference_step(reference: ReferenceStep, batch: Batch, device: torch.device) -> None:
    reference.step(batch.to(device))


def our_step(learner: Learner, batch: Batch, device: torch.device, unread: list[StepResult], window: Window) -> None:
    """A step as the trainer makes it: metrics are summed on the device, a step's numbers read after the next is queued.

    Unlike the trainer it goes on when a number is not finite, since only time and memory are measured.
    """
    unread.append(learner.step(batch.to(device)))
    window.add(unread[-1].output)
    if len(unread) > 1:
        unread.pop(0).sums.read()


def timed(step: Callable[[], object], steps: int, device: torch.device) -> float:
    """Seconds a step, to the end of what the steps started; on a GPU by its own clock."""
    if device.type == "cuda":
        return limits.cuda_seconds(lambda: repeat(step, steps)) / steps
    started = time.perf_counter()
    repeat(step, steps)
    return (time.perf_counter() - started) / steps


def repeat(step: Callable[[], object], times: int) -> None:
    """Step so many times."""
    for _ in range(times):
        step()


def steps_of_turn(seconds: float, supervision_steps: int) -> int:
    """Steps that fill a turn; if more than one, whole examples, whose first step alone makes targets."""
    steps = min(math.ceil(TURN_SECONDS / max(seconds, 1e-6)), MOST_STEPS)
    return 1 if steps == 1 else -(-steps // supervision_steps) * supervision_steps
