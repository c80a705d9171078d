"""Part 5: the published models' steps by the GPU's clock, beside the straightforward compiled step and the limit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import torch

from benchmarks.configurations import Configuration, named
from benchmarks.contender import SIDES, Contender, Ready, steps_of_turn
from benchmarks.gpu_parts.part import Row
from benchmarks.train_step import described
from trm.errors import UserError

TURNS = 5
PROBED = 6  # steps that tell how many fill a turn
# What stands in one line compiles at the same time; nothing else runs while turns are timed.
STAGES = (
    "dis-compact-arc-b512-bfloat16-auto dis-compact-nqueens-b1024-bfloat16-auto",
    "trm-medium-arc-b192-bfloat16-auto",
    "dis-compact-nqueens-b1024-bfloat16-max",
)

Pair = tuple[Contender, Contender]  # ours and the reference


def measure(device: torch.device, stages: tuple[str, ...] = STAGES) -> Iterator[Row]:
    """Stage after stage: compile all of it, then time one configuration after the other."""
    for names in stages:
        configurations = named(names, device.type, "bfloat16")
        with ExitStack() as stack:
            pairs = {
                one: [stack.enter_context(Contender(one, side, device, None)) for side in SIDES]
                for one in configurations
            }
            ready = prepared(pairs)
            for one, (ours, reference) in pairs.items():
                problems = [answer for answer in ready[one] if isinstance(answer, UserError)]
                if problems:
                    yield {"note": f"left out: {problems[0].given}"}
                else:
                    yield from rows(timed(one, (ours, reference), ready[one]))


def prepared(pairs: dict[Configuration, list[Contender]]) -> dict[Configuration, list[Any]]:
    """What each contender says once it has warmed up, or why it cannot be measured; they warm up at the same time."""
    with ThreadPoolExecutor(sum(len(pair) for pair in pairs.values())) as pool:
        under_way = {one: [pool.submit(attempt, contender) for contender in pair] for one, pair in pairs.items()}
    return {one: [job.result() for job in jobs] for one, jobs in under_way.items()}


def attempt(contender: Contender) -> Ready | UserError:
    """Ready, or why not."""
    try:
        return contender.ready()
    except UserError as error:
        return error


def timed(configuration: Configuration, pair: Pair, ready: list[Ready]) -> dict[str, Any]:
    """The figures as `benchmarks.train_step` has them."""
    _, arch = configuration.composed()
    whole = arch.settings.halt_max_steps
    steps = [steps_of_turn(contender.turn(PROBED), whole) for contender in pair]
    ours, reference = pair
    limits = [ours.limits()]
    turns = [(ours.turn(steps[0]), reference.turn(steps[1])) for _ in range(TURNS)]
    limits.append(ours.limits())
    return described(configuration, ready[0], ready[1], turns, limits)


def rows(figures: dict[str, Any]) -> Iterator[Row]:
    """Speed and memory of ours and of the reference."""
    ours, other, ratio = figures["ours"], figures["reference"], figures["ratio"]
    yield {
        "table": f"Training steps (medians of {TURNS} turns, lowest to highest in parentheses)",
        "configuration": figures["name"],
        "ms": 1000 * ours["seconds"]["median"],
        "(ms)": f"({1000 * ours['seconds']['low']:.2f}–{1000 * ours['seconds']['high']:.2f})",
        "examples/s": ours["examples_per_second"],
        "of the limit": ours["share_of_limit"],
        "straightforward, ms": 1000 * other["seconds"]["median"],
        "straightforward / ours": ratio["median"],
        "(ratio)": f"({ratio['low']:.2f}–{ratio['high']:.2f})",
        "reserved, GiB": ours["memory"]["peak"] / 2**30,
        "straightforward, GiB": other["memory"]["peak"] / 2**30,
    }
