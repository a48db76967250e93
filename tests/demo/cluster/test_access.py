"""Who may do what: tokens, rights, the sentences of refusals, and access reviews."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio import client

from demo.cluster import scenarios
from demo.cluster.access import OPTIONAL, READER, WRITER, PolicyRule
from demo.cluster.patches import MERGE_PATCH
from tests.demo.cluster.conftest import Connect, Raw, Start

API = "/apis/apps/v1/namespaces/payments/deployments/api"
RULES_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
ROLES = {
    each["metadata"]["name"]: each["rules"]
    for each in yaml.safe_load_all((Path(__file__).parents[3] / "deploy/rbac.yaml").read_text())
    if each and each["kind"] == "ClusterRole"
}


@pytest.mark.parametrize(
    ("role", "rules"), [("watchkeeper-reader", READER), ("watchkeeper-writer", WRITER), *OPTIONAL.items()]
)
def test_the_users_have_the_roles_that_are_shipped(role: str, rules: tuple[PolicyRule, ...]) -> None:
    assert [each.as_json() for each in rules] == ROLES[role]


@pytest.mark.parametrize(
    ("rule", "verb", "group", "resource", "allowed"),
    [
        (PolicyRule(("",), ("pods",), ("get",)), "get", "", "pods", True),
        (PolicyRule(("",), ("pods",), ("get",)), "get", "", "pods/log", False),
        (PolicyRule(("",), ("pods",), ("get",)), "get", "apps", "pods", False),
        (PolicyRule(("",), ("pods",), ("get",)), "list", "", "pods", False),
        (PolicyRule(("*",), ("*",), ("*",)), "list", "apps", "deployments/scale", True),
        (PolicyRule(("apps",), ("*/scale",), ("patch",)), "patch", "apps", "deployments/scale", True),
        (PolicyRule(("apps",), ("*/scale",), ("patch",)), "patch", "apps", "deployments", False),
    ],
)
def test_a_rule_covers_what_rbac_says(rule: PolicyRule, verb: str, group: str, resource: str, allowed: bool) -> None:
    assert rule.allows(verb, group, resource) is allowed


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
    answer = await raw(cluster, "GET", "/logs", user="reader")
    assert answer.json["message"] == 'forbidden: User "reader" cannot get path "/logs"'
    assert (await raw(cluster, "GET", "/logs", user="admin")).status == 404


async def test_a_resource_that_is_not_served_is_authorized_before_it_is_not_found(start: Start, raw: Raw) -> None:
    cluster = await start()
    path = "/apis/apps/v1/namespaces/web/gadgets/one"
    answer = await raw(cluster, "GET", path, user="reader")
    assert answer.json["message"] == (
        'gadgets.apps "one" is forbidden: User "reader" cannot get resource "gadgets" in API group "apps" '
        'in the namespace "web"'
    )
    answer = await raw(cluster, "GET", path, user="admin")
    assert (answer.status, answer.json["reason"], answer.json["details"]) == (404, "NotFound", {})


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


async def test_a_right_in_one_namespace_is_none_in_another(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    cluster.apply(scenarios.secret("settings", "payments"))
    path = "/api/v1/namespaces/payments/secrets/settings"
    assert (await raw(cluster, "GET", path, user="reader")).status == 403
    cluster.allow("reader", "get", "secrets", "payments")
    assert (await raw(cluster, "GET", path, user="reader")).status == 200
    assert (await raw(cluster, "GET", "/api/v1/namespaces/web/secrets/settings", user="reader")).status == 403


async def test_neither_identity_sees_what_its_role_does_not_name(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    for path in ("secrets", "configmaps", "limitranges/x", "serviceaccounts"):
        assert (await raw(cluster, "GET", f"/api/v1/namespaces/payments/{path}", user="reader")).status == 403
    for path in ("nodes", "events", "secrets"):
        assert (await raw(cluster, "GET", f"/api/v1/{path}", user="writer")).status == 403
    answer = await raw(cluster, "PUT", API, user="writer", body=cluster.get("deployments", "api", "payments"))
    assert 'User "writer" cannot update resource "deployments" in API group "apps"' in answer.json["message"]


async def test_access_reviews_answer_from_the_same_rights(start: Start, connect: Connect) -> None:
    cluster = await start()
    cluster.forbid("reader", "list", "nodes")

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
    assert not await may("reader", "list", "nodes")
    assert not await may("reader", "list", "deployments")
    assert not await may("reader", "list", "secrets")
    assert not await may("reader", "patch", "deployments", "apps")
    assert await may("writer", "patch", "deployments", "apps")
    assert await may("writer", "patch", "deployments", "apps", subresource="scale")
    assert await may("writer", "create", "pods", subresource="eviction")
    assert not await may("writer", "create", "pods")
    assert not await may("forbidden", "list", "pods")
    assert cluster.journal.writes == []


async def test_a_review_says_which_binding_allows(start: Start, raw: Raw) -> None:
    cluster = await start()
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    attributes = {"verb": "list", "resource": "pods", "namespace": "web"}
    answer = await raw(cluster, "POST", path, user="reader", body={"spec": {"resourceAttributes": attributes}})
    assert (answer.status, answer.json["status"]) == (
        201,
        {
            "allowed": True,
            "reason": 'RBAC: allowed by ClusterRoleBinding "watchkeeper-reader" of ClusterRole "watchkeeper-reader" '
            'to User "reader"',
        },
    )
    body = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert (await raw(cluster, "POST", path, user="reader", body=body)).json["status"] == {"allowed": False}
    body = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/apis/apps"}}}
    assert (await raw(cluster, "POST", path, user="reader", body=body)).json["status"]["allowed"]
    answer = await raw(cluster, "POST", path, user="reader", body={"spec": {}})
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")


async def test_a_rules_review_lists_what_is_left(start: Start, raw: Raw) -> None:
    cluster = await start()
    body = {"spec": {"namespace": "web"}}
    answer = await raw(cluster, "POST", RULES_REVIEW, user="reader", body=body)
    basic = 2
    assert (answer.status, answer.json["kind"]) == (201, "SelfSubjectRulesReview")
    assert answer.json["status"]["resourceRules"][basic:] == ROLES["watchkeeper-reader"]
    assert {"verbs": ["get"], "nonResourceURLs": ["/livez", "/readyz", "/healthz", "/version", "/version/"]} in (
        answer.json["status"]["nonResourceRules"]
    )
    cluster.forbid("reader", "get", "pods/log")
    cluster.forbid("reader", "list", "pods", "web")
    rules = (await raw(cluster, "POST", RULES_REVIEW, user="reader", body=body)).json["status"]["resourceRules"]
    assert {"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["pods"]} in rules
    assert not any("pods/log" in each["resources"] for each in rules)
    body = {"spec": {"namespace": "payments"}}
    rules = (await raw(cluster, "POST", RULES_REVIEW, user="reader", body=body)).json["status"]["resourceRules"]
    assert ROLES["watchkeeper-reader"][0] in rules
    answer = await raw(cluster, "POST", RULES_REVIEW, user="reader", body={"spec": {}})
    assert (answer.status, answer.json["message"]) == (400, "no namespace on request")


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
