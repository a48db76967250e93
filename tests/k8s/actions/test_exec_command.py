"""A command is run as the policy has it, word by word, in a container that runs, and nowhere else."""

from typing import Any

import msgspec
import pytest

from k8s import catalogue, guardrails, model, policy
from tests.k8s import raw
from tests.k8s.actions import examples

ACTION = examples.COMMAND
changed = msgspec.structs.replace


def judged(action: model.ExecCommand, *entries: policy.Command, **more: Any) -> guardrails.Verdict:
    """`more`: further lists, and the cluster."""
    lists = (policy.Commands(entries=entries), *more.pop("lists", ())) if entries else ()
    target = examples.running()
    return guardrails.judge(
        action,
        catalogue.plan(action, target, raw.NOW),
        target,
        subject=raw.API,
        policy=guardrails.Policy(approvers=("U1", "U2"), commands=lists),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
        **more,
    )


def test_the_plan_holds_exactly_what_will_run_and_says_that_it_cannot_be_tried() -> None:
    plan = catalogue.plan(ACTION, examples.running(), raw.NOW)
    body = {"container": "web", "command": ["cat", "/etc/app.conf"], "seconds": 20}
    assert plan.operations == (model.Operation("exec", examples.POD, None, body),)
    assert plan.pins == {"uid": "pod-1", "owner": "rs-5", "image": "web:1.5"}
    assert plan.kubectl == "kubectl -n payments exec pod/api-h5-a --container=web -- cat /etc/app.conf"
    assert plan.blast.note == "The API server cannot try a command out; this is exactly what will run."
    assert (plan.inverse, plan.blast.pods) == (None, 0)
    assert plan.irreversible


def test_another_word_is_another_digest() -> None:
    rules = guardrails.Policy()
    digests = {
        guardrails.digest_of(catalogue.plan(changed(ACTION, **more), examples.running(), raw.NOW), rules)
        for more in ({}, {"argv": ("cat", "/etc/app.con")}, {"argv": ("cat /etc/app.conf",)}, {"seconds": 21})
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda pod: pod["status"].update(containerStatuses=[{"name": "web", "state": {"waiting": {}}}]),
            "not running",
        ),
        (lambda pod: pod["status"].update(phase="Pending"), "not running"),
        (lambda pod: pod["spec"].update(containers=[{"name": "other"}]), "has no container web"),
        (lambda pod: pod["metadata"].update(ownerReferences=[]), "no controller"),
        (lambda pod: pod["metadata"].update(uid="another"), "created anew"),
        (lambda pod: pod["metadata"].update(deletionTimestamp=raw.at(1)), "is being deleted"),
    ],
)
def test_what_stands_in_the_way_is_said(spoil: Any, said: str) -> None:
    target = examples.running()
    spoil(target.object)
    (problem,) = catalogue.problems(ACTION, target)
    assert said in problem


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"argv": ()}, "argv"),
        ({"argv": ("sh", "-c", "id")}, "argv"),
        ({"argv": ("/usr/bin/python3.11", "x.py")}, "argv"),
        ({"argv": ("cat", "a\nb")}, "argv"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 61}, "seconds"),
        ({"command": ""}, "command"),
        ({"container": "a b"}, "container"),
        ({"pod": changed(examples.POD, namespace="kube-system")}, "pod.namespace"),
    ],
)
def test_parameters_have_bounds_whatever_the_policy_says(more: dict[str, Any], field: str) -> None:
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode(msgspec.json.encode(changed(ACTION, **more)))
    assert caught.value.field == field


def test_without_a_list_nothing_is_run() -> None:
    assert judged(ACTION).reasons == ("The policy lists no commands, so none is run in a container.",)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "show other"}, "lists no command show config"),
        ({"line": "cat /etc/app.con"}, "is another one"),
        ({"line": "cat '/etc/app.conf '"}, "is another one"),
        ({"seconds": 30}, "is another one"),
        ({"containers": ("side*",)}, "for other places or containers"),
        ({"kinds": ("StatefulSet",)}, "for other places or containers"),
        ({"namespaces": ("shop", "pay")}, "for other places or containers"),
        ({"clusters": ("prod-*",)}, "for other places or containers"),
    ],
)
def test_an_entry_that_differs_in_anything_does_not_count(entry: dict[str, Any], said: str) -> None:
    verdict = judged(ACTION, changed(examples.ENTRY, **entry), cluster="test")
    assert not verdict.allowed
    assert said in verdict.reasons[0]


def test_a_cluster_without_a_name_fits_no_entry_that_names_clusters() -> None:
    entry = changed(examples.ENTRY, clusters=("*",))
    assert not judged(ACTION, entry).allowed
    assert judged(ACTION, entry, cluster="test").allowed


def test_each_of_several_lists_must_have_it() -> None:
    again = policy.Commands(entries=(changed(examples.ENTRY, containers=("web",)),), source="b.yaml")
    assert judged(ACTION, examples.ENTRY, lists=(again,)).allowed
    none = policy.Commands(source="c.yaml")
    assert judged(ACTION, examples.ENTRY, lists=(none,)).reasons == (
        "The policy lists no command show config (c.yaml).",
    )


def test_the_risk_is_the_entrys_and_never_less_than_medium() -> None:
    shown = examples.ENTRY
    assert judged(ACTION, shown).tier == "medium"
    high = judged(ACTION, changed(shown, risk="high", undo="The cache is cold then."))
    assert (high.tier, high.approvals_needed) == ("high", 2)
    assert "The policy has show config as of high risk." in high.tier_reasons
    assert "The cache is cold then." in high.warnings
    strict = judged(ACTION, shown, lists=(policy.Commands(entries=(changed(shown, risk="high"),)),))
    assert strict.tier == "high"


def test_it_is_never_taken_for_done_since_that_cannot_be_seen() -> None:
    plan = catalogue.plan(ACTION, examples.running(), raw.NOW)
    assert not catalogue.applied(ACTION, plan.operations, examples.running())
    assert not catalogue.remedy_for(ACTION).seen
