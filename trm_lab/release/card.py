"""The model card: what a checkpoint is, how to load it, what it scored, and where it comes from.

What is not recorded is called so. No path of the machine it was made on is in it: of a path only its last part.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
KINDS = {"ema": "averaged over the updates (EMA)", "raw": "as trained, not averaged"}
USAGE = """\
With this project's code:

```bash
python evaluate.py {address} --data-path <folder of {dataset}>
python export.py {address} --to published --output-dir <folder>
```

or, in Python,

```python
import trm_lab

solver = trm_lab.load("{address}")
print(solver.solve(puzzle))  # a text, nested lists, an array or a file; an ARC task as a dictionary or a file
solver.model, solver.checkpoint.arch  # the network, and its settings
```"""
NO_SCORES = (
    "Not recorded: no evaluation of this checkpoint was at hand. `python evaluate.py` makes one, and `python export.py "
    "--evaluation <folder>` puts it here."
)
CITATION = r"""```bibtex
@article{jolicoeurmartineau2025less,
  title = {Less is More: Recursive Reasoning with Tiny Networks},
  author = {Jolicoeur-Martineau, Alexia},
  journal = {arXiv:2510.04871},
  year = {2025}
}
@article{asadulaev2025deep,
  title = {Deep Improvement Supervision},
  author = {Asadulaev, Arip and Banerjee, Rayan and Karray, Fakhri and Tak{\'a}{\v{c}}, Martin},
  journal = {arXiv:2511.16886},
  year = {2025},
  note = {later: Latent Reasoning in TRMs is Secretly a Policy Improvement Operator, ICML 2026}
}
```"""
_PATH = re.compile(r"(?<![\w.:/-])~?(?:/[^\s/,;:=\[\](){}'\"]+)+/?")
_MOST_LAUNCHES = 20  # commits named


def model_card(opened: OpenedCheckpoint, record: Recorded, name: str, licence: str | None) -> str:
    """The text of README.md.

    name: of the export, perhaps owner/repository.  licence: of the weights; None where nobody said.
    """
    scores, method = record.scores, opened.arch.method
    table = [] if scores is None else metrics(scores)
    dataset = (_names(opened.data_paths) or ["the dataset"])[0]
    usage = USAGE.format(address=f"hf://{name}" if "/" in name else "<this folder>", dataset=dataset)
    return "\n\n".join(
        [
            f"---\n{_front_matter(opened, scores, table, name, licence)}---",
            f"# {name.rpartition('/')[2]}\n\n{method.full_name or method.title}: {method.summary or MISSING}",
            _list(_facts(opened, record)),
            f"## How to use it\n\n{usage}",
            f"## Scores\n\n{_scores(opened, record, scores, table) if scores and table else NO_SCORES}",
            f"## Data\n\n{_list(_data(opened, record))}",
            f"## Where it comes from\n\n{_list(_provenance(record.launches))}",
            f"## Licence and citation\n\nLicence of these weights: {licence or MISSING}. The code is MIT-licensed; "
            f"data have licences of their own.\n\n{CITATION}\n",
        ]
    )


def without_paths(text: str) -> str:
    """A text in which of every path from the root or a home only the last part is left."""
    return _PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], text)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _front_matter(
    opened: OpenedCheckpoint, scores: RecordedScores | None, table: list[Metric], name: str, licence: str | None
) -> str:
    """YAML for the hub's index."""
    keys: dict[str, Any] = {
        "license": licence,
        "library_name": "trm-lab",
        "tags": [*opened.arch.method.tags, "recursive-reasoning", "puzzles", "safetensors"],
        "datasets": _names(_paths(opened, "data_paths")),
        "metrics": [metric.kind for metric in table],
    }
    if scores is not None and table:
        results = [
            {"type": metric.kind, "name": f"{metric.name} (95 %: {metric.interval})", "value": round(metric.value, 6)}
            for metric in table
        ]
        task = {"type": "puzzle-solving", "name": "grid puzzles"}
        result = {"task": task, "dataset": _index_entry(_tested(opened, scores)), "metrics": results}
        keys["model-index"] = [{"name": name.rpartition("/")[2], "results": [result]}]
    return yaml.safe_dump({key: value for key, value in keys.items() if value}, sort_keys=False, width=1000)


def _index_entry(tested: list[ScoredData]) -> dict[str, str]:
    """The datasets that the scores are of, as the hub's index has them."""
    versions = ["" if data.version is None else f" version {data.version}" for data in tested]
    names = [shown(without_paths(data.title)) for data in tested]
    entry = {
        "type": ", ".join(dict.fromkeys(names)) or MISSING,
        "name": ", ".join(map("".join, zip(names, versions, strict=True))) or MISSING,
        "split": ", ".join(dict.fromkeys(shown(data.split) for data in tested if data.split)),
        "revision": ", ".join(shown(data.fingerprint) for data in tested if data.fingerprint),
    }
    return {key: value for key, value in entry.items() if value}


