"""What ranks hand over, keep and wait for, measured with 1, 2 and 4 gloo processes of this machine.

python -m benchmarks.scaling                      measure and print
python -m benchmarks.scaling --only "TRM 7M, 16 tokens"
python -m benchmarks.scaling --markdown           write benchmarks/scaling.md, scaling.json, figures/scaling.*
python -m benchmarks.scaling --markdown --reuse   the same from the scaling.json that is there
"""

import json
import multiprocessing
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.figures import COLOURS, LOOK, MARKERS, save
from benchmarks.machine import command, described, now
from benchmarks.results_table import pipes
from benchmarks.scaling_ranks import Trial, measure
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.files.whole_files import write_whole

HERE = Path(__file__).parent
DIS = ("train_arc_tiny_corrupt", ("arch=dis", "arch.forward_dtype=float32", "compile=off"))
TRM = ("cfg_pretrain", ("arch=trm", "arch.L_cycles=4", "arch.forward_dtype=float32", "compile=off"))
SETUPS = (
    Trial("DIS-compact, 900 tokens", *DIS, grid=900, puzzles=10_000, batch=8, ranks=1),
    Trial("TRM 7M, 16 tokens", *TRM, grid=16, puzzles=10_000, batch=8, ranks=1),
    Trial("DIS-compact, 16 tokens", *DIS, grid=16, puzzles=200_000, batch=64, ranks=1),
    Trial("DIS-compact, 16 tokens", *DIS, grid=16, puzzles=200_000, batch=64, ranks=1, shared=True),
)
TRIALS = [replace(setup, ranks=ranks) for setup in SETUPS for ranks in (1, 2, 4) if ranks > 1 or not setup.shared]
HEADER = ["", "ranks", "batch", "puzzles", "a step", "in messages", "handed over in a step", "peak memory"]
HEADER += ["handed over for a checkpoint", "it holds up", "it writes beside"]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write if asked."""
    line = CommandLine("python -m benchmarks.scaling", __doc__)
    line.add_argument("--markdown", action="store_true", help="write scaling.md, its figure and scaling.json")
    line.add_argument("--reuse", action="store_true", help="take the figures of scaling.json")
    line.add_argument("--only", choices=dict.fromkeys(one.name for one in SETUPS), help="(all)")
    line.add_argument("--folder", type=local_path, default=HERE, help="where these files are")
    flags = line.parse(arguments)
    stored = flags.folder / "scaling.json"
    if flags.reuse and not stored.is_file():
        line.error(f"--reuse, but there is no {stored}; run without --reuse first")
    if flags.reuse:
        report = json.loads(stored.read_text(encoding="utf-8"))
    else:
        report = measured([trial for trial in TRIALS if flags.only in (None, trial.name)])
    print(as_table(report))
    if flags.markdown:
        write_whole(stored, json.dumps(report, indent=1) + "\n")
        write_whole(flags.folder / "scaling.md", markdown(report))
        for file in draw(report, flags.folder / "figures" / "scaling"):
            print(file)


def measured(trials: Sequence[Trial]) -> dict[str, Any]:
    """Every trial's ranks, and on what machine."""
    results = []
    for number, trial in enumerate(trials, 1):
        progress = f"{number}/{len(trials)} {trial.name}, {trial.ranks} ranks, batch {trial.batch}"
        print(progress, file=sys.stderr)
        results.append({"trial": asdict(trial), "ranks": run(trial)})
    return {
        "date": now(),
        "command": command("benchmarks.scaling", None),
        "machine": described(torch.device("cpu")) | {"threads": 1},
        "results": results,
    }


def run(trial: Trial) -> list[dict[str, Any]]:
    """What each rank counted, each in a process of its own.

    Raises:
        RuntimeError: one of them failed.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ranks = [context.Process(target=measure, args=(r, trial, folder)) for r in range(trial.ranks)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
        if any(rank.exitcode for rank in ranks):
            raise RuntimeError(f"a rank of {trial} failed; its message is above")
        files = [Path(folder) / f"rank_{r}.json" for r in range(trial.ranks)]
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def as_table(report: Mapping[str, Any]) -> str:
    """A Markdown row for each trial; means over its ranks, of memory the least and the most."""
    return pipes([HEADER, *(_row(one["trial"], one["ranks"]) for one in _with_checkpoints(report))])


def _with_checkpoints(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The trials of the table; older files hold others, too, from which a model was once made."""
    return [one for one in report["results"] if one["trial"]["checkpoint"]]


