"""The manifests: valid by Kubernetes' schemas, and their commands name what exists."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.distributed.run import parse_args

from tests.infra.compositions import composed
from tests.infra.processes import INFRA
from tests.infra.pytorchjob_schema import PYTORCHJOB
from tests.runs import REPOSITORY

FOLDER = INFRA / "kubernetes"
MANIFESTS = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in FOLDER.glob("*.yaml")}
JOB = next(d for d in MANIFESTS["indexed_job"] if d["kind"] == "Job")
SERVICE = next(d for d in MANIFESTS["indexed_job"] if d["kind"] == "Service")
PYTORCH_JOB = MANIFESTS["pytorchjob"][0]
WORKERS = PYTORCH_JOB["spec"]["pytorchReplicaSpecs"]["Worker"]
KUSTOMIZATION = MANIFESTS.pop("kustomization")[0]
PODS = {"indexed_job": JOB["spec"]["template"]["spec"], "pytorchjob": WORKERS["template"]["spec"]}
KUBERNETES = "1.37"


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["containers"]
    return only


def command_line(index: int, folder: Path) -> list[str]:
    """What the indexed Job's shell command starts on pod `index`."""
    (folder / "infra").mkdir()
    script = folder / "infra/torchrun.sh"
    script.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    made = container("indexed_job")
    env = {**os.environ, **{e["name"]: e["value"] for e in made["env"]}, "JOB_COMPLETION_INDEX": str(index)}
    words = [*made["command"], *made["args"]]
    done = subprocess.run(words, cwd=folder, env=env, text=True, capture_output=True, check=True)
    return done.stdout.splitlines()


def test_kubernetes_own_schemas_accept_every_object() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    objects = [d for documents in MANIFESTS.values() for d in documents if d["kind"] != "PyTorchJob"]
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec} for spec in PODS.values()]
    assert {d["kind"] for d in objects} == {"Job", "Service", "PersistentVolumeClaim", "Pod"}
    for document in [*objects, *pods]:
        validate.validate(document, KUBERNETES, strict=True)
    with pytest.raises(validate.ValidationError):
        validate.validate({**JOB, "spec": {**JOB["spec"], "paralellism": 2}}, KUBERNETES, strict=True)


def test_the_pytorchjob_has_the_definition_s_fields_and_no_other() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.validate(PYTORCH_JOB, PYTORCHJOB)
    elastic = PYTORCH_JOB["spec"]["elasticPolicy"]
    assert elastic["minReplicas"] <= WORKERS["replicas"] <= elastic["maxReplicas"]
    assert container("pytorchjob")["name"] == "pytorch"


@pytest.mark.parametrize("index", [0, 1])
def test_the_indexed_job_s_command_is_one_that_torchrun_and_the_training_take(index: int, tmp_path: Path) -> None:
    options = parse_args(command_line(index, tmp_path))
    pods, gpus = JOB["spec"]["completions"], container("indexed_job")["resources"]["limits"]["nvidia.com/gpu"]
    assert (options.nnodes, options.nproc_per_node) == (str(pods), gpus)
    assert JOB["spec"]["parallelism"] == pods
    assert options.rdzv_backend == "c10d"
    assert dict(part.split("=") for part in options.rdzv_conf.split(","))["is_host"] == str(index == 0).lower()
    assert composed(options.training_script, *options.training_script_args).run_name


def test_the_pytorchjob_s_command_is_one_that_the_training_takes() -> None:
    script, *words = container("pytorchjob")["args"]
    assert composed(script, *words).run_name
    assert PYTORCH_JOB["spec"]["nprocPerNode"] == container("pytorchjob")["resources"]["limits"]["nvidia.com/gpu"]


def test_the_rendezvous_is_at_the_name_that_the_service_gives_to_pod_0(tmp_path: Path) -> None:
    host, port = parse_args(command_line(0, tmp_path)).rdzv_endpoint.split(":")
    assert host == f"{JOB['metadata']['name']}-0.{SERVICE['metadata']['name']}"
    assert PODS["indexed_job"]["subdomain"] == SERVICE["metadata"]["name"]
    assert SERVICE["spec"]["selector"] == {"job-name": JOB["metadata"]["name"]}
    assert int(port) in {p["port"] for p in SERVICE["spec"]["ports"]}
    assert SERVICE["spec"]["clusterIP"] == "None"


