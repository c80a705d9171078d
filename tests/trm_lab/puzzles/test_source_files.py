"""Whatever form the sources of a dataset have: the same content is read alike, and what is no such file is named."""

import os
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.puzzles import source_files
from trm_lab.puzzles.maze import builder as build_maze_dataset
from trm_lab.puzzles.published_csv import published_files, read_rows
from trm_lab.puzzles.sudoku import extreme_builder as build_sudoku_dataset
from trm_lab.puzzles.text.math_files import read_records
from trm_lab.puzzles.text.math_files import source_files as math_sources

HEADER = "source,question,answer,rating"
ROWS = [["a", "12", "34", "1"], ["b", "56", "78", "2"]]
PLAIN = f"{HEADER}\na,12,34,1\nb,56,78,2\n"
OTHER_ORDER = "rating,answer,question,source\n1,34,12,a\n2,78,56,b\n"
MORE = "id,source,question,answer,rating,\n7,a,12,34,1,\n8,b,56,78,2,\n"
GSM = '{"question": "1+1?", "answer": "#### 2"}'


def rows(file: Path) -> list[tuple[int, list[list[str]]]]:
    return list(read_rows(file))


def test_the_same_records_are_read_from_every_form_of_csv(tmp_path: Path) -> None:
    contents = [
        *(PLAIN, "\ufeff" + PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN + "\n", PLAIN + " \n\n", PLAIN + "   "),
        *(PLAIN + ",,,\n", PLAIN.replace("12", '"12"').replace("source", '"source"')),
        *(PLAIN.replace(",answer,", ", answer ,"), OTHER_ORDER, MORE),
    ]
    for content in contents:
        for split in ("train", "test"):
            (tmp_path / f"{split}.csv").write_text(content, encoding="utf-8", newline="")
        for file in published_files(tmp_path, "").values():
            assert rows(file) == [(2, ROWS)], content


BROKEN = (
    (PLAIN.replace("rating", "answer").encode(), "line 1: the columns are source,question,answer,answer"),
    (MORE.replace("id,", "source,").encode(), "line 1: the column source twice"),
    (PLAIN.encode("utf-16"), ": no text in UTF-8"),
    (PLAIN.replace(",", ";").encode(), "line 1: the columns are source;question;answer;rating"),
    (PLAIN.replace("\nb", "\n\nb").encode(), "line 3: 0 columns instead of 4"),
    (PLAIN.encode() + b"x" * (6 << 20) + b"\n", "line 4: a line of more than 1,048,576 bytes"),
    (b"x" * (6 << 20) + b"\n", "line 1: field larger than field limit"),
    (b"\n\n", ": its first line is empty"),
)


def test_a_broken_csv_is_named_with_its_line_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    for content, problem in BROKEN:
        file.write_bytes(content)
        with pytest.raises(UserError) as error:
            rows(file)
        assert problem in error.value.given
        assert len(error.value.given) < 400 + len(str(file))
        assert "\n" not in error.value.given


def test_a_source_that_cannot_be_read_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:  # whoever runs the tests may be allowed everything
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("folder", "fifo", "missing", "unreadable"):
        if name == "unreadable":
            monkeypatch.setattr(source_files, "open_regular", refuse)
        for read in (rows, read_records):
            with pytest.raises(UserError, match=f"{name}: ") as error:
                read(tmp_path / name)
            assert all((error.value.allowed, error.value.remedy))


def test_records_of_questions_have_no_key_twice_and_hidden_files_are_no_sources(tmp_path: Path) -> None:
    for name in ("a.json", "a.jsonl"):
        (tmp_path / name).write_text(GSM[:-1] + ', "question": "2+2?"}\n')
        with pytest.raises(UserError, match="the key 'question' twice"):
            read_records(tmp_path / name)
        (tmp_path / name).unlink()
    (tmp_path / "a.jsonl").write_text("\ufeff" + GSM + "\r\n\r\n")
    (tmp_path / "._a.jsonl").write_bytes(b"\0\5")
    assert math_sources([tmp_path]) == [tmp_path / "a.jsonl"]
    assert [record.answer for record in read_records(tmp_path / "a.jsonl")] == ["2"]


def test_an_empty_name_of_a_repository_is_not_taken_for_the_usual_one(tmp_path: Path) -> None:
    for builder in (build_sudoku_dataset, build_maze_dataset):
        with pytest.raises(UserError, match="is no name"):
            builder.main(["--source-repo", "", "--output-dir", str(tmp_path / "out")])
