"""Answers to tasks: what the votes make of them, and what must not change them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import act, network
from tests.trm_lab.inference.small_tasks import CANVAS, repeating, task
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.act import ACTConfig, ACTSupervision
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.rollout import roll_out
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.inference.answering import TaskAnswer, answer_task
from trm_lab.inference.task_puzzles import TaskPuzzles, puzzles_of
from trm_lab.puzzles.arc.sources import Pair, Task
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.puzzles.layout import read_identifiers, read_test_puzzles
from trm_lab.puzzles.loading import EvaluationData

TABLE = torch.randn(9, 16, generator=torch.Generator().manual_seed(1))


def puzzles(one: Task, augmentations: int = 6, embedding: str = "auto") -> TaskPuzzles:
    return puzzles_of(one, augmentations, TABLE, embedding)


def answer(supervision: Supervision[Any], one: TaskPuzzles, batch_size: int = 64) -> TaskAnswer:
    return answer_task(supervision, one, canvas=CANVAS, batch_size=batch_size)


def exact() -> Supervision[Any]:
    """A random model in float64, whose answers do not hang on how a batch is summed."""
    supervision = act(forward_dtype="float64")
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in supervision.model.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) / 5
    return supervision


def content(answer: TaskAnswer) -> list[Any]:
    """All of an answer, with its confidence rounded."""
    return [
        (
            replace(output.record, confidence_of_best=round(output.record.confidence_of_best, 9)),
            [(one.grid.tolist(), one.votes) for one in output.attempts],
            [grid.tolist() for grid in output.steps],
        )
        for output in answer.outputs
    ]


@settings(max_examples=4)
@given(st.integers(0, 12), st.integers(1, 3), st.integers(0, 100), st.integers(1, 20))
def test_a_model_that_repeats_the_question_gets_all_votes_for_it(
    augmentations: int, tests: int, seed: int, batch_size: int
) -> None:
    one = task(tests=tests, seed=seed)
    made = answer(repeating(), puzzles(one, augmentations), batch_size)
    for pair, output in zip(one.test, made.outputs, strict=True):
        assert [attempt.grid.tolist() for attempt in output.attempts] == [pair.input.tolist()] * 2
        assert {attempt.votes for attempt in output.attempts} == {output.record.votes}
        assert output.record.agreement == 1
        assert all(np.array_equal(grid, pair.input) for grid in output.steps)
        assert len(output.steps) == 4
    assert made.submission() == [{f"attempt_{n}": pair.input.tolist() for n in (1, 2)} for pair in one.test]


def test_equal_test_inputs_share_their_votes_and_each_is_held_against_its_own_answer() -> None:
    first, *others = task(tests=3).test
    tests = (Pair(first.input, first.input), first, *others[:1])
    outputs = answer(repeating(), puzzles(replace(task(), test=tests))).outputs
    assert [output.record.rank for output in outputs] == [1, None, None]
    assert [output.attempts[0].votes for output in outputs] == [14, 14, 7]


def test_the_embedding_reaches_the_network_and_the_model_stays_as_it_was() -> None:
    supervision = exact()
    model = supervision.model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    means, blanks = (answer(supervision, puzzles(task(), 6, kind)) for kind in ("mean", "blank"))
    assert content(means) != content(blanks)
    assert model.training
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


def test_a_known_task_is_answered_as_in_an_evaluation_of_its_dataset(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, max_grid_size=5, materialize=False, translations="fresh")
    data = EvaluationData([dataset], global_batch_size=1000)
    shape = PuzzleShape(25, 12, data.metadata.num_puzzle_identifiers)
    supervision = ACTSupervision(TinyRecursiveModel(network(), shape), ACTConfig(halt_max_steps=3))
    table = torch.randn(shape.num_puzzle_identifiers, 16, generator=torch.Generator().manual_seed(2))
    known = {name: number for number, name in enumerate(read_identifiers(dataset))}
    tasks = [parse_task(name, entry, name) for name, entry in read_test_puzzles(dataset).items()]
    several = [puzzles_of(one, 100, table, "own", known) for one in tasks]
    made = [answer_task(supervision, one, canvas=5, batch_size=7) for one in several]

    assert supervision.model.puzzle_emb is not None
    supervision.model.puzzle_emb.weights.copy_(table)
    supervision.model.eval()
    voting = ArcVoting(Questions(data.identifiers, data.test_puzzles, 5))
    for one in data:
        rollout = roll_out(supervision, one.batch, SeededStepRandom(0, 0, 1000))
        who, asked = (tensor.numpy().astype(np.uint8) for tensor in (one.batch.puzzle_identifiers, one.batch.inputs))
        voting.add(who, asked, rollout.predictions[:, -1].numpy(), rollout.confidence[:, -1].numpy())
    assert {answer.task.name: answer.submission() for answer in made} == voting.result().submission
