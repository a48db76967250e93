"""Workloads that are no Deployments, budgets that hold a drain, and pods that a kubelet took away."""

from collections.abc import Sequence

from demo.cluster import SimulatedCluster, workloads
from demo.cluster.objects import Object, name_of
from evals import stories as s
from evals.cases import crashing
from evals.values import NOTHING, UNDO, Case

NO_SPACE = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "


def _set(name: str, program: s.Program, *, ago: float, replicas: int = 3, claim: str = "") -> s.Piece:
    return s.scenarios.running(
        workloads.stateful_set(name, s.SPACE, s.image(name), replicas=replicas, claim=claim), program=program, ago=ago
    )


def _rolled(kind: str, made: Object, after: s.Program, change: Object, *, ago: float = 12 * s.MINUTE) -> s.Piece:
    """A StatefulSet or DaemonSet with its Service that served for days, until this was rolled out."""
    name = made["metadata"]["name"]

    def build(cluster: SimulatedCluster) -> None:
        cluster.images.publish(f"{s.SPACE}/{name}", "v1")
        cluster.images.publish(f"{s.SPACE}/{name}", "v2", program=after)
        cluster.apply(s.scenarios.service(name, s.SPACE))
        cluster.apply(made)

    def roll(cluster: SimulatedCluster) -> None:
        spec = {"containers": [{"name": name, **change}]}
        cluster.patch(kind, name, s.SPACE, {"spec": {"template": {"spec": spec}}})

    return s.scenarios.piece(name, (2 * s.DAY, build), (ago, roll))


