"""One example of each remedy of the catalogue: an action, and a target that it can be done to.

For the tests that hold all remedies to the same rules, and the page that people read.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s import custom_actions, model, policy
from tests.k8s import raw

POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
NODE = model.ResourceRef("Node", "", "node-a", "node-1")
HPA = model.ResourceRef("HorizontalPodAutoscaler", "payments", "api", "hpa-1")
CRON = model.ResourceRef("CronJob", "payments", "report", "cron-1")
JOB = model.ResourceRef("Job", "payments", "export", "job-1")
TAINT: Mapping[str, Any] = {"key": "team", "value": "batch", "effect": "NoSchedule"}
HELD = "example.com/backup"
DRAIN = model.Drain(
    NODE,
    (POD, model.ResourceRef("Pod", "payments", "db-0", "pod-2")),
    (
        model.ResourceRef("ReplicaSet", "payments", "api-5d8", "rs-5"),
        model.ResourceRef("StatefulSet", "payments", "db", "sts-1"),
    ),
)
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


def agent() -> model.Target:
    """A pod of a DaemonSet on a node that is well."""
    pod = raw.pod(owner=("DaemonSet", raw.OWNER_UID), ready=False)
    pod["spec"]["nodeName"] = "node-a"
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": raw.at(60)}
    here = {"kind": "Node", "metadata": {"name": "node-a", "uid": NODE.uid}, "status": {"conditions": [ready]}}
    target = raw.target(pod, of=POD, owner=raw.workload("DaemonSet", ready=2))
    return replace(target, extras=(here,))


def running() -> model.Target:
    """A pod whose container runs, though it is not ready."""
    pod = raw.pod(ready=False)
    pod["spec"]["containers"] = [{"name": "web", "image": "web:1.5"}]
    pod["status"] |= {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"running": {}}}]}
    return raw.target(pod, of=POD, owner=raw.workload(), replicasets=(raw.replicaset(5, "web:1.5", pods=3),))


def resizable(
    resources: Mapping[str, Any] = GOOD["resources"], policy: Any = None, state: Mapping[str, Any] | None = None
) -> model.Target:
    """A pod that runs on a node that tells what its container has: the same, or `state`."""
    target = running()
    pod = target.object or {}
    container, (status,) = pod["spec"]["containers"][0], pod["status"]["containerStatuses"]
    container["resources"] = copy.deepcopy(dict(resources))
    if policy is not None:
        container["resizePolicy"] = policy
    status["resources"] = copy.deepcopy(dict(resources if state is None else state))
    return target


class Patience:
    """What a package brings: more or less time for a rollout."""

    name = "custom-rollout-patience"
    kinds = ("Deployment",)
    words = "Gives a rollout another time to make progress"
    never = "A rollout whose pods will never be ready."
    risk = "medium"
    parameters: Mapping[str, Any] = {"seconds": (60, 3600)}

    def problems(self, workload: model.Json, params: Mapping[str, str]) -> list[str]:
        return ["It is paused."] if workload["spec"].get("paused") else []

    def patch(self, workload: model.Json, params: Mapping[str, str]) -> model.Json:
        return {"spec": {"progressDeadlineSeconds": int(params["seconds"])}}

    def inverse(self, workload: model.Json, params: Mapping[str, str]) -> dict[str, str]:
        return {"seconds": str(workload["spec"].get("progressDeadlineSeconds", 600))}


custom_actions.install([custom_actions.Guarded(Patience(), "acme-actions: patience")])

COMMAND = model.ExecCommand(POD, raw.API, "web", "show config", ("cat", "/etc/app.conf"), 20)
ENTRY = policy.Command(name="show config", line="cat /etc/app.conf", seconds=20, risk="medium")
LISTED = (policy.Commands(entries=(ENTRY,), source="policy.yaml"),)
"""What a policy must have so that the example of `exec-command` may be done."""


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


def drained(*pods: model.Json, headroom: int = 1, spare: str = "True", **spec: Any) -> model.Target:
    """A node with a pod of a Deployment and one of a StatefulSet, or with these; another node may take them."""
    target = node(**spec)
    other = copy.deepcopy(target.object or {})
    other["metadata"] |= {"name": "node-b", "uid": "node-2"}
    other["status"]["conditions"][0]["status"] = spare
    kept = [
        {"kind": kind, "metadata": {"name": name, "namespace": "payments", "uid": uid}, "spec": {"replicas": 3}}
        for kind, name, uid in (("ReplicaSet", "api-5d8", "rs-5"), ("StatefulSet", "db", "sts-1"))
    ]
    for each in kept:
        each["status"] = {"readyReplicas": 3}
    budget = {"metadata": {"name": "api", "namespace": "payments"}, "status": {"disruptionsAllowed": headroom}}
    return replace(
        target,
        pods=pods or (raw.pod(), raw.pod("db-0", owner=("StatefulSet", "sts-1"), uid="pod-2")),
        budgets=(budget,),
        extras=(*kept, {"kind": "Namespace", "metadata": {"name": "payments"}}, target.object or {}, other),
    )


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
        Example(model.ResizePod(POD, raw.API, "web", cpu_request="500m"), resizable()),
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
        Example(DRAIN, drained()),
        Example(model.RemoveTaint(NODE, "team", "NoSchedule"), node(taints=[dict(TAINT)])),
        Example(model.AnnotateMute(raw.API, ("LogErrors",)), raw.broken_rollout()),
        Example(model.RestartOnNode(raw.ref("DaemonSet"), POD, "node-a"), agent()),
        Example(COMMAND, running()),
        Example(model.Custom(raw.API, "custom-rollout-patience", (("seconds", "1200"),)), raw.broken_rollout()),
    )
}
