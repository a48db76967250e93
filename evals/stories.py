"""Stories: how the clusters of the cases come to fail, in a line or two each. Called by `evals.cases`.

The controllers and kubelets of the simulated cluster make the rest (ReplicaSets, restarts, events, conditions). What it
has no controller for is put there as its controller would leave it: `told` an event, `stands` a status.
"""

from collections.abc import Callable, Mapping
from typing import Any

from demo.cluster import Launch, Piece, Program, Run, SimulatedCluster, programs, scenarios
from demo.cluster.objects import Object

__all__ = ["Launch", "Piece", "Program", "Run", "programs", "scenarios"]

MINUTE, HOUR, DAY = scenarios.MINUTE, scenarios.HOUR, scenarios.DAY
SPACE = "shop"
_NO_VARIABLES: Mapping[str, Any] = {}


# --- programs -------------------------------------------------------------------------------------------------------


def dies(*lines: str, code: int = 1, after: float = 2.0) -> Program:
    """Says this and ends, always."""
    return programs.fails(*lines, code=code, after=after)


def served_until(ago: float, then: Program, *, built: float = 2 * DAY) -> Program:
    """Serves from its first start until `ago` seconds before now; every later start is `then`."""

    def program(launch: Launch) -> Run:
        if launch.attempt:
            return then(launch)
        said = then(launch).lines
        end = built - ago
        lines = ((0.1, "starting"), (0.6, "listening on :8080"), *((end - 0.2, text) for _, text in said))
        return Run(lines=lines, exit_after=end, exit_code=then(launch).exit_code or 1)

    return program


def unless(name: str, value: str, bad: Program) -> Program:
    """Serves where its environment has this value, else it is `bad`."""
    return lambda launch: programs.HEALTHY(launch) if launch.env.get(name) == value else bad(launch)


def unready(*lines: str, error: str, listens: bool = True) -> Program:
    """Runs, says this again and again, and its probe fails with `error` for ever."""
    first = ((0.1, "starting"), (0.3, lines[0])) if lines else ((0.1, "starting"),)
    return lambda _: Run(
        lines=first, repeat=lines[1:], period=5.0, ready_after=None, live_until=0.5, probe_error=error, listens=listens
    )


def eats(limit_reached_after: float, *lines: str) -> Program:
    """Killed by the kernel so many seconds after each start."""
    timed = tuple((1.0 + number, text) for number, text in enumerate(lines))
    run = Run(lines=timed, exit_after=limit_reached_after, exit_code=137, reason="OOMKilled", ready_after=0.8)
    return lambda _: run


# --- workloads ------------------------------------------------------------------------------------------------------


def image(name: str, tag: str = "v1") -> str:
    return f"{SPACE}/{name}:{tag}"


def broken(
    name: str,
    program: Program,
    *,
    ago: float = 14 * MINUTE,
    replicas: int = 2,
    env: Mapping[str, Any] = _NO_VARIABLES,
    **fields: Any,
) -> Piece:
    """A Deployment that was made `ago` seconds ago and never ran well."""
    made = scenarios.deployment(name, SPACE, image(name), replicas=replicas, env=dict(env), **fields)
    return scenarios.running(made, program=program, ago=ago)


def broke(name: str, program: Program, *, ago: float = 14 * MINUTE, replicas: int = 1, **fields: Any) -> Piece:
    """A Deployment that served for days, and began to fail `ago` seconds ago with nothing rolled out."""
    made = scenarios.deployment(name, SPACE, image(name), replicas=replicas, **fields)
    return scenarios.running(made, program=served_until(ago, program), ago=2 * DAY)


def rolled_out(
    name: str,
    change: Object,
    *,
    before: Program = programs.HEALTHY,
    after: Program | None = None,
    ago: float = 12 * MINUTE,
    replicas: int = 2,
    env: Mapping[str, Any] = _NO_VARIABLES,
    pod: Object | None = None,
    **fields: Any,
) -> Piece:
    """A Deployment that served for days until `change` of its container (and `pod` of its pods) was rolled out.

    `before` is in tag v1; `after`, where it is given, in tag v2.
    """
    made = scenarios.deployment(name, SPACE, image(name), replicas=replicas, env=dict(env), **fields)

    def build(cluster: SimulatedCluster) -> None:
        cluster.images.publish(f"{SPACE}/{name}", "v1", program=before)
        if after is not None:
            cluster.images.publish(f"{SPACE}/{name}", "v2", program=after)
        cluster.apply(made)

    def roll(cluster: SimulatedCluster) -> None:
        containers = [{"name": name, **change}] if change else []
        spec = {**(pod or {}), **({"containers": containers} if containers else {})}
        cluster.patch("deployments", name, SPACE, {"spec": {"template": {"spec": spec}}})

    return scenarios.piece(name, (2 * DAY, build), (ago, roll))


