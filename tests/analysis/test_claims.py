"""Claims: which are listed, beside which a run may stand, and what is said of it."""

import json
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.claims.claims import CALLS, POINTS, Claim, mismatch, nearest, read_claims
from analysis.claims.comparison import Comparison, claims_figure, claims_table, comparisons
from analysis.claims.verdicts import judged
from tests.analysis.synthetic_run import write_run
from trm_lab.commands.tables import p_value
from trm_lab.runs.recorded_run import Run, read_run

BIG = {"hidden_size": 512, "num_heads": 8, "L_layers": 2}
TRAINED = {"global_batch_size": 768, "ema": True}


@cache
def small_run() -> Run:
    """An invented run of TRM with attention, of a demo's size."""
    with TemporaryDirectory() as folder:
        return read_run(
            write_run(Path(folder) / "run", "act", 16, 21, arc=False, training_steps=400, puzzles=["sudoku"],
                      arch=BIG, changes=TRAINED)
        )  # fmt: skip


def sudoku(
    path: Path, exact: float = 0.75, seed: int = 0, epochs: int = 50_000, examples: int = 422_786, **arch: Any
) -> Run:
    """An invented run with the settings of TRM with attention on Sudoku-Extreme."""
    run = small_run()
    evaluations = [
        replace(
            one,
            seed=seed,
            examples=examples,
            exact_accuracy=[*one.exact_accuracy[:-1], exact],
            tasks=[replace(one.tasks[0], dataset="sudoku-extreme", protocol="published")],
        )
        for one in run.evaluations
    ]
    config = run.config | {"seed": seed, "arch": run.config["arch"] | arch}
    training = replace(run.training, epoch=epochs * run.training.step / 400)
    return replace(
        run, path=path, config=config, training=training, evaluations=evaluations, evaluation=evaluations[-1]
    )


def claim(of: str, source: str = "TRM", title: str = "Sudoku-Extreme") -> Claim:
    (found,) = [one for one in read_claims() if (one.of, one.source_short, one.data.title) == (of, source, title)]
    return found


ATTENTION = "TRM attention, 7 M"


def test_every_published_result_is_listed_with_its_source() -> None:
    claims = read_claims()
    assert len(claims) == 5 + 4 + 4 + 8 + 3 + 8 + 6 + 2 + 1 + 2 + 4
    assert all(one.source and one.source_short and one.author and one.settings for one in claims)
    assert [one.of for one in claims if "not known" in one.source] == []
    by_source = {(one.source_short, one.data.title, one.of): one.printed for one in claims}
    assert by_source["TRM", "Sudoku-Extreme", "TRM MLP, 5 M"] == "87.4 %"
    assert by_source["DIS", "ARC-AGI-1", "DIS compact, 0.8 M"] == "24.0 %"
    assert by_source["8 A100", "Maze-Hard", "TRM attention"] == "83.67 ± 2.28 %"
    assert by_source["DIS", "ARC-AGI-1", "DIS, 18 × fewer network calls than TRM's 336"] == "18 calls"
    assert by_source["8 A100", "ARC-AGI-1", "TRM attention, n=6 above n=4"] == "+9.75 points"


def test_a_run_with_the_claim_s_data_settings_and_length_stands_beside_it(tmp_path: Path) -> None:
    run = sudoku(tmp_path / "run")
    assert mismatch(claim(ATTENTION), run) is None
    assert nearest(read_claims(), run) == f"beside {ATTENTION}"
    assert mismatch(claim("TRM MLP, 5 M"), run) == "mlp_t=False, not True"
    assert mismatch(claim(ATTENTION, title="Maze-Hard"), run) == "not on Maze-Hard"
    assert mismatch(claim("HRM, 27 M"), run) == "recursion=trm, not hrm"
    assert mismatch(claim("TRM attention", "8 H200"), run) == "global_batch_size=768, not 18432"


