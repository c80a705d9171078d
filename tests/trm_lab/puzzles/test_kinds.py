"""The registry of kinds: what every kind of puzzle has, and what it must not cost."""

import re
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.puzzles import kinds
from trm_lab.puzzles.manifest import About


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    assert kinds.scorer_of(None) is None
    assert kinds.picture_of("chess", {}) is None
    with pytest.raises(UserError, match="asks for the scorer 'chess'") as error:
        kinds.scorer_of(About("mine", 1, "clean", "chess"))
    assert "sudoku" in error.value.allowed


def test_matplotlib_is_imported_by_no_module_but_when_a_picture_is_drawn() -> None:
    for file in Path(kinds.__file__).parent.rglob("*.py"):
        assert not re.search(r"^(import|from) matplotlib", file.read_text(), re.MULTILINE), file
