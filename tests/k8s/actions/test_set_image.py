"""Setting an image: only one that this container of this workload ran before."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import catalogue, guardrails, model
from tests.k8s import raw
from tests.k8s.actions import examples

DIGEST = "sha256:" + "a" * 64


def to(image: str = "web:1.4", container: str = "web", workload: model.ResourceRef = raw.API) -> model.SetImage:
    return model.SetImage(workload, container, image)


def told() -> model.Target:
    """A pod of revision 4 tells its digest."""
    status = {"name": "web", "image": "web:1.4", "imageID": f"docker.io/library/web@{DIGEST}"}
    return replace(examples.changed(), pods=(raw.pod("old", owner=("ReplicaSet", "rs-4"), containers=[status]),))


def test_it_writes_the_image_of_one_container_and_tests_what_was_there() -> None:
    plan = catalogue.plan(to(), examples.changed(), raw.NOW)
    (operation,) = plan.operations
    path = "/spec/template/spec/containers/0"
    assert operation.body == [
        {"op": "test", "path": f"{path}/name", "value": "web"},
        {"op": "test", "path": f"{path}/image", "value": "web:1.5"},
        {"op": "replace", "path": f"{path}/image", "value": "web:1.4"},
    ]
    assert plan.kubectl == "kubectl -n payments set image deployment/api web=web:1.4"
    assert plan.summary == (
        "Sets the image of container web of Deployment payments/api from web:1.5 to web:1.4: restarts 3 pods, "
        "each old pod kept until a new one is ready."
    )
    assert (plan.risk, plan.inverse) == ("medium", to("web:1.5"))
    assert plan.pins["image"] == "web:1.5"


def test_an_init_container_is_found_by_its_name() -> None:
    def template(image: str) -> model.Json:
        made = raw.pod_template()
        made["spec"]["initContainers"] = [{"name": "first", "image": "x"}, {"name": "setup", "image": image}]
        return made

    sets = (raw.replicaset(4, "", pods=1, ready=1, template=template("s:1")),)
    target = replace(
        raw.broken_rollout(),
        object=raw.workload(template=template("s:2")),
        replicasets=(*sets, raw.replicaset(5, "", template=template("s:2"))),
    )
    assert catalogue.problems(to("s:1", "setup"), target) == ()
    body = catalogue.plan(to("s:1", "setup"), target, raw.NOW).operations[0].body
    assert isinstance(body, list)
    assert body[-1]["path"] == "/spec/template/spec/initContainers/1/image"


@pytest.mark.parametrize(
    ("action", "spec", "said"),
    [
        (to("web:9"), {}, "No earlier revision of payments/api ran web:9 in container web (these did: web:1.4)"),
        (to("web"), {}, "No earlier revision"),
        (to("evil.example/web:1.4"), {}, "No earlier revision"),
        (to(f"web@{DIGEST}"), {}, "No earlier revision"),
        (to("web:1.5"), {}, "has image web:1.5 already"),
        (to("web:1.4", "other"), {}, "has no container other (it has web)"),
        (to(), {"paused": True}, "is paused"),
    ],
)
def test_what_stands_in_the_way_is_said(action: model.SetImage, spec: dict[str, Any], said: str) -> None:
    (problem,) = catalogue.problems(action, examples.changed(**spec))
    assert said in problem


def test_an_image_of_another_container_does_not_count() -> None:
    def template(*images: str) -> model.Json:
        made = raw.pod_template()
        made["spec"]["containers"] = [{"name": f"c{at}", "image": image} for at, image in enumerate(images)]
        return made

    target = replace(
        raw.broken_rollout(),
        object=raw.workload(template=template("a:2", "b:2")),
        replicasets=(
            raw.replicaset(4, "", pods=1, ready=1, template=template("a:1", "b:1")),
            raw.replicaset(5, "", template=template("a:2", "b:2")),
        ),
    )
    assert catalogue.problems(to("a:1", "c0"), target) == ()
    (problem,) = catalogue.problems(to("b:1", "c0"), target)
    assert "these did: a:1" in problem


def test_by_digest_it_may_be_set_where_pods_of_that_revision_tell_it() -> None:
    assert catalogue.problems(to(f"web@{DIGEST}"), told()) == ()
    plan = catalogue.plan(to(f"web@{DIGEST}"), told(), raw.NOW)
    assert plan.blast.note == ""
    by_tag = catalogue.plan(to(), told(), raw.NOW).blast.note
    assert by_tag == f"By its tag, which may have been moved since: that revision ran web@{DIGEST}."
    unknown = catalogue.plan(to(), examples.changed(), raw.NOW).blast.note
    assert unknown.endswith("its digest is not known.")


@pytest.mark.parametrize(("pods", "created", "allowed"), [(1, 300, True), (0, 300, True), (0, 12, False)])
def test_an_image_that_nothing_shows_to_have_worked_is_denied_by_the_policy(
    pods: int, created: float, allowed: bool
) -> None:
    sets = (raw.replicaset(4, "web:1.4", created=created, pods=pods, ready=pods), raw.replicaset(5, "web:1.5"))
    sets[1]["metadata"]["creationTimestamp"] = raw.at(10)
    target = replace(raw.broken_rollout(), replicasets=sets)
    verdict = guardrails.judge(
        to(),
        catalogue.plan(to(), target, raw.NOW),
        target,
        subject=raw.API,
        policy=guardrails.Policy(approvers=("U1",)),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )
    assert verdict.allowed == allowed, verdict.reasons
    if not allowed:
        assert verdict.reasons == ("Nothing shows that payments/api ever worked with web:1.4.",)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_of_other_kinds_the_controller_revisions_are_asked(kind: str) -> None:
    action = to(workload=raw.ref(kind))
    assert catalogue.problems(action, raw.stuck(kind)) == ()
    plan = catalogue.plan(action, raw.stuck(kind), raw.NOW)
    assert plan.risk == ("high" if kind == "StatefulSet" else "medium")
    assert plan.inverse == to("web:1.5", workload=raw.ref(kind))


def test_without_a_recorded_current_revision_there_is_no_way_back() -> None:
    newer = raw.workload(template=raw.pod_template("web:1.6"), status={"observedGeneration": 3})
    plan = catalogue.plan(to(), replace(raw.broken_rollout(), object=newer), raw.NOW)
    assert (plan.inverse, "no recorded revision" in plan.irreversible) == (None, True)


def test_an_image_that_was_set_since_is_told() -> None:
    target = replace(examples.changed(), object=raw.workload(template=raw.pod_template("web:2")))
    remedy = catalogue.remedy_for(to())
    assert remedy.overridden(to(), target) == "Container web of payments/api was set to web:2 since."


@pytest.mark.parametrize("image", ["", " ", "a b", "-x", "a;b", "$(x)", "web:1\n", "x" * 600, "ä", "`id`", "a=b"])
def test_what_is_no_image_is_no_action(image: str) -> None:
    tree = {"action": "set-image", "workload": {"kind": "Deployment", "namespace": "a", "name": "b"}}
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "container": "web", "image": image})
    assert caught.value.field == "image"
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "container": "Web!", "image": "web:1"})
    assert caught.value.field == "container"


@settings(deadline=None, max_examples=150)
@given(st.from_regex(r"[a-z0-9][a-z0-9./:@-]{0,20}", fullmatch=True))
def test_nothing_but_an_image_of_an_earlier_revision_is_ever_planned(image: str) -> None:
    for target in (examples.changed(), raw.broken_rollout(), told()):
        known = {"web:1.4", "web:1.3", f"web@{DIGEST}"}
        assert image in known or catalogue.problems(to(image), target)


def test_a_container_without_an_image_is_left_alone() -> None:
    bare = raw.pod_template()
    del bare["spec"]["containers"][0]["image"]
    (problem,) = catalogue.problems(to(), replace(examples.changed(), object=raw.workload(template=bare)))
    assert "has no image that could be changed" in problem


def test_a_missing_container_cannot_be_planned() -> None:
    with pytest.raises(LookupError):
        catalogue.plan(to(container="other"), examples.changed(), raw.NOW)
