"""Command lines: what an integer is, and what an interrupt is answered with."""

import argparse
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from tests.runs import REPOSITORY, environment
from trm.errors import UserError
from trm_lab.commands.command_line import (
    CommandLine,
    integer,
    local_path,
    number,
    path_or_address,
    run_builder,
    run_command,
)


def test_a_key_of_the_training_commands_in_place_of_a_flag_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = CommandLine("evaluate.py", "Scores.")
    line.add_argument("target", nargs="?")
    line.add_argument("--data-path")
    for word in ("data_path=x", "+data_path=x"):
        with pytest.raises(UserError, match="data_path=x") as refused:
            line.parse([word])
        assert refused.value.remedy == "did you mean --data-path x?"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_path=x").touch()
    assert line.parse(["data_path=x"]).target == "data_path=x"
    assert line.parse(["--data-path", "data_path=y"]).data_path == "data_path=y"
    assert line.parse(["name=x"]).target == "name=x"


def test_numbers_are_finite_and_in_range() -> None:
    assert [integer(-2, 9)(text) for text in ("-2", "0", "007")] == [-2, 0, 7]
    assert [number(0, 1)(text) for text in ("0", "1e-3", ".5")] == [0, 1e-3, 0.5]
    for text in ("nan", "inf", "-inf", "1e400", "-1e-9", "1.1", "", "0x1", "1e", "0" * 5000):
        with pytest.raises(argparse.ArgumentTypeError):
            number(0, 1)(text)
    for text in ("31", "-4"):
        with pytest.raises(argparse.ArgumentTypeError, match=rf"^{text} is out of range; .* integer in 1\.\.30"):
            integer(1, 30)(text)
    for text in ("9" * 5000, "x", "1.5", "", "--3", "3-", " 3", "\u0663", "1e3"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no integer"):
            integer(1, 30)(text)


def test_a_path_may_begin_with_the_home_folder_and_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert local_path("~/runs") == Path("/home/someone/runs")
    assert path_or_address("hf://owner/name") == "hf://owner/name"
    for text in ("", "  ", "a\0b", "~nobody-of-this-name/x"):
        with pytest.raises(argparse.ArgumentTypeError):
            local_path(text)


def test_an_interrupt_says_what_became_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    for command, message in ((run_builder, "nothing was written"), (run_command, "resumes a run")):
        with pytest.raises(SystemExit) as ended:
            command(interrupted)
        assert ended.value.code == 130
        assert message in capsys.readouterr().err
    for file in sorted((REPOSITORY / "data").glob("build_*.py")):
        assert file.read_text().endswith('if __name__ == "__main__":\n    run_builder(main)\n'), file


@pytest.mark.parametrize("entry", ["evaluate.py a_run", "pretrain.py"])
def test_an_interrupt_while_libraries_load_is_no_traceback(entry: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt")
    script, *arguments = entry.split()
    words = [sys.executable, str(REPOSITORY / script), *arguments]
    paths = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    done = subprocess.run(words, env={**environment(), **paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert re.fullmatch(r"\S+: loading .*\ninterrupted(; .*)?\n", done.stderr)


def test_the_help_of_an_optimised_python_is_that_of_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = types.ModuleType("__main__")
    program.__file__ = str(tmp_path / "x.py")
    (tmp_path / "x.py").write_text('"""Does it.\\n\\nx.py a"""', encoding="utf-8")
    monkeypatch.setitem(sys.modules, "__main__", program)
    assert CommandLine("x.py", None).format_help() == CommandLine("x.py", "Does it.\n\nx.py a").format_help()


def test_what_is_allowed_for_a_flag_is_told_as_such() -> None:
    line = CommandLine("x.py", "Does it.")
    line.add_argument("--size", type=integer(1, 9))
    line.add_argument("--form", choices=("hub", "kaggle"))
    for words, allowed in ((("--size", "10"), "an integer in 1..9"), (("--form", "x"), "hub.*kaggle'?$")):
        with pytest.raises(UserError) as refused:
            line.parse(words)
        assert re.search(allowed, refused.value.allowed)
        assert words[0] in refused.value.given
        assert "choose" not in refused.value.given


def test_another_rank_says_what_is_wrong_and_what_to_do_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise UserError("arch=trn", "arch=trm", "correct it")

    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        run_command(fails)
    assert capsys.readouterr().err == "error on rank 1: arch=trn; allowed: arch=trm; to do: correct it\n"


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (
            UserError("arch=trn", "arch=trm", "correct it"),
            "error: arch=trn\n    allowed: arch=trm\n    to do:   correct it",
        ),
        (ZeroDivisionError("a fault"), "ZeroDivisionError: a fault"),
    ],
)
def test_torchrun_s_report_of_a_failed_rank_ends_with_what_was_wrong(
    error: Exception, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    with pytest.raises((SystemExit, ZeroDivisionError)):
        run_command(fails)
    failure = ProcessFailure(local_rank=0, pid=1, exitcode=2, error_file=str(tmp_path / "error.json"))
    report = str(ChildFailedError("pretrain.py", {0: failure}))
    assert report.rstrip("=\n ").endswith(end)