def _row(trial: Mapping[str, Any], ranks: Sequence[Mapping[str, Any]]) -> list[str]:
    seconds, waiting = (mean(rank[name] for rank in ranks) for name in ("seconds", "communication"))
    step, checkpoint = (mean(sum(rank[name].values()) for rank in ranks) for name in ("step", "checkpoint"))
    peaks, first = sorted(rank["memory"] for rank in ranks), ranks[0]
    return [
        trial["name"],
        str(trial["ranks"]),
        str(trial["batch"]),
        f"{trial['puzzles']:,}{', shared out' * trial['shared']}",
        duration(seconds),
        f"{100 * waiting / seconds:.0f} %",
        size(step),
        " … ".join(size(memory) for memory in dict.fromkeys((peaks[0], peaks[-1]))),
        size(checkpoint),
        duration(first["collecting"] + first["copying"]),
        f"{duration(first['writing'])} ({size(first['checkpoint_bytes'])})",
    ]


def size(number: float) -> str:
    """Bytes in words."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= step:
            return f"{number / step:.3g} {unit}"
    return f"{number:.0f} B"


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def markdown(report: Mapping[str, Any]) -> str:
    """The whole of scaling.md."""
    machine = report["machine"]
    return f"""\
# Several ranks: time, messages and memory

Written by `python -m benchmarks.scaling --markdown`. {machine["processor"]}, one thread for each process, torch
{machine["torch"]}, gloo, float32, {report["date"][:10]}; medians of 3 steps. Where there are more ranks than cores, the
processes take turns: compare times within a row only. The networks are the published ones; batch, puzzles and, for TRM,
tokens are scaled down to what two cores can do. A model of up to 1024 ranks, of 2026-11-23, is kept in
[`scaling_model.md`](scaling_model.md).

![time of a step and peak memory](figures/scaling.png)

*In messages*: the share of a step that a rank spends in collectives, waiting for other ranks included. *Handed over*:
bytes that a rank gives to `torch.distributed`; a ring all-reduce then sends 2(W−1)/W of them, an all-gather W−1 times
as many. *Peak memory*: above that of the same process with a tiny model, from the least to the most of the ranks. *It
holds up*: comparing weights, collecting and copying, on the first rank; *it writes beside*: in a thread. *Shared out*:
`shard_puzzle_emb=True`.

{as_table(report)}
"""


def draw(report: Mapping[str, Any], path_without_suffix: Path) -> list[Path]:
    """Write PNG and PDF: time of a step (dashed: of it in messages) and peak memory of a rank against their number."""
    path_without_suffix.parent.mkdir(parents=True, exist_ok=True)
    kinds = ("name", "batch", "puzzles", "shared")
    by_kind = sorted(_with_checkpoints(report), key=lambda one: [one["trial"][kind] for kind in kinds])
    with matplotlib.rc_context({**LOOK, "axes.grid": True, "grid.color": "#E3E3E3"}):
        figure = Figure(figsize=(9.2, 4.3), layout="constrained")
        times, memory = figure.subplots(1, 2)
        lines = groupby(by_kind, key=lambda one: [one["trial"][kind] for kind in kinds])
        number = 0
        for (name, batch, puzzles, shared), group in lines:
            trials = sorted(group, key=lambda one: one["trial"]["ranks"])
            if len(trials) < 2:
                continue
            style: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number]}
            label = f"{name}, batch {batch}, {puzzles:,} puzzles{', shared out' * shared}"
            several = [one for one in trials if one["trial"]["ranks"] > 1]
            _plot(memory, trials, "memory", scale=1e-6, label=label, **style)
            _plot(times, trials, "seconds", **style)
            _plot(times, several, "communication", linestyle="--", **style)
            number += 1
        times.set(xlabel="ranks", ylabel="seconds", yscale="log", title="A training step (dashed: in messages)")
        memory.set(xlabel="ranks", ylabel="MB, mean of the ranks", ylim=(0, None), title="Peak memory of a rank")
        for axes in (times, memory):
            axes.set_xticks(sorted({one["trial"]["ranks"] for one in by_kind}))
        figure.legend(loc="outside lower center", ncols=2)
    return save(figure, path_without_suffix)


def _plot(axes: Axes, trials: Sequence[Mapping[str, Any]], key: str, scale: float = 1.0, **style: Any) -> None:
    """The mean over ranks of one figure, against their number."""
    values = [scale * mean(rank[key] for rank in one["ranks"]) for one in trials]
    axes.plot([one["trial"]["ranks"] for one in trials], values, **style)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
