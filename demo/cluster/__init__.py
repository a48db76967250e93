"""A simulated Kubernetes cluster: an API server on a loopback port, where workloads break and heal like real ones.

`make demo` shows the bot on it, and tests talk to it with the ordinary clients through an ordinary kubeconfig.

    async with SimulatedCluster([scenarios.crash_loop()], speed=20) as cluster:
        cluster.write_kubeconfig(path)                      # contexts demo, demo-writer, demo-forbidden, demo-admin
        ... the client reads and writes ...
        await cluster.settle()                              # until no start, stop or sync is about to happen
        cluster.get("deployments", "api", "payments")       # a copy of the object as it is now
        cluster.journal.writes                              # every write that was carried out, in order

Break and mend: `cluster.apply(manifest)`, `cluster.patch(kind, name, namespace, patch)`, `cluster.delete(...)`,
`await cluster.add(scenarios.bad_image())`, `cluster.nodes.lose(name)` / `recover` / `fail` / `press` / `relieve`,
`cluster.images.publish(repository, *tags, program=...)`, `cluster.faults.add(Fault(path=..., status=503))`,
`cluster.forbid(user, verb, resource, namespace)`, `cluster.deny_admission(predicate, message)`, `cluster.compact()`.
"""

from demo.cluster import programs, scenarios
from demo.cluster.cluster import SimulatedCluster
from demo.cluster.errors import ApiError
from demo.cluster.faults import Fault
from demo.cluster.images import Launch, Program, Run
from demo.cluster.pieces import Piece, Step

__all__ = [
    "ApiError",
    "Fault",
    "Launch",
    "Piece",
    "Program",
    "Run",
    "SimulatedCluster",
    "Step",
    "programs",
    "scenarios",
]
