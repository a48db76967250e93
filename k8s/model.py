"""The frozen values that travel between the modules of `k8s`, and from `k8s` to `bot`.

Values only: no I/O, no clock. What is stored as JSON (actions, operations, pins) is a msgspec Struct, so that encoding
and strict decoding come from the type; what lives for one sweep is a dataclass.
"""

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
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
    last: datetime | None = None
    """When it happened the last time, of what happens again and again (a crash, a kill)."""

    @property
    def latest(self) -> datetime:
        """The newest that it tells of."""
        return self.since if self.last is None else max(self.since, self.last)


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
    """Put the pod template of an earlier revision back. `revision` is named, never "the previous"."""

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


class RolloutPause(Remediation, frozen=True, tag="rollout-pause"):
    """Halt the rollout of a Deployment where it is."""

    workload: ResourceRef


class RolloutResume(Remediation, frozen=True, tag="rollout-resume"):
    """Let a paused Deployment roll out again."""

    workload: ResourceRef


class SetImage(Remediation, frozen=True, tag="set-image"):
    """Give one container an image that an earlier revision of this very workload ran."""

    workload: ResourceRef
    container: str
    image: str


class SetResources(Remediation, frozen=True, tag="set-resources"):
    """Change the requests and limits of one container. Canonical quantities (`500m`, `256Mi`); empty: left alone."""

    workload: ResourceRef
    container: str
    cpu_request: str = ""
    memory_request: str = ""
    cpu_limit: str = ""
    memory_limit: str = ""


class ResizePod(Remediation, frozen=True, tag="resize-pod"):
    """Change the requests and limits of one container of one pod as it runs. Amounts as of `SetResources`."""

    pod: ResourceRef
    workload: ResourceRef
    """Its top owner."""
    container: str
    cpu_request: str = ""
    memory_request: str = ""
    cpu_limit: str = ""
    memory_limit: str = ""


class SetEnv(Remediation, frozen=True, tag="set-env"):
    """Give one variable of one container what it had in an earlier revision. The value itself is never part of this."""

    workload: ResourceRef
    container: str
    variable: str
    revision: int


class UnsetEnv(Remediation, frozen=True, tag="unset-env"):
    """Take one variable away from one container, which in this earlier revision did not have it."""

    workload: ResourceRef
    container: str
    variable: str
    revision: int


class EvictPod(Remediation, frozen=True, tag="evict-pod"):
    """Evict one pod that a controller will replace: PodDisruptionBudgets are asked."""

    pod: ResourceRef
    workload: ResourceRef
    """Its top owner: what is watched afterwards."""


class ForceDeletePod(Remediation, frozen=True, tag="force-delete-pod"):
    """Drop the record of a pod that is being deleted and whose node is gone or does not report."""

    pod: ResourceRef
    workload: ResourceRef
    """Its top owner: what is watched afterwards."""
    node: str
    """The node that it was running on."""


class RemoveFinalizer(Remediation, frozen=True, tag="remove-finalizer"):
    """Take one named finalizer from an object that has been waiting for it to be deleted."""

    object: ResourceRef
    workload: ResourceRef
    """The object itself, or the top owner of the pod that it is."""
    finalizer: str


class SetAutoscaler(Remediation, frozen=True, tag="set-autoscaler"):
    """Set the bounds of a HorizontalPodAutoscaler, within half of what they are."""

    autoscaler: ResourceRef
    workload: ResourceRef
    """What it scales."""
    least: int
    most: int


class SuspendCronJob(Remediation, frozen=True, tag="suspend-cronjob"):
    """Let a CronJob start no more Jobs; those that run go on."""

    workload: ResourceRef


class ResumeCronJob(Remediation, frozen=True, tag="resume-cronjob"):
    """Let a suspended CronJob start Jobs again."""

    workload: ResourceRef


class RunCronJob(Remediation, frozen=True, tag="run-cronjob"):
    """Start one Job of a CronJob now."""

    workload: ResourceRef


class DeleteJob(Remediation, frozen=True, tag="delete-job"):
    """Delete a Job that failed, with its pods."""

    job: ResourceRef
    workload: ResourceRef
    """The CronJob that it belongs to, or the Job itself."""


