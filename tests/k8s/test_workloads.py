"""Revisions and their proof, the difference of templates, how a rollout proceeds, who owns what."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, workloads
from tests.k8s import raw


def healths(target: model.Target) -> dict[int, str]:
    return {revision.number: revision.health for revision in workloads.revisions(target)}


def deployment(current: str, *sets: model.Json) -> model.Target:
    return raw.target(raw.workload(template=raw.pod_template(current)), replicasets=sets)


# --- revisions ---


def test_a_revision_carries_what_a_card_shows() -> None:
    (third, fourth, _) = workloads.revisions(raw.broken_rollout())
    assert (third.number, third.images, third.change_cause) == (3, ("web:1.3",), "")
    assert fourth.holder == model.ResourceRef("ReplicaSet", "payments", "api-h4", "rs-4")
    assert (fourth.change_cause, fourth.replicas, fourth.ready) == ("release 1.4", 2, 2)
    assert "pod-template-hash" not in fourth.template["metadata"]["labels"]


def test_a_revision_with_ready_pods_serves_and_one_that_lived_long_had_served() -> None:
    assert healths(raw.broken_rollout()) == {3: "served", 4: "serving", 5: "unproven"}


def test_a_revision_that_was_replaced_within_minutes_is_unproven() -> None:
    target = deployment(
        "c", raw.replicaset(1, "a", created=60), raw.replicaset(2, "b", created=55), raw.replicaset(3, "c", created=52)
    )
    assert healths(target) == {1: "unproven", 2: "unproven", 3: "unproven"}


def test_a_revision_that_never_finished_its_rollout_is_unproven_however_long_it_hung() -> None:
    target = deployment(
        "c",
        raw.replicaset(1, "a", created=900, pods=3, ready=3),
        raw.replicaset(2, "b", created=600),
        raw.replicaset(3, "c", created=5, pods=1),
    )
    assert healths(target)[2] == "unproven"
    found = workloads.healthy_revision(target, raw.NOW)
    assert found is not None
    assert found.number == 1


def test_after_a_rollback_a_revision_is_judged_by_the_lives_that_are_known() -> None:
    """1 lived for 5 h, then 2, until 1 was put back as 3, then 4 came: 2 proves nothing, 3 does by its first life."""
    target = deployment(
        "d",
        raw.replicaset(2, "b", created=300),
        raw.replicaset(3, "a", created=600, history="1"),
        raw.replicaset(4, "d", created=5, pods=1),
    )
    assert healths(target) == {2: "unproven", 3: "served", 4: "unproven"}


def test_a_revision_whose_successor_is_missing_is_unproven() -> None:
    target = deployment("d", raw.replicaset(2, "b", created=300), raw.replicaset(4, "d", created=5))
    assert healths(target)[2] == "unproven"


def test_a_revision_with_pods_of_which_none_is_ready_is_unproven() -> None:
    target = deployment("b", raw.replicaset(1, "a", created=300, pods=2), raw.replicaset(2, "b", created=5))
    assert healths(target)[1] == "unproven"


def test_replica_sets_of_others_and_without_a_number_are_no_revisions() -> None:
    odd = raw.replicaset(2, "b")
    odd["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "two"
    target = deployment("a", raw.replicaset(1, "a", owner="another"), odd, {"metadata": None}, {})
    assert workloads.revisions(target) == ()
    assert workloads.current_revision(target) is None
    assert workloads.healthy_revision(target, raw.NOW) is None
    assert workloads.revisions(replace(target, object=None)) == ()


def test_an_odd_revision_history_is_passed_over() -> None:
    target = deployment("b", raw.replicaset(1, "a", created=300, history="x,,²"), raw.replicaset(2, "b", created=5))
    assert healths(target)[1] == "served"


def test_the_current_revision_is_the_one_with_the_template_that_is_asked_for() -> None:
    current = workloads.current_revision(raw.broken_rollout())
    assert current is not None
    assert current.number == 5


def test_before_the_controller_has_seen_a_change_there_is_no_current_revision() -> None:
    target = raw.broken_rollout()
    changed = raw.workload(template=raw.pod_template("web:9"), status={"observedGeneration": 3})
    assert workloads.current_revision(replace(target, object=changed)) is None


def test_a_template_that_reads_otherwise_is_found_by_the_controllers_own_number() -> None:
    defaulted = raw.workload(template=raw.pod_template("web:1.5", imagePullPolicy="Always"), revision=5)
    current = workloads.current_revision(replace(raw.broken_rollout(), object=defaulted))
    assert current is not None
    assert current.number == 5


def test_the_healthy_revision_is_the_newest_earlier_one_that_is_proven() -> None:
    found = workloads.healthy_revision(raw.broken_rollout(), raw.NOW)
    assert found is not None
    assert found.number == 4


def test_pods_that_are_ready_for_moments_prove_nothing() -> None:
    target = deployment(
        "c",
        raw.replicaset(1, "a", created=300),
        raw.replicaset(2, "b", created=0.5, ready=1, pods=1),
        raw.replicaset(3, "c", created=0),
    )
    assert healths(target)[2] == "serving"
    found = workloads.healthy_revision(target, raw.NOW)
    assert found is not None
    assert found.number == 1


def down(since: float) -> model.Json:
    condition = {"type": "Available", "status": "False", "lastTransitionTime": raw.at(since)}
    return {"conditions": [condition]}


def test_only_what_was_before_a_deployment_stopped_being_available_counts_as_service() -> None:
    target = deployment(
        "c", raw.replicaset(1, "a", created=900), raw.replicaset(2, "b", created=300), raw.replicaset(3, "c")
    )
    for since, proven in ((899.0, set()), (280.0, {1, 2}), (295.0, {1}), (60.0, {1, 2})):
        obj = raw.workload(template=raw.pod_template("c"), status=down(since))
        found = {number for number, health in healths(replace(target, object=obj)).items() if health == "served"}
        assert found == proven, since
    up = {"conditions": [{"type": "Available", "status": "True", "lastTransitionTime": raw.at(899)}]}
    obj = raw.workload(template=raw.pod_template("c"), status=up)
    assert healths(replace(target, object=obj))[1] == "served"


@pytest.mark.parametrize(
    ("restarts", "started", "since", "healthy"),
    [(0, 300, 299, True), (0, 300, 0.5, False), (9, 3, 3, False), (9, 20, 20, True)],
    ids=["never-restarted", "ready-for-a-moment", "between-two-crashes", "restarted-long-ago"],
)
def test_a_revision_whose_pods_are_only_ready_between_two_crashes_does_not_serve(
    restarts: int, started: float, since: float, healthy: bool
) -> None:
    status = {"name": "web", "restartCount": restarts, "state": {"running": {"startedAt": raw.at(started)}}}
    pod = raw.pod("api-h1-a", owner=("ReplicaSet", "rs-1"), since=since, containers=[status])
    sets = (raw.replicaset(1, "a", created=900, pods=1, ready=1), raw.replicaset(2, "b", created=5, pods=1))
    target = replace(deployment("b", *sets), pods=(pod,))
    assert (workloads.healthy_revision(target, raw.NOW) is not None) is healthy


def test_a_revision_that_is_known_to_have_failed_is_healthy_only_by_the_pods_that_serve() -> None:
    sets = (raw.replicaset(1, "a", created=900), raw.replicaset(2, "b", created=5, pods=1))
    target = deployment("b", *sets)
    assert workloads.healthy_revision(target, raw.NOW) is not None
    assert workloads.healthy_revision(target, raw.NOW, {1}) is None
    ready = replace(target, replicasets=(raw.replicaset(1, "a", created=900, pods=1, ready=1), sets[1]))
    assert workloads.healthy_revision(ready, raw.NOW, {1}) is None
    seen = replace(ready, pods=(raw.pod("api-h1-a", owner=("ReplicaSet", "rs-1")),))
    assert workloads.healthy_revision(seen, raw.NOW, {1}) is not None


def test_where_nothing_is_proven_there_is_no_healthy_revision() -> None:
    target = deployment("b", raw.replicaset(1, "a", created=8), raw.replicaset(2, "b", created=5, pods=3))
    assert workloads.current_revision(target) is not None
    assert workloads.healthy_revision(target, raw.NOW) is None


def test_a_restart_of_what_is_broken_is_no_way_back() -> None:
    restarted = raw.pod_template("b")
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": raw.at(5)}
    target = raw.target(
        raw.workload(template=restarted),
        replicasets=(
            raw.replicaset(1, "a", created=900),
            raw.replicaset(2, "b", created=300),
            raw.replicaset(3, "", created=5, template=restarted, pods=1),
        ),
    )
    found = workloads.healthy_revision(target, raw.NOW)
    assert found is not None
    assert found.number == 1


# --- templates ---


def test_the_hash_is_that_of_the_deployment_and_of_its_replica_set() -> None:
    own = raw.pod_template("web:1.4")
    held = raw.replicaset(4, "web:1.4")["spec"]["template"]
    assert own != held
    assert workloads.template_hash(own) == workloads.template_hash(held)
    assert workloads.template_diff(own, held) == ()


def test_an_empty_field_is_not_a_missing_one() -> None:
    scratch = {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}
    assert workloads.template_hash(scratch) != workloads.template_hash({"spec": {"volumes": [{"name": "tmp"}]}})


def spec_of(**spec: Any) -> model.Json:
    return {"spec": {"containers": [{"name": "web", "image": "web:1"}], **spec}}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"image": "web:1"}, {"image": "web:2"}, "image: web:1 → web:2"),
        ({}, {"image": "web:2"}, "image: none → web:2"),
        ({"env": [{"name": "A", "value": "s1"}]}, {"env": []}, "env A removed"),
        ({}, {"env": [{"name": "A", "value": "s1"}]}, "env A added"),
        ({"env": [{"name": "A", "value": "s1"}]}, {"env": [{"name": "A", "value": "s2"}]}, "env A changed"),
        (
            {},
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]},
            "env A added (from Secret db, key url)",
        ),
        (
            {"env": [{"name": "A", "value": "s1"}]},
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
            "env A now from ConfigMap c, key k",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},
            "env A now from spec.nodeName",
        ),
        ({}, {"envFrom": [{"secretRef": {"name": "db"}}, {"prefix": "X_"}]}, "env from Secret db added"),
        ({"envFrom": [{"configMapRef": {"name": "c"}}]}, {}, "env from ConfigMap c removed"),
        ({"command": ["a"]}, {"command": ["b"]}, "command changed"),
        ({}, {"args": ["--token=s1"]}, "arguments added"),
        (
            {"resources": {"limits": {"memory": "256Mi"}}},
            {"resources": {"limits": {"memory": "128Mi"}}},
            "memory limit 256Mi → 128Mi",
        ),
        ({"resources": {"requests": {"cpu": "1"}}}, {}, "cpu request 1 → none"),
        ({}, {"resources": {"requests": {"cpu": 2}}}, "cpu request none → 2"),
        ({}, {"livenessProbe": {"httpGet": {}}}, "liveness probe added"),
        (
            {"readinessProbe": {"periodSeconds": 5, "timeoutSeconds": 1, "httpGet": {"path": "/a"}}},
            {"readinessProbe": {"periodSeconds": 9, "timeoutSeconds": 1, "httpGet": {"path": "/b"}}},
            "readiness probe changed: httpGet, periodSeconds 5 → 9",
        ),
        ({"ports": [{"containerPort": 80}]}, {}, "port 80/TCP removed"),
        ({}, {"volumeMounts": [{"name": "v", "mountPath": "/x"}]}, "mount /x added"),
        ({}, {"imagePullPolicy": "Always"}, "imagePullPolicy added"),
    ],
)
def test_each_change_of_a_container_is_one_line(old: model.Json, new: model.Json, line: str) -> None:
    before, after = ({"spec": {"containers": [{"name": "web", **each}]}} for each in (old, new))
    assert workloads.template_diff(before, after) == (line,)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (spec_of(), spec_of(serviceAccountName="robot"), "service account: default → robot"),
        (
            spec_of(),
            spec_of(volumes=[{"name": "v", "configMap": {"name": "c"}}]),
            "volume v added (ConfigMap c)",
        ),
        (
            spec_of(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
            spec_of(),
            "volume v removed (Secret s)",
        ),
        (
            spec_of(volumes=[{"name": "v", "emptyDir": {}}]),
            spec_of(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]),
            "volume v changed (emptyDir)",
        ),
        (spec_of(volumes=[{"name": "v"}]), spec_of(), "volume v removed"),
        (spec_of(nodeSelector={"a": "b"}), spec_of(nodeSelector={"a": "c"}), "nodeSelector changed"),
        (spec_of(), spec_of(initContainers=[{"name": "prepare"}]), "init container prepare added"),
        (
            spec_of(initContainers=[{"name": "prepare", "image": "p:1"}]),
            spec_of(initContainers=[{"name": "prepare", "image": "p:2"}]),
            "init prepare: image: p:1 → p:2",
        ),
        (spec_of(), {**spec_of(), "metadata": {"labels": {"tier": "x"}}}, "label tier added"),
        (
            {**spec_of(), "metadata": {"annotations": {"checksum/config": "1"}}},
            {**spec_of(), "metadata": {"annotations": {"checksum/config": "2"}}},
            "annotation checksum/config changed",
        ),
    ],
)
def test_each_change_of_the_pod_is_one_line(old: model.Json, new: model.Json, line: str) -> None:
    assert workloads.template_diff(old, new) == (line,)


def test_with_more_than_one_container_each_line_names_its_own() -> None:
    def pair(image: str) -> model.Json:
        return {"spec": {"containers": [{"name": "web", "image": image}, {"name": "proxy", "image": "p"}]}}

    assert workloads.template_diff(pair("web:1"), pair("web:2")) == ("web: image: web:1 → web:2",)
    assert workloads.template_diff(
        pair("web:1"), {"spec": {"containers": pair("web:1")["spec"]["containers"][:1]}}
    ) == ("container proxy removed",)


names = st.sampled_from(("A", "B", "C"))
environments = st.dictionaries(names, st.text(alphabet="xyzXYZ0123456789", min_size=8, max_size=12), max_size=3)


@settings(deadline=None, max_examples=100)
@given(environments, environments, st.lists(st.from_regex(r"--k=[xyz]{8}", fullmatch=True), max_size=2))
def test_values_and_arguments_are_never_shown(old: dict[str, str], new: dict[str, str], args: list[str]) -> None:
    def made(values: dict[str, str], words: list[str]) -> model.Json:
        return raw.pod_template(env=[{"name": key, "value": value} for key, value in values.items()], args=words)

    lines = workloads.template_diff(made(old, args), made(new, []))
    assert bool(lines) == (old != new or bool(args))
    assert not any(secret in line for line in lines for secret in (*old.values(), *new.values(), *args))


# --- how a rollout proceeds ---


@pytest.mark.parametrize(
    ("kind", "spec", "away"),
    [
        ("Deployment", {}, 0),
        ("Deployment", {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}}, 1),
        ("Deployment", {"strategy": {"rollingUpdate": {"maxUnavailable": "50%", "maxSurge": 0}}}, 1),
        ("Deployment", {"strategy": {"rollingUpdate": {"maxUnavailable": 9}}}, 3),
        ("Deployment", {"strategy": {"rollingUpdate": {"maxUnavailable": "x%", "maxSurge": True}}}, 0),
        ("Deployment", {"strategy": {"type": "Recreate"}}, 3),
        ("StatefulSet", {}, 1),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "70%"}}}, 2),
        ("DaemonSet", {}, 1),
        ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "40%"}}}, 2),
        ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}, 0),
    ],
)
def test_how_many_pods_go_at_a_time_is_what_the_controller_works_out(
    kind: str, spec: dict[str, Any], away: int
) -> None:
    assert workloads.unavailable_at_once(raw.workload(kind, **spec), kind) == away


def test_the_pace_is_said_in_words() -> None:
    assert workloads.pace(raw.workload("DaemonSet"), "DaemonSet") == "at most 1 unavailable at a time"
    recreate = raw.workload(strategy={"type": "Recreate"})
    assert workloads.pace(recreate, "Deployment") == "all stopped before the new ones start"


def test_the_headroom_is_that_of_the_tightest_budget() -> None:
    target = replace(raw.target(None), budgets=({"status": {"disruptionsAllowed": 2}}, {"status": {}}))
    assert workloads.headroom(target) == 0
    assert workloads.headroom(raw.target(None)) is None


# --- owners ---


def test_a_pod_belongs_to_whom_its_controllers_lead() -> None:
    sets = (raw.replicaset(4, "a"), raw.replicaset(5, "b"))
    assert workloads.belongs(raw.pod(), raw.workload(), "Deployment", sets)
    assert not workloads.belongs(raw.pod(owner=("ReplicaSet", "rs-6")), raw.workload(), "Deployment", sets)
    assert not workloads.belongs(raw.pod(), {}, "Deployment", sets)
    assert not workloads.belongs(raw.pod(owner=("Job", "x")), raw.workload(), "Deployment", sets)
    stateful = raw.pod(owner=("StatefulSet", raw.OWNER_UID))
    assert workloads.belongs(stateful, raw.workload("StatefulSet"), "StatefulSet", ())
    assert not workloads.belongs(stateful, raw.workload(), "Deployment", ())
    aside = raw.pod()
    aside["metadata"]["ownerReferences"][0]["controller"] = False
    assert not workloads.belongs(aside, raw.workload(), "Deployment", sets)


@pytest.mark.parametrize(
    ("metadata", "owners"),
    [
        ({}, ()),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/y"}},
            ("Argo CD (application shop)",),
        ),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, ("Argo CD (application shop)",)),
        ({"annotations": {"argocd.argoproj.io/instance": "shop"}}, ("Argo CD (application shop)",)),
        ({"labels": {"app.kubernetes.io/instance": "shop"}}, ()),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, ("Flux (Kustomization apps)",)),
        (
            {"labels": {"helm.toolkit.fluxcd.io/name": "web", "app.kubernetes.io/managed-by": "Helm"}},
            ("Flux (HelmRelease web)",),
        ),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, ("Helm",)),
        ({"annotations": {"meta.helm.sh/release-name": "web"}}, ("Helm (release web)",)),
        ({"labels": {"app.kubernetes.io/managed-by": "kustomize"}}, ()),
    ],
)
def test_who_else_writes_the_object_is_known_by_its_marks(metadata: model.Json, owners: tuple[str, ...]) -> None:
    assert workloads.gitops({"metadata": metadata}) == owners


# --- revisions of a StatefulSet or DaemonSet ------------------------------------------------------------------------

KINDS = pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])


def proofs(target: model.Target) -> list[str]:
    return [revision.health for revision in workloads.revisions(target)]


@KINDS
def test_controller_revisions_are_revisions(kind: str) -> None:
    target = raw.stuck(kind)
    (first, second, third) = workloads.revisions(target)
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert second.holder == model.ResourceRef("ControllerRevision", "payments", "api-h2", "cr-2")
    assert second.template == raw.pod_template("web:1.4")
    assert (second.images, second.replicas, second.ready) == (("web:1.4",), 2, 2)
    assert proofs(target) == ["served", "serving", "unproven"]
    current, good = workloads.current_revision(target), workloads.healthy_revision(target, raw.NOW)
    assert (current and current.number, good and good.number) == (3, 2)


@KINDS
def test_without_ready_pods_only_a_chain_from_the_first_revision_on_proves_service(kind: str) -> None:
    target = replace(raw.stuck(kind), pods=())
    assert proofs(target) == ["served", "served", "unproven"]
    gap = (raw.revision(1, kind=kind, created=600), raw.revision(3, kind=kind, created=300))
    assert proofs(replace(target, revisions=(*gap, raw.revision(4, kind=kind, created=10)))) == ["unproven"] * 3
    dropped = (raw.revision(7, kind=kind, created=600), raw.revision(8, kind=kind, created=300))
    assert proofs(replace(target, revisions=dropped)) == ["unproven"] * 2
    short = (raw.revision(1, kind=kind, created=19), raw.revision(2, kind=kind, created=10))
    assert proofs(replace(target, revisions=short)) == ["unproven"] * 2
    dateless = raw.revision(1, kind=kind)
    del dateless["metadata"]["creationTimestamp"]
    assert proofs(replace(target, revisions=(dateless, raw.revision(2, kind=kind, created=1)))) == ["unproven"] * 2


@KINDS
def test_a_revision_whose_rollout_never_finished_is_unproven(kind: str) -> None:
    old = raw.revision_pod(1, "api-0", kind=kind, ready=False)
    assert proofs(replace(raw.stuck(kind), pods=(old,))) == ["unproven"] * 3


@KINDS
def test_revisions_of_somebody_else_or_without_a_number_are_none(kind: str) -> None:
    odd = [raw.revision(1, kind=kind, owner="another"), raw.revision(0, kind=kind), raw.revision(2, kind=kind)]
    odd[2]["revision"] = "2"
    assert workloads.revisions(replace(raw.stuck(kind), revisions=tuple(odd))) == ()
    assert workloads.current_revision(replace(raw.stuck(kind), revisions=tuple(odd))) is None


def test_pods_that_are_going_speak_for_no_revision() -> None:
    going = raw.revision_pod(2, "api-0", deletionTimestamp=raw.at(1))
    assert proofs(replace(raw.stuck(), pods=(going,))) == ["served", "served", "unproven"]


@pytest.mark.parametrize(("update", "number"), [("api-h2", 2), ("api-h9", None), ("", None)])
def test_a_template_that_an_admission_webhook_changed_is_found_by_the_status(update: str, number: int | None) -> None:
    other = raw.workload("StatefulSet", template=raw.pod_template("web:1.6"), status={"updateRevision": update})
    found = workloads.current_revision(replace(raw.stuck(), object=other))
    assert (found and found.number) == number
