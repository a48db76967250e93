"""Rollouts: what the last one changed, from the newest revision that was healthy. Pure; called by `collecting`.

Facts for the rules: `rollout_revision`, `rollout_previous`, `rollout_diff` (one change a line), `rollout_at` (RFC
3339), `healthy_revision`.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from bot.evidence import gathering
from k8s import changes_seen, model, redact, workloads


def tell(
    told: gathering.Gathering, target: model.Target, now: datetime, refuted: Collection[int] = frozenset()
) -> changes_seen.Rollout | None:
    """What the last rollout changed. A Deployment keeps its revisions in ReplicaSets, others in ControllerRevisions.

    `refuted`: revisions that are known to have failed, so that none of them is the one that was healthy.
    """
    if target.ref.kind == "Deployment":
        rollout = _of_deployment(told, target, now, refuted)
    else:
        rollout = _of_revisions(told, target, now, refuted)
    if rollout is None:
        return None
    facts = told.facts
    facts["rollout_revision"] = str(rollout.number)
    facts["rollout_previous"] = str(rollout.previous)
    changes = [redact.redact(line) for line in rollout.lines]
    facts["rollout_diff"] = "\n".join(changes)
    when = "at an unknown time"
    if rollout.created is not None:
        facts["rollout_at"] = rollout.created.isoformat()
        when = f"at {rollout.created:%Y-%m-%d %H:%M:%S} UTC"
    cause = f" ({rollout.change_cause})" if rollout.change_cause else ""
    body = "\n".join(changes) or "the pod template is the same"
    title = f"Change from revision {rollout.previous} to revision {rollout.number}, rolled out {when}{cause}"
    told.add("rollout", title, body)
    return rollout


def _of_revisions(
    told: gathering.Gathering, target: model.Target, now: datetime, refuted: Collection[int]
) -> changes_seen.Rollout | None:
    """The last rollout of a StatefulSet or DaemonSet: from the newest revision that was healthy, where there is one."""
    rollout, current = changes_seen.by_revisions(target, target.revisions), workloads.current_revision(target)
    healthy = workloads.healthy_revision(target, now, refuted)
    if healthy is None:
        return rollout
    told.facts["healthy_revision"] = str(healthy.number)
    if rollout is None or current is None or current.number != rollout.number:
        return rollout
    lines = workloads.template_diff(healthy.template, current.template)
    return replace(rollout, previous=healthy.number, lines=lines)


def _of_deployment(
    told: gathering.Gathering, target: model.Target, now: datetime, refuted: Collection[int]
) -> changes_seen.Rollout | None:
    """From the newest revision that was healthy, where there is one, else from the one before."""
    current = workloads.current_revision(target)
    if current is None:
        return None
    told.facts["rollout_revision"] = str(current.number)
    healthy = workloads.healthy_revision(target, now, refuted)
    if healthy is not None:
        told.facts["healthy_revision"] = str(healthy.number)
    earlier = [revision for revision in workloads.revisions(target) if revision.number < current.number]
    before = healthy or (earlier[-1] if earlier else None)
    if before is None:
        return None
    return changes_seen.Rollout(
        workload=target.ref,
        number=current.number,
        previous=before.number,
        lines=workloads.template_diff(before.template, current.template),
        created=None if _reused(target, current) else current.created,
        change_cause=current.change_cause,
    )


def _reused(target: model.Target, revision: workloads.Revision) -> bool:
    """Whether the ReplicaSet had another revision number before (a rollback): its age is not the rollout's then."""
    for replicaset in target.replicasets:
        metadata: Mapping[str, object] = replicaset.get("metadata") or {}
        if metadata.get("uid") == revision.holder.uid:
            annotations = metadata.get("annotations")
            return isinstance(annotations, dict) and bool(annotations.get(workloads.REVISION_HISTORY))
    return False
