"""NotReady: a container runs, but its readiness or startup probe fails. Called by `k8s.detection`."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import containers, model, objects, phrases, symptoms

NOT_READY = symptoms.KindInfo(
    kind="NotReady",
    severity="P2",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
    condition="a container runs, but its readiness or startup probe fails",
)
KINDS = (NOT_READY,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "events", "deployments", "replicasets")

_PROBE = re.compile(
    r"\s*(readiness|startup) probe (?:failed|errored)[^:]{0,200}(?::\s*(.*))?", re.IGNORECASE | re.DOTALL
)

_PERIOD, _THRESHOLD = 10, 3
"""A probe's defaults, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    now = snapshot.taken_at
    for pod in index.troubled:
        condition = objects.condition(pod.status.conditions, "Ready")
        if pod.status.phase != "Running" or condition is None or condition.status != "False" or _rolling(pod, index):
            continue
        for container in containers.of(pod):
            if container.role == "ephemeral" or container.status.ready or container.running is None:
                continue
            probe, answer = _probe(pod, container, index)
            if not probe or _starting(container, now):
                continue
            yield symptoms.pod_finding(
                NOT_READY,
                pod,
                index,
                since=symptoms.earliest(now, objects.moment(condition.last_transition_time)),
                message=f"{container.title} of pod {pod.metadata.name} runs but is not ready: "
                f"its {probe} probe fails{_answered(answer)}.",
                cause=f"{container.name} {probe} probe",
                container=container,
                facts={
                    "reason": condition.reason or "",
                    "probe": probe,
                    "answer": answer,
                    "restarts": str(container.restarts),
                },
            )


def _answered(answer: str) -> str:
    return f' with "{answer.rstrip(".")}"' if answer else ""


def _probe(pod: objects.Pod, container: containers.Container, index: model.Index) -> tuple[str, str]:
    """(readiness or startup, what it answered) by the newest Unhealthy event; empty where there is none."""
    for event in symptoms.container_events(pod, container, index, ("Unhealthy", "ProbeError")):
        match = _PROBE.match(event.message or "")
        if match is not None:
            return match[1].lower(), phrases.clip(match[2])
    return "", ""


def _starting(container: containers.Container, now: datetime) -> bool:
    """Whether the container is still within the time that its own probes grant it. One restart uses the grant up."""
    began = objects.moment(container.running.started_at) if container.running is not None else None
    if began is None or container.spec is None or container.restarts:
        return False
    granted = timedelta(0)
    startup, readiness = container.spec.startup_probe, container.spec.readiness_probe
    if startup is not None and not container.status.started:
        period = symptoms.seconds(startup.period_seconds, timedelta(seconds=_PERIOD))
        threshold = symptoms.seconds(startup.failure_threshold, timedelta(seconds=_THRESHOLD)).total_seconds()
        granted = symptoms.seconds(startup.initial_delay_seconds, granted) + period * min(threshold, 100_000)
    elif readiness is not None:
        granted = symptoms.seconds(readiness.initial_delay_seconds, granted)
    return now - began < granted


def _rolling(pod: objects.Pod, index: model.Index) -> bool:
    """Whether the pod is of the newest ReplicaSet of a Deployment whose rollout is within its deadline."""
    owner = index.top_owner("Pod", pod.metadata)
    deployment = index.workload(owner)
    if owner.kind != "Deployment" or deployment is None or not symptoms.rolling(deployment):
        return False
    replicasets = index.replicasets(owner)
    newest = replicasets[-1].metadata.uid if replicasets else ""
    return any(reference.controller and reference.uid == newest for reference in pod.metadata.owner_references or ())
