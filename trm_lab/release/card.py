"""The model card: what a checkpoint is, how to load it, what it scored, and where it comes from.

What is not recorded is called so. No path of the machine it was made on is in it: of a path only its last part.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trm.errors import shown
from trm_lab.release.card_metrics import Metric, metrics
from trm_lab.release.recorded import Recorded
from trm_lab.release.recorded_scores import RecordedScores, ScoredData, is_of_own_data
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

MISSING = "not recorded"
CITATION = """\
```bibtex
@article{jolicoeurmartineau2025less,
  title = {Less is More: Recursive Reasoning with Tiny Networks},
  author = {Jolicoeur-Martineau, Alexia},
  journal = {arXiv:2510.04871},
  year = {2025}
}
@article{dis2025,
  title = {Deep Improvement Supervision},
  journal = {arXiv:2511.16886},
  year = {2025}
}
```"""
_PATH = re.compile(r"(?<![\w.:/-])~?(?:/[^\s/,;:=\[\](){}'\"]+)+/?")
_MOST_LAUNCHES = 20  # commits named


def model_card(opened: OpenedCheckpoint, known: Recorded, name: str, licence: str | None) -> str:
    """The text of README.md.

    name: of the export, perhaps owner/repository.  licence: of the weights; None where nobody said.
    """
    found = metrics(known.scores) if known.scores is not None else []
    parts = [
        _front_matter(opened, known, found, name, licence),
        f"# {name.rpartition('/')[2]}\n\n{_title(opened)}: {opened.arch.method.summary or MISSING}",
        "\n".join(f"- {line}" for line in _facts(opened, known)),
        f"## How to use it\n\n{_usage(opened, name)}",
        f"## Scores\n\n{_scores(opened, known, found)}",
        "## Data\n\n" + "\n".join(f"- {line}" for line in _data(opened, known)),
        "## Where it comes from\n\n" + "\n".join(f"- {line}" for line in _provenance(known)),
        "## Licence and citation\n\n"
        f"Licence of these weights: {licence or MISSING}. The code is MIT-licensed; data have licences of their own."
        f"\n\n{CITATION}",
    ]
    return "\n\n".join(parts) + "\n"


def without_paths(text: str) -> str:
    """A text in which of every path from the root or a home only the last part is left."""
    return _PATH.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], text)


def _front_matter(
    opened: OpenedCheckpoint, known: Recorded, found: list[Metric], name: str, licence: str | None
) -> str:
    results = [
        {"type": one.kind, "name": f"{one.name} (95 %: {one.interval})", "value": round(one.value, 6)}
        for one in found
    ]
    keys: dict[str, Any] = {
        "license": licence,
        "library_name": "dis-trm",
        "tags": [*opened.arch.method.tags, "recursive-reasoning", "puzzles", "safetensors"],
        "datasets": _named(_paths(opened, "data_paths")),
        "metrics": [one.kind for one in found],
    }
    if results:
        task = {"type": "puzzle-solving", "name": "grid puzzles"}
        result = {"task": task, "dataset": _index_entry(opened, known), "metrics": results}
        keys["model-index"] = [{"name": name.rpartition("/")[2], "results": [result]}]
    given = {key: value for key, value in keys.items() if value}
    return f"---\n{yaml.safe_dump(given, sort_keys=False, width=1000)}---"


def _index_entry(opened: OpenedCheckpoint, known: Recorded) -> dict[str, str]:
    """What the scores are of, as the hub's index has it."""
    tested = _tested(opened, known.scores) if known.scores is not None else []
    versions = ["" if data.version is None else f" version {data.version}" for data in tested]
    names = [shown(without_paths(data.name)) for data in tested]
    entry = {
        "type": ", ".join(dict.fromkeys(names)) or MISSING,
        "name": ", ".join(name + version for name, version in zip(names, versions, strict=True)) or MISSING,
    }
    more = {
        "split": ", ".join(dict.fromkeys(shown(data.split) for data in tested if data.split)),
        "revision": ", ".join(shown(data.fingerprint) for data in tested if data.fingerprint),
    }
    return entry | {key: value for key, value in more.items() if value}


def _title(opened: OpenedCheckpoint) -> str:
    return opened.arch.method.full_name or opened.arch.method.title


def _facts(opened: OpenedCheckpoint, known: Recorded) -> Iterator[str]:
    network, weights = opened.arch.network, opened.weights
    rows = weights.get(PUZZLE_ROWS)
    inside = sum(tensor.numel() for name, tensor in weights.items() if name != PUZZLE_ROWS)
    steps = getattr(opened.arch.settings, "halt_max_steps", None)
    yield f"checkpoint: step {opened.step or MISSING}, {_kind_in_words(known.weight_kind)}"
    yield f"parameters: {inside:,} in the network, and {_table_in_words(rows, known.row_names is not None)}"
    mixing = "MLP over positions" if network.mlp_t else "attention"
    yield f"network: width {network.hidden_size}, layers: {network.L_layers}, {mixing}, {network.forward_dtype}"
    if steps is not None:
        calls = f"{steps} · {network.H_cycles} · ({network.L_cycles} + 1) = {steps * network.network_calls}"
        yield f"network calls of an answer: supervision steps · cycles · (latent updates + 1) = {calls}"
    yield f"tokens of an example: {known.seq_len or MISSING}, of a vocabulary of {len(weights['lm_head.weight'])}"


def _kind_in_words(kind: str | None) -> str:
    words = {"ema": "averaged over the updates (EMA)", "raw": "as trained, not averaged"}
    return f"weights {words[kind]}" if kind else f"kind of weights (EMA or raw) {MISSING}"


