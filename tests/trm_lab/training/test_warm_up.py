"""What is said of a run's speed leaves out the first steps of each launch, which compile and choose kernels."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from analysis.comparing.costs import seconds_per_update
from tests.models import batch, dis
from tests.trm_lab.training.learners import learner
from trm_lab.cluster.compilation import warm_up_steps
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.progress import Progress
from trm_lab.runs.recorded_training import Training
from trm_lab.training.metric_window import Window

SLOTS = 8


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time.monotonic gives."""
    now = [0.0]
    monkeypatch.setattr("trm_lab.training.metric_window.time.monotonic", lambda: now[0])
    return now


def timing(clock: list[float], steps: int, cold: bool) -> dict[str, Any]:
    """Of a record of so many steps of a second each; the first of a launch takes a hundred."""
    one, window = learner(dis()), Window()
    for step in range(steps):
        clock[0] += 100.0 if cold and step == 0 else 1.0
        window.add(one.step(batch(SLOTS)).output)
        if cold and step == 0:
            window.warm_up()
    window.close(Ranks(), {}, SLOTS, EnergyMeter(torch.device("cpu")))
    return window.record()["timing"]


def test_examples_a_second_are_of_the_steps_after_the_warm_up(clock: list[float]) -> None:
    first, second = timing(clock, 5, True), timing(clock, 5, False)
    assert first["examples_per_second"] == second["examples_per_second"] == SLOTS
    assert (first["seconds"], second["seconds"]) == (104.0, 5.0)
    assert (first["warm_up_steps"], first["warm_up_seconds"]) == (1, 100.0)
    assert "warm_up_steps" not in second


def test_a_record_of_nothing_but_warm_up_tells_no_speed(clock: list[float]) -> None:
    alone = timing(clock, 1, True)
    assert alone["examples_per_second"] is None
    assert alone["seconds"] == alone["warm_up_seconds"] == 100.0


def test_a_compiled_step_warms_up_until_its_graph_is_recorded() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert [warm_up_steps(mode, cpu) for mode in ("off", "auto", "max")] == [1, 1, 4]
    assert [warm_up_steps(mode, cuda) for mode in ("off", "auto", "max")] == [1, 4, 4]


def test_the_time_left_is_reckoned_without_the_warm_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("trm_lab.commands.progress.time.monotonic", lambda: now[0])
    progress = Progress(102, 0, shown=True)
    for step in range(12):
        now[0] += 1000.0 if step == 0 else 2.0
        progress.advance()
        if step == 0:
            progress.start_clock()
        progress.describe({"loss": 1.0, "step_accuracy": []})
    lines = capsys.readouterr().out.splitlines()
    assert "left" not in lines[0]
    assert re.search(r"update \d+/102, .*, (\d):(\d\d) left", lines[-1])
    left = lines[-1].split(", ")[-1]
    assert left.startswith("3:")  # of some 90 steps of 2 s


def test_the_seconds_of_an_update_are_without_the_warm_up() -> None:
    none = np.zeros(0)
    step = np.array([10, 20])
    training = Training(
        step=step,
        loss=none,
        step_accuracy=none,
        seconds=np.array([1009.0, 10.0]),
        examples_per_second=none,
        network_calls=step,
        epoch=none,
        joules=none,
        warm_up_steps=np.array([1, 0]),
        warm_up_seconds=np.array([1000.0, 0.0]),
    )
    assert seconds_per_update(training) == 1.0