def _claiming(name: str, storage_class: str) -> Object:
    made = workloads.stateful_set(name, s.SPACE, s.image(name), claim="5Gi")
    made["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = storage_class
    return made


def _press(cluster: SimulatedCluster, name: str) -> None:
    """The node of a workload's first pod runs short of memory."""
    pod = min(cluster.pods(s.SPACE, name), key=name_of)
    cluster.nodes.press(pod["spec"]["nodeName"], evict=[name_of(pod)])


def _headless(name: str) -> s.Piece:
    return s.put(s.scenarios.service(name, s.SPACE), ago=3 * s.DAY)


def _of_pod(which: str, bad: s.Program) -> s.Program:
    """Serves, but for the pod of this name."""
    return lambda launch: bad(launch) if launch.pod == which else s.programs.HEALTHY(launch)


def _first_only(bad: s.Program) -> s.Program:
    """Serves, but for the pod that was started first."""
    chosen: list[str] = []

    def program(launch: s.Launch) -> s.Run:
        chosen.append(launch.pod)
        return bad(launch) if launch.pod == chosen[0] else s.programs.HEALTHY(launch)

    return program


def _drained(name: str, *, ago: float = 30 * s.MINUTE) -> s.Piece:
    """The node of a workload's first pod was cordoned, and holds nothing else."""

    def cordon(cluster: SimulatedCluster) -> None:
        pod = min(cluster.pods(s.SPACE, name), key=name_of)
        cluster.patch("nodes", pod["spec"]["nodeName"], "", {"spec": {"unschedulable": True}})

    return s.scenarios.piece("drain", (ago, cordon))


def _evicted(name: str, message: str, *, ago: float) -> s.Piece:
    """The kubelet ended the pod of this workload that runs, with these words."""

    def evict(cluster: SimulatedCluster) -> None:
        for worker in list(cluster.nodes.kubelets.workers.values()):
            if name_of(worker.pod).startswith(f"{name}-"):
                worker.evict("Evicted", message)
                return

    return s.scenarios.piece("eviction", (ago, evict))


def _slow(seconds: float) -> s.Program:
    """Ready only after a long start."""
    return lambda _: s.Run(lines=((0.1, "starting"), (1.0, "unpacking data into /scratch")), ready_after=seconds)


CASES: Sequence[Case] = (
    Case(
        "statefulset-held-by-its-first-pod",
        "The first pod waits for a license, so the others are not made.",
        (
            _headless("queue"),
            _set(
                "queue", s.dies("Error: Missing required environment variable: LICENSE", after=0.5), ago=20 * s.MINUTE
            ),
        ),
        "queue",
        "StatefulSetStuck",
        "missing-variable",
        cites=("LICENSE",),
    ),
    Case(
        "statefulset-update-fails",
        "An update breaks the last pod, and the others wait with the old version, as their readiness probes make them.",
        (
            _rolled(
                "statefulsets",
                workloads.stateful_set("store", s.SPACE, s.image("store"), replicas=3, readiness=True),
                s.dies("panic: assignment to entry in nil map", code=2),
                {"image": s.image("store", "v2")},
            ),
        ),
        "store",
        "StatefulSetStuck",
        "bad-rollout",
        cites=("v2",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "statefulset-without-its-service",
        "The headless Service that gives its pods their names was never made.",
        (_set("ring", s.programs.HEALTHY, ago=s.DAY),),
        "ring",
        "StatefulSetStuck",
        "missing-object",
        cites=("ring",),
        least="high",
    ),
    Case(
        "statefulset-storage-class-missing",
        "Its claims ask for a StorageClass that is not there.",
        (
            _headless("base"),
            s.put(s.claim("data-base-0", "premium"), ago=21 * s.MINUTE),
            s.scenarios.running(_claiming("base", "premium"), ago=20 * s.MINUTE),
        ),
        "base",
        "StatefulSetStuck",
        "missing-object",
        also=frozenset({"storage"}),
        cites=("premium",),
        least="high",
    ),
    Case(
        "decoy-statefulset-data-of-one-pod",
        "One of three members finds its own volume corrupt: a new pod gets the same volume, and an undo changes nothing.",
        (
            _headless("raft"),
            _set(
                "raft",
                _of_pod("raft-1", s.dies("panic: wal: crc mismatch in /data/wal/0000000000000001.wal", code=2)),
                ago=2 * s.DAY,
                claim="1Gi",
            ),
        ),
        "raft",
        "CrashLoopBackOff",
        "application",
        also=frozenset({"storage"}),
        cites=("crc mismatch",),
        tag="decoy",
        most="medium",
    ),
    Case(
        "daemonset-port-taken-on-one-node",
        "On one node another process holds the port.",
        (
            s.scenarios.running(
                workloads.daemon_set("logship", s.SPACE, s.image("logship")),
                program=_first_only(s.dies("listen tcp 0.0.0.0:9100: bind: address already in use")),
                ago=20 * s.MINUTE,
            ),
        ),
        "logship",
        "DaemonSetIncomplete",
        "wrong-port",
        cites=("9100",),
        most="medium",
    ),
    Case(
        "daemonset-update-fails",
        "An update of the daemon asks for a flag that it does not know.",
        (
            _rolled(
                "daemonsets",
                workloads.daemon_set("agent", s.SPACE, s.image("agent")),
                s.dies("flag provided but not defined: --push-to", code=2),
                {"image": s.image("agent", "v2")},
            ),
        ),
        "agent",
        "CrashLoopBackOff",
        "bad-command",
        cites=("--push-to",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "budget-allows-none-ever",
        "A budget asks for the one pod that there is, and a drain waits for it.",
        (
            s.well("gate", readiness=True),
            s.put(workloads.disruption_budget("gate", s.SPACE), ago=s.DAY),
            _drained("gate"),
        ),
        "gate",
        "PDBBlocking",
        "budget",
        cites=("gate",),
        least="high",
    ),
    Case(
        "decoy-budget-that-an-unready-pod-blocks",
        "The budget is right: it allows one to go, and one is gone already, since a new pod does not start for its file.",
        (
            s.scenarios.running(
                s.scenarios.deployment("cart", s.SPACE, s.image("cart"), replicas=3, readiness=True),
                program=_first_only(
                    s.dies(*crashing.TRACE, "FileNotFoundError: [Errno 2] No such file or directory: '/data/cart.db'")
                ),
                ago=2 * s.HOUR,
            ),
            s.put(workloads.disruption_budget("cart", s.SPACE, minAvailable=2), ago=2 * s.HOUR),
            _drained("cart"),
        ),
        "cart",
        "CrashLoopBackOff",
        "missing-file",
        cites=("/data/cart.db",),
        may=frozenset({"delete-pod"}),
        tag="decoy",
        most="medium",
    ),
    Case(
        "evicted-for-the-memory-of-its-node",
        "A node ran short of memory, and its kubelet evicted the pod that took most beyond its request.",
        (
            s.well("crawler", replicas=3),
            s.scenarios.piece("press", (6 * s.MINUTE, lambda cluster: _press(cluster, "crawler"))),
        ),
        "",
        "Evicted",
        "node-pressure",
        cites=("memory",),
        may=frozenset({"cordon"}),
        least="high",
    ),
    Case(
        "decoy-evicted-by-its-own-limit",
        "It looks like a full node: the pod wrote more than its own limit of local storage, and so will the next one.",
        (
            s.broken("scratch", _slow(900), ago=12 * s.MINUTE, replicas=1, readiness=True),
            _evicted("scratch", NO_SPACE, ago=3 * s.MINUTE),
        ),
        "scratch",
        "Evicted",
        "limit-too-low",
        cites=("1Gi",),
        may=NOTHING,
        tag="decoy",
    ),
)
