"""The fields of kubeflow.org/v1 PyTorchJob that our manifest uses, written down from its resource definition.

The pods' template is not part of it: Kubernetes' own schema checks that.
"""

from typing import Any


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object with these properties and no other."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


COUNT = {"type": "integer", "minimum": 0}
REPLICAS = closed(
    ["replicas", "restartPolicy", "template"],
    replicas=COUNT,
    restartPolicy={"enum": ["Always", "OnFailure", "Never", "ExitCode"]},
    template={"type": "object"},
)
PYTORCHJOB = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "kubeflow.org/v1"},
    kind={"const": "PyTorchJob"},
    metadata=closed(["name"], name={"type": "string", "pattern": "^[a-z0-9-]{1,52}$"}),
    spec=closed(
        ["pytorchReplicaSpecs"],
        nprocPerNode={"type": "string"},
        elasticPolicy=closed(
            [],
            minReplicas=COUNT,
            maxReplicas=COUNT,
            maxRestarts=COUNT,
            rdzvBackend={"type": "string"},
            rdzvHost={"type": "string"},
            rdzvPort=COUNT,
            rdzvId={"type": "string"},
            rdzvConf={"type": "array", "items": closed([], key={"type": "string"}, value={"type": "string"})},
            standalone={"type": "boolean"},
        ),
        runPolicy=closed(
            [],
            activeDeadlineSeconds=COUNT,
            backoffLimit=COUNT,
            cleanPodPolicy={"enum": ["All", "Running", "None"]},
            ttlSecondsAfterFinished=COUNT,
            suspend={"type": "boolean"},
        ),
        pytorchReplicaSpecs={
            "type": "object",
            "properties": {"Master": REPLICAS, "Worker": REPLICAS},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ),
)
