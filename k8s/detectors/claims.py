"""PVCPending: a volume that a pod asks for and does not get, or has lost. Called by `k8s.detection`."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from k8s import model, objects, phrases, surroundings, symptoms

PVC_PENDING = symptoms.KindInfo(
    kind="PVCPending",
    severity="P2",
    grace=timedelta(seconds=120),
    doc="https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding",
    condition="a PersistentVolumeClaim gets no volume, or has lost the one it had",
)
KINDS = (PVC_PENDING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("persistentvolumeclaims", "events", "pods")

_FAILURES = ("ProvisioningFailed", "ClaimLost", "ClaimMisbound", "VolumeMismatch", "FailedBinding")
"""Warning events of the volume controller and of provisioners about a claim (pkg/controller/volume/events)."""

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("no-such-class", re.compile(r"storageclass\S* \"?\S+ not found")),
    ("quota", re.compile(r"quota|limit ?exceeded|resource ?exhausted|maximum number")),
    ("denied", re.compile(r"unauthori[sz]ed|denied|forbidden|credential")),
    ("unreachable", re.compile(r"deadline exceeded|timed? ?out|connection refused|unavailable|no such host")),
)

_SAYINGS = {
    "lost": "its PersistentVolume is gone",
    "no-class": "it names no StorageClass, there is no default one, and no PersistentVolume fits it",
    "no-such-class": "its StorageClass does not exist",
    "quota": "a quota or limit of the storage is used up",
    "denied": "the provisioner may not make its volume",
    "unreachable": "the storage does not answer the provisioner",
    "failed": "its volume cannot be provisioned",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """One finding for each workload that waits for the claim, or one on the claim where none is seen waiting.

    `class` in the facts: lost, no-class, or how provisioning failed; `missing_kind` and `missing_name` name the claim,
    so that workloads that wait for the same one fold together.
    """
    pending = [claim for claim in snapshot.persistentvolumeclaims if _unbound(claim)]
    if not pending or not snapshot.saw(reads):
        return
    waiting = _waiting(index)
    classes = {item.metadata.name: item for item in snapshot.storageclasses}
    for claim in pending:
        owners = waiting.get((claim.metadata.namespace, claim.metadata.name), ())
        kind, said, since = _trouble(claim, index, snapshot)
        if kind and not (kind != "lost" and not owners and _waits_for_consumer(claim, classes)):
            ref = symptoms.reference("PersistentVolumeClaim", claim.metadata)
            for owner in owners or (ref,):
                yield _finding(ref, owner, claim, kind, said, since, _nearest(claim, kind, classes))


def _unbound(claim: surroundings.Claim) -> bool:
    return claim.status.phase in ("Pending", "Lost") and not claim.metadata.deletion_timestamp


def _trouble(claim: surroundings.Claim, index: model.Index, snapshot: model.Snapshot) -> tuple[str, str, datetime]:
    """(class, the provisioner's words, since when); an empty class where it merely waits."""
    now = snapshot.taken_at
    created = objects.moment(claim.metadata.creation_timestamp)
    events = index.events(symptoms.reference("PersistentVolumeClaim", claim.metadata), _FAILURES)
    said = phrases.clip(events[0].message) if events else ""
    first = symptoms.earliest(now, *map(symptoms.first_seen, events))
    if claim.status.phase == "Lost":
        return "lost", said, first
    if events:
        lowered = (events[0].message or "")[:4096].lower()
        return next((kind for kind, pattern in _CLASSES if pattern.search(lowered)), "failed"), said, first
    if not claim.spec.storage_class_name and not claim.spec.volume_name:
        return "no-class", "", symptoms.earliest(now, created)
    return "", "", now


def _waits_for_consumer(claim: surroundings.Claim, classes: Mapping[str, surroundings.StorageClass]) -> bool:
    """https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode"""
    found = classes.get(claim.spec.storage_class_name or "")
    return found is not None and found.volume_binding_mode == "WaitForFirstConsumer"


def _waiting(index: model.Index) -> Mapping[tuple[str, str], Sequence[model.ResourceRef]]:
    """The top owners of pods that do not run, by the claims that these pods use."""
    found: dict[tuple[str, str], set[model.ResourceRef]] = defaultdict(set)
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for volume in pod.spec.volumes or ():
            name = f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""
            if volume.persistent_volume_claim is not None:
                name = volume.persistent_volume_claim.claim_name
            if name:
                found[pod.metadata.namespace, name].add(index.top_owner("Pod", pod.metadata))
    return {key: sorted(owners) for key, owners in found.items()}


def _nearest(claim: surroundings.Claim, kind: str, classes: Mapping[str, surroundings.StorageClass]) -> str:
    near = difflib.get_close_matches(claim.spec.storage_class_name or "", sorted(classes), n=1)
    return near[0] if near and kind == "no-such-class" else ""


def _finding(
    ref: model.ResourceRef,
    owner: model.ResourceRef,
    claim: surroundings.Claim,
    kind: str,
    said: str,
    since: datetime,
    nearest: str,
) -> model.Finding:
    wanted = phrases.clip(claim.spec.storage_class_name)
    saying = _SAYINGS[kind]
    if kind == "no-such-class" and wanted:
        saying = f"its StorageClass {wanted} does not exist" + (f" (did you mean {nearest}?)" if nearest else "")
    state = "has lost its volume" if kind == "lost" else "has no volume"
    facts = {
        "class": kind,
        "phase": claim.status.phase or "",
        "storage_class": wanted,
        "nearest": nearest,
        "said": said,
        "missing": f"PersistentVolumeClaim {ref.name}",
        "missing_kind": "PersistentVolumeClaim",
        "missing_name": ref.name,
    }
    return model.Finding(
        kind=PVC_PENDING.kind,
        severity=PVC_PENDING.severity,
        resource=ref,
        owner=owner,
        message=f"PersistentVolumeClaim {ref.name} {state}: {saying}.",
        since=since,
        cause=f"{ref.name}: {kind}",
        grace=PVC_PENDING.grace,
        facts={name: text for name, text in facts.items() if text},
    )
