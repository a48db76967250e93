"""Cases of requests: what the API server itself answers, most of all when it refuses. For the table of `cases`."""

from tests.grounds import behaviours, manifests
from tests.likeness.stage import Stage

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
_REVIEW = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def refusals(stage: Stage) -> None:
    """Objects that are not there, there already, changed meanwhile, wrong; requests that are none."""
    path = stage.admin.path
    await stage.apply(stage.deployment("api", stage.container()), manifests.job("task", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    api = await stage.admin.get("Deployment", "api")
    await stage.ask("not-found", "GET", path("Deployment", "nothing"))
    await stage.ask("not-found-core", "DELETE", path("Pod", "nothing"))
    await stage.ask("not-found-patch", "PATCH", path("Deployment", "nothing"), body={}, content_type=MERGE)
    await stage.ask("no-such-path", "GET", f"apis/apps/v1/namespaces/{stage.ground.namespace}/nothings")
    await stage.ask("no-such-group", "GET", "apis/nothing.example/v1")
    placed = stage.deployment("api", stage.container())
    placed["metadata"].pop("namespace", None)
    await stage.ask("already-exists", "POST", path("Deployment"), body=placed)
    stale = {**api, "metadata": {**api["metadata"], "resourceVersion": "1"}}
    await stage.ask("conflict", "PUT", path("Deployment", "api"), body=stale)
    version = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}
    await stage.ask("conflict-patch", "PATCH", path("Deployment", "api"), body=version, content_type=MERGE)
    other = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}
    await stage.ask("conflict-uid", "PATCH", path("Deployment", "api"), body=other, content_type=MERGE)
    scale = path("Deployment", "api", subresource="scale")
    await stage.ask("conflict-uid-scale", "PATCH", scale, body={**other, **_replicas(2)}, content_type=MERGE)
    await stage.ask("conflict-scale", "PATCH", scale, body=version, content_type=MERGE)
    pinned = [
        {"op": "test", "path": "/metadata/uid", "value": api["metadata"]["uid"]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
    ]
    await stage.ask("conflict-json", "PATCH", path("Deployment", "api"), body=pinned, content_type=JSON)
    other_put = {**api, "metadata": {**api["metadata"], **other["metadata"]}}
    await stage.ask("conflict-uid-put", "PUT", path("Deployment", "api"), body=other_put)
    precondition = {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
    await stage.ask("delete-other", "DELETE", path("Deployment", "api"), body=precondition)
    moved = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    await stage.ask("immutable-selector", "PATCH", path("Deployment", "api"), body=moved, content_type=MERGE)
    bare = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bare"}, "spec": {"replicas": 1}}
    await stage.ask("incomplete", "POST", path("Deployment"), body=bare)
    await stage.ask("negative-replicas", "PATCH", path("Deployment", "api"), body=_replicas(-1), content_type=MERGE)
    await stage.ask("wrong-type", "PATCH", path("Deployment", "api"), body=_replicas("many"), content_type=MERGE)
    limits = [{"name": "app", "resources": {"limits": {"memory": "lots"}}}]
    odd = {"spec": {"template": {"spec": {"containers": limits}}}}
    await stage.ask("bad-quantity", "PATCH", path("Deployment", "api"), body=odd, content_type=STRATEGIC)
    below = [{"name": "app", "resources": {"limits": {"memory": "1Mi"}}}]
    less = {"spec": {"template": {"spec": {"containers": below}}}}
    await stage.ask("request-above-limit", "PATCH", path("Deployment", "api"), body=less, content_type=STRATEGIC)
    strict = {"fieldValidation": "Strict"}
    unknown = {"spec": {"replicaas": 2}}
    await stage.ask("unknown-field", "PATCH", path("Deployment", "api"), strict, body=unknown, content_type=MERGE)
    await stage.ask("unknown-field-new", "POST", path("Deployment"), strict, body={**placed, **unknown})
    await stage.ask("wrong-type-new", "POST", path("Deployment"), body={**placed, "spec": _replicas("many")["spec"]})
    test = [{"op": "test", "path": "/spec/replicas", "value": 9}]
    await stage.ask("json-test", "PATCH", path("Deployment", "api"), body=test, content_type=JSON)
    gone = [{"op": "remove", "path": "/spec/nothing"}]
    await stage.ask("json-missing", "PATCH", path("Deployment", "api"), body=gone, content_type=JSON)
    await stage.ask("bad-json", "POST", path("ConfigMap"), body="not an object")
    await stage.ask("bad-media-type", "PATCH", path("Deployment", "api"), body={}, content_type="text/plain")
    await stage.ask("method", "POST", path("Deployment", "api"), body={})
    await stage.ask("bad-selector", "GET", path("Pod"), {"labelSelector": "app in (web"})
    await stage.ask("bad-operator", "GET", path("Pod"), {"labelSelector": "app is web"})
    await stage.ask("bad-field-selector", "GET", path("Pod"), {"fieldSelector": "spec.nothing=1"})
    await stage.ask("bad-continue", "GET", path("Pod"), {"continue": "!"})
    await stage.ask("bad-limit", "GET", path("Pod"), {"limit": "many"})
    suspend = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}
    await stage.ask("immutable-job", "PATCH", path("Job", "task"), body=suspend, content_type=MERGE)
    place = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    await stage.ask("no-namespace", "POST", path("ConfigMap", namespace="wk-nowhere"), body=place)
    bad = {**place, "metadata": {"name": "Not_A_Name"}}
    await stage.ask("bad-name", "POST", path("ConfigMap"), body=bad)


def _replicas(count: object) -> dict[str, object]:
    return {"spec": {"replicas": count}}


async def forbidden(stage: Stage) -> None:
    """What the reader may not do, and what it is told when it asks whether it may."""
    await stage.apply(stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    path = stage.admin.path
    async with stage.reader() as reader:
        await stage.ask("delete", "DELETE", path("Deployment", "api"), who=reader)
        await stage.ask("patch", "PATCH", path("Deployment", "api"), body={}, content_type=MERGE, who=reader)
        scale = path("Deployment", "api", subresource="scale")
        await stage.ask("scale", "PATCH", scale, body={}, content_type=MERGE, who=reader)
        await stage.ask("secrets", "GET", path("Secret"), who=reader)
        await stage.ask("node", "PATCH", path("Node", "some-node"), body={}, content_type=MERGE, who=reader)
        evict = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "api"}}
        await stage.ask("evict", "POST", path("Pod", "api", subresource="eviction"), body=evict, who=reader)
        for label, verb, resource in (("may-list", "list", "pods"), ("may-not-delete", "delete", "pods")):
            asked = {"namespace": stage.ground.namespace, "verb": verb, "resource": resource}
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": asked},
            }
            await stage.ask(label, "POST", _REVIEW, body=review, who=reader)


