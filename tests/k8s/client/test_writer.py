"""What goes over the wire for each operation: the right verb and place, bound to a uid and a version, signed by us."""

from pathlib import Path
from typing import Any

import pytest

from k8s import model
from k8s.client import errors, writer
from tests.k8s.client import servers

API = model.ResourceRef("Deployment", "payments", "api", "uid-1")
POD = model.ResourceRef("Pod", "payments", "api-1", "uid-2")
DEPLOYMENT = "/apis/apps/v1/namespaces/payments/deployments/api"
ANSWER = {"kind": "Deployment", "metadata": {"name": "api"}}


async def sent(folder: Path, op: model.Operation, version: str | None = "77", *, dry_run: bool = False) -> servers.Seen:
    async with servers.serving(servers.always(ANSWER)) as server, servers.connected(server, folder) as over:
        assert await writer.Writer(over).apply(op, resource_version=version, dry_run=dry_run, as_user=None) == ANSWER
    assert len(server.seen) == 1
    return server.seen[0]


async def test_a_merge_patch_carries_uid_and_version(tmp_path: Path) -> None:
    body: model.Json = {"spec": {"paused": True}, "metadata": {"annotations": {"a": "b"}}}
    seen = await sent(tmp_path, model.Operation("patch", API, "merge", body))
    assert (seen.method, seen.path) == ("PATCH", DEPLOYMENT)
    assert seen.query == {"fieldManager": "watchkeeper"}
    assert seen.headers["Content-Type"] == "application/merge-patch+json"
    metadata = {"annotations": {"a": "b"}, "uid": "uid-1", "resourceVersion": "77"}
    assert seen.body == {"spec": {"paused": True}, "metadata": metadata}
    assert body["metadata"] == {"annotations": {"a": "b"}}, "the operation itself must stay what was judged"


async def test_a_json_patch_tests_the_uid_and_replaces_the_version_first(tmp_path: Path) -> None:
    step = {"op": "replace", "path": "/spec/template", "value": {"spec": {}}}
    seen = await sent(tmp_path, model.Operation("patch", API, "json", [step]))
    assert seen.headers["Content-Type"] == "application/json-patch+json"
    assert seen.body == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-1"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "77"},
        step,
    ]


async def test_scaling_goes_to_the_subresource_with_uid_and_version(tmp_path: Path) -> None:
    seen = await sent(tmp_path, model.Operation("scale", API, None, {"spec": {"replicas": 5}}))
    assert (seen.method, seen.path) == ("PATCH", f"{DEPLOYMENT}/scale")
    assert seen.body == {"spec": {"replicas": 5}, "metadata": {"uid": "uid-1", "resourceVersion": "77"}}


async def test_a_delete_has_preconditions_and_no_force(tmp_path: Path) -> None:
    seen = await sent(tmp_path, model.Operation("delete", POD))
    assert (seen.method, seen.path) == ("DELETE", "/api/v1/namespaces/payments/pods/api-1")
    assert seen.query == {}
    preconditions = {"uid": "uid-2", "resourceVersion": "77"}
    assert seen.body == {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}


@pytest.mark.parametrize(
    "op",
    [
        model.Operation("patch", API, "merge", {"spec": {}}),
        model.Operation("patch", API, "json", [{"op": "remove", "path": "/spec/paused"}]),
        model.Operation("scale", API, None, {"spec": {"replicas": 5}}),
        model.Operation("delete", POD),
    ],
)
async def test_a_dry_run_is_marked_as_one(tmp_path: Path, op: model.Operation) -> None:
    assert (await sent(tmp_path, op, dry_run=True)).query["dryRun"] == "All"
    assert "dryRun" not in (await sent(tmp_path, op)).query


async def test_a_dry_run_of_a_delete_is_marked_in_its_body_which_alone_counts(tmp_path: Path) -> None:
    """https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run; with a body, the server reads no query."""
    assert (await sent(tmp_path, model.Operation("delete", POD), dry_run=True)).body["dryRun"] == ["All"]
    assert "dryRun" not in (await sent(tmp_path, model.Operation("delete", POD))).body


async def test_a_job_is_deleted_with_its_pods(tmp_path: Path) -> None:
    """https://kubernetes.io/docs/concepts/architecture/garbage-collection/: by default the server would orphan them."""
    seen = await sent(tmp_path, model.Operation("delete", model.ResourceRef("Job", "payments", "export", "uid-3")))
    assert seen.body["propagationPolicy"] == "Background"


