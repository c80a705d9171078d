"""Several rollouts of each question: which is chosen, when a question is answered, and what does not depend on what."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed.run
from numpy.typing import NDArray

from tests.models import act, batch, dis, draws
from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm.supervision import Supervision, disturbed
from trm_lab.commands.choices import ROLLOUT_ORDERS
from trm_lab.evaluation.answer_cells import every_cell
from trm_lab.evaluation.evaluator import CallTally
from trm_lab.evaluation.halting import HaltingTally
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.rollout import SPENT, Rollout, roll_out
from trm_lab.evaluation.score import score
from trm_lab.evaluation.search import ROLLOUTS, RolloutSignals, Search, StepAnswers, StopRule
from trm_lab.evaluation.search_scores import RolloutTable
from trm_lab.evaluation.trajectory import Questions
from trm_lab.evaluation.wide_rollout import roll_out_widely
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.symmetry import Symmetry
from trm_lab.runs.recorded_scores import read_scored

COUNT = 12  # questions


def even(_: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
    """A rule of a puzzle that random weights keep now and then."""
    return answers.sum(1) % 2 == 0


def turned(generator: np.random.Generator) -> Symmetry:
    return Symmetry(generator.permutation(16), generator.permutation(12))


@pytest.fixture(params=["act", "dis"])
def supervision(request: pytest.FixtureRequest) -> Supervision[Any]:
    """In float64, so that the size of a batch does not change a prediction."""
    method: Any = {"act": act, "dis": dis}[request.param](forward_dtype="float64")
    method.model.double().eval()
    torch.nn.init.normal_(method.model.q_head.weight, generator=torch.Generator().manual_seed(0))
    method.model.q_head.bias.data.zero_()
    return method


@pytest.fixture
def questions() -> Questions:
    return Questions(batch(COUNT), np.arange(COUNT), 5, every_cell, even, turned)


def table(rollout: Rollout) -> RolloutTable:
    return RolloutTable.read({n.removeprefix(ROLLOUTS): t.numpy() for n, t in rollout.probes.items()})


WIDE = Search(width=4, noise=0.7)


def test_a_search_with_the_defaults_is_the_plain_rollout(supervision: Supervision[Any], questions: Questions) -> None:
    plain = roll_out(supervision, questions.batch, draws(0, COUNT))
    searched = roll_out_widely(supervision, questions, Search())
    for name in ("predictions", "loss", "q_halt_logits", "confidence"):
        assert torch.equal(getattr(searched, name), getattr(plain, name)), name
    assert searched.network_calls == plain.network_calls


@pytest.mark.parametrize("search", [WIDE, Search(4, start="random"), Search(4, symmetries=True)], ids=str)
def test_a_question_has_the_same_rollouts_beside_any_others(
    supervision: Supervision[Any], questions: Questions, search: Search
) -> None:
    rows = np.array([7, 2, 9])
    whole, part = (roll_out_widely(supervision, each, search) for each in (questions, questions.rows(rows)))
    assert torch.equal(part.predictions, whole.predictions[rows])
    assert (whole.probes["rollout_equal"].max(2).values > 0).any(), "rollouts differ"


def test_rollouts_one_after_another_end_in_the_same_answers_as_together(
    supervision: Supervision[Any], questions: Questions
) -> None:
    for select in ("confidence", "convergence", "vote", "valid"):
        together, in_turn = (
            roll_out_widely(supervision, questions, replace(WIDE, select=select, order=order))
            for order in ROLLOUT_ORDERS
        )
        assert torch.equal(together.predictions[:, -1], in_turn.predictions[:, -1])
        assert together.network_calls[-1] == in_turn.network_calls[-1]
        steps = supervision.max_steps
        under_way = in_turn.predictions[:, steps : 2 * steps - 1]
        assert (under_way == in_turn.predictions[:, steps - 1 : steps]).all(), "a finished rollout answers until then"
        for name, probe in together.probes.items():
            assert torch.equal(probe, in_turn.probes[name]), name


@pytest.mark.parametrize("rule", ["agreement:1", "confidence", "valid", "q_halt:0.9"])
@pytest.mark.parametrize("order", ROLLOUT_ORDERS)
def test_stopping_gives_the_answers_and_spends_the_calls_that_the_curves_say(
    supervision: Supervision[Any], questions: Questions, rule: str, order: str
) -> None:
    wide = Search(width=4, noise=0.02, select="vote")
    rollouts = table(roll_out_widely(supervision, questions, wide))
    if rule == "confidence":
        rule += f":{np.exp(np.quantile(rollouts.log_probability, 0.6) - 1e-6)}"
    stop = StopRule.parse(rule)
    right, steps = rollouts.stopped(stop, "vote", order)
    stopped = roll_out_widely(supervision, questions, replace(wide, stop=stop, order=order))
    assert even(questions.batch.inputs.numpy(), stopped.predictions[:, -1].numpy()).tolist() == right.tolist()
    assert stopped.probes[SPENT].tolist() == (steps * supervision.model.config.network_calls).tolist()
    never = supervision.fixed_steps and rule == "agreement:1"  # each step has an index of its own
    assert never or len(set(steps.tolist())) > 1, "some questions stop sooner"


@pytest.mark.parametrize("is_compiled", [False, True], ids=["as it is", "compiled"])
def test_a_single_rollout_that_stops_lies_on_the_analysed_curve(
    supervision: Supervision[Any], questions: Questions, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, labels = roll_out(supervision, questions.batch, draws(0, COUNT)), questions.batch.labels.numpy()
    for step, rows in ((0, slice(4)), (1, slice(4, 8)), (-1, slice(8, 12))):
        labels[rows] = plain.predictions[rows, step].numpy()  # right after different steps
    if is_compiled:
        monkeypatch.setattr(supervision, "run_forward", lambda *inputs: supervision.forward(*inputs))
    tally = HaltingTally(plain.network_calls, supervision.confidence_kind)
    tally.add(plain.predictions.numpy(), labels, plain.q_halt_logits.numpy(), plain.confidence.numpy())
    for rule, policy, setting in (("agreement:1", "agreement", 1), ("q_halt:0.5", "q_halt", 0)):
        point = next(p for p in tally.result().curve(policy) if p.setting == setting)
        stopped = roll_out_widely(supervision, questions, Search(stop=StopRule.parse(rule)))
        whole = (stopped.predictions[:, -1].numpy() == labels).all(1)
        assert point.exact_accuracy > 0
        assert whole.mean() == point.exact_accuracy
        assert stopped.probes[SPENT].mean().item() == pytest.approx(point.network_calls)


def step_answers(**columns: Any) -> StepAnswers:
    zeros = {key: [0.0] for key in ("q_halt_logits", "confidence", "log_probability", "change", "unchanged", "loss")}
    arrays = {name: np.array(value) for name, value in {**zeros, **columns}.items()}
    return StepAnswers(**{"predictions": np.zeros((1, 2), int), "right": None, "network_calls": 3, **arrays})


def test_the_rollout_with_the_best_signal_answers_and_of_equals_the_most_confident() -> None:
    rollouts = [
        step_answers(predictions=[[1, 1]], q_halt_logits=[2.0], log_probability=[-3.0], change=[0.5], right=[False]),
        step_answers(predictions=[[2, 2]], q_halt_logits=[1.0], log_probability=[-2.0], change=[0.1], right=[True]),
        step_answers(predictions=[[1, 1]], q_halt_logits=[0.0], log_probability=[-1.0], change=[0.9], right=[False]),
        step_answers(predictions=[[3, 3]], q_halt_logits=[0.0], log_probability=[-1.5], change=[0.9], right=[True]),
    ]
    best = {"q_halt": 0, "convergence": 1, "confidence": 2, "vote": 2, "valid": 3}
    assert {select: int(RolloutSignals.of(rollouts, votes=True).choice(select)[0]) for select in best} == best


def test_noise_is_measured_in_each_latents_own_deviation(supervision: Supervision[Any], questions: Questions) -> None:
    z = torch.randn(COUNT, 18, 16, generator=torch.Generator().manual_seed(0))
    carry = replace(supervision.initial_carry(questions.batch), latents={"z_H": z, "z_L": 100 * z})
    noisy = disturbed(carry, 0.7, 3, torch.arange(COUNT))
    noise_H, noise_L = noisy.latents["z_H"] - z, (noisy.latents["z_L"] - 100 * z) / 100
    for noise in (noise_H, noise_L):
        assert torch.allclose(noise.std((1, 2)), 0.7 * z.std((1, 2)), rtol=0.15)
    assert abs(torch.corrcoef(torch.stack((noise_H.flatten(), noise_L.flatten())))[0, 1]) < 0.1


def test_hidden_answers_count_for_nothing_and_means_are_over_all_questions(questions: Questions) -> None:
    tally = CallTally()
    for spent in ([3.0, 9.0], [6.0]):
        tally.add(_Answers([3, 6, 9], {SPENT: np.array(spent)}))  # type: ignore[arg-type]
    assert tally.means() == [3.0, 5.0, 6.0]


class _Answers:
    def __init__(self, network_calls: list[int], probes: dict[str, Any]) -> None:
        self.network_calls, self.probes = network_calls, probes

    def __len__(self) -> int:
        return len(self.probes[SPENT])


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ({"width": 4}, "would all be the same"),
        ({"width": 0}, "a width of 0"),
        ({"select": "vote"}, "with a single rollout"),
        ({"symmetries": True}, "with a single rollout"),
        ({"start": "zero"}, "start=zero"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        Search(**search)


@pytest.mark.parametrize("text", ["q_halt", "q_halt:1", "agreement:0.5", "confidence:nan", "valid:1", "often:2", ""])
def test_a_rule_to_stop_by_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="a rule to stop by"):
        StopRule.parse(text)


def test_torchrun_leaves_start_to_us_behind_two_dashes() -> None:
    words = ["evaluate.py", "run", "--start", "random"]
    launched = torch.distributed.run.get_args_parser().parse_args(["--nproc_per_node=2", "--", *words])
    assert [launched.training_script, *launched.training_script_args] == words


def test_what_a_method_or_a_puzzle_lacks_is_refused_before_anything_is_answered() -> None:
    text, queens = About("questions", 1, "clean", "answer"), About("queens", 1, "clean", "queens", {"side": 8})
    Search(2, stop=StopRule("valid"), symmetries=True).check(dis(), [queens])
    for search, supervision, about, problem in (
        (Search(stop=StopRule.parse("q_halt:0.5")), dis(), queens, "does not train one"),
        (Search(2, 0.1, select="valid"), act(), text, "cannot be checked"),
        (Search(2, symmetries=True), act(), None, "none are written down"),
    ):
        with pytest.raises(UserError, match=problem):
            search.check(supervision, [about])


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis", dataset, "dis", ema=True)


def test_an_evaluation_by_a_search_says_so_and_is_not_taken_for_a_plain_one(run: Path, tmp_path: Path) -> None:
    scores = {}
    for name, options in {
        "wide": {"search": WIDE, "batch_size": 5},
        "again": {"search": WIDE, "batch_size": 8},
        "stopped": {"search": Search(stop=StopRule.parse("agreement:1"))},
    }.items():
        score(ScoringRequest(str(run), output=run / "scored" / name, device="cpu", **options))  # type: ignore[arg-type]
        scores[name] = json.loads((run / "scored" / name / "scores.json").read_text())
    assert scores["wide"]["evaluated"]["search"]["width"] == 4
    assert scores["wide"]["search"] == scores["again"]["search"]
    assert scores["wide"]["scores"] == scores["again"]["scores"], "votes do not depend on the batch"
    assert scores["stopped"]["network_calls_per_answer"] < scores["wide"]["search"]["points"][-1]["network_calls"] / 4
    with np.load(run / "scored" / "wide" / "rollouts.npz") as rollouts:
        assert rollouts["right"].shape[2] == 4
    read, remarks = read_scored(run, {})
    assert len(read) == 3
    assert not remarks
    assert not any(each.is_whole for each in read)


def test_margins_are_of_a_single_rollout(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="with several rollouts"):
        score(ScoringRequest(str(run), output=tmp_path / "out", device="cpu", margin=True, search=WIDE))
