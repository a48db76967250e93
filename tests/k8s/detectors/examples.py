"""For every failure kind one cluster that shows it, and clusters that look alike and must stay silent about it.

The table is asked for completeness (`test_examples.py`), and by checks over the whole repository.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from k8s import model
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
}
