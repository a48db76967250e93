"""Setting a variable: only as an earlier revision had it, and its value never shown. The common rules of both."""

import copy
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.cluster import patches
from k8s import catalogue, guardrails, model, variables
from tests.k8s import raw
from tests.k8s.actions import examples
from tests.k8s.actions.variables import ENV, KEYED, SECRET, between, body, drop, put


def test_a_variable_that_was_lost_comes_back_where_it_stood() -> None:
    plan = catalogue.plan(put(), examples.changed(), raw.NOW)
    assert body(put(), examples.changed()) == [
        {"op": "add", "path": f"{ENV}/1", "value": {"name": "DB_URL", "value": SECRET}}
    ]
    assert plan.kubectl == "kubectl -n payments set env deployment/api --containers=web --env=-"
    assert plan.summary == (
        "Adds variable DB_URL of container web of Deployment payments/api as what revision 4 has: restarts 3 pods, "
        "each old pod kept until a new one is ready."
    )
    assert plan.inverse == model.UnsetEnv(raw.API, "web", "DB_URL", 5)


def test_a_variable_that_was_changed_is_replaced_after_a_test_that_it_stands_there() -> None:
    assert body(put("LOG"), examples.changed()) == [
        {"op": "test", "path": f"{ENV}/0/name", "value": "LOG"},
        {"op": "replace", "path": f"{ENV}/0", "value": {"name": "LOG", "value": "info"}},
    ]
    plan = catalogue.plan(put("LOG"), examples.changed(), raw.NOW)
    assert plan.inverse == put("LOG", 5)
    assert plan.summary.startswith("Changes variable LOG of container web of Deployment payments/api back to what")


def test_a_container_without_any_variable_gets_its_first() -> None:
    assert body(put(), between([KEYED], None)) == [{"op": "add", "path": ENV, "value": [KEYED]}]
    assert body(put(), between([KEYED], [])) == [{"op": "add", "path": ENV, "value": [KEYED]}]


def test_a_reference_is_put_back_as_a_reference_and_told() -> None:
    target = between([KEYED], [{"name": "DB_URL", "value": "x"}])
    assert body(put(), target)[-1]["value"] == KEYED
    assert "It comes from Secret db, key url, as that is today." in catalogue.plan(put(), target, raw.NOW).blast.note


def test_an_empty_value_is_a_value() -> None:
    assert body(put(), between([{"name": "DB_URL"}], []))[-1]["value"] == [{"name": "DB_URL"}]


TWICE = [{"name": "DB_URL", "value": "1"}, {"name": "DB_URL", "value": "2"}]


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        (put("OTHER"), examples.changed(), "Revision 4 of payments/api has no variable OTHER"),
        (put(revision=9), examples.changed(), "has no revision 9 with container web (it has 4, 5)"),
        (put(revision=5), examples.changed(), "Revision 5 of payments/api is the current one"),
        (put(container="x"), examples.changed(), "has no container x (it has web)"),
        (put(), between([KEYED], [KEYED]), "Variable DB_URL of payments/api is as in revision 4"),
        (put(), between(TWICE, []), "stands more than once"),
        (put(), between([KEYED], TWICE), "stands more than once"),
        (put(), between([{**KEYED, "odd": 1}], []), "is no value and no reference"),
        (put(), examples.changed(paused=True), "is paused"),
        (drop("OTHER"), examples.changed(), "Container web of payments/api has no variable OTHER"),
        (drop("LOG"), examples.changed(), "Revision 4 of payments/api had variable LOG too"),
        (drop(revision=5), examples.changed(), "Revision 5 of payments/api is the current one"),
        (drop(revision=3), examples.changed(), "has no revision 3"),
        (drop(), replace(examples.changed(), object=None), "is gone"),
    ],
)
def test_what_stands_in_the_way_is_said(action: model.Action, target: model.Target, said: str) -> None:
    (problem,) = catalogue.problems(action, target)
    assert said in problem


@pytest.mark.parametrize("action", [put("OTHER"), put(revision=9), drop("OTHER"), drop(revision=9), put(container="x")])
def test_what_is_not_there_cannot_be_planned(action: model.Action) -> None:
    with pytest.raises(LookupError):
        catalogue.plan(action, examples.changed(), raw.NOW)


