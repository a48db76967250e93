"""Causes that several workloads share: an object that all of them miss, a registry that serves none of them, a quota.

Pure. Called by `k8s.folding`, and by `bot.domain.merging` to know the problem again when only one workload is left.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from k8s import absences, model, phrases

KINDS = frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim", "ResourceQuota", "Registry"})
"""Kinds of subjects that a problem of several workloads may have. A Registry is no object of the API: it is a host."""

AT_LEAST = 2
"""Owners that must share a cause before it becomes their subject; a quota that has refused them counts as one."""

_MISSED = frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim"})
_REGISTRY_CLASSES: Mapping[str, str] = {
    "unreachable": "cannot be reached or does not answer",
    "unauthorised": "refuses access",
    "rate-limited": "limits the rate of pulls",
}
_SYMPTOMS = frozenset(
    {
        "RolloutStuck",
        "ReplicasMissing",
        "StatefulSetStuck",
        "DaemonSetIncomplete",
        "JobFailed",
        "CronJobBroken",
        "HPABroken",
        "PDBBlocking",
        "ServiceNoEndpoints",
        "WebhookBroken",
    }
)
"""What a cause does to its workload: these go wherever the cause goes."""

_NAMED = 5
"""Workloads that a sentence names."""

_Key = tuple[str, str, str]


def cause_of(finding: model.Finding) -> model.ResourceRef | None:
    """What a finding's workload may share with others as its cause; None where it has one of its own."""
    facts, namespace = finding.facts, finding.resource.namespace
    if finding.resource.kind in KINDS and finding.kind in ("PVCPending", "QuotaExhausted"):
        return finding.resource
    if finding.kind == "ImagePull" and facts.get("class") in _REGISTRY_CLASSES and facts.get("registry"):
        return model.ResourceRef("Registry", "", facts["registry"])
    if finding.kind == "Unschedulable" and facts.get("class") == "pvc":
        facts = absences.missing(facts.get("said", ""))
    if facts.get("missing_kind") in _MISSED and facts.get("missing_name"):
        return model.ResourceRef(facts["missing_kind"], namespace, facts["missing_name"])
    if facts.get("quota") and finding.kind in _SYMPTOMS:
        return model.ResourceRef("ResourceQuota", namespace, facts["quota"])
    return None


def shared(findings: Sequence[model.Finding]) -> Mapping[_Key, model.ResourceRef]:
    """The causes that enough owners share, with a uid where one of the findings knows it."""
    owners: dict[_Key, set[_Key]] = defaultdict(set)
    refs: dict[_Key, model.ResourceRef] = {}
    for finding in findings:
        cause = cause_of(finding)
        if cause is not None:
            owners[_key(cause)].add(_key(finding.owner))
            refs[_key(cause)] = max(cause, refs.get(_key(cause), cause))
    return {key: refs[key] for key, those in owners.items() if len(those) >= AT_LEAST}


def subjects(
    findings: Sequence[model.Finding], causes: Mapping[_Key, model.ResourceRef]
) -> Sequence[model.ResourceRef]:
    """For each finding of one owner, most causal first, the subject that it folds into.

    What shares its cause moves to the cause. What the workload merely suffers follows the first finding that is more
    than a symptom; a cause of its own stays its own.
    """
    own = [causes.get(_key(cause)) if (cause := cause_of(finding)) is not None else None for finding in findings]
    leading = next(
        (subject for finding, subject in zip(findings, own, strict=True) if subject or not _symptom(finding)), None
    )
    return [
        subject or (leading if leading is not None and _symptom(finding) else finding.owner)
        for finding, subject in zip(findings, own, strict=True)
    ]


def told(subject: model.ResourceRef, findings: Sequence[model.Finding]) -> tuple[model.Finding, ...]:
    """The findings of a shared problem: the first speaks for all and names them; the cause is the subject's, for each.

    So the problem stays the same one while workloads come and go. `findings` are sorted by cause before symptom.
    """
    causal = [finding for finding in findings if _caused_by(subject, finding)]
    others = [finding for finding in findings if not _caused_by(subject, finding)]
    members = sorted({finding.owner for finding in findings if not finding.owner.same(subject)})
    named = [f"{ref.kind} {ref.name if subject.namespace else ref.short}" for ref in members]
    names = ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")
    # The words of a claim or a quota itself say more than those of who waits for it.
    first = min(causal, key=lambda finding: finding.resource.kind not in KINDS)
    speaking = dataclasses.replace(
        first,
        message=_sentence(subject, first, names, causal),
        facts={**first.facts, "owners": str(len(members)), "members": phrases.clip(names)},
    )
    rest = [finding for finding in causal if finding is not first]
    cause = f"{subject.kind} {subject.name}"
    return (*(dataclasses.replace(finding, cause=cause) for finding in (speaking, *rest)), *others)


def _sentence(subject: model.ResourceRef, first: model.Finding, names: str, causal: Sequence[model.Finding]) -> str:
    if subject.kind == "Registry":
        classes = Counter(finding.facts.get("class", "") for finding in causal)
        most = max(_REGISTRY_CLASSES, key=lambda name: classes[name])
        return f"Registry {subject.name} {_REGISTRY_CLASSES[most]}: {names} cannot pull their images."
    if first.resource.kind in KINDS:
        return f"{first.message} It holds up {names}." if names else first.message
    missing = first.facts.get("missing") or f"{subject.kind} {subject.name}"
    if subject.kind == "ResourceQuota":
        return f"ResourceQuota {subject.name} refuses new pods: {names} cannot have all of theirs."
    return f"{missing} does not exist: {names} wait for it."


def _caused_by(subject: model.ResourceRef, finding: model.Finding) -> bool:
    cause = cause_of(finding)
    return cause is not None and _key(cause) == _key(subject)


def _symptom(finding: model.Finding) -> bool:
    if finding.kind == "Unschedulable":
        return finding.facts.get("class") == "pvc"
    return finding.kind in _SYMPTOMS


def _key(ref: model.ResourceRef) -> _Key:
    return ref.kind, ref.namespace, ref.name
