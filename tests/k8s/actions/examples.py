"""One example of each remedy of the catalogue: an action, and a target that it can be done to.

For the tests that hold all remedies to the same rules, and the page that people read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s import model
from tests.k8s import raw

POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
NODE = model.ResourceRef("Node", "", "node-a", "node-1")
HPA = model.ResourceRef("HorizontalPodAutoscaler", "payments", "api", "hpa-1")
CRON = model.ResourceRef("CronJob", "payments", "report", "cron-1")
JOB = model.ResourceRef("Job", "payments", "export", "job-1")
TAINT: Mapping[str, Any] = {"key": "team", "value": "batch", "effect": "NoSchedule"}
HELD = "example.com/backup"
GOOD: Mapping[str, Any] = {
    "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    "env": [{"name": "LOG", "value": "info"}, {"name": "DB_URL", "value": "postgres://here"}],
}
BAD: Mapping[str, Any] = {
    "resources": GOOD["resources"],
    "env": [{"name": "LOG", "value": "debug"}, {"name": "TRACE", "value": "1"}],
}


@dataclass(frozen=True)
class Example:
    action: model.Action
    target: model.Target


def changed(**more: Any) -> model.Target:
    """Revision 5 came with other variables than revision 4, which still has two ready pods."""
    before, after = raw.pod_template("web:1.4", **GOOD), raw.pod_template("web:1.5", **BAD)
    return replace(
        raw.broken_rollout(),
        object=raw.workload(ready=2, template=after, status={"updatedReplicas": 1}, **more),
        replicasets=(
            raw.replicaset(4, "", created=300, pods=2, ready=2, template=before),
            raw.replicaset(5, "", created=10, pods=1, template=after),
        ),
    )


def _paused() -> model.Target:
    return raw.target(
        raw.workload(template=raw.pod_template("web:1.5"), paused=True),
        replicasets=(raw.replicaset(4, "web:1.4", pods=3, ready=3),),
    )


def _stuck_pod() -> model.Target:
    return raw.target(
        raw.pod(ready=False), of=POD, owner=raw.workload(), replicasets=(raw.replicaset(5, "web:1.5", pods=3),)
    )


def node(*, ready: str = "True", **spec: Any) -> model.Target:
    obj: model.Json = {
        "kind": "Node",
        "metadata": {"name": "node-a", "uid": NODE.uid},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": raw.at(60)}]},
    }
    return replace(raw.target(obj, of=NODE), namespace=None)


def overdue(kind: str = "Deployment", **metadata: Any) -> model.Target:
    """A pod that should have been gone ten minutes ago; its node has been silent for a quarter of an hour."""
    owner = ("ReplicaSet", "rs-5") if kind == "Deployment" else (kind, raw.OWNER_UID)
    silent = {"type": "Ready", "status": "Unknown", "lastTransitionTime": raw.at(15)}
    node = {"kind": "Node", "metadata": {"name": "node-a", "uid": NODE.uid}, "status": {"conditions": [silent]}}
    target = raw.target(
        raw.pod(owner=owner, ready=False, deletionTimestamp=raw.at(10), **metadata),
        of=POD,
        owner=raw.workload(kind, ready=2),
        replicasets=(raw.replicaset(5, "web:1.5", pods=3),),
    )
    return replace(target, extras=(node,))


def autoscaler(least: int | None = 2, most: int = 10) -> model.Json:
    bounds = {"maxReplicas": most} | ({} if least is None else {"minReplicas": least})
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api", "namespace": "payments", "uid": HPA.uid},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}, **bounds},
        "status": {"currentReplicas": 3},
    }


def cronjob(*, suspend: bool = False, **status: Any) -> model.Json:
    spec = {"backoffLimit": 2, "template": {"spec": {**raw.pod_template()["spec"], "restartPolicy": "Never"}}}
    template = {"metadata": {"labels": {"app": "report"}}, "spec": spec}
    return {
        "kind": "CronJob",
        "metadata": {"name": "report", "namespace": "payments", "uid": CRON.uid, "generation": 2},
        "spec": {"schedule": "0 3 * * *", "suspend": suspend, "jobTemplate": template},
        "status": status,
    }


def job(*, end: str = "Failed", owner: model.ResourceRef | None = None, **metadata: Any) -> model.Json:
    """A Job that ended; `end` is Failed, Complete or nothing."""
    tied = {"controller-uid": JOB.uid, "batch.kubernetes.io/job-name": JOB.name}
    controller = {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True}
    owners = [] if owner is None else [{**controller, "name": owner.name, "uid": owner.uid}]
    conditions = [{"type": end, "status": "True", "reason": "BackoffLimitExceeded"}] if end else []
    made = raw.pod_template("task:1")
    return {
        "kind": "Job",
        "metadata": {
            "name": JOB.name,
            "namespace": "payments",
            "uid": JOB.uid,
            "labels": {"app": "export", **tied},
            "ownerReferences": owners,
            **metadata,
        },
        "spec": {
            "backoffLimit": 2,
            "selector": {"matchLabels": {"controller-uid": JOB.uid}},
            "template": {
                "metadata": {"labels": {"app": "export", **tied}},
                "spec": {**made["spec"], "restartPolicy": "Never"},
            },
        },
        "status": {"failed": 3, "conditions": conditions},
    }


EXAMPLES: Mapping[str, Example] = {
    model.name_of(each.action): each
    for each in (
        Example(model.RolloutRestart(raw.API), raw.broken_rollout()),
        Example(model.RolloutUndo(raw.API, 4), raw.broken_rollout()),
        Example(model.DeletePod(POD, raw.API), _stuck_pod()),
        Example(model.Scale(raw.API, 5), raw.broken_rollout()),
        Example(model.RolloutPause(raw.API), raw.broken_rollout()),
        Example(model.RolloutResume(raw.API), _paused()),
        Example(model.SetImage(raw.API, "web", "web:1.4"), changed()),
        Example(model.SetResources(raw.API, "web", memory_limit="512Mi"), changed()),
        Example(model.SetEnv(raw.API, "web", "DB_URL", 4), changed()),
        Example(model.UnsetEnv(raw.API, "web", "TRACE", 4), changed()),
        Example(model.EvictPod(POD, raw.API), _stuck_pod()),
        Example(model.ForceDeletePod(POD, raw.API, "node-a"), overdue()),
        Example(model.RemoveFinalizer(POD, raw.API, HELD), overdue(finalizers=[HELD])),
        Example(
            model.SetAutoscaler(HPA, raw.API, 3, 12),
            raw.target(autoscaler(), of=HPA, owner=raw.workload()),
        ),
        Example(model.SuspendCronJob(CRON), raw.target(cronjob(), of=CRON)),
        Example(model.ResumeCronJob(CRON), raw.target(cronjob(suspend=True), of=CRON)),
        Example(model.RunCronJob(CRON), raw.target(cronjob(), of=CRON)),
        Example(model.DeleteJob(JOB, CRON), raw.target(job(owner=CRON), of=JOB, owner=cronjob())),
        Example(model.RerunJob(JOB, JOB), raw.target(job(), of=JOB)),
        Example(model.Cordon(NODE), node()),
        Example(model.Uncordon(NODE), node(unschedulable=True)),
        Example(model.RemoveTaint(NODE, "team", "NoSchedule"), node(taints=[dict(TAINT)])),
        Example(model.AnnotateMute(raw.API, ("LogErrors",)), raw.broken_rollout()),
    )
}
