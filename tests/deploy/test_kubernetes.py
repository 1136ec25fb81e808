"""The manifests in deploy/kubernetes: fields that the API knows, and values that agree."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.commands import require_parsed, zoo_commands
from zoo.backend.launch import Launch, launch

FOLDER = ROOT / "deploy/kubernetes"

# The fields that the manifests may have, of each type of the API. Names in capitals are types
# further down, [Type] lists of them; other values are Python's types.
SCHEMA: dict[str, dict[str, Any]] = {
    "Service": {"apiVersion": str, "kind": str, "metadata": "Metadata", "spec": "ServiceSpec"},
    "ServiceSpec": {
        "clusterIP": str, "publishNotReadyAddresses": bool, "selector": dict,
        "ports": ["ServicePort"],
    },
    "ServicePort": {"name": str, "port": int},
    "Metadata": {"name": str, "labels": dict},
    "Job": {"apiVersion": str, "kind": str, "metadata": "Metadata", "spec": "JobSpec"},
    "JobSpec": {
        "completionMode": str, "completions": int, "parallelism": int, "backoffLimit": int,
        "podFailurePolicy": "PodFailurePolicy", "template": "PodTemplate",
    },
    "PodFailurePolicy": {"rules": ["PodFailureRule"]},
    "PodFailureRule": {
        "action": str, "onExitCodes": "ExitCodes", "onPodConditions": ["PodCondition"],
    },
    "ExitCodes": {"containerName": str, "operator": str, "values": list},
    "PodCondition": {"type": str, "status": str},
    "PodTemplate": {"metadata": "Metadata", "spec": "PodSpec"},
    "PodSpec": {
        "subdomain": str, "restartPolicy": str, "terminationGracePeriodSeconds": int,
        "containers": ["Container"], "volumes": ["Volume"],
    },
    "Container": {
        "name": str, "image": str, "env": ["Variable"], "command": list, "args": list,
        "ports": ["ContainerPort"], "resources": "Resources", "volumeMounts": ["Mount"],
    },
    "Variable": {"name": str, "value": str},
    "ContainerPort": {"containerPort": int},
    "Resources": {"limits": dict, "requests": dict},
    "Mount": {"name": str, "mountPath": str, "subPath": str},
    "Volume": {"name": str, "persistentVolumeClaim": "Claim", "configMap": "Metadata",
               "emptyDir": "EmptyDir"},
    "Claim": {"claimName": str},
    "EmptyDir": {"medium": str, "sizeLimit": str},
    "RayJob": {"apiVersion": str, "kind": str, "metadata": "Metadata", "spec": "RayJobSpec"},
    "RayJobSpec": {
        "entrypoint": str, "backoffLimit": int, "shutdownAfterJobFinishes": bool,
        "rayClusterSpec": "RayClusterSpec",
    },
    "RayClusterSpec": {
        "rayVersion": str, "enableInTreeAutoscaling": bool, "authOptions": "AuthOptions",
        "headGroupSpec": "HeadGroup", "workerGroupSpecs": ["WorkerGroup"],
    },
    "AuthOptions": {"mode": str},
    "HeadGroup": {"rayStartParams": dict, "template": "PodTemplate"},
    "WorkerGroup": {
        "groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int,
        "rayStartParams": dict, "template": "PodTemplate",
    },
}  # fmt: skip
VERSIONS = {"Service": "v1", "Job": "batch/v1", "RayJob": "ray.io/v1"}


def documents(name: str) -> dict[str, Any]:
    """The documents of a manifest by their kinds."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def wrong_fields(value: Any, expected: Any, path: str) -> list[str]:
    """What the schema does not allow in a value."""
    if isinstance(expected, list):
        if not isinstance(value, list) or not value:
            return [f"{path}: no list"]
        return [
            wrong
            for index, entry in enumerate(value)
            for wrong in wrong_fields(entry, expected[0], f"{path}[{index}]")
        ]
    if isinstance(expected, str):
        if not isinstance(value, dict):
            return [f"{path}: no {expected}"]
        fields = SCHEMA[expected]
        return [f"{path}.{name}: unknown" for name in value if name not in fields] + [
            wrong
            for name in value
            if name in fields
            for wrong in wrong_fields(value[name], fields[name], f"{path}.{name}")
        ]
    return [] if type(value) is expected else [f"{path}: no {expected.__name__}: {value!r}"]


@pytest.mark.parametrize("name", ["train.yaml", "tune.yaml"])
def test_fields(name: str) -> None:
    for kind, document in documents(name).items():
        assert wrong_fields(document, kind, kind) == []
        assert document["apiVersion"] == VERSIONS[kind]


def test_wrong_fields_are_found() -> None:
    job = documents("train.yaml")["Job"]
    job["spec"]["parallelism"] = "4"
    job["spec"]["template"]["spec"]["containers"][0]["volumeMount"] = []
    assert wrong_fields(job, "Job", "Job") == [
        "Job.spec.parallelism: no int: '4'",
        "Job.spec.template.spec.containers[0].volumeMount: unknown",
    ]


def pods(document: Any) -> list[dict[str, Any]]:
    """All specifications of pods below a value."""
    if isinstance(document, list):
        return [pod for value in document for pod in pods(value)]
    if not isinstance(document, dict):
        return []
    own = [document] if "containers" in document else []
    return own + [pod for value in document.values() for pod in pods(value)]


@pytest.mark.parametrize("name", ["train.yaml", "tune.yaml"])
def test_mounted_volumes_are_there(name: str) -> None:
    for pod in pods(list(documents(name).values())):
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        mounts = {
            mount["name"]
            for container in pod["containers"]
            for mount in container.get("volumeMounts", ())
        }
        assert mounts == volumes


def test_processes_find_each_other() -> None:
    """Each pod has its index, and the name of process 0 is one that the service gives."""
    found = documents("train.yaml")
    service, job = found["Service"], found["Job"]
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name, count = job["metadata"]["name"], spec["completions"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == count
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    port = container["ports"][0]["containerPort"]
    assert service["spec"]["ports"][0]["port"] == port
    environ = {entry["name"]: entry["value"] for entry in container["env"]}
    for index in range(count):
        indexed = {**environ, "JOB_COMPLETION_INDEX": str(index)}
        assert launch("auto", None, None, None, indexed) == Launch(
            f"{name}-0.{pod['subdomain']}:{port}", count, index, found_by="kubernetes"
        )


def test_all_restart_together() -> None:
    """A rule for exit codes needs pods that are not restarted in place."""
    job = documents("train.yaml")["Job"]
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    fail, ignore = job["spec"]["podFailurePolicy"]["rules"]
    assert fail["onExitCodes"]["containerName"] == pod["containers"][0]["name"]
    assert fail["onExitCodes"]["values"] == [1, 2, 3]  # Not 4, a lost process, nor 130, a signal.
    assert (fail["action"], ignore["action"]) == ("FailJob", "Ignore")
    assert job["spec"]["backoffLimit"] >= 10 * job["spec"]["completions"]


def test_commands_are_parsed() -> None:
    pod = documents("train.yaml")["Job"]["spec"]["template"]["spec"]
    commands = zoo_commands(pod["containers"][0]["args"][0])
    entrypoint = documents("tune.yaml")["RayJob"]["spec"]["entrypoint"]
    commands += zoo_commands(entrypoint.replace(";", ";\n"))
    assert [(command[0], "--resume" in command) for command in commands] == [
        ("train", True), ("train", False), ("tune", True), ("tune", False),
    ]  # fmt: skip
    for command in commands:
        require_parsed(command)
