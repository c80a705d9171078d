"""Every number that a user can set has a range, which is checked before anything starts."""

import ast
import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from dis_trm.supervision import DISConfig
from tests.test_architecture import ROOT, SOURCES, tree
from trm.act import ACTConfig
from trm.errors import UserError
from trm.model import TRMConfig
from trm.ranges import Range, check_ranges, ranges
from trm_lab.configuration.train_config import TrainConfig

CONFIGURATIONS = (TrainConfig, TRMConfig, ACTConfig, DISConfig)


def made(kind: type[Any], **values: Any) -> Any:
    needed = {"data_paths": ["data/x"]} if kind is TrainConfig else {}
    return kind(**needed, **values)


def numeric_fields() -> Iterator[tuple[type[Any], str]]:
    for kind in CONFIGURATIONS:
        for one in fields(kind):
            if {"int", "float"} & set(str(getattr(one.type, "__name__", one.type)).split(" | ")):
                yield kind, one.name


def beyond(allowed: Range) -> Iterator[float]:
    """Numbers just outside a range, and what is no number."""
    step = 1 if allowed.whole else 1e-3 * max(1.0, abs(allowed.highest))
    yield allowed.lowest if allowed.above else allowed.lowest - step
    yield allowed.highest if allowed.below else allowed.highest + step
    yield from (math.nan, math.inf, -math.inf, True)
    if allowed.whole:
        yield allowed.lowest + 0.5


def test_every_numeric_field_has_a_range_that_holds_its_default_and_is_checked() -> None:
    for kind, name in numeric_fields():
        allowed = dict(ranges(kind)).get(name)
        assert allowed is not None, f"{kind.__name__}.{name} has no range: make it ranged(...)"
        default = next(one.default for one in fields(kind) if one.name == name)
        assert default is None or default in allowed
        for value in beyond(allowed):
            with pytest.raises(UserError, match=name) as refused:
                made(kind, **{name: value})
            assert str(allowed) in refused.value.allowed


def test_null_is_refused_where_the_type_has_none() -> None:
    with pytest.raises(UserError, match="lr=None"):
        made(TrainConfig, lr=None)
    check_ranges(made(TrainConfig, checkpoint_interval=None))


def test_every_numeric_flag_has_a_range_and_every_path_is_read_as_one() -> None:
    calls = [
        (file, node)
        for file in SOURCES
        if file != ROOT / "trm_lab/commands/command_line.py"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
    ]
    for file, call in calls:
        called = ast.unparse(call.func)
        assert not called.endswith("ArgumentParser"), f"{file}: make it a CommandLine, which checks"
        if not (called == "add" or called.endswith("add_argument")):
            continue
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        kind = ast.unparse(keywords["type"]) if "type" in keywords else ""
        assert kind not in ("int", "float", "Path", "str"), f"{file}: {ast.unparse(call)}"
        default = keywords.get("default")
        if isinstance(default, ast.Constant) and isinstance(default.value, int | float):
            assert kind or "action" in keywords, f"{file}: {ast.unparse(call)}"
