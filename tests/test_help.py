"""Every command explains itself at once: nothing that takes a second to import is imported for `--help`."""

import subprocess
import sys

from tests.runs import REPOSITORY, environment

SLOW = ("torch", "scipy.special", "scipy.stats", "scipy.sparse", "matplotlib", "sympy", "wandb", "huggingface_hub")
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


def commands() -> list[str]:
    """The modules that are run, but for those of analysis and benchmarks."""
    folders = ("", "data", "trm_lab")
    files = [file for folder in folders for file in (REPOSITORY / folder).glob("*.py")]
    scripts = [file for file in files if '__name__ == "__main__"' in file.read_text(encoding="utf-8")]
    return [".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__main__") for file in scripts]


def test_no_command_imports_what_is_slow_for_its_help() -> None:
    names = commands()
    assert {"pretrain", "evaluate", "data.build_nqueens_dataset"} <= set(names)
    words = [sys.executable, "-c", PROGRAM, ",".join(SLOW), ",".join(names)]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment(), text=True, capture_output=True, check=True)
    assert done.stdout.count("usage: ") >= len(names) - 1
    assert [line for line in done.stdout.splitlines() if line.startswith("SLOW")] == []
