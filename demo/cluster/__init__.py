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
The reader and the writer may do what `deploy/rbac.yaml` gives to them, and no more; `demo-admin` may do everything,
also create ValidatingAdmissionPolicies (of the literals true and false) and exec into containers.

It follows Kubernetes 1.34: its sentences, reasons, codes and defaults, with the feature gates as they are by default.
Left out: server-side apply, metadata.managedFields but for a few types and of controllers' statuses (`ownership`),
terminatingReplicas of workloads (behind a gate in 1.34),
preemption, the Warn and Audit actions of policies, CEL, container statuses' volumeMounts and user, and metrics.
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
