"""The Python API: load a checkpoint, wherever it is from, and solve puzzles of one's own. See docs/python_api.md.

L tokens of an example, E questions, S supervision steps.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm.supervision import Supervision
from trm_lab.cluster.attention import choose_attention
from trm_lab.cluster.ranks import Ranks, choose_device
from trm_lab.commands.choices import WEIGHT_KINDS
from trm_lab.evaluation.answer_cells import AnswerCells, cells_of
from trm_lab.evaluation.batch_size import CPU_BATCH, chosen_batch_size
from trm_lab.evaluation.predictor import check_finite
from trm_lab.inference.answer import Answer, ArcAnswer, PuzzleAnswer
from trm_lab.inference.answering import predict
from trm_lab.inference.arc_checkpoint import canvas_of, one_puzzle_metadata, seq_len, supervision_with_rows
from trm_lab.inference.one_task import TaskRequest, answer_request
from trm_lab.inference.puzzle_input import content_of
from trm_lab.inference.solve_settings import MOST_ATTEMPTS, SolveSettings, check_arc_alone, request_of
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import parse_task, read_task
from trm_lab.puzzles.kinds import KINDS, answer_check
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.notation import Notation
from trm_lab.puzzles.picture import Tokens
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.puzzle_description import PUBLISHED, PuzzleDescription
from trm_lab.runs.weights import TOKEN_ROWS

ARC = PUBLISHED[0]


def load(
    target: str | Path,
    *,
    data: str | Path | None = None,
    config: str | Path | None = None,
    weights: str = "auto",
    device: str = "auto",
    attention: str = "auto",
) -> "Solver":
    """Load a run (its newest checkpoint), one of its checkpoints, an export, a published file, or `hf://owner/name/…`.

    Args:
        data: the dataset that it was trained on; None: what the checkpoint says of it is enough.
        config: config.yaml or all_config.yaml; None: the one that belongs to the checkpoint.
        weights: `auto` (averaged where the run kept an average), `ema` or `raw`.
        device: `auto`, `cpu` or `cuda`.
        attention: its backend on a GPU, see `trm_lab.cluster.attention`.

    Raises:
        UserError: no checkpoint, damaged files, or puzzles that nothing at hand describes.

    Example:
        >>> import trm_lab
        >>> solver = trm_lab.load("runs/queens")
        >>> solver.solve("..Q.. ..... ..... ..... .....").grid.shape
        (5, 5)
    """
    if weights not in WEIGHT_KINDS:
        raise UserError(f"weights={weights!r}", " | ".join(WEIGHT_KINDS), "choose one of these")
    checkpoint = open_checkpoint(target, None if config is None else Path(config), weights)
    ranks = Ranks(device=choose_device(device))
    choose_attention(attention, checkpoint.arch.network, ranks.device)
    return Solver(checkpoint, described_puzzles(checkpoint, data), ranks)


def described_puzzles(checkpoint: OpenedCheckpoint, data: str | Path | None = None) -> PuzzleDescription:
    """The puzzles of a checkpoint: by `data`, by itself, by its run's dataset, or else by its published shape.

    Raises:
        UserError: nothing at hand describes them.
    """
    if data is not None:
        return _recognised(PuzzleDescription.of_dataset(data), f"dataset {data}")
    if checkpoint.puzzle is not None:
        return _recognised(checkpoint.puzzle, checkpoint.source)
    for path in checkpoint.data_paths:
        if Path(path).is_dir():
            return _recognised(PuzzleDescription.of_dataset(path), f"dataset {path}")
    table = checkpoint.weights.get(TOKEN_ROWS)
    length = seq_len(checkpoint)
    for puzzle in PUBLISHED:
        same_length = puzzle.is_arc or length in (None, puzzle.seq_len)
        if table is not None and len(table) == puzzle.vocab_size and same_length:
            print(
                f"{checkpoint.source} does not say which puzzles it was trained on: those of {puzzle.name}, which have "
                f"{len(table)} different tokens as well, are assumed",
                flush=True,
            )
            return puzzle
    raise UserError(
        f"{checkpoint.source} does not say which puzzles it was trained on, and its dataset is not at hand",
        "a checkpoint of this version, or an older one with its dataset",
        "name the dataset: data=… from Python, --data-path from the shell",
    )


def _recognised(puzzle: PuzzleDescription, source: str) -> PuzzleDescription:
    """The description; where the kind is not named that of the published dataset of the same shape, or plain tokens."""
    if puzzle.kind in KINDS or puzzle.is_arc:
        return puzzle
    shape = puzzle.seq_len, puzzle.vocab_size
    if not puzzle.kind:
        same = [each for each in PUBLISHED if shape == (each.seq_len, each.vocab_size)]
        return same[0] if same else puzzle.as_tokens
    raise UserError(
        f"{source}: puzzles of the kind {puzzle.kind!r}",
        f"ARC, or one of {', '.join(KINDS)}",
        "a new kind is one entry of trm_lab/puzzles/kinds.py (docs/extending.md)",
    )


class Solver:
    """A trained model that answers puzzles.

    checkpoint: what was loaded.  puzzle: shape, kind and facts of its puzzles.
    """

    def __init__(self, checkpoint: OpenedCheckpoint, puzzle: PuzzleDescription, ranks: Ranks) -> None:
        self.checkpoint, self.puzzle, self._ranks = checkpoint, puzzle, ranks

    def __repr__(self) -> str:
        kind = "arc" if self.puzzle.is_arc else self.puzzle.kind
        return f"Solver({self.checkpoint.source!r}, {self.checkpoint.arch.supervision}, {kind})"

    @property
    def model(self) -> TinyRecursiveModel:
        """The network, in evaluation mode on the solver's device."""
        return self.supervision.model

    @cached_property
    def supervision(self) -> Supervision[Any]:
        """The method with the network, as loaded."""
        tokens = canvas_of(self.checkpoint) ** 2 if self.puzzle.is_arc else self.puzzle.seq_len
        metadata = one_puzzle_metadata(self.puzzle.vocab_size, tokens)
        supervision = supervision_with_rows(self.checkpoint, metadata, lambda table: table)
        supervision.model.to(self._ranks.device).eval()
        return supervision

    @cached_property
    def notation(self) -> Notation:
        """The notation of its puzzles; not for ARC."""
        return KINDS[self.puzzle.kind].notation(self.puzzle.facts, self.puzzle.seq_len)

    def solve(self, puzzle: object, **settings: Unpack[SolveSettings]) -> Answer:
        """Answer one puzzle.

        Args:
            puzzle: a text, nested lists, an array, a file of one of these (.txt, .json, .npy), or an ARC task: its
                dictionary, or its file (`task.json`, `tasks.json:name`).
            settings: see `SolveSettings`.

        Raises:
            UserError: a puzzle of another shape or with other symbols; an unknown setting, or one without effect.

        Example:
            >>> import trm_lab
            >>> solver = trm_lab.load("runs/queens")
            >>> answer = solver.solve([3, 0, 0, 0, 0], steps=4, width=2, noise=0.3, select="valid", seed=1)
            >>> answer.network_calls, len(answer.steps), answer.valid in (True, False)
            (24, 4, True)
        """
        [answer] = self.solve_many([puzzle], **settings)
        return answer

    def solve_many(self, puzzles: Sequence[object], **settings: Unpack[SolveSettings]) -> list[Answer]:
        """Answer several puzzles, many at a time (ARC tasks one after the other); arguments as for `solve`."""
        if isinstance(puzzles, str | bytes | Path | Mapping):
            raise UserError(
                f"solve_many of a single {type(puzzles).__name__}",
                "several puzzles",
                "put it into a list, or use solve",
            )
        request, attempts = request_of(self.checkpoint.source, settings), settings.get("attempts")
        if self.puzzle.is_arc:
            return [self.answer_task(request, self.task(puzzle), attempts or MOST_ATTEMPTS) for puzzle in puzzles]
        if attempts is not None:
            raise UserError(
                f"attempts={attempts} for puzzles of the kind {self.puzzle.kind}",
                "for tasks of ARC alone",
                "leave attempts out",
            )
        questions = [self.read(puzzle) for puzzle in puzzles]
        return list(self.answers(np.stack(questions), request)) if questions else []

    def read(self, puzzle: object) -> Tokens:
        """The tokens `[L]` of a question; not for ARC. Errors as for `solve`."""
        tokens = self.notation.read(content_of(puzzle))
        if tokens.max() >= self.puzzle.vocab_size:
            raise UserError(
                f"a puzzle with token {tokens.max()} for a model of {self.puzzle.vocab_size} different tokens",
                "a checkpoint whose description of its puzzles fits its weights",
                "name the dataset that it was trained on: data=… from Python, --data-path from the shell",
            )
        return tokens

    def task(self, puzzle: object) -> Task:
        """The ARC task that a dictionary, a file or a `Task` holds.

        Raises:
            UserError: it is no task, or does not fit the checkpoint's canvas.
        """
        if isinstance(puzzle, Task):
            return puzzle
        canvas = canvas_of(self.checkpoint, self.checkpoint.data_paths)
        if isinstance(puzzle, str | Path):
            return read_task(str(puzzle), canvas)
        return parse_task("task", puzzle, "the task", canvas)

    def answer_task(self, request: TaskRequest, task: Task, attempts: int = MOST_ATTEMPTS) -> ArcAnswer:
        """Answer an ARC task with the settings of `request`, whose target, task and device are not read."""
        if not 1 <= attempts <= MOST_ATTEMPTS:
            raise UserError(f"attempts={attempts}", f"1 to {MOST_ATTEMPTS}, as ARC allows", "leave attempts out")
        canvas = canvas_of(self.checkpoint, request.data_paths or self.checkpoint.data_paths)
        answer, record = answer_request(request, task, canvas, self.checkpoint, self._ranks)
        return ArcAnswer(record, answer, record, attempts)

    def answers(self, questions: NDArray[np.integer[Any]], request: TaskRequest) -> list[PuzzleAnswer]:
        """Answer questions `[E, L]` of another kind than ARC; of the request only the settings are read."""
        check_arc_alone(request, self.puzzle.kind)
        start, supervision = time.perf_counter(), self.supervision
        request.search.check(supervision, [self.puzzle.about])
        trained = supervision.max_steps
        most = CPU_BATCH if self._ranks.device.type == "cpu" else len(questions)
        size = chosen_batch_size(supervision, request.batch_size, most, self._ranks)
        rows = QuestionRows(questions, cells_of(self.puzzle.kind, self.puzzle.facts), self.puzzle.about)
        try:
            supervision.take_steps(trained if request.steps is None else request.steps)
            circumstances = self._circumstances(request)
            predictions = predict(supervision, rows, size, search=request.search, seed=request.seed)
        finally:
            supervision.take_steps(trained)
        check_finite(predictions.confidence, self.checkpoint.source)
        calls_of_step = self.model.config.network_calls * request.search.at_once
        valid = self._verdicts(questions, predictions.last)
        circumstances |= {"seconds": time.perf_counter() - start}
        kind = KINDS[self.puzzle.kind]
        picture = kind.picture(self.puzzle.facts)
        return [
            PuzzleAnswer(
                circumstances,
                question,
                predictions.tokens[row, : round(predictions.spent[row] / calls_of_step)],
                float(predictions.confidence[row]),
                supervision.confidence_kind,
                None if valid is None else bool(valid[row]),
                round(predictions.spent[row]),
                tuple(self.notation.remarks(question)),
                self.puzzle.kind,
                self.notation,
                picture,
            )
            for row, question in enumerate(questions)
        ]

    def _verdicts(
        self, questions: NDArray[np.integer[Any]], answers: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_] | None:
        """Whether each answer `[E, L]` is valid; None where only the right answer tells."""
        check = answer_check(self.puzzle.about)
        return None if check is None else check(questions, answers)

    def _circumstances(self, request: TaskRequest) -> dict[str, Any]:
        return {
            "checkpoint": self.checkpoint.source,
            "step": self.checkpoint.step,
            "method": self.checkpoint.arch.supervision,
            "weights": self.checkpoint.weight_kind,
            "puzzle": self.puzzle.name,
            "supervision_steps": self.supervision.max_steps,
            "search": request.search.as_dict(),
            "seed": request.seed,
            "device": self._ranks.device.type,
        }


@dataclass(frozen=True)
class QuestionRows:
    """Questions `[E, L]` without answers, in batches.

    cells: those that belong to an answer, for its confidence.  about: what their dataset says of itself.
    """

    questions: NDArray[np.integer[Any]]
    cells: AnswerCells
    about: About

    def __len__(self) -> int:
        return len(self.questions)

    def batch(self, examples: NDArray[np.int64]) -> Batch:
        """Questions `[B]` side by side, under the blank identifier."""
        inputs = torch.from_numpy(self.questions[examples])
        return Batch(inputs, torch.full_like(inputs, IGNORE_LABEL), torch.zeros(len(inputs), dtype=torch.int32))

    def rows(self, examples: NDArray[np.int64]) -> None:
        """None: the questions have no puzzle embedding of their own, and the model's is used."""
