"""Ranks score their own answers, and a batch is scored while the next one is answered: the results are one rank's."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from tests.several_ranks import on_ranks
from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm.model import PuzzleShape, TinyRecursiveModel
from trm_lab.cluster.arriving import ArrivingRows
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation import predictor
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.evaluator import Evaluator, Rules, Scoring
from trm_lab.evaluation.predictor import Predictor
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import ScoringJob, score
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.sudoku import builder_4x4
from trm_lab.runs.evaluation_folder import EvaluationResults, write_results
from trm_lab.runs.rollout_store import RolloutStore

KEPT = ("preds", "labels", "confidence")
BATCH = 12  # of 2 and of 3 ranks; the last one is not full


def evaluator(datasets: list[Path], ranks: Ranks, arc: bool) -> Evaluator:
    data = EvaluationData(datasets, global_batch_size=BATCH, rank=ranks.rank, world_size=ranks.world_size)
    about, settings = data.metadata, DISConfig(halt_max_steps=3)
    shape = PuzzleShape(about.seq_len, about.vocab_size, about.num_puzzle_identifiers)
    torch.manual_seed(0)
    model = TinyRecursiveModel(network(H_cycles=1, L_cycles=1), shape, DISSupervision.step_rows(settings))
    return Evaluator(DISSupervision(model, settings), data, ranks, arc, save_outputs=KEPT)


def write_evaluations(datasets: list[Path], arc: bool, folder: Path, ranks: Ranks) -> list[str]:
    """Two evaluations in turn, as the first rank writes them; the scores, as every rank gets them."""
    scores, evaluates = [], evaluator(datasets, ranks, arc)
    for turn in ("first", "second"):
        results = evaluates.run()
        del results.scores["examples_per_second"]
        scores.append(json.dumps(results.scores))
        if ranks.is_first:
            place = folder / f"{ranks.world_size} {turn}"
            place.mkdir(parents=True)
            write_results(place, results)
    return scores


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two sets of 25 and 13 examples with categories and a scorer of their own."""
    folder = tmp_path_factory.mktemp("boards")
    for name, size, seed in (("many", "25", "0"), ("few", "13", "1")):
        words = ("--train-size", "20", "--test-size", size, "--seed", seed)
        builder_4x4.main([*words, "--output-dir", str(folder / name)])
    return [folder / "many", folder / "few"]


@pytest.mark.parametrize("world_size", [pytest.param(2, marks=pytest.mark.long), 3])
@pytest.mark.parametrize("arc", [True, False], ids=["votes", "own scorer"])
def test_ranks_that_share_an_evaluation_write_what_one_writes(
    arc: bool, world_size: int, dataset: Path, boards: list[Path], tmp_path: Path
) -> None:
    datasets = [dataset] if arc else boards
    alone = write_evaluations(datasets, arc, tmp_path, Ranks())
    scores = on_ranks(world_size, partial(write_evaluations, datasets, arc, tmp_path), tmp_path / "ranks")
    assert scores == [alone] * world_size
    for turn in ("first", "second"):
        one, shared = (files(tmp_path / f"{size} {turn}") for size in (1, world_size))
        assert {"scores.json", "predictions.npz", "rollout_samples.npz"} <= set(one)
        assert ("submission.json" in one) == arc
        assert one == shared


def files(folder: Path) -> dict[str, Any]:
    """What an evaluation wrote, without its cost and what depends on it."""
    results = [file for file in folder.iterdir() if file.suffix in (".npz", ".txt", ".jsonl")]
    texts = {file.name: arrays(file) if file.suffix == ".npz" else file.read_text() for file in results}
    submission = [file.read_text() for file in folder.glob("submission.json")]
    scores = json.loads((folder / "scores.json").read_text())
    timeless = {name: value for name, value in scores.items() if name not in ("cost", "examples_per_second")}
    return texts | {"scores.json": json.dumps(timeless)} | ({"submission.json": submission} if submission else {})


def arrays(file: Path) -> dict[str, Any]:
    with np.load(file) as content:
        return {name: (array.dtype, array.tolist()) for name, array in content.items()}


