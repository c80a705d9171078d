"""The GPU command runs its parts apart, keeps what each has, and its page says what differs and what is missing."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.contender import Contender
from benchmarks.gpu_page import page
from benchmarks.gpu_parts import agreement, attention, golden, kernels, part, restoring, speed, two_ranks
from benchmarks.gpu_parts.part import Row, read_rows, verdict
from tests.runs import REPOSITORY
from trm.errors import UserError

CPU = torch.device("cpu")


def report(rows: list[Row], problem: str | None = None, remarks: Sequence[str] = ()) -> dict[str, object]:
    on = {"gpu": "A card", "torch": "2.11", "cuda": "13.0", "python": "3.12", "processor": "a chip"}
    parts = [{"number": 3, "title": "some part", "rows": rows, "seconds": 2.0, "problem": problem, "remarks": remarks}]
    return {"machine": on, "date": "2026-11-30T10:00:00", "command": "python -m x", "parts": parts}


@pytest.mark.parametrize("words", ["1,9", "", "one"])
def test_a_part_that_there_is_not_is_refused_with_those_that_there_are(words: str) -> None:
    with pytest.raises(UserError, match="is no part") as refused:
        gpu_check.main(["--parts", words, "--output-dir", "anywhere"])
    assert "3 (agreement)" in refused.value.allowed


def test_the_list_names_every_part_and_needs_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    gpu_check.main(["--list"])
    assert [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()] == list(gpu_check.PARTS)


def test_every_part_is_a_module_that_measures() -> None:
    folder = REPOSITORY / "benchmarks/gpu_parts"
    assert all("\ndef measure(" in (folder / f"{p.module}.py").read_text() for p in gpu_check.PARTS.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_command_says_what_is_missing_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sees no CUDA device"):
        gpu_check.main(["--output-dir", str(tmp_path / "check")])
    assert list(tmp_path.iterdir()) == []


def test_all_parts_that_one_gpu_can_run_fit_into_eight_minutes() -> None:
    assert gpu_check.ALL_SECONDS + 2 * gpu_check.GRACE_SECONDS <= 480


def test_a_part_that_does_not_end_is_ended_at_its_limit(tmp_path: Path) -> None:
    problem = gpu_check.run_limited(["sleep", "1000"], tmp_path / "said", seconds=0.0)
    assert problem is not None
    assert "limit" in problem


def test_what_a_failing_part_said_is_kept(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import sys; print('out'); sys.exit('of memory')"]
    assert (
        gpu_check.run_limited(words, tmp_path / "said", 100.0)
        == "failed with exit code 1; what it had measured is kept"
    )
    assert set((tmp_path / "said").read_text().split("\n")) >= {"out", "of memory"}


def test_a_part_that_fails_leaves_the_rows_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def measure(device: torch.device) -> Iterator[Row]:
        yield {"table": "numbers", "whole": 3, "not a number": math.nan}
        raise ZeroDivisionError

    module = ModuleType("benchmarks.gpu_parts.failing")
    monkeypatch.setattr(module, "measure", measure, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ZeroDivisionError):
        part.run("failing", tmp_path / "rows.json", CPU)
    assert read_rows(tmp_path / "rows.json") == [{"table": "numbers", "whole": 3, "not a number": "nan"}]
    assert read_rows(tmp_path / "nothing yet.json") == []


def test_the_page_has_every_column_of_a_table_and_says_what_differs_and_what_is_missing() -> None:
    rows: list[Row] = [
        {"table": "Numbers", "case": "a|b", "error": 0.25, "": "agrees"},
        {"table": "Numbers", "case": "c", "error": 12345.6, "problem": "no kernel", "": "differs"},
        {"note": "seen by nobody"},
    ]
    text = page(report(rows, "ended at its limit of 9 s"))
    assert "Comparisons that agree: 1; that differ: 1. Part 3: ended at its limit of 9 s." in text
    lines = text.splitlines()
    assert "| case | error |  | problem |" in lines
    assert "| a\\|b | 0.25 | agrees | – |" in lines
    assert "| c | 12,346 | differs | no kernel |" in lines
    assert "seen by nobody" in lines


def test_the_page_and_its_json_are_written_again_over_their_own(tmp_path: Path) -> None:
    for rows in ([], [{"table": "Numbers", "case": "a"}]):
        content = report(rows)
        gpu_check.write_report(tmp_path, "gpu_check", content, page(content), "md")
    assert json.loads((tmp_path / "gpu_check.json").read_text())["parts"][0]["rows"] != []
    assert "| a |" in (tmp_path / "gpu_check.md").read_text()


def test_the_page_tells_where_a_part_went_on_uncompiled() -> None:
    lost = "compile=auto: no C compiler: it goes on uncompiled"
    remarks = gpu_check.remarks(f"a line\n{lost}\n{lost}\nanother")
    assert remarks == [lost]
    assert f"It said: {lost}" in page(report([], remarks=remarks)).splitlines()


def test_what_is_not_a_number_never_agrees() -> None:
    assert (verdict(0.1, 0.1), verdict(0.2, 0.1), verdict(math.nan, 0.1)) == ("agrees", "differs", "differs")
    assert math.isnan(agreement.farthest([1.0, math.nan, 2.0], [1.0, 1.0, 1.0]))
    assert golden.row("case", "float64", {"a": 1.0, "b": math.nan, "c": 2.0}, 1e-3)["of"] == "b"
    assert two_ranks.compared([1.0, 2.0], [math.nan])[""] == "differs"


def test_bfloat16_on_this_processor_agrees_with_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "STEPS", 3)
    (row,) = agreement.measure(CPU, "dis-tiny-tiny", ("off",))
    assert row[""] == "agrees"
    assert 0 < row["largest difference"] < agreement.ALLOWED


def test_a_run_that_is_restored_goes_on_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "RUN", 4)
    rows = list(restoring.measure(CPU, "dis-tiny-tiny-float32-off"))
    assert {row["table"] for row in rows} == {"Restored from a checkpoint", "Two runs of one seed"}
    assert all(row["equal"] == row["losses"] and row[""] == "agrees" for row in rows)


def test_a_run_that_cannot_be_saved_is_said_to_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(learner: object, place: Path) -> None:
        raise UserError("a weight is not finite", "finite numbers", "find out why")

    monkeypatch.setattr(restoring, "RUN", 1)
    monkeypatch.setattr(restoring, "save", refuses)
    row = list(restoring.measure(CPU, "dis-tiny-tiny-float32-off"))[-1]
    assert (row["problem"], row[""]) == ("a weight is not finite", "differs")


def test_attention_is_measured_and_what_has_no_kernel_here_says_so() -> None:
    rows = {row["backend"]: row for row in attention.measure(CPU, {16: 2}) if "backend" in row}
    assert rows["math"]["error"] < attention.ALLOWED
    assert rows["cudnn"]["forward, ms"] is None
    assert rows["cudnn"]["problem"]


def test_the_fastest_attention_is_one_whose_numbers_are_right() -> None:
    def row(name: str, seconds: float | None, error: float) -> Row:
        return {"backend": name, "forward, ms": seconds, "with backward, ms": seconds, "error": error}

    rows = [row("wrong", 1.0, 0.5), row("nan", 1.0, math.nan), row("slow", 6.0, 0.001), row("fast", 2.0, 0.001)]
    assert attention.fastest([*rows, row("absent", None, 0.0)]) == {
        "set": "attention=fast",
        "ms": 2.0,
        "times the next": 3.0,
    }
    assert attention.fastest(rows[:2])["ms"] is None


def test_time_in_which_kernels_overlap_is_counted_once() -> None:
    assert kernels.busy([(5.0, 6.0), (0.0, 4.0), (1.0, 2.0), (3.0, 4.5)]) == 5.5
    seen = [("long", 0.0, 3e3 * kernels.STEPS), ("short", 4e3 * kernels.STEPS, 5e3 * kernels.STEPS)]
    first, second, gpu = kernels.rows("a model", seen)
    assert (first["kernel"], first["ms a step"], first["share"]) == ("long", 3.0, 0.75)
    assert second["kernel"] == "short"
    assert (gpu["ms a step"], gpu["idle share"]) == (5.0, pytest.approx(0.2))
    (note,) = kernels.rows("a model", [])
    assert "CUPTI" in note["note"]


def test_what_cannot_be_measured_here_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def does_not_fit(self: Contender) -> None:
        raise UserError("it is too large", "a smaller one", "leave it out")

    monkeypatch.setattr(Contender, "ready", does_not_fit)
    notes = [row["note"] for row in speed.measure(CPU, ("dis-tiny-tiny-float32-off",))]
    assert notes == ["left out: it is too large"] * 2


@pytest.mark.long
def test_steps_are_timed_beside_the_straightforward_ones() -> None:
    (row,) = speed.measure(CPU, ("dis-tiny-tiny-float32-off",))
    assert row["examples/s"] == pytest.approx(4 / (row["ms"] / 1000))
    assert row["reference / ours"] > 0


@pytest.mark.long
def test_two_ranks_on_this_machine_train_as_one_and_end_where_one_fails() -> None:
    rows = list(two_ranks.measure(CPU, "dis-tiny-tiny-float32-off"))
    assert [row[""] for row in rows] == ["agrees", "agrees"]
