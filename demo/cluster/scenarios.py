"""Stories that can be put into a simulated cluster, alone or together: each a `Piece` with its history.

A piece says what was done when (`ago`, seconds before the start); the controllers make the rest: ReplicaSets, pods,
restarts, events. `demo()` is what `make demo` shows, `healthy()` a cluster on which a bot must stay silent.

Tests use `SimulatedCluster([scenarios.crash_loop()])`, or `await cluster.add(scenarios.bad_image())` while it runs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from demo.cluster import programs
from demo.cluster.controllers.nodes import node
from demo.cluster.images import Program
from demo.cluster.objects import Object
from demo.cluster.pieces import Piece, Step
from demo.cluster.workloads import (
    autoscaler,
    config_map,
    container,
    cron_job,
    daemon_set,
    deployment,
    disruption_budget,
    job,
    pod_template,
    quota,
    secret,
    service,
    stateful_set,
)

if TYPE_CHECKING:
    from demo.cluster.cluster import SimulatedCluster

__all__ = [
    "autoscaler",
    "bad_image",
    "base",
    "by_name",
    "config_error",
    "config_map",
    "container",
    "crash_loop",
    "cron_job",
    "daemon_set",
    "demo",
    "deployment",
    "disruption_budget",
    "healthy",
    "init_failing",
    "job",
    "job_failed",
    "liveness_failing",
    "node_lost",
    "node_not_ready",
    "node_pressure",
    "oom",
    "piece",
    "pod_template",
    "quota",
    "quota_exceeded",
    "readiness_failing",
    "rollout_stuck",
    "running",
    "secret",
    "service",
    "stateful_set",
    "unschedulable",
]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NODE_NAMES = ("worker-1", "worker-2", "worker-3")


def piece(name: str, *steps: tuple[float, "Callable[[SimulatedCluster], object]"]) -> Piece:
    """A piece of your own: (ago, what to do) pairs."""
    return Piece(name, tuple(Step(ago, _silent(do)) for ago, do in steps))


def _silent(do: "Callable[[SimulatedCluster], object]") -> "Callable[[SimulatedCluster], None]":
    def run(cluster: "SimulatedCluster") -> None:
        do(cluster)

    return run


def base() -> Piece:
    """Three nodes and the usual namespaces; part of every cluster."""

    def build(cluster: "SimulatedCluster") -> None:
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for index, name in enumerate(NODE_NAMES):
            cluster.apply(node(name, f"172.18.0.{index + 2}"))

    return piece("base", (30 * DAY, build))


def running(manifest: Object, *, image: str = "", program: Program | None = None, ago: float = 2 * DAY) -> Piece:
    """A workload that runs well: its image is published, then it is applied."""
    name = manifest["metadata"]["name"]

    def build(cluster: "SimulatedCluster") -> None:
        for each in _images(manifest) if not image else [image]:
            _publish(cluster, each, program)
        cluster.apply(manifest)

    return piece(name, (ago, build))


def _images(manifest: Object) -> list[str]:
    spec = manifest.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    pod = (spec.get("template") or {}).get("spec") or {}
    return [each["image"] for group in ("initContainers", "containers") for each in pod.get(group) or []]


def _publish(cluster: "SimulatedCluster", image: str, program: Program | None) -> None:
    repository, _, tag = image.rpartition(":")
    cluster.images.publish(repository, tag, program=program)


def _rollout(name: str, namespace: str, change: Object) -> "Callable[[SimulatedCluster], object]":
    """Change the container of a Deployment, as `kubectl set image` or an apply of a new manifest does."""
    patch = {"spec": {"template": {"spec": {"containers": [{"name": name, **change}]}}}}
    return lambda cluster: cluster.patch("deployments", name, namespace, patch)


def crash_loop(
    name: str = "api",
    namespace: str = "payments",
    *,
    replicas: int = 3,
    ago: float = 14 * MINUTE,
    strategy: Object | None = None,
) -> Piece:
    """A rollout lost the variable DB_URL: every pod ends with a KeyError. Undo heals, a restart does not."""
    program = programs.needs_env("DB_URL")
    env = {"DB_URL": {"secretKeyRef": {"name": f"{name}-db", "key": "url"}}, "LOG_LEVEL": "info"}
    good = deployment(
        name,
        namespace,
        f"{namespace}/{name}:v2.3.0",
        replicas=replicas,
        env=env,
        readiness=8,
        strategy=strategy or {"type": "Recreate"},
        annotations={"kubernetes.io/change-cause": "release v2.3.0"},
    )

    def build(cluster: "SimulatedCluster") -> None:
        cluster.images.publish(f"{namespace}/{name}", "v2.3.0", "v2.3.1", program=program)
        cluster.apply(secret(f"{name}-db", namespace, url="ZGIucGF5bWVudHMuc3ZjOjU0MzI="))
        cluster.apply(good)
        cluster.apply(service(name, namespace))

    def roll_out(cluster: "SimulatedCluster") -> None:
        removed = [{"$patch": "delete", "name": "DB_URL"}]
        change = {"image": f"{namespace}/{name}:v2.3.1", "env": removed}
        patch: Object = {"spec": {"template": {"spec": {"containers": [{"name": name, **change}]}}}}
        patch["metadata"] = {"annotations": {"kubernetes.io/change-cause": "release v2.3.1"}}
        cluster.patch("deployments", name, namespace, patch)

    return piece(f"crash-loop {namespace}/{name}", (2 * DAY, build), (ago, roll_out))


def bad_image(name: str = "storefront", namespace: str = "web", *, replicas: int = 3, ago: float = 6 * MINUTE) -> Piece:
    """A rollout to a tag that does not exist: the new pod cannot pull, the old ReplicaSet still serves. Undo heals."""
    good = deployment(
        name,
        namespace,
        f"{namespace}/{name}:v5.1.0",
        replicas=replicas,
        readiness=5,
        annotations={"kubernetes.io/change-cause": "release v5.1.0"},
    )

    def build(cluster: "SimulatedCluster") -> None:
        cluster.images.publish(f"{namespace}/{name}", "v5.0.4", "v5.1.0")
        cluster.apply(good)
        cluster.apply(service(name, namespace))

    roll_out = _rollout(name, namespace, {"image": f"{namespace}/{name}:v5.2.0-rc1"})
    return piece(f"bad-image {namespace}/{name}", (3 * DAY, build), (ago, roll_out))


def oom(
    name: str = "indexer", namespace: str = "search", *, memory_limit: str = "256Mi", ago: float = 18 * MINUTE
) -> Piece:
    """Memory grows past the limit again and again. Only a higher limit helps; a restart does not hold."""
    manifest = deployment(name, namespace, f"{namespace}/{name}:v1.9.2", memory="128Mi", memory_limit=memory_limit)
    return _named("oom", running(manifest, program=programs.grows(), ago=ago), namespace)


def unschedulable(
    name: str = "report-builder", namespace: str = "batch", *, cpu: str = "64", ago: float = 12 * MINUTE
) -> Piece:
    """Asks for more cpu than any node has, since its first revision: there is nothing to undo."""
    manifest = deployment(name, namespace, f"{namespace}/{name}:v1.0.0", cpu=cpu, memory="512Mi")
    return _named("unschedulable", running(manifest, ago=ago), namespace)


def config_error(
    name: str = "mailer", namespace: str = "notify", *, kind: str = "secret", ago: float = 8 * MINUTE
) -> Piece:
    """A reference to something missing: `kind` is secret, configmap, or key (of a ConfigMap that exists)."""
    source: Object = {"secretKeyRef": {"name": f"{name}-smtp", "key": "password"}}
    if kind in ("configmap", "key"):
        source = {"configMapKeyRef": {"name": f"{name}-settings", "key": "SMTP_HOST"}}
    manifest = deployment(name, namespace, f"{namespace}/{name}:v3.4.0", env={"SMTP": source})

    def build(cluster: "SimulatedCluster") -> None:
        _publish(cluster, f"{namespace}/{name}:v3.4.0", None)
        if kind == "key":
            cluster.apply(config_map(f"{name}-settings", namespace, SMTP_PORT="587"))
        cluster.apply(manifest)

    return piece(f"config-error {namespace}/{name}", (ago, build))


def init_failing(name: str = "catalog", namespace: str = "shop", *, ago: float = 8 * MINUTE) -> Piece:
    """The init container that migrates the database fails, so the main one never starts."""
    migrate = container("migrate", f"{namespace}/{name}-migrate:v7")
    manifest = deployment(name, namespace, f"{namespace}/{name}:v7", pod={"initContainers": [migrate]})

    def build(cluster: "SimulatedCluster") -> None:
        lines = ("running migration 0042_add_index", 'FATAL: relation "orders" does not exist', "migration failed")
        _publish(cluster, f"{namespace}/{name}-migrate:v7", programs.fails(*lines))
        _publish(cluster, f"{namespace}/{name}:v7", None)
        cluster.apply(manifest)

    return piece(f"init-failing {namespace}/{name}", (ago, build))


def readiness_failing(
    name: str = "recommender",
    namespace: str = "shop",
    *,
    replicas: int = 2,
    ago: float = 15 * MINUTE,
    says: str = programs.UNREACHABLE,
) -> Piece:
    """Running, but never ready: the probe answers 503, and the process says why, or what it takes for why."""
    manifest = deployment(name, namespace, f"{namespace}/{name}:v1.4.0", replicas=replicas, readiness=True)
    with_service = running(manifest, program=programs.never_ready(says=says), ago=ago)
    extra = Step(ago, _silent(lambda cluster: cluster.apply(service(name, namespace))))
    return Piece(f"readiness-failing {namespace}/{name}", (*with_service.steps, extra))


def liveness_failing(name: str = "gateway", namespace: str = "shop", *, ago: float = 15 * MINUTE) -> Piece:
    """Serves for a while, then hangs and is restarted by its liveness probe, again and again."""
    manifest = deployment(name, namespace, f"{namespace}/{name}:v2.0.1", liveness=True)
    return _named("liveness-failing", running(manifest, program=programs.hangs(), ago=ago), namespace)


def rollout_stuck(
    name: str = "checkout", namespace: str = "shop", *, replicas: int = 4, deadline: int = 120, ago: float = 10 * MINUTE
) -> Piece:
    """The new version never becomes ready and the deadline of the rollout has passed. Undo heals."""
    good = deployment(
        name, namespace, f"{namespace}/{name}:v8.0.0", replicas=replicas, readiness=True, progress_deadline=deadline
    )

    def build(cluster: "SimulatedCluster") -> None:
        cluster.images.publish(f"{namespace}/{name}", "v8.0.0")
        cluster.images.publish(f"{namespace}/{name}", "v8.1.0", program=programs.never_ready())
        cluster.apply(good)

    roll_out = _rollout(name, namespace, {"image": f"{namespace}/{name}:v8.1.0"})
    return piece(f"rollout-stuck {namespace}/{name}", (5 * DAY, build), (ago, roll_out))


def job_failed(name: str = "ledger-export", namespace: str = "batch", *, ago: float = 20 * MINUTE) -> Piece:
    """A Job whose pods all fail until backoffLimit."""
    lines = ("exporting ledger of 2026-11-20", "s3: PutObject ledger/2026-11-20.csv", "ERROR s3: AccessDenied (403)")
    manifest = job(name, namespace, f"{namespace}/{name}:v12", backoff_limit=2)
    return _named("job-failed", running(manifest, program=programs.fails(*lines, after=2.0), ago=ago), namespace)


def quota_exceeded(name: str = "thumbnailer", namespace: str = "media", *, ago: float = 10 * MINUTE) -> Piece:
    """The namespace's quota admits two pods, the Deployment wants four: FailedCreate."""
    manifest = deployment(name, namespace, f"{namespace}/{name}:v1", replicas=4, cpu="500m")
    limit = Step(ago + 60, _silent(lambda cluster: cluster.apply(quota("compute", namespace, {"requests.cpu": "1"}))))
    return Piece(f"quota-exceeded {namespace}/{name}", (limit, *running(manifest, ago=ago).steps))