def test_a_user_error_fails_the_job_and_a_saved_run_is_started_again() -> None:
    rules = JOB["spec"]["podFailurePolicy"]["rules"]
    by_code = {
        (r["onExitCodes"]["containerName"], c): r["action"]
        for r in rules
        if "onExitCodes" in r
        for c in r["onExitCodes"]["values"]
    }
    assert by_code == {("train", 2): "FailJob", ("train", 75): "Ignore", ("data", 2): "FailJob"}
    assert {"train", "data"} == {container("indexed_job")["name"], PODS["indexed_job"]["initContainers"][0]["name"]}
    assert PODS["indexed_job"]["restartPolicy"] == "Never"  # with another the policy is refused
    assert WORKERS["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_leaves_the_ranks_time_to_save_and_has_shared_memory(name: str) -> None:
    pod, made = PODS[name], container(name)
    save_seconds = int({e["name"]: e["value"] for e in made["env"]}["SAVE_SECONDS"])
    assert save_seconds + 30 <= pod["terminationGracePeriodSeconds"]
    volumes = {v["name"]: v for v in pod["volumes"]}
    mounts = {m["mountPath"]: volumes[m["name"]] for m in made["volumeMounts"]}
    assert mounts["/dev/shm"]["emptyDir"]["medium"] == "Memory"
    assert mounts["/store"]["persistentVolumeClaim"]["claimName"] == MANIFESTS["store"][0]["metadata"]["name"]
    assert all(word.startswith("/store/") for word in re.findall(r"=\[?(/[^\]\s\"]+)", str(made["args"])))


def test_the_pod_to_fill_the_store_with_mounts_it_and_what_the_readme_copies_is_what_the_jobs_read() -> None:
    (pod,), (store,) = MANIFESTS["fill"], MANIFESTS["store"]
    (volume,), (made,) = pod["spec"]["volumes"], pod["spec"]["containers"]
    assert volume["persistentVolumeClaim"]["claimName"] == store["metadata"]["name"]
    assert made["volumeMounts"] == [{"name": volume["name"], "mountPath": "/store"}]
    assert pod["spec"]["securityContext"].items() <= PODS["indexed_job"]["securityContext"].items()
    readme = (INFRA / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"kubectl (?:cp (\w+) |.*pod[ /])([\w-]+)", readme)) == {
        ("kaggle", pod["metadata"]["name"]),
        ("", pod["metadata"]["name"]),
    }
    assert all("--input-file-prefix kaggle/" in one["args"][0] for p in PODS.values() for one in p["initContainers"])


def images(document: Any) -> set[str]:
    """Every image that a manifest names."""
    parts = document.values() if isinstance(document, dict) else document if isinstance(document, list) else []
    own = {document["image"]} if isinstance(document, dict) and isinstance(document.get("image"), str) else set()
    return own.union(*map(images, parts))


def test_the_image_s_tag_stands_in_one_place_and_is_the_project_s_version() -> None:
    (image,) = KUSTOMIZATION["images"]
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert (image["newTag"], images(list(MANIFESTS.values()))) == (version, {image["name"]})
    tagged = [f for f in INFRA.rglob("*") if f.is_file() and f"{image['name']}:{version}" in f.read_text("utf-8")]
    assert tagged == []


@pytest.mark.parametrize("name", sorted(PODS))
def test_kustomize_gives_every_container_the_image_with_its_tag(name: str, tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    chosen = {**KUSTOMIZATION, "resources": ["store.yaml", f"{name}.yaml"]}
    (tmp_path / "kubernetes/kustomization.yaml").write_text(yaml.safe_dump(chosen), encoding="utf-8")
    words = ["kubectl", "kustomize", str(tmp_path / "kubernetes")]
    rendered = subprocess.run(words, text=True, capture_output=True, check=True).stdout
    (image,) = KUSTOMIZATION["images"]
    assert images(list(yaml.safe_load_all(rendered))) == {f"{image['newName']}:{image['newTag']}"}


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_job_fills_its_own_data_by_the_experiment_s_command_and_once(name: str, tmp_path: Path) -> None:
    (filling,) = PODS[name]["initContainers"]
    dataset = "data/arc1concept-aug-1000"
    assert f"[/store/{dataset}]" in str(container(name)["args"])
    (tmp_path / "python").write_text('#!/bin/bash\nmkdir -p "$6"; printf "%s\\n" "$@" >>calls\n')
    (tmp_path / "python").chmod(0o755)
    for _ in range(2):
        words = [*filling["command"], *filling["args"]]
        subprocess.run(words, cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    command = composed("train_arc_tiny_corrupt.py", "experiment=arc1_dis").data_build[dataset]
    assert ["python", *(tmp_path / "calls").read_text().splitlines()] == shlex.split(command)
    assert filling["workingDir"] == "/store"


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_container_has_no_right_beyond_its_work_and_the_cluster_s_variables(name: str) -> None:
    assert PODS[name]["securityContext"]["runAsNonRoot"]
    for one in (*PODS[name]["initContainers"], *PODS[name]["containers"]):
        assert one["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert one["resources"]["limits"]["memory"] == one["resources"]["requests"]["memory"]
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    assert container(name)["envFrom"] == [{"configMapRef": {"name": generated["name"]}}]
    assert KUSTOMIZATION["generatorOptions"]["disableNameSuffixHash"]
