"""The Python API: load a checkpoint, wherever it is from, and solve puzzles of one's own. See docs/python_api.md.

L tokens of an example, E questions, S supervision steps.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks, choose_device
from trm_lab.evaluation.answer_cells import AnswerCells, cells_of
from trm_lab.evaluation.batch_size import CPU_BATCH, chosen_batch_size
from trm_lab.evaluation.predictor import check_finite
from trm_lab.inference.answer import Answer, ArcAnswer, PuzzleAnswer
from trm_lab.inference.answering import predict
from trm_lab.inference.arc_checkpoint import canvas_of, one_puzzle_metadata, seq_len
from trm_lab.inference.one_task import TaskRequest, answer_request
from trm_lab.inference.puzzle_input import content_of
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import parse_task, read_task
from trm_lab.puzzles.kinds import KINDS, answer_check
from trm_lab.puzzles.notation import Notation
from trm_lab.puzzles.picture import Tokens
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.puzzle_description import PUBLISHED, PuzzleDescription

ARC = PUBLISHED[0]
# settings that mean something to ARC alone, as they are where they are not given
ARC_SETTINGS = {"attempts": 2, "adapt": 0, "adapt_weights": "embedding", "augmentations": None}


def load(
    target: str | Path,
    *,
    data: str | Path | None = None,
    config: str | Path | None = None,
    weights: str = "auto",
    device: str = "auto",
) -> "Solver":
    """Load a run (its newest checkpoint), one of its checkpoints, an export, a published file, or `hf://owner/name/…`.

    Args:
        data: the dataset that it was trained on; None: what the checkpoint says of it is enough.
        config: config.yaml or all_config.yaml; None: the one that belongs to the checkpoint.
        weights: `auto` (averaged where the run kept an average), `ema` or `raw`.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: no checkpoint, damaged files, or puzzles that nothing at hand describes.

    Example:
        >>> import trm_lab
        >>> solver = trm_lab.load("runs/queens")
        >>> solver.solve("....\\nQ...\\n....\\n....").grid.shape
        (4, 4)
    """
    checkpoint = open_checkpoint(target, None if config is None else Path(config), weights)
    return Solver(checkpoint, described_puzzles(checkpoint, data), Ranks(device=choose_device(device)))


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
    table = checkpoint.weights.get("embed_tokens.embedding_weight")
    known_length = seq_len(checkpoint)
    for puzzle in PUBLISHED:
        same_length = puzzle.is_arc or known_length in (None, puzzle.seq_len)
        if table is not None and len(table) == puzzle.vocab_size and same_length:
            return puzzle
    raise UserError(
        f"{checkpoint.source} does not say which puzzles it was trained on, and its dataset is not at hand",
        "a checkpoint of this version, or an older one with its dataset",
        "name the dataset: data=… from Python, --data-path from the shell",
    )


def _recognised(puzzle: PuzzleDescription, source: str) -> PuzzleDescription:
    """The description, or that of the published dataset of the same shape where the kind is not named."""
    if puzzle.kind in KINDS or puzzle.is_arc:
        return puzzle
    shape = puzzle.seq_len, puzzle.vocab_size
    for published in PUBLISHED:
        if not puzzle.kind and shape == (published.seq_len, published.vocab_size):
            return published
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
        rows = self.checkpoint.puzzle_identifiers
        supervision, _ = self.checkpoint.supervision(replace(metadata, num_puzzle_identifiers=rows))
        supervision.model.to(self._ranks.device).eval()
        return supervision

    @cached_property
    def notation(self) -> Notation:
        """How its puzzles are written; not for ARC."""
        return KINDS[self.puzzle.kind].notation(self.puzzle.facts, self.puzzle.seq_len)

    def solve(
        self,
        puzzle: object,
        *,
        steps: int | None = None,
        attempts: int = 2,
        adapt: int = 0,
        adapt_weights: str = "embedding",
        augmentations: int | None = None,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> Answer:
        """Answer one puzzle.

        Args:
            puzzle: a text, nested lists, an array, a file of one of these (.txt, .json, .npy), or an ARC task: its
                dictionary, or its file (`task.json`, `tasks.json:name`).
            steps: supervision steps; None: as many as trained.
            attempts: of ARC, 1 or 2 grids for each test input.
            adapt: of ARC, updates on the task's demonstrations before it is answered; the checkpoint stays as it is.
            adapt_weights: what learns in them: `embedding`, the task's own, or `all` weights with it.
            augmentations: of ARC, at most so many besides the task itself; None: 32.
            seed: of whatever is drawn.
            batch_size: predictions at a time; None: what fits.

        Raises:
            UserError: a puzzle of another shape or with other symbols, or a setting without effect.

        Example:
            >>> import trm_lab
            >>> answer = trm_lab.load("runs/queens").solve([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
            >>> answer.network_calls, len(answer.steps), answer.valid in (True, False)
            (12, 4, True)
        """
        [answer] = self.solve_many(
            [puzzle],
            steps=steps,
            attempts=attempts,
            adapt=adapt,
            adapt_weights=adapt_weights,
            augmentations=augmentations,
            seed=seed,
            batch_size=batch_size,
        )
        return answer

    def solve_many(
        self,
        puzzles: Sequence[object],
        *,
        steps: int | None = None,
        attempts: int = 2,
        adapt: int = 0,
        adapt_weights: str = "embedding",
        augmentations: int | None = None,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> list[Answer]:
        """Answer several puzzles, many at a time (ARC tasks one after the other); arguments as for `solve`."""
        if self.puzzle.is_arc:
            request = TaskRequest(
                self.checkpoint.source,
                "",
                augmentations=augmentations,
                adapt=adapt,
                adapt_weights=adapt_weights,
                steps=steps,
                batch_size=batch_size,
                seed=seed,
            )
            return [self.answer_task(request, self.task(puzzle), attempts) for puzzle in puzzles]
        self._check_usual(attempts=attempts, adapt=adapt, adapt_weights=adapt_weights, augmentations=augmentations)
        questions = np.stack([self.read(puzzle) for puzzle in puzzles])
        return list(self.answers(questions, steps, seed, batch_size))

    def read(self, puzzle: object) -> Tokens:
        """The tokens `[L]` of a question; not for ARC. Errors as for `solve`."""
        return self.notation.read(content_of(puzzle))

    def _check_usual(self, **settings: object) -> None:
        """UserError where a setting of ARC's is chosen for another kind."""
        for name, value in settings.items():
            if value != ARC_SETTINGS[name]:
                raise UserError(
                    f"{name}={value} for puzzles of the kind {self.puzzle.kind}",
                    "for tasks of ARC alone",
                    f"leave {name} out",
                )

    def task(self, puzzle: object) -> Task:
        """The ARC task that a dictionary, a file or a `Task` holds.

        Raises:
            UserError: none, or one that does not fit the checkpoint's canvas.
        """
        if isinstance(puzzle, Task):
            return puzzle
        canvas = canvas_of(self.checkpoint, self.checkpoint.data_paths)
        if isinstance(puzzle, str | Path):
            return read_task(str(puzzle), canvas)
        return parse_task("task", puzzle, "the task", canvas)

    def answer_task(self, request: TaskRequest, task: Task, attempts: int = 2) -> ArcAnswer:
        """Answer an ARC task; request: its settings, of which target, task and device are not read."""
        if attempts not in (1, 2):
            raise UserError(f"attempts={attempts}", "1 or 2, as ARC allows", "leave attempts out")
        canvas = canvas_of(self.checkpoint, request.data_paths or self.checkpoint.data_paths)
        answer, record = answer_request(request, task, canvas, self.checkpoint, self._ranks)
        return ArcAnswer(record, answer, record, attempts)

    def answers(
        self, questions: NDArray[np.integer[Any]], steps: int | None, seed: int, batch_size: int | None
    ) -> list[PuzzleAnswer]:
        """Answers to questions `[E, L]` of another kind than ARC: here alone they are rolled out.

        steps, seed, batch_size: as for `solve`.
        """
        start, supervision = time.perf_counter(), self.supervision
        trained = supervision.max_steps
        most = CPU_BATCH if self._ranks.device.type == "cpu" else len(questions)
        size = chosen_batch_size(supervision, batch_size, most, self._ranks)
        try:
            supervision.take_steps(trained if steps is None else steps)
            rows = QuestionRows(questions, cells_of(self.puzzle.kind, self.puzzle.facts))
            predictions = predict(supervision, rows, size, seed=seed)
        finally:
            supervision.take_steps(trained)
        check_finite(predictions.confidence, self.checkpoint.source)
        valid = self._verdicts(questions, predictions.last)
        circumstances = self._circumstances(predictions.tokens.shape[1], seed, time.perf_counter() - start)
        kind = KINDS[self.puzzle.kind]
        picture = kind.picture(self.puzzle.facts)
        return [
            PuzzleAnswer(
                circumstances,
                question,
                predictions.tokens[row],
                float(predictions.confidence[row]),
                supervision.confidence_kind,
                None if valid is None else bool(valid[row]),
                predictions.network_calls,
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

    def _circumstances(self, steps: int, seed: int, seconds: float) -> Mapping[str, Any]:
        return {
            "checkpoint": self.checkpoint.source,
            "step": self.checkpoint.step,
            "method": self.checkpoint.arch.supervision,
            "weights": self.checkpoint.weight_kind,
            "puzzle": self.puzzle.name,
            "supervision_steps": steps,
            "seed": seed,
            "device": self._ranks.device.type,
            "seconds": seconds,
        }


@dataclass(frozen=True)
class QuestionRows:
    """Questions `[E, L]` without answers, in batches.

    cells: of which an answer consists.
    """

    questions: NDArray[np.integer[Any]]
    cells: AnswerCells

    def __len__(self) -> int:
        return len(self.questions)

    def batch(self, examples: NDArray[np.int64]) -> Batch:
        """Questions `[B]` side by side, under the blank identifier."""
        inputs = torch.from_numpy(self.questions[examples])
        return Batch(inputs, torch.full_like(inputs, IGNORE_LABEL), torch.zeros(len(inputs), dtype=torch.int32))

    def rows(self, examples: NDArray[np.int64]) -> None:
        """No embedding of their own: they have the model's."""