def node_lost(name: str = "worker-3", *, ago: float = 4 * MINUTE) -> Piece:
    """The kubelet of a node fell silent: Ready=Unknown."""
    return piece(f"node-lost {name}", (ago, lambda cluster: cluster.nodes.lose(name)))


def node_not_ready(name: str = "worker-3", *, ago: float = 3 * MINUTE) -> Piece:
    """The kubelet of a node says itself that it is not ready: Ready=False."""
    return piece(f"node-not-ready {name}", (ago, lambda cluster: cluster.nodes.fail(name)))


def node_pressure(name: str = "worker-2", kind: str = "MemoryPressure", *, ago: float = 3 * MINUTE) -> Piece:
    """A node under MemoryPressure, DiskPressure or PIDPressure."""
    return piece(f"node-pressure {name}", (ago, lambda cluster: cluster.nodes.press(name, kind)))


def _named(kind: str, found: Piece, namespace: str) -> Piece:
    return Piece(f"{kind} {namespace}/{found.name}", found.steps)


def healthy() -> tuple[Piece, ...]:
    """About thirty pods over nine namespaces, with nothing wrong anywhere."""

    def app(name: str, namespace: str, image: str, replicas: int = 1, days: float = 3.0, **fields: Any) -> Piece:
        return running(deployment(name, namespace, image, replicas=replicas, **fields), ago=days * DAY)

    def extras(cluster: "SimulatedCluster") -> None:
        for name, namespace in (("cart", "web"), ("ledger", "payments"), ("query", "search")):
            cluster.apply(service(name, namespace))
        cluster.apply(autoscaler("accounts", "web", least=2, most=6))
        cluster.apply(disruption_budget("cart", "web", minAvailable=1))
        cluster.apply(disruption_budget("ledger", "payments", maxUnavailable=1))

    return (
        app("coredns", "kube-system", "registry.k8s.io/coredns/coredns:v1.12.0", 2, 20, readiness=True, cpu="100m"),
        app("metrics-server", "kube-system", "registry.k8s.io/metrics-server/metrics-server:v0.8.0", 1, 20),
        running(daemon_set("kube-proxy", "kube-system", "registry.k8s.io/kube-proxy:v1.34.4"), ago=20 * DAY),
        running(daemon_set("node-exporter", "monitoring", "quay.io/prometheus/node-exporter:v1.9.1"), ago=15 * DAY),
        running(
            stateful_set("prometheus", "monitoring", "quay.io/prometheus/prometheus:v3.5.0", claim="20Gi", cpu="200m"),
            ago=15 * DAY,
        ),
        app("grafana", "monitoring", "docker.io/grafana/grafana:12.1.0", 1, 9, readiness=True),
        app(
            "ingress-nginx", "ingress-nginx", "registry.k8s.io/ingress-nginx/controller:v1.13.0", 2, 18, readiness=True
        ),
        app("cart", "web", "web/cart:v3.7.2", 2, 2, readiness=True),
        app("accounts", "web", "web/accounts:v1.12.0", 2, 6, readiness=True),
        app("ledger", "payments", "payments/ledger:v4.0.3", 2, 4, readiness=True),
        app("reconciler", "payments", "payments/reconciler:v1.1.0", 1, 4),
        app("query", "search", "search/query:v6.2.0", 2, 8, readiness=True),
        running(
            stateful_set("postgres", "data", "docker.io/library/postgres:17.6", claim="50Gi", cpu="250m"), ago=19 * DAY
        ),
        running(stateful_set("redis", "data", "docker.io/library/redis:8.2", replicas=2, claim="5Gi"), ago=19 * DAY),
        app("digest", "notify", "notify/digest:v2.2.0", 1, 5),
        _nightly(),
        piece("services", (2 * DAY, extras)),
    )