def test_a_small_or_short_run_is_never_compared_and_told_why(tmp_path: Path) -> None:
    reasons: list[tuple[dict[str, Any], str]] = [
        ({"hidden_size": 256}, "hidden_size=256, not 512"),
        ({"epochs": 128}, "trained for 128 epochs, not 50,000"),
        ({"examples": 1000}, "tested on 1,000 examples, not 422,786"),
    ]
    for changes, reason in reasons:
        run = sudoku(tmp_path / "run", **changes)
        assert nearest(read_claims(), run) == f"not compared; nearest: {ATTENTION} ({reason})"
        assert all(one.method is None for one in comparisons(read_claims(), [run]))


def test_arc_is_told_apart_by_the_scored_subset_and_needs_all_of_its_tasks(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", training_steps=400, arch=BIG | {"hidden_size": 256, "L_layers": 1})
    file = run / "evaluations/step_400/scores.json"
    scores = json.loads(file.read_text())
    task = {"dataset": "arc", "version": 1, "protocol": "published", "scorer": "", "examples": 9}
    task |= {"verdicts": {}}
    facts = {"scored": ["evaluation"], "canvas": 30}
    file.write_text(json.dumps(scores | {"tasks": [task | {"facts": facts, "solved_per_step": []}]}))
    compact = claim("DIS compact, 0.8 M", "DIS", "ARC-AGI-1")
    read = read_run(run)
    assert mismatch(compact, read) == "global_batch_size=32, not 512"
    object.__setattr__(read, "config", read.config | {"global_batch_size": 512})
    assert mismatch(compact, read) == "trained for 10 epochs, not 200,000"
    object.__setattr__(compact, "epochs", 10)
    assert mismatch(compact, read) == "tested on 43 tasks, not 400"
    assert mismatch(claim("DIS compact, 0.8 M", "DIS", "ARC-AGI-2"), read) == "not on ARC-AGI-2"


def test_one_seed_is_judged_by_wilson_and_the_z_test() -> None:
    found = judged([0.75], 10_000, 0.76)
    error = math.sqrt(0.76 * 0.24 / 10_000)
    assert found.p == pytest.approx(2 * stats.norm.cdf(-0.01 / error))
    assert (found.word, found.level, found.test) == ("below", 0.05, "z-test")
    wilson = stats.binomtest(7500, 10_000).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))
    assert judged([0.80], 10_000, 0.76).text == "above at 0.001"
    assert judged([0.762], 10_000, 0.76).text == "reproduced to ±0.8 points"
    assert judged([0.75], 100, 0.76).text == "undecided"


def test_few_expected_successes_are_judged_exactly() -> None:
    found = judged([1 / 120], 120, 0.0, rounding=0.0005)
    assert (found.test, found.word) == ("exact binomial test", "reproduced")
    assert found.p == pytest.approx(2 * (1 - (1 - 0.0005) ** 120))
    exact = stats.binomtest(1, 120).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_a_claim_s_own_uncertainty_and_rounding_are_on_its_side() -> None:
    for share, claimed, own, word in (
        (0.788, 0.7937, {}, "below"), (0.788, 0.7937, {"error": 0.01}, "reproduced"),
        (0.694, 0.69, {}, "above"), (0.694, 0.69, {"rounding": 0.005}, "reproduced"),
    ):  # fmt: skip
        assert judged([share], 422_786, claimed, **own).word == word


def test_claims_are_judged_at_their_length_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    """One seed is evaluated at other steps than the other, one was stopped at a third of the length."""
    runs = [sudoku(tmp_path / "a", 0.75, 0), sudoku(tmp_path / "b", 0.752, 1, epochs=52_632)]
    for run, steps in zip(runs, ((100, 400), (100, 380)), strict=True):
        early, late = (replace(run.evaluations[0], step=step) for step in steps)
        early.exact_accuracy[-1] = 0.29
        object.__setattr__(run, "evaluations", [early, replace(run.evaluations[-1], step=late.step)])
        object.__setattr__(run, "evaluation", run.evaluations[-1])
    short = sudoku(tmp_path / "c", 0.3, 2, epochs=16_667)
    long = sudoku(tmp_path / "d", 0.9, 3, epochs=200_000)  # first evaluated at 50,000 epochs
    long.evaluations[0].exact_accuracy[-1] = 0.751
    longer = sudoku(tmp_path / "e", 0.9, 4, epochs=240_000)  # first evaluated at 60,000
    table = claims_table(comparisons([claim(ATTENTION)], [*runs, short, long, longer]))
    (row,) = table.rows
    assert row[3].startswith("75.1 % [")
    assert row[4:6] == ["3", "above at 0.05"]
    assert [note.split(": left out: ")[1] for note in table.notes if "left out" in note] == [
        f"{tmp_path / 'c'}: trained for 16,667 epochs, not 50,000",
        f"{tmp_path / 'e'}: evaluated at 60,000 epochs, not at 50,000",
    ]