class RerunJob(Remediation, frozen=True, tag="rerun-job"):
    """Start a new Job that is like one that failed; that one stays."""

    job: ResourceRef
    workload: ResourceRef
    """The CronJob that it belongs to, or the Job itself."""


class Cordon(Remediation, frozen=True, tag="cordon"):
    """Let no new pod be scheduled to a node."""

    workload: ResourceRef
    """The node."""


class Uncordon(Remediation, frozen=True, tag="uncordon"):
    """Let pods be scheduled to a node again."""

    workload: ResourceRef
    """The node."""


class Drain(Remediation, frozen=True, tag="drain"):
    """Let no new pod be scheduled to a node, and evict exactly these of its pods. `k8s.drains` makes one."""

    workload: ResourceRef
    """The node."""
    pods: tuple[ResourceRef, ...]
    """Each with its uid, sorted: so what is approved stays the same when one of them ends meanwhile."""
    owners: tuple[ResourceRef, ...] = ()
    """The ReplicaSets and StatefulSets that they belong to, sorted: what has to be ready again afterwards."""


class RemoveTaint(Remediation, frozen=True, tag="remove-taint"):
    """Take one taint from a node."""

    workload: ResourceRef
    """The node."""
    key: str
    effect: str


class RestartOnNode(Remediation, frozen=True, tag="restart-on-node"):
    """Replace the pod of a DaemonSet on one node."""

    workload: ResourceRef
    """The DaemonSet."""
    pod: ResourceRef
    node: str


class ExecCommand(Remediation, frozen=True, tag="exec-command"):
    """Run one command of the policy's list in a container, once and without a shell."""

    pod: ResourceRef
    workload: ResourceRef
    """Its top owner: what is watched afterwards."""
    container: str
    command: str
    """The name of the policy's entry."""
    argv: tuple[str, ...]
    seconds: int
    """How long it is waited for."""


