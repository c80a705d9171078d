"""The house: which room may know which, and what no file may do."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from trm_lab.configuration.train_config import known_keys

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = ("train_arc_tiny_corrupt", "pretrain", "evaluate", "export")
ROOMS = ("trm", "dis_trm", "trm_lab", "data", "analysis", "benchmarks", *ENTRIES)
SOURCES = sorted(
    p
    for room in ROOMS
    for p in ([ROOT / f"{room}.py"] if room in ENTRIES else (ROOT / room).rglob("*.py"))
    if "data" not in p.relative_to(ROOT).parts[:-1] or p.parent == ROOT / "data"
    if "extensions" not in p.relative_to(ROOT).parts[:-1] or p.name == "__init__.py"  # the others are not ours
)

LAB = (
    "intervals",
    "commands",
    "files",
    "methods",
    "cluster",
    "configuration",
    "flops",
    "puzzles",
    "runs",
    "evaluation",
)
KNOWN = {  # room of the laboratory → the rooms of the laboratory that it may import
    "intervals": (),
    "commands": ("files", "intervals"),
    "files": (),
    "methods": ("extensions",),
    "extensions": (),
    "cluster": ("commands", "files"),
    "configuration": ("methods", "cluster", "commands", "files"),
    "flops": ("configuration", "methods"),
    "puzzles": ("commands", "files"),
    "runs": LAB[:-2],
    "evaluation": LAB[:-1],
    "inference": LAB,
    "training": LAB,
    "release": (*LAB, "inference"),
    "__main__": ("commands", "files"),
}
ALLOWED = {  # who may import of ours nothing but; the longest matching name decides
    "trm": ("trm",),
    "dis_trm": ("dis_trm", "trm"),
    **{f"trm_lab.{room}": ("trm", *(f"trm_lab.{one}" for one in (room, *rooms))) for room, rooms in KNOWN.items()},
    "trm_lab.methods": ("trm", "dis_trm", "trm_lab.extensions"),
    "trm_lab": ("trm_lab.inference", "trm_lab.training"),  # its own names, which it imports when they are used
    "data": ("data", "trm_lab.puzzles", "trm_lab.commands"),
    "analysis": ("analysis", "trm", "dis_trm", "trm_lab"),
    "benchmarks": ("benchmarks", "trm", "trm_lab"),
    **dict.fromkeys(ENTRIES, ("trm", "trm_lab")),
}
FORBIDDEN = {"analysis": ("trm_lab.training", "trm_lab.release")}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield node.module or ""


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def room_rule(name: str, rules: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    matching = [room for room in rules if within(name, room)]
    return rules[max(matching, key=len)] if matching else ()


def ours(file: Path) -> list[str]:
    """The modules of ours that a file imports."""
    return [name for name in imports(file) if name.split(".")[0] in ROOMS]


def test_arrows_go_one_way() -> None:
    wrong = [
        f"{name} → {imported}"
        for file in SOURCES
        for name in [module_name(file)]
        for imported in ours(file)
        if not any(within(imported, room) for room in room_rule(name, ALLOWED))
        or any(within(imported, room) for room in room_rule(name, FORBIDDEN))
    ]
    assert wrong == []


def test_a_kind_of_puzzle_knows_no_other_kind() -> None:
    kinds = {path.parent.name for path in (ROOT / "trm_lab/puzzles").glob("*/__init__.py")}
    wrong = [
        f"{module_name(file)} → {imported}"
        for kind in kinds
        for file in (ROOT / "trm_lab/puzzles" / kind).rglob("*.py")
        for imported in ours(file)
        if any(within(imported, f"trm_lab.puzzles.{other}") for other in kinds - {kind})
        and (kind, imported) != ("reasoning_gym", "trm_lab.puzzles.text.tokens")  # its questions are texts
    ]
    assert wrong == []


def test_the_methods_are_read_in_one_sitting() -> None:
    files = [file for room in ("trm", "dis_trm") for file in (ROOT / room).rglob("*.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 2620


def test_every_folder_says_what_may_live_there() -> None:
    folders = {file.parent for file in SOURCES if file.parent != ROOT}
    assert [f for f in folders if not ast.get_docstring(tree(f / "__init__.py"))] == []


def test_no_top_level_name_shadows_the_standard_library() -> None:
    names = {p.stem for p in ROOT.glob("*.py")} | {p.name for p in ROOT.iterdir() if p.is_dir()}
    assert not names & sys.stdlib_module_names


def test_every_module_opens_with_what_it_is_for_and_stays_readable() -> None:
    for file in SOURCES:
        assert ast.get_docstring(tree(file)), f"{file}: no docstring"
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file


def test_no_global_random_generator_no_pickle_no_cuda_only_call() -> None:
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        for forbidden in ("np.random.seed", "torch.manual_seed", "import random", ".cuda()", "allow_pickle=True"):
            assert forbidden not in text, f"{file}: {forbidden}"
        assert text.count("torch.load(") == text.count("weights_only=True)"), file


def test_no_broad_except() -> None:
    for file in SOURCES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                at_the_end = file.name == "command_line.py" and passes_on(node)  # of the process: run_command
                assert at_the_end or caught not in ("", "Exception", "BaseException"), f"{file}:{node.lineno}"


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a handler raises again what it does not know."""
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))


