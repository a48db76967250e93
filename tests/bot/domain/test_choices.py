"""Choosing by hand: what is offered can be done, what is entered is bounded, no action of the catalogue is missing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from bot import errors
from bot.domain import choices, edits, forms, picks
from k8s import catalogue, fields, model, policy
from tests.k8s import raw
from tests.k8s.actions import examples

OF_AN_EXAMPLE = sorted(set(examples.EXAMPLES) & set(choices.WAYS))


def sight(example: examples.Example, **changes: Any) -> picks.Sight:
    """What a fresh read of the example's workload shows: its object is one of those around it."""
    action, target = example.action, example.target
    if action.workload.same(target.ref):
        return picks.Sight(replace(target, ref=action.workload), ("LogErrors",), raw.NOW, **changes)
    obj = target.object or {}
    places: Mapping[str, dict[str, Any]] = {
        "Pod": {"pods": (obj,)},
        "HorizontalPodAutoscaler": {"autoscalers": (obj,)},
        "Job": {"extras": ({"kind": "Job", **obj}, *target.extras)},
    }
    around = places[target.ref.kind]
    seen = replace(target, ref=action.workload, object=target.owner, owner=None, **around)
    return picks.Sight(seen, ("LogErrors",), raw.NOW, **changes)


def api() -> picks.Sight:
    return picks.Sight(replace(examples.changed(), ref=raw.API), ("CrashLoopBackOff",), raw.NOW)


def test_every_action_of_the_catalogue_can_be_chosen_or_is_named_with_a_reason() -> None:
    for name in catalogue.REMEDIES:
        assert (choices.way(name) is None) == (name in choices.NOT_BY_HAND), name
    assert set(choices.WAYS) | set(choices.NOT_BY_HAND) <= set(catalogue.REMEDIES)
    assert not set(choices.WAYS) & set(choices.NOT_BY_HAND)
    assert all(choices.NOT_BY_HAND.values())


@pytest.mark.parametrize("name", OF_AN_EXAMPLE)
def test_what_can_be_done_is_offered_with_all_that_there_is_to_choose(name: str) -> None:
    example = examples.EXAMPLES[name]
    rules = policy.Policy()
    if isinstance(example.action, model.ExecCommand):
        action = example.action
        entry = policy.Command(name=action.command, line=" ".join(action.argv), seconds=action.seconds)
        rules = policy.Policy(commands=(policy.Commands(entries=(entry,)),))
    seen = sight(example, rules=rules)
    assert name in [one.name for one in choices.options(seen)]
    menu = choices.menu(seen, name)
    assert (menu.why_not, menu.never) == ("", catalogue.REMEDIES[name].never)
    values = {one.name: one.value or (one.choices[0].value if one.choices else "") for one in menu.fields}
    if choices.WAYS[name].form is None:
        made = choices.made(name, values, seen)
        assert model.name_of(made) == name
        assert picks.against(seen, made) == ()


def test_what_cannot_be_done_is_not_offered_and_it_is_said_why_where_it_is_picked_all_the_same() -> None:
    seen = api()
    assert "rollout-resume" not in [one.name for one in choices.options(seen)]
    menu = choices.menu(seen, "rollout-resume")
    assert (menu.fields, "is not paused" in menu.why_not) == ((), True)
    assert "is not for a Deployment" in choices.menu(seen, "cordon").why_not
    with pytest.raises(errors.NotPossible):
        choices.fields_of("no-such-thing", seen)
    with pytest.raises(edits.Wrong):
        choices.made("cordon", {}, seen)


def test_options_come_by_risk() -> None:
    risks = [one.risk for one in choices.options(api())]
    assert risks == sorted(risks, key=["low", "medium", "high"].index)
    assert len(set(risks)) > 1


