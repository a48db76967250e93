"""ValidatingAdmissionPolicies: created over the API, they refuse with the words and the code of a real server."""

from typing import Any

import pytest

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.patches import MERGE_PATCH
from tests.demo.cluster.conftest import Answer, Raw, Start

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"
CART = "/apis/apps/v1/namespaces/web/deployments/cart"


def policy(*resources: str, operations: tuple[str, ...] = ("UPDATE",), **validation: Any) -> dict[str, Any]:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": list(operations), "resources": list(resources)}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "web"}}
    spec = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
        "validations": [{"expression": "false", "message": "not on Fridays", **validation}],
    }
    return {"metadata": {"name": "freeze"}, "spec": spec}


def binding(*actions: str) -> dict[str, Any]:
    return {"metadata": {"name": "here"}, "spec": {"policyName": "freeze", "validationActions": list(actions)}}


async def set_up(start: Start, raw: Raw, found: dict[str, Any], *actions: str) -> SimulatedCluster:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=2))])
    for path, body in ((POLICIES, found), (BINDINGS, binding(*(actions or ("Deny",))))):
        answer = await raw(cluster, "POST", path, body=body)
        assert answer.status == 201, answer.json
    return cluster


async def patch(raw: Raw, cluster: SimulatedCluster, path: str = CART) -> Answer:
    return await raw(
        cluster, "PATCH", path, body={"metadata": {"labels": {"x": "y"}}, "spec": {}}, content_type=MERGE_PATCH
    )


async def test_the_refusal_says_forbidden_and_is_a_422(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments"))
    why = "ValidatingAdmissionPolicy 'freeze' with binding 'here' denied request: not on Fridays"
    for query in ("", "?dryRun=All"):
        answer = await patch(raw, cluster, CART + query)
        assert (answer.status, answer.json["reason"], answer.json["code"]) == (422, "Invalid", 422)
        assert answer.json["message"] == f'deployments.apps "cart" is forbidden: {why}'
        causes = [{"message": why}]
        assert answer.json["details"] == {"name": "cart", "group": "apps", "kind": "deployments", "causes": causes}


@pytest.mark.parametrize(("reason", "code"), [("Forbidden", 403), ("Unauthorized", 401), ("Invalid", 422)])
async def test_a_policy_may_name_the_reason(start: Start, raw: Raw, reason: str, code: int) -> None:
    cluster = await set_up(start, raw, policy("deployments", reason=reason))
    answer = await patch(raw, cluster)
    assert (answer.status, answer.json["reason"]) == (code, reason)


async def test_without_a_message_the_expression_stands_for_it(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("*/*", message=None))
    answer = await patch(raw, cluster)
    assert answer.json["message"].endswith("denied request: failed expression: false")


async def test_only_what_matches_is_refused(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments"))
    cluster.apply(scenarios.deployment("cart", "shop", "web/cart:v1"))
    assert (await patch(raw, cluster, CART.replace("/web/", "/shop/"))).status == 200
    scale = await raw(cluster, "PATCH", f"{CART}/scale", body={"spec": {"replicas": 3}}, content_type=MERGE_PATCH)
    assert scale.status == 200
    assert (await raw(cluster, "DELETE", CART)).status == 200


async def test_a_subresource_is_matched_by_its_own_name(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments/scale"))
    answer = await raw(cluster, "PATCH", f"{CART}/scale", body={"spec": {"replicas": 3}}, content_type=MERGE_PATCH)
    assert (answer.status, answer.json["details"]["name"]) == (422, "cart")
    assert (await patch(raw, cluster)).status == 200


async def test_controllers_are_refused_too(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("pods", operations=("CREATE",)))
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 3}})
    await cluster.wait_for(lambda: bool(cluster.events("web", "cart", "FailedCreate")))
    said = cluster.events("web", "cart", "FailedCreate")[0]["message"]
    assert said.startswith('Error creating: pods "cart-')
    assert said.endswith("ValidatingAdmissionPolicy 'freeze' with binding 'here' denied request: not on Fridays")


async def test_evictions_are_a_create_of_the_subresource(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("pods/eviction", operations=("CREATE",)))
    name = cluster.pods("web", "cart")[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/web/pods/{name}"
    assert (await raw(cluster, "POST", f"{path}/eviction", body={})).status == 422
    assert (await raw(cluster, "DELETE", path)).status == 200


async def test_a_policy_without_a_binding_that_denies_does_nothing(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments"), "Audit")
    assert (await patch(raw, cluster)).status == 200
    assert (await raw(cluster, "DELETE", f"{BINDINGS}/here")).status == 200
    assert (await patch(raw, cluster)).status == 200


async def test_a_policy_that_holds_refuses_nothing(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments", expression=" true "))
    assert (await patch(raw, cluster)).status == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"validations": [{"expression": "object.spec.replicas < 5"}]}, "spec.validations[0].expression"),
        ({"validations": []}, "spec.validations"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules"),
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}, "spec.paramKind"),
        ({"validations": [{"expression": "false", "reason": "Teapot"}]}, "spec.validations[0].reason"),
    ],
)
async def test_what_cannot_be_evaluated_is_refused_when_it_is_written(
    start: Start, raw: Raw, change: dict[str, Any], field: str
) -> None:
    cluster = await start()
    found = policy("deployments")
    found["spec"] |= change
    answer = await raw(cluster, "POST", POLICIES, body=found)
    assert (answer.status, answer.json["details"]["causes"][0]["field"]) == (422, field)


async def test_a_binding_needs_a_policy_and_an_action(start: Start, raw: Raw) -> None:
    cluster = await start()
    answer = await raw(cluster, "POST", BINDINGS, body={"metadata": {"name": "here"}, "spec": {}})
    fields = [each["field"] for each in answer.json["details"]["causes"]]
    assert (answer.status, fields) == (422, ["spec.policyName", "spec.validationActions"])


async def test_policies_carry_the_defaults_of_the_server(start: Start, raw: Raw) -> None:
    cluster = await set_up(start, raw, policy("deployments"))
    spec = (await raw(cluster, "GET", f"{POLICIES}/freeze")).json["spec"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["matchConstraints"]["matchPolicy"] == "Equivalent"
    assert spec["matchConstraints"]["objectSelector"] == {}
    assert spec["matchConstraints"]["resourceRules"][0]["scope"] == "*"
