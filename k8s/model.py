"""The frozen values that travel between the modules of `k8s`, and from `k8s` to `bot`.

Values only: no I/O, no clock. What is stored as JSON (actions, operations, pins) is a msgspec Struct, so that encoding
and strict decoding come from the type; what lives for one sweep is a dataclass.
"""

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec

from k8s import history, objects, surroundings, usage

FEW = 5
"""So many namespaces that labels select are listed one by one; more of them cost more requests than all at once."""

Severity = Literal["P1", "P2", "P3"]
"""P1: users are probably hurt now. P2: degraded. P3: will hurt later, or is untidy."""

RiskTier = Literal["low", "medium", "high"]

Json = dict[str, Any]
"""One object of the API as plain JSON (camelCase keys), where the whole of it matters: templates, patches, images."""


class ResourceRef(msgspec.Struct, frozen=True, order=True):
    """One object of a cluster. `namespace` is empty for cluster-scoped kinds; `uid` is empty where it is not known."""

    kind: str
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def short(self) -> str:
        """`namespace/name`, or the name alone where there is no namespace: what a person says."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def same(self, other: "ResourceRef") -> bool:
        """Whether both name the same object, by uid where both know one, else by kind, namespace and name."""
        if self.uid and other.uid:
            return self.uid == other.uid
        return (self.kind, self.namespace, self.name) == (other.kind, other.namespace, other.name)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which namespaces a sweep looks at: shell-style globs; an empty `include` means all. Exclusion wins."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    labels: str = ""
    """A label selector (`team=payments,env!=dev`) that they must match besides; empty where there is none."""
    selected: frozenset[str] | None = field(default=None, compare=False)
    """The namespaces that matched `labels` when the look began. None: nobody has asked yet, and none is known to be."""

    @property
    def places(self) -> tuple[str, ...] | None:
        """The namespaces to list one by one, so that Roles in them suffice; None: all of them at once."""
        names = self.include
        if self.selected is not None and len(self.selected) <= FEW and (not names or self._globbed):
            names = tuple(sorted(self.selected))
        elif not names or self._globbed:
            return None
        return tuple(name for name in dict.fromkeys(names) if self.includes(name))

    @property
    def _globbed(self) -> bool:
        return any(character in name for name in self.include for character in "*?[")

    def includes(self, namespace: str) -> bool:
        """Whether a namespace is looked at."""
        if self.labels and (self.selected is None or namespace not in self.selected):
            return False
        if any(fnmatch.fnmatchcase(namespace, glob) for glob in self.exclude):
            return False
        return not self.include or any(fnmatch.fnmatchcase(namespace, glob) for glob in self.include)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one sweep saw of one cluster. `degraded` names each kind that could not be (wholly) listed, and why.

    Who reads it must not take the absence of an object of a degraded kind for a fact (`saw`).
    """

    cluster: str
    taken_at: datetime
    scope: Scope = Scope()
    namespaces: Sequence[objects.Namespace] = ()
    nodes: Sequence[objects.Node] = ()
    pods: Sequence[objects.Pod] = ()
    deployments: Sequence[objects.Workload] = ()
    replicasets: Sequence[objects.Workload] = ()
    statefulsets: Sequence[objects.Workload] = ()
    daemonsets: Sequence[objects.Workload] = ()
    jobs: Sequence[objects.Job] = ()
    cronjobs: Sequence[objects.CronJob] = ()
    events: Sequence[objects.Event] = ()
    """Warning events only, newest kept where there are more than the reader's bound."""
    services: Sequence[surroundings.Service] = ()
    endpointslices: Sequence[surroundings.EndpointSlice] = ()
    ingresses: Sequence[surroundings.Ingress] = ()
    ingressclasses: Sequence[surroundings.IngressClass] = ()
    persistentvolumeclaims: Sequence[surroundings.Claim] = ()
    storageclasses: Sequence[surroundings.StorageClass] = ()
    resourcequotas: Sequence[surroundings.Quota] = ()
    horizontalpodautoscalers: Sequence[surroundings.Autoscaler] = ()
    poddisruptionbudgets: Sequence[surroundings.Budget] = ()
    validatingwebhookconfigurations: Sequence[surroundings.WebhookConfiguration] = ()
    mutatingwebhookconfigurations: Sequence[surroundings.WebhookConfiguration] = ()
    secrets: Sequence[surroundings.TlsSecret] = ()
    """Those of type kubernetes.io/tls only, where their reading was asked for."""
    podmetrics: Sequence[usage.PodMetrics] = ()
    """What pods use, where the cluster has a metrics server."""
    past: history.History = field(default_factory=history.History)
    """What earlier sweeps learnt, and this one; empty where nobody keeps it."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """List name → one sentence: lists that this identity may not read, or was not asked to. A detector that rests on
    one stays silent, and its silence says nothing; the sweep is whole all the same."""
    degraded: Mapping[str, str] = field(default_factory=dict)
    """List name (`pods`, `events` …) → one sentence why it is missing or cut short."""
    custom: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """`cert-manager.io/v1/Certificate` → objects as plain JSON: what detectors of somebody's own asked for. What is not
    here, or not whole, is named alike in `unread` or `degraded`."""
    rests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Kind of somebody's own that this look was made for → the lists (also of `custom`) that its findings rest on."""
    odd: int = 0
    """Objects that could not be decoded and were left out (each also makes its kind degraded)."""
    seconds: float = 0.0

    def saw(self, kinds: Sequence[str]) -> bool:
        """Whether all these lists are whole."""
        return not any(kind in self.degraded or kind in self.unread for kind in kinds)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that a person on call would act on: one failure kind on one object.

    `cause` is the normalised cause within the kind (an image, a missing object's name, an exit code …): equal causes
    make equal fingerprints over sweeps, so it holds no counter, time, pod name or other changing text.
    """

    kind: str
    severity: Severity
    resource: ResourceRef
    """The object that shows it, e.g. the pod."""
    owner: ResourceRef
    """The top owner that it folds into, e.g. the Deployment; the resource itself where there is none."""
    message: str
    """One plain sentence with the fact that shows it. Text from the cluster inside it is not redacted yet."""
    since: datetime
    """When the state began, by the cluster's own timestamps where there are any, else the snapshot's time."""
    cause: str
    grace: timedelta = timedelta(0)
    """A state younger than this is normal life: no incident opens before."""
    container: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Machine-readable details for diagnosis: `reason`, `exit_code`, `image`, `class`, `missing`, `node` …"""
    node: str = ""
    """The node that a pod's finding sits on, for folding into a node's incident."""


@dataclass(frozen=True, slots=True)
class Problem:
    """All findings of one sweep that share one subject: what becomes one incident, one thread."""

    subject: ResourceRef
    """Top owner of the findings, or the node."""
    findings: tuple[Finding, ...]
    """At least one; the first is the primary: the most causal of them."""
    severity: Severity
    ready: int | None = None
    desired: int | None = None

    @property
    def primary(self) -> Finding:
        return self.findings[0]

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f.kind for f in self.findings))

    @property
    def since(self) -> datetime:
        return min(f.since for f in self.findings)

    def mature(self, now: datetime) -> bool:
        """Whether any finding has held for its grace."""
        return any(now - finding.since >= finding.grace for finding in self.findings)


