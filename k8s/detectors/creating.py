"""StuckCreating: a pod has its node, and its volumes, sandbox or network cannot be made. Called by `k8s.detection`.

The kubelet tells it by events only: the containers wait in ContainerCreating all the while, as they do during a pull.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from k8s import absences, containers, model, objects, phrases, symptoms

STUCK_CREATING = symptoms.KindInfo(
    kind="StuckCreating",
    severity="P2",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/#my-pod-stays-waiting",
    condition="a pod has its node, but its volumes, sandbox or network cannot be made",
)
KINDS = (STUCK_CREATING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "events")

_REASONS = {
    "FailedMount": "mount",
    "FailedMapVolume": "mount",
    "FailedAttachVolume": "attach",
    "FailedCreatePodSandBox": "sandbox",
    "NetworkNotReady": "network",
}
"""Event reasons of the kubelet and the attach controller (pkg/kubelet/events), and the class of each."""

_WAITING = frozenset({"", "ContainerCreating", "PodInitializing"})

STALE = timedelta(minutes=15)
"""A kubelet tries again every two minutes or oftener, and may tell of it every five (the recorder's rate limit): what
it has not told for this long is over, and the pod waits for something else."""

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("in-use", re.compile(r"multi-attach|already exclusively attached|already used by")),
    ("driver", re.compile(r"(driver name|csinode) .{1,200}(not found|does not contain)|no volume plugin matched")),
    (
        "addresses",
        re.compile(r"no ip addresses available|no addresses available|failed to assign an ip|ipam.{0,80}full"),
    ),
    ("runtime-class", re.compile(r"runtime handler|runtimehandler|no runtime for")),
    ("network", re.compile(r"network plugin|cni|networkready|setup network|network is not ready")),
)
"""What a text tells beyond the reason of its event. The network's own words come last: they are in all of those."""

_SAYINGS = {
    "in-use": "another pod or node still holds its volume{volume}",
    "driver": "its node has no driver for its volume{volume}",
    "attach": "its volume{volume} cannot be attached to its node",
    "mount": "its volume{volume} cannot be mounted",
    "addresses": "the pod network of its node has no free address",
    "runtime-class": "its node does not know its runtime class",
    "network": "the pod network of its node does not work",
    "sandbox": "the container runtime cannot make its sandbox",
}

_VOLUME = re.compile(r'for volume "([^"]{1,253})"|unmounted volumes=\[([^\]\s]{1,253})')


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: missing, or a key of `_SAYINGS`; for missing also what (`missing`, `missing_kind` …)."""
    now = snapshot.taken_at
    for pod in index.troubled:
        if not _creating(pod):
            continue
        events = index.events(symptoms.reference("Pod", pod.metadata), tuple(_REASONS))
        last = objects.last_seen(events[0]) if events else None
        if last is None or now - last > STALE:
            continue
        event, missing = _telling(events)
        text = event.message or ""
        kind = "missing" if missing else _classify(event)
        volume = _volume(text)
        yield symptoms.pod_finding(
            STUCK_CREATING,
            pod,
            index,
            since=symptoms.earliest(now, *map(symptoms.first_seen, events), symptoms.unready_since(pod)),
            message=f"Pod {pod.metadata.name} cannot be created on its node: {_saying(kind, missing, volume)}.",
            cause=missing["missing"] if missing else kind,
            facts={"reason": event.reason or "", "class": kind, "volume": volume, "said": phrases.clip(text)} | missing,
        )


def _creating(pod: objects.Pod) -> bool:
    """Whether a pod that has a node waits for its first container; one whose sandbox stands waits for an image."""
    if pod.status.phase != "Pending" or not pod.spec.node_name or not symptoms.living(pod):
        return False
    sandbox = objects.condition(pod.status.conditions, "PodReadyToStartContainers")
    if sandbox is not None and sandbox.status == "True":
        return False
    return all(
        container.running is None and container.ended is None and container.waiting_reason in _WAITING
        for container in containers.of(pod)
    )


def _telling(events: Sequence[objects.Event]) -> tuple[objects.Event, dict[str, str]]:
    """The newest event that names what is missing, else the newest: mounts also fail in passing, of other volumes."""
    for event in events:
        missing = absences.missing(event.message or "")
        if missing:
            return event, missing
    return events[0], {}


def _classify(event: objects.Event) -> str:
    lowered = (event.message or "")[:4096].lower()
    told = _REASONS.get(event.reason or "", "sandbox")
    wanted = ("in-use", "driver") if told in ("attach", "mount") else ("addresses", "runtime-class", "network")
    return next((kind for kind, pattern in _CLASSES if kind in wanted and pattern.search(lowered)), told)


def _volume(text: str) -> str:
    """The volume that an event speaks of: its name in the pod, or that of its PersistentVolume."""
    found = _VOLUME.search(text[:4096])
    return (found[1] or found[2]).rstrip(",") if found is not None else ""


def _saying(kind: str, missing: dict[str, str], volume: str) -> str:
    if missing:
        needed = f", which its volume {volume} needs," if volume else ""
        return f"{missing['missing']}{needed} does not exist"
    return _SAYINGS[kind].format(volume=f" {volume}" if volume else "")
