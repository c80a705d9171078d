"""The loop: steps, checkpoints, evaluations, records. Knows nothing of which supervision runs."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from trm.distributed import Ranks
from trm.evaluation.evaluate import Evaluator
from trm.evaluation.results import read_scores, write_evaluation
from trm.puzzles.loading import TrainingData
from trm.supervision import StepOutput
from trm.training import checkpoints
from trm.training.checkpoints import TrainingState
from trm.training.config import TrainConfig
from trm.training.learner import AveragedWeights, Learner
from trm.training.records import FileRecords, Progress, Sink
from trm.training.run_directory import RunDirectory


@dataclass
class Window:
    """Sums over the steps since the last record; flushed at every checkpoint, so never part of a state."""

    steps: int = 0
    loss: float = 0.0
    network_calls: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def add(self, output: StepOutput[Any], loss: float) -> None:
        """Take in a step whose loss per example, over all ranks, is `loss`."""
        self.steps += 1
        self.loss += loss
        self.network_calls = output.network_calls
        for name, value in output.metrics.items():
            wide = value.detach().double()
            self.sums[name] = self.sums[name] + wide if name in self.sums else wide

    def record(self, ranks: Ranks, global_batch_size: int) -> dict[str, Any]:
        """Means over the window, over all ranks; every rank must call it."""
        sums = {name: ranks.sum_(value).tolist() for name, value in sorted(self.sums.items())}
        slots = self.steps * global_batch_size
        seconds = time.monotonic() - self.started
        return {
            "network_calls": self.network_calls,
            "loss": self.loss / self.steps,
            "metrics": _means(sums, slots),
            "step_accuracy": _step_accuracy(sums),
            "timing": {"seconds": seconds, "examples_per_second": slots / seconds},
        }


class Trainer:
    """Trains to the end of its configuration; the parts are built in `trm.training.launch`.

    records: metrics.jsonl, on the first rank only.  mirrors: further places for the same records.
    """

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        data: TrainingData,
        evaluator: Evaluator,
        run: RunDirectory,
        ranks: Ranks,
    ) -> None:
        self.config, self.learner, self.data, self.evaluator = config, learner, data, evaluator
        self.run_directory, self.ranks = run, ranks
        self.last_step = min(learner.total_steps, config.max_steps or learner.total_steps)
        self.window = Window()
        self.scores: dict[str, Any] = {}
        self.evaluated_at = -1
        self.records: FileRecords | None = None
        self.mirrors: list[Sink] = []
        self.progress = Progress(self.last_step, 0, shown=False)

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self.learner.steps_done

    @property
    def iteration(self) -> int:
        """Stretches of `eval_interval` epochs that are behind us."""
        return self.data.state()["iteration"]

    @property
    def finished(self) -> bool:
        """All updates are made, or all of the data is seen."""
        return self.step >= self.last_step or self.iteration >= self.config.iterations

    def run(self, mirrors: list[Sink]) -> dict[str, Any]:
        """Train to the end, from the newest checkpoint if there is one; the last evaluation's scores."""
        self.mirrors = mirrors
        self.resume()
        self.progress = Progress(self.last_step, self.step, self.ranks.is_first)
        self.evaluate_if_due()
        while not self.finished:
            self.advance()
        if self.step != self.evaluated_at:
            self.save(keep=True)
            self.evaluate()
        self.close()
        return self.scores

    def advance(self) -> None:
        """One step, or what comes between two stretches of `eval_interval` epochs."""
        batch = self.data.next_batch(self.learner.free_slots())
        if batch is None:
            self.end_iteration()
            return
        self.window.add(*self.learner.step(batch.to(self.ranks.device)))
        self.progress.advance()
        if self.step % self.config.log_interval == 0:
            self.flush()
        if self.config.checkpoint_interval and self.step % self.config.checkpoint_interval == 0:
            self.save(keep=False)

    def end_iteration(self) -> None:
        """Save first, so that an evaluation that is interrupted costs no training."""
        self.data.start_iteration(self.iteration + 1)
        self.save(keep=self.evaluation_due and self.config.checkpoint_every_eval)
        self.evaluate_if_due()

    @property
    def evaluation_due(self) -> bool:
        """At the start of an iteration that follows one to be evaluated."""
        position = self.data.state()
        at_start = position["set"] == 0 and position["cursor"] == 0
        return at_start and self.iteration > self.config.min_eval_interval

    def evaluate_if_due(self) -> None:
        """Evaluate, unless this step was."""
        if self.evaluation_due and self.step != self.evaluated_at:
            self.evaluate()

    def evaluate(self) -> None:
        """Score the test split with the averaged weights, if any; a finished evaluation is not repeated."""
        folder = self.run_directory.evaluation(self.step)
        known = self.ranks.broadcast_object(read_scores(folder) if self.ranks.is_first else None)
        self.scores = known or self.score()
        self.evaluated_at = self.step
        self.write({"kind": "evaluation", "step": self.step, "scores": self.scores})
        self.progress.say(f"step {self.step}: {headline(self.scores)}")

    def score(self) -> dict[str, Any]:
        """Run an evaluation and write it."""
        with AveragedWeights(self.learner):
            evaluation = self.evaluator.run(self.progress.over)
        method = self.config.arch["supervision"]
        evaluation.scores.update(step=self.step, method=method, supervision=method)
        if self.ranks.is_first:
            write_evaluation(self.run_directory.evaluation(self.step), evaluation)
        self.ranks.barrier()
        return evaluation.scores

    def flush(self) -> None:
        """Write a record of the steps since the last one."""
        if self.window.steps == 0:
            return
        means = self.window.record(self.ranks, self.config.global_batch_size)
        self.window = Window()
        epoch = self.step * self.config.epochs / max(1, self.learner.total_steps)
        lr = self.learner.lr(self.config.lr, self.step)
        record = {"kind": "train", "step": self.step, "epoch": epoch, "lr": lr, **means}
        self.write(record)
        self.progress.describe(record)

    def write(self, record: dict[str, Any]) -> None:
        """Send a record everywhere."""
        if self.records is not None:
            self.records.write(record)
        for mirror in self.mirrors:
            mirror.write(record)

    def save(self, keep: bool) -> None:
        """Write a checkpoint; `keep` protects it from being deleted for a later one."""
        self.flush()
        parts = self.learner.tensors()
        if self.records is not None:
            position = {
                "step": self.step,
                "data": self.data.state(),
                "records_bytes": self.records.position(),
            }
            state = TrainingState(**parts, state={**position, "config": asdict(self.config)})
            root = self.run_directory.checkpoints
            checkpoints.save(root / f"step_{self.step}", state, keep)
            checkpoints.prune(root, self.config.keep_checkpoints)
        self.ranks.barrier()

    def resume(self) -> None:
        """Take up the newest complete checkpoint, cutting the records back to it; or start."""
        root = self.run_directory.checkpoints
        if self.ranks.is_first:
            checkpoints.tidy(root)
        newest, faults = self.ranks.broadcast_object(
            checkpoints.latest(root) if self.ranks.is_first else None
        )
        records_bytes = 0
        if newest is not None:
            content = checkpoints.load(newest)
            self.learner.restore(content.state["step"], content.parts())
            self.data.restore(content.state["data"])
            records_bytes = content.state["records_bytes"]
        if self.ranks.is_first:
            for fault in faults:
                print(f"left out a damaged checkpoint: {fault}", flush=True)
            if newest is not None:
                print(f"resuming from {newest}", flush=True)
            else:
                self.run_directory.start_over()
            self.records = FileRecords(self.run_directory.metrics, records_bytes)

    def close(self) -> None:
        """Close the bar and the records."""
        self.progress.close()
        for sink in [*self.mirrors, *([self.records] if self.records is not None else [])]:
            sink.close()


