"""For every failure kind one cluster that shows it, and clusters that look alike and must stay silent about it.

The table is asked for completeness (`test_examples.py`), and by checks over the whole repository.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from k8s import model
from tests.k8s.detectors import around, trends
from tests.k8s.detectors import builders as b


@dataclass(frozen=True)
class Example:
    """`broken` shows the kind; every one of `look_alikes` (named by what it is) does not."""

    broken: model.Snapshot
    look_alikes: Mapping[str, model.Snapshot]


def _pulling(reason: str, message: str) -> model.Snapshot:
    return b.snapshot(pods=[b.pod(statuses=[b.waiting(reason, message)], phase="Pending")])


def _pending(condition: b.Json) -> model.Snapshot:
    return b.snapshot(pods=[b.pod(statuses=[], phase="Pending", node="", ready=False, conditions=[condition])])


def _unhealthy(pod: b.Json, message: str = "Readiness probe failed: HTTP probe failed with statuscode: 503") -> b.Json:
    return b.event(pod, "Pod", "Unhealthy", message, container="app")


_NOT_READY = b.pod(statuses=[b.running(ready=False)])
_YOUNG = b.pod(
    statuses=[b.running(ready=False, started=30)],
    spec={"containers": [{"name": "app", "image": "app:1", "readinessProbe": {"initialDelaySeconds": 60}}]},
)
_STUCK = b.progressing("False", "ProgressDeadlineExceeded", since=120)
_ROLLING = b.progressing("True", "ReplicaSetUpdated", since=120)


def _creating(*, since: float = 600, reason: str = "FailedMount", **times: Any) -> dict[str, list[b.Json]]:
    """A pod that is being created, and why it cannot be."""
    pod = b.pod(statuses=[b.waiting("ContainerCreating")], phase="Pending", since=since)
    said = 'MountVolume.SetUp failed for volume "settings" : configmap "web-settings" not found'
    return {"pods": [pod], "events": [b.event(pod, "Pod", reason, said, **times)]}


def _probed(status: b.Json, probe: str = "Liveness", *, failures: int = 6) -> model.Snapshot:
    pod = b.pod(statuses=[status])
    said = f"{probe} probe failed: HTTP probe failed with statuscode: 500"
    told = b.event(pod, "Pod", "Unhealthy", said, container="app", count=failures, lastTimestamp=b.ago(62))
    return b.snapshot(pods=[pod], events=[told])


def _evicted(*, ready: int) -> model.Snapshot:
    owner = b.controlled("ReplicaSet", "cache-5c8b")
    pod = b.pod("cache-5c8b-old", [], owner=owner, phase="Failed", ready=False, since=300)
    pod["status"] |= {"reason": "Evicted", "message": "The node was low on resource: memory. "}
    return b.snapshot(
        pods=[pod],
        replicasets=[b.replicaset("cache-5c8b", deployment="cache", ready=ready)],
        deployments=[b.deployment("cache", ready=ready)],
    )


def _cronjobs(cronjob: b.Json, *runs: b.Json) -> model.Snapshot:
    return b.snapshot(cronjobs=[cronjob], jobs=list(runs))


def _autoscaled(*conditions: b.Json, current: int = 10) -> model.Snapshot:
    return b.snapshot(horizontalpodautoscalers=[b.autoscaler(*conditions, current=current)])


def _draining(*pods: b.Json, budget: b.Json | None = None, node: b.Json | None = None) -> model.Snapshot:
    return b.snapshot(pods=list(pods), poddisruptionbudgets=[budget or b.budget()], nodes=[node or b.cordoned()])


def _limited(reason: str, *, since: float = 2400) -> b.Json:
    return b.node_condition("ScalingLimited", "True", reason=reason, since=since)


_KILLED = b.waiting("CrashLoopBackOff", restarts=4, lastState=b.ended(137))
_WEB_POD = b.pod(labels={"app": "web"})
_FAILED_RUN = b.job(conditions=[b.job_failed()], cronjob="report")
_DUE = {"lastScheduleTime": b.ago(600), "lastSuccessfulTime": b.ago(4 * 86_400)}

EXAMPLES: Mapping[str, Example] = {
    "CrashLoopBackOff": Example(
        broken=b.snapshot(**b.whole(b.pod(statuses=[b.crashed()]))),
        look_alikes={
            "restarts long ago and stable since": b.snapshot(
                pods=[b.pod(statuses=[b.running(restarts=40, lastState=b.ended(started=90_000, finished=86_400))])]
            ),
            "exit 0 of a Job": b.snapshot(
                pods=[b.pod(statuses=[b.running(ready=False, state=b.ended(0, "Completed"))], phase="Succeeded")]
            ),
            "a single restart": b.snapshot(pods=[b.pod(statuses=[b.running(restarts=1, lastState=b.ended())])]),
            "a pod that is being deleted": b.snapshot(pods=[b.pod(statuses=[b.crashed()], deletionTimestamp=b.ago(5))]),
        },
    ),
    "OOMKilled": Example(
        broken=b.snapshot(pods=[b.pod(statuses=[b.running(restarts=1, lastState=b.ended(137, "OOMKilled"))])]),
        look_alikes={
            "exit 137 of a rolling update": b.snapshot(
                pods=[b.pod(statuses=[b.running(ready=False, state=b.ended(137))], deletionTimestamp=b.ago(5))]
            ),
            "exit 137 of a liveness probe": b.snapshot(
                pods=[b.pod(statuses=[b.running(restarts=1, lastState=b.ended(137))])]
            ),
            "long ago": b.snapshot(
                pods=[b.pod(statuses=[b.running(restarts=1, lastState=b.ended(137, "OOMKilled", finished=3601))])]
            ),
        },
    ),
    "ImagePull": Example(
        broken=_pulling("ErrImagePull", 'failed to pull "registry.example/app:1": not found'),
        look_alikes={"a slow pull in progress": _pulling("ContainerCreating", "")},
    ),
    "ConfigError": Example(
        broken=_pulling("CreateContainerConfigError", 'configmap "web-config" not found'),
        look_alikes={"a container being created": _pulling("ContainerCreating", "")},
    ),
    "InitFailing": Example(
        broken=b.snapshot(
            pods=[b.pod(statuses=[b.waiting("PodInitializing")], phase="Pending", inits=[b.crashed("migrate")])]
        ),
        look_alikes={
            "an init container whose first failure is tried again": b.snapshot(
                pods=[
                    b.pod(
                        statuses=[b.waiting("PodInitializing")],
                        phase="Pending",
                        inits=[b.running("migrate", ready=False, state=b.ended(1, finished=0))],
                    )
                ]
            ),
            "an init container at work": b.snapshot(
                pods=[
                    b.pod(
                        statuses=[b.waiting("PodInitializing")],
                        phase="Pending",
                        inits=[b.running("migrate", ready=False, started=300)],
                    )
                ]
            ),
            "an init container that succeeded at its second try": b.snapshot(
                pods=[
                    b.pod(inits=[b.running("migrate", restarts=1, state=b.ended(0, "Completed"), lastState=b.ended())])
                ]
            ),
        },
    ),
    "Unschedulable": Example(
        broken=_pending(
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient cpu.",
                "lastTransitionTime": b.ago(300),
            }
        ),
        look_alikes={"a pod that has a node": _pending({"type": "PodScheduled", "status": "True"})},
    ),
    "NotReady": Example(
        broken=b.snapshot(pods=[_NOT_READY], events=[_unhealthy(_NOT_READY)]),
        look_alikes={
            "within its initial delay": b.snapshot(pods=[_YOUNG], events=[_unhealthy(_YOUNG)]),
            "a rollout within its deadline": b.snapshot(
                pods=[_NOT_READY],
                events=[_unhealthy(_NOT_READY)],
                replicasets=[b.replicaset(ready=1)],
                deployments=[b.deployment(ready=1, conditions=[_ROLLING])],
            ),
        },
    ),
    "JobFailed": Example(
        broken=b.snapshot(jobs=[b.job(conditions=[b.job_failed()])]),
        look_alikes={"retries left": b.snapshot(jobs=[b.job()])},
    ),
    "RolloutStuck": Example(
        broken=b.snapshot(deployments=[b.deployment(ready=2, updated=1, conditions=[_STUCK])]),
        look_alikes={
            "within its deadline": b.snapshot(deployments=[b.deployment(ready=1, updated=1, conditions=[_ROLLING])]),
            "paused": b.snapshot(
                deployments=[b.deployment(ready=2, updated=1, conditions=[_STUCK], spec={"paused": True})]
            ),
        },
    ),
    "ReplicasMissing": Example(
        broken=b.snapshot(deployments=[b.deployment(ready=1)]),
        look_alikes={
            "scaled to zero": b.snapshot(deployments=[b.deployment(replicas=0, ready=0)]),
            "a rollout that runs": b.snapshot(deployments=[b.deployment(ready=1, updated=1, conditions=[_ROLLING])]),
        },
    ),
    "NodeNotReady": Example(
        broken=b.snapshot(nodes=[b.node("node-a", b.node_condition("Ready", "Unknown"))]),
        look_alikes={
            "a node being deleted": b.snapshot(
                nodes=[b.node("node-a", b.node_condition("Ready", "Unknown"), deletionTimestamp=b.ago(5))]
            ),
            "a cordoned node": b.snapshot(nodes=[b.node(spec={"unschedulable": True})]),
        },
    ),
    "NodePressure": Example(
        broken=b.snapshot(nodes=[b.node("node-a", b.node_condition("DiskPressure", "True"))]),
        look_alikes={
            "no pressure": b.snapshot(nodes=[b.node("node-a", b.node_condition("DiskPressure", "False"))]),
            "an unknown condition that is good": b.snapshot(
                nodes=[b.node("node-a", b.node_condition("EtcdIsVoter", "True"))]
            ),
        },
    ),
    "StuckCreating": Example(
        broken=b.snapshot(**_creating()),
        look_alikes={
            "a pod without a failure": b.snapshot(pods=_creating()["pods"]),
            "a slow pull after a mount that failed in passing": b.snapshot(**_creating(lastTimestamp=b.ago(1000))),
            "a pod that runs": b.snapshot(pods=[b.pod()], events=_creating()["events"]),
        },
    ),
    "LivenessRestarts": Example(
        broken=_probed(_KILLED),
        look_alikes={
            "a process that ends by itself": b.snapshot(pods=[b.pod(statuses=[b.crashed()])]),
            "a readiness probe": _probed(_KILLED, "Readiness"),
            "a failure that was not enough to kill": _probed(_KILLED, failures=2),
            "killed for its memory": _probed(_KILLED | {"lastState": b.ended(137, "OOMKilled")}),
            "restarts long ago and stable since": _probed(
                b.running(restarts=9, lastState=b.ended(137, started=7300, finished=7200))
            ),
        },
    ),
    "Evicted": Example(
        broken=_evicted(ready=1),
        look_alikes={
            "its owner is whole again": _evicted(ready=2),
            "a pod that failed by itself": b.snapshot(pods=[b.pod(statuses=[], phase="Failed", ready=False)]),
        },
    ),
    "StuckTerminating": Example(
        broken=b.snapshot(
            nodes=[b.node()],
            pods=[b.pod(statuses=[], deletionTimestamp=b.ago(400), finalizers=["example.com/backup"])],
        ),
        look_alikes={
            "within its grace": b.snapshot(pods=[b.pod(deletionTimestamp=b.ago(-20), finalizers=["example.com/x"])]),
            "finalizers of what is not deleted": b.snapshot(pods=[b.pod(finalizers=["example.com/x"])]),
        },
    ),
    "StatefulSetStuck": Example(
        broken=b.snapshot(statefulsets=[b.statefulset(ready=0, made=1)], pods=[b.ordinal(0, ready=False)]),
        look_alikes={
            "all made, one not ready": b.snapshot(
                statefulsets=[b.statefulset(ready=2)], pods=[b.ordinal(0), b.ordinal(1), b.ordinal(2, ready=False)]
            ),
            "made in parallel": b.snapshot(
                statefulsets=[b.statefulset(ready=0, made=1, podManagementPolicy="Parallel")],
                pods=[b.ordinal(0, ready=False)],
            ),
            "scaled to zero": b.snapshot(statefulsets=[b.statefulset(replicas=0, ready=0, serviceName="nowhere")]),
        },
    ),
    "DaemonSetIncomplete": Example(
        broken=b.snapshot(
            daemonsets=[b.daemonset(ready=2)], pods=[b.daemon("node-a", ready=False)], nodes=[b.node("node-a")]
        ),
        look_alikes={
            "a cordoned node": b.snapshot(
                daemonsets=[b.daemonset(ready=2)], pods=[b.daemon("node-a", ready=False)], nodes=[b.cordoned("node-a")]
            ),
            "a node that was tainted later": b.snapshot(
                daemonsets=[b.daemonset(desired=2, ready=2, misscheduled=1)],
                pods=[b.daemon("node-a")],
                nodes=[b.node("node-a", spec={"taints": [{"key": "gpu", "effect": "NoSchedule"}]})],
            ),
            "a rollout within maxUnavailable": b.snapshot(
                daemonsets=[b.daemonset(ready=2, updated=1)],
                pods=[b.daemon("node-a", ready=False, since=400)],
                nodes=[b.node("node-a")],
            ),
        },
    ),
    "CronJobBroken": Example(
        broken=_cronjobs(b.cronjob(status=_DUE), _FAILED_RUN),
        look_alikes={
            "suspended on purpose": _cronjobs(b.cronjob(status=_DUE, spec={"suspend": True}), _FAILED_RUN),
            "a single failed run": _cronjobs(
                b.cronjob(status=_DUE | {"lastSuccessfulTime": b.ago(86_500)}), _FAILED_RUN
            ),
            "a new one": _cronjobs(b.cronjob(age=60)),
        },
    ),
    "HPABroken": Example(
        broken=_autoscaled(b.node_condition("ScalingActive", "False", reason="FailedGetResourceMetric")),
        look_alikes={
            "at its minimum": _autoscaled(_limited("TooFewReplicas"), current=1),
            "its target is scaled to zero": _autoscaled(
                b.node_condition("ScalingActive", "False", reason="ScalingDisabled"), current=0
            ),
            "at its maximum for a while": _autoscaled(_limited("TooManyReplicas", since=1799)),
        },
    ),
    "PDBBlocking": Example(
        broken=_draining(_WEB_POD),
        look_alikes={
            "no node is cordoned": _draining(_WEB_POD, node=b.node()),
            "a node that was only cordoned": _draining(_WEB_POD, b.pod("api-1", labels={"app": "api"})),
            "a budget with room": _draining(_WEB_POD, budget=b.budget(allowed=1)),
            "a pod of another node": _draining(b.pod(labels={"app": "web"}, node="node-b")),
        },
    ),
    **{kind: Example(*both) for kind, both in around.EXAMPLES.items()},
    **{kind: Example(*both) for kind, both in trends.EXAMPLES.items()},
}
