"""A training entry's command line: prints the help without importing torch, or lets Hydra compose and start the run."""

import ast
import sys
from collections.abc import Callable
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path

from trm_lab.commands.command_line import CommandLine, run_command
from trm_lab.commands.invocation import say_loading
from trm_lab.commands.project_root import PROJECT_ROOT

HELP = {"--help", "-h"}
PRINTING = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--version"}  # Hydra's flags that start no training
KEYS = {  # heading in the help → dataclass whose docstring explains the keys
    "Keys of a run": "trm_lab.configuration.train_config.TrainConfig",
    "Keys of the network (arch.KEY=VALUE)": "trm.model.TRMConfig",
    "More arch keys of TRM": "trm.act.ACTConfig",
    "More arch keys of DIS": "dis_trm.supervision.DISConfig",
    "Arch keys of DIS's targets": "dis_trm.source.TargetSettings",
}


def run_entry(main: Callable[[], None], program: str, description: str | None) -> None:
    """Run an entry of Hydra's on this process's command line.

    program, description: of the entry, for its help.
    """
    if HELP & set(sys.argv[1:]):
        run_command(lambda: print(help_text(program, description)))
        return
    if not PRINTING & {word.partition("=")[0] for word in sys.argv[1:]}:
        say_loading(program, "PyTorch, then the configuration, the data and the model")
    from trm_lab.training.overrides import run_hydra

    run_hydra(main)


def help_text(program: str, description: str | None) -> str:
    """What `--help` prints: the configuration files to choose from, and the meaning of every key."""
    line = CommandLine(program, description)
    line.add_argument("KEY=VALUE", nargs="*", help="see below; --cfg job: print them all, and start nothing")
    line.add_argument("-m", "--multirun", action="store_true", help="a run for each of several values, KEY=A,B")
    line.add_argument("--hydra-help", action="store_true", help="further flags, which are Hydra's")
    choices = [f"{group}=NAME: {' | '.join(_files(group))}" for group in ("arch", "experiment")]
    keys = [f"{title}:\n{_docstring(name)}" for title, name in KEYS.items()]
    return "\n\n".join([line.format_help(), *choices, *keys])


def _files(group: str) -> list[str]:
    return sorted(file.stem for file in (PROJECT_ROOT / "configs" / group).glob("*.yaml"))


def _docstring(name: str) -> str:
    return "  " + cleandoc(ast.get_docstring(class_definition(name)) or "").replace("\n", "\n  ")


def class_definition(name: str) -> ast.ClassDef:
    """A class, by its full name, as its file has it: importing the module would import torch."""
    module, _, last = name.rpartition(".")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    (definition,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == last)
    return definition
