"""From findings to problems: symptoms of one cause share one subject, and so one incident and one thread.

Pure; the result does not depend on the order of the findings. Called by `k8s.detection`.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from k8s import model, sharing

CAUSAL_ORDER = (
    "NodeNotReady",
    "NodePressure",
    "QuotaExhausted",
    "PVCPending",
    "ImagePull",
    "ConfigError",
    "StuckCreating",
    "InitFailing",
    "OOMKilled",
    "LivenessRestarts",
    "CrashLoopBackOff",
    "Unschedulable",
    "NotReady",
    "Evicted",
    "JobFailed",
    "CronJobBroken",
    "RolloutStuck",
    "StatefulSetStuck",
    "DaemonSetIncomplete",
    "ReplicasMissing",
    "HPABroken",
    "MemoryGrowth",
    "RestartGrowth",
    "LogErrors",
    "StuckTerminating",
    "PDBBlocking",
    "IngressBroken",
    "ServiceNoEndpoints",
    "WebhookBroken",
    "CertificateExpiring",
    "Risk",
)
"""Most causal first: the first finding of a problem names its cause, the last ones are what it does to the workload."""

FORERUN = timedelta(minutes=5)
"""How long before its Ready condition a failing node can show in its pods: the kubelet struggles first, and then the
control plane waits before it gives a silent one up (https://kubernetes.io/docs/concepts/architecture/nodes/)."""

_RANK = {kind: rank for rank, kind in enumerate(CAUSAL_ORDER)}
_Key = tuple[str, str, str]


def fold(findings: Iterable[model.Finding], index: model.Index) -> tuple[model.Problem, ...]:
    """Groups by top owner, by a cause that owners share, or by the node where one is lost; worst first.

    A node is lost once its NodeNotReady finding has held for its grace. It takes what began with it: a crash loop that
    is older than its node's trouble has a cause, and perhaps an incident, of its own. What several owners miss alike
    (`k8s.sharing`) is one problem: the missing object, or the registry, is its subject; the first finding names all.
    Equal findings of many pods of one owner (same kind, container and cause) become one: the oldest of them, with how
    many there are in `facts["pods"]` (of what is no pod, such as the runs of a CronJob, in `facts["count"]`).
    """
    every = sorted(findings, key=order)
    lost = {
        finding.resource.name: finding
        for finding in every
        if finding.kind == "NodeNotReady" and index.taken_at - finding.since >= finding.grace
    }
    groups: dict[_Key, tuple[model.ResourceRef, list[model.Finding]]] = {}
    by_owner: dict[_Key, list[model.Finding]] = defaultdict(list)
    for finding in every:
        node = _node(finding, lost)
        if node is not None:
            groups.setdefault(_key(node), (node, []))[1].append(finding)
        else:
            by_owner[_key(finding.owner)].append(finding)
    causes = sharing.shared([finding for group in by_owner.values() for finding in group])
    for group in by_owner.values():
        for finding, subject in zip(group, sharing.subjects(group, causes), strict=True):
            groups.setdefault(_key(subject), (subject, []))[1].append(finding)
    problems = [_problem(subject, group, causes, index) for subject, group in groups.values()]
    return tuple(sorted(problems, key=lambda problem: (problem.severity, _key(problem.subject))))


def order(finding: model.Finding) -> tuple[object, ...]:
    """Sorts findings by cause before symptom, then worst first, then by all that can tell two apart."""
    rank = _RANK.get(finding.kind, len(_RANK))
    place = (finding.container, finding.cause, finding.since, finding.resource, finding.message)
    return rank, finding.kind, finding.severity, finding.owner, *place


def _node(finding: model.Finding, lost: Mapping[str, model.Finding]) -> model.ResourceRef | None:
    node = lost.get(finding.node)
    return None if node is None or node.since - finding.since > FORERUN else node.resource


def _problem(
    subject: model.ResourceRef,
    group: list[model.Finding],
    causes: Mapping[_Key, model.ResourceRef],
    index: model.Index,
) -> model.Problem:
    findings = tuple(sorted(_merged(group), key=order))
    if _key(subject) in causes:
        findings = sharing.told(subject, findings)
    counts = index.ready(subject)
    return model.Problem(
        subject=subject,
        findings=findings,
        severity=min(finding.severity for finding in findings),
        ready=counts[0] if counts is not None else None,
        desired=counts[1] if counts is not None else None,
    )


def _merged(group: Iterable[model.Finding]) -> list[model.Finding]:
    alike: dict[tuple[object, ...], list[model.Finding]] = defaultdict(list)
    for finding in group:
        alike[(finding.kind, _key(finding.owner), finding.container, finding.cause)].append(finding)
    return [_one(same) for same in alike.values()]


def _one(same: Sequence[model.Finding]) -> model.Finding:
    """One finding for all that are alike: the oldest speaks, the worst severity counts."""
    if len(same) == 1:
        return same[0]
    oldest = min(same, key=lambda finding: (finding.since, *order(finding)))
    others = len(same) - 1
    more = "one more" if others == 1 else f"{others} more"
    return dataclasses.replace(
        oldest,
        severity=min(finding.severity for finding in same),
        message=f"{oldest.message} The same holds for {more}.",
        facts={**oldest.facts, "pods" if oldest.resource.kind == "Pod" else "count": str(len(same))},
    )


def _key(ref: model.ResourceRef) -> _Key:
    return ref.kind, ref.namespace, ref.name
