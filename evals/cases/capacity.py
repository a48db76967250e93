"""Too little of something: memory, cpu, nodes, quota."""

from collections.abc import Sequence

from demo.cluster import SimulatedCluster
from demo.cluster.objects import Object
from evals import stories as s
from evals.values import NOTHING, UNDO, Case


def _taint(cluster: SimulatedCluster) -> None:
    for node in s.scenarios.NODE_NAMES:
        cluster.patch(
            "nodes", node, "", {"spec": {"taints": [{"key": "pool", "value": "gpu", "effect": "NoSchedule"}]}}
        )


def _blind(now: str) -> Object:
    """As the controller leaves it where nobody answers for metrics.k8s.io."""
    why = "unable to fetch metrics from resource metrics API: the server could not find the requested resource"
    told = f"the HPA was unable to compute the replica count: failed to get cpu utilization: {why}"
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": told}
    return {"conditions": [{**condition, "lastTransitionTime": now}]}


MORE = frozenset({"set-resources"})

CASES: Sequence[Case] = (
    Case(
        "limit-lowered",
        "A rollout cut the memory limit in half.",
        (
            s.rolled_out(
                "thumbs",
                {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}},
                memory_limit="512Mi",
                before=s.programs.grows(20.0, 60.0, 300.0),
            ),
        ),
        "thumbs",
        "OOMKilled",
        "limit-too-low",
        also=frozenset({"bad-rollout"}),
        cites=("128Mi",),
        may=UNDO | MORE,
        must="rollout-undo",
        least="high",
    ),
    Case(
        "limit-too-low-from-the-start",
        "It needs 900 MiB to start and may have 256.",
        (s.scenarios.oom(),),
        "indexer",
        "OOMKilled",
        "limit-too-low",
        cites=("256Mi",),
        may=MORE,
    ),
    Case(
        "leak-over-days",
        "Memory grows for many hours until the kernel kills it, again and again.",
        (s.leaks("proxy", after=11 * s.HOUR, memory_limit="512Mi"),),
        "proxy",
        "OOMKilled",
        "leak",
        also=frozenset({"limit-too-low"}),
        cites=("512Mi",),
        most="high",
    ),
    Case(
        "release-needs-more-memory",
        "A release uses more memory than the limit that was always enough.",
        (
            s.rolled_out(
                "feeds",
                {"image": s.image("feeds", "v2")},
                after=s.eats(20.0, "INFO loading the whole index"),
                memory_limit="256Mi",
            ),
        ),
        "feeds",
        "OOMKilled",
        "bad-rollout",
        also=frozenset({"limit-too-low", "leak"}),
        cites=("256Mi",),
        may=UNDO,
        must="rollout-undo",
        most="medium",
    ),
    Case(
        "asks-for-more-than-any-node",
        "64 cores, and no node has as many.",
        (s.scenarios.unschedulable(),),
        "report-builder",
        "Unschedulable",
        "capacity",
        cites=("cpu",),
        least="medium",
    ),
    Case(
        "request-raised-by-rollout",
        "A rollout asks for 900 cores by a typo.",
        (
            s.rolled_out(
                "calc",
                {"resources": {"requests": {"cpu": "900", "memory": "64Mi"}}},
                progress_deadline=120,
            ),
        ),
        "calc",
        "Unschedulable",
        "capacity",
        also=frozenset({"bad-rollout"}),
        cites=("900",),
        may=UNDO | MORE,
        must="rollout-undo",
    ),
    Case(
        "selector-matches-no-node",
        "A rollout asks for nodes with a label that none has.",
        (s.rolled_out("maps", {}, pod={"nodeSelector": {"disk": "nvme"}}, progress_deadline=120),),
        "maps",
        "Unschedulable",
        "placement",
        also=frozenset({"bad-rollout"}),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "every-node-is-tainted",
        "All nodes were tainted for another pool; a new workload finds no place.",
        (
            s.scenarios.piece("taint", (20 * s.MINUTE, _taint)),
            s.broken("batcher", s.programs.HEALTHY, ago=10 * s.MINUTE),
        ),
        "batcher",
        "Unschedulable",
        "placement",
        cites=("taint",),
        least="medium",
    ),
    Case(
        "quota-refuses",
        "The quota of the namespace holds two pods, four are wanted.",
        (s.scenarios.quota_exceeded(),),
        "compute",
        "QuotaExhausted",
        "quota",
        cites=("compute",),
        least="high",
    ),
    Case(
        "node-silent",
        "A kubelet fell silent.",
        (s.scenarios.node_lost(),),
        "worker-3",
        "NodeNotReady",
        "node",
        cites=("worker-3",),
        least="high",
    ),
    Case(
        "node-short-of-disk",
        "A node reports DiskPressure.",
        (s.scenarios.node_pressure(kind="DiskPressure"),),
        "worker-2",
        "NodePressure",
        "node-pressure",
        cites=("worker-2",),
        may=frozenset({"cordon"}),
        least="high",
    ),
    Case(
        "autoscaler-without-metrics",
        "There is no metrics API, so nothing is scaled.",
        (
            s.well("shopfront", replicas=2),
            s.put(s.scenarios.autoscaler("shopfront", s.SPACE)),
            s.stands("horizontalpodautoscalers", "shopfront", _blind, ago=s.HOUR),
        ),
        "shopfront",
        "HPABroken",
        "metrics",
        least="high",
    ),
    Case(
        "autoscaler-target-missing",
        "An autoscaler of a Deployment that was deleted.",
        (s.put(s.scenarios.autoscaler("ghost", s.SPACE)),),
        "ghost",
        "HPABroken",
        "missing-object",
        also=frozenset({"autoscaler"}),
        cites=("ghost",),
        may=NOTHING,
        least="high",
    ),
)
