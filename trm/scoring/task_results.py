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

from trm.evaluation.table import percent
from trm.scoring.adaptation import AdaptationSettings, Adapted
from trm.scoring.answering import OutputAnswer, TaskAnswer
from trm.supervision import CONFIDENCE_KINDS
from trm.whole_files import write_whole

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

    about: checkpoint, step, method, weights, canvas, supervision_steps, seed, device, seconds.
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
            f"calls, {about['seconds']:.1f} s on {about['device']}",
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

    def write(self, folder: Path) -> None:
        """Write the files of an answer."""
        from trm.scoring.task_picture import (
            save_picture,
        )  # here: matplotlib takes a second, and only this needs it

        folder.mkdir(parents=True, exist_ok=True)
        content = self.as_json()
        write_whole(folder / "answer.json", json.dumps(content) + "\n")
        write_whole(folder / "submission.json", json.dumps(content["submission"]) + "\n")
        heading = f"{self.answer.task.name}: {self.about['checkpoint']}"
        save_picture(self.answer, heading, self.remarks(), folder / "answer.png")

    def _embedding(self) -> str:
        start = self.answer.puzzles.embedding if self.adapted is None else self.adapted.start
        fitted = "" if self.adapted is None else "; then fitted on the demonstrations"
        return EMBEDDINGS[start] + fitted


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
