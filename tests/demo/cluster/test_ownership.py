"""managedFields of the simulated cluster: who set what, when the time moves, and that metadata can be read alone."""

from typing import Any

from demo.cluster import ownership, scenarios
from demo.cluster.patches import MERGE_PATCH
from tests.demo.cluster.conftest import Raw, Start

PATH = "/api/v1/namespaces/shop/configmaps/app"


def written(before: Any, after: dict[str, Any], manager: str, now: str) -> dict[str, Any]:
    obj: dict[str, Any] = {"metadata": {"name": "app"}, **after}
    ownership.record(obj, before, api_version="v1", manager=manager, subresource="", now=now)
    return obj


def entries(obj: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    return {each["manager"]: (each["time"], each["fieldsV1"]) for each in obj["metadata"].get("managedFields", [])}


def test_a_field_goes_to_whoever_set_it_last() -> None:
    made = written(None, {"data": {"a": "1", "b": "1"}}, "helm", "T1")
    edited = written(made, {"data": {"a": "2", "b": "1"}}, "kubectl-edit", "T2")
    assert entries(edited) == {
        "helm": ("T1", {"f:data": {"f:b": {}}}),
        "kubectl-edit": ("T2", {"f:data": {"f:a": {}}}),
    }
    back = written(edited, {"data": {"a": "3", "b": "3"}}, "helm", "T3")
    assert entries(back) == {"helm": ("T3", {"f:data": {"f:a": {}, "f:b": {}}})}


def test_a_write_that_sets_nothing_moves_no_time_and_a_removal_none_either() -> None:
    made = written(None, {"data": {"a": "1", "b": "1"}}, "helm", "T1")
    same = written(made, {"data": {"a": "1", "b": "1"}}, "kubectl-edit", "T2")
    assert entries(same) == entries(made)
    less = written(same, {"data": {"a": "1"}}, "kubectl-edit", "T3")
    assert entries(less) == {"helm": ("T1", {"f:data": {"f:a": {}}})}


def test_lists_and_empty_objects_are_owned_as_a_whole() -> None:
    made = written(None, {"spec": {"taints": [{"key": "a"}], "selector": {}, "on": False}}, "helm", "T1")
    assert entries(made) == {"helm": ("T1", {"f:spec": {"f:taints": {}, "f:selector": {}, "f:on": {}}})}


async def test_a_client_goes_by_its_field_manager_or_its_agent_and_cannot_write_the_entries(
    start: Start, raw: Raw
) -> None:
    cluster = await start()
    cluster.apply(scenarios.config_map("app", "shop", a="1"))
    forged = {"metadata": {"managedFields": []}, "data": {"b": "1"}}
    await raw(cluster, "PATCH", f"{PATH}?fieldManager=flux", body=forged, content_type=MERGE_PATCH)
    agent = {"User-Agent": "kubectl/v1.34.0 (linux/amd64)"}
    await raw(cluster, "PATCH", PATH, body={"data": {"c": "1"}}, content_type=MERGE_PATCH, headers=agent)
    found = entries(cluster.get("configmaps", "app", "shop"))
    assert {manager: sorted(tree.get("f:data", {})) for manager, (_, tree) in found.items()} == {
        "kubectl-client-side-apply": ["f:a"],
        "flux": ["f:b"],
        "kubectl": ["f:c"],
    }


async def test_the_metadata_of_an_object_is_read_without_its_data(start: Start, raw: Raw) -> None:
    cluster = await start()
    cluster.apply(scenarios.secret("app", "shop", token="c2VjcmV0"))
    accept = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
    answer = await raw(cluster, "GET", "/api/v1/namespaces/shop/secrets/app", headers=accept)
    assert answer.json["kind"] == "PartialObjectMetadata"
    assert set(answer.json) == {"kind", "apiVersion", "metadata"}
    assert answer.json["metadata"]["managedFields"][0]["manager"] == "kubectl-client-side-apply"
    assert b"c2VjcmV0" not in answer.body


async def test_a_dry_run_shows_the_entry_and_keeps_none(start: Start, raw: Raw) -> None:
    cluster = await start()
    cluster.apply(scenarios.config_map("app", "shop", a="1"))
    path = f"{PATH}?fieldManager=flux&dryRun=All"
    answer = await raw(cluster, "PATCH", path, body={"data": {"b": "1"}}, content_type=MERGE_PATCH)
    assert "flux" in entries(answer.json)
    assert "flux" not in entries(cluster.get("configmaps", "app", "shop"))
