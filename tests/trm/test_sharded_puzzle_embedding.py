"""A puzzle table shared out among ranks is the same table: rows, updates, checkpoints.

Every case is a table of some puzzles and, for each step, the identifiers of all slots, part after part.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.runs import build_small_arc, command, finish, records, tensors
from tests.several_ranks import on_ranks
from trm.puzzle_embedding import PuzzleEmbedding, SignSGD
from trm_lab.cluster.ranks import Ranks

WIDTH, SLOTS = 5, 12
RANK_COUNTS = (pytest.param(2, marks=pytest.mark.long), 3)
CANCELLING = torch.tensor([1e8, 0, 0, -1e8, 1, 0, -2, 0, 0, 0, 0, 0])  # 1 and 2 are lost beside 1e8


@dataclass(frozen=True)
class Case:
    """puzzles: N.  steps: identifiers of all SLOTS slots.  parts: into which a rank's slots are cut.

    gradients: normal | whole, whose sums are the same in any order | cancelling, whose signs depend on the order.
    """

    puzzles: int
    steps: tuple[tuple[int, ...], ...]
    parts: int = 1
    gradients: str = "normal"


SPREAD = (0, 11, 22, 33, 3, 14, 25, 36, 6, 17, 28, 39), (39, 0, 20, 21, 5, 6, 7, 8, 30, 31, 32, 33)
DUPLICATES = (7, 7, 7, 31, 31, 7, 20, 7, 20, 0, 31, 7), (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CASES = {
    "spread": Case(40, SPREAD),
    "duplicates within and across ranks": Case(40, DUPLICATES),
    "all on the first rank": Case(40, ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),)),
    "all on the last rank": Case(40, ((39, 38, 37, 36, 35, 34, 34, 35, 36, 37, 38, 39),)),
    "shares of different lengths": Case(31, ((0, 10, 11, 20, 21, 22, 30, 30, 15, 16, 0, 29),)),
    "ranks without a share": Case(1, ((0,) * SLOTS,)),
    "fewer puzzles than ranks": Case(2, ((0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1), (1,) * SLOTS)),
    "accumulated in parts": Case(40, (*DUPLICATES, *SPREAD), parts=2),
    "summed in slot order": Case(40, DUPLICATES, gradients="cancelling"),
    "summed in slot order, in parts": Case(40, DUPLICATES, parts=2, gradients="cancelling"),
}
SMALL_TABLES = {
    "one puzzle": Case(1, ((0,) * SLOTS,) * 2, gradients="whole"),
    "a puzzle is not used": Case(4, ((0, 1, 3, 3, 3, 0, 1, 1, 1, 1, 1, 1), (2,) * SLOTS), gradients="whole"),
    "in parts": Case(3, ((0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0),), parts=2, gradients="whole"),
}


def initial_table(case: Case) -> Tensor:
    return torch.randn(case.puzzles, WIDTH, generator=torch.Generator().manual_seed(1))


def train(case: Case, ranks: Ranks, shared: bool) -> dict[str, Any]:
    """Read and update by each step; what this rank's slots read, and its table."""
    embedding = PuzzleEmbedding(case.puzzles, WIDTH, torch.float32).train()
    if shared:
        embedding.shard(ranks)
    embedding.load_whole(initial_table(case))
    sign_sgd = SignSGD(embedding, weight_decay=0.3, ranks=ranks)
    generator, read = torch.Generator().manual_seed(2), []
    first, slots = ranks.local_slots(SLOTS)
    for step in case.steps:
        gradients = torch.randn(SLOTS, WIDTH, generator=generator)
        if case.gradients == "whole":
            gradients = (4 * gradients).round()
        elif case.gradients == "cancelling":
            gradients = torch.stack([CANCELLING.roll(column) for column in range(WIDTH)], 1)
        for start in range(first, first + slots, slots // case.parts):
            part = slice(start, start + slots // case.parts)
            rows = embedding(torch.tensor(step, dtype=torch.int32)[part])
            (rows * gradients[part]).sum().backward()
            read.append(rows.detach())
        sign_sgd.step(lr=0.1)
    with torch.no_grad():
        afterwards = embedding.eval()(torch.arange(case.puzzles, dtype=torch.int32))
    return {
        "read": torch.cat(read).view(len(case.steps), slots, WIDTH),
        "afterwards": afterwards,
        "whole": embedding.whole().clone(),
        "bytes": embedding.weights.untyped_storage().nbytes(),
        "left": len(embedding.lookups),
    }


def train_all(ranks: Ranks) -> dict[str, Any]:
    shared = {f"shared: {name}": train(case, ranks, True) for name, case in CASES.items()}
    whole = {name: train(case, ranks, False) for name, case in (CASES | SMALL_TABLES).items()}
    return {**shared, **whole}


@pytest.fixture(scope="module", params=RANK_COUNTS, ids="{} ranks".format)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every rank has of every case."""
    return on_ranks(request.param, train_all, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("name", CASES)
def test_a_shared_table_reads_and_learns_bitwise_as_one_process_does(name: str, trained: list[dict[str, Any]]) -> None:
    alone, together = train(CASES[name], Ranks(), False), [rank[f"shared: {name}"] for rank in trained]
    assert torch.equal(torch.cat([rank["read"] for rank in together], 1), alone["read"])
    for rank in together:
        assert torch.equal(rank["afterwards"], alone["whole"])
        assert rank["left"] == 0
    assert torch.equal(together[0]["whole"], alone["whole"])
    assert all(len(rank["whole"]) == 0 for rank in together[1:])
    assert not torch.equal(alone["whole"], initial_table(CASES[name]))


@pytest.mark.parametrize("name", [*CASES, *SMALL_TABLES])
def test_a_table_on_every_rank_learns_the_same_everywhere(name: str, trained: list[dict[str, Any]]) -> None:
    case = (CASES | SMALL_TABLES)[name]
    alone = train(case, Ranks(), False)
    for rank in trained:
        assert torch.equal(rank[name]["whole"], trained[0][name]["whole"])
    if 2 * case.puzzles >= SLOTS or case.gradients == "whole":  # else summed rank by rank
        assert torch.equal(trained[0][name]["whole"], alone["whole"])
        assert torch.equal(torch.cat([rank[name]["read"] for rank in trained], 1), alone["read"])


def test_rows_that_no_slot_used_stay_as_they_were() -> None:
    case = SMALL_TABLES["a puzzle is not used"]
    once = train(Case(case.puzzles, case.steps[:1], gradients="whole"), Ranks(), False)["whole"]
    assert torch.equal(once[2], initial_table(case)[2])
    assert not torch.equal(once[1], initial_table(case)[1])


def test_a_rank_keeps_no_more_than_its_share(trained: list[dict[str, Any]]) -> None:
    for name, case in CASES.items():
        share = -(-case.puzzles // len(trained))
        held = [rank[f"shared: {name}"]["bytes"] for rank in trained]
        assert max(held) == share * WIDTH * 4
        assert sum(held) == case.puzzles * WIDTH * 4


# Through the entry.

LENGTH = ("global_batch_size=8", "epochs=40", "eval_interval=40", "log_interval=1", "checkpoint_interval=3")
METHODS = {
    "dis": ("train_arc_tiny_corrupt.py", "arch=dis", "arch.halt_max_steps=3", "optimizer=adam_atan2"),
    "trm": ("pretrain.py", "arch=trm", "arch.halt_max_steps=4", "ema=True"),
}
STEPS = 9


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_arc(tmp_path_factory.mktemp("data") / "arc-small")


@pytest.mark.long
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_shared_table_goes_on_with_any_number_of_ranks_or_in_parts(
    method: str, dataset: Path, tmp_path: Path
) -> None:
    """To the losses, weights and table of one process, to 1e-6."""
    script, *settings = METHODS[method]

    def train_entry(run: Path, ranks: int, shared: bool, steps: int = STEPS, *more: str) -> None:
        place = (f"data_paths=[{dataset}]", f"checkpoint_path={run}", f"max_steps={steps}")
        words = (*settings, *place, *LENGTH, f"shard_puzzle_emb={shared}", *more)
        finish(command(script, *words, ranks=ranks), run.parent)

    alone, moved, parts = (tmp_path / name for name in ("alone", "moved", "parts"))
    train_entry(alone, 1, False)
    for ranks, shared, steps in ((4, True, 2), (2, True, 4), (4, False, 5), (1, True, 7), (2, True, STEPS)):
        train_entry(moved, ranks, shared, steps)
    train_entry(parts, 2, True, STEPS, "gradient_accumulation_steps=2")
    ours = tensors(alone, STEPS)
    table = ours["model:puzzle_emb.weights"]
    assert 0 < table.any(1).sum() < len(table)  # some rows learned something, not all
    for run in (moved, parts):
        losses = [[record["loss"] for record in records(folder, "train")] for folder in (alone, run)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
        theirs = tensors(run, STEPS)
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert ours[name].shape == theirs[name].shape, name
            if not name.startswith("carry:"):
                torch.testing.assert_close(ours[name], theirs[name], atol=1e-6, rtol=1e-5, msg=name)
