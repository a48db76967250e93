"""What the remedies, the policy and the verification must know of a workload: its replicas, revisions and owners.

A Deployment keeps its revisions as ReplicaSets, a StatefulSet or DaemonSet as ControllerRevisions.

Pure, over the raw JSON of a freshly read `model.Target`. Called by `k8s.actions`, `k8s.guardrails`, `k8s.verification`,
and by `bot` for evidence: which revision was good, and what changed since.
"""

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from k8s import fields, model, templates

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE = "kubernetes.io/change-cause"
RESTARTED_AT = templates.RESTARTED_AT
POD_REVISION = "controller-revision-hash"
"""Label of the pods of a StatefulSet or DaemonSet: of which revision each is."""
_CONTROLLER_REVISED = ("StatefulSet", "DaemonSet")

PROOF_OF_SERVICE = timedelta(minutes=10)
"""A revision that lived this long before its successor came counts as one that had served."""
SETTLED = timedelta(minutes=1)
"""Ready pods of a revision younger than this prove nothing: a crash loop is ready for moments too."""
STEADY = timedelta(minutes=10)
"""A container that was restarted and has run for so long since is no crash loop: the kubelet forgets its back-off then.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy"""

template_hash = templates.digest
template_diff = templates.diff

Health = Literal["serving", "served", "unproven"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a workload."""

    number: int
    holder: model.ResourceRef
    """The ReplicaSet or ControllerRevision that keeps it."""
    template: model.Json
    """As the workload would hold it: without the ReplicaSet's hash label."""
    created: datetime | None
    images: tuple[str, ...]
    health: Health
    """serving: has ready pods now. served: lived long enough before its successor, and nothing that the cluster holds
    says that it was down meanwhile. unproven: nothing speaks for it."""
    change_cause: str
    replicas: int
    """Pods that it has now, ready or not."""
    ready: int


def reference(obj: model.Json, kind: str) -> model.ResourceRef:
    """The object's own reference. List items carry no kind, so it is given."""
    name = fields.text(obj, "metadata", "name")
    return model.ResourceRef(kind, fields.text(obj, "metadata", "namespace"), name, fields.uid(obj))


def template(obj: model.Json) -> model.Json:
    return fields.mapping(obj, "spec", "template")


def desired(obj: model.Json, kind: str) -> int:
    """Replicas that the workload should have; `spec.replicas` left out means 1."""
    if kind == "DaemonSet":
        return fields.count(obj, "status", "desiredNumberScheduled")
    replicas = fields.number(obj, "spec", "replicas")
    return 1 if replicas is None else replicas


def ready(obj: model.Json, kind: str) -> int:
    return fields.count(obj, "status", "numberReady" if kind == "DaemonSet" else "readyReplicas")


def headroom(target: model.Target) -> int | None:
    """Voluntary disruptions that the tightest PodDisruptionBudget allows now; None where there is none."""
    allowed = [fields.count(budget, "status", "disruptionsAllowed") for budget in target.budgets]
    return min(allowed) if allowed else None


def tight_budgets(target: model.Target) -> tuple[str, ...]:
    """The names of the PodDisruptionBudgets that allow no disruption now."""
    return tuple(
        fields.text(budget, "metadata", "name")
        for budget in target.budgets
        if fields.count(budget, "status", "disruptionsAllowed") < 1
    )


def pod_ready(pod: model.Json) -> bool:
    return fields.text(fields.condition(pod, "Ready"), "status") == "True"


def strategy(obj: model.Json, kind: str) -> str:
    """How pods are replaced: `RollingUpdate` (the default of all three kinds), `Recreate` or `OnDelete`."""
    key = "strategy" if kind == "Deployment" else "updateStrategy"
    return fields.text(obj, "spec", key, "type") or "RollingUpdate"


def _share(given: object, whole: int, default: str, *, up: bool) -> int:
    """An int-or-percent field against the desired count; a surge rounds up, what is away down, as controllers do."""
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    shown = given if isinstance(given, str) else default
    digits = shown.removesuffix("%")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 6):
        digits = default.removesuffix("%")
    exact = whole * int(digits) / 100 if shown.endswith("%") else int(digits)
    return math.ceil(exact) if up else math.floor(exact)


def partition(obj: model.Json, kind: str) -> int:
    """Ordinals below it keep the old template: a staged rollout of a StatefulSet. 0 where there is none.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions
    """
    return fields.count(obj, "spec", "updateStrategy", "rollingUpdate", "partition") if kind == "StatefulSet" else 0


