"""The roles that `watchkeeper rbac` prints, on both clusters: with exactly these the whole catalogue can be done, each
right that is taken away is told before a button is drawn and forbidden by the server, and what is done in a person's
name goes by that person's rights.

A request is refused by its kind, its place and its verb before anything else is looked at. So every action of the
catalogue is tried as a dry run on an object of its kind that is there, whatever state that one is in.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from k8s import access, custom_actions, executor, guardrails, model, policy, remedies
from k8s.client import errors, reader, rights
from tests import grounds
from tests.grounds import admin, behaviours, manifests
from tests.k8s.actions import examples
from tests.stories import granting

pytestmark = [pytest.mark.story]

MARK: model.Json = {"metadata": {"labels": {"touched": "yes"}}}
custom_actions.install([custom_actions.Guarded(examples.Patience(), "acme-actions: patience")])
OPEN = policy.Policy(commands=(policy.Commands(entries=(policy.Command(name="look", line="ls"),)),))
"""The shipped one, with a command, as without one there is no right to run any. An action of somebody's own
is installed for the same reason."""
USES = [use for use in access.uses() if use.action not in access.roles(OPEN).left_out]
ANA = model.Identity("ana@example.com", ("wk-oncall",))
EVE = model.Identity("eve@example.com")
INGRESS: model.Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web"},
    "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}
CLAIM: model.Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
AUTOSCALER: model.Json = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 2,
    },
}


@dataclass
class Remembering:
    """The reader, with what it was told of rights kept until `forget`: one question for each right is enough."""

    reader: reader.Reader
    told: dict[tuple[str, str, str, str | None], bool] = field(default_factory=dict)

    async def can_i(
        self,
        verb: str,
        resource: str,
        namespace: str = "",
        *,
        group: str | None = None,
        as_user: model.Identity | None = None,
    ) -> bool:
        asked = (verb, resource, namespace, group)
        if as_user is not None:
            return await self.reader.can_i(verb, resource, namespace, group=group, as_user=as_user)
        if asked not in self.told:
            self.told[asked] = await self.reader.can_i(verb, resource, namespace, group=group)
        return self.told[asked]

    async def read_target(self, action: model.Action) -> model.Target:
        return await self.reader.read_target(action)

    async def get(self, ref: model.ResourceRef) -> model.Json:
        return await self.reader.get(ref)

    async def pods_on(self, node: str) -> list[model.Json]:
        return await self.reader.pods_on(node)


@dataclass
class Bench:
    """An object of each kind that anything is done to, and a writer with the printed roles."""

    ground: grounds.Ground
    writer: granting.Writer
    there: dict[str, model.ResourceRef]

    def __post_init__(self) -> None:
        self.asking = Remembering(self.writer.reader)

    def hand(self, known: guardrails.Identities = guardrails.NO_IDENTITIES) -> executor.Executor:
        self.asking.told.clear()
        return executor.Executor.over(self.asking, self.writer.over, known)

    def plan(self, use: access.Use) -> model.Plan:
        """On the objects that are there."""
        action, operations = access.sample(use, self.ground.namespace)
        told: dict[str, Any] = {
            name: self.there[value.kind]
            for name in action.__struct_fields__
            if isinstance(value := getattr(action, name), model.ResourceRef)
        }
        told |= {"node": self.ground.node_names[0]} if hasattr(action, "node") else {}
        for name in remedies.REMEDIES[use.action].lists:
            told[name] = tuple(self.there[each.kind] for each in getattr(action, name))
        whole = tuple(_whole(each, self.there[each.target.kind]) for each in operations)
        blast = model.BlastRadius(pods=0, ready=0, desired=0)
        return model.Plan(msgspec.structs.replace(action, **told), whole, {}, "", "", blast, "low", None)


def _whole(operation: model.Operation, ref: model.ResourceRef) -> model.Operation:
    match operation.verb:
        case "patch":
            return model.Operation("patch", ref, "merge", MARK)
        case "scale":
            return model.Operation("scale", ref, None, {"spec": {"replicas": 1}})
        case "resize":
            test: model.Json = {"op": "test", "path": "/metadata/uid", "value": ref.uid}
            return model.Operation("resize", ref, "json", [test])
        case "create":
            spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:v1"}]}}}
            metadata = {"name": "another", "namespace": ref.namespace}
            made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
            return model.Operation("create", ref, None, made)
        case "exec":
            return operation
        case verb:
            return model.Operation(verb, ref)


@pytest.fixture
async def bench(ground: grounds.Ground, tmp_path: Path) -> AsyncIterator[Bench]:
    """With impersonation of Ana and her group by name."""
    container = ground.container(behaviours.serving())
    made = [
        manifests.service("web"),
        manifests.deployment("web", container),
        manifests.stateful_set("ledger", container),
        manifests.daemon_set("agent", container),
        manifests.cron_job("report", container, schedule="0 0 1 1 *"),
        manifests.job("export", container),
        AUTOSCALER,
        INGRESS,
        CLAIM,
    ]
    for each in made:
        await ground.admin.apply(each)
    there = {each["kind"]: await _ref(ground, each["kind"], each["metadata"]["name"]) for each in made}
    await ground.admin.until(lambda: ground.admin.pods("web"), what="there is a pod")
    for kind in ("Pod", "ReplicaSet"):
        found = (await ground.admin.list(kind, labels="app=web"))[0]
        there[kind] = await _ref(ground, kind, found["metadata"]["name"])
    there["Node"] = await _ref(ground, "Node", ground.node_names[0])
    async with granting.Writer.made(ground, tmp_path, OPEN, (ANA.user, f"group:{ANA.groups[0]}")) as writer:
        yield Bench(ground, writer, there)


async def _ref(ground: grounds.Ground, kind: str, name: str) -> model.ResourceRef:
    found = await ground.admin.get(kind, name)
    namespace = ground.namespace if admin.KINDS[kind].namespaced else ""
    return model.ResourceRef(kind, namespace, name, found["metadata"]["uid"])


async def test_with_exactly_the_printed_roles_the_whole_catalogue_can_be_done(bench: Bench) -> None:
    hand = bench.hand()
    assert {use.action for use in USES} == set(remedies.REMEDIES)
    for use in USES:
        plan = bench.plan(use)
        assert await hand.lacking(plan) == "", use
        await bench.asking.read_target(plan.action)
        tried = await hand.dry_run(plan)
        assert tried.accepted, (use, tried.message)


async def test_each_right_that_is_taken_away_is_told_for_exactly_its_actions_and_forbidden(bench: Bench) -> None:
    said = {
        (rule.group, resource, verb): set(rule.actions)
        for role in access.roles(OPEN).roles
        if role.account == "writer"
        for rule in role.rules
        for resource in rule.resources
        for verb in rule.verbs
    }
    assert len(said) > 20
    for key, actions in said.items():
        await bench.writer.has(bench.writer.without(key))
        hand = bench.hand()
        told = {use: await hand.lacking(bench.plan(use)) for use in USES}
        broken = [use for use in USES if told[use]]
        assert {use.action for use in broken} == actions, key
        group, resource, verb = key
        plural, slash, subresource = resource.partition("/")
        right = f"may not {verb} {plural}{f'.{group}' if group else ''}{slash}{subresource} in "
        assert all(right in told[use] for use in broken), (key, told)
        if broken:
            await _is_forbidden(bench, hand, broken[0], key)


async def _is_forbidden(bench: Bench, hand: executor.Executor, use: access.Use, key: access.Key) -> None:
    """The server says the same, to the read or to the write that the right is for."""
    plan = bench.plan(use)
    writes = {(one.group, one.resource, one.verb) for one in rights.writing(plan.operations)}
    if key not in writes:
        with pytest.raises(errors.Forbidden):
            await bench.asking.read_target(plan.action)
    elif not any(op.verb == "exec" for op in plan.operations):  # a command has no dry run
        tried = await hand.dry_run(plan)
        assert not tried.accepted, (use, key)
        assert f'cannot {key[2]} resource "{key[1]}"' in tried.message, tried.message


async def test_a_dry_run_in_a_persons_name_goes_by_that_persons_rights(bench: Bench) -> None:
    plan = bench.plan(access.Use("rollout-restart", "Deployment", "Deployment"))
    known = guardrails.Identities({"U0ANA": ANA})
    told = await bench.hand(known).lacking_of("U0ANA", plan.operations)
    assert told == (
        f"Your cluster identity {ANA.user} may not patch deployments.apps in namespace {bench.ground.namespace}."
    )
    assert f"{ANA.user} may not patch deployments.apps" in await bench.hand(known).lacking(plan, None, 1)

    await granting.give_group(bench.ground, ANA.groups[0], "patch", "deployments")
    await bench.ground.admin.until(lambda: _may(bench, ANA), what="Ana may patch by her group")
    hand = bench.hand(known)
    assert await hand.lacking(plan, {"U0ANA"}, 1) == ""
    assert await hand.lacking_of("U0ANA", plan.operations) == ""

    await bench.writer.has(bench.writer.without(("apps", "deployments", "patch")))
    assert not (await bench.hand().dry_run(plan)).accepted, "the writer itself may not any more"
    assert (await bench.hand(known).dry_run(plan, {"U0ANA"})).accepted


async def _may(bench: Bench, who: model.Identity) -> bool:
    return await bench.writer.reader.can_i("patch", "deployments", bench.ground.namespace, group="apps", as_user=who)


async def test_nobody_else_can_be_impersonated(bench: Bench) -> None:
    for who, kind, name in (
        (EVE, "users", EVE.user),
        (model.Identity(ANA.user, ("wk-admins",)), "groups", "wk-admins"),
        (model.Identity(ANA.user, ("system:masters",)), "groups", "system:masters"),
        (model.Identity("system:admin"), "users", "system:admin"),
    ):
        with pytest.raises(errors.Forbidden) as refused:
            await _may(bench, who)
        assert refused.value.message.startswith(f'{kind} "{name}" is forbidden: User "')
        assert refused.value.message.endswith(
            f'cannot impersonate resource "{kind}" in API group "" at the cluster scope'
        )
        right = rights.refused(refused.value.message)
        assert right == rights.Right("impersonate", kind)
