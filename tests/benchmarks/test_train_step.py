"""The command measures, and its table, JSON and figure tell the same."""

import io
import json
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import configurations, figures, limits, machine, results_table, step_model, train_step
from benchmarks.configurations import chosen
from benchmarks.contender import Contender, steps_of_turn
from benchmarks.roofline import Product
from trm.errors import UserError


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder and what was printed, of the smallest measurement."""
    folder = tmp_path_factory.mktemp("benchmark")
    words = "--configurations dis-tiny-tiny-float32 --repeats 2 --threads 1 --device cpu"
    printed = io.StringIO()
    with redirect_stdout(printed):
        train_step.main([*words.split(), "--output-dir", str(folder)])
    return folder, printed.getvalue()


@pytest.mark.long
def test_the_table_shows_the_numbers_of_the_json(measured: tuple[Path, str]) -> None:
    folder, printed = measured
    report = results_table.read(folder / "train_step.json")
    (one,) = report["results"]
    assert printed == (folder / "train_step.txt").read_text() == results_table.as_text(report) + "\n"
    row = next(line for line in printed.splitlines() if line.startswith(one["name"]))
    for side in (one["ours"], one["reference"]):
        shown = [float(word.replace(",", "")) for word in re.findall(r"[\d,.]+(?= \()", row)]
        assert 1000 * side["seconds"]["median"] in [pytest.approx(value, rel=5e-3) for value in shown]
    assert f"{100 * one['ours']['share_of_limit']:.1f} %" in row


@pytest.mark.long
def test_the_json_is_consistent_and_says_where_and_how(measured: tuple[Path, str]) -> None:
    report = json.loads((measured[0] / "train_step.json").read_text())
    (one,) = report["results"]
    for side in (one["ours"], one["reference"]):
        assert len(side["turns"]) == report["repeats"] == 2
        assert side["examples_per_second"] == pytest.approx(one["batch"] / side["seconds"]["median"])
        rate = one["operations_per_example"] * side["examples_per_second"]
        assert side["operations_per_second"] == pytest.approx(rate)
        assert side["share_of_limit"] == pytest.approx(rate / one["limit"]["best"])
        assert side["memory"]["own"] == side["memory"]["peak"] - side["memory"]["baseline"] > 0
    assert one["limit"]["best"] == max(limits["best"] for limits in one["limits_measured"])
    assert len(one["limits_measured"]) == 2
    assert report["command"].startswith("python -m benchmarks.train_step --configurations dis-tiny-tiny")
    assert report["machine"]["torch"] == torch.__version__
    assert report["machine"]["threads"] == 1


@pytest.mark.long
def test_the_figure_is_written_as_png_and_pdf(measured: tuple[Path, str]) -> None:
    assert (measured[0] / "roofline.png").read_bytes().startswith(b"\x89PNG")
    assert (measured[0] / "roofline.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.long
def test_the_markdown_has_one_row_for_each_configuration(
    measured: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    results_table.main([str(measured[0] / "train_step.json")])
    lines = capsys.readouterr().out.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 6, "two tables of a head, a rule and a row"
    assert len({line.count("|") for line in tables[:3]}) == 1


def test_what_holds_no_figures_is_refused_with_what_to_give(tmp_path: Path) -> None:
    for content in ("{}", "[", "[1]"):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(UserError, match=r"train_step\.json or evaluate\.json"):
            results_table.main([str(tmp_path / "other.json")])


def test_names_and_flags_choose_configurations() -> None:
    (one,) = chosen(["trm-medium-nqueens-b7-bfloat16-max"], "cpu", "float32")
    assert (one.method, one.size, one.task, one.batch, one.dtype, one.compile) == (
        *("trm", "medium", "nqueens"),
        *(7, "bfloat16", "max"),
    )
    assert chosen([one.name], "cpu", "float32") == [one]
    many = chosen(["dis-compact-arc"], "cpu", "float32", [1, 2], ["float32", "bfloat16"], ["off", "max"])
    assert len(set(many)) == 8
    assert {c.name for c in chosen(["quick"], "cpu", "float32")} >= {
        "dis-compact-arc-b16-float32-auto",
        "dis-compact-nqueens-b128-float32-auto",
    }
    assert chosen(["all", "dis-compact-arc-b16-float32-off"], "cpu", "float32") == chosen(["all"], "cpu", "float32")


@pytest.mark.parametrize("group", configurations.GROUPS)
def test_every_configuration_of_every_group_can_be_composed(group: str) -> None:
    networks = {(c.method, c.size): c for c in chosen([group], "cpu", "float32")}
    for one in networks.values():
        config, arch = one.composed()
        assert config.global_batch_size == one.batch
        assert arch.supervision == {"trm": "act", "dis": "dis"}[one.method]


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean dis-compact-arc"):
        chosen(["dis-compct-arc"], "cpu", "float32")


def test_an_unknown_name_is_refused_without_a_flag_that_its_command_may_not_have() -> None:
    with pytest.raises(UserError, match=r"^no configuration is called dis-compct-arc\n"):
        step_model.main(["dis-compct-arc"])


def test_bfloat16_is_left_out_with_the_reason_where_the_processor_lacks_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPUINFO", cpuinfo)
    cpu, asked = torch.device("cpu"), chosen(["quick"], "cpu", "float32")
    cpuinfo.write_text("model name : one\nflags : fpu avx2\n")
    wanted, out = train_step.runnable(asked, cpu, force_bfloat16=False)
    assert {one.dtype for one in wanted} == {"float32"}
    assert len(out) == 2
    assert all("no bfloat16 instructions" in reason for reason in out)
    assert train_step.runnable(asked, cpu, force_bfloat16=True) == (asked, [])
    cpuinfo.write_text("flags : fpu avx512_bf16\n")
    assert train_step.runnable(asked, cpu, force_bfloat16=False) == (asked, [])


def test_nothing_to_measure_is_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags : fpu\n")
    with pytest.raises(UserError, match="no bfloat16 instructions"):
        train_step.main(["--configurations", "dis-tiny-tiny-bfloat16", "--device", "cpu"])


def test_a_process_that_cannot_go_on_says_why_and_one_that_died_is_noticed() -> None:
    (one,) = chosen(["dis-tiny-tiny"], "cpu", "x")
    with Contender(one, "ours", torch.device("cpu"), 1) as contender:
        with pytest.raises(UserError, match=r"dis-tiny-tiny-b4-x-auto, ours: arch\.forward_dtype=x"):
            contender.ready()
        with pytest.raises(UserError, match="its process ended"):
            contender._ask(end_process)


def end_process(*_: object) -> None:
    os._exit(1)


def test_turns_of_several_steps_hold_whole_examples() -> None:
    assert steps_of_turn(9.0, 6) == 1
    assert steps_of_turn(0.1, 6) == 6
    assert steps_of_turn(0.001, 6) % 6 == 0


def test_limits_are_of_the_moment_and_the_shapes() -> None:
    found = limits.measure([Product(4, 8, 8)], 2, torch.float32, torch.device("cpu"))
    assert found.best >= max(found.square, found.own) > 0
    assert found.copied > 0


def test_every_side_of_a_report_is_drawn() -> None:
    part: dict[str, Any] = {
        "seconds": {"median": 1.0, "low": 0.9, "high": 1.2},
        "operations_per_second": 2e10,
        "share_of_limit": 0.2,
    }
    one = {
        "name": "a",
        "dtype": "float32",
        "intensity": 20.0,
        "limit": {"best": 1e11, "copied": 1e10},
        "ours": part,
        "reference": part,
    }
    on = {"processor": "p", "threads": 1, "torch": "t"}
    report = {"results": [one, one], "machine": on, "date": "2020-01-01T", "repeats": 2}
    (axes,) = figures.roofline(report).axes
    assert len(axes.containers) == 4, "ours and reference of both"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(14.7, "14,700"), (0.1184, "118"), (0.01184, "11.8"), (1.184e-4, "0.118")]
)
def test_milliseconds_have_three_digits_and_no_exponent(seconds: float, shown: str) -> None:
    assert results_table.three_digits(1000 * seconds) == shown
