"""reasoning-gym's verifiers as scorers: right answers, wrong ones, and answers that hang or crash a verifier."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trm_lab.puzzles.reasoning_gym.stub_library import STUB, install_stub
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.reasoning_gym import process as reasoning_gym_process
from trm_lab.puzzles.reasoning_gym.process import ReasoningGym, place
from trm_lab.puzzles.text.tokens import MASK, PAD, TextTokens

CHARACTERS = "".join(map(chr, range(32, 127))) + "\n"
TOKENS = TextTokens(CHARACTERS)


def facts(task: str, lengths: tuple[int, int] = (40, 30), **options: object) -> dict[str, Any]:
    return {"task": task, "options": options, "seed": 0, "test_scanned": 100, **TOKENS.facts(*lengths)}


def judge(about: dict[str, Any], questions: Sequence[str], answers: Sequence[str]) -> dict[str, list[bool]]:
    """Verdicts on answers given as text."""
    lengths = about["question_length"], about["answer_length"]
    inputs, predictions = TOKENS.encode_pairs(questions, answers, *lengths)
    scorer = scorer_of(About("gym", 1, "clean", "reasoning_gym", about))
    assert scorer is not None
    return {name: values.tolist() for name, values in scorer(inputs, predictions, predictions).items()}


def questions(task: str, count: int, **options: object) -> list[str]:
    seed, _ = place(0, "test", 0)
    entries = ReasoningGym(task, options).entries(seed, 0, count)
    return [entry.question for entry in entries if entry is not None]


def total(question: str) -> int:
    return sum(map(int, question.split(" + ")))


@pytest.mark.usefixtures("stub")
def test_the_verifier_decides_not_the_label_and_a_crash_spoils_no_other_answer() -> None:
    first, second, *others = questions("sums", 90)
    right = str(total(first))
    asked = [first] * 3 + [second] * 3 + [first] * 3 + others[::-1]  # wherever they stand in the split
    answers = [right, f"0{right}.0", str(total(first) + 1), str(total(second)), "no number", "", "-1", right, "-2"]
    verdicts = judge(facts("sums"), asked, [*answers, *(str(total(question)) for question in others[::-1])])
    solved = [True, True, False, True, False, False, False, True, False]  # "-…" ends the verifier's process
    assert verdicts["solved"] == solved + [True] * 88
    assert verdicts["verifier_score_positive"][:6] == [True, True, True, True, False, False]


@pytest.mark.usefixtures("stub")
def test_any_tokens_can_be_judged_and_a_broken_answer_is_wrong() -> None:
    (question,) = questions("sums", 1)
    scorer = scorer_of(About("gym", 1, "clean", "reasoning_gym", facts("sums")))
    assert scorer is not None
    inputs, labels = TOKENS.encode_pairs([question] * 100, [str(total(question))] * 100, 40, 30)
    predictions = np.random.default_rng(0).integers(0, 256, labels.shape, dtype=np.uint8)
    predictions[:3] = labels[0]
    predictions[1, 40 + len(str(total(question)))] = MASK  # "12" and then no character
    predictions[2, 40] = PAD
    assert scorer(inputs, labels, predictions)["solved"].tolist() == [True] + [False] * 99


@pytest.mark.usefixtures("stub")
def test_an_answer_that_hangs_the_verifier_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "impatient.py"
    source = reasoning_gym_process._WORKER.read_text()
    assert "ANSWER_SECONDS = 10.0" in source
    worker.write_text(source.replace("ANSWER_SECONDS = 10.0", "ANSWER_SECONDS = 0.3"))
    monkeypatch.setattr(reasoning_gym_process, "_WORKER", worker)
    (question,) = questions("sums", 1)
    assert judge(facts("sums"), [question] * 2, ["+", str(total(question))])["solved"] == [False, True]


@pytest.mark.usefixtures("stub")
def test_an_answer_is_never_run_as_python(tmp_path: Path) -> None:
    (question,) = questions("n_queens", 1)
    written = tmp_path / "written"
    about = facts("n_queens", (40, 200))
    answers = [f"open({str(written)!r}, 'w')", f"{total(question)}"]
    assert judge(about, [question] * 2, answers)["solved"] == [False, True]
    assert not written.exists()


@pytest.mark.usefixtures("stub")
def test_a_question_of_another_library_version_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = questions("sums", 3)
    install_stub(tmp_path / "newer", monkeypatch, STUB.replace("{} + {}", "{}  + {}"))
    with pytest.raises(UserError, match=r"0\.0 does not make the question"):
        judge(facts("sums"), asked, ["1"] * 3)


def test_without_the_library_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[reasoning-gym\]"'):
        judge(facts("sums"), ["1 + 1"], ["2"])


def test_facts_of_another_dataset_are_refused() -> None:
    with pytest.raises(UserError, match="without options, question_length, seed, test_scanned"):
        scorer_of(About("gym", 1, "clean", "reasoning_gym", {"task": "sums"}))


def test_the_library_takes_another_board_than_the_label(library: Any) -> None:
    seed, _ = place(0, "test", 0)
    dataset = library.create_dataset("n_queens", n=6, max_remove=6, seed=seed, size=50)
    entry = next(e for e in dataset if len(e["metadata"]["valid_answers"]) > 1)
    boards = entry["metadata"]["valid_answers"]
    answers = [*boards, boards[0].replace("Q", "_"), boards[0][::-1].replace("Q _", "_ Q"), "Q"]
    about = facts("n_queens", (1000, 200), n=6, max_remove=6)
    assert judge(about, [entry["question"]] * len(answers), answers)["solved"] == [True] * len(boards) + [False] * 3
