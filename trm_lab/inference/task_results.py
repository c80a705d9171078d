"""An answered task in a folder of its own, and in words.

answer.json      what was asked, what was answered, and how sure the votes are
submission.json  {name: [{"attempt_1": grid, "attempt_2": grid}, …]}
answer.png
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trm.supervision import CONFIDENCE_KINDS
from trm_lab.commands.tables import percent
from trm_lab.evaluation.pooling import POOLED
from trm_lab.files.folders import Kind, check_output, foreign, new_folder
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import carries, mark
from trm_lab.inference.answering import OutputAnswer, TaskAnswer
from trm_lab.inference.test_time_training import AdaptationSettings, Adapted
from trm_lab.runs.evaluation_place import EVALUATION, EVALUATION_NAMES, check_no_links_in_run

ANSWER_FILE, SUBMISSION_FILE, PICTURE_FILE = "answer.json", "submission.json", "answer.png"
LARGEST_ANSWER = 64 << 20  # bytes
LONGEST_NAME = 80  # of a folder, without what is before it
EMBEDDINGS = {
    "own": "its own, trained with the checkpoint",
    "mean": "the mean of the checkpoint's, as for any task that it does not know",
    "blank": "the blank identifier's",
    "none": "none in this architecture",
}


@dataclass(frozen=True)
class Answered:
    """An answer, and how it came about.

    about: checkpoint, step, method, weights, canvas, supervision_steps, seed, device, seconds (of answering, without
    its warm-up), warm_up_seconds, adaptation_seconds (None without; with its own warm-up).
    """

    answer: TaskAnswer
    about: Mapping[str, Any]
    adaptation: AdaptationSettings | None = None
    adapted: Adapted | None = None

    def remarks(self) -> list[str]:
        """How it came about, in a few lines."""
        about, answer = self.about, self.answer
        puzzles, calls = len(answer.puzzles.augmentations), answer.network_calls
        predictions = puzzles * len(answer.outputs)
        lines = [
            f"{about['method']} after {about['step']:,} training steps: {predictions} predictions of {calls} network "
            f"calls, {about['seconds']:.1f} s on {about['device']} after a warm-up of {about['warm_up_seconds']:.1f} s",
            f"{puzzles} puzzles, the task and its augmentations; embedding: {self._embedding()}",
            f"votes ranked by count, then {CONFIDENCE_KINDS[answer.confidence_kind]}",
        ]
        if self.adapted is not None and self.adaptation is not None:
            before, after = self.adapted.before, self.adapted.after
            lines.append(
                f"fitted in {self.adaptation.steps} steps of {self.adaptation.lr:g}: demonstrations' loss "
                f"{before.loss:.3f} → {after.loss:.3f}, cells right {percent(before.cells)} → {percent(after.cells)}, "
                f"whole outputs right {percent(before.whole)} → {percent(after.whole)}"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """The content of answer.json."""
        answer = self.answer
        fitted = None
        if self.adapted is not None and self.adaptation is not None:
            fits = {"before": asdict(self.adapted.before), "after": asdict(self.adapted.after)}
            fitted = {**asdict(self.adaptation), **fits}
        return {
            "task": answer.task.name,
            **self.about,
            "puzzles": len(answer.puzzles.augmentations),
            "embedding": answer.puzzles.embedding,
            "adaptation": fitted,
            "network_calls_per_answer": answer.network_calls,
            "confidence": answer.confidence_kind,
            "submission": {answer.task.name: answer.submission()},
            "outputs": [_output(output) for output in answer.outputs],
        }

    def write(self, folder: Path, overwrite: bool = False) -> None:
        """Write the files of an answer; errors as for `new_folder`."""
        from trm_lab.inference.task_picture import (
            save_picture,
        )  # here: matplotlib takes a second, and only this needs it

        content = self.as_json()
        heading = f"{self.answer.task.name}: {self.about['checkpoint']}"
        with new_folder(folder, ANSWER, overwrite) as partial:
            (partial / ANSWER_FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")
            (partial / SUBMISSION_FILE).write_text(json.dumps(content["submission"]) + "\n", encoding="utf-8")
            save_picture(self.answer, heading, self.remarks(), partial / PICTURE_FILE)

    def _embedding(self) -> str:
        start = self.answer.puzzles.embedding if self.adapted is None else self.adapted.start
        fitted = "" if self.adapted is None else "; then fitted on the demonstrations"
        return EMBEDDINGS[start] + fitted


def _is_answer(folder: Path) -> bool:
    try:
        told = load_json(folder / ANSWER_FILE, LARGEST_ANSWER).keys()
    except (OSError, ValueError, AttributeError):
        return False
    return {"task", "submission", "outputs"} <= told and carries(folder / PICTURE_FILE, mark("answer"))


ANSWER_NAMES = "|".join(map(re.escape, (ANSWER_FILE, SUBMISSION_FILE, PICTURE_FILE)))
ANSWER = Kind("an answered task", ANSWER_NAMES, _is_answer)


def _holds_results(folder: Path) -> bool:
    inner = [path for path in folder.iterdir() if path.is_dir()]
    return all(any(foreign(one, kind) is None for kind in (ANSWER, EVALUATION, POOLED)) for one in inner)


RESULTS = Kind(
    "results of evaluate.py", rf"[^/]+/({ANSWER_NAMES}|{EVALUATION_NAMES}|{POOLED.names})?", _holds_results
)


def check_results_folder(output: Path) -> None:
    """UserError where other things than results of evaluate.py are in a folder, or nothing can be written."""
    check_output(output, RESULTS, overwrite=True)


def answer_folder(output: Path | None, usual: Path, task: str, overwrite: bool) -> Path:
    """Where a task's answer goes: a folder in `output`, or in `usual`; with `overwrite` in place of an earlier answer.

    Raises:
        UserError: other things are in `output` than results, or in that folder than an answer to be replaced.
    """
    parent = usual if output is None else output
    folder = parent / f"task_{file_name(task)}"
    if output is not None:
        check_results_folder(output)
    check_no_links_in_run(folder)
    check_output(folder, ANSWER, overwrite)
    return folder


def file_name(name: str) -> str:
    """A task's name as part of a file's, whatever characters it has."""
    return re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:LONGEST_NAME]


def _output(output: OutputAnswer) -> dict[str, Any]:
    record = output.record
    numbers = {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(record).items()
    }
    return {
        **numbers,
        "agreement": record.agreement,
        **{f"correct@{k}": record.correct_at(k) if record.known else None for k in (1, 2)},
        "attempts": [{"grid": one.grid.tolist(), "votes": one.votes} for one in output.attempts],
        "steps": [grid.tolist() for grid in output.steps],
    }
