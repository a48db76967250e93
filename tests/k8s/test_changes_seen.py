"""Changes out of raw objects: rollouts, what a template refers to, replicas, autoscalers, nodes, and their authors."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import changes_seen, model, references, writers
from tests.k8s import raw

CONFIG = references.Reference("ConfigMap", "app", frozenset({"web"}))


def wrote(manager: str, minutes: float, owned: Any = None, *, operation: str = "Update", subresource: str = "") -> Any:
    """An entry of managedFields, so many minutes before NOW."""
    entry = {"manager": manager, "operation": operation, "apiVersion": "v1", "time": raw.at(minutes)}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": owned if owned is not None else {"f:data": {"f:URL": {}}}}
    return entry | ({"subresource": subresource} if subresource else {})


def config(*entries: Any, created: float = 600) -> model.Json:
    metadata = {"name": "app", "namespace": "payments", "uid": "cm-1", "creationTimestamp": raw.at(created)}
    return {"metadata": metadata | {"managedFields": list(entries)}}


# --- authors ----------------------------------------------------------------------------------------------------------


def test_the_newest_write_of_a_person_counts_and_the_cluster_itself_is_no_author() -> None:
    found = writers.writes(
        config(
            wrote("helm", 50),
            wrote("kubectl-edit", 3),
            wrote("kube-controller-manager", 1),
            wrote("argocd-controller", 2, subresource="status"),
            wrote("flux", 9, operation="Apply"),
        )
    )
    assert [each.by for each in found] == ["kubectl-edit", "flux (server-side apply)", "helm"]


def test_a_write_touches_what_it_owns_and_everything_where_it_does_not_say() -> None:
    tree = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}, "f:metadata": {"f:labels": {"f:a": {}}}}
    (write,) = writers.writes(config(wrote("kubectl-set", 1, tree)))
    assert write.touches("spec", "template")
    assert write.touches("spec", "template", "spec", "containers", "image")
    assert not write.touches("spec", "replicas")
    assert not write.touches("data")
    assert write.names("metadata", "labels") == ("a",)
    (silent,) = writers.writes(config(wrote("odd", 1, {})))
    assert silent.touches("data")
    assert (
        writers.last(config(wrote("kubectl-label", 1, {"f:metadata": {}}), wrote("helm", 9)), ("data",))
        == (writers.writes(config(wrote("helm", 9)))[0])
    )


# --- references -------------------------------------------------------------------------------------------------------


def test_every_place_of_a_template_that_names_one_is_found_with_its_containers() -> None:
    template = {
        "spec": {
            "initContainers": [
                {"name": "init", "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "a"}}}]}
            ],
            "containers": [
                {
                    "name": "web",
                    "env": [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "token", "key": "b"}}}],
                    "envFrom": [{"configMapRef": {"name": "one"}}, {"secretRef": {"name": "token"}}],
                    "volumeMounts": [{"name": "files", "mountPath": "/a"}, {"name": "both", "mountPath": "/b"}],
                },
                {"name": "proxy", "volumeMounts": [{"name": "both", "mountPath": "/b"}]},
            ],
            "volumes": [
                {"name": "files", "configMap": {"name": "two"}},
                {"name": "unused", "secret": {"secretName": "spare"}},
                {
                    "name": "both",
                    "projected": {
                        "sources": [
                            {"configMap": {"name": "three"}},
                            {"secret": {"name": "keys"}},
                            {"configMap": {"name": "kube-root-ca.crt"}},
                            {"serviceAccountToken": {"path": "token"}},
                        ]
                    },
                },
            ],
            "imagePullSecrets": [{"name": "pull"}, {"name": "token"}],
        }
    }
    found = {(each.kind, each.name): (set(each.containers), each.pulls) for each in references.of(template)}
    assert found == {
        ("ConfigMap", "one"): ({"init", "web"}, False),
        ("ConfigMap", "two"): ({"web"}, False),
        ("ConfigMap", "three"): ({"web", "proxy"}, False),
        ("Secret", "keys"): ({"web", "proxy"}, False),
        ("Secret", "pull"): (set(), True),
        ("Secret", "spare"): (set(), False),
        ("Secret", "token"): ({"web"}, False),
    }


# --- ConfigMaps and Secrets -------------------------------------------------------------------------------------------


def test_a_config_map_tells_when_by_whom_and_which_keys() -> None:
    found = changes_seen.reconfigured(
        config(
            wrote("helm", 600, {"f:data": {"f:URL": {}}}), wrote("kubectl-edit", 3, {"f:data": {"f:LOG_LEVEL": {}}})
        ),
        CONFIG,
        "payments",
    )
    assert found is not None
    assert (found.what, found.by, found.detail) == ("ConfigMap payments/app was changed", "kubectl-edit", "LOG_LEVEL")
    assert found.at == raw.NOW - timedelta(minutes=3)
    assert found.kind == "config"
    assert (set(found.aspects), set(found.containers)) == ({"configuration"}, {"web"})


def test_what_the_only_writer_owns_is_not_told_as_what_it_changed() -> None:
    found = changes_seen.reconfigured(config(wrote("helm", 3)), CONFIG, "payments")
    assert found is not None
    assert found.what.endswith("was changed")
    assert found.detail == ""


def test_a_label_is_no_change_of_a_config_map() -> None:
    label = wrote("kubectl-label", 1, {"f:metadata": {"f:labels": {"f:a": {}}}})
    found = changes_seen.reconfigured(config(wrote("helm", 90), label), CONFIG, "payments")
    assert found is not None
    assert found.by == "helm"


def test_one_that_was_made_lately_was_created_and_one_without_entries_tells_its_age() -> None:
    made = changes_seen.reconfigured(config(wrote("helm", 5), created=5), CONFIG, "payments")
    assert made is not None
    assert (made.what, made.by) == ("ConfigMap payments/app was created", "helm")
    bare = changes_seen.reconfigured(config(created=5), CONFIG, "payments")
    assert bare is not None
    assert (bare.what, bare.by) == ("ConfigMap payments/app was created", "")
    assert changes_seen.reconfigured({"metadata": {}}, CONFIG, "payments") is None


def test_of_a_secret_no_key_is_told() -> None:
    secret = references.Reference("Secret", "pull", frozenset(), pulls=True)
    entries = (wrote("helm", 600), wrote("kubectl-edit", 3, {"f:data": {"f:password": {}}}))
    found = changes_seen.reconfigured(config(*entries), secret, "payments")
    assert found is not None
    assert (found.kind, found.what, found.detail) == ("secret", "Secret payments/pull was changed", "")
    assert found.aspects == {"credentials"}


# --- rollouts ---------------------------------------------------------------------------------------------------------


def revision(number: int, image: str, created: float, *, owner: str = raw.OWNER_UID, **more: Any) -> model.Json:
    template = raw.pod_template(image) | {"$patch": "replace"}
    reference = {"kind": "StatefulSet", "name": "api", "uid": owner, "controller": True}
    metadata = {"name": f"api-{number}", "namespace": "payments", "creationTimestamp": raw.at(created)} | more
    return {
        "metadata": metadata | {"ownerReferences": [reference]},
        "revision": number,
        "data": {"spec": {"template": template}},
    }


def stateful(*entries: Any) -> model.Target:
    obj = raw.workload("StatefulSet", metadata={"managedFields": list(entries), "creationTimestamp": raw.at(9000)})
    return model.Target(raw.ref("StatefulSet"), obj, raw.NOW)


TEMPLATE: model.Json = {"f:spec": {"f:template": {"f:spec": {}}}}


def test_the_rollout_of_a_stateful_set_is_read_from_its_revisions() -> None:
    target = stateful(wrote("kubectl-set", 5, TEMPLATE), wrote("kubectl-annotate", 1, {"f:metadata": {}}))
    others = revision(9, "foreign:1", 1, owner="somebody-else")
    cause: dict[str, Any] = {"annotations": {"kubernetes.io/change-cause": "new engine"}}
    found = changes_seen.by_revisions(target, [revision(3, "db:2", 5, **cause), others, revision(2, "db:1", 700)])
    assert found is not None
    assert (found.number, found.previous, found.lines) == (3, 2, ("image: db:1 → db:2",))
    change = changes_seen.rolled_out(found, target.object)
    assert change is not None
    assert change.what == 'StatefulSet payments/api was rolled out as revision 3 ("new engine")'
    assert (change.detail, change.by, set(change.aspects)) == ("image: db:1 → db:2", "kubectl-set", {"image"})


def test_a_revision_that_was_rolled_back_to_is_older_than_its_rollout() -> None:
    target = stateful(wrote("kubectl-rollout", 5, TEMPLATE))
    found = changes_seen.by_revisions(target, [revision(3, "db:2", 60), revision(4, "db:1", 700)])
    assert found is not None
    assert found.created is None
    change = changes_seen.rolled_out(found, target.object)
    assert change is not None
    assert change.at == raw.NOW - timedelta(minutes=5)
    assert changes_seen.rolled_out(found, stateful().object) is None


def test_a_later_write_of_the_template_is_not_the_author_of_an_earlier_rollout() -> None:
    target = stateful(wrote("kubectl-edit", 1, TEMPLATE))
    found = changes_seen.by_revisions(target, [revision(3, "db:2", 60), revision(2, "db:1", 700)])
    assert found is not None
    change = changes_seen.rolled_out(found, target.object)
    assert change is not None
    assert (change.by, change.at) == ("", raw.NOW - timedelta(minutes=60))


def test_a_restart_changes_nothing_by_itself() -> None:
    lines = ("annotation kubectl.kubernetes.io/restartedAt changed",)
    rollout = changes_seen.Rollout(raw.API, 4, 3, lines, raw.NOW)
    change = changes_seen.rolled_out(rollout, None)
    assert change is not None
    assert (change.kind, change.aspects) == ("restart", frozenset())
    assert change.what == "Deployment payments/api was restarted"


def test_one_revision_is_no_rollout() -> None:
    assert changes_seen.by_revisions(stateful(), [revision(1, "db:1", 5)]) is None
    assert changes_seen.by_revisions(model.Target(raw.ref(), None, raw.NOW), [revision(1, "db:1", 5)] * 2) is None


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_new_workload_and_a_scaled_one_are_told_with_their_authors() -> None:
    target = stateful(
        wrote("helm", 9000, {"f:spec": {}}),
        wrote("kubectl", 4, {"f:spec": {"f:replicas": {}}}, subresource="scale"),
    )
    made, scaled = changes_seen.created(target), changes_seen.rescaled(target)
    assert made is not None
    assert scaled is not None
    assert (made.what, made.by) == ("StatefulSet payments/api was created", "helm")
    assert (scaled.what, scaled.by) == ("StatefulSet payments/api was scaled (to 3 by now)", "kubectl")
    assert changes_seen.rescaled(stateful()) is None


def test_an_autoscaler_that_was_changed_and_one_that_scaled_are_two_changes() -> None:
    autoscaler = {
        "metadata": {
            "name": "api",
            "namespace": "payments",
            "creationTimestamp": raw.at(900),
            "managedFields": [wrote("kubectl-edit", 7, {"f:spec": {"f:maxReplicas": {}}})],
        },
        "status": {"lastScaleTime": raw.at(2), "desiredReplicas": 8},
    }
    target = model.Target(raw.API, raw.workload(), raw.NOW, autoscalers=(autoscaler,))
    changed, scaled = changes_seen.autoscaled(target)
    assert (changed.what, changed.by) == ("HorizontalPodAutoscaler payments/api was changed", "kubectl-edit")
    assert scaled.what == "HorizontalPodAutoscaler payments/api scaled Deployment payments/api (to 8 by now)"
    assert not changed.direct


def node(name: str = "w1", *, ready: str = "True", cordoned: float | None = None) -> model.Json:
    taints = [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": raw.at(1)}]
    if cordoned is not None:
        taints += [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": raw.at(cordoned)},
            {"key": "team", "effect": "NoExecute", "timeAdded": raw.at(cordoned)},
        ]
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": raw.at(800),
            "managedFields": [wrote("kubectl-cordon", 6, {"f:spec": {"f:unschedulable": {}}})],
        },
        "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": raw.at(3)}]},
    }


def test_nodes_tell_of_cordons_taints_and_their_condition() -> None:
    found = [(each.what, each.by) for each in changes_seen.nodes([node(cordoned=6)], raw.API)]
    assert found == [
        ("Node w1 joined", ""),
        ("Node w1 was cordoned", "kubectl-cordon"),
        ("Node w1 was given the taint team:NoExecute", ""),
        ("Node w1 became ready", ""),
    ]


def test_the_condition_of_the_failing_node_is_no_cause_of_itself() -> None:
    subject = model.ResourceRef("Node", "", "w1")
    found = [(each.what, each.direct) for each in changes_seen.nodes([node(ready="False")], subject)]
    assert found == [("Node w1 joined", True)]


KEYS = [
    "metadata",
    "managedFields",
    "manager",
    "operation",
    "time",
    "fieldsV1",
    "f:data",
    "f:spec",
    "spec",
    "template",
    "containers",
    "env",
    "envFrom",
    "volumes",
    "projected",
    "sources",
    "name",
    "valueFrom",
    "configMapKeyRef",
    "configMapRef",
    "imagePullSecrets",
    "taints",
    "key",
    "timeAdded",
    "status",
    "type",
    "conditions",
    "lastTransitionTime",
    "lastScaleTime",
    "revision",
    "ownerReferences",
    "creationTimestamp",
    "annotations",
    "replicas",
    "uid",
    "controller",
    "data",
    "volumeMounts",
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", raw.at(3), "status", "f:data"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data", "revision"]), ODD))
def test_odd_objects_never_raise(odd: model.Json) -> None:
    target = model.Target(raw.API, odd, raw.NOW, autoscalers=(odd,))
    rollout = changes_seen.Rollout(raw.API, 2, 1, ("image: a → b",), None)
    references.of(odd)
    changes_seen.reconfigured(odd, CONFIG, "payments")
    changes_seen.by_revisions(target, [odd, odd])
    changes_seen.rolled_out(rollout, odd)
    changes_seen.created(target)
    changes_seen.rescaled(target)
    assert isinstance([*changes_seen.autoscaled(target), *changes_seen.nodes([odd], raw.API)], list)


@pytest.mark.parametrize("odd", [None, [], "text", {"metadata": None}, {"metadata": {"managedFields": [None, 3]}}])
def test_an_object_without_metadata_was_written_by_nobody(odd: object) -> None:
    assert writers.writes(odd) == ()
