"""The loop: steps, checkpoints, evaluations, records. Knows nothing of which supervision runs."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trm_lab.cluster.compilation import Compiled, warm_up_steps
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.cluster.stop_request import Requeue, StopRequest
from trm_lab.cluster.watchdog import Watchdog
from trm_lab.commands.progress import Progress
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import DataPosition, TrainingData
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.evaluation_folder import read_scores, report_damaged
from trm_lab.runs.identifier_names import encoded
from trm_lab.runs.puzzle_description import KEY as PUZZLE
from trm_lab.runs.puzzle_description import PuzzleDescription
from trm_lab.runs.records import SCHEMA, FileRecords, whole_records
from trm_lab.runs.retention import Retention
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import AveragedWeights, Learner
from trm_lab.training.metric_window import Window
from trm_lab.training.mirrors import Mirror, follow_run
from trm_lab.training.prefetch import Feed
from trm_lab.training.score_summary import headline, mark_if_best, write_or_report
from trm_lab.training.step_result import StepResult
from trm_lab.training.sweep import side_by_side
from trm_lab.training.training_time import KEY as TRAINING_SECONDS
from trm_lab.training.training_time import TrainingTime
from trm_lab.training.weight_consistency import check_same_weights

COMPILE_SECONDS = 3600.0  # that the first steps may take where they are compiled


class Trainer:
    """Trains to the end of its configuration; the parts are built in `trm_lab.training.launch`.

    compiling: what `compile=auto` decides for a new run on a CPU; a resumed run stays as its checkpoint says.
    sampler: evaluates a part of the test split, in place of `evaluator` until the last evaluation; None: it never does.
    records: metrics.jsonl, on the first rank only.  mirrors: see `mirrors`, there too.
    names: identifiers.json of the puzzle table, if any; there too.  datasets, puzzle: what state.json says of the data.
    unread: steps and windows whose numbers may still be under way from the device, oldest first.
    """

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        data: TrainingData,
        evaluator: Evaluator,
        run: RunDirectory,
        ranks: Ranks,
        stop: StopRequest,
        watchdog: Watchdog,
        compiling: bool = False,
        sampler: Evaluator | None = None,
    ) -> None:
        self.config, self.learner, self.evaluator, self.sampler = config, learner, evaluator, sampler
        self.feed = Feed.on(ranks.device, data, learner.free_slots)
        self.run_directory, self.ranks, self.stop, self.watchdog = run, ranks, stop, watchdog
        self.compiling = compiling
        self.last_step = min(learner.total_steps, config.max_steps or learner.total_steps)
        self.time = TrainingTime(config.max_minutes, decides=ranks.is_first)
        self.window = Window()
        self.meter = EnergyMeter(ranks.device)
        self.unread: deque[StepResult | Window] = deque()
        self.stop_wanted = self.save_wanted = False  # by any rank
        self.saved_at = time.monotonic()
        self.scores: dict[str, Any] = {}
        self.evaluated_at, self.steps_here = -1, 0  # updates of this process
        with_names = ranks.is_first and learner.model.puzzle_emb is not None
        self.names = encoded(data.identifiers) if with_names else None
        self.datasets = [*data.described, *evaluator.data.described]
        self.puzzle = PuzzleDescription.of(data).as_dict()
        self.saved: tuple[int, DataPosition, bool] | None = None  # step, data position, protected
        self.records: FileRecords | None = None
        self.writer: CheckpointWriter | None = None
        self.unwritten: OSError | None = None  # what the disk refused to the last
        self.mirrors: list[Mirror] = []
        self.progress = Progress(self.last_step, 0, shown=False)

    @property
    def step(self) -> int:
        """Updates so far."""
        return self.learner.steps_done

    @property
    def iteration(self) -> int:
        """Stretches of `eval_interval` epochs that are behind us."""
        return self.feed.state()["iteration"]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train, or the time is up."""
        return self.complete or self.time.up

    @property
    def complete(self) -> bool:
        """Whether all updates are done, or all of the data is seen, whatever time is left."""
        return self.step >= self.last_step or self.iteration >= self.config.iterations

    def run(self, mirrors: list[Mirror]) -> dict[str, Any]:
        """Train to the end, from the newest checkpoint if there is one; the last evaluation's scores.

        Raises:
            Requeue: a signal asked for it, and a checkpoint is saved.
            OSError: the disk refused the last state or records, so that the same command must write them again.
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
                self.save(protected=True)
                self.evaluate()
        finally:
            self.close()
        self.check_written()
        return self.scores

    def advance(self) -> None:
        """One step, or what comes between two stretches of `eval_interval` epochs."""
        compiling = COMPILE_SECONDS if self.steps_here < 2 and self.config.compile != "off" else None
        self.watchdog.beat(f"step {self.step + 1}", compiling)
        batch = self.feed.next_batch(self.step)
        if batch is None:
            self.end_iteration()
            return
        stop = self.stop.requested is not None
        result = self.learner.step(batch.to(self.ranks.device), stop, self.save_due, self.time.due)
        self.steps_here += 1
        self.record(result)
        self.read_numbers(leave_newest=not self.learner.checks_first)
        self.save_or_leave()

    def record(self, result: StepResult) -> None:
        """Take a step into the record that is under way, and close that at its interval."""
        self.progress.advance()
        if not self.learner.was_skipped(result):
            self.window.add(result.output)
        if self.steps_here <= self.warm_up_steps:
            self.window.warm_up()
            self.progress.start_clock()
        self.unread.append(result)
        if self.step % self.config.log_interval == 0:
            self.end_window()

    @property
    def warm_up_steps(self) -> int:
        """The first steps of this process that say nothing of its speed."""
        return warm_up_steps("max" if self.compiled_on_cpu else self.config.compile, self.ranks.device)

    @property
    def compiled_on_cpu(self) -> bool:
        """Whether the steps that train run compiled by `compile=auto` on a CPU."""
        forward = self.learner.supervision.run_forward
        return isinstance(forward, Compiled) and forward.training_only and forward.works

    @property
    def save_due(self) -> bool:
        """Whether `checkpoint_every_minutes` have passed by the first rank's clock; False on the others."""
        minutes = self.config.checkpoint_every_minutes
        if minutes is None or not self.ranks.is_first:
            return False
        return time.monotonic() - self.saved_at >= 60 * minutes

    def save_or_leave(self) -> None:
        """Save if it is time, or if a rank asked for it; leave if a rank was told to stop."""
        if self.stop_wanted:
            self.save(protected=False)
            self.leave()
        interval = self.config.checkpoint_interval
        if self.save_wanted or (interval and self.step % interval == 0):
            self.save(protected=False)
            self.save_wanted = False  # also what was asked while its numbers were read

    def leave(self) -> None:
        """End the process with the code that means: start me again.

        Raises:
            Requeue: always.
        """
        self.close()
        self.ranks.barrier()  # torchrun ends the others soon after the first one leaves
        self.check_written()
        if self.ranks.is_first:
            print(f"asked to stop: step {self.step} is saved, and the same command goes on from it", flush=True)
        raise Requeue(self.stop.requested or "another rank")

    def check_written(self) -> None:
        """OSError if the disk refused the last state or records."""
        if self.unwritten is not None:
            raise self.unwritten

    def end_iteration(self) -> None:
        """Save first, so that an evaluation that is interrupted costs no training."""
        self.feed.start_iteration(self.iteration + 1)
        self.save(protected=self.evaluation_due and self.config.checkpoint_every_eval)
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
        """Score the test split with the averaged weights, if any; a finished evaluation is not repeated.

        With a sampler only the last evaluation is of the whole split.
        """
        with self.time.paused():
            self._evaluate()
        self.window.started = time.monotonic()  # an evaluation's time and energy are no part of training's
        self.meter.spent()

    def _evaluate(self) -> None:
        folder = self.run_directory.evaluation(self.step)
        evaluator = self.evaluator if self.finished else self.sampler or self.evaluator
        scores = self.ranks.first_decides(lambda: read_scores(folder))
        if scores is None or ("part" in scores and evaluator is self.evaluator):
            scores = self.score(evaluator)
        self.scores, self.evaluated_at = scores, self.step
        if self.ranks.is_first and self.config.keep_best is not None:
            sampled = self.sampler is not None
            mark_if_best(self.run_directory.checkpoints, self.config.keep_best, self.scores, self.step, sampled)
        end = {} if self.complete else self.time.end()
        self.write({"kind": "evaluation", "step": self.step, "scores": self.scores, **end})
        self.progress.say(f"step {self.step}: {headline(self.scores)}")
        if end:
            self.progress.say(self.time.notice(self.step, self.last_step))

    def score(self, evaluator: Evaluator) -> dict[str, Any]:
        """Run an evaluation and write it."""
        with AveragedWeights(self.learner):
            evaluation = evaluator.run(lambda batches: self.watched(self.progress.over(batches)))
        method = self.config.arch["supervision"]
        evaluation.scores.update(step=self.step, method=method, supervision=method)
        if self.ranks.is_first:
            write_or_report(self.run_directory.evaluation(self.step), evaluation)
        self.ranks.barrier()
        return evaluation.scores

    def watched(self, batches: Any) -> Iterator[Any]:
        """An evaluation's batches; between two of them all ranks leave if one was told to."""
        for number, batch in enumerate(batches):
            first = number == 0 and self.config.compile != "off"  # compiled anew, without gradients
            what = f"batch {number} of the evaluation at step {self.step}"
            self.watchdog.beat(what, COMPILE_SECONDS if first else None)
            if self.stop.of_any(self.ranks):
                self.leave()  # a checkpoint of this step was saved before the evaluation
            yield batch

    def end_window(self) -> None:
        """Begin a new record; the old one is written when its numbers are there."""
        if self.window.steps == 0:
            return
        epoch = self.step * self.config.epochs / max(1, self.learner.total_steps)
        header = {"kind": "train", "step": self.step, "epoch": epoch, "lr": self.learner.lr(self.config.lr, self.step)}
        if self.learner.skipped:
            header["skipped"] = self.learner.skipped
        self.window.close(self.ranks, header, self.config.global_batch_size, self.meter)
        self.unread.append(self.window)
        self.window = Window()

    def read_numbers(self, leave_newest: bool = False) -> None:
        """Look at the steps' numbers and write the records that are due.

        leave_newest: read the newest step's (and the record behind it) next time, so that the device has work while
          the host waits for the step before.

        Raises:
            NonFiniteError: a step's numbers are not finite; the records so far are written.
        """
        steps = sum(isinstance(entry, StepResult) for entry in self.unread)
        while self.unread and not (leave_newest and steps <= 1):
            entry = self.unread.popleft()
            if isinstance(entry, Window):
                record = self.learner.last_record = entry.record()
                self.write(record)
                self.progress.describe(record, self.time.left)
                continue
            steps -= 1
            self.learner.check(entry)
            self.stop_wanted |= entry.stop
            self.save_wanted |= entry.save
            self.time.up |= entry.end

    def write(self, record: dict[str, Any]) -> None:
        """Append a record to metrics.jsonl, which the mirrors follow."""
        if self.records is not None:
            self.records.write({"schema": SCHEMA, **record})

    def save(self, protected: bool) -> None:
        """Write a checkpoint beside the training; a protected one is not deleted for a later one.

        Raises:
            NonFiniteError, DriftError: the weights are not finite, or not the same on all ranks; nothing is written.
        """
        self.watchdog.beat(f"saving step {self.step}")
        self.end_window()
        self.read_numbers()
        state = (self.step, self.feed.state(), protected)
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
                TRAINING_SECONDS: self.time.seconds,
                "compiled_on_cpu": self.compiled_on_cpu,
                "config": asdict(self.config),
                "datasets": self.datasets,
                PUZZLE: self.puzzle,
            }
            folder = self.run_directory.checkpoints / f"step_{self.step}"
            private_parts = ("carry",) if self.ranks.world_size > 1 else ()  # just collected
            self.writer.submit(folder, snapshot(TrainingState(**parts, state=position), private_parts), protected)
        self.saved, self.saved_at = state, time.monotonic()

    def resume(self) -> None:
        """Take up the newest complete checkpoint, cutting the records back to it; or start."""
        content: TrainingState | None = None

        def newest_whole() -> Path | None:
            nonlocal content
            checkpoints.tidy(self.run_directory.checkpoints)
            newest, content, faults = checkpoints.load_latest(self.run_directory.checkpoints)
            for fault in faults:
                print(f"left out a damaged checkpoint: {fault}", flush=True)
            return newest

        newest = self.ranks.first_decides(newest_whole)
        if newest is not None:
            content = content or checkpoints.load(newest)
            self.learner.restore(content.state["step"], content.parts())
            self.learner.skipped = content.state.get("skipped", 0)
            self.feed.restore(content.state["data"])
            auto = self.config.compile == "auto" and self.ranks.device.type == "cpu"
            self.compiling = auto and content.state.get("compiled_on_cpu", False)
        if self.compiling:
            self.learner.supervision.run_forward = Compiled.training(self.learner.supervision.forward)
        if self.ranks.is_first and not self.complete and isinstance(self.learner.supervision.run_forward, Compiled):
            print("compiling the network, half a minute or so before the first step; compile=off: none", flush=True)
        self.ranks.first_decides(lambda: self.open_records(newest, content))
        self.time.resume({} if content is None else content.state)

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
        retention = Retention(self.config.keep_last, self.config.keep_every, self.config.keep_best is not None)
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