def test_several_tests_in_one_table_are_said_to_stand_alone(tmp_path: Path) -> None:
    for count in (1, 2):
        notes = claims_table(comparisons([claim(ATTENTION)] * count, [sudoku(tmp_path / "a")])).notes
        assert any("the 2 tests stands alone: p, level" in note for note in notes) == (count == 2)


def test_the_nearest_claim_is_of_the_same_kind_or_none(tmp_path: Path) -> None:
    """Not of hours, of network calls, of another supervision, nor of a score that the run has not."""
    run, same_kind = sudoku(tmp_path / "run", epochs=10), claim(ATTENTION)
    aliens = [
        replace(same_kind, of="hours", score="hours", epochs=10, device="4 × NVIDIA H100"),
        replace(same_kind, of="DIS", settings=same_kind.settings | {"arch.supervision": "dis"}),
        replace(same_kind, of="other score", score="ARC/pass@2"),
    ]
    for alien in aliens:
        assert nearest([alien], run).startswith("no published claim of this kind")
    assert nearest([*aliens, same_kind], run).startswith(f"not compared; nearest: {ATTENTION}")


def test_the_table_and_the_bars_show_what_was_achieved(tmp_path: Path) -> None:
    runs = [sudoku(tmp_path / str(seed), exact, seed) for seed, exact in enumerate((0.744, 0.752, 0.748))]
    found = comparisons(read_claims(), runs)
    (row,) = [row for row in claims_table(found).rows if row[4] == "3"]
    assert row[:3] == [ATTENTION, "Sudoku-Extreme", "74.7 %"]
    assert row[3] == "74.8 % [73.8, 75.8]"
    assert row[5] == "reproduced to ±1.0 points"
    assert row[6] == f"{stats.ttest_1samp([0.744, 0.752, 0.748], 0.7475).pvalue:.3f}"
    (others,) = [row for row in claims_table(found).rows if row[5] == "not attempted"]
    assert others[0] == f"{len(read_claims()) - 1} others"
    (axes,) = claims_figure(found).axes
    assert axes.get_xlim() == (0, 1)  # one scale for all data
    drawn = [line for line in axes.get_lines() if line.get_color() == "#D55E00" and line.get_marker() == "s"]
    assert [float(line.get_xdata()[0]) for line in drawn] == pytest.approx([0.748])
    assert [bar.get_width() for bar in axes.patches][:3] == [0.55, 0.56, 0.747]
    assert "74.8 %, 3 seeds: reproduced to ±1.0 points" in [text.get_text() for text in axes.texts]
    equal = [sudoku(tmp_path / f"equal{seed}", 0.75, seed) for seed in range(3)]
    panel = claims_figure(comparisons([claim(ATTENTION)], equal)).axes[0]
    assert "75.0 %, 3 seeds: undecided" in [text.get_text() for text in panel.texts]
    assert len(panel.collections) == 0  # no bar of width 0 for seeds without spread


