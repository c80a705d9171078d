"""Whether a disturbed run ended where the undisturbed one did, or said what is gone."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.runs import records, tensors
from trm_lab.files.checksums import MANIFEST


@dataclass
class Ending:
    """What a run left: the last checkpoint's tensors, its records, and the scores of its evaluations."""

    tensors: dict[str, torch.Tensor]
    train: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    scores: dict[str, str] = field(default_factory=dict)  # evaluations/step_<n>/<file> → content

    @classmethod
    def of(cls, run: Path, step: int) -> "Ending":
        """
        Raises:
            ValueError, KeyError: a record is no JSON, or lacks its kind.
        """
        scores = {}
        for file in sorted(run.glob("evaluations/step_*/*.json")):
            if file.name != MANIFEST:  # checksums, also of what depends on the clock
                scores[str(file.relative_to(run))] = _without_clock(file)
        return cls(tensors(run, step), records(run, "train"), records(run, "evaluation"), scores)


def differences(found: Path, step: int, whole: Ending, bitwise: bool) -> list[str]:
    """Files and folders of the run that do not hold what they should."""
    try:
        ending = Ending.of(found, step)
    except (ValueError, KeyError) as error:
        return [f"metrics.jsonl ({error})"]
    wrong = []
    if not _same_tensors(ending.tensors, whole.tensors, bitwise):
        wrong.append(f"checkpoints/step_{step}")
    pairs = ((ending.train, whole.train), (ending.evaluations, whole.evaluations))
    if not all(_same(a, b, bitwise) for a, b in pairs):
        wrong.append("metrics.jsonl")
    for name in sorted(whole.scores.keys() | ending.scores.keys()):
        a, b = ending.scores.get(name, "missing"), whole.scores.get(name, "missing")
        if a != b and (bitwise or name.endswith("submission.json") or not _close_text(a, b)):
            wrong.append(name)
    return wrong


def names(output: str, wrong: str) -> bool:
    """Whether the output says of this file of records, or of the evaluation that it belongs to, that it is gone.

    Nothing excuses another last checkpoint.
    """
    path = wrong.split(" ")[0]
    if path.startswith("evaluations/"):
        folder = path.rsplit("/", 1)[0]
        return f"{folder} is damaged" in output or f"{folder} was not written" in output
    return path == "metrics.jsonl" and "metrics.jsonl is damaged" in output


def explains(output: str, damaged: list[Path], run: Path) -> bool:
    """Whether an error of three parts names a file that was damaged, or its checkpoint."""
    at = output.rfind("error: ")
    text = output[at:] if at >= 0 else ""
    if "allowed: " not in text or "to do: " not in text:
        return False
    places = {str(file.relative_to(run)) for file in damaged}
    places |= {place.rsplit("/", 1)[0] for place in places if place.startswith("checkpoints/step_")}
    return any(place in text for place in places)


def _same_tensors(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], bitwise: bool) -> bool:
    if a.keys() != b.keys():
        return False
    if bitwise:
        return all(torch.equal(a[name], b[name]) for name in a)
    compared = [name for name in a if not name.startswith("carry:")]
    return all(torch.allclose(a[name], b[name], atol=1e-6, rtol=1e-5) for name in compared)


def _same(a: Any, b: Any, bitwise: bool) -> bool:
    if bitwise:
        return bool(a == b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key], False) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y, False) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-6 + 1e-5 * abs(b)
    return bool(a == b)


def _close_text(a: str, b: str) -> bool:
    try:
        return _same(json.loads(a), json.loads(b), False)
    except ValueError:
        return False


def _without_clock(file: Path) -> str:
    """A JSON file's content without what depends on the clock; what cannot be read as it is."""
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        return "unreadable"
    if isinstance(content, dict):
        content.pop("examples_per_second", None)
    return json.dumps(content)
