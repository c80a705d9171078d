"""The files of the checkout that belong into the wheel, by their names in it."""

import subprocess

from tests.runs import REPOSITORY

LIBRARIES, ROOMS = ("trm/", "dis_trm/", "trm_lab/"), ("data/", "analysis/", "configs/")
WEIGHTS = "pretrained/"  # one folder for each model
RECORDED = "analysis/recorded/"  # runs that documents show and no code opens
BESIDE = ("setup.py", "dataset.py", ".pre-commit")  # what builds and checks it; what a checkout says of published names
SUFFIXES = (".py", ".yaml", ".html", ".css", ".js")


def packed_files() -> set[str]:
    """What git knows or would take in."""
    words = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    ours = [name for name in listed if name.endswith(SUFFIXES) and not name.startswith((RECORDED, *BESIDE))]
    libraries = {name for name in ours if name.startswith(LIBRARIES)}
    rest = {name for name in ours if name.startswith(ROOMS) or "/" not in name}
    rest |= {name for name in listed if name.startswith(WEIGHTS) and name.count("/") == 2}
    return libraries | {f"trm_lab/checkout/{name}" for name in rest}