def variables(**values: str | None) -> list[Object]:
    """A change of variables, for a strategic merge patch; None takes one away."""
    return [
        {"$patch": "delete", "name": name} if value is None else {"name": name, "value": value}
        for name, value in values.items()
    ]


def well(
    name: str, *, replicas: int = 1, port: int = 80, ago: float = 2 * DAY, beside: Object | None = None, **fields: Any
) -> Piece:
    """A Deployment that serves, with its Service, and perhaps with a second container beside its own."""
    made = scenarios.deployment(name, SPACE, image(name), replicas=replicas, **fields)
    if beside is not None:
        made["spec"]["template"]["spec"]["containers"].append(beside)

    def build(cluster: SimulatedCluster) -> None:
        cluster.images.publish(f"{SPACE}/{name}", "v1")
        cluster.apply(made)
        cluster.apply(scenarios.service(name, SPACE, port=port))

    return scenarios.piece(name, (ago, build))


def away(name: str, *, port: int, ago: float = 15 * MINUTE) -> Piece:
    """A dependency with its Service, scaled to nothing `ago` seconds ago."""
    here = well(name, port=port)
    gone = scenarios.piece(
        name, (ago, lambda cluster: cluster.patch("deployments", name, SPACE, {"spec": {"replicas": 0}}))
    )
    return Piece(name, (*here.steps, *gone.steps))


def leaks(name: str, *, after: float, memory_limit: str, ago: float = 9 * MINUTE) -> Piece:
    """A Deployment that is killed so many seconds after each start, for the fourth time `ago` seconds ago."""
    made = scenarios.deployment(name, SPACE, image(name), memory_limit=memory_limit)
    lines = ("INFO serving", "INFO cache holds 1000 entries")
    return scenarios.running(made, program=eats(after, *lines), ago=4 * after + ago)


def one_of_many(name: str, program: Program, *, ago: float = 14 * MINUTE, replicas: int = 3) -> Piece:
    """A Deployment whose pods serve, but for the one that was started first: it began to fail `ago` seconds ago."""
    chosen: list[str] = []
    failing = served_until(ago, program)

    def first(launch: Launch) -> Run:
        chosen.append(launch.pod)
        return failing(launch) if launch.pod == chosen[0] else programs.HEALTHY(launch)

    made = scenarios.deployment(name, SPACE, image(name), replicas=replicas)
    return scenarios.running(made, program=first, ago=2 * DAY)


def failing_job(name: str, *lines: str, message: str = "", ago: float = 20 * MINUTE) -> Piece:
    """A Job whose pods all fail; `message` is what they leave as their termination message."""
    timed = tuple((0.3 + number, text) for number, text in enumerate(lines))
    run = Run(lines=timed, exit_after=4.0, exit_code=1, message=message)
    made = scenarios.job(name, SPACE, image(name), backoff_limit=1)
    return scenarios.running(made, program=lambda _: run, ago=ago)


# --- what there is no controller for ----------------------------------------------------------------------------------


def put(*objects: Object, ago: float = 2 * HOUR) -> Piece:
    """These objects were made."""

    def build(cluster: SimulatedCluster) -> None:
        for each in objects:
            cluster.apply(each)

    return scenarios.piece("objects", (ago, build))


def claim(name: str, storage_class: str) -> Object:
    """A PersistentVolumeClaim of this class."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": storage_class,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": spec,
    }


def stands(kind: str, name: str, status: Object | Callable[[str], Object], *, ago: float, space: str = SPACE) -> Piece:
    """The status that a controller gave it; a function gets the time as the API writes it."""

    def write(cluster: SimulatedCluster) -> None:
        found = status(cluster.timestamp()) if callable(status) else status
        cluster.patch_status(kind, name, space, found)

    return scenarios.piece(f"{kind} {name}", (ago, write))


def told(
    kind: str, name: str, reason: str, message: str, source: str, *, ago: float = 2 * MINUTE, count: int = 3
) -> Piece:
    """A warning that a controller wrote about an object."""

    def write(cluster: SimulatedCluster) -> None:
        found = cluster.get(kind, name, SPACE)
        now = cluster.timestamp()
        about = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": name, "namespace": SPACE}
        about["uid"] = found["metadata"]["uid"]
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{reason.lower()}", "namespace": SPACE},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": "Warning",
            "count": count,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": source},
        }
        cluster.apply(event)

    return scenarios.piece(f"event {name}", (ago, write))
