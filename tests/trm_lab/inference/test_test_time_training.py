"""Adaptation: the embeddings of one task learn from its demonstrations, and nothing else changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import act, dis
from tests.trm_lab.inference.small_tasks import CANVAS, task
from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.inference.task_puzzles import TaskPuzzles, puzzles_of
from trm_lab.inference.test_time_training import AdaptationSettings, Adapted, adapt
from trm_lab.puzzles.arc.sources import Pair, Task

TABLE = torch.randn(9, 16, generator=torch.Generator().manual_seed(1))
MAKE: dict[str, Callable[..., Supervision[Any]]] = {"act": act, "dis": dis}


def supervision(kind: str = "act") -> Supervision[Any]:
    """In float64, so that nothing hangs on how a batch is summed."""
    return MAKE[kind](forward_dtype="float64")


def puzzles(one: Task, augmentations: int = 3) -> TaskPuzzles:
    return puzzles_of(one, augmentations, TABLE)


def fitted(one: Task, kind: str = "act", steps: int = 6, augmentations: int = 3, **changes: Any) -> Adapted:
    settings = AdaptationSettings(steps, **{"lr": 0.05, **changes})
    return adapt(supervision(kind), puzzles(one, augmentations), settings, canvas=CANVAS)


def rows(adapted: Adapted) -> Tensor:
    assert adapted.puzzles.rows is not None
    return adapted.puzzles.rows


@pytest.mark.parametrize("kind", list(MAKE))
def test_the_demonstrations_are_answered_better_and_every_tensor_of_the_model_stays(kind: str) -> None:
    made = supervision(kind)
    model = made.model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    learning = [parameter.requires_grad for parameter in model.parameters()]
    table = model.puzzle_emb
    adapted = adapt(made, puzzles(task()), AdaptationSettings(20, lr=0.05), canvas=CANVAS)
    assert adapted.after.loss < adapted.before.loss - 0.1
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.puzzle_emb is table
    assert not model.training


def test_each_puzzle_of_the_task_gets_a_row_of_its_own_that_began_as_the_given_one() -> None:
    adapted = fitted(task(), steps=1, lr=0.1, weight_decay=0.5)
    start = TABLE.mean(0)
    moved = rows(adapted) - start * (1 - 0.1 * 0.5)  # what sign-SGD leaves after one update
    assert moved.abs().max().item() == pytest.approx(0.1)
    assert ((moved.abs() - 0.1).abs() < 1e-6).float().mean() > 0.9  # the others have no gradient
    assert len(rows(adapted).unique(dim=0)) == len(adapted.puzzles.augmentations)
    assert (adapted.start, adapted.puzzles.embedding) == ("mean", "fitted")


def test_a_puzzle_learns_from_its_own_demonstrations_only() -> None:
    several = puzzles(task(), 4)
    few = several.part(0, 2)
    settings = AdaptationSettings(3, lr=0.05)
    first, second = (adapt(supervision(), one, settings, canvas=CANVAS) for one in (several, few))
    torch.testing.assert_close(rows(first)[:2], rows(second))


def test_fitting_is_decided_by_its_seed_and_not_by_how_many_fit_side_by_side() -> None:
    few: dict[str, Any] = {"kind": "dis", "steps": 3, "augmentations": 2}
    whole, cut = fitted(task(), batch_size=100, **few), fitted(task(), batch_size=3, **few)
    torch.testing.assert_close(rows(whole), rows(cut))
    assert rows(fitted(task(), batch_size=100, **few)).equal(rows(whole))
    assert not rows(fitted(task(), seed=1, **few)).equal(rows(whole))


def test_test_pairs_play_no_part() -> None:
    one = task(tests=2)
    other = replace(one, test=(Pair(one.test[0].input, one.test[1].input), one.test[1]))
    first, second = (fitted(given, steps=2) for given in (one, other))
    assert rows(first).equal(rows(second))
    assert first.before == second.before


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(UserError, match="no demonstrations"):
        fitted(replace(task(), train=()))
    bare = act(puzzle_emb_ndim=0, puzzle_emb_len=0)
    with pytest.raises(UserError, match="without a puzzle embedding"):
        adapt(bare, puzzles_of(task(), 1, None), AdaptationSettings(3), canvas=CANVAS)
    with pytest.raises(UserError, match="in 0 steps"):
        AdaptationSettings(0)
    with pytest.raises(UserError, match="not finite"):
        fitted(task(), steps=2, lr=1e308)