def test_ranks_without_a_row_take_part(boards: list[Path], tmp_path: Path) -> None:
    few = partial(write_evaluations, [boards[1]], False, tmp_path)  # of 12 + 1 rows
    assert on_ranks(4, few, tmp_path / "ranks") == [few(Ranks())] * 4


def test_the_order_of_a_scoring_s_parts_changes_no_score(boards: list[Path]) -> None:
    evaluates = evaluator(boards, Ranks(), arc=False)
    parts = list(Predictor(evaluates.supervision, evaluates.data, Ranks()).answers())
    scorings = [Scoring(evaluates.data, Rules("token_log_probability", arc=False, save_outputs=KEPT)) for _ in "ab"]
    for scoring, order in zip(scorings, (parts, parts[::-1]), strict=True):
        for answers in order:
            scoring.add(answers)
    forwards, backwards = (scoring.result() for scoring in scorings)
    assert json.dumps(forwards.scores, sort_keys=True) == json.dumps(backwards.scores, sort_keys=True)
    for name, array in (forwards.samples | forwards.outputs).items():
        np.testing.assert_array_equal((backwards.samples | backwards.outputs)[name], array, name)


SMALL_PORTIONS = (7, 0, 1)  # defaults of `RolloutStore.answers`: rows read at a time, and who reads
REQUESTS: dict[str, dict[str, Any]] = {
    "guided votes": {"guidance": [0.5], "margin": True, "save_outputs": ["preds"]},
    "own scorer": {"save_outputs": ["preds"], "by_category": True},
    "rollouts": {"search": Search(width=3, noise=0.5)},
}


