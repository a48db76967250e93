"""The generated roles on a simulated cluster: with exactly these everything can be done, and without a rule not that.

A request is refused by its kind, its place and its verb before anything else is looked at, so each action is tried in
a dry run on objects that are there, whatever state they are in; some are then done in earnest.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.cluster import api, programs, scenarios
from demo.cluster.access import Binding, PolicyRule
from k8s import access, catalogue, guardrails, model, policy
from k8s.client import errors, rights
from tests.k8s import executing
from tests.k8s.actions import examples

HOME = "payments"
OPEN = policy.Policy(commands=examples.LISTED)
NODE = "worker-1"
MARK: model.Json = {"metadata": {"labels": {"touched": "yes"}}}
FAILING = programs.fails("ERROR no such table", after=1.0)
USES = access.uses()


def given(rules: policy.Policy = OPEN, *, namespaces: tuple[str, ...] = ()) -> list[Binding]:
    """What the writer has by the generated roles."""
    found = access.roles(rules, namespaces=namespaces)
    return [
        Binding(role.name, tuple(map(_as_rule, role.rules)), 'User "writer"', role.namespace)
        for role in found.roles
        if role.account == "writer"
    ]


def _as_rule(rule: access.Rule) -> PolicyRule:
    return PolicyRule((rule.group,), rule.resources, rule.verbs)


def split(bindings: Iterable[Binding]) -> set[access.Key]:
    return {
        (group, resource, verb)
        for each in bindings
        for rule in each.rules
        for group in rule.groups
        for resource in rule.resources
        for verb in rule.verbs
    }


def without(bindings: Iterable[Binding], key: access.Key) -> list[Binding]:
    kept = sorted(split(bindings) - {key})
    return [Binding("writer", tuple(PolicyRule((g,), (r,), (v,)) for g, r, v in kept), 'User "writer"')]


@dataclass
class Bench:
    """A world with an object of each kind that anything is done to."""

    world: executing.World
    there: dict[str, model.ResourceRef]

    def has(self, bindings: list[Binding]) -> None:
        self.world.cluster.access.bindings["writer"] = bindings

    def deed(self, use: access.Use) -> tuple[model.Action, tuple[model.Operation, ...]]:
        """On the objects that are there."""
        action, operations = access.sample(use, HOME)
        told: dict[str, Any] = {
            field: self.there[value.kind]
            for field in action.__struct_fields__
            if isinstance(value := getattr(action, field), model.ResourceRef)
        }
        if hasattr(action, "node"):
            told["node"] = NODE
        for field in catalogue.REMEDIES[use.action].lists:
            told[field] = tuple(self.there[each.kind] for each in getattr(action, field))
        whole = tuple(_whole(each, self.there[each.target.kind]) for each in operations)
        return msgspec.structs.replace(action, **told), whole

    async def refused(self, use: access.Use) -> bool:
        """Whether a right is missing for it: to read what it rests on, or to write."""
        action, operations = self.deed(use)
        try:
            await self.world.reader.read_target(action)
            if use.action == "exec-command":
                return await self._may_not_run(operations[0])
            for each in operations:
                await self.world.writer.apply(each, resource_version=None, dry_run=True, as_user=None)
        except errors.Forbidden:
            return True
        except errors.Rejected:
            return False
        return False

    async def _may_not_run(self, operation: model.Operation) -> bool:
        """There is no dry run of a command, so `true` is run. That the right to create is asked for as well is of
        Kubernetes 1.35, and this cluster is older: it is asked for here."""
        ran = await self.world.writer.run(operation, as_user=None)
        assert ran.code == 0
        return not await self.world.reader.can_i("create", "pods/exec", HOME, group="")

    def asked(self) -> set[access.Key]:
        """The rights that were used since the journal was cleared."""
        found = set()
        for entry in self.world.cluster.journal:
            if "/authorization.k8s.io/" in entry.path:
                found.add(("", "pods/exec", "create"))
                continue
            if entry.path == "/api/v1":
                continue  # discovery, which everyone has whom the server knows
            target = api.parse_path(entry.path)
            assert target is not None, entry.path
            verb = api.Request(entry.method, target, entry.query).verb
            tail = f"/{target.subresource}" if target.subresource else ""
            found.add((target.resource.group, target.resource.plural + tail, verb))
        return found


def _whole(operation: model.Operation, ref: model.ResourceRef) -> model.Operation:
    match operation.verb:
        case "patch":
            return model.Operation("patch", ref, "merge", MARK)
        case "resize":
            test: model.Json = {"op": "test", "path": "/metadata/uid", "value": ref.uid}
            return model.Operation("resize", ref, "json", [test])
        case "scale":
            return model.Operation("scale", ref, None, {"spec": {"replicas": 2}})
        case "create":
            return model.Operation("create", ref, None, scenarios.job("another", HOME, "payments/export:v1"))
        case "exec":
            return model.Operation("exec", ref, None, {"container": "store", "command": ["true"], "seconds": 5})
        case verb:
            return model.Operation(verb, ref)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    pieces = [
        scenarios.running(scenarios.deployment("store", HOME, "payments/store:v1", replicas=2)),
        scenarios.running(scenarios.stateful_set("ledger", HOME, "payments/ledger:v1")),
        scenarios.running(scenarios.daemon_set("agent", HOME, "payments/agent:v1")),
        scenarios.running(scenarios.cron_job("report", HOME, "payments/report:v1")),
        scenarios.running(scenarios.job("export", HOME, "payments/export:v1", backoff_limit=0), program=FAILING),
    ]
    async with executing.world(tmp_path, pieces, speed=50.0, clocked=True) as world:
        cluster = world.cluster
        cluster.apply(scenarios.autoscaler("store", HOME, least=2, most=4))
        cluster.apply(scenarios.service("store", HOME))
        for made in (CLAIM, INGRESS):
            cluster.apply(made)
        await cluster.settle()
        store = cluster.pods(HOME, "store")[0]["metadata"]
        names = {
            "Deployment": "store",
            "ReplicaSet": store["ownerReferences"][0]["name"],
            "StatefulSet": "ledger",
            "DaemonSet": "agent",
            "Pod": store["name"],
            "CronJob": "report",
            "Job": "export",
            "HorizontalPodAutoscaler": "store",
            "Service": "store",
            "PersistentVolumeClaim": "data",
            "Ingress": "store",
        }
        there = {kind: world.ref(kind, name, HOME) for kind, name in names.items()}
        yield Bench(world, there | {"Node": world.ref("Node", NODE, "")})


CLAIM: model.Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": HOME},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
_BACKEND = {"service": {"name": "store", "port": {"number": 80}}}
INGRESS: model.Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "store", "namespace": HOME},
    "spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": _BACKEND}]}}]},
}


@pytest.mark.parametrize("namespaces", [(), (HOME,)], ids=["cluster", "namespace"])
async def test_with_exactly_the_generated_roles_everything_can_be_done_and_no_right_is_idle(
    bench: Bench, namespaces: tuple[str, ...]
) -> None:
    bench.has(given(namespaces=namespaces))
    used: set[access.Key] = set()
    for use in USES:
        if namespaces and use.kind == "Node":
            continue
        bench.world.cluster.journal.clear()
        assert not await bench.refused(use), use
        action, operations = bench.deed(use)
        taken = (*rights.needed(action, operations), *rights.refining(action))
        asked = bench.asked()
        assert asked == {(each.group, each.resource, each.verb) for each in taken}, use
        used |= asked
    assert used == split(given(namespaces=namespaces))


async def test_each_right_that_is_removed_breaks_exactly_its_actions(bench: Bench) -> None:
    whole = given()
    said = {
        (rule.group, resource, verb): set(rule.actions)
        for role in access.roles(OPEN).roles
        if role.account == "writer"
        for rule in role.rules
        for resource in rule.resources
        for verb in rule.verbs
    }
    alike: dict[frozenset[rights.Right], list[access.Use]] = {}
    for use in USES:
        action, operations = bench.deed(use)
        alike.setdefault(frozenset(rights.needed(action, operations)), []).append(use)
    for key, actions in said.items():
        bench.has(without(whole, key))
        broken: set[str] = set()
        for first, *others in alike.values():
            if await bench.refused(first):
                broken |= {use.action for use in (first, *others)}
        assert broken == actions, key


async def test_what_only_refines_a_verdict_is_said_to_be_unread_where_it_is_missing(bench: Bench) -> None:
    action, _ = bench.deed(access.Use("rollout-restart", "Deployment", "Deployment"))
    whole = given()
    bench.has(without(whole, ("policy", "poddisruptionbudgets", "list")))
    assert (await bench.world.reader.read_target(action)).unread == ("poddisruptionbudgets",)
    bench.has(without(whole, ("", "namespaces", "get")))
    target = await bench.world.reader.read_target(action)
    assert (target.namespace, target.unread) == (None, ())


async def test_in_another_namespace_the_roles_of_one_give_nothing(bench: Bench) -> None:
    bench.has(given(namespaces=("shop",)))
    for use in USES:
        assert await bench.refused(use), use


@pytest.mark.parametrize("namespaces", [(), (HOME,)], ids=["cluster", "namespace"])
async def test_actions_are_done_in_earnest_with_the_generated_roles(bench: Bench, namespaces: tuple[str, ...]) -> None:
    bench.has(given(namespaces=namespaces))
    rules = guardrails.Policy(approvers=("U1", "U2"))
    there = bench.there
    for action in (
        model.SetAutoscaler(there["HorizontalPodAutoscaler"], there["Deployment"], 3, 6),
        model.RolloutRestart(there["DaemonSet"]),
        model.Scale(there["StatefulSet"], 2),
        model.SuspendCronJob(there["CronJob"]),
        model.RunCronJob(there["CronJob"]),
        model.DeleteJob(there["Job"], there["Job"]),
        model.EvictPod(there["Pod"], there["Deployment"]),
        model.RolloutUndo(bench.world.api(), 1),
    ):
        proposed = await bench.world.propose(action, rules)
        assert await bench.world.executor.lacking(proposed.plan) == ""
        assert (await bench.world.executor.dry_run(proposed.plan)).accepted
        outcome = await bench.world.execute(proposed)
        assert outcome.status == "succeeded", outcome


async def test_what_the_policy_denies_the_cluster_forbids_as_well(bench: Bench) -> None:
    denial = policy.Rule(effect="deny", name="no jobs", actions=("*-job", "*cronjob", "remove-finalizer"))
    denying = msgspec.structs.replace(OPEN, rulesets=(policy.Ruleset(rules=(denial,)),))
    bench.has(given())
    proposed = await bench.world.propose(model.Cordon(bench.there["Node"]))
    bench.has(given(denying))
    for use in USES:
        if use.action == "remove-finalizer" and use.object in ("Deployment", "StatefulSet", "DaemonSet"):
            continue  # a patch like those that are allowed: RBAC knows no part of an object
        assert await bench.refused(use) == (use.action in access.roles(denying).left_out), use
    assert await bench.world.executor.lacking(proposed.plan) == ""
