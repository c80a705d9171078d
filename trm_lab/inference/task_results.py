"""An answered task in a folder of its own, and in words; what a folder of results may hold.

answer.json      what was asked, what was answered, and how sure the votes are
submission.json  {name: [{"attempt_1": grid, "attempt_2": grid}, …]}
answer.png
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trm.supervision import CONFIDENCE_KINDS
from trm_lab.commands.tables import percent
from trm_lab.evaluation.pooling import POOLED
from trm_lab.files.folders import Kind, check_output, foreign, new_folder
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import carries, mark
from trm_lab.inference.answering import OutputAnswer, TaskAnswer
from trm_lab.inference.test_time_training import Adapted
from trm_lab.inference.weight_training import WeightSettings
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
LEARNT = {
    "embedding": "; then fitted on the demonstrations",
    "all": "; then it and all weights learnt from the demonstrations",
}


def answer_record(
    answer: TaskAnswer, circumstances: Mapping[str, Any], adapted: Adapted | None = None
) -> dict[str, Any]:
    """The content of answer.json.

    circumstances: checkpoint, step, method, weights, canvas, supervision_steps, seed, device, seconds (of answering,
        without its warm-up), warm_up_seconds, adaptation_seconds (None without).
    """
    adaptation = None
    if adapted is not None:
        fits = {"start": adapted.start, "before": asdict(adapted.before), "after": asdict(adapted.after)}
        weights = "all" if isinstance(adapted.settings, WeightSettings) else "embedding"
        adaptation = {"weights": weights, **asdict(adapted.settings), **fits}
    return {
        "task": answer.task.name,
        **circumstances,
        "puzzles": len(answer.puzzles),
        "embedding": answer.puzzles.embedding,
        "adaptation": adaptation,
        "network_calls_per_answer": answer.network_calls,
        "confidence": answer.confidence_kind,
        "submission": {answer.task.name: answer.submission()},
        "outputs": [_output(output) for output in answer.outputs],
    }


def _output(output: OutputAnswer) -> dict[str, Any]:
    record = output.record
    numbers = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(record).items()
    }
    return {
        **numbers,
        "agreement": record.agreement,
        **{f"correct@{k}": record.correct_at(k) if record.known else None for k in (1, 2)},
        "attempts": [{"grid": attempt.grid.tolist(), "votes": attempt.votes} for attempt in output.attempts],
        "steps": [grid.tolist() for grid in output.steps],
    }


def remarks(record: Mapping[str, Any]) -> list[str]:
    """How an answer came about, in a few lines.

    record: see `answer_record`.
    """
    puzzles, adaptation = record["puzzles"], record["adaptation"]
    embedding = EMBEDDINGS[record["embedding"] if adaptation is None else adaptation["start"]]
    lines = [
        f"{record['method']} after {record['step']:,} training steps: {puzzles * len(record['outputs'])} predictions "
        f"of {record['network_calls_per_answer']} network calls, {record['seconds']:.1f} s on {record['device']} "
        f"after a warm-up of {record['warm_up_seconds']:.1f} s",
        f"{puzzles} puzzles, the task and its augmentations; embedding: {embedding}"
        + ("" if adaptation is None else LEARNT[adaptation["weights"]]),
        f"votes ranked by count, then {CONFIDENCE_KINDS[record['confidence']]}",
    ]
    if adaptation is not None:
        before, after = adaptation["before"], adaptation["after"]
        lines.append(
            f"fitted in {adaptation['steps']} steps of {adaptation['lr']:g}{_frozen(adaptation)}: demonstrations' loss "
            f"{before['loss']:.3f} → {after['loss']:.3f}, cell accuracy {percent(before['cells'])} → "
            f"{percent(after['cells'])}, outputs wholly right {percent(before['whole'])} → {percent(after['whole'])}"
        )
    return lines


def _frozen(adaptation: Mapping[str, Any]) -> str:
    """How many steps only the embedding learnt, where all weights did afterwards."""
    if adaptation["weights"] == "embedding":
        return ""
    frozen = round(adaptation["freeze"] * adaptation["steps"])
    return f" and {adaptation['batch_size']} examples, in the first {frozen} of the embedding alone"


def write_answer(folder: Path, answer: TaskAnswer, record: Mapping[str, Any], overwrite: bool = False) -> None:
    """Write the files of an answer; errors as for `new_folder`."""
    from trm_lab.inference.task_picture import save_picture  # matplotlib takes a second, and only this needs it

    heading = f"{record['task']}: {record['checkpoint']}"
    with new_folder(folder, ANSWER, overwrite) as partial:
        (partial / ANSWER_FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")
        (partial / SUBMISSION_FILE).write_text(json.dumps(record["submission"]) + "\n", encoding="utf-8")
        save_picture(answer, heading, remarks(record), partial / PICTURE_FILE)


def _is_answer(folder: Path) -> bool:
    try:
        keys = load_json(folder / ANSWER_FILE, LARGEST_ANSWER).keys()
    except (OSError, ValueError, AttributeError):
        return False
    return {"task", "submission", "outputs"} <= keys and carries(folder / PICTURE_FILE, mark("answer"))


ANSWER_NAMES = "|".join(map(re.escape, (ANSWER_FILE, SUBMISSION_FILE, PICTURE_FILE)))
ANSWER = Kind("an answered task", ANSWER_NAMES, _is_answer)


def _is_answered_puzzle(folder: Path) -> bool:
    try:
        keys = load_json(folder / ANSWER_FILE, LARGEST_ANSWER).keys()
    except (OSError, ValueError, AttributeError):
        return False
    return {"question", "answer", "steps"} <= keys and carries(folder / PICTURE_FILE, mark("answer"))


ANSWERED_PUZZLE = Kind("an answered puzzle", "|".join(map(re.escape, (ANSWER_FILE, PICTURE_FILE))), _is_answered_puzzle)


def _holds_results(folder: Path) -> bool:
    inner = [path for path in folder.iterdir() if path.is_dir()]
    return all(
        any(foreign(path, kind) is None for kind in (ANSWER, ANSWERED_PUZZLE, EVALUATION, POOLED)) for path in inner
    )


RESULTS = Kind("results of evaluate.py", rf"[^/]+/({ANSWER_NAMES}|{EVALUATION_NAMES}|{POOLED.names})?", _holds_results)


def check_results_folder(output: Path) -> None:
    """UserError where other things than results of evaluate.py are in a folder, or nothing can be written."""
    check_output(output, RESULTS, overwrite=True)


def answer_folder(output: Path | None, usual: Path, task: str, overwrite: bool) -> Path:
    """Where a task's answer goes: a folder in `output`, or in `usual`; with `overwrite` in place of an earlier answer.

    Raises:
        UserError: other things are in `output` than results, or in that folder than an answer to be replaced.
    """
    if output is not None:
        check_results_folder(output)
    folder = (output or usual) / f"task_{file_name(task)}"
    check_no_links_in_run(folder)
    check_output(folder, ANSWER, overwrite)
    return folder


def file_name(name: str) -> str:
    """A task's name as part of a file's, whatever characters it has."""
    return re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:LONGEST_NAME]
