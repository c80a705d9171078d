"""The page to play with, as a file: whole in itself, with the weights that were asked for, or an error."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from analysis.play import __main__ as command
from analysis.play.models import model_folders, puzzle_sets
from tests.analysis.small_models import MAZE, MLP, QUEENS, SUDOKU, small_dis, small_trm, written
from tests.exportable import random_dis
from trm.errors import UserError
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs.opened_checkpoint import open_checkpoint
from trm_lab.runs.puzzle_description import PuzzleDescription


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of exports, as pretrained/ is."""
    folder = tmp_path_factory.mktemp("exports")
    for name, supervision in {"queens_trm": small_trm(QUEENS), "sudoku_dis": small_dis(SUDOKU, **MLP)}.items():
        run = written(folder.parent / f"run_{name}", supervision)
        export(ExportRequest(str(run), "hub", folder / name))
    (folder / "README.md").write_text("what they are")
    return folder


def test_the_page_is_one_file_whose_policy_names_its_own_style_and_program(
    exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(command.webbrowser, "open", opened.append)
    file = tmp_path / "play.html"
    for _ in range(2):  # the second time it replaces its own file
        command.main([str(exports), "--output", str(file)])
    assert capsys.readouterr().out == f"{file}\n" * 2
    assert opened == [file.resolve().as_uri()] * 2
    html = file.read_text()
    style, program = re.findall(r"<style>(.*?)</style>|<script>(.*?)</script>", html, re.DOTALL)
    for text in (style[0], program[1]):
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in html
    assert not re.search(r"(src|href)=\"(?!data:|#)|https?:(?!//www\.w3\.org/2000/svg)", html)


def test_models_are_grouped_by_kind_and_size(exports: Path, tmp_path: Path) -> None:
    folders = [
        *model_folders(exports),
        written(tmp_path / "maze", small_dis(MAZE)),
        written(tmp_path / "more", small_trm(SUDOKU)),
    ]
    sets = puzzle_sets([open_checkpoint(folder) for folder in folders])
    assert [(each["kind"], each["tokens"], [model["method"] for model in each["models"]]) for each in sets] == [
        ("sudoku", 36, ["DIS", "TRM"]), ("queens", 16, ["TRM"]), ("maze", 25, ["DIS"])
    ]  # fmt: skip


def test_the_kind_is_the_one_that_the_checkpoint_records(tmp_path: Path) -> None:
    """Without a record, 16 cells of 6 tokens are a sudoku."""
    opened = open_checkpoint(written(tmp_path / "run", small_dis(replace(MAZE, seq_len=16))))
    maze = PuzzleDescription("maze-4x4", "maze", 16, 6, {"side": 4})
    for record, kind in ((None, "sudoku"), (maze, "maze")):
        (each,) = puzzle_sets([replace(opened, puzzle=record)])
        assert each["kind"] == kind


def test_what_cannot_be_played_with_is_refused(tmp_path: Path) -> None:
    run = written(tmp_path / "run", random_dis())
    for words, message in {
        (str(tmp_path / "nowhere"),): "no weights at",
        (str(run),): "answers no puzzles of these kinds",
    }.items():
        with pytest.raises(UserError, match=message):
            command.main([*words, "--output", str(tmp_path / "play.html")])
    assert not (tmp_path / "play.html").exists()


@pytest.mark.parametrize("folder", sorted(command.SHIPPED.glob("*/")), ids=lambda folder: folder.name)
def test_the_weights_that_ship_are_small_and_say_where_they_come_from(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 1_000_000
    assert "commit of the code: `" in (folder / "README.md").read_text()
    (each,) = puzzle_sets([open_checkpoint(folder)])
    assert folder.name.startswith(each["kind"])
    assert folder.name.endswith(each["models"][0]["method"].lower())