def _facts(opened: OpenedCheckpoint, record: Recorded) -> Iterator[str]:
    network, weights = opened.arch.network, opened.weights
    kind, rows = KINDS.get(record.weight_kind or ""), weights.get(PUZZLE_ROWS)
    inside = sum(tensor.numel() for name, tensor in weights.items() if name != PUZZLE_ROWS)
    table = "no puzzle embedding"
    if rows is not None:
        named = "whose names are not recorded" if record.row_names is None else "named in identifiers.json"
        size = f"{len(rows):,} puzzles × {rows.shape[1]}"
        table = f"an embedding of {size}, {named} (other puzzles start at its mean row)"
    mixing = "MLP over positions" if network.mlp_t else "attention"
    layers = " and ".join(str(blocks) for blocks in network.modules.values())
    if len(network.modules) > 1:
        layers += f" (in {', '.join(network.modules)})"
    steps = getattr(opened.arch.settings, "halt_max_steps", None)
    yield f"checkpoint: step {opened.step or MISSING}, " + (
        f"weights {kind}" if kind else f"kind of weights (EMA or raw) {MISSING}"
    )
    yield f"parameters: {inside:,} in the network, and {table}"
    yield f"network: width {network.hidden_size}, layers: {layers}, {mixing}, {network.forward_dtype}"
    if steps is not None:
        calls, words = network.network_calls, "supervision steps · calls of each"
        parts = f"{steps} · {calls}"
        if calls == network.H_cycles * (network.L_cycles + 1):
            words = "supervision steps · cycles · (latent updates + 1)"
            parts = f"{steps} · {network.H_cycles} · ({network.L_cycles} + 1)"
        yield f"network calls of an answer: {words} = {parts} = {steps * calls}"
    yield f"tokens of an example: {record.seq_len or MISSING}, of a vocabulary of {len(weights['lm_head.weight'])}"


def _scores(opened: OpenedCheckpoint, record: Recorded, scores: RecordedScores, table: list[Metric]) -> str:
    evaluation = scores.evaluation
    own = is_of_own_data(scores, opened, record.launches)
    where = "; ".join(_in_words(data) for data in _tested(opened, scores)) or MISSING
    lines = [
        f"Test data: {where}.",
        *([] if own else ["These are not the data of the run, which stand below under Data."]),
        f"Examples: `{evaluation.examples}`; network calls per answer: `{evaluation.calls_per_answer}`.",
        f"One checkpoint (step {opened.step}) of one run (seed `{evaluation.seed}`): the intervals "
        "say what other examples would change, not what another seed would.",
        *([f"Votes are ranked by {_code(evaluation.votes_ranked_by)}."] if evaluation.votes_ranked_by else []),
        *(
            f"Asked otherwise than usual: {key.replace('_', ' ')} {_code(value)}."
            for key, value in scores.unusual_settings.items()
        ),
        "",
        "| score | | 95 % interval | without learning |",
        "|---|---|---|---|",
        *(metric.row() for metric in table),
    ]
    return "\n".join(lines)


def _tested(opened: OpenedCheckpoint, scores: RecordedScores) -> list[ScoredData]:
    """The datasets of an evaluation; one in training that does not say took the run's test data."""
    return scores.datasets or [ScoredData(path=path) for path in opened.data_paths]


def _in_words(data: ScoredData) -> str:
    folder = "" if data.folder in ("", data.title) else f", in the folder {_code(data.folder)}"
    more = {"version": data.version, "protocol": data.protocol, "split": data.split}
    words = "".join(f", {key} {_code(value)}" for key, value in more.items() if value is not None)
    return f"{_code(data.title)}{folder}{words}, fingerprint (SHA-256) {_code(data.fingerprint or MISSING)}"


def _data(opened: OpenedCheckpoint, record: Recorded) -> Iterator[str]:
    datasets = record.launches[-1].get("datasets") if record.launches else None
    fingerprints = datasets if isinstance(datasets, dict) else {}
    trained, tested = _paths(opened, "data_paths"), _paths(opened, "data_paths_test")
    if not trained:
        yield f"trained on: {MISSING}"
    for use, paths in (("trained on", trained), ("tested on", tested)):
        for path in paths:
            yield f"{use} {_code(Path(path).name)}, fingerprint (SHA-256) {_code(fingerprints.get(path, MISSING))}"
    for path in trained + tested:
        if path in record.build_commands:
            yield f"{_code(Path(path).name)} is built by {_code(record.build_commands[path])}"


def _provenance(launches: list[dict[str, Any]]) -> Iterator[str]:
    if not launches:
        yield f"command, commit, versions and device: {MISSING}"
        return
    last = launches[-1]
    command, packages = last.get("command"), last.get("packages")
    words = " ".join(map(str, command)) if isinstance(command, list) else MISSING
    versions = packages.items() if isinstance(packages, dict) else ()
    libraries = ", ".join(f"{name} {version}" for name, version in versions if version)
    commits = list(dict.fromkeys(map(_commit, launches)))
    yield f"command: {_code(words, 2000)}"
    yield f"launches: {len(launches)}, the last one at {_code(last.get('time', MISSING))}"
    yield f"commit of the code: {', '.join(commits[:_MOST_LAUNCHES])}"
    yield f"versions: Python {_code(last.get('python', MISSING))}, {_code(libraries or MISSING, 500)}"
    yield f"device: {_code(last.get('device', MISSING))}, processes: {_code(last.get('ranks', MISSING))}"


def _commit(launch: Mapping[str, Any]) -> str:
    git = launch.get("git")
    if not isinstance(git, dict) or git.get("commit") is None:
        return MISSING
    return _code(git["commit"]) + (" with changes that are not in it" if git.get("dirty") else "")


def _paths(opened: OpenedCheckpoint, key: str) -> list[str]:
    return [str(path) for path in opened.config.get(key) or []]


def _names(paths: list[str]) -> list[str]:
    return [shown(Path(path).name) for path in paths]


def _code(text: object, most: int = 200) -> str:
    """A literal, in one line, without paths of the machine."""
    line = shown(without_paths(str(text)), most).replace("`", "'")
    return f"`{line}`"