def test_pods_that_are_not_ready_come_first_with_their_state() -> None:
    owner = ("ReplicaSet", "rs-5")
    well = raw.pod(name="api-h5-a", uid="pod-a", owner=owner)
    ill = raw.pod(name="api-h5-b", uid="pod-b", owner=owner, ready=False)
    ill["status"]["containerStatuses"] = [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    seen = replace(api(), target=replace(api().target, pods=(well, ill)))
    (field,) = choices.fields_of("delete-pod", seen)
    assert [one.label for one in field.choices] == ["api-h5-b · CrashLoopBackOff", "api-h5-a · ready"]
    made = choices.made("delete-pod", {choices.CHOICE: field.choices[0].value}, seen)
    assert isinstance(made, model.DeletePod)
    assert made.pod.uid == "pod-b"


def test_what_was_chosen_is_what_is_made_or_nothing_is() -> None:
    (field,) = choices.fields_of("rollout-undo", api())
    assert choices.made("rollout-undo", {choices.CHOICE: field.choices[0].value}, api()) == model.RolloutUndo(
        raw.API, 4
    )
    for token in ("", "4", "0" * 24):
        with pytest.raises(edits.Wrong) as wrong:
            choices.made("rollout-undo", {choices.CHOICE: token}, api())
        assert wrong.value.faults == {choices.CHOICE: forms.GONE}


def test_variables_go_by_name_and_revision_and_a_value_is_never_shown() -> None:
    (back,) = choices.fields_of("set-env", api())
    (away,) = choices.fields_of("unset-env", api())
    assert {one.label for one in back.choices} == {
        "web: LOG · as in revision 4",
        "web: DB_URL · as in revision 4",
    }
    assert [one.label for one in away.choices] == ["web: TRACE · not in revision 4"]
    assert "postgres" not in str((back, away))


def test_amounts_are_asked_for_by_container_and_in_their_units() -> None:
    container, *amounts = choices.fields_of("set-resources", api())
    assert (container.value, [one.name for one in amounts]) == (
        "web",
        ["cpu_request", "memory_request", "cpu_limit", "memory_limit"],
    )
    assert container.choices[0].label == "web · memory limit 256Mi, cpu request 250m, memory request 128Mi"
    made = choices.made("set-resources", {"container": "web", "memory_limit": "0.5Gi"}, api())
    assert made == model.SetResources(raw.API, "web", memory_limit="512Mi")
    for values, field in (
        ({"container": "web", "memory_limit": "much"}, "memory_limit"),
        ({"container": "gone", "memory_limit": "1Gi"}, "container"),
    ):
        with pytest.raises(edits.Wrong) as wrong:
            choices.made("set-resources", values, api())
        assert list(wrong.value.faults) == [field]


def test_bounds_of_the_autoscaler_are_those_that_it_has() -> None:
    seen = sight(examples.EXAMPLES["set-autoscaler"])
    least, most = choices.fields_of("set-autoscaler", seen)
    assert (least.value, most.value) == ("2", "10")
    assert choices.made("set-autoscaler", {"least": "3", "most": "12"}, seen) == model.SetAutoscaler(
        examples.HPA, raw.API, 3, 12
    )
    with pytest.raises(edits.Wrong) as wrong:
        choices.made("set-autoscaler", {"least": "9", "most": "3"}, seen)
    assert list(wrong.value.faults) == ["most"]


def test_a_mute_adds_to_what_is_muted_and_can_be_lifted() -> None:
    seen = api()
    obj = {
        **seen.object,
        "metadata": {**seen.object["metadata"], "annotations": {"watchkeeper.io/ignore": "OOMKilled"}},
    }
    marked = replace(seen, target=replace(seen.target, object=obj))
    (field,) = choices.fields_of("annotate-mute", marked)
    made = [choices.made("annotate-mute", {choices.CHOICE: one.value}, marked) for one in field.choices]
    assert made == [
        model.AnnotateMute(raw.API, ("CrashLoopBackOff", "OOMKilled")),
        model.AnnotateMute(raw.API, ()),
    ]


def test_a_command_is_offered_only_where_the_policy_lists_it() -> None:
    running = raw.pod(owner=("ReplicaSet", "rs-5"))
    seen = replace(api(), target=replace(api().target, pods=(running,)))
    assert "exec-command" not in [one.name for one in choices.options(seen)]
    with pytest.raises(errors.NotPossible):
        choices.fields_of("exec-command", seen)


@hypothesis.given(
    st.sampled_from(sorted(choices.WAYS)),
    st.dictionaries(
        st.sampled_from([choices.CHOICE, "replicas", "container", "least", "most", "cpu_limit"]), st.text()
    ),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_whatever_is_entered_makes_an_action_on_the_subject_or_is_told_by_field(
    name: str, values: Mapping[str, str]
) -> None:
    made = _made_or_faults(name, values)
    if isinstance(made, dict):
        assert made
        assert all(made.values())
    else:
        assert made.workload == raw.API
        assert catalogue.decode(_wire(made)) == made


def _made_or_faults(name: str, values: Mapping[str, str]) -> model.Action | dict[str, str]:
    try:
        return choices.made(name, values, api())
    except edits.Wrong as wrong:
        return dict(wrong.faults)


def _wire(action: model.Action) -> Mapping[str, Any]:
    wired: Mapping[str, Any] = msgspec.to_builtins(action)
    return wired


def test_the_read_is_turned_to_the_object_that_the_action_is_about() -> None:
    example = examples.EXAMPLES["delete-pod"]
    aimed = picks.aimed(sight(example), example.action)
    assert fields.uid(aimed.object) == examples.POD.uid
    assert fields.uid(aimed.owner) == raw.OWNER_UID
