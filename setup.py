"""What pyproject.toml cannot say: the wheel holds the three packages, and below
`trm_lab/checkout` the rest of the house.

So its commands work (`trm_lab/__main__.py`), and nothing called `data` or `evaluate` gets in the way of other packages.
"""

from setuptools import find_packages, setup

SCRIPTS = ("train_arc_tiny_corrupt", "pretrain", "evaluate", "export")
INSIDE = "trm_lab.checkout"
rooms = [*find_packages(include=("analysis*", "data")), "configs"]

setup(
    packages=[
        *find_packages(include=("trm", "trm.*", "dis_trm*", "trm_lab*")),
        *(f"{INSIDE}.{room}" for room in rooms),
    ],
    py_modules=[f"{INSIDE}.{script}" for script in SCRIPTS],
    package_dir={INSIDE: ".", **{f"{INSIDE}.{room}": room.replace(".", "/") for room in rooms}},
    package_data={
        f"{INSIDE}.configs": ["*.yaml", "*/*.yaml"],
        f"{INSIDE}.analysis": ["*.yaml"],
        f"{INSIDE}.analysis.page": ["*.html", "*.css", "*.js"],
    },
)