class Detector(Protocol):
    """One family of failure kinds (one module of `k8s.detectors`)."""

    kinds: tuple[str, ...]
    reads: tuple[str, ...]
    """The Snapshot lists it rests on: where one is degraded, the absence of its findings says nothing."""

    def detect(self, snapshot: Snapshot, index: "Index") -> Iterator[Finding]: ...


class Index(Protocol):
    """Look-ups over one snapshot, made once a sweep and shared by the detectors (`k8s.detection` builds it)."""

    @property
    def taken_at(self) -> datetime:
        """When the snapshot was taken."""
        ...

    def top_owner(self, kind: str, meta: objects.Meta) -> ResourceRef:
        """The top owner by controller references (Pod → ReplicaSet → Deployment; Pod → Job → CronJob), with its uid."""
        ...

    def events(self, ref: ResourceRef, reasons: Sequence[str] = ()) -> Sequence[objects.Event]:
        """Warning events about the object (by uid, else by name), newest first."""
        ...

    def ready(self, owner: ResourceRef) -> tuple[int, int] | None:
        """(ready, desired) replicas of a workload, or None where it has no such notion or is not in the snapshot."""
        ...

    def node_ready(self, name: str) -> bool:
        """False only where the node is in the snapshot and its Ready condition is not True."""
        ...

    @property
    def troubled(self) -> Sequence[objects.Pod]:
        """The pods that are not simply running without a restart, nor finished or being deleted: a few of many."""
        ...

    def pods(self, controller: ResourceRef) -> Sequence[objects.Pod]:
        """The pods whose controller is this very object (of a Deployment: none, its ReplicaSets have them)."""
        ...

    def pods_on(self, node: str) -> int:
        """How many unfinished pods sit on a node."""
        ...

    def replicasets(self, controller: ResourceRef) -> Sequence[objects.Workload]:
        """The ReplicaSets of a controller, by ascending revision."""
        ...

    def workload(self, ref: ResourceRef) -> objects.Workload | None:
        """The Deployment, ReplicaSet, StatefulSet or DaemonSet of this reference; None where it was not seen."""
        ...


# --- remedies -------------------------------------------------------------------------------------------------------


class Remediation(msgspec.Struct, frozen=True, tag_field="action", forbid_unknown_fields=True):
    """Base of all actions: on the wire `{"action": "<catalogue name>", …}`, unknown fields refused."""


class RolloutRestart(Remediation, frozen=True, tag="rollout-restart"):
    """Replace all pods of a Deployment, StatefulSet or DaemonSet, by its own rollout strategy."""

    workload: ResourceRef


class RolloutUndo(Remediation, frozen=True, tag="rollout-undo"):
    """Put the pod template of an earlier revision of a Deployment back. `revision` is named, never "the previous"."""

    workload: ResourceRef
    revision: int


class DeletePod(Remediation, frozen=True, tag="delete-pod"):
    """Delete one pod that a controller will replace."""

    pod: ResourceRef
    workload: ResourceRef
    """Its top owner: what is watched afterwards."""