async def logs(stage: Stage) -> None:
    """Logs that are there, and those that are not (any more, or yet)."""
    gone = stage.container(name="side", behaviour=behaviours.serving())
    gone.pop("ports")
    waits = [{"name": "x", "configMap": {"name": "nowhere"}}]
    mounts = [{"name": "x", "mountPath": "/etc/x"}]
    await stage.apply(
        manifests.pod("two", stage.container(), gone),
        manifests.pod("one", stage.container(behaviours.finishes("INFO  done")), restartPolicy="Never"),
        manifests.pod("creating", stage.container(volumeMounts=mounts), volumes=waits),
    )
    await stage.settled(
        lambda taken: (
            taken.ended("one", "Completed") and any("running" in each["state"] for each in taken.containers("two"))
        )
    )
    path = stage.admin.path
    log = path("Pod", "two", subresource="log")
    await stage.ask("choose", "GET", log)
    await stage.ask("no-previous", "GET", log, {"container": "app", "previous": "true"})
    await stage.ask("no-such-container", "GET", log, {"container": "nothing"})
    await stage.ask("no-such-pod", "GET", path("Pod", "nothing", subresource="log"))
    await stage.ask("creating", "GET", path("Pod", "creating", subresource="log"))
    await stage.ask("bad-tail", "GET", log, {"container": "app", "tailLines": "-1"})
    await stage.ask("ended", "GET", path("Pod", "one", subresource="log"))


async def dry_runs(stage: Stage) -> None:
    """What a server-side dry run gives, and that nothing came of it."""
    await stage.apply(stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    path, dry = stage.admin.path, {"dryRun": "All"}
    env = [{"name": "app", "env": [{"name": "LEVEL", "value": "debug"}]}]
    changed = {"spec": {"template": {"spec": {"containers": env}}}}
    await stage.ask("patch", "PATCH", path("Deployment", "api"), dry, body=changed, content_type=STRATEGIC)
    two = _replicas(2)
    scale = path("Deployment", "api", subresource="scale")
    await stage.ask("scale", "PATCH", scale, dry, body=two, content_type=MERGE)
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {"a": "b"}}
    await stage.ask("create", "POST", path("ConfigMap"), dry, body=made)
    name = (await stage.admin.pods("api"))[0]["metadata"]["name"]
    await stage.ask("delete", "DELETE", path("Pod", name), dry)
    evict = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    evict["deleteOptions"] = {"dryRun": ["All"]}
    await stage.ask("evict", "POST", path("Pod", name, subresource="eviction"), dry, body=evict)
    await stage.ask("wrong", "PATCH", path("Deployment", "api"), dry, body=_replicas(-1), content_type=MERGE)
    await stage.ask("unknown", "PATCH", path("Deployment", "api"), {"dryRun": "Some"}, body=two, content_type=MERGE)


async def pages(stage: Stage) -> None:
    """A list in pages, and an object that is deleted."""
    for number in range(3):
        await stage.apply(manifests.config_map(f"page-{number}", number=str(number)))
    await stage.apply(stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    path = stage.admin.path
    only = {"labelSelector": "app in (page-0,page-1,page-2)", "limit": "2"}
    first = await stage.ask("first", "GET", path("ConfigMap"), only)
    token = first["metadata"]["continue"]
    await stage.ask("second", "GET", path("ConfigMap"), {**only, "continue": token})
    await stage.ask("deleted", "DELETE", path("ConfigMap", "page-0"))
    background = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    await stage.ask("deleted-deployment", "DELETE", path("Deployment", "api"), body=background)
