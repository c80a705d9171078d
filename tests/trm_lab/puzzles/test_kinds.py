"""The registry of kinds: what every kind of puzzle has, and what it must not cost."""

import ast
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.puzzles import kinds
from trm_lab.puzzles.manifest import About

FOLDER = Path(kinds.__file__).parent


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    assert kinds.scorer_of(None) is None
    assert kinds.picture_of("chess", {}) is None
    with pytest.raises(UserError, match="asks for the scorer 'chess'") as error:
        kinds.scorer_of(About("mine", 1, "clean", "chess"))
    assert "sudoku" in error.value.allowed


@pytest.mark.parametrize(
    "file", sorted(FOLDER.rglob("*.py")), ids=lambda file: file.relative_to(FOLDER).as_posix()
)
def test_matplotlib_is_imported_by_no_module_but_when_a_picture_is_drawn(file: Path) -> None:
    for statement in ast.parse(file.read_text()).body:
        names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
        names += [str(statement.module)] if isinstance(statement, ast.ImportFrom) else []
        assert not any(name.split(".")[0] == "matplotlib" for name in names)
