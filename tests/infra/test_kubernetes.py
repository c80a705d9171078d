"""The manifests: valid by Kubernetes' schemas, and their commands name what exists."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.distributed.run import parse_args

from tests.infra.compositions import composed
from tests.infra.processes import INFRA
from tests.infra.pytorchjob_schema import PYTORCHJOB

FOLDER = INFRA / "kubernetes"
MANIFESTS = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in FOLDER.glob("*.yaml")}
JOB = next(d for d in MANIFESTS["indexed_job"] if d["kind"] == "Job")
SERVICE = next(d for d in MANIFESTS["indexed_job"] if d["kind"] == "Service")
PYTORCH_JOB = MANIFESTS["pytorchjob"][0]
WORKERS = PYTORCH_JOB["spec"]["pytorchReplicaSpecs"]["Worker"]
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
    assert {d["kind"] for d in objects} == {"Job", "Service", "PersistentVolumeClaim"}
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
    by_code = {c: r["action"] for r in rules if "onExitCodes" in r for c in r["onExitCodes"]["values"]}
    assert by_code == {2: "FailJob", 75: "Ignore"}
    assert {r["onExitCodes"]["containerName"] for r in rules if "onExitCodes" in r} == {
        container("indexed_job")["name"]
    }
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
