"""Nothing that shows a run's records elsewhere delays or ends the run; what cannot work is known before it starts."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tests.trm_lab.training import stub_wandb
from trm.errors import UserError
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.runs.run_directory import RunDirectory
from trm_lab.training import mirrors
from trm_lab.training.mirrors import Mirror, follow_run, open_mirrors, wandb_mode

NOBODY = "http://127.0.0.1:9"  # the port "discard", where nobody listens
Configure = Callable[..., TrainConfig]


class _Run(RunDirectory):
    def identity(self) -> str:
        return "ab12"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Mirror a run of these steps, of which `later` are written while it is mirrored; what the stub was told."""
    monkeypatch.setattr(mirrors, "FINISH_SECONDS", 3.0)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.jsonl").touch()

    def show(opened: list[Mirror], steps: range, later: range = range(0), offset: int = 0) -> list[dict[str, Any]]:
        run = _Run(tmp_path / "run")
        write(run.metrics, steps)
        follow_run(opened, configured(tmp_path), run, offset)
        write(run.metrics, later)
        for mirror in opened:
            mirror.close()
        log = tmp_path / "told"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return show


@pytest.fixture
def wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put the stub in the package's place; its faults may be set, and where its server is."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    shutil.copy(stub_wandb.__file__, folder / "wandb.py")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("STUB_WANDB_LOG", str(tmp_path / "told"))
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def change(faults: str = "", reached: bool = False) -> None:
        monkeypatch.setenv("STUB_WANDB", faults)
        if reached:  # what answers need not be a web server of wandb
            monkeypatch.setenv("WANDB_BASE_URL", (tmp_path / "stubs").as_uri() + "/wandb.py")

    return change


def configured(folder: Path, **keys: Any) -> TrainConfig:
    given = {"wandb": "disabled", "arch": {"supervision": "dis"}, **keys}
    return TrainConfig(data_paths=["data/some"], checkpoint_path=str(folder / "run"), **given)


def write(metrics: Path, steps: range) -> None:
    with metrics.open("a") as file:
        for step in steps:
            file.write(json.dumps({"kind": "train", "step": step, "loss": step / 4, "list": [1.5]}) + "\n")


def refusal(folder: Path, **keys: Any) -> str:
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        open_mirrors(configured(folder, **keys))
    assert time.monotonic() - started < stub_wandb.HANGS / 2
    assert len(str(error.value).splitlines()) == 3
    return str(error.value)


def test_online_gets_every_record_also_those_that_are_written_meanwhile(
    tmp_path: Path, wandb: Callable[..., None], shown: Callable[..., list[dict[str, Any]]]
) -> None:
    wandb(reached=True)
    told = shown(open_mirrors(configured(tmp_path, wandb="online")), range(1, 4), range(4, 40))
    assert told[0] == {"mode": "online", "id": "ab12", "project": "some-dis", "dir": str(tmp_path / "run"), "seed": 0}
    assert [one["step"] for one in told[1:-2]] == list(range(1, 40))
    assert told[1]["loss"] == 0.25
    assert told[-2:] == [{"finished": True}, {"teardown": True}]


