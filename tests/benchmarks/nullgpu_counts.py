"""What a step asks of a GPU, counted on one that computes nothing, as JSON: `run DIR PROJECT <this> CONFIGURATION`."""

import json
import sys

import torch
from watch import watch  # of the tool

from benchmarks.configurations import named
from benchmarks.contender import make_step, repeat
from trm_lab.cluster import cuda_graphs

WARM_UP, STEPS = 12, 12  # two examples of DIS each

compare = cuda_graphs.agree
cuda_graphs.agree = lambda *gradients: compare(*gradients) or True  # garbage would say that a replay differs

device = torch.device("cuda", 0)
torch.cuda.set_device(device)
(configuration,) = named(sys.argv[1], "cuda", "bfloat16")
step = make_step(configuration, "ours", device)
repeat(step, WARM_UP)
torch.cuda.empty_cache()
torch.cuda.reset_peak_memory_stats()
with watch() as seen:
    repeat(step, STEPS)
counts = {
    "waits": seen.waiting / STEPS,
    "launches": seen.launches / STEPS,
    "graph launches": seen.events["graph launch"] / STEPS,
    "copied, kB": sum(size * times for (_, size, _), times in seen.copies.items()) / STEPS / 1e3,
    "allocated, MiB": torch.cuda.max_memory_allocated() / 2**20,
}
print(json.dumps({"counts": counts, "waits": {f"{what} {where}": n for (what, where), n in seen.waits.items()}}))
