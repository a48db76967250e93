"""ConfigError: a container cannot be created or started as it is specified. Called by `k8s.detection`."""

import re
from collections.abc import Iterator
from datetime import timedelta

from k8s import absences, containers, model, phrases, symptoms

CONFIG_ERROR = symptoms.KindInfo(
    kind="ConfigError",
    severity="P2",
    grace=timedelta(seconds=30),
    doc="https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",
    condition="a container cannot be created or started as it is specified",
    unless="P3 for a debugging container",
)
KINDS = (CONFIG_ERROR,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)

REASONS = {
    "CreateContainerConfigError": "config",
    "CreateContainerError": "create",
    "PreCreateHookError": "hook",
    "PreStartHookError": "hook",
    "PostStartHookError": "hook",
    "RunContainerError": "start",
}
"""Waiting reasons of the kubelet (pkg/kubelet/kuberuntime) and what each stands for."""

START_ERRORS = frozenset({"StartError", "ContainerCannotRun"})
"""How the runtime ends a container that it could not start: what is left of a RunContainerError while it backs off."""

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("command-not-found", re.compile(r"executable file not found|no such file or directory|no command specified")),
    ("not-executable", re.compile(r"exec format error|permission denied")),
    ("run-as-non-root", re.compile(r"runasnonroot|run as non-root")),
    ("name-taken", re.compile(r"name .{1,200} is (reserved|already in use)")),
)

_SAYINGS = {
    "command-not-found": "its command does not exist in the image",
    "not-executable": "its command cannot be executed on this node",
    "run-as-non-root": "it must not run as root, and its image does",
    "name-taken": "the container runtime still holds a container of its name",
    "config": "its configuration cannot be put together",
    "create": "the container runtime cannot create it",
    "hook": "its lifecycle hook fails",
    "start": "the container runtime cannot start it",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: missing, or a key of `_SAYINGS`; for missing also what (`missing`, `missing_kind` …)."""
    now = snapshot.taken_at
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for container in containers.of(pod):
            reason, text = _trouble(container)
            if not reason:
                continue
            events = symptoms.container_events(pod, container, index, ("Failed", "FailedPreStartHook"))
            missing = absences.missing(text)
            kind = "missing" if missing else _classify(text, REASONS.get(reason, "start"))
            saying = f"{missing['missing']} does not exist" if missing else _SAYINGS[kind]
            yield symptoms.pod_finding(
                CONFIG_ERROR,
                pod,
                index,
                since=symptoms.earliest(now, *map(symptoms.first_seen, events), symptoms.unready_since(pod)),
                message=f"{container.title} of pod {pod.metadata.name} cannot start: {saying}.",
                cause=missing["missing"] if missing else f"{container.name} {kind}",
                container=container,
                facts={"reason": reason, "class": kind, "said": phrases.clip(text)} | missing,
                severity=symptoms.container_severity(CONFIG_ERROR, container),
            )


def _trouble(container: containers.Container) -> tuple[str, str]:
    """(reason, the runtime's words), or two empty texts. A start error is remembered while the kubelet backs off."""
    waiting = container.waiting
    if waiting is not None and waiting.reason in REASONS:
        return waiting.reason or "", waiting.message or ""
    ended = container.ended or container.ended_before
    backing_off = container.waiting_reason == "CrashLoopBackOff" or container.ended is not None
    if backing_off and ended is not None and ended.reason in START_ERRORS:
        return ended.reason or "", ended.message or ""
    return "", ""


def _classify(text: str, otherwise: str) -> str:
    lowered = text[:4096].lower()
    return next((kind for kind, pattern in _CLASSES if pattern.search(lowered)), otherwise)
