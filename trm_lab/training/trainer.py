"""The loop: steps, checkpoints, evaluations, records. Knows nothing of which supervision runs."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trm.errors import UserError, report
from trm_lab.cluster.compilation import warm_up_steps
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.progress import Progress
from trm_lab.configuration.train_config import ARC_SCORES, TrainConfig
from trm_lab.evaluation.baselines import best_baseline
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import DataPosition, TrainingData
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.evaluation_folder import Evaluation, read_scores, report_damaged, write_evaluation
from trm_lab.runs.identifier_names import encoded
from trm_lab.runs.records import SCHEMA, FileRecords, whole_records
from trm_lab.runs.retention import Retention, mark_best
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.guards import Guards
from trm_lab.training.learner import AveragedWeights, Learner
from trm_lab.training.metric_window import ClosedWindow, Window
from trm_lab.training.mirrors import Mirror, follow_run
from trm_lab.training.prefetch import Feed
from trm_lab.training.step_result import StepResult
from trm_lab.training.sweep import side_by_side
from trm_lab.training.weight_consistency import check_same_weights

COMPILE_SECONDS = 3600.0  # that the first steps may take where they are compiled


class Trainer:
    """Trains to the end of its configuration; the parts are built in `trm_lab.training.launch`.

    records: metrics.jsonl, on the first rank only.  mirrors: further places for the same records, there too.
    names: identifiers.json of the puzzle table, on the first rank only.  datasets: what state.json says of the data.
    unread: steps and records whose numbers may still be under way from the device, oldest first.
    """

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        data: TrainingData,
        evaluator: Evaluator,
        run: RunDirectory,
        ranks: Ranks,
        guards: Guards,
    ) -> None:
        self.config, self.learner, self.evaluator = config, learner, evaluator
        self.feed = Feed.on(ranks.device, data, learner.free_slots)
        self.run_directory, self.ranks, self.guards = run, ranks, guards
        self.last_step = min(learner.total_steps, config.max_steps or learner.total_steps)
        self.window = Window()
        self.meter = EnergyMeter(ranks.device)
        self.unread: deque[StepResult | ClosedWindow] = deque()
        self.asked_to_stop = self.asked_to_save = False
        self.scores: dict[str, Any] = {}
        self.evaluated_at, self.steps_here = -1, 0  # steps made by this process
        self.warm_up_steps = warm_up_steps(config.compile, ranks.device)
        self.names = self._names(data) if ranks.is_first else None
        self.datasets = [*data.described, *evaluator.data.described]
        self.saved: tuple[int, DataPosition, bool] | None = None  # step, data position, kept
        self.records: FileRecords | None = None
        self.writer: CheckpointWriter | None = None
        self.unwritten: OSError | None = None  # what the disk refused to the last
        self.mirrors: list[Mirror] = []
        self.progress = Progress(self.last_step, 0, shown=False)

    def _names(self, data: TrainingData) -> bytes | None:
        """The names that every checkpoint carries beside its puzzle table; None without a table."""
        return None if self.learner.model.puzzle_emb is None else encoded(data.identifiers)

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self.learner.steps_done

    @property
    def iteration(self) -> int:
        """Stretches of `eval_interval` epochs that are behind us."""
        return self.feed.state()["iteration"]

    @property
    def finished(self) -> bool:
        """All updates are made, or all of the data is seen."""
        return self.step >= self.last_step or self.iteration >= self.config.iterations

    def run(self, mirrors: list[Mirror]) -> dict[str, Any]:
        """Train to the end, from the newest checkpoint if there is one; the last evaluation's scores.

        Raises:
            Requeue: a signal asked for it, and a checkpoint is saved.
            OSError: the disk refused the last state or records, so that the same command must make them again.
        """
        self.mirrors = mirrors
        try:
            self.resume()
            if self.records is not None:
                follow_run(self.mirrors, self.config, self.run_directory, self.records.end())
            name = self.run_directory.path.name if side_by_side() else ""
            self.progress = Progress(self.last_step, self.step, self.ranks.is_first, name)
            self.evaluate_if_due()
            while not self.finished:
                self.advance()
            if self.step != self.evaluated_at:
                self.save(keep=True)
                self.evaluate()
        finally:
            self.close()
        self.check_written()
        return self.scores

    def advance(self) -> None:
        """One step, or what comes between two stretches of `eval_interval` epochs."""
        compiling = COMPILE_SECONDS if self.steps_here < 2 and self.config.compile != "off" else None
        self.guards.beat(f"step {self.step + 1}", compiling)
        batch = self.feed.next_batch(self.step)
        if batch is None:
            self.end_iteration()
            return
        result = self.learner.step(batch.to(self.ranks.device), self.guards.stop_asked, self.guards.save_due)
        self.steps_here += 1
        self.progress.advance()
        if not self.learner.was_skipped(result):
            self.window.add(result)
        if self.steps_here <= self.warm_up_steps:
            self.window.warm_up()
            self.progress.start_clock()
        self.unread.append(result)
        if self.step % self.config.log_interval == 0:
            self.end_window()
        self.read_numbers(in_arrears=not self.learner.checks_first)
        self.act_on_wishes()

    def act_on_wishes(self) -> None:
        """Save if it is time, or if a rank asked for it; leave if a rank was told to."""
        if self.asked_to_stop:
            self.save(keep=False)
            self.leave()
        interval = self.config.checkpoint_interval
        if self.asked_to_save or (interval and self.step % interval == 0):
            self.save(keep=False)
            self.asked_to_save = False  # also what was asked while its numbers were read

    def leave(self) -> None:
        """End the process with the code that means: start me again."""
        self.close()
        self.ranks.barrier()  # torchrun ends the others soon after the first one leaves
        self.check_written()
        self.guards.leave(self.step)

    def check_written(self) -> None:
        """OSError if the disk refused the last state or records."""
        if self.unwritten is not None:
            raise self.unwritten

    def end_iteration(self) -> None:
        """Save first, so that an evaluation that is interrupted costs no training."""
        self.feed.start_iteration(self.iteration + 1)
        self.save(keep=self.evaluation_due and self.config.checkpoint_every_eval)
        self.evaluate_if_due()

    @property
    def evaluation_due(self) -> bool:
        """At the start of an iteration that follows one to be evaluated."""
        position = self.feed.state()
        at_start = position["set"] == 0 and position["cursor"] == 0
        return at_start and self.iteration > self.config.min_eval_interval

    def evaluate_if_due(self) -> None:
        """Evaluate, unless this step was."""
        if self.evaluation_due and self.step != self.evaluated_at:
            self.evaluate()

    def evaluate(self) -> None:
        """Score the test split with the averaged weights, if any; a finished evaluation is not repeated."""
        folder = self.run_directory.evaluation(self.step)
        known = self.ranks.first_decides(lambda: read_scores(folder))
        self.scores = known or self.score()
        self.evaluated_at = self.step
        if self.config.keep_best is not None and self.ranks.is_first:
            value = metric_value(self.scores, self.config.keep_best)
            mark_best(self.run_directory.checkpoints, self.config.keep_best, value, self.step)
        self.write({"kind": "evaluation", "step": self.step, "scores": self.scores})
        self.progress.say(f"step {self.step}: {headline(self.scores)}")
        self.window.started = time.monotonic()  # an evaluation's time and energy are no part of training's
        self.meter.spent()

    def score(self) -> dict[str, Any]:
        """Run an evaluation and write it."""
        with AveragedWeights(self.learner):
            evaluation = self.evaluator.run(lambda batches: self.watched(self.progress.over(batches)))
        method = self.config.arch["supervision"]
        evaluation.scores.update(step=self.step, method=method, supervision=method)
        if self.ranks.is_first:
            self.keep_evaluation(evaluation)
        self.ranks.barrier()
        return evaluation.scores

    def keep_evaluation(self, evaluation: Evaluation) -> None:
        """Write an evaluation; a disk that refuses it costs its files, not the run: the scores go into the records."""
        folder = self.run_directory.evaluation(self.step)
        try:
            write_evaluation(folder, evaluation)
        except (OSError, UserError) as refused:
            problem = refused.given if isinstance(refused, UserError) else str(refused)
            report(
                f"the evaluation {folder} was not written: {problem}",
                "training goes on; its scores are in the records",
                "make room, or move away what is in its place",
            )

    def watched(self, batches: Any) -> Iterator[Any]:
        """An evaluation's batches; between two of them all ranks leave if one was told to."""
        for number, batch in enumerate(batches):
            first = number == 0 and self.config.compile != "off"  # compiled anew, without gradients
            what = f"batch {number} of the evaluation at step {self.step}"
            self.guards.beat(what, COMPILE_SECONDS if first else None)
            if self.guards.anyone_asks_to_stop():
                self.leave()  # a checkpoint of this step was saved before the evaluation
            yield batch

    def end_window(self) -> None:
        """Begin a new record; the old one is written when its numbers are there."""
        if self.window.steps == 0:
            return
        epoch = self.step * self.config.epochs / max(1, self.learner.total_steps)
        lr = self.learner.lr(self.config.lr, self.step)
        header = {"kind": "train", "step": self.step, "epoch": epoch, "lr": lr}
        if self.learner.skipped:
            header["skipped"] = self.learner.skipped
        self.unread.append(self.window.close(self.ranks, header, self.config.global_batch_size, self.meter))
        self.window = Window()

    def read_numbers(self, in_arrears: bool = False) -> None:
        """Look at the steps' numbers and write the records that are due.

        in_arrears: leave the newest step's (and the record behind it) for next time, so that the device has work
          while the host waits for the one before.

        Raises:
            NonFiniteError: a step's numbers are not finite; the records so far are written.
        """
        steps = sum(isinstance(one, StepResult) for one in self.unread)
        while self.unread and not (in_arrears and steps <= 1):
            one = self.unread.popleft()
            if isinstance(one, ClosedWindow):
                record = self.learner.last_record = one.record()
                self.write(record)
                self.progress.describe(record)
                continue
            steps -= 1
            status = self.learner.check(one)
            self.asked_to_stop |= status.stop
            self.asked_to_save |= status.save

    def write(self, record: dict[str, Any]) -> None:
        """Append a record to metrics.jsonl, which the mirrors follow."""
        if self.records is not None:
            self.records.write({"schema": SCHEMA, **record})

    def save(self, keep: bool) -> None:
        """Write a checkpoint beside the training; `keep` protects it from being deleted for a later one.

        Raises:
            NonFiniteError, DriftError: the weights are not finite, or not the same on all ranks; nothing is written.
        """
        self.guards.beat(f"saving step {self.step}")
        self.end_window()
        self.read_numbers()
        state = (self.step, self.feed.state(), keep)
        if self.saved == state:
            return
        check_same_weights(self.learner, self.ranks)
        if self.writer is not None:
            self.writer.wait()  # one copy of a state in memory at a time
        parts = self.learner.tensors()
        if self.records is not None and self.writer is not None:
            position = {
                "step": self.step,
                "data": self.feed.state(),
                "records_bytes": self.records.end(),
                "records_sha256": self.records.digest(),
                "skipped": self.learner.skipped,
            }
            position |= {"config": asdict(self.config), "datasets": self.datasets}
            content = TrainingState(**parts, state=position)
            self.writer.submit(self.run_directory.checkpoints / f"step_{self.step}", snapshot(content), keep)
        self.saved = state
        self.guards.saved()

    def resume(self) -> None:
        """Take up the newest complete checkpoint, cutting the records back to it; or start."""
        found: TrainingState | None = None

        def newest_whole() -> Path | None:
            nonlocal found
            checkpoints.tidy(self.run_directory.checkpoints)
            newest, found, faults = checkpoints.load_latest(self.run_directory.checkpoints)
            for fault in faults:
                print(f"left out a damaged checkpoint: {fault}", flush=True)
            return newest

        newest = self.ranks.first_decides(newest_whole)
        if newest is not None:
            found = found or checkpoints.load(newest)
            self.learner.restore(found.state["step"], found.parts())
            self.learner.skipped = found.state.get("skipped", 0)
            self.feed.restore(found.state["data"])
        self.ranks.first_decides(lambda: self.open_records(newest, found))

    def open_records(self, newest: Path | None, content: TrainingState | None) -> None:
        """Go on behind the checkpoint's records, or begin; on the first rank."""
        records_bytes = 0
        if content is not None:
            print(f"resuming from {newest}", flush=True)
            records_bytes = whole_records(self.run_directory.metrics, content.state)
            report_damaged(self.run_directory.path / "evaluations", self.step)
        else:
            self.run_directory.start_over()
        self.records = FileRecords(self.run_directory.metrics, records_bytes)
        retention = Retention(
            self.config.keep_last, self.config.keep_every, self.config.keep_best is not None
        )
        self.writer = CheckpointWriter(retention, self.records.sync, self.names)

    def close(self) -> None:
        """Finish what is being written, and close the bar and the records."""
        self.feed.close()
        self.progress.close()
        if self.writer is not None:
            self.writer.close()
            self.unwritten = self.writer.refused
        if self.records is not None:
            self.records.close()
            self.unwritten = self.unwritten or self.records.lost
        for mirror in self.mirrors:
            mirror.close()
        self.writer, self.records, self.mirrors = None, None, []


def metric_value(scores: dict[str, Any], metric: str) -> float:
    """The number by which `keep_best` compares; nan where this evaluation has none (hidden answers, say)."""
    if metric in ARC_SCORES:
        found = scores.get("scores", {}).get(metric)
    elif metric == "lm_loss":
        found = scores["lm_loss"]
    else:
        found = next(iter(scores["per_step"][metric][-1:]), None)
    return float("nan") if found is None else float(found)


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
    name, share = best_baseline(scores, "cell_accuracy")
    return f"{', '.join(parts)} (without learning, {name}: cells {100 * share:.1f} %)"