def test_a_resumed_run_sends_what_the_server_lacks_and_offline_what_is_new(
    tmp_path: Path,
    wandb: Callable[..., None],
    shown: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wandb(reached=True)
    monkeypatch.setenv("STUB_WANDB_STEP", "3")
    told = shown(open_mirrors(configured(tmp_path, wandb="online")), range(1, 5), range(5, 7))
    assert [one["step"] for one in told if "step" in one] == [3, 4, 5, 6]
    (tmp_path / "told").unlink()
    size = (tmp_path / "run/metrics.jsonl").stat().st_size
    told = shown(open_mirrors(configured(tmp_path, wandb="offline")), range(7, 9), offset=size)
    assert [one["step"] for one in told if "step" in one] == [7, 8]


@pytest.mark.parametrize(
    ("faults", "problem"), [("no key", "No API key"), ("", "cannot be reached"), ("silent server", "no answer within")]
)
def test_online_that_cannot_work_is_an_error_of_three_lines_before_anything_starts(
    tmp_path: Path, wandb: Callable[..., None], monkeypatch: pytest.MonkeyPatch, faults: str, problem: str
) -> None:
    wandb(faults, reached=faults == "silent server")
    monkeypatch.setattr(mirrors, "CONNECT_SECONDS", 2.0)
    said = refusal(tmp_path, wandb="online")
    assert problem in said
    assert "wandb=offline" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("faults", ["no key", "", "silent server"])
def test_auto_that_cannot_reach_its_server_is_offline_and_says_so_in_a_line(
    tmp_path: Path,
    wandb: Callable[..., None],
    shown: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    faults: str,
) -> None:
    wandb(faults, reached=faults == "silent server")
    monkeypatch.setenv("WANDB_API_KEY", "x")
    monkeypatch.setattr(mirrors, "CONNECT_SECONDS", 2.0)
    opened = open_mirrors(configured(tmp_path, wandb="auto"))
    (said,) = capfd.readouterr().out.splitlines()
    assert "recorded offline" in said
    assert shown(opened, range(1, 3))[0]["mode"] == "offline"


def test_auto_without_the_package_says_so_and_offline_without_it_is_refused(
    tmp_path: Path, wandb: Callable[..., None], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb()
    (tmp_path / "stubs/wandb.py").write_text("raise ImportError('no such package')")
    monkeypatch.setenv("WANDB_API_KEY", "x")
    assert open_mirrors(configured(tmp_path, wandb="auto")) == []
    assert "metrics.jsonl alone" in capfd.readouterr().out
    assert "pip install wandb" in refusal(tmp_path, wandb="offline")


@pytest.mark.parametrize(
    ("faults", "problem"),
    [("log", "No space left on device"), ("finish", "did not end within 3 seconds"), ("init", "permission denied")],
)
def test_what_fails_or_hangs_during_the_run_is_said_and_nothing_more(
    tmp_path: Path,
    wandb: Callable[..., None],
    shown: Callable[..., list[dict[str, Any]]],
    capfd: pytest.CaptureFixture[str],
    faults: str,
    problem: str,
) -> None:
    wandb(faults, reached=True)
    opened = open_mirrors(configured(tmp_path, wandb="online"))
    started = time.monotonic()
    shown(opened, range(1, 3))
    assert time.monotonic() - started < stub_wandb.HANGS / 2
    said = capfd.readouterr().err
    assert problem in said
    assert "training goes on" in said
    assert "Traceback" not in said


def test_wandb_s_own_variable_may_be_empty_and_must_make_sense(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mirrors, "_logged_in", lambda: False)
    for value, mode in (("", "disabled"), (" ", "disabled"), ("dryrun", "offline"), ("online", "online")):
        monkeypatch.setenv("WANDB_MODE", value)
        assert wandb_mode("auto") == mode
    monkeypatch.setenv("WANDB_MODE", "foo\x1b[2J")
    assert wandb_mode("disabled") == "disabled"
    for key in ("auto", "online", "offline"):
        assert "WANDB_MODE=foo\\x1b" in refusal(tmp_path, wandb=key)


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """Every number of every event file, also if it is there twice."""
    events = [event for file in sorted(folder.iterdir()) for event in EventFileLoader(str(file)).Load()]
    return [
        (value.tag, event.step, value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value)
        for event in events
        for value in event.summary.value
    ]


def test_tensorboard_has_every_record_once_also_of_a_resumed_run(
    tmp_path: Path, shown: Callable[..., list[dict[str, Any]]]
) -> None:
    shown(open_mirrors(configured(tmp_path, tensorboard=True)), range(1, 3), range(3, 6))
    found = scalars(tmp_path / "run/tensorboard")
    assert [one for one in found if one[0] == "train/loss"] == [("train/loss", s, s / 4) for s in range(1, 6)]
    assert {tag for tag, _, _ in found} == {"train/loss", "train/list/1"}
    os.truncate(tmp_path / "run/metrics.jsonl", 0)  # a checkpoint lies before the last records
    write(tmp_path / "run/metrics.jsonl", range(1, 4))
    shown(open_mirrors(configured(tmp_path, tensorboard=True)), range(4, 8))
    again = [one for one in scalars(tmp_path / "run/tensorboard") if one[0] == "train/loss"]
    assert again == [("train/loss", s, s / 4) for s in range(1, 8)]


def test_tensorboard_without_its_package_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorboard.py").write_text("raise ImportError('no such package')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "pip install tensorboard" in refusal(tmp_path, tensorboard=True)


@pytest.mark.parametrize("keys", [{"wandb": "offline"}, {"tensorboard": True}], ids=str)
def test_nothing_is_written_through_a_link_in_the_run_s_folder(tmp_path: Path, keys: dict[str, Any]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "mine").mkdir()
    for name in ("wandb", "tensorboard"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "mine")
    assert "is a link" in refusal(tmp_path, **keys)


def test_a_mirror_of_a_run_that_never_starts_ends_with_it(tmp_path: Path) -> None:
    (mirror,) = open_mirrors(configured(tmp_path, tensorboard=True))
    mirror.close()
    mirror.close()
    assert mirror._process.poll() is not None
