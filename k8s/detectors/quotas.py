"""QuotaExhausted: a ResourceQuota that refuses new objects, or is about to. Called by `k8s.detection`."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from k8s import model, objects, phrases, surroundings, symptoms

QUOTA_EXHAUSTED = symptoms.KindInfo(
    kind="QuotaExhausted",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/policy/resource-quotas/",
    condition="a ResourceQuota refuses pods, or is used up",
    unless="P3 where it is used up and has refused nothing",
    also={"full": ("resourcequotas",)},
)
KINDS = (QUOTA_EXHAUSTED,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("events", "deployments", "replicasets", "statefulsets", "daemonsets")

_EXCEEDED = re.compile(r"exceeded quota: ([a-z0-9.-]{1,253})(?:, requested: ([^\s]{1,500}))?")
"""The words of the quota admission plugin: `exceeded quota: compute, requested: pods=1, used: pods=3, limited: pods=3`.
A Deployment's ReplicaFailure condition repeats them."""

RECENT = timedelta(minutes=20)
"""A refusal of what is no workload (a run of a Job) counts for so long: controllers try again within 16 minutes."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _Refusals:
    """What one quota has refused."""

    resources: set[str] = field(default_factory=set)
    owners: set[model.ResourceRef] = field(default_factory=set)
    since: list[datetime] = field(default_factory=list)
    said: str = ""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: `refuses` (pods are missing for it) or `full` (nothing more fits, and nothing asked)."""
    refusals = _refusals(snapshot, index)
    quotas = {(item.metadata.namespace, item.metadata.name): item for item in snapshot.resourcequotas}
    for key in sorted(refusals):
        yield _refusing(key, refusals[key], quotas.get(key), snapshot)
    for key in sorted(quotas.keys() - refusals.keys()):
        full = _full(quotas[key])
        if full and not quotas[key].metadata.deletion_timestamp:
            yield _used_up(quotas[key], full, snapshot)


def _refusals(snapshot: model.Snapshot, index: model.Index) -> Mapping[_Key, _Refusals]:
    """By quota. What has all its pods again has left its refusals behind."""
    found: dict[_Key, _Refusals] = defaultdict(_Refusals)
    for event in snapshot.events:
        if event.reason == "FailedCreate" and "exceeded quota" in (event.message or ""):
            about = event.involved_object
            ref = model.ResourceRef(about.kind, about.namespace or event.metadata.namespace, about.name, about.uid)
            owner = _refused(ref, event, index, snapshot.taken_at)
            if owner is not None:
                _note(found, owner, event.message or "", symptoms.first_seen(event))
    for deployment in snapshot.deployments:
        condition = objects.condition(deployment.status.conditions, "ReplicaFailure")
        if condition is not None and condition.status == "True" and _short(deployment):
            owner = symptoms.reference("Deployment", deployment.metadata)
            _note(found, owner, condition.message or "", objects.moment(condition.last_transition_time))
    return found


def _note(found: dict[_Key, _Refusals], owner: model.ResourceRef, said: str, since: datetime | None) -> None:
    match = _EXCEEDED.search(said[:4096])
    if match is None:
        return
    refusals = found[owner.namespace, match[1].rstrip(".")]
    refusals.owners.add(owner)
    refusals.resources |= {part.partition("=")[0] for part in (match[2] or "").rstrip(",").split(",") if "=" in part}
    refusals.since += [since] if since is not None else []
    refusals.said = min(filter(None, (refusals.said, phrases.clip(said))))


def _refused(
    ref: model.ResourceRef, event: objects.Event, index: model.Index, now: datetime
) -> model.ResourceRef | None:
    """The top owner of what was refused a pod, where it still lacks one; None where that is over."""
    workload = index.workload(ref)
    if workload is None:
        seen = objects.last_seen(event)
        return ref if ref.name and seen is not None and now - seen <= RECENT else None
    if ref.uid and workload.metadata.uid and ref.uid != workload.metadata.uid:
        return None
    missing = _lacking(workload) if ref.kind == "DaemonSet" else _short(workload)
    return index.top_owner(ref.kind, workload.metadata) if missing else None


def _short(workload: objects.Workload) -> bool:
    return (workload.status.replicas or 0) < symptoms.desired(workload) and not workload.metadata.deletion_timestamp


def _lacking(daemonset: objects.Workload) -> bool:
    status = daemonset.status
    short = (status.current_number_scheduled or 0) < (status.desired_number_scheduled or 0)
    return short and not daemonset.metadata.deletion_timestamp


def _full(quota: surroundings.Quota) -> dict[str, str]:
    """Resource → `used of hard`, where nothing is left. A bound of zero forbids, and so is never used up."""
    found: dict[str, str] = {}
    for name, bound in (quota.status.hard or {}).items():
        hard, used = phrases.quantity(bound), phrases.quantity((quota.status.used or {}).get(name))
        if hard and used is not None and used >= hard:
            found[name] = f"{(quota.status.used or {}).get(name)} of {bound}"
    return dict(sorted(found.items()))


def _refusing(
    key: _Key, refusals: _Refusals, quota: surroundings.Quota | None, snapshot: model.Snapshot
) -> model.Finding:
    namespace, name = key
    ref = model.ResourceRef("ResourceQuota", namespace, name, quota.metadata.uid if quota is not None else "")
    hard, used = (quota.status.hard or {}, quota.status.used or {}) if quota is not None else ({}, {})
    levels = [
        f"{resource} {used[resource]} of {hard[resource]}" if resource in hard and resource in used else resource
        for resource in sorted(refusals.resources)
    ]
    owners = sorted({f"{owner.kind} {owner.name}" for owner in refusals.owners})
    waiting = ", ".join(owners[:5]) + (f" and {len(owners) - 5} more" if len(owners) > 5 else "")
    told = f" ({phrases.clip(', '.join(levels))})" if levels else ""
    resources = ",".join(sorted(refusals.resources))
    return _finding(
        ref,
        "P2",
        since=symptoms.earliest(snapshot.taken_at, *refusals.since),
        message=f"ResourceQuota {name} refuses new pods{told}: {phrases.clip(waiting)} cannot have all of theirs.",
        cause="refuses pods",
        facts={
            "class": "refuses",
            "quota": name,
            "resources": resources,
            "waiting": phrases.clip(waiting),
            "said": refusals.said,
        },
    )


def _used_up(quota: surroundings.Quota, full: Mapping[str, str], snapshot: model.Snapshot) -> model.Finding:
    ref = symptoms.reference("ResourceQuota", quota.metadata)
    levels = phrases.clip(", ".join(f"{resource} {level}" for resource, level in full.items()))
    return _finding(
        ref,
        "P3",
        since=snapshot.taken_at,
        message=f"ResourceQuota {ref.name} is used up: {levels}. What asks for more will be refused.",
        cause=f"full: {','.join(full)}",
        facts={"class": "full", "quota": ref.name, "resources": ",".join(full), "levels": levels},
    )


def _finding(
    ref: model.ResourceRef,
    severity: model.Severity,
    *,
    since: datetime,
    message: str,
    cause: str,
    facts: Mapping[str, str],
) -> model.Finding:
    return model.Finding(
        kind=QUOTA_EXHAUSTED.kind,
        severity=severity,
        resource=ref,
        owner=ref,
        message=message,
        since=since,
        cause=cause,
        grace=QUOTA_EXHAUSTED.grace,
        facts={name: text for name, text in facts.items() if text},
    )