class Custom(Remediation, frozen=True, tag="custom"):
    """Patch the workload as an action of somebody's own says (`k8s.custom_actions`)."""

    workload: ResourceRef
    name: str
    """As its package calls it: `custom-…`."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""


class AnnotateMute(Remediation, frozen=True, tag="annotate-mute"):
    """Mark a workload so that these kinds of failure are not told of it. None: so that all are."""

    workload: ResourceRef
    failures: tuple[str, ...]


Action = (
    RolloutRestart
    | RolloutUndo
    | DeletePod
    | Scale
    | RolloutPause
    | RolloutResume
    | SetImage
    | SetResources
    | ResizePod
    | SetEnv
    | UnsetEnv
    | EvictPod
    | ForceDeletePod
    | RemoveFinalizer
    | SetAutoscaler
    | SuspendCronJob
    | ResumeCronJob
    | RunCronJob
    | DeleteJob
    | RerunJob
    | Cordon
    | Uncordon
    | Drain
    | RemoveTaint
    | AnnotateMute
    | RestartOnNode
    | ExecCommand
    | Custom
)
"""The closed set of what may ever be done to a cluster; `msgspec.json.decode(text, type=Action)` refuses all else."""


def subject_of(action: Action) -> ResourceRef:
    """The workload that an action concerns and whose recovery is verified."""
    return action.workload


def name_of(action: Action) -> str:
    """The catalogue name, e.g. `rollout-undo`."""
    return str(action.__struct_config__.tag)


Verb = Literal["patch", "scale", "resize", "delete", "force-delete", "evict", "create", "exec"]


class Operation(msgspec.Struct, frozen=True):
    """One exact write to the API server. `target.uid` is always set and is a precondition of the write.

    Of `create` the target is the object that the new one is made from. The API binds no creation to another object:
    that this one is still the same is seen right before, and a name that is taken already is a conflict.
    """

    verb: Verb
    target: ResourceRef
    patch_type: Literal["merge", "json"] | None = None
    """For `patch`: JSON merge patch (RFC 7386) or JSON patch (RFC 6902); for `resize` the latter."""
    body: Json | list[Json] | None = None
    """For `patch` and `resize` the patch; for `scale` `{"spec": {"replicas": n}}`; for `create` the new object, whole,
    with its kind and name; for `exec` `{"container": …, "command": [argv], "seconds": n}`; None for `delete`,
    `force-delete` (without any grace period) and `evict`."""


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
    unserved: tuple[str, ...] = ()
    """Of what the action asks the server for (`Needs.served`): what it does not say that it has."""
    revisions: tuple[Json, ...] = ()
    """ControllerRevisions of a StatefulSet or DaemonSet, by ascending revision, where the action asks for them."""
    extras: tuple[Json, ...] = ()
    """Further objects that the action asks for (`Needs.extras`), those that are there; each with its `kind`. Of a node
    whose pods are asked for: also all nodes, and the namespaces of those pods."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be read for one action (`Reader.read_target`), and which rights that takes (`rights.needed`).

    The namespace's marks, the budgets of the pods and the autoscalers of the workload come besides.
    """

    object: ResourceRef
    """What is written: it becomes `Target.object`."""
    owner: ResourceRef | None = None
    """The workload of a pod that is written. None: the object itself is what is watched afterwards."""
    members: bool = True
    """The pods of the workload, and the ReplicaSets of a Deployment."""
    revisions: bool = False
    """The ControllerRevisions of a StatefulSet or DaemonSet; a Deployment has its ReplicaSets."""
    extras: tuple[ResourceRef, ...] = ()
    """Further objects, by name."""
    made: bool = False
    """The Jobs that were made of the object from here (`names.MADE_FROM`), among `Target.extras`."""
    served: tuple[str, ...] = ()
    """Subresources that the server must have (`pods/resize`), where not every version does."""
    on_node: tuple[str, ...] | None = None
    """Of a node: its pods, of all namespaces, with the marks and the budgets of these; all nodes, among the extras."""


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
    removed: int = 0
    """Pods of a stuck rollout that go away besides, and nothing takes their place."""


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


Check = Literal["rollout", "replaced", "replicas", "field", "gone", "job", "drained", "resized"]
"""How success is told (`k8s.verification`). rollout: all pods are of the new template, ready, and stay so. replaced:
the one object that went is gone and the workload is ready. replicas: as many as wanted, all ready. field: the object
says what was written, and its controller has seen it. gone: the object is no more. job: the Job that was made is
complete. drained: the node takes no pods, those that were named are gone, and what they belonged to is ready.
resized: the container runs with what was written."""


class Remedy(Protocol):
    """One remedy of the catalogue (one module of `k8s.actions`), which holds all that is particular to it.

    Remedies subclass this. All methods are pure, and none raises on an odd object.
    """

    name: str
    """As in the catalogue and on the wire: the tag of `action`."""
    action: type[Remediation]
    """Its parameters."""
    kinds: tuple[str, ...]
    """Kinds of `action.workload` that it is for."""
    never: str
    """What it must never be used for: one sentence."""
    check: Check
    """The success test."""
    writes: Verb = "patch"
    """The verb of its one operation: what it takes of access is worked out from it (`k8s.access`)."""
    makes: str = ""
    """Kind of what it creates."""
    steps: bool = False
    """Whether it is more than one write: done one after another, with its progress told, and stopped when asked to."""
    also: tuple[tuple[Verb, str], ...] = ()
    """Of one in steps: the verb and the kind of the writes after the first one."""
    lists: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Of parameters that are lists of objects: which kinds may stand in them."""
    seen: bool = True
    """Whether a look at the cluster can tell afterwards that it was done."""

    def objects(self, kind: str) -> tuple[str, ...]:
        """Kinds of what is written, for a workload of this kind of `kinds`."""
        return (kind,)

    def fault(self, action: Any) -> tuple[str, str] | None:
        """The first parameter that is out of bounds, beyond what types say, and why; None where all are well.

        Names, namespaces and uids of all references, and the kind of the workload, are held to their rules already.
        """
        del action
        return None

    def words(self, action: Any) -> tuple[str, ...]:
        """The words after `kubectl -n namespace`. Holds no value that could be a secret. `names.NEW` stands for the
        name of an object that is created, which carries the time."""
        ...

    def shaped(self, operation: Operation, action: Any) -> bool:
        """Whether the operation has the only shape that this may write. Its target is compared with `needs` already."""
        ...

    def exact(self, operation: Operation, action: Any, target: Target) -> bool:
        """Whether the operation is the very one for this target, where its shape alone leaves something open."""
        del operation, action, target
        return True

    def needs(self, action: Any) -> Needs:
        """What has to be read before."""
        return Needs(action.workload)

    def overridden(self, action: Any, target: Target) -> str:
        """Whether somebody set something else since it was done: one sentence; "" where it is as it was set."""
        del action, target
        return ""

    def problems(self, action: Any, target: Target) -> Sequence[str]:
        """Why this cannot or must not be done to this target: sentences; empty where it can."""
        ...

    def plan(self, action: Any, target: Target, now: datetime) -> Plan:
        """Works the action out. Only after `problems` is empty."""
        ...

    def applied(self, action: Any, operations: Sequence[Operation], target: Target) -> bool:
        """Whether the target already shows the effect of these operations (crash recovery, "already done")."""
        ...

    def halfway(self, action: Any, operations: Sequence[Operation], target: Target) -> "Halfway | None":
        """Of one in steps: how far it is, by what the target shows. None: it has no steps."""
        del action, operations, target
        return None