def _nightly() -> Piece:
    """A CronJob with the Jobs of the last three nights, all complete."""
    name, namespace = "cleanup", "batch"
    image = f"{namespace}/{name}:v2"
    lines = ("removing expired sessions", "removed 1204 rows", "done")

    def build(cluster: "SimulatedCluster") -> None:
        _publish(cluster, image, programs.finishes(*lines))
        cluster.apply(cron_job(name, namespace, image))

    def night(number: int) -> "Callable[[SimulatedCluster], None]":
        def run(cluster: "SimulatedCluster") -> None:
            found = cluster.get("cronjobs", name, namespace)
            owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": found["metadata"]["uid"]}
            owner |= {"controller": True, "blockOwnerDeletion": True}
            cluster.apply(job(f"{name}-{29380000 + number * 1440}", namespace, image, owner=owner))
            now = cluster.timestamp()
            cluster.patch_status("cronjobs", name, namespace, {"lastScheduleTime": now, "lastSuccessfulTime": now})

        return run

    nights = [((3 - number) * DAY + 2 * HOUR, night(number)) for number in (1, 2, 3)]
    return piece(f"cron {namespace}/{name}", (9 * DAY, build), *nights)


def demo() -> tuple[Piece, ...]:
    """What `make demo` shows: six stories in the middle of a healthy cluster. One of them no proposed action mends."""
    return (*healthy(), crash_loop(), bad_image(), oom(), unschedulable(), job_failed(), readiness_failing())


def by_name(name: str) -> tuple[Piece, ...]:
    """'demo', 'healthy' or 'empty'; ValueError otherwise."""
    if name == "demo":
        return demo()
    if name == "healthy":
        return healthy()
    if name == "empty":
        return ()
    raise ValueError(f"no such scenario: {name!r}; there are demo, healthy and empty")