def headline(scores: dict[str, Any]) -> str:
    """An evaluation in one line."""
    per_step = scores["per_step"]
    parts = [
        f"{name.removeprefix('ARC/')} {100 * value:.1f} %"
        for name, value in scores.get("scores", {}).items()
        if name in ("ARC/pass@1", "ARC/pass@2")
    ]
    if per_step["exact_accuracy"]:
        parts.append(f"exact {100 * per_step['exact_accuracy'][-1]:.1f} %")
        parts.append(f"cells {100 * per_step['cell_accuracy'][-1]:.1f} %")
    return f"{', '.join(parts)} (copying the input: cells {100 * scores['copy']['cell_accuracy']:.1f} %)"


def _means(sums: dict[str, Any], slots: int) -> dict[str, float]:
    """Losses per slot; the rest per finished example, and nothing of these when none finished (as published)."""
    count = sums["count"]
    means = {name: value / slots for name, value in sums.items() if name.endswith("loss")}
    if count:
        scalar = {n: v for n, v in sums.items() if not n.endswith("loss") and not isinstance(v, list)}
        means |= {name: value / count for name, value in scalar.items()}
        means["count"] = count
    return means


def _step_accuracy(sums: dict[str, Any]) -> list[float | None]:
    """Cell accuracy at each supervision step, None where no slot stood."""
    pairs = zip(sums["step_accuracy"], sums["step_slots"], strict=True)
    return [share / slots if slots else None for share, slots in pairs]