def test_no_message_advises_to_delete_anything() -> None:
    """What a run has made is never in the way of what the user wants; a lock or a damaged folder can be renamed."""
    advice = re.compile(
        r"\b((delete|erase)\b|rm -|throw\b.* away|remove (the|it|its|that) (run|folder|checkpoint|file))"
    )
    for file in SOURCES:
        documented = {id(node) for node in _docstrings(tree(file))}
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                assert not advice.search(node.value), f"{file}:{node.lineno}: {node.value}"


def _docstrings(module: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            yield body[0].value


def test_public_functions_of_the_library_are_documented() -> None:
    for file in SOURCES:
        bare = [
            f"{file}:{node.lineno} {node.name}"
            for node in tree(file).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
        assert bare == []


def test_every_config_file_is_free_of_unknown_keys_and_says_what_it_is() -> None:
    for file in (ROOT / "configs").rglob("*.yaml"):
        opening = file.read_text().split("defaults:")[0]
        assert opening.startswith("# "), f"{file}: opens with what it is"
        if file.parent.name == "experiment":
            for word in ("Command: ", "Hardware and hours: ", "Expected: "):
                assert word in opening, f"{file}: {word}"
    keys = {k.split(".")[1] for k in known_keys() if k.startswith("arch.")}
    for file in (ROOT / "configs/arch").glob("*.yaml"):
        found = {line.split(":")[0] for line in file.read_text().splitlines() if line and line[0].isalpha()}
        assert found - {"defaults"} <= keys, file


def test_requirements_pin_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]["dev"]
    wanted = {d.split(">=")[0].lower() for d in [*project["dependencies"], *extras]}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    assert wanted == pins.keys()


def reads_or_writes_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text; of what it cannot tell it says no."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    if name != "open" or (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "os"):
        return False
    modes = call.args if isinstance(call.func, ast.Attribute) else call.args[1:]
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or modes
    return not modes or (
        isinstance(modes[0], ast.Constant) and set(str(modes[0].value)) <= set("rwax+")
    )  # a constant that is a name is no mode: archive.open("member")


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    for file in SOURCES:
        calls = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
        for call in filter(reads_or_writes_text, calls):
            own_open = ast.unparse(call.func).endswith(".open") and not call.args and not call.keywords
            named = any(keyword.arg == "encoding" for keyword in call.keywords)
            assert named or own_open, f"{file}: {ast.unparse(call)}"


def test_nothing_depends_on_docstrings_which_optimised_python_leaves_out() -> None:
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        assert "assert __doc__" not in text, file
        assert "__doc__.split" not in text, file
