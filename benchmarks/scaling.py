"""What ranks send, keep and wait for: measured at 1, 2 and 4 gloo processes of this machine, modelled beyond.

python -m benchmarks.scaling                      measure and print
python -m benchmarks.scaling --markdown           write benchmarks/scaling.md, scaling.json, figures/scaling.*
python -m benchmarks.scaling --markdown --reuse   the same from the scaling.json that is there
"""

import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.machine import command, described, now
from benchmarks.scaling_figure import draw
from benchmarks.scaling_jobs import JOBS, SLOT_BATCHES
from benchmarks.scaling_model import Cluster
from benchmarks.scaling_ranks import Trial, measure
from benchmarks.scaling_report import markdown, measured_tables
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.files.whole_files import write_whole

HERE = Path(__file__).parent
DIS = ("train_arc_tiny_corrupt", ("arch=dis", "arch.forward_dtype=float32", "compile=off"))
TRM = ("cfg_pretrain", ("arch=trm", "arch.L_cycles=4", "arch.forward_dtype=float32", "compile=off"))
RANKS = (1, 2, 4)


def trials() -> Iterator[Trial]:
    """All that is measured."""
    dis = Trial("DIS-compact, 900 tokens", *DIS, grid=900, puzzles=10_000, batch=8, ranks=1)
    for ranks in RANKS:
        yield replace(dis, ranks=ranks)
    for ranks in RANKS[:2]:
        yield replace(dis, ranks=ranks, batch=2 * ranks)  # weak scaling; its third is the first's
    trm = Trial("TRM 7M, 16 tokens", *TRM, grid=16, puzzles=10_000, batch=8, ranks=1)
    for ranks in RANKS:
        yield replace(trm, ranks=ranks)
    table = Trial("DIS-compact, 16 tokens", *DIS, grid=16, puzzles=200_000, batch=64, ranks=1)
    for ranks in RANKS:
        yield replace(table, ranks=ranks)
        if ranks > 1:
            yield replace(table, ranks=ranks, shared=True)
    for batch in (16, 256):
        yield replace(table, ranks=4, batch=batch)
        yield replace(table, ranks=4, batch=batch, shared=True)
    for ranks in RANKS[1:]:
        yield replace(table, ranks=ranks, puzzles=1)
    for one in dict.fromkeys(job.slot_trial for job in JOBS):
        for batch in SLOT_BATCHES:
            yield replace(one, batch=batch)


def main() -> None:
    """Measure, print, and write if asked."""
    line = CommandLine("python -m benchmarks.scaling", __doc__)
    line.add_argument("--markdown", action="store_true", help="write scaling.md, its figure and scaling.json")
    line.add_argument("--reuse", action="store_true", help="take the figures of scaling.json")
    line.add_argument("--folder", type=local_path, default=HERE, help="where these files are")
    given = line.parse()
    kept = given.folder / "scaling.json"
    if given.reuse and not kept.is_file():
        line.error(f"--reuse, but there is no {kept}; run without --reuse first")
    report = json.loads(kept.read_text(encoding="utf-8")) if given.reuse else measured(list(trials()))
    print("\n\n".join(measured_tables(report)))
    if given.markdown:
        cluster = Cluster()
        write_whole(kept, json.dumps(report, indent=1) + "\n")
        write_whole(given.folder / "scaling.md", markdown(report, cluster))
        for file in draw(report, given.folder / "figures" / "scaling", cluster):
            print(file)


def measured(chosen: Sequence[Trial]) -> dict[str, Any]:
    """Every trial's ranks, and on what machine."""
    results = []
    for number, trial in enumerate(chosen, 1):
        print(
            f"{number}/{len(chosen)} {trial.name}, {trial.ranks} ranks, batch {trial.batch}", file=sys.stderr
        )
        results.append({"trial": asdict(trial), "ranks": run(trial)})
    about = described(torch.device("cpu")) | {"threads": 1}
    return {
        "date": now(),
        "command": command("benchmarks.scaling", None),
        "machine": about,
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
        return [
            json.loads((Path(folder) / f"rank_{r}.json").read_text(encoding="utf-8"))
            for r in range(trial.ranks)
        ]


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")
