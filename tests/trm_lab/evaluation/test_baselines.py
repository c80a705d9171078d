"""What needs no learning: scored beside every model, and on the cells of the answers alone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.metrics import CELL, SOLVED
from analysis.scores import scores_table as page_scores_table
from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from trm.batch import IGNORE_LABEL
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation import in_training, training_answers
from trm_lab.evaluation.baselines import best_baseline
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.evaluation.step_scores import StepTally
from trm_lab.puzzles.cube.tokens import CUBE_END
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.text.tokens import TextTokens
from trm_lab.puzzles.writer import Examples, write_plain_dataset
from trm_lab.runs.evaluation_folder import BASELINES
from trm_lab.runs.recorded_evaluations import Evaluation

TOKENS = TextTokens("0123456789?")
QUESTION, ANSWER = 3, 12
TRAIN = ["7", "7", "12", "13", "14", "95"]
TEST = ["7", "12", "15", "9", "128"]


def write_texts(folder: Path) -> Path:
    splits = {}
    for first, (name, answers) in enumerate({"train": TRAIN, "test": TEST}.items()):
        questions = [f"{first}{number}?" for number in range(len(answers))]
        splits[name] = Examples(*TOKENS.encode_pairs(questions, answers, QUESTION, ANSWER))
    about = About("texts", 1, "clean", "answer", TOKENS.facts(QUESTION, ANSWER))
    write_plain_dataset(folder, about, splits, vocab_size=TOKENS.vocab_size)
    return folder


def evaluator(dataset: Path, arc: bool = False) -> Evaluator:
    data = EvaluationData([dataset], global_batch_size=8)
    shape = PuzzleShape(data.metadata.seq_len, data.metadata.vocab_size, data.metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=2)
    model = TinyRecursiveModel(network(H_cycles=1, L_cycles=1), shape, DISSupervision.step_rows(settings))
    return Evaluator(DISSupervision(model, settings), data, Ranks(), arc)


def evaluate(dataset: Path, arc: bool = False) -> dict[str, Any]:
    return evaluator(dataset, arc).run().scores | {"step": 1}


def share_right(answers: list[str], prediction: str) -> float:
    """The mean share of an answer's characters and its end that `prediction` has, by hand."""
    shares = []
    for answer in answers:
        cells = answer + "."
        shares.append(np.mean([cell == said for cell, said in zip(cells, prediction.ljust(20, "."), strict=False)]))
    return float(np.mean(shares))


def test_cells_of_a_text_are_its_characters_and_its_end() -> None:
    _, labels = TOKENS.encode_pairs(["?"] * 3, ["", "12", "1" * ANSWER], QUESTION, ANSWER)
    scored = np.where(labels == 0, IGNORE_LABEL, labels.astype(np.int16))
    assert answer_cells("answer", scored).sum(1).tolist() == [1, 3, ANSWER]
    assert answer_cells("", scored).sum(1).tolist() == [ANSWER] * 3
    moves = np.array([[IGNORE_LABEL, 5, CUBE_END, CUBE_END, CUBE_END]])
    assert answer_cells("cube", moves).tolist() == [[False, True, True, False, False]]
    assert answer_cells("sudoku", moves).sum() == 4


def test_filler_behind_the_answer_earns_no_cell_and_a_long_prediction_loses_the_end() -> None:
    _, labels = TOKENS.encode_pairs(["?"] * 4, ["12"] * 4, QUESTION, ANSWER)
    _, said = TOKENS.encode_pairs(["?"] * 4, ["12", "", "123456", "1"], QUESTION, ANSWER)
    scored = np.where(labels == 0, IGNORE_LABEL, labels.astype(np.int16))
    cells = answer_cells("answer", scored)
    for prediction, share in zip(said, (1, 1 / 3, 2 / 3, 2 / 3), strict=True):
        tally = StepTally()
        tally.add(np.broadcast_to(prediction, (1, 4, len(prediction))).swapaxes(0, 1), scored, cells)
        assert tally.result().cell_accuracy == [pytest.approx(share)]


def test_what_follows_the_end_counts_for_the_exact_match_as_before() -> None:
    _, labels = TOKENS.encode_pairs(["?"], ["12"], QUESTION, ANSWER)
    scored = np.where(labels == 0, IGNORE_LABEL, labels.astype(np.int16))
    said = labels.copy()
    said[:, -1] = 5
    tally = StepTally()
    tally.add(said[:, None], scored, answer_cells("answer", scored))
    result = tally.result()
    assert (result.cell_accuracy, result.exact_accuracy, result.hamming) == ([1.0], [0.0], [0.0])


