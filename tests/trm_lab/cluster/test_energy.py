"""Energy: what the counters say, also when they begin again; nothing where there are none."""

from pathlib import Path

import pytest
import torch

from trm_lab.cluster.energy import EnergyMeter

CPU = torch.device("cpu")


def package(root: Path, number: int, microjoules: int, most: int = 1_000_000) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "max_energy_range_uj").write_text(f"{most - 1}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_all_packages_count_and_their_parts_do_not(tmp_path: Path) -> None:
    package(tmp_path, 0, 100_000)
    package(tmp_path, 1, 200_000)
    package(tmp_path / "x", 0, 0).rename(tmp_path / "intel-rapl:0:0")
    meter = EnergyMeter(CPU, tmp_path)
    assert meter.known
    assert meter.spent() == 0
    package(tmp_path, 0, 350_000)
    package(tmp_path, 1, 300_000)
    (tmp_path / "intel-rapl:0:0/energy_uj").write_text("999999")
    assert meter.spent() == pytest.approx(0.35)
    assert meter.spent() == 0


def test_a_counter_that_begins_again_loses_nothing(tmp_path: Path) -> None:
    package(tmp_path, 0, 900_000)
    meter = EnergyMeter(CPU, tmp_path)
    package(tmp_path, 0, 100_000)
    assert meter.spent() == pytest.approx(0.2)


def test_without_counters_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not EnergyMeter(CPU, tmp_path).known
    assert EnergyMeter(CPU, tmp_path).spent() == 0
    package(tmp_path, 0, 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not EnergyMeter(CPU, tmp_path).known
