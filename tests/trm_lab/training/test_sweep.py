"""Several runs from one command: each in a folder of its own, resumed, side by side, as jobs; and what is refused."""

import importlib.util
import multiprocessing
from pathlib import Path

import pytest

from tests.runs import command, finish, records
from trm.errors import UserError
from trm_lab.commands.progress import Progress
from trm_lab.training.overrides import normalise, sweep_once
from trm_lab.training.sweep import LAUNCHERS, gpu_of_worker

BUILD = "python -m data.build_nqueens_dataset --size 5 --train-size 20 --test-size 9 --output-dir queens"
SWEEP = (
    "-m",
    "arch=dis",
    "arch.halt_max_steps=2",
    "run_name=few",
    "data_paths=[queens]",
    "evaluators=[]",
    "build_missing_data=True",
    f"data_build={{queens: '{BUILD}'}}",
    "global_batch_size=4",
    "epochs=2",
    "eval_interval=1",
    "max_steps=4",
)


def swept(folder: Path, *overrides: str) -> tuple[str, list[Path]]:
    """What a sweep printed, and the folders of all runs there, in the order of their names."""
    output = finish(command("pretrain.py", *SWEEP, *overrides), folder)
    return output, sorted(path.parent for path in folder.glob("runs/*/metrics.jsonl"))


def losses(runs: list[Path]) -> dict[str, list[float]]:
    return {run.name: [record["loss"] for record in records(run, "train")] for run in runs}


@pytest.mark.long
def test_the_same_sweep_again_trains_only_what_is_not_done_yet(tmp_path: Path) -> None:
    output, one = swept(tmp_path, "seed=0")
    assert len(one) == 1
    assert output.count("building the dataset") == 1
    before = (one[0] / "metrics.jsonl").read_bytes()  # its timings too: nothing was made again
    output, two = swept(tmp_path, "seed=0,1")
    assert len(two) == 2
    assert output.count("resuming from") == 1
    assert all(output.count(f", seed {seed})") == 1 for seed in (0, 1)), "behind its folder"
    assert (one[0] / "metrics.jsonl").read_bytes() == before
    assert len({str(series) for series in losses(two).values()}) == 2


def test_a_key_given_takes_the_place_of_the_experiment_s_values_for_it() -> None:
    """Hydra would make the product of both: the same run four times."""
    given = ["experiment=efficiency_nqueens", "arch=trm", "++max_steps=2"]
    assert sweep_once(given) == ["hydra.sweeper.params=null", "++seed=0,1,2,3,4", *given]
    switches = sweep_once(["experiment=efficiency_nqueens_switches", "++arch.feed=question"])
    assert "arch=dis" in switches  # the inner experiment's value for it, not the outer's four
    assert "++arch.target_kernel=reveal,mask" in switches
    assert [word for word in switches if "feed" in word] == ["++arch.feed=question"]
    for plain in (["experiment=nqueens_dis", "++seed=0,1"], ["arch=dis,trm"]):
        assert sweep_once(plain) == plain


@pytest.mark.long
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_runs_side_by_side_build_the_data_once_and_train_as_one_after_another(launcher: str, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "beside").mkdir()
    _, plain = swept(tmp_path / "plain", "seed=0,1")
    workers = ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else ["hydra.launcher.timeout_min=5"]
    output, beside = swept(tmp_path / "beside", "seed=0,1", f"hydra/launcher={launcher}", *workers)
    assert losses(plain) == losses(beside)
    if launcher == "joblib":  # submitit keeps what its jobs print
        assert output.count("building the dataset") == 1
        assert all(f"{run.name}: step 4" in output for run in beside)


def test_a_run_beside_others_begins_its_lines_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(4, 0, True, "few-1a2b3c").say("step 2: exact 0 %")
    assert capsys.readouterr().out == "few-1a2b3c: step 2: exact 0 %\n"


@pytest.mark.parametrize(("worker", "gpu"), [("LokyProcess-1", 0), ("LokyProcess-3", 2), ("LokyProcess-5", 0)])
def test_workers_take_the_gpus_in_turn(worker: str, gpu: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_name", worker)
    assert gpu_of_worker(4) == gpu
    assert gpu_of_worker(0) == 0  # on a CPU there is nothing to choose


def test_a_run_of_its_own_takes_the_gpu_that_torchrun_or_the_user_chose() -> None:
    assert gpu_of_worker(4) is None


def test_a_launcher_that_hydra_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="submitit_slurm") as error:
        normalise(["hydra/launcher=slurm"], {})
    assert error.value.given == "hydra/launcher=slurm"
    for name in LAUNCHERS:
        assert normalise([f"hydra/launcher={name}"], {}) == [f"hydra/launcher={name}"]


def test_a_launcher_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install hydra-submitit-launcher"):
        normalise(["hydra/launcher=submitit_slurm"], {})
    assert normalise(["hydra/launcher=basic"], {}) == ["hydra/launcher=basic"]
