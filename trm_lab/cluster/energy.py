"""Energy that a device has spent, where it reports it: NVIDIA's counters through NVML, a processor's through RAPL.

A GPU's counter needs the package nvidia-ml-py (extra `cuda`). A processor's is Linux's powercap, which often only root
may read; it counts everything that the processor does, whoever asked for it.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:[0-9]*"  # AMD's processors are under this name, too; parts of one have a second colon

Counter = Callable[[], float]  # joules, since some moment


class EnergyMeter:
    """Joules that this rank's device spent between two readings.

    known: whether the device reports any.
    """

    def __init__(self, device: torch.device, powercap: Path = POWERCAP) -> None:
        self._counters = _of_gpu(device) if device.type == "cuda" else _of_processor(powercap)
        self._before = [count() for count in self._counters]

    @property
    def known(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._counters)

    def spent(self) -> float:
        """Joules since the last call, or since this was made; 0 where nothing is reported."""
        now = [count() for count in self._counters]
        passed = sum(after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return passed


def _of_gpu(device: torch.device) -> list[Counter]:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError:  # older than Volta, or a part of a GPU
        return []
    return [lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3]


def _of_processor(powercap: Path) -> list[Counter]:
    """Each package's counter; of several ranks on a machine only the first one's reads them."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return []
    packages = sorted(p for p in powercap.glob(PACKAGES) if p.name.count(":") == 1)
    try:
        return [_Package(package) for package in packages]
    except (OSError, ValueError):
        return []


class _Package:
    """A counter that begins again at 0 after its range."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text(encoding="utf-8"))
        self._last, self._total = int(self._file.read_text(encoding="utf-8")), 0

    def __call__(self) -> float:
        now = int(self._file.read_text(encoding="utf-8"))
        self._total += (now - self._last) % (self._range + 1)
        self._last = now
        return self._total / 1e6
