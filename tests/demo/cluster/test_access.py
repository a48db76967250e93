"""Who may do what: tokens, rights, the sentences of refusals, and access reviews."""

from typing import Any

import yaml
from kubernetes.aio import client

from demo.cluster import scenarios
from demo.cluster.patches import MERGE_PATCH
from tests.demo.cluster.conftest import Connect, Raw, Start

API = "/apis/apps/v1/namespaces/payments/deployments/api"


async def test_unknown_tokens_are_401_and_none_is_anonymous(start: Start, raw: Raw) -> None:
    cluster = await start()
    answer = await raw(cluster, "GET", "/api/v1/pods", token="wrong")
    assert answer.status == 401
    assert answer.json["message"] == answer.json["reason"] == "Unauthorized"
    answer = await raw(cluster, "GET", "/api/v1/pods", token="")
    assert answer.status == 403
    assert 'User "system:anonymous" cannot list resource "pods"' in answer.json["message"]
    assert (await raw(cluster, "GET", "/version", token="")).status == 200
    assert (await raw(cluster, "GET", "/apis", token="")).status == 403


async def test_reader_reads_and_does_not_write(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    body = {"spec": {"replicas": 1}}
    answer = await raw(cluster, "PATCH", API, user="reader", body=body, content_type=MERGE_PATCH)
    assert answer.json["message"] == (
        'deployments.apps "api" is forbidden: User "reader" cannot patch resource "deployments" in API group "apps" '
        'in the namespace "payments"'
    )
    assert answer.json["details"] == {"name": "api", "group": "apps", "kind": "deployments"}
    assert (await raw(cluster, "GET", API, user="reader")).status == 200
    assert (await raw(cluster, "PATCH", API, user="writer", body=body, content_type=MERGE_PATCH)).status == 200
    assert (await raw(cluster, "GET", API, user="forbidden")).status == 403
    assert cluster.journal.attempts[0].user == "reader"
    assert len(cluster.journal.writes) == 1


async def test_rights_are_taken_and_given_back(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    cluster.forbid("reader", "list", "pods", "payments")
    answer = await raw(cluster, "GET", "/api/v1/namespaces/payments/pods", user="reader")
    assert answer.json["message"] == (
        'pods is forbidden: User "reader" cannot list resource "pods" in API group "" in the namespace "payments"'
    )
    assert (await raw(cluster, "GET", "/api/v1/pods", user="reader")).status == 200
    cluster.allow("reader", "list", "pods", "payments")
    assert (await raw(cluster, "GET", "/api/v1/namespaces/payments/pods", user="reader")).status == 200
    cluster.forbid("reader", "get", "pods/log")
    name = cluster.pods("payments", "api")[0]["metadata"]["name"]
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/payments/pods/{name}/log", user="reader")
    assert 'cannot get resource "pods/log"' in answer.json["message"]


async def test_access_reviews_answer_from_the_same_rights(start: Start, connect: Connect) -> None:
    cluster = await start()
    cluster.forbid("reader", "list", "secrets")

    async def may(user: str, verb: str, resource: str, group: str = "", subresource: str | None = None) -> bool:
        api: Any = client.AuthorizationV1Api(await connect(cluster, user))
        attributes = client.V1ResourceAttributes(
            verb=verb, resource=resource, group=group, namespace="web", subresource=subresource
        )
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        review = await api.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
        return bool(review.status.allowed)

    assert await may("reader", "list", "pods")
    assert await may("reader", "get", "pods", subresource="log")
    assert not await may("reader", "list", "secrets")
    assert not await may("reader", "patch", "deployments", "apps")
    assert await may("writer", "patch", "deployments", "apps")
    assert await may("writer", "create", "pods", subresource="eviction")
    assert not await may("forbidden", "list", "pods")
    assert cluster.journal.writes == []


async def test_kubeconfig_has_a_context_for_every_user(start: Start) -> None:
    cluster = await start()
    config = yaml.safe_load(cluster.kubeconfig())
    assert {each["name"]: each["context"]["user"] for each in config["contexts"]} == {
        "demo": "reader",
        "demo-reader": "reader",
        "demo-writer": "writer",
        "demo-forbidden": "forbidden",
        "demo-admin": "admin",
    }
    assert config["clusters"][0]["cluster"]["server"] == cluster.url
    assert config["current-context"] == "demo"
