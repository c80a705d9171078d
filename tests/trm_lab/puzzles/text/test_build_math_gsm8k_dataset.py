"""The mathematics set: all categories, files of GSM8K and MATH as they are, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from data import build_math_gsm8k_dataset
from tests.trm_lab.puzzles.builders import arrays, build
from tests.trm_lab.puzzles.text.reading_sets import read
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import read_category_names
from trm_lab.puzzles.text.math_files import final_answer
from trm_lab.puzzles.text.question_sets import PRINTABLE

PUBLISHED = {
    "arithmetic", "algebra", "geometry", "calculus", "statistics", "number_theory", "discrete_mathematics",
    "probability", "linear_algebra", "trigonometry", "sequences", "logic_and_sets", "percentages", "word_problems",
}  # fmt: skip


def write_lines(file: Path, *records: object) -> Path:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return file


def gsm(question: str, final: str = "42") -> dict[str, str]:
    return {"question": question, "answer": f"First 6 * 7 = <<6*7=42>>42.\n#### {final}"}


def math(problem: str, final: str = "\\boxed{42}") -> dict[str, str]:
    return {"problem": problem, "level": "Level 1", "type": "Algebra", "solution": f"So it is {final}."}


def test_the_set_has_all_fourteen_categories_and_no_question_twice(tmp_path: Path) -> None:
    out = build(build_math_gsm8k_dataset, tmp_path / "d", "--train-size", 900, "--test-size", 300)
    about, texts = read(out)
    assert (about.name, about.protocol, about.scorer) == ("math", "clean", "answer")
    assert set(about.facts["categories"]) == PUBLISHED
    assert [len(texts[split]) for split in ("train", "test")] == [900, 300]
    assert len({question for split in texts.values() for question, _ in split}) == 1200
    assert {facts["test"] for facts in about.facts["categories"].values()} == {21, 22}
    assert about.facts["most_common_answer_share"] < 0.1
    scorer = scorer_of(about)
    assert scorer is not None
    inputs, labels, _ = arrays(out, "test")
    assert all(verdict.all() for verdict in scorer(inputs, labels, labels).values())
    shifted = scorer(inputs, labels, np.roll(labels, 1, axis=0))["solved"]  # another category's answers
    assert shifted.mean() < 0.02


def test_gsm8k_files_load_with_their_final_answers(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.jsonl", gsm("A?", "1,450,000"), gsm("B £ ’\n?", "$12.50"), gsm("C?", "-3"))
    test = write_lines(tmp_path / "test.jsonl", gsm("D?", "1,5"))
    out = build(build_math_gsm8k_dataset, tmp_path / "d", "--input", train, "--test-input", test)
    about, texts = read(out)
    assert (about.name, about.protocol, about.scorer) == ("gsm8k-files", "file", "answer")
    assert texts["train"] == [("A?", "1450000"), ("B £ ’\n?", "12.50"), ("C?", "-3")]
    assert texts["test"] == [("D?", "1,5")]
    assert about.facts["sources"]["train"]["records"] == 3
    assert about.facts["characters"].startswith("\n !")
    assert set(about.facts["characters"]) > set(PRINTABLE)
    assert str(tmp_path) not in (out / "manifest.json").read_text()


def test_math_files_load_from_lists_lines_and_folders_of_objects(tmp_path: Path) -> None:
    (tmp_path / "train" / "algebra").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "train" / "algebra" / f"{number}.json").write_text(
            json.dumps(math(f"{number}?", f"\\boxed{{{number}}}"))
        )
    listed = tmp_path / "test.json"
    listed.write_text(json.dumps([math("a?", "\\boxed{\\frac{1}{2}}"), math("b?", "\\boxed 7")]))
    out = build(build_math_gsm8k_dataset, tmp_path / "d", "--input", tmp_path / "train", "--test-input", listed)
    about, texts = read(out)
    assert about.name == "math-files"
    assert about.facts["sources"]["train"]["files"] == 3
    assert texts["train"] == [("0?", "0"), ("1?", "1"), ("2?", "2")]
    assert texts["test"] == [("a?", "\\frac{1}{2}"), ("b?", "7")]
    listed.write_text(json.dumps([math("a?"), math("b?", "nothing")]))
    with pytest.raises(UserError, match=r"test\.json, record 1: no"):
        build(build_math_gsm8k_dataset, tmp_path / "e", "--input", listed, "--test-size", 1)


def test_the_final_answer_is_the_last_box_or_the_number_after_the_last_hashes() -> None:
    boxes = {
        r"first \boxed{1}, then \boxed{\frac{3}{4}}.": r"\frac{3}{4}",
        r"$\boxed{\left\{ x \mid x < 2 \right.}$": r"\left\{ x \mid x < 2 \right.",
        r"\boxed{\text{a } \} b}": r"\text{a } \} b",
        r"\fbox{5}": "5",
        r"so $x = \boxed 5$.": "5",
        r"\boxed{ 3,\! 000 }": r"3,\! 000",
    }
    assert {solution: final_answer("math", solution) for solution in boxes} == boxes
    assert final_answer("gsm8k", "#### 3 is not it\n#### 1,234.50 ") == "1234.50"


def test_long_and_repeated_questions_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_lines(
        tmp_path / "a.jsonl", *map(gsm, ("one?", "one  ?", " one?", "x" * 41, "as\nked", "asked")), gsm("two?", "1" * 9)
    )
    test = write_lines(tmp_path / "b.jsonl", gsm("asked"), gsm("as  ked"), gsm("asked\n"), gsm("y" * 40))
    limits = ("--max-question-length", 40, "--max-answer-length", 8)
    out = build(build_math_gsm8k_dataset, tmp_path / "d", "--input", train, "--test-input", test, *limits)
    about, texts = read(out)
    assert [question for question, _ in texts["train"]] == ["one?", "one  ?"]
    assert about.facts["left_out"] == {
        "train": {"too_long": 2, "repeated": 1, "asked_in_test_too": 2},
        "test": {"too_long": 0, "repeated": 1, "asked_in_test_too": 0},
    }
    assert "left out of train: 2 too long, 1 repeated, 2 asked in test too" in capsys.readouterr().out


def test_one_file_is_split_by_the_seed(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "all.jsonl", *(gsm(f"question {n}?", str(n)) for n in range(30)))
    flags = ("--input", file, "--test-size", 8)
    _, first = read(build(build_math_gsm8k_dataset, tmp_path / "d", *flags))
    _, other = read(build(build_math_gsm8k_dataset, tmp_path / "e", *flags, "--seed", 1))
    assert len(first["test"]) == 8
    assert sorted(first["train"] + first["test"]) == sorted((f"question {n}?", str(n)) for n in range(30))
    assert set(first["test"]) != set(other["test"])
    _, fewer = read(build(build_math_gsm8k_dataset, tmp_path / "f", *flags, "--train-size", 5))
    assert set(fewer["train"]) < set(first["train"])
    assert len(fewer["train"]) == 5


def test_broken_files_are_refused_with_the_place(tmp_path: Path) -> None:
    for content, message in (
        (b'{"question": "a", "answer": "#### 1"}\n{"question": ', "bad.jsonl, line 2: not JSON"),
        (b'[1, 2]\n{"question": "a", "answer": "#### 1"}', "line 1: a list, not an object"),
        (b'{"question": "a"}', "line 1: its keys are question"),
        (b'\n\n{"question": "a", "answer": "1"}', "line 3: no '####' before a final answer"),
        (b'{"question": "a", "answer": "1 ####  "}', "line 1: its final answer is empty"),
        (b'{"question": " ", "answer": "#### 1"}', "line 1: its question is empty"),
        (b'{"question": 7, "answer": "#### 1"}', "line 1: its question is not text"),
        (b'{"problem": "a", "solution": "it is 5"}', r"line 1: no \\boxed"),
        (b'{"problem": "a", "solution": "\\\\boxed{\\\\frac{1}{2}"}', "does not end"),
        (b'{"problem": "a", "solution": "\\\\boxed{}"}', "its final answer is empty"),
        (b'{"question": "caf\xe9", "answer": "#### 1"}', "byte 17 is not UTF-8"),
        (b"\n", "no record in it"),
        (
            '{"question": "b", "answer": "#### 1"}\n{"question": "a\ufffd", "answer": "#### 1"}'.encode(),
            "bad.jsonl, line 2: the character U\\+FFFD",
        ),
        ('{"question": "a", "answer": "#### \ufffd"}'.encode(), "bad.jsonl, line 1: the character U\\+FFFD"),
    ):
        bad = tmp_path / "bad.jsonl"
        bad.write_bytes(content)
        good = write_lines(tmp_path / "good.jsonl", gsm("b?"))
        with pytest.raises(UserError, match=message):
            build(build_math_gsm8k_dataset, tmp_path / "d", "--input", bad, "--test-input", good)
        assert not (tmp_path / "d").exists()


def test_too_many_characters_are_refused_with_the_place_and_the_rarest(tmp_path: Path) -> None:
    left = 253 - len(PRINTABLE)
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + left)))
    most = [gsm(f"{number} {letters}") for number in range(3)]
    train = write_lines(tmp_path / "train.jsonl", *most, gsm("ā ă?"), gsm("ā, again"))
    test = write_lines(tmp_path / "test.jsonl", gsm("b?"))
    flags = ("--input", train, "--test-input", test)
    with pytest.raises(UserError) as refused:
        build(build_math_gsm8k_dataset, tmp_path / "d", *flags)
    assert refused.value.given.startswith(f"{train}, line 4: the first record with more than 253")
    assert "all have 255, the rarest (in how many records): 'ă' (1), 'ā' (2), '一' (3)" in refused.value.given
    write_lines(train, *most, gsm("ā" * 600))  # too long, and so left out with its character
    build(build_math_gsm8k_dataset, tmp_path / "d", *flags)


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "three.jsonl", gsm("a?"), gsm("b?"), gsm("c?"))
    (tmp_path / "empty").mkdir()
    for flags, message in (
        (["--input", "FILE"], "--input without a test split"),
        (["--test-input", "FILE"], "--test-input without --input"),
        (["--input", "FILE", "--test-size", "1", "--categories", "algebra"], "--categories together with"),
        (["--input", "FILE", "--test-size", "4"], "the files hold 3 usable questions"),
        (["--input", "FILE", "--test-size", "3"], "no question is left for the train split"),
        (["--input", "FILE", "--test-input", "FILE"], "no question is left for the train split"),
        (["--input", "FILE", "--test-size", "1", "--train-size", "9"], "--train-size 9"),
        (["--input", "nowhere.jsonl", "--test-size", "1"], "nowhere.jsonl: no such file"),
        (["--input", "EMPTY", "--test-size", "1"], "a folder without .json"),
        (["--categories", "algebr"], "--categories algebr"),
    ):
        given = [{"FILE": str(file), "EMPTY": str(tmp_path / "empty")}.get(flag, flag) for flag in flags]
        with pytest.raises(UserError, match=message):
            build(build_math_gsm8k_dataset, tmp_path / "d", *given)
        assert not (tmp_path / "d").exists()


def test_files_of_math_are_told_apart_by_type_and_those_without_are_not(tmp_path: Path) -> None:
    algebra, geometry = math("A?"), math("B?") | {"type": "Geometry"}
    train, test = write_lines(tmp_path / "a.jsonl", algebra, geometry), write_lines(tmp_path / "b.jsonl", math("C?"))
    out = build(build_math_gsm8k_dataset, tmp_path / "d", "--input", train, "--test-input", test)
    names = read_category_names(out)
    assert names is not None
    assert (names.by, [names.names[n] for n in np.load(out / "train/all__categories.npy")]) == (
        "category",
        ["Algebra", "Geometry"],
    )
    untyped = write_lines(tmp_path / "c.jsonl", gsm("D?"))
    out = build(build_math_gsm8k_dataset, tmp_path / "e", "--input", train, "--test-input", untyped)
    assert read_category_names(out) is None
    assert not (out / "train/all__categories.npy").exists()