@pytest.mark.parametrize("action", [put(), put("LOG"), drop()])
def test_no_value_is_in_what_people_or_the_record_are_shown(action: model.Action) -> None:
    plan = catalogue.plan(action, examples.changed(), raw.NOW)
    shown = msgspec.json.encode([action, dict(plan.pins), plan.kubectl, plan.summary, plan.blast, plan.inverse])
    values = [each["value"] for each in (*examples.GOOD["env"], *examples.BAD["env"])]
    assert not any(value in shown.decode() for value in values if value != "1")


@pytest.mark.parametrize("container", ["other", "web"])
def test_two_steps_of_another_shape_are_no_such_operation(container: str) -> None:
    (operation,) = catalogue.plan(put("LOG"), examples.changed(), raw.NOW).operations
    assert isinstance(operation.body, list)
    named, tested, replaced = operation.body
    remedy, action = catalogue.REMEDIES["set-env"], put("LOG", container=container)
    for steps in (
        [tested, tested],
        [replaced, tested],
        [{**tested, "value": "X"}, replaced],
        [tested, replaced, tested],
    ):
        assert not remedy.shaped(msgspec.structs.replace(operation, body=[named, *steps]), action)
    other = {**replaced, "value": {"name": "PATH", "value": "/"}}
    assert not remedy.shaped(msgspec.structs.replace(operation, body=[named, tested, other]), action)
    assert remedy.shaped(operation, action) == (container == "web")


def test_a_revision_that_nothing_shows_to_have_worked_is_no_source() -> None:
    target = replace(
        examples.changed(),
        replicasets=(
            raw.replicaset(4, "", created=11, template=raw.pod_template("web:1.4", **examples.GOOD)),
            examples.changed().replicasets[1],
        ),
    )
    for action in (put(), drop()):
        verdict = guardrails.judge(
            action,
            catalogue.plan(action, target, raw.NOW),
            target,
            subject=raw.API,
            policy=guardrails.Policy(approvers=("U1",)),
            history=guardrails.History(),
            mode="approve",
            now=raw.NOW,
        )
        assert verdict.reasons == ("Nothing shows that revision 4 of payments/api ever worked.",)


def test_what_was_changed_since_is_told() -> None:
    set_env, unset_env = catalogue.REMEDIES["set-env"], catalogue.REMEDIES["unset-env"]
    assert "was changed since" in set_env.overridden(put(), examples.changed())
    assert "was changed since" in set_env.overridden(put("LOG"), examples.changed())
    assert "was set again since" in unset_env.overridden(drop(), examples.changed())


@pytest.mark.parametrize("name", ["", "-x", "A B", "A=1", "$(x)", "1A", "A\n", "a" * 300, "ä"])
@pytest.mark.parametrize("action", ["set-env", "unset-env"])
def test_what_is_no_variable_is_no_action(action: str, name: str) -> None:
    tree = {"action": action, "workload": {"kind": "Deployment", "namespace": "a", "name": "b"}, "container": "c"}
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "variable": name, "revision": 1})
    assert caught.value.field == "variable"
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "variable": "A", "revision": 0})
    assert caught.value.field == "revision"
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "variable": "A", "revision": 1, "value": "x"})
    assert caught.value.field == ""


entries = st.lists(
    st.builds(lambda name, value: {"name": name, "value": value}, st.sampled_from("ABCD"), st.sampled_from("xyz")),
    max_size=4,
    unique_by=lambda entry: entry["name"],
)


@settings(deadline=None, max_examples=200)
@given(entries, entries, st.sampled_from("ABCD"), st.booleans())
def test_what_is_written_is_what_the_revision_had_and_nothing_else_moves(
    before: list[model.Json], after: list[model.Json], name: str, setting: bool
) -> None:
    action = put(name) if setting else drop(name)
    target = between(before, after)
    if catalogue.problems(action, target):
        return
    plan = catalogue.plan(action, target, raw.NOW)
    assert target.object is not None
    written = patches.apply_patch(copy.deepcopy(target.object), plan.operations[0].body, "application/json-patch+json")
    env = written["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [each for each in env if each["name"] == name] == [each for each in before if each["name"] == name]
    assert [each for each in env if each["name"] != name] == [each for each in after if each["name"] != name]
    assert catalogue.applied(action, plan.operations, replace(target, object=written))
    assert not catalogue.applied(action, plan.operations, target)


def test_a_list_that_is_none_has_no_places() -> None:
    assert variables.position(put(), between(None, {"name": "odd"})) is None
