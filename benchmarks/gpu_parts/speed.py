"""Part 5: the published models' steps by the GPU's clock, beside the straightforward compiled step and the limit."""

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import torch

from benchmarks.configurations import Configuration, named
from benchmarks.contender import SIDES, Contender, steps_of_turn
from benchmarks.gpu_parts.part import Row
from benchmarks.step_model import beside
from benchmarks.train_step import side
from trm.errors import UserError
from trm_lab.flops import step_flops

TURNS = 5
TABLE = f"Training steps (medians of {TURNS} turns; reference: the straightforward compiled step; GiB: reserved)"
PROBED = 6  # steps whose time decides how many a turn has
# The configurations of one line compile at the same time; while turns are timed, nothing else runs.
STAGES = (
    "dis-compact-arc-b512-bfloat16-auto dis-compact-nqueens-b1024-bfloat16-auto",
    "trm-medium-arc-b192-bfloat16-auto",
    "dis-compact-nqueens-b1024-bfloat16-max",
)


def measure(device: torch.device, stages: tuple[str, ...] = STAGES) -> Iterator[Row]:
    """Stage after stage: compile all of it, then time one configuration after the other."""
    for names in stages:
        with ExitStack() as stack:
            pairs = {
                one: [stack.enter_context(Contender(one, name, device, None)) for name in SIDES]
                for one in named(names, device.type, "bfloat16")
            }
            for one, ready in prepared(pairs).items():
                yield from rows(one, pairs[one], ready)


def prepared(pairs: dict[Configuration, list[Contender]]) -> dict[Configuration, list[Any]]:
    """Each contender's `Ready`, or the error that ended it; all warm up at the same time."""
    with ThreadPoolExecutor(sum(len(pair) for pair in pairs.values())) as pool:
        under_way = {one: [pool.submit(attempt, each.ready) for each in pair] for one, pair in pairs.items()}
    return {one: [job.result() for job in jobs] for one, jobs in under_way.items()}


def attempt(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work`, or its error."""
    try:
        return work(*arguments)
    except (UserError, RuntimeError) as error:  # the second: CUDA's
        return error


def rows(configuration: Configuration, pair: list[Contender], answers: list[Any]) -> Iterator[Row]:
    """Figures of ours, and of the reference if it is ready; why a side is missing; the expected time beside ours."""
    ready = {}
    for name, contender, answer in zip(SIDES, pair, answers, strict=True):
        if isinstance(answer, Exception):
            yield left_out(f"{configuration.name}, {name}", answer)
        else:
            ready[name] = (contender, answer)
    if "ours" not in ready:
        return
    contenders = [contender for contender, _ in ready.values()]
    figures = attempt(timed, configuration, contenders)
    if isinstance(figures, Exception) and len(contenders) > 1:
        yield left_out(f"{configuration.name}, reference", figures)
        figures = attempt(timed, configuration, contenders[:1])
    if isinstance(figures, Exception):
        yield left_out(configuration.name, figures)
        return
    memory = {f"{name}, GiB": answer.memory.peak / 2**30 for name, (_, answer) in ready.items()}
    yield {"table": TABLE, "configuration": configuration.name, **figures, **memory}
    expected = beside(configuration, ready["ours"][1].about.get("gpu", "a CPU"), figures["ms"] / 1000)
    if expected is not None:
        yield {"note": f"{configuration.name}: {expected} (`benchmarks.step_model`)"}


def left_out(name: str, error: Exception) -> Row:
    """A note that says why `name` was not measured."""
    reason = error.given if isinstance(error, UserError) else f"{name}: {str(error).splitlines()[0]}"
    return {"note": f"left out: {reason}"}


def timed(configuration: Configuration, contenders: list[Contender]) -> Row:
    """Columns from turns of ours and, if it is there, of the reference in alternation; limits before and after."""
    _, arch = configuration.composed()
    steps = [steps_of_turn(each.turn(PROBED), arch.settings.halt_max_steps) for each in contenders]
    limits = [contenders[0].limits()]
    turns = [[each.turn(number) for each, number in zip(contenders, steps, strict=True)] for _ in range(TURNS)]
    limits.append(contenders[0].limits())
    flops = step_flops(arch, configuration.shape)  # of an example
    assert flops is not None
    best = max(one.best for one in limits)
    ours, *other = [
        side(list(each), configuration.batch, flops * configuration.batch, best) for each in zip(*turns, strict=True)
    ]
    return {**own_columns(ours), **(compared_columns(other[0], turns) if other else {})}


def own_columns(ours: dict[str, Any]) -> Row:
    """Columns of our own time and speed."""
    seconds = ours["seconds"]
    return {
        "ms": 1000 * seconds["median"],
        "from – to": f"{1000 * seconds['low']:.2f} – {1000 * seconds['high']:.2f}",
        "examples/s": ours["examples_per_second"],
        "of the limit": ours["share_of_limit"],
    }


def compared_columns(other: dict[str, Any], turns: list[list[float]]) -> Row:
    """Columns of the reference step, with its ratios to ours turn by turn."""
    ratios = [reference / ours for ours, reference in turns]
    return {
        "reference, ms": 1000 * other["seconds"]["median"],
        "reference / ours": statistics.median(ratios),
        "from – to (ratio)": f"{min(ratios):.2f} – {max(ratios):.2f}",
    }
