"""The model card: every number with where it is from, nothing guessed, nothing of the machine, nothing hostile."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.exportable import SCORES, STEP, random_dis, write_evaluation, write_run
from tests.runs import REPOSITORY
from trm.errors import UserError
from trm_lab.release.card import model_card, without_paths
from trm_lab.release.card_metrics import Metric, metrics
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.release.recorded import recorded
from trm_lab.release.recorded_scores import RecordedScores
from trm_lab.runs.arc_outputs import OutputRecord
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint

OWN = {"name": "arc", "version": 2, "protocol": "published", "fingerprint": "f1" * 32, "split": "test"}
PART: dict[str, Any] = {"tasks": ["a"], "first_tasks": 2, "augmentations": 5, "supervision_steps": 64}
LIMITS: dict[str, Any] = PART | {"identifiers": "blank", "confidence": "all-cells"}
OTHER = {"name": "mazes", "version": 1, "protocol": "hard", "fingerprint": "e2" * 32, "split": "test"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "small", random_dis())


def opened(target: Path, kind: str = "auto") -> OpenedCheckpoint:
    return open_checkpoint(target, weight_kind=kind)


def card(target: Path, evaluation: Path | None = None) -> str:
    checkpoint = opened(target)
    return model_card(checkpoint, recorded(checkpoint, evaluation), "me/small", "mit")


def test_the_card_says_what_it_is_how_to_load_it_what_it_scored_and_where_it_comes_from(run: Path) -> None:
    text = card(run)
    for line in (
        "Deep Improvement Supervision (DIS)",
        f"checkpoint: step {STEP}, weights as trained, not averaged",
        "python evaluate.py hf://me/small --data-path <folder of arc-small>",
        "trained on `arc-small`, fingerprint (SHA-256) `" + "f1" * 32 + "`",
        "`arc-small` is built by `python -m data.build_arc_dataset --output-dir arc-small`",
        "command: `pretrain.py ++data_paths=[arc-small] ++checkpoint_path=small`",
        "commit of the code: `c0ffee` with changes that are not in it",
        "Licence of these weights: mit.",
        "| pass@1, mean over tasks | 25.0 % | not estimable: 2 tasks |",
        "| ARC Prize score: outputs right in two attempts | 50.0 % | [15.0, 85.0] %, Wilson; 2 of 4 |",
        "| augmented inputs wholly right | 25.0 % | none: augmentations of a task are not independent |",
        "Examples: `8`; network calls per answer: `18`.",
        f"One checkpoint (step {STEP}) of one run (seed `3`)",
    ):
        assert line in text


def test_without_votes_examples_are_independent_and_tasks_that_score_alike_show_no_spread() -> None:
    def first_metric(outputs: list[OutputRecord], **changes: Any) -> Metric:
        record = {**SCORES, "examples": 8, **changes}
        return metrics(RecordedScores.from_record(record, outputs, "scores.json"))[0]

    plain = first_metric([], scores={}, counts={})
    assert (plain.name, plain.interval) == ("examples wholly right", "[7.1, 59.1] %, Wilson; 2 of 8")
    alike = [OutputRecord(task, 0, True, None, 9, 2, 6, 0.5) for task in "ab"]
    assert first_metric(alike).interval == "not estimable: all 2 tasks score alike"
    assert first_metric([]).interval == "not recorded"


def test_every_score_is_shown_under_its_own_dataset(run: Path, tmp_path: Path) -> None:
    own = {**OWN, "path": "/elsewhere/moved"}
    other = {**OTHER, "path": "/elsewhere/arc-small"}  # a folder of the same name tells nothing
    for data in (own, other):
        (tmp_path / "README.md").write_text(
            card(run, write_evaluation(tmp_path / data["name"], datasets=[data], evaluated=LIMITS))
        )
        text, data_of_card = (tmp_path / "README.md").read_text(), ModelCard.load(tmp_path / "README.md").data
        assert (
            f"Test data: `{data['name']}`, in the folder `{Path(str(data['path'])).name}`, version "
            f"`{data['version']}`, protocol `{data['protocol']}`, split `test`, "
            f"fingerprint (SHA-256) `{data['fingerprint']}`.\n"
        ) in text
        assert ("These are not the data of the run" in text) == (data is other)
        assert "Asked otherwise than usual: supervision steps `64`." in text
        assert "Asked otherwise than usual: tasks `['a']`." in text
        fields = (data_of_card.license, data_of_card.library_name, data_of_card.datasets)
        assert fields == ("mit", "trm-lab", ["arc-small"])  # on which it was trained
        assert data_of_card.eval_results is not None
        values = {result.metric_type: result.metric_value for result in data_of_card.eval_results}
        assert (values["pass@2"], values["prize_score"]) == (0.75, 0.5)
        for result in data_of_card.eval_results:
            assert result.dataset_name == f"{data['name']} version {data['version']}"
            assert (result.dataset_type, result.dataset_revision) == (data["name"], data["fingerprint"])


def test_what_is_not_recorded_is_called_so(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(ExportRequest(str(run), "published", tmp_path / "out"))
    config = tmp_path / "out/all_config.yaml"
    config.write_text(config.read_text().replace("seq_len: 16", ""))
    checkpoint = opened(tmp_path / f"out/step_{STEP}")
    text = model_card(checkpoint, recorded(checkpoint), "theirs", None)
    unknown = "command, commit, versions and device: not recorded"
    for line in (
        "kind of weights (EMA or raw) not recorded",
        "tokens of an example: not recorded",
        "Not recorded: no evaluation of this checkpoint was at hand.",
        "fingerprint (SHA-256) `not recorded`",
        unknown,
        "Licence of these weights: not recorded.",
    ):
        assert line in text
    assert not {"license", "model-index"} & yaml.safe_load(text.split("---")[1]).keys()
    file = run / "provenance.json"
    file.write_text(file.read_text().replace("c0ffee", "decade"))
    assert unknown in card(run)
    assert "provenance.json is damaged" in capsys.readouterr().err


def test_the_newest_evaluation_of_these_very_weights_is_taken(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", random_dis(), ema=True)
    write_evaluation(run / "scored/of_another_step", step=STEP + 1, seed=10)
    write_evaluation(run / "scored/raw", evaluated={"weights": "raw"}, seed=11)
    for number, (key, value) in enumerate(LIMITS.items()):
        write_evaluation(run / f"scored/{key}", evaluated={"weights": "ema", key: value}, seed=20 + number)
    write_evaluation(run / "scored/damaged", seed=12)
    (run / "scored/damaged/scores.json").write_text("{}")

    def seed(kind: str) -> Any:
        scores = recorded(opened(run, kind)).scores
        return None if scores is None else scores.evaluation.seed

    assert [seed(kind) for kind in ("auto", "ema", "raw")] == [3, 3, 11]
    write_evaluation(run / "scored/other data", datasets=[{**OTHER, "path": "x"}], evaluated={}, seed=13)
    assert seed("auto") == 3
    for later in (13, None):
        newest = "other data" if later is None else f"../evaluations/step_{STEP}"
        (run / "scored" / newest / "scores.json").unlink()
        assert [seed(kind) for kind in ("auto", "raw")] == [later, 11]


def test_an_evaluation_of_something_else_is_refused(run: Path, tmp_path: Path) -> None:
    later = write_evaluation(tmp_path / "later", step=STEP + 1)
    averaged = write_evaluation(tmp_path / "averaged", evaluated={"weights": "ema"})
    damaged = write_evaluation(tmp_path / "damaged")
    (damaged / "scores.json").write_text("[]")
    for folder, problem in (
        (later, "is of step 13 instead of 12"),
        (averaged, "is of ema weights instead of raw"),
        (damaged, r"scores\.json differs from its checksum"),
        (tmp_path, "No such file"),
        (write_evaluation(tmp_path / "infinite", seed=float("inf")), "no JSON number"),
    ):
        with pytest.raises(UserError, match=problem):
            recorded(opened(run), folder)


def test_of_a_path_only_its_last_part_is_left_and_addresses_stay() -> None:
    assert without_paths("++data_paths=[/home/me/a,/home/me/b] '~/c/'") == "++data_paths=[a,b] 'c'"
    for text in ("data/arc1", "hf://owner/name/step_1", "https://example.org/a/b", "a/b/c and/or"):
        assert without_paths(text) == text


HOSTILE = "\x1b]0;owned\x07`\n# heading | cell\n---\n<script>"
VALUES: list[Any] = [HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}, None, -7]
LAUNCH_KEYS = ("time", "command", "git", "python", "packages", "device", "ranks", "datasets")
SCORE_KEYS = ("examples", "per_step", "tasks", "scores", "counts", "votes_ranked_by", "seed", "copy")


def test_a_stranger_s_provenance_and_scores_stay_in_their_lines(run: Path) -> None:
    checkpoint = opened(run)
    record = recorded(checkpoint)
    (launch, _), scores = record.launches, record.scores
    assert scores is not None
    task = {**dict.fromkeys(("dataset", "version", "protocol"), HOSTILE), "examples": 8, "verdicts": {HOSTILE: 2}}
    records = [replace(record, launches=[{**launch, key: value}]) for key in LAUNCH_KEYS for value in VALUES]
    for key in SCORE_KEYS:
        for value in [*VALUES, 10**30, [task]]:
            with suppress(UserError):  # refused, which is as good
                hostile_scores = RecordedScores.from_record({**SCORES, key: value}, scores.outputs, "x")
                records.append(replace(record, scores=hostile_scores))
    assert len(records) > len(LAUNCH_KEYS) * len(VALUES)
    for hostile in records:
        lines = model_card(checkpoint, hostile, "me/small", "mit").splitlines()
        assert all(line.isprintable() for line in lines)
        assert lines.count("---") == 2
        assert [line for line in lines if line.startswith("# ")] == ["# small"]
        assert {line.count("|") for line in lines if line.startswith("|")} <= {5}


@pytest.mark.parametrize("folder", sorted((REPOSITORY / "pretrained").glob("*/")), ids=lambda folder: folder.name)
def test_a_shipped_card_says_what_is_written_today_and_how_its_data_are_built(folder: Path) -> None:
    text, shipped = (folder / "README.md").read_text(), opened(folder)
    head, *sections = model_card(shipped, recorded(shipped), folder.name, "mit").split("\n## ")
    today = [head.split("---\n")[-1], *(part for part in sections if part.startswith(("How to use", "Licence")))]
    assert len(today) == 3
    assert all(part in text for part in today)
    for path in shipped.data_paths:
        assert f"`{Path(path).name}` is built by `{shipped.build_command(path)}`" in text
