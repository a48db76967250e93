"""Reads changes out of raw objects: rollouts, ConfigMaps and Secrets, replicas, autoscalers, nodes, and who made them.

Pure, and most of it over metadata alone: a ConfigMap's or Secret's content is no argument of anything here, and an
environment variable is told by its name (`templates.diff`). Nothing raises on odd objects. Called by `bot.evidence`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import changes_before, fields, model, phrases, references, templates, workloads, writers

Change = changes_before.Change
Aspects = frozenset[changes_before.Aspect]

NAMES = 4
"""Keys or lines that are told of one change at most."""
_CHANGE_CAUSE = 160
"""Characters of `kubernetes.io/change-cause` that are told."""
_NEAR = timedelta(minutes=2)
"""A controller follows a write of the template within this: a later one was another."""
_RESTARTED = f"annotation {templates.RESTARTED_AT} "
_CORDON = "node.kubernetes.io/unschedulable"
_BY_CONDITION = "node.kubernetes.io/"
"""Taints that follow a condition of the node, which is told itself."""


# --- rollouts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rollout:
    """The last rollout of a workload: from one revision to the next."""

    workload: model.ResourceRef
    number: int
    previous: int
    lines: tuple[str, ...]
    """`templates.diff`."""
    created: datetime | None
    """When it began, where the revision is as old as its rollout: one that was rolled back to is older."""
    change_cause: str = ""


def by_revisions(target: model.Target, revisions: Sequence[model.Json]) -> Rollout | None:
    """The last rollout of a StatefulSet or DaemonSet, by its ControllerRevisions; None where there is but one.

    https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/
    """
    owner = fields.uid(target.object)
    owned: list[tuple[int, model.Json]] = []
    for each in revisions:
        number, above = fields.number(each, "revision"), fields.controller(each)
        if number is not None and owner and above is not None and above.uid == owner:
            owned.append((number, each))
    if len(owned) < 2:
        return None
    owned.sort(key=lambda pair: pair[0])
    (before, old), (now, new) = owned[-2], owned[-1]
    made = [moment for _, each in owned if (moment := fields.moment(each, "metadata", "creationTimestamp")) is not None]
    created = fields.moment(new, "metadata", "creationTimestamp")
    fresh = created is not None and created == max(made)
    lines = templates.diff(_template(old), _template(new))
    cause = fields.annotations(new).get(workloads.CHANGE_CAUSE, "")
    return Rollout(target.ref, now, before, lines, created if fresh else None, cause)


def _template(revision: model.Json) -> model.Json:
    held = fields.mapping(revision, "data", "spec", "template")
    return {key: entry for key, entry in held.items() if key != "$patch"}


def rolled_out(rollout: Rollout, workload: model.Json | None) -> Change | None:
    """The rollout as a change; None where nothing is known of when it was."""
    written = writers.last(workload, ("spec", "template"))
    at = rollout.created or (written.at if written is not None else None)
    if at is None or not rollout.lines:
        return None
    lines = [line for line in rollout.lines if not line.startswith(_RESTARTED)]
    cause = f' ("{phrases.clip(rollout.change_cause, _CHANGE_CAUSE)}")' if rollout.change_cause else ""
    by = written.by if written is not None and abs(at - written.at) <= _NEAR else ""
    subject = f"{rollout.workload.kind} {rollout.workload.short}"
    if not lines:
        return Change("restart", rollout.workload, at, f"{subject} was restarted{cause}", by=by)
    what = f"{subject} was rolled out as revision {rollout.number}{cause}"
    return Change("rollout", rollout.workload, at, what, _some(lines, "; "), by, changes_before.aspects(lines))


def _some(words: Sequence[str], by: str) -> str:
    more = len(words) - NAMES
    return by.join(words[:NAMES]) + (f"{by}and {more} more" if more > 0 else "")


# --- the workload and what it refers to -------------------------------------------------------------------------------


def created(target: model.Target) -> Change | None:
    """The workload as a whole: what is new has never run."""
    at = fields.moment(target.object, "metadata", "creationTimestamp")
    if at is None:
        return None
    first = next((write for write in reversed(writers.writes(target.object)) if write.at <= at + _NEAR), None)
    what = f"{target.ref.kind} {target.ref.short} was created"
    return Change("creation", target.ref, at, what, "", "" if first is None else first.by, changes_before.POD)


def rescaled(target: model.Target) -> Change | None:
    """The number of replicas as somebody set it last by the scale subresource (`kubectl scale`)."""
    wanted = fields.number(target.object, "spec", "replicas")
    write = next((each for each in writers.writes(target.object) if each.subresource == "scale"), None)
    if wanted is None or write is None:
        return None
    what = f"{target.ref.kind} {target.ref.short} was scaled (to {wanted} by now)"
    return Change("replicas", target.ref, write.at, what, "", write.by, frozenset({"replicas"}))


def _state(obj: model.Json, at: datetime) -> str:
    made = fields.moment(obj, "metadata", "creationTimestamp")
    return "created" if made is not None and at <= made else "changed"


def reconfigured(found: model.Json, reference: references.Reference, namespace: str) -> Change | None:
    """When a ConfigMap or Secret was last written, from its metadata alone; None where that is not recorded.

    A key that was taken away leaves no time in `managedFields` unless its tool also writes another field, as `kubectl
    apply` does; so what is told is the newest write that is recorded.
    """
    ref = model.ResourceRef(reference.kind, namespace, reference.name, fields.uid(found))
    write = writers.last(found, ("data",), ("binaryData",))
    at = write.at if write is not None else fields.moment(found, "metadata", "creationTimestamp")
    if at is None:
        return None
    state = _state(found, at)
    keys: tuple[str, ...] = ()
    if state == "changed" and write is not None and reference.kind == "ConfigMap" and len(writers.writes(found)) > 1:
        keys = (*write.names("data"), *write.names("binaryData"))  # of a lone writer, every key: that tells nothing
    return Change(
        kind="config" if reference.kind == "ConfigMap" else "secret",
        ref=ref,
        at=at,
        what=f"{reference.kind} {ref.short} was {state}",
        detail=_some(keys, ", "),
        by="" if write is None else write.by,
        aspects=frozenset({"credentials"} if reference.pulls else {"configuration"}),
        containers=reference.containers,
    )


# --- around it --------------------------------------------------------------------------------------------------------


def autoscaled(target: model.Target) -> Iterator[Change]:
    """What was done to the autoscalers of the workload, and what they did."""
    about: Aspects = frozenset({"autoscaler", "replicas"})
    for autoscaler in target.autoscalers:
        ref = workloads.reference(autoscaler, "HorizontalPodAutoscaler")
        subject = f"HorizontalPodAutoscaler {ref.short}"
        write = writers.last(autoscaler, ("spec",))
        if write is not None:
            what = f"{subject} was {_state(autoscaler, write.at)}"
            yield Change("autoscaler", ref, write.at, what, "", write.by, about, direct=False)
        scaled = fields.moment(autoscaler, "status", "lastScaleTime")
        if scaled is not None:
            wanted = fields.number(autoscaler, "status", "desiredReplicas")
            what = f"{subject} scaled {target.ref.kind} {target.ref.short}"
            what = what if wanted is None else f"{what} (to {wanted} by now)"
            yield Change("autoscaler", ref, scaled, what, aspects=about, direct=False)


def nodes(found: Iterable[model.Json], subject: model.ResourceRef) -> Iterator[Change]:
    """Nodes that joined, were cordoned or tainted, became ready or not ready.

    Of the node that is the subject itself, its condition is the symptom and no cause of it.
    """
    lost: Aspects = frozenset({"node", "room"})
    for node in found:
        ref = workloads.reference(node, "Node")
        own = subject.kind == "Node" and subject.same(ref)
        joined = fields.moment(node, "metadata", "creationTimestamp")
        if joined is not None:
            yield Change("node", ref, joined, f"Node {ref.name} joined", aspects=frozenset({"node"}), direct=own)
        yield from _tainted(node, ref, lost, own=own)
        condition = fields.condition(node, "Ready")
        moved, status = fields.moment(condition, "lastTransitionTime"), fields.text(condition, "status")
        if moved is not None and status and not own:
            ready = status == "True"
            what = f"Node {ref.name} became {'ready' if ready else 'not ready'}"
            yield Change("node", ref, moved, what, aspects=frozenset({"node"}) if ready else lost, direct=False)


def _tainted(node: model.Json, ref: model.ResourceRef, about: Aspects, *, own: bool) -> Iterator[Change]:
    """A taint's time is when the cluster put it there: a cordon's follows a person within seconds."""
    for taint in fields.items(node, "spec", "taints"):
        key, added = fields.text(taint, "key"), fields.moment(taint, "timeAdded")
        if added is None or (key.startswith(_BY_CONDITION) and key != _CORDON):
            continue
        write = writers.last(node, ("spec", "unschedulable" if key == _CORDON else "taints"))
        by = write.by if write is not None and abs(write.at - added) <= _NEAR else ""
        what = "was cordoned" if key == _CORDON else f"was given the taint {key}:{fields.text(taint, 'effect')}"
        yield Change("node", ref, added, f"Node {ref.name} {what}", "", by, about, direct=own)
