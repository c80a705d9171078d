"""Every command of data/README.md names flags that its builder has, and every builder has a command there."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from tests.runs import REPOSITORY

PAGE = (REPOSITORY / "data/README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line
]

BUILDERS = sorted(f"data.{file.stem}" for file in (REPOSITORY / "data").glob("build_*.py"))


def test_every_command_is_one_that_its_builder_takes_and_every_builder_has_one() -> None:
    for command in COMMANDS:
        python, flag, module, *words = shlex.split(command)
        assert (python, flag) == ("python", "-m")
        flags = importlib.import_module(module).command_line().parse(words)
        assert flags.output_dir.parent == Path("data"), command
    assert sorted({shlex.split(command)[2] for command in COMMANDS}) == BUILDERS


@pytest.mark.parametrize("module", BUILDERS)
def test_every_builder_shows_an_example_and_its_seed(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("example:", f"python -m {module}", "--seed"))


def test_every_file_that_the_page_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (REPOSITORY / "data" / target).exists(), target
