"""Every command explains itself at once: nothing that takes a second to import is imported for `--help`."""

import subprocess
import sys

import pytest

from tests.runs import REPOSITORY, environment

SLOW = ("torch", "scipy.stats", "sympy", "wandb", "huggingface_hub", "onnx")
BEFORE_DRAWING = ("matplotlib", "scipy.special", "scipy.sparse")  # what draws may bring these at once
PROGRAM = """
import runpy, sys, traceback
slow, modules = (words.split(",") for words in sys.argv[1:])
sys.modules.update(dict.fromkeys(slow))  # an import of one fails
for module in modules:
    sys.argv = [module, "--help"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except ImportError:
        print("SLOW", module, traceback.format_exc().splitlines()[-1])
    except SystemExit as end:
        assert not end.code, module
"""


def commands(*folders: str) -> list[str]:
    """The modules of these folders that are run."""
    files = [file for folder in folders for file in sorted((REPOSITORY / folder).glob("*.py"))]
    files += [file for folder in folders for file in sorted((REPOSITORY / folder).glob("*/__main__.py")) if folder]
    scripts = [file for file in files if '__name__ == "__main__"' in file.read_text(encoding="utf-8")]
    return [".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__main__") for file in scripts]


@pytest.mark.parametrize(
    ("folders", "slow"), [(("", "data", "trm_lab"), (*SLOW, *BEFORE_DRAWING)), (("analysis",), SLOW)]
)
def test_no_command_imports_what_is_slow_for_its_help(folders: tuple[str, ...], slow: tuple[str, ...]) -> None:
    names = commands(*folders)
    assert len(names) > 10
    words = [sys.executable, "-c", PROGRAM, ",".join(slow), ",".join(names)]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment(), text=True, capture_output=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("SLOW")] == []
    assert done.stdout.count("usage: ") == len(names)
