"""A workload whose variables changed with its last rollout, and the two actions that put one back."""

from dataclasses import replace
from typing import Any

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

SECRET = "postgres://here"  # of examples.GOOD
ENV = "/spec/template/spec/containers/0/env"
KEYED = {"name": "DB_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}


def put(variable: str = "DB_URL", revision: int = 4, container: str = "web") -> model.SetEnv:
    return model.SetEnv(raw.API, container, variable, revision)


def drop(variable: str = "TRACE", revision: int = 4, container: str = "web") -> model.UnsetEnv:
    return model.UnsetEnv(raw.API, container, variable, revision)


def between(before: Any, after: Any, **container: Any) -> model.Target:
    """Revision 4 had these variables, revision 5, the current one, has those."""

    def template(env: Any) -> model.Json:
        return raw.pod_template("web:1.5", **({} if env is None else {"env": env}), **container)

    return replace(
        examples.changed(),
        object=raw.workload(template=template(after)),
        replicasets=(
            raw.replicaset(4, "", created=300, pods=2, ready=2, template=template(before)),
            raw.replicaset(5, "", created=10, pods=1, template=template(after)),
        ),
    )


def body(action: model.Action, target: model.Target) -> list[model.Json]:
    assert catalogue.problems(action, target) == ()
    found = catalogue.plan(action, target, raw.NOW).operations[0].body
    assert isinstance(found, list)
    return found[1:]