async def test_a_forced_delete_is_one_by_its_own_verb_alone(tmp_path: Path) -> None:
    seen = await sent(tmp_path, model.Operation("force-delete", POD))
    assert (seen.method, seen.path) == ("DELETE", "/api/v1/namespaces/payments/pods/api-1")
    assert seen.body["gracePeriodSeconds"] == 0
    assert seen.body["preconditions"] == {"uid": "uid-2", "resourceVersion": "77"}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_eviction_has_preconditions(tmp_path: Path, *, dry_run: bool) -> None:
    seen = await sent(tmp_path, model.Operation("evict", POD), dry_run=dry_run)
    assert (seen.method, seen.path) == ("POST", "/api/v1/namespaces/payments/pods/api-1/eviction")
    assert (seen.body["kind"], seen.body["metadata"]) == ("Eviction", {"name": "api-1", "namespace": "payments"})
    options = seen.body["deleteOptions"]
    assert options["preconditions"] == {"uid": "uid-2", "resourceVersion": "77"}
    assert options.get("dryRun") == (["All"] if dry_run else None)


async def test_an_eviction_that_fails_in_the_body_of_a_good_answer_is_refused(tmp_path: Path) -> None:
    words = {"kind": "Status", "status": "Failure", "message": "This pod has more than one PodDisruptionBudget"}
    async with servers.serving(servers.always(words)) as server, servers.connected(server, tmp_path) as over:
        with pytest.raises(errors.Rejected, match="more than one"):
            await writer.Writer(over).apply(
                model.Operation("evict", POD), resource_version=None, dry_run=False, as_user=None
            )


async def test_a_creation_goes_to_the_collection_and_is_signed(tmp_path: Path) -> None:
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "namespace": "payments"}, "spec": {}}
    cron = model.ResourceRef("CronJob", "payments", "report", "uid-4")
    seen = await sent(tmp_path, model.Operation("create", cron, None, body))
    assert (seen.method, seen.path) == ("POST", "/apis/batch/v1/namespaces/payments/jobs")
    assert (seen.query, seen.body) == ({"fieldManager": "watchkeeper"}, body)


@pytest.mark.parametrize("verb", ["patch", "scale", "delete"])
async def test_without_a_version_the_uid_still_binds(tmp_path: Path, verb: Any) -> None:
    op = model.Operation(
        verb, API, "merge" if verb == "patch" else None, None if verb == "delete" else {"spec": {"replicas": 1}}
    )
    body = (await sent(tmp_path, op, None)).body
    assert (body.get("preconditions") or body["metadata"]) == {"uid": "uid-1"}


@pytest.mark.parametrize(
    "op",
    [
        model.Operation("patch", model.ResourceRef("Deployment", "payments", "api"), "merge", {}),
        model.Operation("patch", API, "merge", [{"op": "remove", "path": "/spec"}]),
        model.Operation("patch", API, "json", {"spec": {}}),
        model.Operation("patch", API, None, {"spec": {}}),
        model.Operation("scale", API, "merge", {"spec": {}}),
        model.Operation("scale", API),
        model.Operation("delete", POD, None, {"gracePeriodSeconds": 0}),
        model.Operation("delete", model.ResourceRef("Pod", "payments", "..", "uid")),
        model.Operation("force-delete", POD, None, {"gracePeriodSeconds": 0}),
        model.Operation("evict", POD, None, {}),
        model.Operation("create", POD),
        model.Operation("create", POD, None, {"kind": "Job", "metadata": {"name": "x", "namespace": "other"}}),
        model.Operation("create", POD, None, {"kind": "Job", "metadata": {"namespace": "payments"}}),
    ],
)
async def test_an_operation_that_is_not_well_formed_is_not_sent(tmp_path: Path, op: model.Operation) -> None:
    async with servers.serving() as server, servers.connected(server, tmp_path) as over:
        with pytest.raises(ValueError, match=r"uid|well-formed|not a name"):
            await writer.Writer(over).apply(op, resource_version="1", dry_run=False, as_user=None)
    assert server.seen == []


async def test_a_conflict_is_told_as_one(tmp_path: Path) -> None:
    words = 'Operation cannot be fulfilled on deployments.apps "api": the object has been modified'
    async with servers.serving(servers.status(409, words)) as server, servers.connected(server, tmp_path) as over:
        with pytest.raises(errors.Conflict) as caught:
            await writer.Writer(over).apply(
                model.Operation("delete", POD), resource_version="1", dry_run=False, as_user=None
            )
    assert caught.value.message == words
    assert caught.value.what == "delete Pod payments/api-1"