class Scale(Remediation, frozen=True, tag="scale"):
    """Set the number of replicas of a Deployment or StatefulSet."""

    workload: ResourceRef
    replicas: int


Action = RolloutRestart | RolloutUndo | DeletePod | Scale
"""The closed set of what may ever be done to a cluster; `msgspec.json.decode(text, type=Action)` refuses all else."""


def subject_of(action: Action) -> ResourceRef:
    """The workload that an action concerns and whose recovery is verified."""
    return action.workload


def name_of(action: Action) -> str:
    """The catalogue name, e.g. `rollout-undo`."""
    return str(action.__struct_config__.tag)


class Operation(msgspec.Struct, frozen=True):
    """One exact write to the API server. `target.uid` is always set and is a precondition of the write."""

    verb: Literal["patch", "scale", "delete"]
    target: ResourceRef
    patch_type: Literal["merge", "json"] | None = None
    """For `patch`: JSON merge patch (RFC 7386) or JSON patch (RFC 6902)."""
    body: Json | list[Json] | None = None
    """For `patch` the patch; for `scale` `{"spec": {"replicas": n}}`; None for `delete`."""


@dataclass(frozen=True, slots=True)
class Target:
    """All that an action rests on, read fresh from the API server: at the proposal, at the press, before the write."""

    ref: ResourceRef
    """With the uid that the object has now; as asked where it is gone."""
    object: Json | None
    """The workload (or the pod, for `delete-pod`), whole; None where it is gone."""
    read_at: datetime
    owner: Json | None = None
    """For a pod: its workload."""
    replicasets: tuple[Json, ...] = ()
    """Of a Deployment, by ascending revision."""
    pods: tuple[Json, ...] = ()
    """Of the workload."""
    budgets: tuple[Json, ...] = ()
    """PodDisruptionBudgets whose selector matches the pods."""
    autoscalers: tuple[Json, ...] = ()
    """HorizontalPodAutoscalers that target the workload."""
    namespace: Json | None = None
    """The Namespace object, for its labels and annotations; None where it may not be read."""
    unread: tuple[str, ...] = ()
    """Lists that may not be read (`poddisruptionbudgets` …): that they are empty above says nothing."""


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What an action touches: numbers first, then a sentence where numbers do not tell all."""

    pods: int
    """Pods that will be restarted, deleted or created."""
    ready: int
    desired: int
    headroom: int | None = None
    """disruptionsAllowed of the tightest PodDisruptionBudget; None where there is none."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """An action worked out against its target: what a card shows, what a digest covers, what an executor does."""

    action: Action
    operations: tuple[Operation, ...]
    pins: Mapping[str, str]
    """The exact fields that the decision rests on, name → value (long ones hashed). If one moves, the plan is stale."""
    kubectl: str
    summary: str
    """What will happen, in one plain sentence."""
    blast: BlastRadius
    risk: RiskTier
    inverse: Action | None
    irreversible: str = ""
    """Why there is no inverse, in one sentence; empty where there is one."""


class Remedy(Protocol):
    """One remedy of the catalogue (one module of `k8s.actions`). All methods are pure."""

    name: str

    def problems(self, action: Any, target: Target) -> Sequence[str]:
        """Why this cannot or must not be done to this target: sentences; empty where it can."""
        ...

    def plan(self, action: Any, target: Target, now: datetime) -> Plan:
        """Works the action out. Only after `problems` is empty."""
        ...

    def applied(self, action: Any, operations: Sequence[Operation], target: Target) -> bool:
        """Whether the target already shows the effect of these operations (crash recovery, "already done")."""
        ...


class Permit(msgspec.Struct, frozen=True):
    """Leave to do exactly what `digest` covers, once. Only `k8s.guardrails` makes one; the executor asks for it."""

    proposal: str
    digest: str
    policy: str
    """Hash of the policy under which it was given."""
    approvers: tuple[str, ...]
    granted_at: datetime
    expires_at: datetime


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended. Different ends have different names."""

    status: Literal["succeeded", "stale", "already-fixed", "refused", "failed", "unknown"]
    """stale: what was pinned moved. refused: the policy or the permit said no. failed: the API server said no, nothing
    was written. unknown: a write was sent and its answer never came."""
    detail: str
    pre_image: Json | None = None
    """The target as it was just before the write."""
    moved: tuple[str, ...] = ()
    """For stale: which pinned fields moved, each as one sentence."""
    written: bool | None = None
    """For unknown, after a look at the cluster: whether the change is there; None where that could not be seen."""
    unseen: bool = False
    """For unknown: the cluster did not answer when it was looked at, so that is still to be done."""


def digest(operations: Sequence[Operation], pins: Mapping[str, str], policy: str) -> str:
    """SHA-256 over the exact operations, the pinned fields and the policy's hash: what a person approves.

    Canonical: keys sorted, so equal plans have equal digests on every replica and Python version.
    """
    encoder = msgspec.json.Encoder(order="sorted")
    payload = encoder.encode({"operations": list(operations), "pins": dict(pins), "policy": policy})
    return hashlib.sha256(payload).hexdigest()
