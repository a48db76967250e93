"""Services without endpoints: what is behind them, what they may have meant, and when nothing can be said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection, model
from k8s.detectors import services
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "ServiceNoEndpoints"
WEB = model.ResourceRef("Deployment", "shop", "web", "uid-web")


def test_pods_that_are_all_not_ready_fold_into_the_workload_behind_the_service() -> None:
    pods = [a.web(ready=False, name=f"web-{number}", since=since) for number, since in enumerate((900, 300, 600))]
    finding = b.only(
        KIND, services=[a.service()], endpointslices=[a.endpoints(False, False)], **b.whole(*pods, ready=0)
    )
    assert (finding.resource.kind, finding.owner, finding.severity) == ("Service", WEB, "P1")
    assert finding.message == "Service web has no ready endpoint: none of the 3 pods of Deployment web is ready."
    assert finding.since == b.moment(300), "the last pod that went took the Service with it"
    assert (finding.facts["class"], finding.facts["matched"]) == ("not-ready", "3")


def test_a_single_pod_is_told_as_one() -> None:
    finding = b.only(KIND, services=[a.service()], **b.whole(a.web(ready=False), ready=0))
    assert finding.message.endswith("the one pod of Deployment web is not ready.")


def test_one_thread_tells_of_the_workload_and_its_service() -> None:
    lists = b.whole(a.web(ready=False), ready=0)
    (problem,) = detection.detect(b.snapshot(services=[a.service()], **lists)).problems
    assert (problem.subject, problem.kinds) == (WEB, ("ReplicasMissing", KIND))


def test_a_workload_that_wants_pods_and_has_none_is_behind_its_service() -> None:
    deployment = a.templated(b.deployment(ready=0, status={"replicas": 0}))
    finding = b.only(KIND, services=[a.service()], deployments=[deployment])
    assert (finding.owner, finding.facts["class"]) == (WEB, "no-pods")
    assert finding.message == "Service web has no ready endpoint: Deployment web has no pods."
    assert finding.since == b.NOW, "pods that are gone tell no time: sweeps must see it for its grace"


@pytest.mark.parametrize(
    ("selector", "nearest"),
    [
        ({"app": "webb"}, "app=web would match 3 pods"),
        ({"name": "web"}, "app=web would match 3 pods"),
        ({"app": "web", "tier": "frnt"}, "app=web,tier=front would match 2 pods"),
        ({"app": "billing"}, ""),
        ({"app": "webb", "tier": "frnt"}, ""),
    ],
)
def test_a_selector_that_matches_nothing_names_the_nearest_that_would(selector: dict[str, str], nearest: str) -> None:
    pods = [
        a.web(ready=True, name=f"web-{number}", labels=a.WEB | {"tier": tier})
        for number, tier in enumerate(("front", "front", "back"))
    ]
    finding = b.only(KIND, services=[a.service(selector=selector)], pods=pods)
    assert finding.owner.kind == "Service"
    assert finding.severity == "P2"
    told = ",".join(f"{key}={value}" for key, value in selector.items())
    hint = f"; {nearest}" if nearest else ""
    assert finding.message == f"Service web has no ready endpoint: its selector {told} matches no pod{hint}."
    assert finding.facts.get("nearest", "") == nearest.partition(" ")[0]


def test_pods_that_are_finished_or_of_another_namespace_are_not_meant() -> None:
    done = b.pod("web-1", [], phase="Failed", ready=False, labels=a.WEB)
    other = b.pod("web-2", namespace="other", labels=a.WEB)
    finding = b.only(KIND, services=[a.service(selector={"app": "webb"})], pods=[done, other])
    assert "nearest" not in finding.facts


def test_labels_of_single_pods_are_meant_where_a_service_names_them_and_only_there() -> None:
    ordinal = {"statefulset.kubernetes.io/pod-name": "db-0"}
    pod = b.pod("db-0", [b.running(ready=False)], owner=b.controlled("StatefulSet", "db"), labels=ordinal | a.WEB)
    finding = b.only(KIND, services=[a.service(selector=ordinal)], pods=[pod])
    assert finding.owner == model.ResourceRef("StatefulSet", "shop", "db", "uid-db")


def test_an_ingress_that_leads_to_it_makes_it_worse() -> None:
    lists = {"services": [a.service(selector={"app": "gone"})], "ingresses": [a.ingress()]}
    assert b.only(KIND, **lists).severity == "P1"
    lists["ingresses"] = [a.ingress(to="other")]
    assert b.only(KIND, **lists).severity == "P2"


def test_a_ready_pod_whose_endpoint_is_on_its_way_is_enough() -> None:
    pods = [a.web(ready=False, name="web-1"), a.web(ready=True, name="web-2")]
    assert b.findings(KIND, services=[a.service()], endpointslices=[a.endpoints()], pods=pods) == []


def test_two_services_of_one_workload_are_two_findings_in_one_problem() -> None:
    both = [a.service("web"), a.service("web-admin")]
    found = detection.detect(b.snapshot(services=both, **b.whole(a.web(ready=False), ready=0)))
    (problem,) = found.problems
    assert [finding.cause for finding in problem.findings if finding.kind == KIND] == [
        "web-admin: not ready",
        "web: not ready",
    ]


@pytest.mark.parametrize("name", services.reads)
@pytest.mark.parametrize("how", ["degraded", "unread"])
def test_nothing_is_said_where_a_list_that_it_rests_on_was_not_seen(name: str, how: str) -> None:
    whole = b.snapshot(services=[a.service()])
    assert detection.detect(whole).findings
    assert not detection.detect(a.gap(whole, how, name)).findings


@pytest.mark.parametrize(("since", "mature"), [(119, False), (120, True)])
def test_it_must_hold_for_its_grace(since: float, mature: bool) -> None:
    lists = b.whole(a.web(ready=False, since=since), ready=0)
    finding = b.only(KIND, services=[a.service()], **lists)
    assert (b.NOW - finding.since >= finding.grace) is mature


def test_odd_services_and_slices_say_nothing() -> None:
    nameless = {"metadata": {}, "spec": {"selector": None, "ports": None, "type": None}}
    slices: list[b.Json] = [{"metadata": {"labels": None}, "endpoints": None}, {"endpoints": [{"conditions": None}]}]
    assert b.findings(KIND, services=[nameless, {}], endpointslices=slices) == []


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["web", "webb", "db", ""]), max_size=3)


@settings(deadline=None, max_examples=60)
@given(st.lists(LABELS, max_size=5), LABELS.filter(bool))
def test_what_a_selector_matches_is_counted_and_what_is_proposed_instead_matches_as_many_as_it_says(
    labels: list[dict[str, str]], selector: dict[str, str]
) -> None:
    pods = [a.web(ready=False, name=f"p{number}", labels=each) for number, each in enumerate(labels)]
    finding = b.only(KIND, services=[a.service(selector=selector)], pods=pods)
    matching = sum(selector.items() <= each.items() for each in labels)
    assert finding.facts["matched"] == str(matching)
    assert (finding.facts["class"] == "no-match") is (matching == 0)
    if "nearest" in finding.facts:
        told = dict(part.split("=", 1) for part in finding.facts["nearest"].split(","))
        assert sum(told.items() <= each.items() for each in labels) == int(finding.facts["nearest_pods"]) > 0
