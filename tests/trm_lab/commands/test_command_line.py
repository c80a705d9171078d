"""Command lines: what an integer is, and what an interrupt is answered with."""

import argparse
import re
import sys
import types
from pathlib import Path

import pytest

from tests.runs import REPOSITORY
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


def test_a_key_in_place_of_a_flag_names_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = CommandLine("evaluate.py", "Scores.")
    line.add_argument("target", nargs="?")
    line.add_argument("--data-path")
    with pytest.raises(UserError, match="data_path=x") as refused:
        line.parse(["data_path=x"])
    assert refused.value.remedy == "did you mean --data-path x?"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_path=x").touch()
    assert line.parse(["data_path=x"]).target == "data_path=x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "0 is out of range; allowed is an integer in 1..30"),
        ("31", "31 is out of range; allowed is an integer in 1..30"),
        ("-4", "-4 is out of range"),
        ("9" * 5000, f"'{'9' * 40}…' is no integer"),
        *((text, f"{text!r} is no integer") for text in ("x", "1.5", "", "--3", "3-", " 3", "\u0663", "1e3")),
    ],
)
def test_what_is_no_integer_or_out_of_range_is_called_so(text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        integer(1, 30)(text)
    assert str(refused.value).startswith(message)


def test_integers_in_range_are_read() -> None:
    assert [integer(-2, 9)(text) for text in ("-2", "0", "007")] == [-2, 0, 7]


def test_numbers_are_finite_and_in_range() -> None:
    assert [number(0, 1)(text) for text in ("0", "1e-3", ".5")] == [0, 1e-3, 0.5]
    for text in ("nan", "inf", "-inf", "1e400", "-1e-9", "1.1", "", "0x1", "1e", "0" * 5000):
        with pytest.raises(argparse.ArgumentTypeError):
            number(0, 1)(text)


def test_a_path_may_begin_with_the_home_folder_and_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert local_path("~/runs") == Path("/home/someone/runs")
    assert path_or_address("hf://owner/name") == "hf://owner/name"
    for text in ("", "  ", "a\0b", "~nobody-of-this-name/x"):
        with pytest.raises(argparse.ArgumentTypeError):
            local_path(text)


def interrupted() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_builder_says_that_nothing_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_builder(interrupted)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; nothing was written\n"


@pytest.mark.parametrize("file", sorted((REPOSITORY / "data").glob("build_*.py")), ids=lambda file: file.stem)
def test_every_builder_ends_as_a_builder(file: Path) -> None:
    assert file.read_text().endswith('if __name__ == "__main__":\n    run_builder(main)\n')


def test_an_interrupted_run_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(interrupted)
    assert ended.value.code == 130
    assert "resumes a run" in capsys.readouterr().err


def test_a_key_of_the_training_commands_in_place_of_a_flag_is_named(tmp_path: Path) -> None:
    line = CommandLine("evaluate.py", "Score.")
    line.add_argument("target", nargs="?")
    line.add_argument("--checkpoint")
    line.add_argument("--option")
    for word in ("checkpoint=step_3", "+checkpoint=step_3"):
        with pytest.raises(UserError, match="did you mean --checkpoint step_3"):
            line.parse([word])
    assert line.parse(["--option", "checkpoint=x"]).option == "checkpoint=x"
    assert line.parse(["name=x"]).target == "name=x"


def test_the_help_of_an_optimised_python_is_that_of_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
