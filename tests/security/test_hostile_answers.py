"""Answers that hostile weights could give to a verifier which evaluates them as code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, environment
from trm.errors import UserError
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.reasoning_gym.worker import FAILURES, check_expression

HOSTILE = [
    "__import__('os').mkdir('harm')", "exec(chr(105))", "eval(x)", "open", "x.__class__", "().__class__.__bases__",
    "(lambda: 1)()", "[x for x in y]", "f'{x}'", "'a'", "x[0]", "sin(x, evaluate=eval)", "sin(x)(y)", "(x := 1)",
    "1 if x else 2", "*a", "", "(" * 10_000, "-" * 100_000 + "1",
]  # fmt: skip


def test_only_an_expression_that_such_verifiers_ask_for_is_parsed_as_one() -> None:
    for text in ("(8 - 2) * 4 + 1", "x**3/3 + exp(2*x) + C", "-2*x*sin(x)", "3.5 + 1/2", " sqrt(2)*pi "):
        check_expression(text)
    for text in HOSTILE:
        with pytest.raises(FAILURES):
            check_expression(text)


def test_the_worker_s_sympy_runs_nothing_that_is_no_expression(tmp_path: Path) -> None:
    (tmp_path / "reasoning_gym").mkdir()
    (tmp_path / "reasoning_gym/__init__.py").touch()
    (tmp_path / "reasoning_gym/factory.py").write_text("DATASETS = {}")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from trm_lab.puzzles.reasoning_gym import worker
worker._registry()
import sympy
from sympy.parsing.sympy_parser import parse_expr
assert parse_expr("2*x + x") == 3 * sympy.Symbol("x")
for parse in (parse_expr, sympy.parse_expr, sympy.sympify):
    try:
        parse("__import__('os').mkdir('harm')")
    except Exception as error:
        print(type(error).__name__)
"""
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env={**environment(), "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert process.stdout.split()[:2] == ["ValueError", "ValueError"], process.stderr
    assert not (tmp_path / "harm").exists()


def test_a_dataset_s_options_name_no_files() -> None:
    facts = {"characters": "ab", "question_length": 3, "task": "spell_backward", "seed": 0, "test_scanned": 5}
    files = ({"data_file": "../../secret"}, {"data_file": "/etc/passwd"}, {"a": ["b", ["/etc/x"]]})
    for options in (*files, {"a": {"b": 1}}, [1], "x"):
        about = About("theirs", 1, "clean", "reasoning_gym", {**facts, "options": options})
        with pytest.raises(UserError, match="no paths"):
            scorer_of(about)
