"""Checks and measurements that need a GPU, in one short run: numbers, waits, speed, memory, attention, kernels.

`python -m benchmarks.gpu_check --help` and benchmarks/README.md.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import machine
from benchmarks.gpu_page import page
from benchmarks.gpu_parts.part import read_rows
from benchmarks.outputs import check_output_folder, write_report
from trm.errors import UserError
from trm_lab.commands.command_line import CommandLine, local_path, number, run_command

PROGRAM = "benchmarks.gpu_check"
ABOUT = """\
Check and measure the project on this machine's GPU, part after part, in under eight minutes. After each part
gpu_check.json and the page gpu_check.md hold all results so far."""
EXAMPLE = """\
  python -m benchmarks.gpu_check --output-dir runs/gpu_check
  python -m benchmarks.gpu_check --output-dir runs/gpu_check --parts 5,7"""
ALL_SECONDS = 470.0  # for all parts together
GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL to a part
SKIPPED: dict[str, Any] = {"rows": [], "seconds": 0.0, "remarks": []}
TAIL = 2000  # characters of what a part printed that are kept


@dataclass(frozen=True)
class Part:
    """A part.  module: in benchmarks/gpu_parts.  seconds: its time limit.  gpus: how many it needs."""

    module: str
    title: str
    seconds: float
    gpus: int = 1


PARTS = {
    1: Part("surroundings", "versions, GPU, torch's choice of attention, limits", 40),
    2: Part("golden", "recorded numbers of the published implementations", 60),
    3: Part("agreement", "bfloat16 in every compile mode beside float32; waits", 120),
    4: Part("restoring", "restored runs and repeated runs", 60),
    5: Part("speed", "training steps: time, memory, share of the limit", 170),
    6: Part("attention", "the attention backends", 30),
    7: Part("kernels", "the heaviest kernels, and the idle share", 40),
    8: Part("two_ranks", "two ranks as one; a rank that fails", 120, gpus=2),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the parts; write both files after each one."""
    flags = command_line().parse(arguments)
    numbers = requested(flags.parts)
    if flags.list:
        print("\n".join(f"{n}  {PARTS[n].title} (at most {PARTS[n].seconds:.0f} s)" for n in numbers))
        return
    if flags.output_dir is None:
        raise UserError("no --output-dir", "a folder for the two files", "add --output-dir runs/gpu_check")
    check_output_folder(flags.output_dir)
    report = empty_report(machine.command(PROGRAM, arguments))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # when the machine is taken away, end the part, too
    ends_at = time.monotonic() + flags.patience * ALL_SECONDS
    for place in numbers:
        part = PARTS[place]
        print(f"{place}  {part.title} …", flush=True)
        allowed = min(flags.patience * part.seconds, ends_at - time.monotonic())
        report["parts"].append({"number": place, "title": part.title, **outcome(part, allowed)})
        write_report(flags.output_dir, "gpu_check", report, page(report), "md")
    print(f"written to {flags.output_dir / 'gpu_check.md'} and .json")


def empty_report(command: str) -> dict[str, Any]:
    """The report before the first part; UserError without a GPU."""
    if not torch.cuda.is_available():
        raise UserError(
            f"no GPU: torch {torch.__version__} sees no CUDA device",
            "a machine with an NVIDIA GPU and a torch that was built for it",
            "run this there; benchmarks/README.md says how to bring the project along",
        )
    on = machine.described(torch.device("cuda", 0))
    return {"kind": "gpu_check", "date": machine.now(), "command": command, "machine": on, "parts": []}


def command_line() -> CommandLine:
    """The flags."""
    line = CommandLine(f"python -m {PROGRAM}", ABOUT, EXAMPLE)
    add = line.add_argument
    add("--output-dir", type=local_path, help="where gpu_check.json and gpu_check.md go")
    add("--parts", default=",".join(map(str, PARTS)), metavar="1,3", help="these, in this order (all)")
    add("--list", action="store_true", help="print the parts and their limits, and end")
    add("--patience", type=number(0.01, 1000.0), default=1.0, help="multiplies all time limits, on a slow machine (1)")
    return line


def requested(parts: str) -> list[int]:
    """The numbers of the requested parts; UserError for an unknown one."""
    wrong = [word for word in parts.split(",") if word.strip() not in {str(number) for number in PARTS}]
    if wrong:
        allowed = ", ".join(f"{number} ({part.module})" for number, part in PARTS.items())
        raise UserError(f"--parts {parts}: {wrong[0]!r} is no part", allowed, "give numbers with commas: --parts 1,3")
    return list(dict.fromkeys(int(word) for word in parts.split(",")))


def outcome(part: Part, seconds: float) -> dict[str, Any]:
    """Run a part for at most so many seconds; what it measured.

    Its `rows`; the `seconds` it took; `problem`: why it did not finish, or None; `remarks`: the lines in which it says
    that it goes on without something, such as uncompiled; `said`: the end of its output, if there is a problem.
    """
    if torch.cuda.device_count() < part.gpus:
        return {
            **SKIPPED,
            "problem": f"skipped: it needs {part.gpus} GPUs, this machine has {torch.cuda.device_count()}",
        }
    if seconds <= 0:
        return {**SKIPPED, "problem": "skipped: no time is left for it"}
    with tempfile.TemporaryDirectory() as folder:
        rows, log = Path(folder) / "rows.json", Path(folder) / "log"
        started = time.monotonic()
        words = [sys.executable, "-m", "benchmarks.gpu_parts.part", part.module, str(rows)]
        problem = run_limited(words, log, seconds)
        text = log.read_text(encoding="utf-8", errors="replace")
        report = {"rows": read_rows(rows), "seconds": time.monotonic() - started, "problem": problem}
        report["remarks"] = remarks(text)
        if problem is not None:
            report["said"] = text[-TAIL:]
            print(f"{problem}\n{report['said']}", file=sys.stderr, flush=True)
        return report


def remarks(output: str) -> list[str]:
    """Lines of a part's output that say that compiling or recording failed."""
    return list(dict.fromkeys(line for line in output.splitlines() if "goes on" in line))


def run_limited(words: Sequence[str], log: Path, seconds: float) -> str | None:
    """Run a command with a time limit, its output into `log`; why it did not finish, or None."""
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"stopped at its limit of {seconds:.0f} s; what it had measured is kept"
    finally:
        end(process)
    return None if code == 0 else f"failed with exit code {code}; what it had measured is kept"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started: SIGTERM first, which torchrun passes on to its workers' own sessions."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; what was measured is written")
