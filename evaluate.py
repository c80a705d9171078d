"""Score a run or a checkpoint: accuracy at each supervision step, ARC votes, scores.json and submission.json.

python evaluate.py runs/arc_mini_dis
python evaluate.py --data-path data/arc1concept-aug-1000 --config all_config.yaml --checkpoint step_518071
"""

from pathlib import Path

from dis_trm.supervision import DISSupervision
from trm.act import ACTSupervision
from trm.command_line import CommandLine, integer, run_command
from trm.distributed import DEVICE_CHOICES
from trm.errors import UserError
from trm.training.config import SAVED_OUTPUTS
from trm.training.scoring import ScoringRequest, score

SUPERVISIONS = {"act": ACTSupervision, "dis": DISSupervision}


def parse() -> ScoringRequest:
    """The request on this process's command line."""
    assert __doc__ is not None
    summary, example = __doc__.split("\n\n", 1)
    line = CommandLine("evaluate.py", summary, example)
    line.add_argument(
        "target", nargs="?", type=Path, help="a run, a checkpoint directory, or a published file"
    )
    line.add_argument("--checkpoint", type=Path, help="the same, in the published form")
    line.add_argument(
        "--config", type=Path, help="config.yaml or all_config.yaml (default: the checkpoint's own)"
    )
    line.add_argument("--data-path", nargs="+", default=[], help="test data (default: the configuration's)")
    line.add_argument("--batch-size", type=integer(1), help="examples at a time over all ranks")
    line.add_argument("--device", choices=DEVICE_CHOICES, default="auto")
    line.add_argument("--output-dir", type=Path, help="where the results go (default: beside the checkpoint)")
    line.add_argument(
        "--export", type=Path, help="also write the weights in the published form into this folder"
    )
    line.add_argument(
        "--save-outputs", nargs="+", choices=SAVED_OUTPUTS, default=[], help="keep these arrays"
    )
    given = line.parse()
    target = given.checkpoint or given.target
    if target is None or (given.checkpoint and given.target):
        raise UserError(
            f"target {given.target} and --checkpoint {given.checkpoint}",
            "one of the two",
            "python evaluate.py <run>",
        )
    return ScoringRequest(
        target,
        given.config,
        given.data_path,
        given.batch_size,
        given.device,
        given.output_dir,
        given.export,
        given.save_outputs,
    )


if __name__ == "__main__":
    run_command(lambda: score(parse(), SUPERVISIONS), interrupted="interrupted; nothing was written")
