"""What a launch decides before it trains."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.trm_lab.configuration.test_train_config import composed
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.architecture import architecture
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.training.launch import check_fits, pays_to_compile, votes_on


def data(scorers: list[str | None], identifiers: int, tasks: Any = ()) -> Any:
    sets = [SimpleNamespace(about=SimpleNamespace(scorer=scorer)) for scorer in scorers]
    metadata = SimpleNamespace(num_puzzle_identifiers=identifiers)
    return SimpleNamespace(sets=sets, test_puzzles=tasks, metadata=metadata)


def test_arc_s_votes_are_taken_where_they_concern_the_data() -> None:
    assert votes_on(data([None], 9, {"a": {}}))
    assert votes_on(data([None], 9)), "an ARC dataset without its test puzzles is told as an error"
    assert votes_on(data([""], 9)), "our ARC builder names no scorer"
    assert not votes_on(data(["sudoku"], 1))
    assert not votes_on(data(["queens", "maze"], 40))
    assert not votes_on(data([None], 1))


@pytest.mark.parametrize("word", ["global_batch_size=16777216", "arch.hidden_size=65536"])
def test_what_cannot_fit_into_memory_is_refused_before_it_is_allocated(word: str) -> None:
    config = composed("train_arc_tiny_corrupt", word, "arch.L_layers=1024")
    metadata = PuzzleMetadata(0, None, 0, 12, 900, 1000, 10, 1.0, 10, ("all",))
    with pytest.raises(UserError, match="GiB"):
        check_fits(config, architecture(config.arch), metadata, Ranks())


@pytest.mark.parametrize(
    ("word", "pays"), [("max_steps=null", True), ("max_minutes=60", True), ("max_minutes=1", False)]
)
def test_a_run_of_a_minute_is_not_compiled_however_long_its_schedule(word: str, pays: bool) -> None:
    config = composed("cfg_pretrain", "experiment=efficiency_nqueens", "arch=dis", "device=cpu", word)
    assert pays_to_compile(config, architecture(config.arch), 64, 10**6, Ranks()) is pays