def unavailable_at_once(obj: model.Json, kind: str) -> int:
    """How many pods a rollout takes away at a time: 0 means a new one is ready before an old one goes.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
    """
    wanted = desired(obj, kind)
    if kind == "StatefulSet":
        given = fields.value(obj, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
        return max(1, _share(given, wanted, "1", up=False))
    if strategy(obj, kind) == "Recreate":
        return wanted
    key = "strategy" if kind == "Deployment" else "updateStrategy"
    rolling = fields.mapping(obj, "spec", key, "rollingUpdate")
    default = "25%" if kind == "Deployment" else "1"
    surge = _share(rolling.get("maxSurge"), wanted, "25%" if kind == "Deployment" else "0", up=True)
    away = _share(rolling.get("maxUnavailable"), wanted, default, up=kind == "DaemonSet")
    return min(wanted, away) if away or surge else min(wanted, 1)


def pace(obj: model.Json, kind: str) -> str:
    """How a rollout proceeds, as the end of a sentence."""
    if strategy(obj, kind) == "Recreate":
        return "all stopped before the new ones start"
    away = unavailable_at_once(obj, kind)
    if away == 0:
        return "each old pod kept until a new one is ready"
    return f"at most {away} unavailable at a time"


# --- revisions ------------------------------------------------------------------------------------------------------


def _owned(target: model.Target) -> Iterator[tuple[int, model.Json]]:
    """(revision number, ReplicaSet) of the Deployment's own ReplicaSets."""
    owner = fields.uid(target.object)
    for replicaset in target.replicasets:
        controller = fields.controller(replicaset)
        number = fields.annotations(replicaset).get(REVISION, "")
        if owner and controller is not None and controller.uid == owner and number.isascii() and number.isdigit():
            yield int(number), replicaset


def _past_numbers(replicaset: model.Json) -> Iterator[int]:
    """Revision numbers that this ReplicaSet had before it was rolled back to."""
    for part in fields.annotations(replicaset).get(REVISION_HISTORY, "").split(","):
        if part.isascii() and part.isdigit():
            yield int(part)


@dataclass(frozen=True, slots=True)
class Life:
    """When a revision was the current one, as far as that is recorded."""

    begin: datetime
    """Of its first life: later ones, after a rollback to it, begin at no recorded time."""
    end: datetime
    """Of its first life."""
    replaced: datetime | None
    """When the revision after its present number came: the end of its last life."""


def lives(target: model.Target) -> dict[int, Life]:
    """By number, those revisions of which it is known when they began and ended."""
    if target.ref.kind in _CONTROLLER_REVISED:
        return _chained(_kept(target))
    begins: dict[int, datetime | None] = {}
    firsts: dict[int, int] = {}
    for number, replicaset in _owned(target):
        first = min((*_past_numbers(replicaset), number))
        begins.update(dict.fromkeys((*_past_numbers(replicaset), number)))
        begins[first] = fields.moment(replicaset, "metadata", "creationTimestamp")
        firsts[number] = first
    found: dict[int, Life] = {}
    for number, first in firsts.items():
        start, end = begins[first], begins.get(first + 1)
        if start is not None and end is not None:
            found[number] = Life(start, end, begins.get(number + 1))
    return found


def _served(target: model.Target) -> frozenset[int]:
    """Numbers of the revisions one of whose lives is known to have lasted `PROOF_OF_SERVICE`.

    Of a Deployment that is not available, only what was before that counts: `Available` turns with every crash of a
    container without a readiness probe, and stays as it is where none of the revisions ever came up.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
    """
    down = fields.condition(target.object or {}, "Available")
    since = fields.moment(down, "lastTransitionTime") if fields.text(down, "status") == "False" else None
    return frozenset(
        number
        for number, life in lives(target).items()
        if (life.end if since is None else min(life.end, since)) - life.begin >= PROOF_OF_SERVICE
    )


def revisions(target: model.Target) -> tuple[Revision, ...]:
    """All revisions of the workload by ascending number; empty for a kind without any, and where none were read."""
    if target.ref.kind in _CONTROLLER_REVISED:
        return _controller_revisions(target)
    return _replicaset_revisions(target)


def _replicaset_revisions(target: model.Target) -> tuple[Revision, ...]:
    """A revision while an older one still has pods never finished its rollout, however long that took: unproven."""
    owned = sorted(_owned(target), key=lambda pair: pair[0])
    served = _served(target)
    found: list[Revision] = []
    older_has_pods = False
    for number, replicaset in owned:
        pods, ready_now = (
            fields.count(replicaset, "status", "replicas"),
            fields.count(replicaset, "status", "readyReplicas"),
        )
        health: Health = "unproven"
        if ready_now > 0:
            health = "serving"
        elif number in served and not older_has_pods and pods == 0:
            health = "served"
        raw = template(replicaset)
        found.append(
            Revision(
                number=number,
                holder=reference(replicaset, "ReplicaSet"),
                template=templates.bare(raw),
                created=fields.moment(replicaset, "metadata", "creationTimestamp"),
                images=templates.images(raw),
                health=health,
                change_cause=fields.annotations(replicaset).get(CHANGE_CAUSE, ""),
                replicas=pods,
                ready=ready_now,
            )
        )
        older_has_pods = older_has_pods or pods > 0
    return tuple(found)


def _kept(target: model.Target) -> list[tuple[int, model.Json]]:
    """(revision number, ControllerRevision) of the workload's own, by ascending number."""
    owner = fields.uid(target.object)
    kept: list[tuple[int, model.Json]] = []
    for each in target.revisions:
        controller, number = fields.controller(each), fields.number(each, "revision")
        if owner and controller is not None and controller.uid == owner and number is not None and number > 0:
            kept.append((number, each))
    return sorted(kept, key=lambda pair: pair[0])


def _chained(kept: Sequence[tuple[int, model.Json]]) -> dict[int, Life]:
    """The lives of the ControllerRevisions, as far as they are known.

    One that returns gets a new number and keeps its creation time, and nothing tells when it returned. It leaves a gap
    at its old number, so that only of a chain without one, from number 1 on, it is known that nobody in it returned.
    """
    found: dict[int, Life] = {}
    for place, ((number, revision), (after, successor)) in enumerate(itertools.pairwise(kept), start=1):
        if (number, after) != (place, place + 1):
            break
        begin = fields.moment(revision, "metadata", "creationTimestamp")
        end = fields.moment(successor, "metadata", "creationTimestamp")
        if begin is not None and end is not None:
            found[number] = Life(begin, end, end)
    return found


def _controller_revisions(target: model.Target) -> tuple[Revision, ...]:
    """Those of a StatefulSet or DaemonSet. Its pods name theirs by label, so that who is ready speaks for it.

    https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/: `data` is a patch of
    the workload that puts `spec.template` back whole.
    """
    kept, lasted = _kept(target), _served(target)
    found: list[Revision] = []
    older_has_pods = False
    for number, each in kept:
        pods = revision_pods(target, each)
        ready_now = sum(pod_ready(pod) for pod in pods)
        health: Health = "serving" if ready_now else "unproven"
        if number in lasted and not older_has_pods and not pods:
            health = "served"
        raw = {key: value for key, value in fields.mapping(each, "data", "spec", "template").items() if key != "$patch"}
        found.append(
            Revision(
                number=number,
                holder=reference(each, "ControllerRevision"),
                template=templates.bare(raw),
                created=fields.moment(each, "metadata", "creationTimestamp"),
                images=templates.images(raw),
                health=health,
                change_cause=fields.annotations(each).get(CHANGE_CAUSE, ""),
                replicas=len(pods),
                ready=ready_now,
            )
        )
        older_has_pods = older_has_pods or bool(pods)
    return tuple(found)


def revision_pods(target: model.Target, holder: model.Json) -> tuple[model.Json, ...]:
    """The pods of a revision, by the ReplicaSet or ControllerRevision that keeps it; without those that are going."""
    here = tuple(pod for pod in target.pods if not fields.deleting(pod))
    if target.ref.kind not in _CONTROLLER_REVISED:
        owned = ((pod, fields.controller(pod)) for pod in here)
        return tuple(pod for pod, owner in owned if owner is not None and owner.uid == fields.uid(holder) != "")
    hashed = fields.text(holder, "metadata", "name")
    if target.ref.kind == "DaemonSet":  # its pods have the hash alone
        hashed = fields.labels(holder).get(POD_REVISION, "")
    return tuple(pod for pod in here if fields.labels(pod).get(POD_REVISION) == hashed != "")


def current_revision(target: model.Target) -> Revision | None:
    """The revision that the workload asks for now; None while its controller has not recorded it yet."""
    obj = target.object or {}
    wanted = templates.digest(template(obj))
    known = revisions(target)
    for revision in reversed(known):
        if templates.digest(revision.template) == wanted:
            return revision
    if fields.count(obj, "status", "observedGeneration") < fields.count(obj, "metadata", "generation"):
        return None
    if target.ref.kind in _CONTROLLER_REVISED:
        update = fields.text(obj, "status", "updateRevision")
        return next((revision for revision in known if revision.holder.name == update != ""), None)
    number = fields.annotations(obj).get(REVISION, "")
    return next((revision for revision in known if str(revision.number) == number), None)


def _pods_of(target: model.Target, revision: Revision) -> tuple[model.Json, ...]:
    holders = (each for each in (*target.replicasets, *target.revisions) if fields.uid(each) == revision.holder.uid)
    return tuple(pod for holder in holders for pod in revision_pods(target, holder))


def _steady(pod: model.Json, now: datetime) -> bool:
    """Whether a pod is ready, and not only between two crashes."""
    since = fields.moment(fields.condition(pod, "Ready"), "lastTransitionTime")
    if not pod_ready(pod) or (since is not None and now - since < SETTLED):
        return False
    for status in fields.items(pod, "status", "containerStatuses"):
        started = fields.moment(status, "state", "running", "startedAt")
        if fields.count(status, "restartCount") and started is not None and now - started < STEADY:
            return False
    return True


def healthy_revision(target: model.Target, now: datetime, refuted: Collection[int] = frozenset()) -> Revision | None:
    """The newest earlier revision that serves, or had served, and runs something else than the current one.

    `refuted`: numbers of those that are known to have failed while they were current.
    """
    current = current_revision(target)
    if current is None:
        return None
    here = templates.essence(current.template)
    for revision in reversed(revisions(target)):
        if revision.number >= current.number or templates.essence(revision.template) == here:
            continue
        if _healthy(target, revision, now, refuted):
            return revision
    return None


def _healthy(target: model.Target, revision: Revision, now: datetime, refuted: Collection[int]) -> bool:
    """What its pods show now weighs more than what was; where they were not read, their controller's count is taken."""
    if revision.health == "serving":
        pods = _pods_of(target, revision)
        if pods:
            return any(_steady(pod, now) for pod in pods) and _settled(revision, now)
        return _settled(revision, now) and revision.number not in refuted
    return revision.health == "served" and revision.number not in refuted


def _settled(revision: Revision, now: datetime) -> bool:
    return revision.created is not None and now - revision.created >= SETTLED


# --- who owns what --------------------------------------------------------------------------------------------------


def belongs(pod: model.Json, workload: model.Json, kind: str, replicasets: Sequence[model.Json]) -> bool:
    """Whether this workload controls the pod, directly or (a Deployment) through one of its ReplicaSets."""
    controller, owner = fields.controller(pod), fields.uid(workload)
    if controller is None or not owner:
        return False
    if controller.uid == owner:
        return controller.kind == kind
    if kind != "Deployment" or controller.kind != "ReplicaSet":
        return False
    for replicaset in replicasets:
        above = fields.controller(replicaset)
        if fields.uid(replicaset) == controller.uid and controller.uid:
            return above is not None and above.uid == owner
    return False


def scales(autoscaler: model.Json, workload: model.ResourceRef) -> bool:
    """Whether a HorizontalPodAutoscaler of the same namespace sets the replicas of this workload."""
    target = fields.mapping(autoscaler, "spec", "scaleTargetRef")
    return (fields.text(target, "kind"), fields.text(target, "name")) == (workload.kind, workload.name)


def gitops(obj: model.Json) -> tuple[str, ...]:
    """Who else writes this object and would put a changed field back: `Argo CD`, `Flux (Kustomization x)`, `Helm` …

    Argo CD: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/; Flux marks what it applies with
    toolkit labels; Helm: https://helm.sh/docs/chart_best_practices/labels/.
    """
    labels, annotations = fields.labels(obj), fields.annotations(obj)
    owners: list[str] = []
    argo = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    argo = argo or labels.get("argocd.argoproj.io/instance", "") or annotations.get("argocd.argoproj.io/instance", "")
    if argo:
        owners.append(f"Argo CD (application {argo})")
    if name := labels.get("kustomize.toolkit.fluxcd.io/name"):
        owners.append(f"Flux (Kustomization {name})")
    release = labels.get("helm.toolkit.fluxcd.io/name")
    if release:
        owners.append(f"Flux (HelmRelease {release})")
    elif "meta.helm.sh/release-name" in annotations or labels.get("app.kubernetes.io/managed-by") == "Helm":
        name = annotations.get("meta.helm.sh/release-name", "")
        owners.append(f"Helm (release {name})" if name else "Helm")
    return tuple(owners)
