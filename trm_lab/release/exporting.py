"""What export.py does: open a checkpoint, write it in the requested form, whole or not at all, and push it if asked."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError
from trm_lab.files.config_files import read_config
from trm_lab.files.folders import Kind, check_output, new_folder
from trm_lab.files.whole_files import carries
from trm_lab.inference.arc_checkpoint import SEQ_LEN, one_puzzle_metadata
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.release import kaggle, onnx_form
from trm_lab.release.published_form import export_published
from trm_lab.release.recorded import Recorded, recorded, run_of
from trm_lab.release.safetensors_export import FILES, export_safetensors, puzzle_key
from trm_lab.release.upload import HubApi, check_login, check_repository, push
from trm_lab.runs.exported_form import EXPORT_MARK
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint
from trm_lab.runs.weights import EXPORTED_CONFIG, PUBLISHED_CONFIG

OWN_LICENCE = "mit"  # of this repository, and of what its runs make unless somebody says otherwise


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and how.

    target: whatever `open_checkpoint` takes.  form: a key of `FORMS`.  output: the folder to make.
    config, weight_kind: as for `open_checkpoint`.
    evaluation: a folder with the scores for the card; None: the run's newest that is of these weights.
    licence: None: MIT for a run of ours, not recorded for weights from elsewhere.
    push_to: owner/repository on the hub, or None.  private: make it a private one.
    """

    target: str
    form: str
    output: Path
    config: Path | None = None
    weight_kind: str = "auto"
    evaluation: Path | None = None
    licence: str | None = None
    push_to: str | None = None
    private: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Form:
    """A form to export in: what writes it into a folder, and how such a folder is recognised."""

    write: Callable[[Path, OpenedCheckpoint, Recorded, ExportRequest], None]
    kind: Kind


def export(request: ExportRequest, api: HubApi | None = None) -> None:
    """Write what the request says and print where it is.

    api: of the hub, for a push; None for the hub itself.

    Raises:
        UserError: flags that do not go together, no checkpoint, tensors that its architecture lacks or has in other
            shapes, an output in use, or a refused push.
    """
    form = FORMS[request.form]
    _check(request)
    check_output(request.output, form.kind, request.overwrite)
    if request.form == "onnx":
        onnx_form.check_packages()
    if request.push_to is not None:
        check_login(request.push_to, api)
    opened = open_checkpoint(request.target, request.config, request.weight_kind)
    record = recorded(opened, request.evaluation)
    vocabulary = len(opened.weights.get("embed_tokens.embedding_weight", [0]))
    opened.supervision(one_puzzle_metadata(vocabulary, record.seq_len or 1))  # or names what does not fit
    with new_folder(request.output, form.kind, request.overwrite) as folder:
        form.write(folder, opened, record, request)
    print(f"written to {request.output}: step {opened.step}, in the form {request.form}")
    if request.form == "hub" and record.scores is None:
        print("the card has no scores: no evaluation of this step and these weights was found (--evaluation <folder>)")
    if opened.puzzle_identifiers > 1 and record.row_names is None:
        print(
            f"whose its {opened.puzzle_identifiers:,} puzzle embeddings are is not recorded: from the export, every "
            "task is answered as one that was not trained on"
        )
    if request.push_to is not None:
        message = f"Step {opened.step} of {opened.arch.supervision}"
        print(f"pushed to {push(request.output, request.push_to, request.private, message, api)}")


def _check(request: ExportRequest) -> None:
    hub_flags = {
        "--push": request.push_to,
        "--private": request.private or None,
        "--evaluation": request.evaluation,
        "--license": request.licence,
    }
    flags = [flag for flag, value in hub_flags.items() if value is not None]
    if flags and request.form != "hub":
        raise UserError(f"{', '.join(flags)} with --to {request.form}", "with --to hub", "leave it out")
    if request.licence is not None and not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", request.licence):
        raise UserError(
            f"--license {request.licence!r}",
            "the hub's name of a licence: letters, digits, . and -, such as mit, apache-2.0 or other",
            "correct it, or leave it out",
        )
    if request.private and request.push_to is None:
        raise UserError("--private without --push", "with --push owner/repository", "add --push, or leave it out")
    if request.push_to is not None:
        check_repository(request.push_to)


def _write_hub(folder: Path, opened: OpenedCheckpoint, record: Recorded, request: ExportRequest) -> None:
    licence = request.licence or (OWN_LICENCE if run_of(opened.path) is not None else None)
    export_safetensors(folder, opened, record, request.push_to or request.output.resolve().name, licence)


def _write_published(folder: Path, opened: OpenedCheckpoint, record: Recorded, request: ExportRequest) -> None:
    config = {**opened.config, "arch": opened.arch.as_dict(), **puzzle_key(opened)}
    if record.seq_len is not None:
        config[SEQ_LEN] = record.seq_len  # theirs ignore it; to us it says how large the canvas is
    export_published(folder, opened.step, opened.weights, config, record.row_names)


def _write_kaggle(folder: Path, opened: OpenedCheckpoint, record: Recorded, request: ExportRequest) -> None:
    kaggle.write_package(folder, opened, record)


def _write_onnx(folder: Path, opened: OpenedCheckpoint, record: Recorded, request: ExportRequest) -> None:
    onnx_form.write_onnx(folder, opened, record)


def _is_export(folder: Path, config: str) -> bool:
    """Whether the configuration in a folder says that we wrote it."""
    return carries(folder / config, EXPORT_MARK)


def _is_published(folder: Path) -> bool:
    """Whether the only weights are of the step that our configuration names: others were laid beside them."""
    if not _is_export(folder, PUBLISHED_CONFIG):
        return False
    try:
        step = read_config(folder / PUBLISHED_CONFIG).get("step")
    except UserError:
        return False
    return {file.name for file in folder.glob("step_*")} <= {f"step_{step}"}


def _is_package(folder: Path) -> bool:
    return _is_export(folder, EXPORTED_CONFIG) and (folder / kaggle.SCRIPT_FILE).exists()


_PUBLISHED_NAMES = (re.escape(PUBLISHED_CONFIG), re.escape(IDENTIFIERS_FILE), "step_[0-9]+")
FORMS = {
    "hub": Form(
        _write_hub,
        Kind(
            "an export for the hub", "|".join(map(re.escape, FILES)), lambda folder: _is_export(folder, EXPORTED_CONFIG)
        ),
    ),
    "published": Form(
        _write_published, Kind("an export for the published code", "|".join(_PUBLISHED_NAMES), _is_published)
    ),
    "kaggle": Form(_write_kaggle, Kind("an export for Kaggle", "|".join(kaggle.NAMES), _is_package)),
    "onnx": Form(
        _write_onnx,
        Kind(
            "an export as an ONNX graph",
            "|".join(map(re.escape, onnx_form.FILES)),
            lambda folder: _is_export(folder, onnx_form.ABOUT),
        ),
    ),
}
