"""Seconds and memory of a training step, how near it comes to the machine's limit, and the reference step beside it.

`python -m benchmarks.train_step --help` and benchmarks/README.md.
"""

import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import machine, results_table
from benchmarks.configurations import Configuration, chosen
from benchmarks.contender import Contender
from benchmarks.limits import Limits
from benchmarks.outputs import check_output_folder, write_report
from benchmarks.roofline import step_bytes
from trm.errors import UserError
from trm.model import FORWARD_DTYPES
from trm_lab.cluster.ranks import choose_device
from trm_lab.commands.choices import COMPILE_CHOICES, DEVICE_CHOICES
from trm_lab.commands.command_line import CommandLine, integer, local_path, run_command
from trm_lab.commands.progress import track
from trm_lab.flops import step_flops, trained_weights

PROGRAM = "benchmarks.train_step"
ABOUT = """\
Measure training steps: seconds, examples a second, memory, operations, the share of this machine's own limit, and the
straightforward reference step in turns with ours."""
EXAMPLE = """\
  python -m benchmarks.train_step                                    a few minutes on 2 cores
  python -m benchmarks.train_step --configurations gpu --output-dir runs/benchmark
  python -m benchmarks.train_step --configurations trm-compact36-arc --dtype float32 --compile off max"""


def main(arguments: list[str] | None = None) -> None:
    """Measure every configuration; print the table, write the files."""
    flags = command_line().parse(arguments)
    check_output_folder(flags.output_dir)
    device = choose_device(flags.device)
    usual_dtype = "float32" if machine.without_bfloat16(device) else "bfloat16"
    requested = chosen(flags.configurations, device.type, usual_dtype, flags.batch, flags.dtype, flags.compile)
    configurations, left_out = runnable(requested, device, flags.force_bfloat16)
    if not configurations:
        raise UserError(
            f"--configurations {' '.join(flags.configurations)}: {'; '.join(left_out)}",
            "at least one configuration that this machine can run",
            "add --dtype float32, or --force-bfloat16",
        )
    results = []
    for configuration in track(configurations, "configurations"):
        try:
            results.append(measure(configuration, device, flags.repeats, flags.threads))
        except UserError as error:
            left_out.append(error.given)
            print(f"left out: {error.given}", file=sys.stderr, flush=True)
    report = {
        "kind": "train_step",
        "date": machine.now(),
        "command": machine.command(PROGRAM, arguments),
        "repeats": flags.repeats,
        "machine": results[0].pop("machine") if results else machine.described(device),
        "left_out": left_out,
        "results": [{k: v for k, v in one.items() if k != "machine"} for one in results],
    }
    print(results_table.as_text(report))
    if flags.output_dir:
        write(report, flags.output_dir)


def command_line() -> CommandLine:
    """The flags."""
    line = CommandLine(f"python -m {PROGRAM}", ABOUT, EXAMPLE)
    add = line.add_argument
    add(
        "--configurations",
        nargs="+",
        default=["quick"],
        metavar="NAME",
        help="quick | all | gpu | <method>-<size>-<task>[-b<batch>][-<dtype>][-<compile>] (quick)",
    )
    add("--batch", nargs="+", type=integer(1, 2**24), default=[], help="these batch sizes in place of the names' own")
    add("--dtype", nargs="+", choices=[*FORWARD_DTYPES], default=[], help="these in place of the names' own")
    add("--compile", nargs="+", choices=COMPILE_CHOICES, default=[], help="these in place of the names' own")
    add("--repeats", type=integer(2, 10**6), default=5, help="turns of each side (5)")
    add("--threads", type=integer(1, 1024), help="of the processor (torch's choice)")
    add("--device", default="auto", choices=DEVICE_CHOICES, help="(auto)")
    add("--force-bfloat16", action="store_true", help="even where the processor would imitate it")
    add("--output-dir", type=local_path, help="where train_step.json, .txt and roofline.png, .pdf go")
    return line


def runnable(
    requested: list[Configuration], device: torch.device, force_bfloat16: bool
) -> tuple[list[Configuration], list[str]]:
    """The configurations that can be measured here, and why the others are left out."""
    reason = None if force_bfloat16 else machine.without_bfloat16(device)
    out = [one for one in requested if one.dtype == "bfloat16" and reason]
    return [one for one in requested if one not in out], [f"{one.name}: {reason}" for one in out]


def measure(configuration: Configuration, device: torch.device, repeats: int, threads: int | None) -> dict[str, Any]:
    """One configuration's figures: limits, turns of ours and of the reference one after the other, limits."""
    with Contender(configuration, "ours", device, threads) as ours:
        ready = ours.ready()
        with Contender(configuration, "reference", device, threads) as reference:
            other = reference.ready()
            limits = [ours.limits()]
            turns = [(ours.turn(ready.steps), reference.turn(other.steps)) for _ in range(repeats)]
            limits.append(ours.limits())
    _, arch = configuration.composed()
    flops = step_flops(arch, configuration.shape)  # of an example
    assert flops is not None
    operations, best = flops * configuration.batch, max(one.best for one in limits)
    moved = step_bytes(arch, configuration.shape, configuration.batch)
    sides = {
        name: side(list(seconds), configuration.batch, operations, best)
        for name, seconds in zip(("ours", "reference"), zip(*turns, strict=True), strict=True)
    }
    for name, one in (("ours", ready), ("reference", other)):
        sides[name] |= {"steps_of_turn": one.steps, "memory": {**asdict(one.memory), "own": one.memory.own}}
    return {
        "name": configuration.name,
        **asdict(configuration),
        "tokens": configuration.shape.seq_len,
        "puzzle_tokens": arch.network.puzzle_tokens,
        "weights": trained_weights(arch, configuration.shape),
        "operations_per_example": flops,
        "bytes_per_step": moved,
        "intensity": operations / moved,
        "limit": best_of(limits),
        "limits_measured": [asdict(one) for one in limits],
        **sides,
        "ratio": spread([b / a for a, b in turns]),
        "machine": ready.about,
    }


def side(seconds: list[float], batch: int, operations: int, limit: float) -> dict[str, Any]:
    """The figures of ours or of the reference from its seconds per step, a number for each turn."""
    median = statistics.median(seconds)
    return {
        "turns": seconds,
        "seconds": spread(seconds),
        "examples_per_second": batch / median,
        "operations_per_second": operations / median,
        "share_of_limit": operations / median / limit,
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def best_of(measured: list[Limits]) -> dict[str, float]:
    """The highest of each rate: a limit is what the machine can do when it is left alone."""
    return {key: max(getattr(one, key) for one in measured) for key in ("best", "square", "own", "copied")}


def write(report: dict[str, Any], folder: Path) -> None:
    """The table, the figures and the roofline."""
    write_report(folder, "train_step", report, results_table.as_text(report))
    if report["results"]:
        from benchmarks import figures  # brings matplotlib, which the measured processes go without

        figures.save(figures.roofline(report), folder / "roofline")


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")
