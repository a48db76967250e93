"""The kubectl line: what a person would type, safe to paste."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import kubectl, model

label = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
refs = st.builds(
    model.ResourceRef, st.sampled_from(("Deployment", "StatefulSet", "DaemonSet")), label, label, st.just("")
)
pods = st.builds(model.ResourceRef, st.just("Pod"), label, label, st.just(""))
actions: st.SearchStrategy[model.Action] = st.one_of(
    st.builds(model.RolloutRestart, refs),
    st.builds(model.RolloutUndo, refs, st.integers(1, 10**6)),
    st.builds(model.DeletePod, pods, refs),
    st.builds(model.Scale, refs, st.integers(0, 10**6)),
    st.builds(model.RolloutPause, refs),
    st.builds(model.RolloutResume, refs),
    st.builds(model.SetImage, refs, label, st.text(max_size=20)),
    st.builds(model.SetResources, refs, label, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9)),
    st.builds(model.SetEnv, refs, label, st.text(max_size=20), st.integers(1, 9)),
    st.builds(model.UnsetEnv, refs, label, st.text(max_size=20), st.integers(1, 9)),
    st.builds(model.EvictPod, pods, refs),
    st.builds(model.ForceDeletePod, pods, refs, label),
    st.builds(model.SetAutoscaler, pods, refs, st.integers(1, 9), st.integers(1, 9)),
    st.builds(model.RunCronJob, refs),
    st.builds(model.RerunJob, pods, refs),
    st.builds(model.RemoveTaint, refs, st.text(max_size=20), st.text(max_size=9)),
    st.builds(model.AnnotateMute, refs, st.lists(st.text(max_size=9), max_size=2).map(tuple)),
)


@settings(deadline=None, max_examples=200)
@given(actions, st.text(max_size=30))
def test_a_shell_takes_the_line_apart_into_the_exact_words(action: model.Action, context: str) -> None:
    words = shlex.split(kubectl.line(action, context))
    assert tuple(words) == kubectl.argv(action, context)
    assert words[0] == "kubectl"
    assert [word for word in words if word.startswith("--context")] == ([f"--context={context}"] if context else [])


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("", "kubectl -n payments rollout restart daemonset/api"),
        ("prod-eu", "kubectl --context=prod-eu -n payments rollout restart daemonset/api"),
        ("$(reboot)", "kubectl '--context=$(reboot)' -n payments rollout restart daemonset/api"),
    ],
)
def test_the_context_is_named_where_there_is_one(context: str, expected: str) -> None:
    action = model.RolloutRestart(model.ResourceRef("DaemonSet", "payments", "api"))
    assert kubectl.line(action, context) == expected


@pytest.mark.parametrize("name", ["", "--all", "a b", "a;b", "$(x)", "a\nb", "A", "a/b", "*", "ä"])
def test_what_is_no_name_never_gets_into_a_line(name: str) -> None:
    good = model.ResourceRef("Deployment", "payments", "api")
    for action in (
        model.Scale(model.ResourceRef("Deployment", "payments", name), 1),
        model.Scale(model.ResourceRef("Deployment", name, "api"), 1),
        model.DeletePod(model.ResourceRef("Pod", "payments", name), good),
    ):
        with pytest.raises(ValueError, match="is not"):
            kubectl.line(action)
