"""The answers of several evaluations, voting together: an ensemble of checkpoints, and called so.

A score of one evaluation never holds another checkpoint's votes (the released evaluator's do: its votes are kept over
evaluations). Here they are put together on purpose, from what is stored.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trm.errors import UserError
from trm.supervision import CONFIDENCE_KINDS
from trm_lab.commands.tables import counted, percent, table
from trm_lab.evaluation.arc_questions import questions_of
from trm_lab.evaluation.arc_scores import ranking_in_words
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.files.checksums import MANIFEST, write_manifest
from trm_lab.files.folders import Kind, check_output, new_folder
from trm_lab.files.untrusted import load_json
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.puzzles.selection import Selection
from trm_lab.runs.evaluation_folder import LARGEST_SCORES
from trm_lab.runs.evaluation_place import check_no_links_in_run
from trm_lab.runs.questions import Questions, check_same_questions, read_questions
from trm_lab.runs.rollout_store import INDEX_FILE, RolloutStore

POOLED_FILE = "pooled.json"


def _is_pooled(folder: Path) -> bool:
    try:
        return "pooled" in load_json(folder / POOLED_FILE, LARGEST_SCORES)
    except (OSError, ValueError, TypeError):
        return False


POOLED = Kind(
    "a pooled vote", "|".join(map(re.escape, (POOLED_FILE, "submission.json", "outputs.jsonl", MANIFEST))), _is_pooled
)


def pool(
    folders: Sequence[Path], data_paths: Sequence[str], ranked_by: str, output: Path | None, overwrite: bool = False
) -> None:
    """Let the stored answers of ARC evaluations vote together; write and print what comes out.

    data_paths: the test data; empty: the evaluations' own.  output: None: beside the first one.
    overwrite: replace a pooled vote that is there.

    Raises:
        UserError: fewer than two evaluations, of different questions or confidences, or not of ARC.
    """
    folder = output or folders[0].parent / f"pooled-{len(folders)}"
    check_no_links_in_run(folder)
    check_output(folder, POOLED, overwrite)
    stores = [_open_store(folder) for folder in folders]
    if len(stores) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError(
            f"--pool {' '.join(map(str, folders))}", "two or more different evaluations", "name another one"
        )
    questions = [read_questions(folder) for folder in folders]
    check_same_questions(questions)
    _check_confidences(questions)
    data = _open_data(data_paths or questions[0].data_paths, stores[0])
    voting = ArcVoting(questions_of(data), ranked_by, questions[0].confidence_kind)
    for store in stores:
        for answers in store.answers():
            voting.add(
                answers.puzzle_identifiers, answers.inputs, answers.predictions[:, -1], answers.confidence[:, -1]
            )
    result = voting.result()
    pooled = {
        "pooled": [str(name) for name in folders],
        "scores": result.scores,
        "counts": result.counts,
        "votes_ranked_by": ranking_in_words(ranked_by, questions[0].confidence_kind),
    }
    with new_folder(folder, POOLED, overwrite) as working:
        (working / POOLED_FILE).write_text(json.dumps(pooled, indent=1) + "\n", encoding="utf-8")
        result.write(working)
        write_manifest(working)
    print(pooled_table(pooled))
    print(f"written to {folder}")


def pooled_table(pooled: dict[str, Any]) -> str:
    """What a pooled vote scores, under its own name."""
    rows = [(f"pooled {name}", percent(value)) for name, value in pooled["scores"].items()]
    counts = pooled["counts"]
    if counts["outputs"]:
        right = counted(counts["outputs_correct@2"], counts["outputs"])
        rows.append(("pooled outputs right, 2 attempts", right))
    title = f"{len(pooled['pooled'])} evaluations voting together; no score of one checkpoint"
    return f"{title}\n{table(rows, '  ')}" if rows else title


def _open_store(folder: Path) -> RolloutStore:
    try:
        store = RolloutStore.open(folder)
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no {INDEX_FILE}",
            "folders that evaluate.py wrote, with the stored answers",
            "evaluate the checkpoint first: python evaluate.py <run>",
        ) from None
    if not store.is_complete:
        raise UserError(
            f"{folder} holds {store.done:,} of {store.total:,} answers",
            "finished evaluations",
            "give the command that began it again",
        )
    store.check()
    return store


def _check_confidences(evaluations: Sequence[Questions]) -> None:
    """UserError unless the confidences are of one kind, so that they can be added up."""
    first = evaluations[0]
    for evaluation in evaluations:
        if evaluation.confidence_kind not in CONFIDENCE_KINDS:
            raise UserError(
                f"{evaluation.title} does not say what its confidences are",
                "the scores.json that evaluate.py wrote",
                "evaluate the checkpoint again with --overwrite",
            )
        if evaluation.confidence_kind != first.confidence_kind:
            raise UserError(
                f"{first.title} ranks votes by {first.confidence_kind}, "
                f"{evaluation.title} by {evaluation.confidence_kind}",
                "evaluations of one method: TRM's confidence and DIS's are different things",
                "pool TRM with TRM and DIS with DIS",
            )


def _open_data(paths: Sequence[str], store: RolloutStore) -> EvaluationData:
    stored: Any = store.request.get("selection")
    try:
        selection = Selection(**stored | {"tasks": frozenset(stored["tasks"])})
    except (TypeError, KeyError) as error:
        raise UserError(
            f"{store.folder / INDEX_FILE} names no selection", "the file that evaluate.py wrote", "evaluate again"
        ) from error
    data = EvaluationData(paths, global_batch_size=1, selection=selection)
    if [fingerprint(path) for path in data.paths] != store.request.get("data") or not data.test_puzzles:
        raise UserError(
            f"{', '.join(map(str, paths))} is not the ARC dataset that the answers belong to",
            "the dataset that was evaluated, as it was",
            "name it: --data-path data/<name>",
        )
    return data
