"""What pyproject.toml cannot say: the wheel holds the three packages, and below `trm_lab/checkout` the other folders.

So its commands work (`trm_lab/__main__.py`), and nothing called `data` or `evaluate` gets in the way of other packages.
"""

from setuptools import find_packages, setup

SCRIPTS = ("train_arc_tiny_corrupt", "pretrain", "evaluate", "export")
CHECKOUT = "trm_lab.checkout"
folders = [*find_packages(include=("analysis*", "data")), "configs", "pretrained"]

setup(
    packages=[
        *find_packages(include=("trm", "trm.*", "dis_trm*", "trm_lab*")),
        *(f"{CHECKOUT}.{folder}" for folder in folders),
    ],
    py_modules=[f"{CHECKOUT}.{script}" for script in SCRIPTS],
    package_dir={CHECKOUT: ".", **{f"{CHECKOUT}.{folder}": folder.replace(".", "/") for folder in folders}},
    package_data={
        f"{CHECKOUT}.configs": ["*.yaml", "*/*.yaml"],
        f"{CHECKOUT}.analysis": ["*.yaml"],
        f"{CHECKOUT}.analysis.page": ["*.html", "*.css", "*.js"],
        f"{CHECKOUT}.analysis.play": ["*.html", "*.css", "*.js"],
        f"{CHECKOUT}.pretrained": ["*/*"],
    },
)
