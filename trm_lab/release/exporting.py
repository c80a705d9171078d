"""What export.py does: open a checkpoint, write it in the form asked for, whole or not at all, and push it if asked."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError
from trm_lab.files.config_files import read_config
from trm_lab.files.folders import Kind, check_output, new_folder
from trm_lab.files.whole_files import carries
from trm_lab.inference.arc_checkpoint import SEQ_LEN
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.release import kaggle
from trm_lab.release.published_form import EXPORT_MARK, export_published
from trm_lab.release.recorded import Recorded, dataset_like, recorded, run_of
from trm_lab.release.safetensors_export import FILES, export_safetensors
from trm_lab.release.upload import HubApi, check_login, check_repository, push
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


Writer = Callable[[Path, OpenedCheckpoint, Recorded, ExportRequest], None]


@dataclass(frozen=True)
class Form:
    """A form to export in: what writes it into a folder, and which files it consists of."""

    write: Writer
    kind: Kind


def export(request: ExportRequest, api: HubApi | None = None) -> None:
    """Write what is asked for and say where it is.

    api: of the hub, for a push; None for the hub itself.

    Raises:
        UserError: flags that do not go together, no checkpoint, tensors that its architecture lacks or has in other
            shapes, an output in use, or a refused push.
    """
    _check(request)
    check_output(request.output, FORMS[request.form].kind, request.overwrite)
    if request.push_to is not None:
        check_login(request.push_to, api)
    opened = open_checkpoint(request.target, request.config, request.weight_kind)
    known = recorded(opened, request.evaluation)
    opened.supervision(dataset_like(opened, known.seq_len or 1))  # or names what does not fit
    form = FORMS[request.form]
    with new_folder(request.output, form.kind, request.overwrite) as folder:
        form.write(folder, opened, known, request)
    print(f"written to {request.output}: step {opened.step}, in the form {request.form}")
    for line in _left_out(request, opened, known):
        print(line)
    if request.push_to is not None:
        message = f"Step {opened.step} of {opened.arch.supervision}"
        print(f"pushed to {push(request.output, request.push_to, request.private, message, api)}")


def _check(request: ExportRequest) -> None:
    only_hub = {
        "--push": request.push_to,
        "--private": request.private,
        "--evaluation": request.evaluation,
        "--license": request.licence,
    }
    given = [flag for flag, value in only_hub.items() if value not in (None, False)]
    if given and request.form != "hub":
        raise UserError(f"{', '.join(given)} with --to {request.form}", "with --to hub", "leave it out")
    if request.licence is not None and not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", request.licence):
        raise UserError(
            f"--license {request.licence!r}",
            "the hub's name of a licence: letters, digits, . and -, such as mit, apache-2.0 or other",
            "correct it, or leave it out",
        )
    if request.private and request.push_to is None:
        raise UserError(
            "--private without --push", "with --push owner/repository", "add --push, or leave it out"
        )
    if request.push_to is not None:
        check_repository(request.push_to)


def _left_out(request: ExportRequest, opened: OpenedCheckpoint, known: Recorded) -> list[str]:
    lines, rows = [], opened.puzzle_identifiers
    if request.form == "hub" and known.scores is None:
        lines.append(
            "the card has no scores: no evaluation of this step and these weights was found (--evaluation <folder>)"
        )
    if rows > 1 and known.row_names is None:
        lines.append(
            f"whose its {rows:,} puzzle embeddings are is not recorded: from the export, every task is answered as one "
            "that was not trained on"
        )
    return lines


def _write_hub(folder: Path, opened: OpenedCheckpoint, known: Recorded, request: ExportRequest) -> None:
    licence = request.licence or (OWN_LICENCE if run_of(opened.path) is not None else None)
    export_safetensors(folder, opened, known, request.push_to or request.output.resolve().name, licence)


def _write_published(folder: Path, opened: OpenedCheckpoint, known: Recorded, request: ExportRequest) -> None:
    config = {**opened.config, "arch": opened.arch.as_dict()}
    if known.seq_len is not None:
        config[SEQ_LEN] = known.seq_len  # theirs ignore it; to us it says how large the canvas is
    export_published(folder, opened.step, opened.weights, config, known.row_names)


def _write_kaggle(folder: Path, opened: OpenedCheckpoint, known: Recorded, request: ExportRequest) -> None:
    kaggle.write_package(folder, opened, known)


def _kind(
    form: str, names: Sequence[str], config: str, is_whole: Callable[[Path], bool] = lambda folder: True
) -> Kind:
    """names: regular expressions of its files.  config: the one that says that we wrote it."""

    def is_one(folder: Path) -> bool:
        return carries(folder / config, EXPORT_MARK) and is_whole(folder)

    return Kind(f"an export for {form}", "|".join(names), is_one)


def _has_one_step(folder: Path) -> bool:
    """Whether the only weights are of the step that the configuration names: others were laid beside them."""
    try:
        step = read_config(folder / PUBLISHED_CONFIG).get("step")
    except UserError:
        return False
    return {file.name for file in folder.glob("step_*")} <= {f"step_{step}"}


def _has_script(folder: Path) -> bool:
    return (folder / kaggle.SCRIPT_FILE).exists()


FORMS = {
    "hub": Form(_write_hub, _kind("the hub", [re.escape(name) for name in FILES], EXPORTED_CONFIG)),
    "published": Form(
        _write_published,
        _kind(
            "the published code",
            [re.escape(PUBLISHED_CONFIG), re.escape(IDENTIFIERS_FILE), "step_[0-9]+"],
            PUBLISHED_CONFIG,
            _has_one_step,
        ),
    ),
    "kaggle": Form(_write_kaggle, _kind("Kaggle", kaggle.NAMES, EXPORTED_CONFIG, _has_script)),
}
