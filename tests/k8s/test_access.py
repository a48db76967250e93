"""Which rights the catalogue takes under a policy: all that it may ever allow, and nothing that it never does."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from k8s import access, catalogue, model, policy, policy_rules
from k8s.client import rights
from tests.k8s import raw
from tests.k8s.actions import examples

OPEN = policy.Policy(commands=examples.LISTED)
"""All that there is, a command too."""
NAMESPACES = ("payments", "shop", "kube-system", "x")
CLUSTERS = ("prod-eu", "dev")


def made(*rules: policy.Rule, default: policy.Default = "ask", **more: object) -> policy.Policy:
    return msgspec.structs.replace(OPEN, rulesets=(policy.Ruleset(rules=rules, default=default),), **more)


def rule(effect: policy.Effect, **more: Any) -> policy.Rule:
    return policy.Rule(effect=effect, name="r", **more)


def keys(found: access.Access, account: access.Account = "writer", namespace: str | None = None) -> set[access.Key]:
    """All rights of an identity that hold in a namespace; None: in whichever."""
    return {
        (each.group, resource, verb)
        for role in found.roles
        if role.account == account and (namespace is None or role.namespace in ("", namespace))
        for each in role.rules
        for resource in each.resources
        for verb in each.verbs
    }


def named(found: access.Access) -> set[tuple[str, str]]:
    return {(role.name, role.namespace) for role in found.roles if role.account == "writer"}


ALL = keys(access.roles(OPEN))


# --- what the catalogue takes


@pytest.mark.parametrize("name", sorted(catalogue.REMEDIES))
def test_a_remedy_writes_as_it_says(name: str) -> None:
    example = examples.EXAMPLES[name]
    remedy = catalogue.REMEDIES[name]
    operation, *then = catalogue.plan(example.action, example.target, raw.NOW).operations
    assert {(each.verb, each.target.kind) for each in then} == set(remedy.also)
    body = operation.body if isinstance(operation.body, dict) else {}
    assert operation.verb == remedy.writes
    assert (body.get("kind", "") if operation.verb == "create" else "") == remedy.makes
    aimed = catalogue.remedy_for(example.action).needs(example.action).object.kind
    assert aimed in remedy.objects(example.action.workload.kind)


@pytest.mark.parametrize("name", sorted(catalogue.REMEDIES))
def test_the_roles_of_one_action_alone_are_exactly_what_is_asked_for_it(name: str) -> None:
    example = examples.EXAMPLES[name]
    plan = catalogue.plan(example.action, example.target, raw.NOW)
    asked = {
        (each.group, each.resource, each.verb)
        for each in (*rights.needed(example.action, plan.operations), *rights.refining(example.action))
    }
    kinds = (example.action.workload.kind,)
    known = example.action.name if isinstance(example.action, model.Custom) else name
    only = keys(access.roles(made(rule("allow", actions=(known,), kinds=kinds), default="deny")))
    written = {each.object for each in access.uses() if (each.action, each.kind) == (name, *kinds)}
    assert asked <= only
    if len(written) == 1:
        assert asked == only


def test_nothing_may_be_done_that_no_action_is_for() -> None:
    for role in access.roles(OPEN).roles:
        for each in role.rules:
            assert "*" not in (each.group, *each.resources, *each.verbs)
            if role.account == "reader":
                assert set(each.verbs) <= {"get", "list", "watch"}
            elif not each.actions:
                assert set(each.verbs) <= {"get", "list"}


# --- what the policy leaves


def test_without_rules_everything_is_in_the_whole_cluster_and_nodes_apart() -> None:
    found = access.roles(OPEN)
    assert named(found) == {("writer", ""), ("writer-nodes", "")}
    assert (found.left_out, found.bare) == ((), ())


def test_what_is_denied_everywhere_is_left_out_with_its_rights() -> None:
    found = access.roles(made(rule("deny", actions=("*cronjob", "*-job")), rule("deny", kinds=("Node",))))
    assert found.left_out == (
        *("suspend-cronjob", "resume-cronjob", "run-cronjob", "delete-job", "rerun-job"),
        *("cordon", "uncordon", "drain", "remove-taint"),
    )
    assert ("", "nodes", "get") in keys(found), "force-delete-pod looks at the node"
    assert ("", "nodes", "patch") not in keys(found)
    assert ("batch", "jobs", "create") not in keys(found)
    without = access.roles(made(rule("deny", actions=("remove-finalizer", "*cronjob", "*-job"))))
    assert not {each for each in keys(without) if each[0] == "batch" or each[1] == "services"}


@pytest.mark.parametrize(
    "partly",
    [
        {"actions": ("scale",), "namespaces": ("payments",)},
        {"actions": ("scale",), "labels": ("team=db",)},
        {"actions": ("scale",), "clusters": ("prod-*",)},
        {"actions": ("scale",), "kinds": ("StatefulSet",)},
    ],
)
def test_what_is_denied_in_part_stays(partly: dict[str, tuple[str, ...]]) -> None:
    found = access.roles(made(rule("deny", **partly)))
    assert ("apps", "deployments/scale", "patch") in keys(found)
    assert (("apps", "statefulsets/scale", "patch") in keys(found)) == ("kinds" not in partly)


def test_a_denial_of_clusters_counts_where_the_cluster_is_named() -> None:
    rules = made(rule("deny", actions=("scale",), clusters=("prod-*",)))
    assert "scale" not in access.roles(rules).left_out
    assert access.roles(rules, cluster="prod-eu").left_out == ("scale",)
    assert access.roles(rules, cluster="dev").left_out == ()
    allowing = made(rule("allow", clusters=("prod-*",)), default="deny")
    assert not keys(access.roles(allowing, cluster="dev"))
    assert keys(access.roles(allowing)) == keys(access.roles(OPEN))


def test_where_only_namespaces_are_named_there_are_roles_in_these_alone() -> None:
    found = access.roles(made(rule("allow", actions=("scale",), namespaces=("shop", "payments")), default="deny"))
    assert named(found) == {("writer", "payments"), ("writer", "shop")}
    assert ("apps", "deployments/scale", "patch") in keys(found, namespace="shop")
    assert not keys(found, namespace="batch")
    assert ("", "namespaces", "get") in keys(found, namespace="shop")


def test_a_glob_cannot_be_said_in_rbac_so_it_is_the_whole_cluster_unless_namespaces_are_given() -> None:
    rules = made(rule("allow", actions=("scale",), namespaces=("team-*", "shop")), default="deny")
    assert named(access.roles(rules)) == {("writer", "")}
    found = access.roles(rules, namespaces=("team-a", "shop", "batch"))
    assert named(found) == {("writer", "team-a"), ("writer", "shop")}
    assert found.bare == ("batch",)


def test_what_holds_in_the_whole_cluster_is_not_given_once_more_in_a_namespace() -> None:
    rules = made(
        rule("allow", actions=("rollout-restart",)),
        rule("allow", actions=("scale",), namespaces=("shop",)),
        default="deny",
    )
    found = access.roles(rules)
    assert named(found) == {("writer", ""), ("writer", "shop")}
    (inside,) = [role for role in found.roles if role.namespace]
    assert [(each.resources, each.verbs) for each in inside.rules] == [
        (("deployments/scale", "statefulsets/scale"), ("patch",))
    ]
    (wide,) = [
        each for role in found.roles for each in role.rules if each.resources == ("replicasets",) and each.actions
    ]
    assert wide.actions == ("rollout-restart", "scale")


def test_given_namespaces_give_no_right_on_nodes_but_to_look() -> None:
    found = access.roles(OPEN, namespaces=("shop",))
    assert named(found) == {("writer", "shop"), ("writer-nodes", "")}
    assert {each for each in keys(found) if each[1] == "nodes"} == {("", "nodes", "get")}
    assert found.left_out == ("cordon", "uncordon", "drain", "remove-taint")
    reading = {(role.name, role.namespace) for role in found.roles if role.account == "reader"}
    assert reading == {("reader", ""), ("reader", "shop")}
    assert keys(found, "reader") == keys(access.roles(OPEN), "reader")
    assert not {
        each for each in keys(found, "reader", namespace="batch") if each[1] in ("pods", "configmaps", "pods/log")
    }


def test_protected_namespaces_get_nothing() -> None:
    found = access.roles(OPEN, namespaces=("kube-system", "shop"))
    assert (found.bare, named(found)) == (("kube-system",), {("writer", "shop"), ("writer-nodes", "")})
    rules = made(rule("allow", namespaces=("vault", "shop")), default="deny", protected_namespaces=("vault",))
    assert named(access.roles(rules)) == {("writer", "shop"), ("writer-nodes", "")}
    assert named(access.roles(made(protected_namespaces=("*",)))) == set()


def test_sets_of_rules_must_all_allow_it() -> None:
    one = policy.Ruleset(rules=(rule("allow", namespaces=("a", "b")),), default="deny")
    other = policy.Ruleset(rules=(rule("allow", namespaces=("b", "c"), actions=("scale",)),), default="deny")
    found = access.roles(msgspec.structs.replace(OPEN, rulesets=(one, other)))
    assert named(found) == {("writer", "b")}
    assert ("", "pods", "delete") not in keys(found)


def test_who_only_reads_has_no_writer_and_impersonates_nobody() -> None:
    found = access.roles(msgspec.structs.replace(OPEN, read_only=True), users=("ann",))
    assert {role.account for role in found.roles} == {"reader"}
    assert found.left_out == tuple(catalogue.REMEDIES)


def test_people_are_impersonated_by_name_only() -> None:
    (role,) = [
        each for each in access.roles(OPEN, users=("ann", "ann"), groups=("sre",)).roles if each.name == "impersonator"
    ]
    assert [(each.resources, each.verbs, each.names) for each in role.rules] == [
        (("users",), ("impersonate",), ("ann",)),
        (("groups",), ("impersonate",), ("sre",)),
    ]
    assert "impersonator" not in {each.name for each in access.roles(OPEN).roles}


# --- whatever the policy


_some = st.sampled_from
_rules = st.builds(
    policy.Rule,
    effect=_some(("allow", "deny")),
    name=_some(("one", "two")),
    actions=st.lists(_some(("scale", "rollout-*", "*", "delete-pod", "cordon", "*-job")), max_size=2).map(tuple),
    kinds=st.lists(_some(("Deployment", "StatefulSet", "Pod", "Job", "Node")), max_size=2).map(tuple),
    labels=st.lists(_some(("team=db", "!legacy")), max_size=1).map(tuple),
    clusters=st.lists(_some(("prod-*", "dev", "*")), max_size=1).map(tuple),
    namespaces=st.lists(_some(("payments", "shop", "team-*", "*", "")), max_size=2).map(tuple),
)
_policies = st.builds(
    policy.Policy,
    protected_namespaces=st.lists(_some(("kube-*", "shop", "*")), max_size=1).map(tuple),
    commands=_some(((), examples.LISTED)),
    rulesets=st.lists(
        st.builds(policy.Ruleset, rules=st.lists(_rules, max_size=3).map(tuple), default=_some(("ask", "deny"))),
        max_size=2,
    ).map(tuple),
)


@runs(max_examples=80, deadline=None)
@given(
    rules=_policies,
    use=_some(access.uses()),
    namespace=_some(NAMESPACES),
    cluster=_some(CLUSTERS),
    labels=_some(({}, {"team": "db"}, {"legacy": "1"})),
    told=st.booleans(),
)
def test_whatever_the_policy_allows_can_be_done_with_its_roles(
    rules: policy.Policy, use: access.Use, namespace: str, cluster: str, labels: dict[str, str], told: bool
) -> None:
    action, operations = access.sample(use, namespace)
    space = action.workload.namespace
    written = {use.kind, use.object, catalogue.REMEDIES[use.action].makes} - {""}
    what = policy_rules.Deed(use.action, cluster, frozenset((space,)), use.kind, frozenset(written), (labels,))
    protected = bool(rules.protected_namespaces) and policy_rules.fits(rules.protected_namespaces, space)
    if protected or policy_rules.ruling(rules, what).denials or (use.action == "exec-command" and not rules.commands):
        return
    needed = {(each.group, each.resource, each.verb) for each in rights.needed(action, operations)}
    known = cluster if told else ""
    assert needed <= keys(access.roles(rules, cluster=known), namespace=namespace)
    if space:
        assert needed <= keys(access.roles(rules, cluster=known, namespaces=(namespace,)), namespace=namespace)


@runs(max_examples=40, deadline=None)
@given(rules=_policies, namespaces=st.lists(_some(NAMESPACES), max_size=3, unique=True).map(tuple))
def test_no_policy_gives_more_than_the_catalogue_takes(rules: policy.Policy, namespaces: tuple[str, ...]) -> None:
    found = access.roles(rules, namespaces=namespaces)
    assert keys(found) <= ALL
    assert {role.namespace for role in found.roles if namespaces} <= {"", *namespaces}
    for role in found.roles:
        assert (
            not role.namespace
            or role.account == "reader"
            or not policy_rules.fits(rules.protected_namespaces or ("-",), role.namespace)
        )
