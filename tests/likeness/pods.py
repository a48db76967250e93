"""Cases of containers and pods: what a kubelet and a scheduler say of them. For the table of `cases`.

Each is a function that builds; whether it is settled is said in the table.
"""

from typing import Any

from demo.cluster import images
from tests.grounds import behaviours, manifests
from tests.likeness.stage import Stage, http, tcp

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
PORT = 39217
"""A host port that nothing else on the cluster asks for."""
Fields = dict[str, Any]
SHORT = images.Run(lines=((0.1, "INFO  starting"), (0.2, "FATAL the licence has expired")), exit_after=4.0, exit_code=3)
SLEEPS = "trap 'exit 0' TERM; while :; do sleep 10 & wait $!; done"
DEAF = images.Run(ready_after=None, live_until=0.0, listens=False)
"""Runs, and nothing in it listens."""


async def healthy(stage: Stage) -> None:
    """Two replicas with all three probes, a Service, a budget, a ConfigMap and a Secret that are there."""
    probes: Fields = {
        "readinessProbe": manifests.asks(),
        "livenessProbe": manifests.asks(),
        "startupProbe": manifests.asks(),
    }
    env: Fields = {"LEVEL": {"configMapKeyRef": {"name": "web", "key": "level"}}}
    await stage.apply(
        manifests.config_map("web", level="info"),
        manifests.service("web"),
        manifests.disruption_budget("web", minAvailable=1),
        stage.deployment("web", stage.container(env=env, memory_limit="64Mi", **probes), replicas=2),
    )


async def crash_loop(stage: Stage) -> None:
    crashes = behaviours.fails("FATAL cannot open /etc/app/app.toml", code=3)
    await stage.apply(stage.deployment("api", stage.container(crashes)))


async def short_life(stage: Stage) -> None:
    """Runs for four seconds each time, so that it is seen running between two back-offs."""
    script = "echo 'INFO  starting'; echo 'FATAL the licence has expired'; sleep 4; exit 3"
    await stage.apply(stage.deployment("api", stage.played(script, SHORT)))


async def out_of_memory(stage: Stage) -> None:
    container = stage.container(behaviours.eats_memory(), memory_limit="32Mi")
    await stage.apply(stage.deployment("index", container))


async def unreachable_registry(stage: Stage) -> None:
    await stage.apply(stage.deployment("api", stage.container() | {"image": stage.ground.missing_image()}))


async def bad_images(stage: Stage) -> None:
    """A reference that is none, and an image that may not be pulled and is not there."""
    never = {"image": stage.ground.missing_image(), "imagePullPolicy": "Never"}
    await stage.apply(
        stage.deployment("invalid", stage.container() | {"image": "registry.invalid/Shop/API:v1"}),
        stage.deployment("never", stage.container() | never),
    )


async def missing_configuration(stage: Stage) -> None:
    """An environment from what does not exist."""
    sources: dict[str, Fields] = {
        "no-config": {"configMapKeyRef": {"name": "nowhere", "key": "url"}},
        "no-secret": {"secretKeyRef": {"name": "nowhere", "key": "url"}},
        "no-key": {"configMapKeyRef": {"name": "there", "key": "url"}},
        "no-secret-key": {"secretKeyRef": {"name": "there", "key": "url"}},
    }
    await stage.apply(manifests.config_map("there", other="x"), manifests.secret("there", other="x"))
    await stage.apply(
        *(stage.deployment(name, stage.container(env={"URL": source})) for name, source in sources.items()),
        stage.deployment("no-env-from", stage.container(envFrom=[{"configMapRef": {"name": "nowhere"}}])),
    )


async def no_such_command(stage: Stage) -> None:
    command = "/no/such/command"
    missing = images.Run(
        start_error=(
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
            f'failed: unable to start container process: exec: "{command}": stat {command}: no such file or directory'
            ": unknown"
        )
    )
    await stage.apply(stage.deployment("api", stage.played([command], missing)))


async def failing_init(stage: Stage) -> None:
    init = stage.container(behaviours.fails("ERROR migration 7 failed", code=2), name="migrate")
    init.pop("ports")
    await stage.apply(stage.deployment("api", stage.container(), initContainers=[init]))


