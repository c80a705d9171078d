"""Methods: which runs are of one, what it is called, and which runs are left out."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from analysis.comparing.comparability import at_same_updates, differences, unlike
from analysis.comparing.curves import learning_figure
from analysis.comparing.scored_runs import in_training
from analysis.learning_curves import learning_curves
from analysis.methods import BESIDE_THE_POINT, LOOKS, Method, common_steps, differing, group, method_name
from analysis.metrics import EXACT
from dis_trm.supervision import PAPER, RELEASED, SWITCHES
from tests.analysis.synthetic_run import stopped, write_run
from trm_lab.configuration.architecture import RETIRED
from trm_lab.configuration.train_config import FREE_KEYS, TrainConfig, register_defaults
from trm_lab.puzzles.selection import Part
from trm_lab.runs.recorded_run import Run, read_run

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def made(folder: Path, **settings: object) -> Run:
    return read_run(write_run(folder, arc=False, training_steps=400, **settings))


def test_what_the_trainer_lets_differ_between_launches_makes_no_method() -> None:
    assert FREE_KEYS | RETIRED.keys() <= BESIDE_THE_POINT
    known = set(TrainConfig.__dataclass_fields__) | RETIRED.keys()
    assert known >= BESIDE_THE_POINT


def test_the_presets_have_their_names_and_looks(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    names = {"dis": "DIS (released code)", "dis_paper": "DIS (paper)"}
    names |= {"trm_compact": "TRM T=1 n=2", "trm": "TRM T=3 n=6"}
    register_defaults()
    for arch, name in names.items():
        with initialize_config_dir(version_base=None, config_dir=str(CONFIGS)):
            composed = compose("cfg_pretrain", overrides=[f"arch={arch}"])
        assert method_name(replace(run, config={"arch": dict(composed.arch)})) == name
        assert name in LOOKS
    assert set(RELEASED) == set(PAPER) == set(SWITCHES)


def test_runs_that_differ_in_their_seed_alone_are_one_method(tmp_path: Path) -> None:
    runs = [made(tmp_path / str(seed), seed=seed, changes={"run_name": f"r{seed}"}) for seed in (2, 0, 1)]
    del runs[0].config["arch"]["latent_noise"]  # as versions before this key wrote it
    methods, remarks = group(runs)
    (method,) = methods
    assert (method.label, method.seeds, method.step) == ("DIS (released code) (3 seeds)", [0, 1, 2], 400)
    assert remarks == []


def test_other_settings_and_other_data_are_other_methods_named_by_what_differs(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "a"),
        made(tmp_path / "b", arch={"hidden_size": 64}),
        made(tmp_path / "c", arch={"feed": "question"}),
        made(tmp_path / "d", changes={"data_paths": ["elsewhere/other"]}),
        made(tmp_path / "e", supervision="act", steps=16, calls_per_step=3),
        made(tmp_path / "f", supervision="act", steps=6),
    ]
    methods, _ = group(runs)
    assert [method.name for method in methods] == [
        "DIS (released code), hidden_size=32, data=demo",
        "DIS (released code), hidden_size=64, data=demo",
        "DIS, feed=question",
        "DIS (released code), hidden_size=32, data=other",
        "TRM T=1 n=2, N_sup=6",
        "TRM T=1 n=2",
    ]
    assert differing(methods)["arch.hidden_size"] == [32, 64, 32, 32, 32, 32]
    assert len({look(method) for method in methods}) == 6
    many = {"lr": 0.5, "weight_decay": 0.25, "lr_warmup_steps": 7}
    methods, _ = group([runs[0], made(tmp_path / "g", arch={"hidden_size": 64}, changes=many)])
    assert methods[1].name == "DIS (released code), hidden_size=64, …"
    assert methods[1].unsaid == "hidden_size=64, lr=0.5, lr_warmup_steps=7, weight_decay=0.25"


def test_a_dataset_that_moved_is_the_same_and_a_method_looks_alike_wherever_its_data_lie(tmp_path: Path) -> None:
    runs = []
    for seed, path in enumerate(("place0/x0", "place1/x1")):
        run = made(tmp_path / str(seed), seed=seed, changes={"data_paths": [path]})
        launches = [{"datasets": {path: "abcdef0123456789"}}]
        runs.append(replace(run, provenance={"launches": launches}))
    methods, remarks = group(runs)
    assert [(method.name, method.seeds) for method in methods] == [("DIS (released code)", [0, 1])]
    assert remarks == []
    assert group(runs[:1])[0][0].colour == group(runs[1:])[0][0].colour


def look(method: Method) -> tuple[str, str, object]:
    return method.colour, method.marker, method.dashes


def test_a_variant_keeps_its_look_where_it_is_free_and_no_two_share_a_colour(tmp_path: Path) -> None:
    switches = [{"feed": "question"}, {"target_kernel": "mask"}, {"pad_cells": "ignore"}, {"step_weights": "linear"},
                {"loss_terms": "prefix"}, {"halt_max_steps": 4}]  # fmt: skip
    variants = [made(tmp_path / str(place), arch=arch) for place, arch in enumerate(switches)]
    variants += [made(tmp_path / "released"), made(tmp_path / "trm", supervision="act", steps=16)]
    together, _ = group(variants)
    assert len({look(method) for method in together}) == len({method.name for method in together}) == 8
    assert len({method.colour for method in together}) == 8
    pairs = [(group([run])[0][0], next(one for one in together if one.runs[0] is run)) for run in variants]
    assert {one.name for one, _ in pairs[-2:]} == {"DIS (released code)", "TRM T=1 n=2"}
    assert all(look(alone) == look(beside) for alone, beside in pairs[-2:])
    assert sum(look(alone) == look(beside) for alone, beside in pairs) >= 5  # the others' colours were taken


def test_more_methods_than_colours_differ_in_their_dashes_and_markers(tmp_path: Path) -> None:
    numbers = [{"halt_max_steps": steps} for steps in range(1, 13)]
    together, _ = group([made(tmp_path / str(place), arch=arch) for place, arch in enumerate(numbers)])
    for part in ({(one.colour, one.dashes) for one in together}, {(one.colour, one.marker) for one in together}):
        assert len(part) == len(together) == 12


def test_forty_methods_of_a_colour_have_forty_looks_and_no_dashes_are_worn_out(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    rates = [replace(run, config=run.config | {"lr": number / 1000}) for number in range(1, 41)]
    together, _ = group(rates)
    assert {one.colour for one in together} == {LOOKS["DIS (released code)"][0]}
    assert len({look(one) for one in together}) == 40
    seven, _ = group(rates[:7])
    assert (len({one.marker for one in seven}), len({str(one.dashes) for one in seven})) == (7, 5)


def test_the_same_seed_twice_counts_once_and_is_named(tmp_path: Path) -> None:
    methods, remarks = group([made(tmp_path / "a"), made(tmp_path / "b")])
    assert methods[0].seeds == [0]
    (remark,) = remarks
    assert "same settings and seed" in remark


def test_runs_that_go_on_are_compared_where_all_have_been_and_late_ones_are_left_out(tmp_path: Path) -> None:
    runs = [made(tmp_path / "0"), made(tmp_path / "1", seed=1), made(tmp_path / "2", seed=2)]
    runs[1] = read_run(stopped(tmp_path / "1", 300))
    runs[2] = read_run(stopped(tmp_path / "2", 100))
    (method,), remarks = group(runs)
    assert (method.seeds, method.step, method.common_steps) == ([0, 1], 300, [100, 200, 300])
    assert [one.step for one in method.evaluations] == [300, 300]
    assert "at step 100, others of its method at 400" in remarks[0]
    assert "is taken at step 300, the last that all of its runs evaluated" in remarks[1]
    assert remarks[1].endswith(f"stopped before step 400: {tmp_path / '1'}")


def test_seeds_whose_epochs_are_an_update_longer_are_compared_with_the_others(tmp_path: Path) -> None:
    """On ARC a seed decides how the puzzles fill the batches."""

    def later(run: Run, updates: int) -> Run:
        """The run with evaluations every 2,000 updates, so many later."""
        evaluations = [replace(one, step=20 * one.step + updates) for one in run.evaluations]
        return replace(run, evaluations=evaluations, evaluation=evaluations[-1])

    runs = [later(made(tmp_path / str(seed), seed=seed), updates) for seed, updates in enumerate((0, 2, -1))]
    (method,), remarks = group(runs)
    assert (method.seeds, method.step, remarks) == ([0, 1, 2], 8000, [])
    assert [one.step for one in method.evaluations] == [8000, 8002, 7999]
    assert [one.step for one in method.evaluations_at(4000)] == [4000, 4002, 3999]
    others = group([later(made(tmp_path / f"trm{seed}", seed=seed, supervision="act"), 3) for seed in range(3)])[0]
    assert at_same_updates([method, *others]) == ([method, *others], [])
    assert not unlike(method, others[0])
    assert "training steps" not in "".join(differences([*runs, *others[0].runs], over_seeds=True))
    assert in_training(runs[2], 8000).name == "step_7999"


@pytest.mark.parametrize(
    ("series", "common"),
    [
        ([[499], [500], [501]], [500]),
        ([[2000], [2004], [2008]], [2004]),
        ([[2000], [2008]], []),
        ([[374, 400], [375, 401]], [374, 400]),  # a share of few updates is less than one
        ([[998, 999, 1000], [1000]], [1000]),
        ([[100, 5000], [103, 5001]], [5000]),
    ],
)
def test_common_steps_are_matched_one_to_one_whatever_the_order_of_the_seeds(
    series: list[list[int]], common: list[int]
) -> None:
    assert [common_steps(order) for order in permutations(series)] == [common] * len([*permutations(series)])


def at(run: Run, *steps: int) -> Run:
    """The run with evaluations at these steps alone."""
    evaluations = [replace(run.evaluation, step=step) for step in steps]
    return replace(run, evaluations=evaluations, evaluation=evaluations[-1])


def test_who_is_left_out_follows_from_the_steps_and_not_from_the_seeds(tmp_path: Path) -> None:
    runs = [made(tmp_path / str(seed), seed=seed) for seed in range(3)]
    for order in permutations((2000, 2004, 2008)):
        seeds = [at(run, step) for run, step in zip(runs, order, strict=True)]
        (method,), remarks = group(seeds)
        assert (method.step, method.seeds, remarks) == (2004, [0, 1, 2], [])
        assert "training steps" not in "".join(differences(seeds, over_seeds=True))
    for steps, odd in (((2000, 2030, 2034), 2000), ((2000, 2004, 2034), 2034)):
        for order in permutations(steps):
            (method,), remarks = group([at(run, step) for run, step in zip(runs, order, strict=True)])
            assert [one.step for one in method.evaluations] == [step for step in order if step != odd]
            left_out = tmp_path / str(order.index(odd))
            assert remarks == [f"left out: {left_out}: no evaluation at the steps of {runs[0].name}"]


def test_methods_are_the_same_length_or_not_whatever_their_order(tmp_path: Path) -> None:
    runs = [made(tmp_path / str(steps), supervision="act", steps=steps) for steps in range(2, 5)]
    for order in permutations((2000, 2004, 2008)):
        methods, _ = group([at(run, 1000, step) for run, step in zip(runs, order, strict=True)])
        methods, (remark,) = at_same_updates(methods)
        assert [method.step for method in methods] == [1000] * 3
        assert "all are compared at 1,000" in remark
        methods, _ = group([at(run, step) for run, step in zip(runs, order, strict=True)])
        assert "share no evaluation" in at_same_updates(methods)[1][0]


def test_samples_of_the_test_split_are_a_curve_of_their_own_and_never_compared_with_all_of_it(tmp_path: Path) -> None:
    runs = [made(tmp_path / "sampled"), made(tmp_path / "whole", seed=1)]
    *before, last = runs[0].evaluations
    part = Part(500, 1376, 500)
    before = [replace(one, examples=500, part=part) for one in before]
    runs[0] = replace(runs[0], evaluations=[*before, last])
    (method,), remarks = group(runs)
    assert method.common_steps == [400]
    assert remarks == [
        f"not compared: 3 evaluations of {tmp_path / 'sampled'}, of another part of the test split than the latest"
    ]
    runs[1] = replace(runs[1], evaluations=[*before[:2], *runs[1].evaluations[-1:]])
    both = "not compared: 5 evaluations of 2 runs, of another part of the test split than the latest"
    assert group(runs)[1] == [both]
    compared = learning_figure(group(runs[:1])[0], EXACT, "").axes[1].get_lines()
    (whole, sampled) = [line for line in compared if line.get_color() == method.colour]
    assert list(sampled.get_xdata()) == [100, 200, 300]
    assert (sampled.get_marker(), sampled.get_linestyle()) == (method.marker, whole.get_linestyle())
    assert sampled.get_linewidth() < whole.get_linewidth()
    cells = learning_curves(runs[0]).axes[2]
    drawn = {str(line.get_label()): list(line.get_xdata()) for line in cells.get_lines()}
    assert (drawn["after step 6"], drawn["all test examples"]) == ([100, 200, 300], [400])
    going_on = replace(runs[0], evaluations=before, evaluation=before[-1])
    assert len(group([going_on, runs[1]])[0]) == 2, "other questions make other experiments"