def test_a_difference_between_two_models_is_tested_by_welch_over_seeds(tmp_path: Path) -> None:
    first, second = (0.744, 0.752, 0.75), (0.70, 0.705, 0.699)
    runs = [sudoku(tmp_path / f"n6{seed}", exact, seed) for seed, exact in enumerate(first)]
    runs += [sudoku(tmp_path / f"n4{seed}", exact, seed, L_cycles=4) for seed, exact in enumerate(second)]
    settings = claim(ATTENTION).settings | {"arch.L_cycles": 4}
    points = replace(claim(ATTENTION), score=POINTS, claimed=0.10, against=settings)
    (row,) = claims_table(comparisons([points], runs)).rows
    expected = stats.ttest_ind([share - 0.0995 for share in first], second, equal_var=False)
    low, high = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert row[2:5] == ["+10.0 points", f"+4.7 points [{100 * low:+.1f}, {100 * high:+.1f}]", "3"]
    assert row[5:7] == ["below at 0.001", p_value(expected.pvalue)]
    (row,) = claims_table(comparisons([points], [runs[0], runs[3]])).rows
    assert row[3:7] == ["+4.4 points [not estimable]", "1", "undecided", "–"]


def test_hours_and_network_calls_are_shown_and_not_tested(tmp_path: Path) -> None:
    run = sudoku(tmp_path / "run")
    calls = replace(claim(ATTENTION), score=CALLS, claimed=336)
    hours = claim("TRM, hours of training on 4 H100", "DIS", "ARC-AGI-1")
    assert (hours.claimed, hours.device) == (72.0, "4 × NVIDIA H100")
    hours = replace(hours, data=calls.data, device="NVIDIA H100", epochs=1)
    rows = claims_table(comparisons([calls, hours], [run])).rows
    assert [(row[3], row[5]) for row in rows] == [
        ("336 calls", "network calls are not tested"),
        (f"{20 * 1.2 / 3600:.1f} h", "hours are not tested"),
    ]
    assert mismatch(replace(hours, device="4 × NVIDIA H100"), run) == "not on 4 × NVIDIA H100"


def test_a_verdict_agrees_with_the_interval_and_the_p_that_are_printed_beside_it() -> None:
    """Rounding hides nothing: 79.37 is not called rejected beside [79.4, 79.7]."""
    rng = np.random.default_rng(5)
    told_of = claim(ATTENTION)
    for _ in range(150):
        examples, decimals, seeds = rng.choice([20, 161, 1000, 422_786]), rng.integers(3), rng.integers(1, 4)
        truth = rng.random()
        off = 2 * rng.normal() * np.sqrt(truth * (1 - truth) / examples)
        told = abs(round(100 * min(1, truth + off), decimals))
        made = replace(told_of, claimed=told / 100, decimals=int(decimals))
        shares = list(rng.binomial(examples, truth, seeds) / examples)
        found = Comparison(made, None, judged(shares, int(examples), made.claimed, made.rounding))
        numbers = re.search(r"\[(.+), (.+)\]", found.achieved)
        if numbers is None or found.verdict is None or found.verdict.p is None:
            assert found.verdict.word == "undecided"
            continue
        low, high = map(float, numbers.groups())
        assert low < high
        level, p = found.verdict.level, p_value(found.verdict.p)
        if level is not None:
            assert not low <= told <= high
            assert p.startswith("<") or float(p) < level
        else:
            assert low - 0.501 * 10.0**-decimals <= told <= high + 0.501 * 10.0**-decimals
            assert float(p) >= 0.05


def test_a_claim_is_of_one_recursion_and_a_run_of_an_earlier_version_is_of_trm(tmp_path: Path) -> None:
    trm, hrm = claim(ATTENTION), claim("HRM, 27 M")
    published = {"H_layers": 4, "L_layers": 4, "H_cycles": 2, "L_cycles": 2, "no_ACT_continue": False}
    heavier = sudoku(tmp_path, recursion="hrm", **published)
    earlier = sudoku(tmp_path)
    del earlier.config["arch"]["recursion"]
    assert mismatch(trm, earlier) is None
    assert mismatch(hrm, heavier) is None
    assert mismatch(trm, sudoku(tmp_path, recursion="single_z")) == "recursion=single_z, not trm"
    assert mismatch(hrm, sudoku(tmp_path, **published)) == "recursion=trm, not hrm"