def score_stored(run: Path, folder: Path, options: dict[str, Any], seen: bool, ranks: Ranks) -> int:
    """evaluate.py's work, and how many examples this rank scored.

    seen: the answers in the folder are there on every rank's machine.
    """
    add, scored = Scoring.add, []

    def counted(self: Scoring, answers: Any) -> None:
        scored.append(len(answers))
        add(self, answers)

    names = {"RANK": ranks.rank, "WORLD_SIZE": ranks.world_size, "LOCAL_RANK": ranks.rank}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, str(value))
        patch.setattr(RolloutStore.answers, "__defaults__", SMALL_PORTIONS)
        patch.setattr(Scoring, "add", counted)
        if not seen:
            patch.setattr(ScoringJob, "_seen_store", lambda job: RolloutStore(folder, {}, {}))
        score(ScoringRequest(str(run), output=folder, device="cpu", batch_size=BATCH, **options))
    return sum(scored)


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("guided votes", True),
        pytest.param("rollouts", True, marks=pytest.mark.long),
        pytest.param("own scorer", True, marks=pytest.mark.long),
        ("own scorer", False),
    ],
)
def test_ranks_that_share_stored_answers_write_what_one_writes(
    what: str, seen: bool, dataset: Path, boards: list[Path], tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", dataset if what == "guided votes" else boards[0], "dis")
    works = [partial(score_stored, run, tmp_path / size, REQUESTS[what], seen) for size in "13"]
    total, shares = works[0](Ranks()), on_ranks(3, works[1], tmp_path / "ranks")
    assert sum(shares) == total
    assert (min(shares) > 0) == seen
    one, shared = (files(tmp_path / str(size)) for size in (1, 3))
    assert {"scores.json", "rollout_samples.npz"} < set(one)
    assert ("rollouts.npz" in one, "profiles.npz" in one) == (what == "rollouts", what == "guided votes")
    assert one == shared


GRIDS = [np.full((1, 1), colour, np.uint8) for colour in range(6)]
QUESTION = np.zeros((2, 2), np.uint8)


def votes_of(ranks: Ranks, counts: list[list[int]]) -> list[Any]:
    """Submission and scores of votes; counts: of each rank, how many for each of GRIDS."""
    pairs = {"test": [{"input": QUESTION.tolist(), "output": GRIDS[0].tolist()}]}
    voting = ArcVoting(Questions(["<blank>", "task"], {"task": pairs}, canvas=4), shared=ranks.world_size > 1)
    for own in [counts[ranks.rank]] if ranks.world_size > 1 else counts:
        grids = np.repeat(np.arange(len(GRIDS)), own)
        tokens: NDArray[np.uint8] = np.stack([encode_pair(QUESTION, GRIDS[n], canvas=4) for n in grids])  # [E, 2, L]
        voting.add(np.ones(len(grids), np.int32), tokens[:, 0], tokens[:, 1], np.zeros(len(grids)))
    voting.gather(ranks)
    result = voting.result()
    return [json.dumps(result.submission), json.dumps(result.scores), result.outputs[0].votes]


def test_an_answer_that_is_best_on_no_rank_can_be_the_best_of_all(tmp_path: Path) -> None:
    counts = [[4, 5, 6, 0, 0, 0], [4, 0, 0, 5, 6, 0], [4, 5, 0, 0, 0, 6]]
    alone = votes_of(Ranks(), counts)
    assert json.loads(alone[0])["task"][0] == {"attempt_1": [[0]], "attempt_2": [[1]]}
    assert on_ranks(3, partial(votes_of, counts=counts), tmp_path)[0] == alone


def refuse_on(rank: int, datasets: list[Path], ranks: Ranks) -> str:
    """What ends an evaluation on this rank, whose scoring fails on one rank, behind its first batch."""
    evaluates, scored = evaluator(datasets, ranks, arc=False), []
    add = Scoring.add

    def refuse(self: Scoring, answers: Any) -> None:
        scored.append(answers)
        if ranks.rank == rank and len(scored) == 2:
            raise UserError("bad data", "good data", "build it again")
        add(self, answers)

    Scoring.add = refuse  # type: ignore[method-assign]
    try:
        evaluates.run()
    except (UserError, RuntimeError) as error:  # the second: of the rank that the other has left
        return str(error)
    return "nothing"


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_rank_s_scoring_ends_the_evaluation_with_its_message(
    rank: int, boards: list[Path], tmp_path: Path
) -> None:
    ends = on_ranks(2, partial(refuse_on, rank, boards), tmp_path)
    assert "bad data" in ends[rank]
    assert "nothing" not in ends


def test_a_batch_is_scored_when_the_next_one_is_queued_but_for_the_warm_up(
    boards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def noted(event: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            events.append(event)
            return function(*arguments)

        return call

    monkeypatch.setattr(predictor, "roll_out", noted("answer", predictor.roll_out))
    monkeypatch.setattr(Scoring, "add", noted("score", Scoring.add))
    results: EvaluationResults = evaluator([boards[0]], Ranks(), arc=False).run()  # of 12 + 12 + 1 rows
    assert results.scores["examples"] == 25
    assert events == ["answer", "score", "answer", "answer", "score", "score"]


def test_rows_of_every_type_and_shape_arrive_as_they_were(tmp_path: Path) -> None:
    alone = rows_on(Ranks())
    assert {name: (array.dtype.name, array.shape) for name, array in alone.items()} == {
        "tokens": ("uint8", (3, 2, 5)),
        "numbers": ("int32", (3, 3)),
        "flags": ("bool", (3,)),
        "singles": ("float32", (3, 1)),
        "doubles": ("float64", (3,)),
    }
    for name, column in columns(0).items():
        np.testing.assert_array_equal(alone[name], column[:3].numpy())
    for told in on_ranks(2, lists_on, tmp_path):
        both = {name: torch.cat((columns(0)[name], columns(1)[name]))[:3].tolist() for name in alone}
        assert told == both


def columns(rank: int) -> dict[str, torch.Tensor]:
    """Four rows of every rank."""
    draw = torch.Generator().manual_seed(rank)
    numbers = torch.randint(0, 256, (4, 2, 5), generator=draw)
    return {
        "tokens": numbers.to(torch.uint8),
        "numbers": numbers[:, 0, :3].to(torch.int32) - 1000,
        "flags": numbers[:, 0, 0] > 100,
        "singles": numbers[:, 1, :1].float() / 7,
        "doubles": numbers[:, 1, 2].double() / 7,
    }


def rows_on(ranks: Ranks) -> dict[str, NDArray[Any]]:
    return ArrivingRows(columns(ranks.rank), ranks).read(3)


def lists_on(ranks: Ranks) -> dict[str, Any]:
    return {name: array.tolist() for name, array in ArrivingRows(columns(ranks.rank), ranks).read(3).items()}
