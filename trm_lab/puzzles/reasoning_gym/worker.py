"""The process in which the library reasoning-gym runs; `process.py` starts it and talks to it.

It reads one JSON object a line and answers with one, or to "score" with one number for each answer. An answer that
hangs, crashes or eats memory ends the process, not the evaluation. Nothing of this project is imported here.
"""

import ast
import dataclasses
import json
import os
import resource
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from random import seed as pin_global_generator
from typing import Any, TextIO

ANSWER_SECONDS = 10.0  # to judge one answer
MEMORY = 4 << 30  # bytes of address space
# Where a task has no "answer", the part of its metadata that is one.
EXAMPLE_ANSWERS = {
    "graph_color": "possible_answer",
    "propositional_logic": "example_answer",
    "rubiks_cube": "example_correct_answer",
}
# Tasks whose verifiers evaluate the answer as Python code to read a list; here they may read literals only.
EVALUATE_ANSWERS = ("binary_matrix", "n_queens", "spiral_matrix", "string_insertion")
# Names that an answer may use where a verifier hands it to sympy's parser, which evaluates it as Python code.
EXPRESSION_NAMES = frozenset({
    "pi", "E", "exp", "log", "ln", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "Abs",
    "Rational",
})  # fmt: skip
_EXPRESSION_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.Load,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitXor, ast.UAdd, ast.USub,
)  # fmt: skip
# What the library raises for options, entries and answers that it cannot use.
FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip


class Task:
    """A task of the library with its options; entries are made when they are first asked for."""

    def __init__(self, name: str, options: dict[str, Any], size: int) -> None:
        self.name, self._options, self._size = name, options, size
        self._class, self._config = _registry()[name]
        self._datasets: dict[int, Any] = {}
        self._entries: dict[tuple[int, int], dict[str, Any]] = {}
        self.dataset(0)

    def dataset(self, seed: int) -> Any:
        """The library's data set of one seed."""
        if seed not in self._datasets:
            config = self._config(**self._options, seed=seed, size=self._size)
            if hasattr(config, "validate"):
                config.validate()
            self._datasets[seed] = self._class(config=config)
        return self._datasets[seed]

    def entry(self, seed: int, index: int) -> dict[str, Any]:
        """An entry, with a reference answer where the task has one."""
        if (seed, index) not in self._entries:
            dataset = self.dataset(seed)
            pin_global_generator(seed + index)  # which list_functions and codeio draw from
            entry = dict(dataset[index])
            entry["reference"] = entry["answer"]
            if entry["answer"] is None:
                entry["reference"] = entry["metadata"].get(EXAMPLE_ANSWERS.get(self.name))
            self._entries[seed, index] = entry
        return self._entries[seed, index]

    def make(self, seed: int, index: int, check: bool) -> list[Any] | None:
        """Question, reference answer or None, whether the verifier takes it, and levels; None if the library fails."""
        try:
            entry = self.entry(seed, index)
        except FAILURES:
            return None
        reference = entry["reference"]
        if reference is not None and not isinstance(reference, str):
            reference = json.dumps(reference)
        verified = check and reference is not None and self.score(seed, index, reference) == 1.0
        return [entry["question"], reference, verified, levels_of(entry["metadata"])]

    def score(self, seed: int, index: int, answer: str) -> float:
        """The verifier's score; 0 where it fails."""
        entry = self.entry(seed, index)
        if self.name in EVALUATE_ANSWERS:
            sys.modules[self._class.__module__].__dict__["eval"] = ast.literal_eval
        try:
            return float(self.dataset(seed).score_answer(answer, entry))
        except FAILURES:
            return 0.0


def levels_of(metadata: dict[str, Any]) -> dict[str, int]:
    """What makes an entry difficult, such as its number of terms, by the names for which the task has a range."""
    difficulty = metadata.get("difficulty")
    names = difficulty if isinstance(difficulty, dict) else {}
    return {name: metadata[name] for name in names if type(metadata.get(name)) is int}


def open_task(task: str, options: dict[str, Any], size: int) -> tuple[Task | None, dict[str, Any]]:
    """The task, or None and why not."""
    registry = _registry()
    if task not in registry:
        return None, {"unknown_task": sorted(registry)}
    names = [f.name for f in dataclasses.fields(registry[task][1]) if f.name not in ("seed", "size")]
    for option in options:
        if option not in names:
            return None, {"unknown_option": option, "options": names}
    try:
        return Task(task, options, size), {"version": version("reasoning-gym")}
    except FAILURES as error:
        return None, {"refused": f"{type(error).__name__}: {error}"}


def score_answers(task: Task, answers: list[list[Any]], replies: TextIO) -> None:
    """Write a line for each [seed, index, question, answer]: its score, or null if the entry asks something else."""
    for seed, index, question, answer in answers:
        score = None
        if task.entry(seed, index)["question"] == question:
            signal.setitimer(signal.ITIMER_REAL, ANSWER_SECONDS)  # ends the process
            score = task.score(seed, index, answer)
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(score), file=replies, flush=True)


def main() -> None:
    """Answer requests until there are no more."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the library prints is no reply
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    task: Task | None = None
    for line in sys.stdin:
        request = json.loads(line)
        what = request.pop("do")
        if what == "open":
            task, reply = open_task(**request)
            print(json.dumps(reply), file=replies, flush=True)
        elif what == "make" and task is not None:
            indices = range(request["start"], request["stop"])
            entries = [task.make(request["seed"], index, request["check"]) for index in indices]
            print(json.dumps(entries), file=replies, flush=True)
        elif what == "score" and task is not None:
            score_answers(task, request["answers"], replies)


def check_expression(text: str) -> None:
    """Raise ValueError unless a text is arithmetic on numbers, single letters and `EXPRESSION_NAMES`.

    Answers come from weights that may be a stranger's: no attribute, no subscript, no text, no other function.
    """
    for node in ast.walk(ast.parse(text.strip(), mode="eval")):
        allowed = isinstance(node, _EXPRESSION_NODES)
        if isinstance(node, ast.Name):
            allowed = node.id in EXPRESSION_NAMES or (len(node.id) == 1 and node.id.isalpha())
        elif isinstance(node, ast.Constant):
            allowed = type(node.value) in (int, float)
        elif isinstance(node, ast.Call):
            allowed = isinstance(node.func, ast.Name) and not node.keywords
        if not allowed:
            raise ValueError(f"{type(node).__name__} in an expression")


def _guard_sympy() -> None:
    """Before the library takes it over: let sympy's parser see nothing but expressions."""
    if find_spec("sympy") is None:
        return
    sympy, parser = import_module("sympy"), import_module("sympy.parsing.sympy_parser")
    parse = parser.parse_expr

    def parse_checked(text: str, *arguments: Any, **options: Any) -> Any:
        check_expression(text)
        return parse(text, *arguments, **options)

    sympy.__dict__["parse_expr"] = parser.__dict__["parse_expr"] = parse_checked


def _registry() -> dict[str, Any]:
    if "reasoning_gym" not in sys.modules:
        _guard_sympy()
    import_module("reasoning_gym")
    registry: dict[str, Any] = import_module("reasoning_gym.factory").DATASETS
    return registry


if __name__ == "__main__":
    main()
