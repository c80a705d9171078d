"""Adapting all weights: a copy learns as training does, first the rows alone, and the model itself stays as it is."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from dis_trm.supervision import DISConfig
from tests.models import act, dis
from tests.trm_lab.inference.small_tasks import CANVAS, task
from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.inference.task_puzzles import TaskPuzzles, puzzles_of
from trm_lab.inference.test_time_training import AdaptationSettings, Adapted, adapt, settings_of_run
from trm_lab.inference.weight_training import WeightSettings, WeightTraining
from trm_lab.puzzles.arc.sources import Pair

TABLE = torch.randn(9, 16, generator=torch.Generator().manual_seed(1))
MAKE: dict[str, Callable[..., Supervision[Any]]] = {"act": act, "dis": dis}
FEW: dict[str, Any] = {"lr": 1e-2, "puzzle_emb_lr": 0.05, "batch_size": 6}


def puzzles(name: str = "small", augmentations: int = 3, **changes: Any) -> TaskPuzzles:
    return puzzles_of(task(name, **changes), augmentations, TABLE)


def adapted(supervision: Supervision[Any], steps: int, of_task: TaskPuzzles | None = None, **changes: Any) -> Adapted:
    settings = WeightSettings(steps, **(FEW | changes))
    return adapt(supervision, of_task or puzzles(), settings, canvas=CANVAS)


def state(supervision: Supervision[Any]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in supervision.model.state_dict().items()}


def changed(before: dict[str, Tensor], after: Supervision[Any]) -> list[str]:
    return [name for name, tensor in after.model.state_dict().items() if not tensor.equal(before[name])]


def rows(result: Adapted) -> Tensor:
    assert result.puzzles.rows is not None
    return result.puzzles.rows


@pytest.mark.parametrize("kind", list(MAKE))
def test_the_demonstrations_are_answered_better_and_the_model_itself_stays_bit_for_bit(kind: str) -> None:
    made = MAKE[kind]()
    made.model.eval()
    before, table = state(made), made.model.puzzle_emb
    result = adapted(made, 24)
    assert result.after.loss < result.before.loss - 0.2
    assert changed(before, made) == []
    assert made.model.puzzle_emb is table
    assert not made.model.training
    assert all(parameter.grad is None for parameter in made.model.parameters())
    assert "lm_head.weight" in changed(before, result.supervision)
    assert (result.start, result.puzzles.embedding) == ("mean", "fitted")


def test_targets_in_a_solver_s_order_are_computed_for_the_demonstrations() -> None:
    supervision = dis(DISConfig(halt_max_steps=3, target_order="solver", target_schedule="rounds"))
    result = adapted(supervision, 24)
    assert result.after.loss < result.before.loss - 0.2
    rows_only = adapt(supervision, puzzles(), AdaptationSettings(20, lr=0.05), canvas=CANVAS)
    assert rows_only.after.loss < rows_only.before.loss


def test_only_the_rows_learn_in_the_frozen_share_of_the_steps() -> None:
    made = dis()
    before = state(made)
    frozen = adapted(made, 4, freeze=1.0)
    assert changed(before, frozen.supervision) == []
    assert not rows(frozen).equal(puzzles().rows)
    half = WeightTraining(made, [puzzles()], WeightSettings(4, freeze=0.5, **FEW), CANVAS)
    learnt = []
    for _ in range(4):
        half.step()
        learnt.append(bool(changed(before, half.supervision)))
    assert learnt == [False, False, True, True]


def test_rows_that_are_not_drawn_and_tasks_without_demonstrations_keep_their_rows() -> None:
    bare = replace(puzzles("bare"), task=replace(task("bare"), train=()))
    several = [puzzles("one"), bare, puzzles("two", seed=3)]
    training = WeightTraining(act(), several, WeightSettings(3, **FEW), CANVAS)
    for _ in range(3):
        training.step()
    fitted = training.finish()
    assert [of_task.embedding for of_task in fitted] == ["fitted", "mean", "fitted"]
    for of_task, start in zip(fitted, several, strict=True):
        assert of_task.rows is not None
        assert start.rows is not None
        moved = int((of_task.rows != start.rows).any(1).sum())
        assert moved <= 4 if of_task.task.train else moved == 0
    assert training.tasks == 2


def test_training_is_decided_by_its_seed_and_by_demonstrations_alone() -> None:
    one = puzzles()
    pair = one.task.test[0]
    other = replace(one, task=replace(one.task, test=(Pair(pair.input, pair.input), *one.task.test[1:])))
    first, again, unseen = (adapted(act(), 5), adapted(act(), 5), adapted(act(), 5, other))
    for result in (again, unseen):
        assert rows(result).equal(rows(first))
        assert changed(state(first.supervision), result.supervision) == []
    assert not rows(adapted(act(), 5, seed=1)).equal(rows(first))


def test_a_slot_goes_on_to_another_example_when_its_own_is_finished() -> None:
    training = WeightTraining(dis(), [puzzles()], WeightSettings(7, **FEW), CANVAS)
    questions = []
    for _ in range(7):
        training.step()
        assert training._carry is not None
        questions.append(training._carry.inputs)
    same = [bool(first.equal(second)) for first, second in pairwise(questions)]
    assert same == [True, True, False, True, True, False]  # three supervision steps for an example


def test_the_average_of_the_weights_answers_where_the_run_kept_one() -> None:
    start, plain, averaged = act(), adapted(act(), 8), adapted(act(), 8, ema_rate=0.999)
    name = "lm_head.weight"
    first, last, mean = (s.model.state_dict()[name] for s in (start, plain.supervision, averaged.supervision))
    assert 0 < (mean - last).norm() < (first - last).norm()
    assert not mean.equal(first)


def test_settings_are_those_of_the_run() -> None:
    config = {"optimizer": "adamw", "lr": 3e-4, "beta2": 0.9, "puzzle_emb_lr": 0.03, "ema": True, "ema_rate": 0.99}
    settings = settings_of_run(config, 8, "all", seed=3, lr=None, freeze=None)
    assert settings == WeightSettings(
        8, optimizer="adamw", lr=3e-4, beta2=0.9, puzzle_emb_lr=0.03, ema_rate=0.99, seed=3
    )
    assert settings_of_run({"ema": False}, 8, "all", lr=0.1) == WeightSettings(8, lr=0.1)
    assert WeightSettings(8).frozen_steps == 2  # a quarter


def test_weights_learn_where_there_is_no_puzzle_embedding() -> None:
    bare = act(puzzle_emb_ndim=0, puzzle_emb_len=0)
    result = adapted(bare, 12, puzzles_of(task(), 1, None))
    assert result.after.loss < result.before.loss
    assert (result.puzzles.rows, result.puzzles.embedding) == (None, "none")


def test_what_cannot_be_trained_is_told() -> None:
    with pytest.raises(UserError, match="no demonstrations"):
        WeightTraining(act(), [replace(puzzles(), task=replace(task(), train=()))], WeightSettings(3), CANVAS)
    with pytest.raises(UserError, match="in 0 steps"):
        WeightSettings(0)
    with pytest.raises(UserError, match="weights 'al'"):
        settings_of_run({}, 3, "al")
    with pytest.raises(UserError, match="not finite"):
        adapted(act(), 6, lr=1e38, optimizer="adamw")
