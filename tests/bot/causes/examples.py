"""One example of each failure kind and cause that the rules tell apart, and what they propose for it, in order.

The table of docs/causes.md is held to these, and these to the rules. A cause with nothing proposed is the look-alike of
one above it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain import diagnoses
from k8s import model
from tests.bot.causes import dossiers as d
from tests.k8s import raw

API = raw.API
POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
NODE = model.ResourceRef("Node", "", "node-a", "node-1")
HPA = model.ResourceRef("HorizontalPodAutoscaler", "payments", "api", "hpa-1")
CRON = model.ResourceRef("CronJob", "payments", "report", "cron-1")
JOB = model.ResourceRef("Job", "payments", "report-1", "job-1")
DB = model.ResourceRef("StatefulSet", "payments", "db", "uid-db")
DAEMON = model.ResourceRef("DaemonSet", "payments", "agent", "uid-agent")
LONG_AGO = timedelta(days=2)
NO_FACTS: Mapping[str, str] = {}
AMOUNTS: Mapping[str, Any] = {
    "requests": {"cpu": "250m", "memory": "128Mi"},
    "limits": {"memory": "256Mi"},
}


@dataclass(frozen=True)
class Example:
    kind: str
    cause: str
    """As it stands on the page."""
    proposes: tuple[str, ...]
    """Catalogue names, in the order in which they are tried."""
    problem: model.Problem
    dossier: diagnoses.Dossier


def shown(
    kind: str,
    *,
    facts: Mapping[str, str] = NO_FACTS,
    subject: model.ResourceRef = API,
    resource: model.ResourceRef = POD,
    ready: int | None = 0,
    node: str = "node-a",
) -> model.Problem:
    """A problem of container web of a pod of the Deployment that `raw` makes."""
    found = d.problem(kind, ready=ready, subject=subject, facts=facts)
    finding = replace(found.primary, resource=resource, container="web", node=node)
    return replace(found, findings=(finding,))


def rolled_out(
    *,
    was: Mapping[str, Any] = NO_FACTS,
    now: Mapping[str, Any] = NO_FACTS,
    images: tuple[str, str] = ("web:1.4", "web:1.4"),
    diff: str = "",
    facts: Mapping[str, str] = NO_FACTS,
    ago: timedelta = timedelta(minutes=10),
    side: tuple[str, str] | None = None,
) -> diagnoses.Dossier:
    """Revision 5 after revision 4, which had served; `was` and `now` are more of their container, `side` the images of
    a second one."""
    old, new = raw.pod_template(images[0], **was), raw.pod_template(images[1], **now)
    for template, image in zip((old, new), side or (), strict=False):
        template["spec"]["containers"].append({"name": "side", "image": image})
    target = raw.target(
        raw.workload(ready=0, template=new),
        replicasets=(raw.replicaset(4, "", created=300, template=old), raw.replicaset(5, "", template=new)),
    )
    told = d.dossier("status", "events", "log", "rollout", facts={**d.rolled_out(diff, healthy="4", ago=ago), **facts})
    return replace(told, target=target)


def unchanged(
    *pods: model.Json, facts: Mapping[str, str] = NO_FACTS, obj: model.Json | None = None, **of: Any
) -> diagnoses.Dossier:
    """Nothing was rolled out; these pods are there."""
    told = d.dossier("status", "events", "log", "scheduling", facts=facts)
    whole = raw.workload(template=raw.pod_template(resources=dict(AMOUNTS))) if obj is None else obj
    return replace(told, target=replace(raw.target(whole, pods=pods), **of))


def on(node: str, name: str, *, ready: bool = True, owner: str = "rs-5") -> model.Json:
    made = raw.pod(name, uid=f"uid-{name}" if name != POD.name else POD.uid, ready=ready, owner=("ReplicaSet", owner))
    made["spec"]["nodeName"] = node
    return made


def autoscaled(most: int = 10) -> model.Json:
    return {
        "metadata": {"name": "api", "namespace": "payments", "uid": HPA.uid},
        "spec": {"minReplicas": 2, "maxReplicas": most},
    }


def _bare(*sources: diagnoses.Source, facts: Mapping[str, str] = NO_FACTS) -> diagnoses.Dossier:
    return d.dossier(*(sources or ("status", "events")), facts=facts)


LOST = {"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"}
ENV = {"env": [{"name": "DB_URL", "value": "x"}, {"name": "LOG", "value": "info"}]}
LESS = {"env": [{"name": "LOG", "value": "debug"}]}
KILLED = {"memory_limit": "256Mi", "restarts": "4"}
LOWER = {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}
GREEDY = {"requests": {"cpu": "900m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
SHORT = {"class": "cpu", "short": "cpu"}
AT_MOST = {"class": "at-maximum", "maximum": "10"}
DISRUPTED = {"disrupted": "1 pod lost with their node"}
PRESSED = {"placed_since": "2", "other_nodes": "3"}
WELL = (on("node-a", POD.name, ready=False), on("node-b", "b"), on("node-c", "c"))
SERVING = (on("node-a", POD.name), on("node-b", "b"))

EXAMPLES: tuple[Example, ...] = (
    Example(
        "CrashLoopBackOff",
        "the log names a variable that the last rollout took away, and nothing else changed",
        ("rollout-undo",),
        shown("CrashLoopBackOff"),
        rolled_out(was=ENV, now={"env": ENV["env"][1:]}, diff="env DB_URL removed", facts=LOST),
    ),
    Example(
        "CrashLoopBackOff",
        "the same, and more was rolled out, but no other image of this container",
        ("set-env", "rollout-undo"),
        shown("CrashLoopBackOff"),
        rolled_out(was=ENV, now=LESS, diff="env DB_URL removed\nenv LOG changed", facts=LOST),
    ),
    Example(
        "CrashLoopBackOff",
        "the same, and the image of this container is another one, too",
        ("rollout-undo",),
        shown("CrashLoopBackOff"),
        rolled_out(
            was=ENV,
            now=LESS,
            images=("web:1.4", "web:1.5"),
            diff="image: web:1.4 → web:1.5\nenv DB_URL removed\nenv LOG changed",
            facts=LOST,
        ),
    ),
    Example(
        "CrashLoopBackOff",
        "it began with the last rollout, and the log does not name what that changed",
        ("rollout-undo",),
        shown("CrashLoopBackOff"),
        rolled_out(images=("web:1.4", "web:1.5"), diff="image: web:1.4 → web:1.5"),
    ),
    Example(
        "CrashLoopBackOff",
        "one pod alone; all others of its template are ready on other nodes",
        ("delete-pod",),
        shown("CrashLoopBackOff", ready=2),
        unchanged(*WELL),
    ),
    Example(
        "CrashLoopBackOff",
        "none of these",
        (),
        shown("CrashLoopBackOff", ready=2),
        unchanged(*WELL[:2], on("node-c", "c", ready=False)),
    ),
    Example(
        "OOMKilled",
        "the last rollout lowered this limit, and nothing else",
        ("rollout-undo",),
        shown("OOMKilled", facts=KILLED),
        rolled_out(was={"resources": dict(AMOUNTS)}, now={"resources": LOWER}, diff="memory limit 256Mi → 128Mi"),
    ),
    Example(
        "OOMKilled",
        "the last rollout lowered this limit, and changed more, but not the image of this container",
        ("set-resources", "rollout-undo"),
        shown("OOMKilled", facts=KILLED),
        rolled_out(
            was={"resources": dict(AMOUNTS)},
            now={"resources": LOWER, **LESS},
            diff="memory limit 256Mi → 128Mi\nenv LOG changed",
        ),
    ),
    Example(
        "OOMKilled",
        "it began with the last rollout, which did not touch the limit",
        ("rollout-undo",),
        shown("OOMKilled", facts=KILLED),
        rolled_out(images=("web:1.4", "web:1.5"), diff="image: web:1.4 → web:1.5"),
    ),
    Example(
        "OOMKilled",
        "no rollout, and it reaches its limit within an hour of each start",
        ("set-resources",),
        shown("OOMKilled", facts=KILLED),
        unchanged(facts={"lived": "300"}),
    ),
    Example(
        "OOMKilled",
        "no rollout, and it grows slowly, or has no limit of its own",
        (),
        shown("OOMKilled", facts=KILLED),
        unchanged(facts={"lived": "90000"}),
    ),
    Example(
        "ImagePull",
        "the last rollout brought the image, and nothing else",
        ("rollout-undo",),
        shown("ImagePull", facts={"class": "not-found", "image": "web:1.5"}),
        rolled_out(images=("web:1.4", "web:1.5"), diff="image: web:1.4 → web:1.5"),
    ),
    Example(
        "ImagePull",
        "the same, and more was rolled out, but nothing else of this container",
        ("set-image", "rollout-undo"),
        shown("ImagePull", facts={"class": "not-found", "image": "web:1.5"}),
        rolled_out(
            images=("web:1.4", "web:1.5"),
            side=("side:1", "side:2"),
            diff="side: image: side:1 → side:2\nweb: image: web:1.4 → web:1.5",
        ),
    ),
    Example(
        "ImagePull",
        "the same, and more of this container was rolled out",
        ("rollout-undo", "set-image"),
        shown("ImagePull", facts={"class": "not-found", "image": "web:1.5"}),
        rolled_out(images=("web:1.4", "web:1.5"), was=ENV, now=LESS, diff="image: web:1.4 → web:1.5\nenv LOG changed"),
    ),
    Example(
        "ImagePull",
        "the registry is away or limits pulls, and the earlier image comes from another one",
        ("rollout-undo",),
        shown("ImagePull", facts={"class": "unreachable", "image": "b.example/web:1.5"}),
        rolled_out(
            images=("a.example/web:1.5", "b.example/web:1.5"), diff="image: a.example/web:1.5 → b.example/web:1.5"
        ),
    ),
    Example(
        "ImagePull",
        "the registry is away or limits pulls; or no rollout brought the image",
        (),
        shown("ImagePull", facts={"class": "unreachable", "image": "web:1.5"}),
        rolled_out(images=("web:1.4", "web:1.5"), diff="image: web:1.4 → web:1.5"),
    ),
    Example(
        "ConfigError",
        "the last rollout refers to what is missing first",
        ("rollout-undo",),
        shown("ConfigError", facts={"missing": 'ConfigMap "flags"'}),
        rolled_out(diff="env FLAG added (from ConfigMap flags, key a)"),
    ),
    Example(
        "ConfigError", "what is missing was there before", (), shown("ConfigError", facts={"missing": "x"}), unchanged()
    ),
    Example(
        "InitFailing",
        "as CrashLoopBackOff: it began with the last rollout",
        ("rollout-undo",),
        shown("InitFailing"),
        rolled_out(images=("web:1.4", "web:1.5"), diff="image: web:1.4 → web:1.5"),
    ),
    Example("InitFailing", "no rollout explains it", (), shown("InitFailing"), unchanged()),
    Example(
        "Unschedulable",
        "the last rollout changed what it needs",
        ("rollout-undo",),
        shown("Unschedulable", facts=SHORT),
        rolled_out(was={"resources": dict(AMOUNTS)}, now={"resources": GREEDY}, diff="cpu request 250m → 900m"),
    ),
    Example(
        "Unschedulable",
        "the last rollout raised the very request that is short, and changed more",
        ("set-resources", "rollout-undo"),
        shown("Unschedulable", facts=SHORT),
        rolled_out(
            was={"resources": dict(AMOUNTS)},
            now={"resources": GREEDY, **LESS},
            diff="env LOG changed\ncpu request 250m → 900m",
        ),
    ),
    Example(
        "Unschedulable",
        "it was just scaled to more than fit",
        ("scale",),
        shown("Unschedulable", facts=SHORT, ready=3),
        unchanged(facts={"scaled_from": "3", "scaled_to": "9"}),
    ),
    Example(
        "Unschedulable",
        "the cluster is full, or a taint or a selector keeps it off",
        (),
        shown("Unschedulable", facts={"class": "taint"}, ready=3),
        unchanged(),
    ),
    Example(
        "StuckCreating",
        "the last rollout refers to what is missing first",
        ("rollout-undo",),
        shown("StuckCreating", facts={"class": "missing", "missing_name": "flags"}),
        rolled_out(diff="volume flags added (ConfigMap flags)"),
    ),
    Example(
        "StuckCreating",
        "volumes, sandbox or network fail",
        (),
        shown("StuckCreating", facts={"class": "in-use"}),
        unchanged(),
    ),
    Example(
        "NotReady",
        "it began with the last rollout",
        ("rollout-undo",),
        shown("NotReady"),
        rolled_out(diff="readiness probe changed: path"),
    ),
    Example("NotReady", "one of several replicas", ("delete-pod",), shown("NotReady", ready=2), unchanged(*WELL)),
    Example(
        "NotReady",
        "the pod of a DaemonSet on one node",
        ("restart-on-node",),
        shown("NotReady", subject=DAEMON, ready=2),
        _bare(),
    ),
    Example("NotReady", "all replicas, and nothing was rolled out", ("rollout-restart",), shown("NotReady"), _bare()),
    Example("NotReady", "some of many", (), shown("NotReady", ready=1, facts={"pods": "2"}), _bare()),
    Example(
        "LivenessRestarts",
        "it began with the last rollout",
        ("rollout-undo",),
        shown("LivenessRestarts"),
        rolled_out(diff="liveness probe changed: periodSeconds 10 → 1"),
    ),
    Example("LivenessRestarts", "no rollout explains it", (), shown("LivenessRestarts"), unchanged()),
    Example("RestartGrowth", "any", (), shown("RestartGrowth", facts={"class": "growth"}), unchanged()),
    Example(
        "MemoryGrowth",
        "less than an hour is left, and other pods are ready",
        ("evict-pod",),
        shown("MemoryGrowth", facts={"class": "urgent"}, ready=2),
        unchanged(*SERVING),
    ),
    Example(
        "MemoryGrowth",
        "less than an hour is left, and it is the only pod, which a rollout keeps until a new one is ready",
        ("rollout-restart",),
        shown("MemoryGrowth", facts={"class": "urgent"}, ready=1),
        unchanged(*SERVING[:1], obj=raw.workload(replicas=1)),
    ),
    Example(
        "MemoryGrowth",
        "more time is left",
        (),
        shown("MemoryGrowth", facts={"class": "growth"}, ready=2),
        unchanged(*SERVING),
    ),
    Example("Evicted", "any", (), shown("Evicted", facts={"class": "own-limit"}), unchanged()),
    Example(
        "StuckTerminating",
        "its node is gone",
        ("force-delete-pod",),
        shown("StuckTerminating", facts={"class": "node-gone", "node": "node-a"}),
        unchanged(),
    ),
    Example(
        "StuckTerminating",
        "its node is silent, and replicas of a Deployment with rolling updates are missing",
        ("force-delete-pod",),
        shown("StuckTerminating", facts={"class": "node-lost", "node": "node-a"}, ready=2),
        unchanged(),
    ),
    Example(
        "StuckTerminating",
        "its node is silent, and nothing misses it, or two of it must not run",
        (),
        shown("StuckTerminating", facts={"class": "node-lost", "node": "node-a"}, ready=3),
        unchanged(),
    ),
    Example(
        "StuckTerminating",
        "finalizers hold it, its kubelet does not end it, or it is a namespace",
        (),
        shown("StuckTerminating", facts={"class": "finalizers", "finalizers": "a.example/x", "node": "node-a"}),
        unchanged(facts={"finalizers_by": "backup-operator at 2026-11-21 02:00 UTC"}),
    ),
    Example("LogErrors", "any", (), shown("LogErrors", facts={"class": "new"}, ready=3), unchanged()),
    Example(
        "RolloutStuck",
        "the revision before was healthy",
        ("rollout-undo",),
        shown("RolloutStuck", ready=2),
        rolled_out(diff="readiness probe changed: path"),
    ),
    Example(
        "RolloutStuck",
        "no revision is known to have been healthy, and new pods that become ready and fail again displace old ones",
        ("rollout-pause",),
        shown("RolloutStuck", ready=2, facts={"updated_ready": "1"}),
        _bare("status", "rollout", facts=d.rolled_out("readiness probe changed: path", healthy="")),
    ),
    Example(
        "RolloutStuck",
        "no revision is known to have been healthy, and the old pods stay",
        (),
        shown("RolloutStuck", ready=2, facts={"updated_ready": "0"}),
        _bare("status", "rollout", facts=d.rolled_out("readiness probe changed: path", healthy="")),
    ),
    Example("ReplicasMissing", "any", (), shown("ReplicasMissing", facts={"said": "exceeded quota: few"}), unchanged()),
    Example(
        "StatefulSetStuck",
        "a pod of an older revision that is never replaced",
        ("delete-pod",),
        shown("StatefulSetStuck", subject=DB, facts={"class": "outdated-pod", "pod": "db-2", "pod_uid": "u"}),
        _bare(),
    ),
    Example(
        "StatefulSetStuck",
        "an update that began the trouble",
        ("rollout-undo",),
        shown("StatefulSetStuck", subject=DB, facts={"class": "update"}),
        _bare("status", "rollout", facts=d.rolled_out("image: db:1 → db:2")),
    ),
    Example(
        "StatefulSetStuck",
        "its order, its Service or its StorageClass",
        (),
        shown("StatefulSetStuck", subject=DB, facts={"class": "order"}),
        _bare("status", "rollout", facts=d.rolled_out("image: db:1 → db:2")),
    ),
    Example(
        "DaemonSetIncomplete",
        "any; why its pods fail is another kind's to say",
        (),
        shown("DaemonSetIncomplete", subject=DAEMON, facts={"class": "unavailable"}, ready=2),
        _bare(),
    ),
    Example(
        "JobFailed",
        "all its pods were drained, lost with their node, or ended by its shutdown",
        ("rerun-job",),
        shown("JobFailed", subject=CRON, resource=JOB, facts={"reason": "BackoffLimitExceeded"}),
        _bare(facts=DISRUPTED),
    ),
    Example(
        "JobFailed",
        "it failed by itself, ran out of time, or how it ended is not known",
        (),
        shown("JobFailed", subject=CRON, resource=JOB, facts={"reason": "BackoffLimitExceeded", "exit_code": "1"}),
        _bare(facts={"error_line": "AccessDenied"}),
    ),
    Example(
        "CronJobBroken",
        "its controller has missed starts",
        ("run-cronjob",),
        shown("CronJobBroken", subject=CRON, resource=CRON, facts={"class": "missed"}),
        _bare(),
    ),
    Example(
        "CronJobBroken",
        "its schedule, its zone or a refusal; or its runs fail",
        (),
        shown("CronJobBroken", subject=CRON, resource=CRON, facts={"class": "failing"}),
        _bare(),
    ),
    Example(
        "HPABroken",
        "at its maximum, all pods are ready, and the nodes have room",
        ("set-autoscaler",),
        shown("HPABroken", resource=HPA, facts=AT_MOST, ready=3),
        unchanged(facts={"room_for": "9"}, autoscalers=(autoscaled(),)),
    ),
    Example(
        "HPABroken",
        "at its maximum, and the nodes have no room, or it is not known",
        (),
        shown("HPABroken", resource=HPA, facts=AT_MOST, ready=3),
        unchanged(facts={"room_for": "0"}, autoscalers=(autoscaled(),)),
    ),
    Example(
        "HPABroken",
        "its target, its selector or its metrics",
        (),
        shown("HPABroken", resource=HPA, facts={"class": "metrics"}, ready=3),
        unchanged(facts={"room_for": "9"}, autoscalers=(autoscaled(),)),
    ),
    Example("PDBBlocking", "any", (), shown("PDBBlocking", facts={"class": "never"}, ready=3), unchanged()),
    *(
        Example(kind, "any", (), shown(kind, facts={"class": found}), _bare())
        for kind, found in (
            ("ServiceNoEndpoints", "no-match"),
            ("IngressBroken", "Service"),
            ("PVCPending", "no-class"),
            ("QuotaExhausted", "refuses"),
            ("WebhookBroken", "no-service"),
        )
    ),
    Example(
        "NodeNotReady",
        "any: the cluster keeps new pods off by itself",
        (),
        shown("NodeNotReady", subject=NODE, resource=NODE, ready=None),
        _bare("scheduling", facts=PRESSED),
    ),
    Example(
        "NodePressure",
        "pods were placed on it since, and other nodes can take them",
        ("cordon",),
        shown("NodePressure", subject=NODE, resource=NODE, ready=None),
        _bare("scheduling", facts=PRESSED),
    ),
    Example(
        "NodePressure",
        "no pod comes, it is the only node that takes pods, or it is cordoned",
        (),
        shown("NodePressure", subject=NODE, resource=NODE, ready=None),
        _bare("scheduling", facts={**PRESSED, "placed_since": "0"}),
    ),
    Example("CertificateExpiring", "any", (), shown("CertificateExpiring", facts={"class": "expires"}), _bare()),
    Example("Risk", "any; it is reported, and never an incident", (), shown("Risk"), _bare()),
)
