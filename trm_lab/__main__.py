"""The project's commands where only its wheel is installed: `dis-trm COMMAND …` or `python -m trm_lab COMMAND …`.

dis-trm evaluate runs/arc_mini_dis
torchrun --nproc_per_node=4 -m trm_lab pretrain experiment=arc1_trm_attention

The wheel's only top-level names are `trm`, `dis_trm` and `trm_lab`. The others of the checkout lie below
`trm_lab/checkout`, which is put in front of the import path of a process that runs one of these commands.
"""

import runpy
import sys
from collections.abc import Sequence

import trm_lab.commands.interrupts  # noqa: F401
from trm.errors import UserError, shown
from trm_lab.commands.command_line import run_command
from trm_lab.commands.project_root import PROJECT_ROOT

FOLDERS = ("analysis", "data")  # besides the scripts at the root


def commands() -> list[str]:
    """Names of all commands: of a script at the root, or as `python -m` takes it: `data.build_nqueens_dataset`."""
    scripts = [file.stem for file in PROJECT_ROOT.glob("*.py") if file.stem not in ("setup", "dataset")]
    modules = [
        f"{folder}.{file.parent.name if file.stem == '__main__' else file.stem}"
        for folder in FOLDERS
        for file in [*(PROJECT_ROOT / folder).glob("*.py"), *(PROJECT_ROOT / folder).glob("*/__main__.py")]
        if 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")
    ]
    return sorted(scripts) + sorted(modules)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first argument names with the others.

    arguments: None: the process's own.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in ([], ["--help"], ["-h"]):
        print("usage: dis-trm COMMAND …\n\n" + "\n".join(commands()))
        return
    name = words[0].removesuffix(".py")
    run_command(lambda: _check(name))
    sys.path.insert(0, str(PROJECT_ROOT))
    sys.argv = [name, *words[1:]]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _check(name: str) -> None:
    if name not in commands():
        raise UserError(f"{shown(name)} is no command of dis-trm", " | ".join(commands()), "dis-trm --help")


if __name__ == "__main__":
    main()
