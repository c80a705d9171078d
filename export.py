"""Write a run or a checkpoint in a form that others use: for the Hugging Face Hub, for the published code, for
Kaggle, or as an ONNX graph.

python export.py runs/arc_mini_dis --to hub --output-dir exports/arc_mini_dis
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trm_lab.commands.interrupts  # noqa: F401 (first: what is imported later takes seconds)
from trm_lab.commands.choices import EXPORT_FORMS, WEIGHT_KINDS
from trm_lab.commands.command_line import CommandLine, local_path, path_or_address, run_command
from trm_lab.commands.invocation import say_loading

if TYPE_CHECKING:
    from trm_lab.release.exporting import ExportRequest


def parse(arguments: Sequence[str] | None = None) -> "ExportRequest":
    """The request on a command line, or on this process's own."""
    line = CommandLine("export.py", __doc__)
    line.add_argument(
        "target", type=path_or_address, help="a run, a checkpoint directory, a published file, an export, or hf://…"
    )
    line.add_argument("--to", required=True, choices=EXPORT_FORMS, help="the form")
    line.add_argument("--output-dir", required=True, type=local_path, help="the folder to make")
    line.add_argument(
        "--config", type=local_path, help="config.yaml or all_config.yaml (default: the checkpoint's own)"
    )
    line.add_argument(
        "--weights", choices=WEIGHT_KINDS, default="auto", help="auto: averaged where the run kept an average"
    )
    line.add_argument(
        "--evaluation", type=local_path, help="a folder with the scores for the card (default: the run's newest)"
    )
    line.add_argument("--license", help="of the weights, for the card (default: MIT for a run of ours)")
    line.add_argument("--push", metavar="OWNER/REPOSITORY", help="also upload it to the hub")
    line.add_argument("--private", action="store_true", help="make the repository a private one")
    line.add_argument("--overwrite", action="store_true", help="replace an export of the same form")
    flags = line.parse(arguments)
    say_loading("export.py", "PyTorch, then the checkpoint")
    from trm_lab.release.exporting import ExportRequest  # not before the flags are read: torch takes seconds

    return ExportRequest(
        target=flags.target,
        form=flags.to,
        output=flags.output_dir,
        config=flags.config,
        weight_kind=flags.weights,
        evaluation=flags.evaluation,
        licence=flags.license,
        push_to=flags.push,
        private=flags.private,
        overwrite=flags.overwrite,
    )


def main() -> None:
    """Run this process's command line."""
    request = parse()
    from trm_lab.release.exporting import export

    export(request)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")