def test_baselines_of_the_training_set_stand_beside_the_scores(tmp_path: Path) -> None:
    scores = evaluate(write_texts(tmp_path / "texts"))
    baselines = scores["baselines"]
    assert (baselines["training_examples"], baselines["of"]) == (len(TRAIN), len(TRAIN))
    assert scores["copy"]["cell_accuracy"] == 0
    common = baselines["most_common_answer"]
    assert common["cell_accuracy"] == pytest.approx(share_right(TEST, "7"))
    assert common["exact_accuracy"] == pytest.approx(1 / 5)
    # 1 is the most common first character (12, 13, 14), END the second token (7, 7), END the third
    assert baselines["most_common_token"]["cell_accuracy"] == pytest.approx(share_right(TEST, "1"))
    (task,) = scores["tasks"]
    assert task["baselines"]["most_common_answer"]["solved"] == 1
    assert task["baselines"]["copy"]["solved"] == 0
    assert best_baseline(scores, "cell_accuracy")[1] == max(
        one["cell_accuracy"] for one in (common, baselines["most_common_token"])
    )


def test_the_table_shows_every_baseline_and_says_why_some_are_missing(tmp_path: Path) -> None:
    dataset = write_texts(tmp_path / "texts")
    whole = evaluate(dataset)
    text = scores_table(whole)
    assert "model  copy the input  most common answer  most common token" in text
    (solved,) = [line for line in text.splitlines() if line.strip().startswith("solved  ")]
    assert solved.split()[-2:] != ["–", "–"]
    assert "20.0 %" in solved
    (dataset / "manifest.json").unlink()
    shutil.rmtree(dataset / "train")
    scores = evaluate(dataset)
    assert "no split 'train'" in scores["baselines"]["unknown"]
    assert scores["per_step"]["exact_accuracy"] == whole["per_step"]["exact_accuracy"]
    text = scores_table(scores)
    assert "not known" in text
    assert "no split 'train'" in text


def test_the_table_has_the_ceiling_of_exact_match_where_a_question_may_have_several_answers(tmp_path: Path) -> None:
    scores = evaluate(write_texts(tmp_path / "texts"))
    assert "at best" not in scores_table(scores)
    scores["tasks"][0]["facts"]["best_exact_match"] = 0.716
    assert "exact match 71.6 % at best" in scores_table(scores)


def test_a_second_evaluation_has_the_same_baselines_and_does_not_read_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = evaluator(write_texts(tmp_path / "texts"))
    first = twice.run().scores
    for module in (training_answers, in_training):
        monkeypatch.setattr(module, "open_training", None)
    second = twice.run().scores
    assert first["baselines"] == second["baselines"]
    assert first["copy"] == second["copy"]
    assert first["tasks"] == second["tasks"]


def test_of_a_large_training_set_evenly_spread_examples_are_read_and_this_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_answers, "MOST_CELLS", 3 * (QUESTION + ANSWER))
    scores = evaluate(write_texts(tmp_path / "texts"))
    assert (scores["baselines"]["training_examples"], scores["baselines"]["of"]) == (3, 6)
    assert "3 of 6 training examples" in scores_table(scores)


def test_the_analysis_shows_them_and_older_scores_are_read_without(tmp_path: Path) -> None:
    scores = evaluate(write_texts(tmp_path / "texts")) | {"method": "dis"}
    read = Evaluation.from_record(scores, "scores.json")
    assert list(read.baselines) == list(BASELINES.values())
    name, share = best_baseline(scores, "cell_accuracy")
    assert CELL.baselines(read)[name] == share == max(CELL.baselines(read).values())
    assert SOLVED.baselines(read)["most common answer"] == pytest.approx(1 / 5)
    (task,) = read.scored_tasks
    assert task.baseline_share("most common answer", "solved") == pytest.approx(1 / 5)
    page = page_scores_table(read, [])
    assert page.header[3:6] == list(BASELINES.values())
    assert all(len(row) == len(page.header) for row in page.rows)
    older = {name: value for name, value in scores.items() if name != "baselines"}
    older["tasks"] = [{k: v for k, v in one.items() if k != "baselines"} for one in scores["tasks"]]
    assert list(Evaluation.from_record(older, "scores.json").baselines) == ["copy the input"]
    assert "most common" not in "".join(page_scores_table(Evaluation.from_record(older, ""), []).header)
