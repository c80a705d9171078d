"""The model of a step's time: its counts against torch's, its order, and what it says beside a measured time."""

import json
from pathlib import Path

import pytest

from benchmarks import step_model
from benchmarks.cards import CARDS, card_of
from benchmarks.configurations import Configuration, named
from benchmarks.outputs import write_report
from benchmarks.roofline import block_passes, step_products
from benchmarks.step_model import COUNTED, beside, estimate
from trm.errors import UserError
from trm_lab.flops import step_flops


def configuration(name: str) -> Configuration:
    (one,) = named(name, "cuda", "bfloat16")
    return one


@pytest.mark.parametrize("name", ["dis-tiny-tiny", "trm-tiny-tiny", "dis-compact-arc", "trm-medium-arc"])
def test_the_operations_are_those_that_torch_counts(name: str) -> None:
    one = configuration(name)
    _, arch = one.composed()
    products = sum(2 * p.rows * p.inner * p.columns * times for p, times in step_products(arch, one.shape))
    forward, learning = block_passes(arch)
    length = arch.network.puzzle_tokens + one.shape.seq_len
    attention = 4 * length**2 * arch.network.hidden_size * (forward + 2 * learning)  # torch leaves the recomputing out
    assert products + attention == step_flops(arch, one.shape)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("name", COUNTED)
def test_no_part_is_expected_to_be_faster_than_its_floor(name: str, card: step_model.Card) -> None:
    of = estimate(configuration(name), card)
    for part, least in vars(of.floor).items():
        assert least <= vars(of.good)[part] <= vars(of.poor)[part], part
    assert sum(vars(of.floor).values()) == pytest.approx(of.floor.total)


def test_attention_at_a_head_width_of_32_is_held_up_by_exponentials() -> None:
    one, card = configuration("dis-compact-arc-b512"), CARDS["H200"]
    exponentials = 512 * 916**2 * 8 * (3 + 3)  # of three passes forward, and again backward
    assert estimate(one, card).floor.attention == pytest.approx(exponentials / (0.9 * 3.9e12))


def test_twice_the_batch_takes_twice_the_time_but_for_update_and_launches() -> None:
    small, large = (estimate(configuration(f"dis-compact-arc-b{n}"), CARDS["A100"]).poor for n in (256, 512))
    assert (large.update, large.launches) == (small.update, small.launches)
    assert large.attention == pytest.approx(2 * small.attention)
    assert large.between == pytest.approx(2 * small.between)
    assert large.products == pytest.approx(2 * small.products, rel=0.01)  # the weights are read once


def test_a_measured_time_stands_beside_what_was_expected() -> None:
    one = configuration("dis-compact-arc-b512")
    of = estimate(one, CARDS["H200"])
    expected = {
        "faster than expected": 0.9 * of.good.total,
        "as expected": of.poor.total,
        "slower than expected": 2 * of.poor.total,
    }
    for verdict, seconds in expected.items():
        line = beside(one, "NVIDIA H200", seconds)
        assert line is not None
        assert f": {verdict} (" in line
        assert "times the floor" in line


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("NVIDIA Tesla T4", "dis-compact-arc"),
        ("NVIDIA H200", "dis-tiny-tiny"),
        ("NVIDIA H200", "dis-compact-arc-float32"),
    ],
)
def test_nothing_stands_beside_what_was_not_modelled(gpu: str, name: str) -> None:
    assert beside(configuration(name), gpu, 0.1) is None


def test_cards_are_known_by_the_names_that_their_drivers_give() -> None:
    names = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090", "NVIDIA H200")
    cards = [card_of(name) for name in names]
    assert [card and card.name for card in cards] == ["H100", "A100", "RTX 4090", "H200"]


def test_a_configuration_that_was_not_counted_is_refused() -> None:
    with pytest.raises(UserError, match="nothing was counted for dis-tiny-tiny"):
        step_model.main(["dis-tiny-tiny"])


def test_the_command_prints_a_row_for_each_card_and_writes_all_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step_model.main(["dis-compact-arc-b512", "--cards", "H200", "A100", "--output-dir", str(tmp_path)])
    printed = capsys.readouterr().out
    assert printed.startswith("Modelled from counts and datasheets")
    assert printed.count("dis-compact-arc-b512") == 2
    (first, _) = json.loads((tmp_path / "step_model.json").read_text())["estimates"]
    assert sum(first["floor"][part] for part in first["floor"] if part != "total") == first["floor"]["total"]
    assert {path.name for path in tmp_path.iterdir()} == {f"step_model.{end}" for end in ("json", "txt", "png", "pdf")}


def test_the_command_replaces_its_own_files(tmp_path: Path) -> None:
    for card in ("H200", "A100"):
        step_model.main(["dis-compact-arc-b512", "--cards", card, "--output-dir", str(tmp_path)])
    assert [one["card"] for one in json.loads((tmp_path / "step_model.json").read_text())["estimates"]] == ["A100"]


def test_a_report_that_later_runs_would_not_recognise_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unlisted"):
        write_report(tmp_path, "unlisted", {}, "")