class Identity(msgspec.Struct, frozen=True):
    """A person as the cluster knows them: in whose name the writer writes, where it impersonates."""

    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Halfway:
    """How far an action in steps is, by a look at the cluster."""

    begun: bool
    """Whether anything of it is there."""
    told: str
    """Half a sentence: `it is cordoned, and 4 of 12 pods are gone`."""
    ending: bool = False
    """Nothing is left to be written: what is not done yet ends by itself."""


class Progress(msgspec.Struct, frozen=True):
    """How far an execution in steps is: stored with it, and shown while it runs."""

    done: int
    total: int
    waiting: str = ""
    """What it waits for, as half a sentence; empty where it waits for nothing."""


class Permit(msgspec.Struct, frozen=True):
    """Leave to do exactly what `digest` covers, once. Only `k8s.guardrails` makes one; the executor asks for it."""

    proposal: str
    digest: str
    policy: str
    """Hash of the policy under which it was given."""
    approvers: tuple[str, ...]
    granted_at: datetime
    expires_at: datetime
    reasons: tuple[str, ...] = ()
    """What each of the approvers said why, in their order; empty where none of them did."""
    identity: Identity | None = None
    """In whose name it is written: of the approver whose press was the last one needed. None: in the writer's own."""


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended. Different ends have different names."""

    status: Literal["succeeded", "stale", "already-fixed", "refused", "failed", "stopped", "unknown"]
    """stale: what was pinned moved. refused: the policy or the permit said no. failed: the API server said no, nothing
    was written; or, where `written`, a command was run and told by its exit code that it failed. stopped: in steps, and
    ended before the last one (a person, the time, the server); `written` says whether there was a first one. unknown: a
    write was sent and its answer never came."""
    detail: str
    pre_image: Json | None = None
    """The target as it was just before the write."""
    moved: tuple[str, ...] = ()
    """For stale: which pinned fields moved, each as one sentence."""
    written: bool | None = None
    """For unknown, after a look at the cluster: whether the change is there; None where that could not be seen. For
    stopped: whether a part of it is."""
    unseen: bool = False
    """For unknown: the cluster did not answer when it was looked at, so that is still to be done."""
    output: str = ""
    """What a command that was run printed, redacted, as much as is kept of it."""


def digest(operations: Sequence[Operation], pins: Mapping[str, str], policy: str) -> str:
    """SHA-256 over the exact operations, the pinned fields and the policy's hash: what a person approves.

    Canonical: keys sorted, so equal plans have equal digests on every replica and Python version.
    """
    encoder = msgspec.json.Encoder(order="sorted")
    payload = encoder.encode({"operations": list(operations), "pins": dict(pins), "policy": policy})
    return hashlib.sha256(payload).hexdigest()
