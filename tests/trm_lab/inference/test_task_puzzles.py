"""A task's puzzles: which embedding each has, where that comes from, and what may not depend on the answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.models import act
from tests.trm_lab.inference.small_tasks import CANVAS, task
from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.inference.task_puzzles import TaskExamples, lent_rows, puzzles_of
from trm_lab.puzzles.arc.augmentation import names
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.puzzles.arc.sources import Pair

TABLE = torch.arange(9 * 4, dtype=torch.float32).view(9, 4)
ROWS = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 9, 8, 7, 6, 5, 4, 3, 2, 1]], np.uint8)


def known(name: str = "small") -> dict[str, int]:
    """The task and its one augmentation are puzzles 5 and 6."""
    return {"<blank>": 0, "other": 4, **{one: 5 + n for n, one in enumerate(names(name, ROWS))}}


def tensor(rows: Tensor | None) -> Tensor:
    assert rows is not None
    return rows


def test_an_unknown_task_has_the_mean_row_or_the_blank_one_for_all_of_its_puzzles() -> None:
    mean, blank = (puzzles_of(task(), 5, TABLE, embedding) for embedding in ("auto", "blank"))
    assert (mean.embedding, blank.embedding) == ("mean", "blank")
    assert torch.equal(tensor(mean.rows), TABLE.mean(0).expand(6, -1))
    assert torch.equal(tensor(blank.rows), TABLE[:1].expand(6, -1))


def test_a_known_task_has_its_own_rows_and_the_augmentations_that_they_belong_to() -> None:
    own = puzzles_of(task(), 5, TABLE, "auto", known())
    assert own.embedding == "own"
    assert own.augmentations.tolist() == ROWS.tolist()
    assert torch.equal(tensor(own.rows), TABLE[5:7])
    assert puzzles_of(task(), 0, TABLE, "own", known()).names == ["small"]
    assert puzzles_of(task(), 5, TABLE, "mean", known()).embedding == "mean"
    with pytest.raises(UserError, match="none of the 4 puzzles"):
        puzzles_of(task("strange"), 5, TABLE, "own", known())
    with pytest.raises(UserError, match=r"auto \| own \| mean \| blank"):
        puzzles_of(task(), 5, TABLE, "median")


def test_augmentations_depend_on_the_seed_and_not_on_the_answers() -> None:
    one = task()
    other = replace(one, test=tuple(Pair(pair.input, pair.input) for pair in one.test))
    drawn = [puzzles_of(*given).augmentations.tolist() for given in ((one, 9, TABLE), (other, 9, TABLE))]
    assert drawn[0] == drawn[1]
    assert drawn[0] != puzzles_of(one, 9, TABLE, seed=1).augmentations.tolist()
    assert drawn[0][0] == list(range(10))


def test_examples_of_several_tasks_come_by_task_puzzle_and_pair_with_their_rows() -> None:
    tasks = [task("a", tests=2), task("b", tests=1, seed=1)]
    puzzles = [puzzles_of(tasks[0], 3, TABLE), puzzles_of(tasks[1], 3, TABLE, "blank")]
    examples = TaskExamples(puzzles, [one.test for one in tasks], CANVAS, CORNER)
    assert len(examples) == 4 * 2 + 4 * 1
    everything = np.arange(12)
    batch, rows = examples.batch(everything), examples.rows(everything)
    assert torch.equal(tensor(rows), torch.cat([TABLE.mean(0).expand(8, -1), TABLE[:1].expand(4, -1)]))
    shown = tasks[0].test[1].input
    assert batch.inputs[1].tolist() == encode_pair(shown, shown, canvas=CANVAS)[0].tolist()
    assert (batch.labels[1] == IGNORE_LABEL).all()  # its answer is hidden
    assert (batch.labels[0] >= 1).any()
    assert batch.puzzle_identifiers.tolist() == everything.tolist()


def test_lent_rows_take_the_place_of_the_table_and_leave_it_as_it_is() -> None:
    model = act().model
    table = model.puzzle_emb
    assert table is not None
    with lent_rows(model, torch.ones(2, 16)):
        vectors = tensor(model.puzzle_vectors(torch.tensor([1, 0])))
        assert vectors.tolist() == torch.ones(2, 16).tolist()
    assert model.puzzle_emb is table
    assert not table.weights.any()
    with pytest.raises(RuntimeError), lent_rows(model, torch.ones(2, 16)):
        raise RuntimeError
    assert model.puzzle_emb is table