async def failing_init_once(stage: Stage) -> None:
    """With restartPolicy Never the pod is over."""
    init = stage.container(behaviours.fails("ERROR migration 7 failed", code=2), name="migrate")
    init.pop("ports")
    await stage.apply(manifests.pod("once", stage.container(), initContainers=[init], restartPolicy="Never"))


async def running_init(stage: Stage) -> None:
    """An init container that takes its time is normal life."""
    init = stage.container(name="migrate")
    init.pop("ports")
    await stage.apply(stage.deployment("api", stage.container(), initContainers=[init]))


async def not_ready(stage: Stage) -> None:
    """Readiness probes of three sorts that are never answered well."""
    await stage.apply(
        stage.deployment("exec", stage.container(behaviours.never_ready(), readinessProbe=manifests.asks())),
        stage.deployment("http", stage.played(SLEEPS, DEAF, readinessProbe=http())),
        stage.deployment("tcp", stage.played(SLEEPS, DEAF, readinessProbe=tcp())),
    )


async def not_alive(stage: Stage) -> None:
    """Liveness probes that are never answered well."""
    await stage.apply(
        stage.deployment("exec", stage.container(behaviours.never_ready(), livenessProbe=manifests.asks())),
        stage.deployment("http", stage.played(SLEEPS, DEAF, livenessProbe=http())),
    )


async def not_started(stage: Stage) -> None:
    """A startup probe that is never answered well: neither of the others is asked before it."""
    probes: Fields = {
        "startupProbe": manifests.asks(),
        "readinessProbe": manifests.asks(),
        "livenessProbe": manifests.asks(),
    }
    await stage.apply(stage.deployment("api", stage.container(behaviours.never_ready(), **probes)))


async def unschedulable(stage: Stage) -> None:
    """No node for any of these, each for another reason."""
    nowhere = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": nowhere}}
    claim = [{"name": "data", "persistentVolumeClaim": {"claimName": "nowhere"}}]
    await stage.apply(
        stage.deployment("cpu", stage.container(cpu="1000")),
        stage.deployment("memory", stage.container(memory="9000Gi")),
        stage.deployment("selector", stage.container(), nodeSelector={"disk": "fast"}),
        stage.deployment("affinity", stage.container(), affinity=affinity),
        stage.deployment("claim", stage.container(), volumes=claim),
        stage.deployment("gpu", stage.container(resources={"limits": {"nvidia.com/gpu": "1"}})),
        stage.deployment("gated", stage.container(), schedulingGates=[{"name": "watchkeeper.test/wait"}]),
    )


async def taken_port(stage: Stage) -> None:
    """Two pods that want the same port of the node."""
    ports = [{"containerPort": 8080, "hostPort": PORT, "name": "http"}]
    node = {"nodeSelector": {"kubernetes.io/hostname": stage.ground.node_names[0]}}
    await stage.apply(stage.deployment("proxy", stage.container() | {"ports": ports}, replicas=2, **node))


async def missing_volumes(stage: Stage) -> None:
    """Volumes from what does not exist hold a pod in ContainerCreating."""
    keys = {"name": "there", "items": [{"key": "url", "path": "url"}]}
    volumes: dict[str, Fields] = {
        "no-config": {"configMap": {"name": "nowhere"}},
        "no-secret": {"secret": {"secretName": "nowhere"}},
        "no-key": {"configMap": keys},
    }
    await stage.apply(manifests.config_map("there", other="x"))
    mounts = [{"name": "settings", "mountPath": "/etc/app"}]
    await stage.apply(
        *(
            stage.deployment(name, stage.container(volumeMounts=mounts), volumes=[{"name": "settings", **volume}])
            for name, volume in volumes.items()
        )
    )


async def pending_claim(stage: Stage) -> None:
    """A claim without a class in a cluster without a default one, and the pod that waits for it."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "data", "labels": {"app": "store"}}
    volume = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    await stage.apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "classy", "labels": {"app": "store"}},
            "spec": {**claim, "storageClassName": "nowhere"},
        },
        stage.deployment("store", stage.container(), volumes=volume),
    )


async def held(stage: Stage) -> None:
    """A pod that is being deleted and that a finalizer holds."""
    pod = manifests.pod("held", stage.container())
    pod["metadata"]["finalizers"] = ["watchkeeper.test/held"]
    await stage.apply(pod)
    await stage.settled(lambda taken: taken.runs("held"))
    await stage.admin.delete("Pod", "held")
