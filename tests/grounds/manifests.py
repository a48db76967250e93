"""Manifests for stories that hold on every ground: small, quick to fail and quick to end.

Containers come from `ground.container`. No manifest names a namespace: `admin` puts it into the story's own. All label
their pods with app=<name>, which is what `Admin.pods` asks for.
"""

import base64
from collections.abc import Sequence
from typing import Any

from demo.cluster import workloads
from tests.grounds import behaviours
from tests.grounds.admin import Object

DEADLINE = 20
"""Seconds that a rollout is given, instead of ten minutes."""
GRACE = 2
"""Seconds that a pod is given to end, instead of thirty."""


def container(name: str, image: str, *, command: Sequence[str] = (), cpu: str = "10m", **fields: Any) -> Object:
    """For `Ground.container`. `fields` as `demo.cluster.workloads.container` has them: env (values, or a dict for
    `valueFrom`), memory, memory_limit, and any field of the API's own."""
    found = workloads.container(name, image, cpu=cpu, **{"memory": "16Mi", **fields})
    return found | ({"command": list(command)} if command else {})


def asks(path: str = behaviours.HEALTHY, *, period: int = 2, failures: int = 2, delay: int = 0) -> Object:
    """A probe that asks for a file, as `readinessProbe`, `livenessProbe` or `startupProbe` of a container."""
    times: Object = {"periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}
    return {"exec": {"command": ["cat", path]}, **times} | ({"initialDelaySeconds": delay} if delay else {})


def deployment(
    name: str,
    *containers: Object,
    replicas: int = 1,
    deadline: int = DEADLINE,
    strategy: Object | None = None,
    min_ready: int = 0,
    annotations: dict[str, str] | None = None,
    **pod: Any,
) -> Object:
    """`pod` is more of the pod's spec, such as initContainers."""
    found = workloads.deployment(
        name,
        "",
        replicas=replicas,
        progress_deadline=deadline,
        strategy=strategy,
        min_ready=min_ready,
        annotations=annotations,
    )
    return _with_pod(found, name, containers, pod)


def stateful_set(name: str, *containers: Object, replicas: int = 1, **pod: Any) -> Object:
    return _with_pod(workloads.stateful_set(name, "", replicas=replicas), name, containers, pod)


def daemon_set(name: str, *containers: Object, **pod: Any) -> Object:
    return _with_pod(workloads.daemon_set(name, ""), name, containers, {"tolerations": [{"operator": "Exists"}], **pod})


def job(name: str, *containers: Object, backoff_limit: int = 1, **pod: Any) -> Object:
    found = workloads.job(name, "", backoff_limit=backoff_limit)
    return _with_pod(found, name, containers, {"restartPolicy": "Never", **pod})


def cron_job(name: str, *containers: Object, schedule: str = "* * * * *", **pod: Any) -> Object:
    found = workloads.cron_job(name, "", schedule=schedule)
    spec = found["spec"]["jobTemplate"]["spec"] | {"backoffLimit": 0}
    found["spec"]["jobTemplate"]["spec"] = spec | {
        "template": _template(name, containers, {"restartPolicy": "Never", **pod})
    }
    return found


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    """A pod that belongs to nothing."""
    template = _template(name, containers, spec)
    metadata = {"name": name, **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config_map(name: str, **data: str) -> Object:
    return workloads.config_map(name, "", **data)


def secret(name: str, **data: str) -> Object:
    """`data` as plain text."""
    return workloads.secret(name, "", **{key: base64.b64encode(text.encode()).decode() for key, text in data.items()})


def service(name: str, *, app: str = "") -> Object:
    return workloads.service(name, "", app=app)


def disruption_budget(name: str, *, app: str = "", **rule: Any) -> Object:
    """`rule` is minAvailable or maxUnavailable."""
    return workloads.disruption_budget(name, "", app=app, **rule)


def quota(name: str, **hard: str) -> Object:
    """`hard` with underscores for dots: `quota("few", pods="2", requests_cpu="1")`."""
    return workloads.quota(name, "", {key.replace("_", "."): amount for key, amount in hard.items()})


def _with_pod(workload: Object, name: str, containers: Sequence[Object], pod: Object) -> Object:
    workload["spec"]["template"] = _template(name, containers, pod)
    return workload


def _template(name: str, containers: Sequence[Object], pod: Object) -> Object:
    return workloads.pod_template(name, list(containers), **{"terminationGracePeriodSeconds": GRACE, **pod})
