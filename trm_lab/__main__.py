"""The project's command, from any folder: `trm-lab COMMAND …`, or `python -m trm_lab COMMAND …`.

trm-lab train dis experiment=arc_mini
torchrun --nproc_per_node=4 -m trm_lab train experiment=arc1_trm_attention
trm-lab evaluate runs/arc_mini_dis

Each command runs a script of the checkout, with the same words behind it. In a wheel, whose only top-level names are
`trm`, `dis_trm` and `trm_lab`, the scripts lie below `trm_lab/checkout`.
"""

import ast
import difflib
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import trm_lab.commands.interrupts  # noqa: F401
from trm.errors import UserError, shown
from trm_lab.commands.command_line import run_command
from trm_lab.commands.invocation import say_loading, start_as
from trm_lab.commands.project_root import PROJECT_ROOT

SCRIPTS = {
    "train": "pretrain",
    "train trm": "pretrain",
    "train dis": "train_arc_tiny_corrupt",
    "evaluate": "evaluate",
    "solve": "evaluate",
    "export": "export",
}
GROUPS = {"build": "Build a dataset", "analyse": "Draw figures and write tables and pages"}
SOLVE = "trm-lab solve CHECKPOINT PUZZLE [flags]"
HELP = ("--help", "-h")


def commands() -> dict[str, str]:
    """The module that each command runs, as `python -m` takes it, by the command's words: `build nqueens`."""
    builders = sorted((PROJECT_ROOT / "data").glob("build_*_dataset.py"))
    names = [file.stem.removeprefix("build_").removesuffix("_dataset") for file in builders]
    packages = [file.parent for file in (PROJECT_ROOT / "analysis").glob("*/__main__.py")]
    modules = [file for file in (PROJECT_ROOT / "analysis").glob("*.py") if _is_script(file)]
    return {
        **SCRIPTS,
        **{f"build {name}": f"data.build_{name}_dataset" for name in names},
        **{f"analyse {path.stem}": f"analysis.{path.stem}" for path in sorted([*packages, *modules])},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first words name with the others.

    arguments: None: the process's own.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in HELP:
        run_command(lambda: print(_overview()))
    elif words[0] in GROUPS and (len(words) == 1 or words[1] in HELP):
        run_command(lambda: print(_listing(words[0])))
    else:
        run_command(lambda: _prepare(words))
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _prepare(words: Sequence[str]) -> None:
    """Make this process the one that `python -m <module> <words behind the command's>` would be.

    Raises:
        UserError: there is no such command.
    """
    name, behind = _split(words)
    if name == "solve":
        behind = _with_puzzle_flag(behind)
    sys.argv = [commands().get(name, name), *behind]
    sys.path.insert(0, str(PROJECT_ROOT))
    start_as(name)
    if name.startswith("analyse ") and not set(HELP) & set(behind):
        say_loading(name, "what it reads and draws with, then the files")


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """A command's words, and those behind them."""
    names = commands()
    first, second = words[0].removesuffix(".py"), words[1].replace("-", "_") if len(words) > 1 else ""
    if f"{first} {second}" in names:
        return f"{first} {second}", list(words[2:])
    within = [name.partition(" ")[2] for name in names if name.startswith(f"{first} ")]
    is_word = second[:1].isalnum() and "=" not in second
    if first in GROUPS or (within and is_word):
        raise _no_command(words[1], f"trm-lab {first}", within)
    if first in names:
        return first, list(words[1:])
    for name, module in names.items():
        if first == module:  # by its older name
            return name, list(words[1:])
    behind_a_group = {name.partition(" ")[2]: name for name in names if " " in name}  # compare: "analyse compare"
    raise _no_command(
        words[0], "trm-lab", list(dict.fromkeys(name.partition(" ")[0] for name in names)), behind_a_group
    )


def _no_command(word: str, program: str, allowed: Sequence[str], others: Mapping[str, str] = {}) -> UserError:
    """others: words that stand for a whole command, which is meant where one of them is the nearest."""
    near = difflib.get_close_matches(word.replace("-", "_"), [*allowed, *others], 1, 0.5)
    remedy = f"did you mean {program} {others.get(near[0], near[0])}?" if near else "trm-lab --help lists them"
    return UserError(f"{shown(word)!r} is no command of {program}", " | ".join(allowed), remedy)


def _with_puzzle_flag(words: Sequence[str]) -> list[str]:
    """`CHECKPOINT PUZZLE` as evaluate.py takes it."""
    if len(words) > 1 and not any(word.startswith("--") for word in words[:2]):
        return [words[0], f"--puzzle={words[1]}", *words[2:]]
    if any(word in HELP for word in words):
        print(f"{SOLVE}: with any of these flags that concern one puzzle\n")
        return list(words)
    if any(word.startswith(("--puzzle", "--task")) for word in words):
        return list(words)
    raise UserError(f"trm-lab solve {shown(' '.join(words))}: no puzzle", SOLVE, "name a checkpoint, then a puzzle")


def _overview() -> str:
    names = commands()
    rows = {name: _sentence(module) for name, module in names.items() if name in SCRIPTS}
    rows |= {"train trm": "the same", "solve": f"Answer one puzzle: {SOLVE}"}
    for group, purpose in GROUPS.items():
        within = [name.partition(" ")[2] for name in names if name.startswith(f"{group} ")]
        rows[group] = f"{purpose}: {' | '.join(within)}"
    return f"usage: trm-lab COMMAND …   (each has --help)\n\n{_table(rows)}"


def _listing(group: str) -> str:
    rows = {name: _sentence(module) for name, module in commands().items() if name.startswith(f"{group} ")}
    return f"usage: trm-lab {group} NAME …   (each has --help)\n\n{_table(rows)}"


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:{width}}  {text}" for name, text in rows.items())


def _sentence(module: str) -> str:
    """The first sentence of a script's docstring."""
    place = PROJECT_ROOT / module.replace(".", "/")
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].partition(". ")[0].replace("\n", " ")


def _is_script(file: Path) -> bool:
    return 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