def _table_in_words(rows: Any, named: bool) -> str:
    if rows is None:
        return "no puzzle embedding"
    names = "named in identifiers.json" if named else "whose names are not recorded"
    return f"an embedding of {len(rows):,} puzzles × {rows.shape[1]}, {names} (other puzzles start at its mean row)"


def _usage(opened: OpenedCheckpoint, name: str) -> str:
    address = f"hf://{name}" if "/" in name else "<this folder>"
    dataset = (_named(opened.data_paths) or ["the dataset"])[0]
    return f"""With this project's code:

```bash
python evaluate.py {address} --data-path <folder of {dataset}>
python export.py {address} --to published --output-dir <folder>
```

or, in Python,

```python
from trm_lab.runs.opened_checkpoint import open_checkpoint

checkpoint = open_checkpoint("{address}")
checkpoint.weights, checkpoint.arch
```"""


def _scores(opened: OpenedCheckpoint, known: Recorded, found: list[Metric]) -> str:
    if known.scores is None or not found:
        return (
            f"{MISSING.capitalize()}: no evaluation of this checkpoint was at hand. `python evaluate.py` makes one, "
            "and `python export.py --evaluation <folder>` puts it here."
        )
    content = known.scores.content
    of = [
        f"{key}: {_code(content[key])}" for key in ("examples", "network_calls_per_answer") if key in content
    ]
    ranking, limits = content.get("votes_ranked_by"), known.scores.limits
    own = is_of_own_data(known.scores, opened, known.launches)
    where = "; ".join(_in_words(data) for data in _tested(opened, known.scores)) or MISSING
    lines = [
        f"Test data: {where}.",
        *([] if own else ["These are not the data of the run, which stand below under Data."]),
        f"{'; '.join(of).replace('_', ' ').capitalize()}.",
        f"One checkpoint (step {opened.step}) of one run (seed {_code(content.get('seed', MISSING))}): the intervals "
        "say what other examples would change, not what another seed would.",
        *([f"Votes are ranked by {_code(ranking)}."] if ranking else []),
        *(f"Asked otherwise than usual: {key.replace('_', ' ')} {_code(v)}." for key, v in limits.items()),
    ]
    rows = [
        "| score | | 95 % interval | without learning |",
        "|---|---|---|---|",
        *(one.row() for one in found),
    ]
    return "\n".join(lines) + "\n\n" + "\n".join(rows)


def _tested(opened: OpenedCheckpoint, scores: RecordedScores) -> list[ScoredData]:
    """What was evaluated on; one in training that does not say took the run's test data."""
    return scores.datasets or [ScoredData.of({"path": path}) for path in opened.data_paths]


def _in_words(data: ScoredData) -> str:
    folder = "" if data.folder in ("", data.name) else f", in the folder {_code(data.folder)}"
    known = {"version": data.version, "protocol": data.protocol, "split": data.split}
    words = "".join(f", {key} {_code(value)}" for key, value in known.items() if value is not None)
    return f"{_code(data.name)}{folder}{words}, fingerprint (SHA-256) {_code(data.fingerprint or MISSING)}"


def _data(opened: OpenedCheckpoint, known: Recorded) -> Iterator[str]:
    fingerprints = known.launches[-1].get("datasets") if known.launches else None
    prints = fingerprints if isinstance(fingerprints, dict) else {}
    trained, tested = _paths(opened, "data_paths"), _paths(opened, "data_paths_test")
    if not trained:
        yield f"trained on: {MISSING}"
    for use, paths in (("trained on", trained), ("tested on", tested)):
        for path in paths:
            yield f"{use} {_code(Path(path).name)}, fingerprint (SHA-256) {_code(prints.get(path, MISSING))}"
    commands = opened.config.get("data_build")
    for path in trained + tested:
        command = commands.get(path) if isinstance(commands, dict) else None
        if isinstance(command, str):
            yield f"{_code(Path(path).name)} is built by {_code(command)}"


def _provenance(known: Recorded) -> Iterator[str]:
    if not known.launches:
        yield f"command, commit, versions and device: {MISSING}"
        return
    last = known.launches[-1]
    command = last.get("command")
    words = " ".join(str(word) for word in command) if isinstance(command, list) else MISSING
    yield f"command: {_code(words, 2000)}"
    yield f"launches: {len(known.launches)}, the last one at {_code(last.get('time', MISSING))}"
    commits = dict.fromkeys(_commit(one) for one in known.launches)
    yield f"commit of the code: {', '.join(list(commits)[:_MOST_LAUNCHES])}"
    packages = last.get("packages") if isinstance(last.get("packages"), dict) else {}
    versions = [f"{name} {version}" for name, version in (packages or {}).items() if version]
    yield f"versions: Python {_code(last.get('python', MISSING))}, {_code(', '.join(versions) or MISSING, 500)}"
    yield f"device: {_code(last.get('device', MISSING))}, processes: {_code(last.get('ranks', MISSING))}"


def _commit(launch: Mapping[str, Any]) -> str:
    git = launch.get("git")
    commit = git.get("commit") if isinstance(git, dict) else None
    if commit is None:
        return MISSING
    return _code(commit) + (" with changes that are not in it" if git and git.get("dirty") else "")


def _paths(opened: OpenedCheckpoint, key: str) -> list[str]:
    return [str(path) for path in opened.config.get(key) or []]


def _named(paths: list[str]) -> list[str]:
    return [shown(Path(path).name) for path in paths]


def _code(text: object, most: int = 200) -> str:
    """As a literal, in one line, without paths of the machine."""
    line = shown(without_paths(str(text)), most).replace("`", "'")
    return f"`{line}`"
