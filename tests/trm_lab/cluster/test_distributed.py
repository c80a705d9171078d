"""Leaving the process group leaves nothing of it behind."""

import sys
from pathlib import Path

import pytest

from tests.runs import finish

LEAVE = """
import os
import torch
from trm_lab.cluster.ranks import join

ranks = join("cpu")
torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])  # imports much of torch, and what holds the group by default
ranks.sum_(torch.ones(2))
ranks.close()
left = []
for thread in os.listdir("/proc/self/task"):
    try:
        left += [name for name in open(f"/proc/self/task/{thread}/comm") if "gloo" in name]
    except OSError:  # it has ended meanwhile
        pass
assert not left, left
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed by /proc only")
@pytest.mark.long
def test_no_thread_of_the_process_group_outlives_close(tmp_path: Path) -> None:
    script = tmp_path / "leave.py"
    script.write_text(LEAVE)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    finish([*launcher, str(script)], tmp_path)
