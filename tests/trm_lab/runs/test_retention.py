"""Which checkpoints stay; the best one is remembered, and a damaged note of it is never fatal."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trm_lab.runs.states import names, save
from trm.errors import UserError
from trm_lab.runs import checkpoints
from trm_lab.runs.retention import Best, Held, Retention, mark_best, read_best, superfluous

HELD = st.lists(
    st.builds(Held, st.integers(0, 60), keep=st.booleans(), complete=st.booleans()),
    unique_by=lambda held: held.step,
    max_size=12,
)


@settings(max_examples=40)
@given(HELD, st.integers(1, 4), st.none() | st.integers(1, 10), st.none() | st.integers(0, 60))
def test_what_may_go_is_none_of_what_must_stay(
    held: list[Held], keep_last: int, keep_every: int | None, best: int | None
) -> None:
    mark = None if best is None else Best("accuracy", 0.5, best)
    going = set(superfluous(held, Retention(keep_last, keep_every), mark))
    staying = [h for h in held if h.step not in going]
    good = sorted((h for h in held if h.complete), key=lambda h: h.step)
    loose = [h for h in good if not h.keep]
    assert all(h in staying for h in held if h.keep or not h.complete or h.step == best)
    assert all(h in staying for h in loose[-keep_last:])
    assert all(h in staying for h in held if keep_every and h.step % keep_every == 0)
    assert not good or good[-1] in staying
    allowed = len(loose[-keep_last:]) + sum(1 for h in loose if keep_every and h.step % keep_every == 0) + 1
    assert len([h for h in staying if h.complete and not h.keep]) <= allowed
    if keep_every is None and best is None:
        assert [h.step for h in loose if h in staying] == sorted(
            {h.step for h in loose[-keep_last:]} | {h.step for h in good[-1:] if not h.keep}
        )


def test_every_nth_step_and_the_best_one_stay_on_disk(tmp_path: Path) -> None:
    for step, accuracy in ((10, 0.1), (15, 0.7), (20, 0.3), (25, 0.2), (30, 0.4), (35, 0.5)):
        save(tmp_path, step)
        mark_best(tmp_path, "exact_accuracy", accuracy, step)
    checkpoints.prune(tmp_path, Retention(keep_last=1, keep_every=20))
    assert names(tmp_path) == ["step_15", "step_20", "step_35"]
    checkpoints.prune(tmp_path, Retention(keep_last=1, keep_best=False))
    assert names(tmp_path) == ["step_35"]


def test_higher_is_better_except_of_a_loss(tmp_path: Path) -> None:
    values = {1: 0.5, 2: 0.9, 3: 0.1, 4: 0.5}
    for metric, best in (("ARC/pass@2", 2), ("lm_loss", 3)):
        for order in ((1, 2, 3, 4), (4, 3, 2, 1), (2, 3, 1, 4)):
            root = tmp_path / metric / "".join(map(str, order))
            for step in order:
                (root / f"step_{step}").mkdir(parents=True)
                mark_best(root, metric, values[step], step)
            assert read_best(root) == Best(metric, values[best], best)


def test_the_best_is_replaced_by_a_better_one_of_another_metric_or_if_it_was_never_written(tmp_path: Path) -> None:
    mark_best(tmp_path, "accuracy", 0.9, 1)  # the disk was full: there is no step_1
    save(tmp_path, 2)
    assert mark_best(tmp_path, "accuracy", 0.4, 2)
    assert not mark_best(tmp_path, "accuracy", 0.4, 3)
    assert not mark_best(tmp_path, "accuracy", float("nan"), 3)
    assert mark_best(tmp_path, "ARC/pass@2", 0.1, 2)


def test_a_damaged_note_of_the_best_is_reported_and_written_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nan = '{"metric": "a", "value": NaN, "step": 1}'
    forged = '{"metric": "a", "value": 1.5, "step": 1, "sha256": "0"}'
    for text in ("", "[]", '{"metric": "a"}', nan, forged, "[" * 100_000, "\0"):
        (tmp_path / "best.json").write_text(text)
        assert read_best(tmp_path) is None
        said = capfd.readouterr().err
        assert "best.json is unreadable" in said
        assert "to do:" in said
    for step in (1, 2):
        save(tmp_path, step)
    checkpoints.prune(tmp_path, Retention(1))
    assert names(tmp_path) == ["step_2"]
    assert mark_best(tmp_path, "accuracy", 0.1, 2)
    assert read_best(tmp_path) == Best("accuracy", 0.1, 2)


def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "best.json.partial").mkdir()
    assert not mark_best(tmp_path, "accuracy", 0.5, 7)
    assert "keep step_7 by hand" in capfd.readouterr().err


def test_keeping_nothing_is_refused() -> None:
    for keep_last, keep_every in ((0, None), (1, 0)):
        with pytest.raises(UserError, match="keep_last"):
            Retention(keep_last, keep_every)
