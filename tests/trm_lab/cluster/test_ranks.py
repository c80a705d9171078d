"""What ranks tell each other: an error of the first one, rows, whether they agree."""

from typing import Any

import pytest
import torch

from tests.several_ranks import on_ranks
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks

RANKS = 3


def talk(ranks: Ranks) -> dict[str, Any]:
    """What each method gives on this rank."""
    calls: list[int] = []

    def decide() -> dict[str, int]:
        calls.append(ranks.rank)
        return {"newest": 7}

    def refuse() -> None:
        calls.append(ranks.rank)
        raise UserError("given", "allowed", "remedy")

    own = torch.arange(4.0).view(2, 2) + 10 * ranks.rank  # [2, 2]
    sent = [ranks.rank + 1] * RANKS
    arriving = torch.full((sum(sent), 2), float(ranks.rank))
    told: dict[str, Any] = {"decided": ranks.first_decides(decide)}
    try:
        ranks.first_decides(refuse)
    except UserError as error:
        told["refused"] = [error.given, error.allowed, error.remedy]
    numbers = torch.tensor([3, -4, 2**62])
    return told | {
        "calls": calls,
        "collected": ranks.collect_rows(own),
        "gathered": ranks.gather_rows(own),
        "exchanged": ranks.exchange_rows(arriving, sent, [1, 2, 3])[:, 0].tolist(),
        "same": ranks.equal(numbers),
        "last_differs": ranks.equal(numbers + (ranks.rank == RANKS - 1)),
        "first_differs": ranks.equal(numbers - 5 * int(ranks.is_first)),
        "slots": list(ranks.local_slots(12)),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return on_ranks(RANKS, talk, tmp_path_factory.mktemp("ranks"))


def test_only_the_first_rank_decides_and_all_know(told: list[dict[str, Any]]) -> None:
    assert [rank["decided"] for rank in told] == [{"newest": 7}] * RANKS
    assert [rank["calls"] for rank in told] == [[0, 0], [], []]


def test_a_user_error_on_the_first_rank_is_raised_on_all(told: list[dict[str, Any]]) -> None:
    assert [rank["refused"] for rank in told] == [["given", "allowed", "remedy"]] * RANKS


def test_rows_come_together_in_rank_order(told: list[dict[str, Any]]) -> None:
    together = torch.cat([torch.arange(4.0).view(2, 2) + 10 * rank for rank in range(RANKS)])
    assert torch.equal(told[0]["collected"], together)
    assert [len(rank["collected"]) for rank in told[1:]] == [0, 0]
    assert all(torch.equal(rank["gathered"], together) for rank in told)


def test_exchanged_rows_arrive_in_the_order_of_their_senders(told: list[dict[str, Any]]) -> None:
    assert [rank["exchanged"] for rank in told] == [[0, 1, 1, 2, 2, 2]] * RANKS


def test_one_rank_that_differs_is_noticed_by_all(told: list[dict[str, Any]]) -> None:
    assert [rank["same"] for rank in told] == [True] * RANKS
    assert [rank["last_differs"] for rank in told] == [False] * RANKS
    assert [rank["first_differs"] for rank in told] == [False] * RANKS


def test_slots_lie_side_by_side(told: list[dict[str, Any]]) -> None:
    assert [rank["slots"] for rank in told] == [[0, 4], [4, 4], [8, 4]]


def test_a_single_process_is_its_own_company() -> None:
    rows, alone = torch.ones(2, 2), Ranks()
    assert alone.first_decides(lambda: 5) == 5
    assert alone.equal(torch.tensor([1]))
    assert torch.equal(alone.collect_rows(rows), rows)
    assert torch.equal(alone.exchange_rows(rows, [2], [2]), rows)
