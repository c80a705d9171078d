"""infra/slurm/train.sbatch run by bash, with srun and scontrol of one machine: what is requeued and what is not."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.infra.processes import INFRA, STUB_TRAINER, ended, started, wait_for

SCRIPT = INFRA / "slurm/train.sbatch"
JOB = str(os.getpid())  # decides the port: tests that run side by side need different ones


def batch(folder: Path, *words: str, nodes: int = 1, **variables: str) -> subprocess.Popen[str]:
    """The batch script with Slurm's variables, submitted from a folder that has infra/."""
    (folder / "infra").exists() or (folder / "infra").symlink_to(INFRA)
    slurm = {
        "SLURM_JOB_ID": JOB,
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_SUBMIT_DIR": str(folder),
    }
    return started(["bash", str(SCRIPT), *words], folder, **{**slurm, **variables})


def stub_torchrun(folder: Path, code: int) -> None:
    """An infra/torchrun.sh that writes its arguments down and leaves with a code."""
    (folder / "infra").mkdir()
    script = folder / "infra/torchrun.sh"
    script.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" "threads=${{OMP_NUM_THREADS:-}}"\nexit {code}\n')
    script.chmod(0o755)
    (folder / "train.py").write_text("")


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def requeued(folder: Path) -> bool:
    return f"requeue {JOB}" in calls(folder)


@pytest.mark.long
@pytest.mark.parametrize("signalled", ["tasks", "all"])
def test_a_preempted_job_on_two_nodes_saves_on_both_and_is_requeued(signalled: str, tmp_path: Path) -> None:
    words = (str(STUB_TRAINER), f"folder={tmp_path}", "save=1")
    process = batch(tmp_path, *words, nodes=2, STUB_SIGNALS=signalled)
    wait_for(tmp_path, "started", 2, process)
    process.send_signal(signal.SIGUSR1)
    code, output = ended(process)
    logs = "".join(log.read_text() for log in tmp_path.glob("runs/slurm/*/node_*.log"))
    assert code == 75, output + logs
    assert {f.name for f in tmp_path.glob("*_0")} == {
        f"{e}_{r}_0" for e in ("started", "asked", "saved") for r in (0, 1)
    }
    assert requeued(tmp_path)
    assert len(list(tmp_path.glob("runs/slurm/*/node_*.log"))) == 2


@pytest.mark.parametrize("code", [0, 1, 2, 70, 130])
def test_a_job_that_ends_by_itself_passes_its_code_on_and_is_not_requeued(code: int, tmp_path: Path) -> None:
    stub_torchrun(tmp_path, code)
    assert ended(batch(tmp_path, "train.py"))[0] == code
    assert not requeued(tmp_path)


@pytest.mark.parametrize(("state", "again"), [("RUNNING", True), ("CANCELLED", False), ("COMPLETING", False)])
def test_only_a_job_that_still_runs_is_requeued(state: str, again: bool, tmp_path: Path) -> None:
    stub_torchrun(tmp_path, 75)
    code, _ = ended(batch(tmp_path, "train.py", STUB_STATE=state))
    assert (code, requeued(tmp_path)) == (75, again)


@pytest.mark.parametrize(("gpus", "ranks"), [("8", 8), (None, 1)])
def test_each_node_runs_a_rank_for_each_gpu_and_one_without(gpus: str | None, ranks: int, tmp_path: Path) -> None:
    stub_torchrun(tmp_path, 0)
    variables = {"SLURM_GPUS_ON_NODE": gpus} if gpus else {}
    words = ("train.py", "experiment=arc1_dis", 'data_paths="[a b]"')
    process = batch(tmp_path, *words, nodes=2, SLURM_CPUS_PER_TASK="64", OMP_NUM_THREADS="", **variables)
    assert ended(process)[0] == 0
    for log in tmp_path.glob("runs/slurm/*/node_*.log"):
        *given, threads = log.read_text().splitlines()
        assert tuple(given[-3:]) == words
        assert {"--nnodes=2", f"--nproc-per-node={ranks}", "--rdzv-backend=c10d"} < set(given)
        assert any(re.fullmatch(r"--rdzv-endpoint=localhost:[2-3]\d{4}", word) for word in given)
        assert threads == f"threads={64 // ranks}"


@pytest.mark.parametrize("words", [(), ("no_such_script.py",)])
def test_a_wrong_submission_says_what_to_do(words: tuple[str, ...], tmp_path: Path) -> None:
    code, output = ended(batch(tmp_path, *words))
    assert code == 2
    assert all(part in output for part in ("error: ", "allowed: ", "to do: "))


def test_the_ranks_are_killed_before_slurm_would() -> None:
    text = SCRIPT.read_text()
    warned = re.search(r"#SBATCH --signal=B:USR1@(\d+)", text)
    allowed = re.search(r"SAVE_SECONDS:-(\d+)", text)
    assert warned
    assert allowed
    assert int(allowed[1]) + 30 <= int(warned[1])
    assert "#SBATCH --requeue" in text
