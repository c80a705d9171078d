"""The scaling model's bytes are the bytes that ranks hand over, its memory and limits are those of the code."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scaling import DIS, TRM, run
from benchmarks.scaling_figure import draw
from benchmarks.scaling_jobs import JOBS, SLOT_BATCHES
from benchmarks.scaling_model import (
    Cluster,
    Job,
    Message,
    checkpoint_bytes,
    gathered_slots,
    memory,
    scaled,
    sent,
    step_messages,
)
from benchmarks.scaling_ranks import TINY, Trial
from benchmarks.scaling_report import deviations, markdown, measured_tables

SMALL = Trial("small", DIS[0], (*DIS[1], *TINY), grid=16, puzzles=40, batch=12, ranks=2, steps=2)
TRIALS = {
    "replicated": SMALL,
    "shared out": replace(SMALL, shared=True),
    "a small table": replace(SMALL, ranks=3, puzzles=2),
    "TRM": replace(SMALL, entry=TRM[0], settings=(*TRM[1], *TINY, "arch.H_cycles=1", "ema=True")),
}
CLUSTER = Cluster()


@pytest.mark.long
@pytest.mark.parametrize("name", TRIALS)
def test_the_model_counts_every_byte_that_ranks_hand_over(name: str) -> None:
    trial = TRIALS[name]
    result: dict[str, Any] = {"trial": vars(trial), "ranks": run(trial)}
    assert deviations(result) == []
    ranks, modelled = result["ranks"], sent(step_messages(trial.job(), trial.ranks), trial.ranks)
    if ranks[0]["on_wire"] is not None:  # with the headers of gloo
        counted = sum(rank["on_wire"] for rank in ranks) / len(ranks)
        assert modelled < counted < 1.1 * modelled
    assert ranks[0]["checkpoint_bytes"] == checkpoint_bytes(trial.job())
    more = {"trial": {**vars(trial), "batch": 2 * trial.batch}, "ranks": ranks}
    assert deviations(more)  # another batch would not have passed
    assert measured_tables({"results": [result]})


def job(modelled: int = 0) -> Job:
    return JOBS[modelled].job()


@pytest.mark.parametrize(
    ("kind", "ranks", "expected"),
    [
        ("all_reduce", 2, 100.0),
        ("all_reduce", 4, 150.0),
        ("all_gather", 4, 300.0),
        ("all_to_all", 4, 75.0),
        ("send", 4, 100.0),
    ],
)
def test_a_ring_sends_what_the_textbook_says(kind: str, ranks: int, expected: float) -> None:
    assert Message("", kind, 100).sent(ranks) == expected


def test_the_published_networks_have_their_published_sizes() -> None:
    assert 0.7e6 < job(0).trained < 0.9e6  # 0.8 M
    assert 6.5e6 < job(1).trained < 7.5e6  # 7 M
    assert job(0).slot_operations == pytest.approx(21.8e9, rel=0.1)  # counted with torch's counter


def test_gathered_rows_do_not_shrink_with_the_ranks_and_exchanged_ones_do() -> None:
    def puzzle_bytes(one: Job, ranks: int) -> float:
        rows = [message for message in step_messages(one, ranks) if message.purpose.startswith("puzzle")]
        return sent(rows, ranks)

    gathered = [puzzle_bytes(job(2), ranks) for ranks in (8, 64, 512)]
    assert gathered == sorted(gathered)
    shared = job(2).on(shared=True)
    exchanged = [puzzle_bytes(shared, ranks) for ranks in (8, 64, 512)]
    assert exchanged[1] < exchanged[0] / 7
    assert exchanged[2] < exchanged[1] / 2
    assert exchanged[0] < gathered[0] / 3


def test_a_small_table_is_cheaper_summed_than_gathered_and_the_switch_is_where_they_meet() -> None:
    sudoku = job(3)
    assert sudoku.sums_small_table
    at_switch = job(0).on(batch=512, puzzles=256)  # the last that is gathered
    below = at_switch.on(puzzles=255)
    assert not at_switch.sums_small_table
    assert sent(step_messages(below, 8), 8) == pytest.approx(sent(step_messages(at_switch, 8), 8), rel=0.01)
    assert sent(step_messages(below, 8), 8) < sent(step_messages(at_switch, 8), 8)


def test_a_shared_table_s_memory_falls_with_the_ranks() -> None:
    shared = job(1).on(shared=True)
    held = [memory(shared, ranks, 0)["puzzle table"] for ranks in (1, 8, 64)]
    assert held[0] == 4 * 512 * 876_406
    assert held[0] / held[1] == pytest.approx(8, rel=1e-4)
    assert memory(job(1), 64, 0)["puzzle table"] == held[0]
    assert gathered_slots(job(1), 8) > job(1).batch * job(1).slot_bytes


def test_ranks_without_a_slot_are_no_ranks() -> None:
    assert scaled(job(0), 1024, CLUSTER, 0) is None
    last = scaled(job(0), 512, CLUSTER, 0)
    assert last is not None
    assert last.slots == 1
    alone = scaled(job(0), 1, CLUSTER, 0)
    assert alone is not None
    assert alone.efficiency == 1
    assert last.efficiency < 0.2


def test_the_report_says_where_each_run_stops_and_the_figure_is_written(tmp_path: Path) -> None:
    trials = [replace(one.slot_trial, batch=batch) for one in JOBS for batch in SLOT_BATCHES]
    report = {
        "date": "2026-01-01",
        "machine": {"processor": "a processor", "torch": "2"},
        "results": [{"trial": vars(t), "ranks": [{"memory": 10**8 * t.batch}]} for t in trials],
    }
    text = markdown(report, CLUSTER)
    for one in JOBS:
        assert f"- **{one.name}**: half of the ideal speed" in text
        assert f"### {one.name}\n" in text
    assert "| 1024 | fewer slots than ranks |" in text
    assert all(path.stat().st_size > 10_000 for path in draw(report, tmp_path / "scaling", CLUSTER))
