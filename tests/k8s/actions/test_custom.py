"""An action of somebody's own stays in its frame, answers the same each time, and takes only itself down."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from k8s import catalogue, custom_actions, guardrails, model, policy
from tests.k8s import raw
from tests.k8s.actions import examples

ACTION = model.Custom(raw.API, "custom-rollout-patience", (("seconds", "1200"),))
TARGET = raw.broken_rollout()


class Own(examples.Patience):
    """One whose answers a test may change."""

    name = "custom-own"

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def _answer(self, method: str, usual: Any) -> Any:
        found = self.answers.get(method, usual)
        if isinstance(found, type) and issubclass(found, BaseException):
            raise found("not today")
        return next(found) if isinstance(found, Iterator) else found

    def problems(self, workload: model.Json, params: Mapping[str, str]) -> list[str]:
        found: list[str] = self._answer("problems", [])
        return found

    def patch(self, workload: model.Json, params: Mapping[str, str]) -> model.Json:
        workload.clear()  # what it does to its copy is nobody's business
        found: model.Json = self._answer("patch", {"spec": {"minReadySeconds": 5}})
        return found

    def inverse(self, workload: model.Json, params: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = self._answer("inverse", None)
        return found


def own(**answers: Any) -> model.Custom:
    custom_actions.install([custom_actions.Guarded(Own(**answers), "acme: own")])
    return msgspec.structs.replace(ACTION, name="custom-own")


def judged(action: model.Custom, *rules: policy.Rule, default: policy.Default = "ask") -> guardrails.Verdict:
    return guardrails.judge(
        action,
        catalogue.plan(action, TARGET, raw.NOW),
        TARGET,
        subject=raw.API,
        policy=guardrails.Policy(approvers=("U1", "U2"), rulesets=(policy.Ruleset(rules=rules, default=default),)),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )


def test_it_patches_the_workload_and_marks_who_did() -> None:
    plan = catalogue.plan(ACTION, TARGET, raw.NOW)
    (operation,) = plan.operations
    assert (operation.verb, operation.patch_type, operation.target) == ("patch", "merge", raw.API)
    assert operation.body == {
        "spec": {"progressDeadlineSeconds": 1200},
        "metadata": {"annotations": {"watchkeeper.io/custom-action": "custom-rollout-patience"}},
    }
    assert plan.inverse == model.Custom(raw.API, "custom-rollout-patience", (("seconds", "600"),))
    assert plan.summary == (
        "Gives a rollout another time to make progress: Deployment payments/api, seconds 1200 "
        "(custom-rollout-patience, acme-actions: patience)."
    )
    assert (plan.risk, plan.blast.pods) == ("medium", 0)


def test_a_change_of_the_template_restarts_all_pods_and_is_told_so() -> None:
    action = own(patch={"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 60}}}})
    plan = catalogue.plan(action, TARGET, raw.NOW)
    assert plan.blast.pods == 3
    assert "Restarts 3 pods" in plan.summary
    assert plan.irreversible == "custom-own names no way back."


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "custom-nobody"}, "name"),
        ({"name": "rollout-restart"}, "name"),
        ({"workload": raw.ref("StatefulSet")}, "workload.kind"),
        ({"parameters": ()}, "parameters"),
        ({"parameters": (("seconds", "59"),)}, "parameters"),
        ({"parameters": (("seconds", "0600"),)}, "parameters"),
        ({"parameters": (("seconds", "600"), ("seconds", "700"))}, "parameters"),
        ({"parameters": (("more", "1"), ("seconds", "600"))}, "parameters"),
    ],
)
def test_what_is_not_installed_or_out_of_bounds_is_no_action(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode(msgspec.json.encode(msgspec.structs.replace(ACTION, **changed)))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"problems": ["Ask the team first."]}, "Ask the team first."),
        ({"problems": ValueError}, "its problems failed (ValueError)"),
        ({"problems": "no"}, "its problems are no list of sentences"),
        ({"patch": SystemExit}, "its patch failed (SystemExit)"),
        ({"patch": {}}, "is no object, or an empty one"),
        ({"patch": {"spec": {"replicas": 0}}}, "touches spec.replicas"),
        ({"patch": {"spec": {"template": {"spec": {"containers": []}}}}}, "touches spec.template.spec.containers"),
        ({"patch": {"metadata": {"annotations": {"watchkeeper.io/protected": None}}}}, "who owns or protects"),
        ({"inverse": KeyError}, "its inverse failed (KeyError)"),
        ({"inverse": {"seconds": "1"}}, "the parameters of its inverse cannot be"),
    ],
)
def test_what_it_may_not_or_cannot_do_is_a_problem_of_this_action_alone(answers: dict[str, Any], said: str) -> None:
    (problem,) = catalogue.problems(own(**answers), TARGET)
    assert said in problem
    assert catalogue.problems(ACTION, TARGET) == ()


def test_one_that_is_done_already_is_not_done_again() -> None:
    assert catalogue.problems(own(patch={"spec": {"replicas": None}}), TARGET) != ()
    there = {"spec": {"minReadySeconds": 5}}
    done = raw.target(
        custom_actions.merged(
            raw.broken_rollout().object, {**there, "metadata": {"annotations": {custom_actions.MARK: "custom-own"}}}
        )
    )
    assert catalogue.problems(own(patch=there), done) == ("Deployment payments/api is as custom-own would make it.",)


def test_an_answer_that_changes_is_another_digest_and_one_that_fails_writes_nothing() -> None:
    answers = ({"spec": {"minReadySeconds": number}} for number in range(100))
    action = own(patch=answers)
    one, other = (catalogue.plan(action, TARGET, raw.NOW) for _ in range(2))
    rules = guardrails.Policy()
    assert guardrails.digest_of(one, rules) != guardrails.digest_of(other, rules)
    assert any("is not what custom writes" in reason for reason in judged(action).reasons)
    failing = own(patch=RuntimeError)
    assert catalogue.plan(failing, TARGET, raw.NOW).operations == ()
    assert "The plan writes nothing." in judged(failing).reasons


def test_policies_know_it_by_its_own_name() -> None:
    assert judged(ACTION).allowed
    deny = policy.Rule(effect="deny", name="none", actions=("custom-rollout-*",))
    assert not judged(ACTION, deny).allowed
    allow = policy.Rule(effect="allow", name="some", actions=("custom-rollout-patience",))
    assert judged(ACTION, allow, default="deny").allowed
    assert not judged(own(), allow, default="deny").allowed


def test_it_cannot_take_a_workload_out_of_the_reach_of_a_rule() -> None:
    action = own(patch={"metadata": {"labels": {"team": "web"}}})
    databases = policy.Rule(effect="deny", name="no databases", actions=("scale",), labels=("team=db",))
    assert judged(action).allowed
    verdict = judged(action, databases)
    assert verdict.reasons == ("Label team decides which rules of the policy hold, so it is not changed from here.",)
