"""Failure kinds of one's own: from a rule to an incident that resolves, on a simulated cluster and a real record."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot import clusters
from bot.domain import diagnoses, incidents, rules
from bot.flow import diagnosing
from k8s import custom, detection, model, ruling
from tests.bot.domain import examples
from tests.bot.flow import worlds

RULES = """\
- kind: ConfigMapMarked
  resource: {apiVersion: v1, kind: ConfigMap}
  when: has(object.data) && "broken" in object.data
  message: '"ConfigMap " + object.metadata.name + " says: " + object.data.broken'
  severity: P1
"""
CERTIFICATE = RULES.replace("ConfigMapMarked", "CertificateNotReady").replace(
    "{apiVersion: v1, kind: ConfigMap}", "{apiVersion: cert-manager.io/v1, kind: Certificate}"
)


def own(text: str = RULES, monotonic: Any = time.monotonic) -> custom.Custom:
    found, faults = ruling.parse(text, "rules.yaml", tuple(detection.KINDS))
    assert faults == ()
    return custom.of(found, (), monotonic)


def by(asked: custom.Custom) -> rules.Rules:
    return replace(worlds.RULES, kinds=detection.Options(own=asked))


@contextlib.asynccontextmanager
async def seeing(world: worlds.World, asked: custom.Custom, user: str = "admin") -> AsyncIterator[dict[str, Any]]:
    """What of a replica is not as usual: it looks for these kinds too."""
    access = worlds.access(world.kubeconfig, user=user)
    eyes = clusters.Clusters([access], world.clock, time.monotonic, custom=asked)
    try:
        yield {"eyes": eyes, "rules": by(asked)}
    finally:
        await eyes.close()


def mark(world: worlds.World, *, broken: str | None = "the disk is full", name: str = "settings") -> None:
    data = {"a": "b"} if broken is None else {"broken": broken}
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "payments"}, "data": data}
    world.cluster.apply(found)


async def swept(world: worlds.World, replica: worlds.Replica) -> list[incidents.Incident]:
    world.clock.advance(minutes=3)
    return list(await world.sweep(replica))


async def summary(replica: worlds.Replica) -> tuple[str, str, str]:
    (status,) = (await replica.pipeline.status()).watches
    sweep = status.last_sweep
    assert sweep is not None
    return sweep.status, sweep.summary, " ".join(sweep.degraded.values())


async def test_a_rule_opens_an_incident_with_a_diagnosis_and_resolves_it(begin: worlds.Begin) -> None:
    world = await begin()
    async with seeing(world, own()) as changes:
        bot = await world.replica(**changes)
        mark(world, broken=None)
        assert await swept(world, bot) == []
        mark(world, broken="postgres://app:" + "hunter2" + "hunter2@db/x")
        (opened,) = await swept(world, bot)
        assert (opened.kinds, opened.severity, str(opened.subject)) == (
            ("ConfigMapMarked",),
            "P1",
            "ConfigMap/payments/settings",
        )
        assert opened.headline.startswith("ConfigMap settings says: ")
        assert "hunter2" not in opened.headline
        while await bot.pipeline.diagnose_next():
            pass
        card = await bot.card(opened.id)
        assert card.diagnosis is not None
        assert card.diagnosis.confidence == "low"
        assert "your own detector says (rules.yaml:1)" in card.diagnosis.reason
        assert "hunter2" not in card.diagnosis.cause
        mark(world, broken=None)
        assert len(await swept(world, bot)) == 1
        assert await swept(world, bot) == []


async def test_a_kind_that_the_cluster_does_not_have_leaves_the_sweep_whole(begin: worlds.Begin) -> None:
    world = await begin()
    async with seeing(world, own(RULES + CERTIFICATE)) as changes:
        bot = await world.replica(**changes)
        mark(world)
        assert [one.kinds for one in await swept(world, bot)] == [("ConfigMapMarked",)]
        assert (await summary(bot))[0] == "issues"


async def test_a_right_that_is_taken_away_is_told_and_resolves_nothing(begin: worlds.Begin) -> None:
    world = await begin()
    async with seeing(world, own()) as changes:
        bot = await world.replica(**changes)
        mark(world)
        (opened,) = await swept(world, bot)
        mark(world, broken=None)
        world.cluster.forbid("admin", "list", "configmaps")
        for _ in range(3):
            assert [one.id for one in await swept(world, bot)] == [opened.id]
        status, told, why = await summary(bot)
        assert (status, "not seen whole: v1/ConfigMap" in told) == ("partial", True)
        assert "forbidden" in why
        world.cluster.allow("admin", "list", "configmaps")
        await swept(world, bot)
        assert await swept(world, bot) == []


@pytest.mark.parametrize("how", ["slow", "wrong"])
async def test_a_rule_that_fails_is_told_and_resolves_nothing_and_the_others_go_on(
    begin: worlds.Begin, how: str
) -> None:
    world = await begin()
    async with seeing(world, own()) as changes:
        mark(world)
        (opened,) = await swept(world, await world.replica(**changes))
    mark(world, broken=None)
    ticks = iter(range(0, 10_000_000, 5))
    other = RULES.replace("ConfigMapMarked", "ConfigMapOdd").replace('"broken" in object.data', '"odd" in object.data')
    wrong = RULES.replace('has(object.data) && "broken" in object.data', 'object.data["none"] == "x"')
    asked = own(RULES, lambda: float(next(ticks))) if how == "slow" else own(wrong)
    fine = own(other.replace("object.data.broken'", "object.data.odd'"))
    both = custom.Custom((*asked.detectors, *fine.detectors), {**asked.kinds, **fine.kinds}, asked.wanted)
    async with seeing(world, both) as changes:
        bot = await world.replica("b", **changes)
        world.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "other", "namespace": "payments"},
                "data": {"odd": "very"},
            }
        )
        for _ in range(3):
            assert {one.kinds[0] for one in await swept(world, bot)} == {"ConfigMapMarked", "ConfigMapOdd"}
        status, told, why = await summary(bot)
        assert (status, "not seen whole: ConfigMapMarked" in told) == ("partial", True)
        assert ("took longer than" if how == "slow" else "has no answer for") in why
        assert opened.id in {one.id for one in await world.live(bot)}


async def test_a_rule_that_was_removed_lets_its_incident_go_after_a_while(begin: worlds.Begin) -> None:
    world = await begin()
    async with seeing(world, own()) as changes:
        mark(world)
        (opened,) = await swept(world, await world.replica(**changes))
    bot = await world.replica("b")
    for _ in range(3):
        assert [one.id for one in await swept(world, bot)] == [opened.id]
    world.clock.advance(hours=1)
    await swept(world, bot)
    assert await swept(world, bot) == []
    assert "what became of the problem is not known" in (await bot.card(opened.id)).incident.resolution


async def test_a_look_without_a_record_finds_and_tells_it_too(begin: worlds.Begin) -> None:
    world = await begin()
    async with seeing(world, own()) as changes:
        bot = await world.replica(**changes)
        mark(world)
        look = await bot.pipeline.look_once(worlds.CLUSTER, worlds.new_watch().scope, diagnose=True)
    assert [one.kind for one in look.findings] == ["ConfigMapMarked"]
    assert look.status == "issues"
    assert look.examined[0].diagnosis is not None


@pytest.mark.parametrize(
    ("more", "confidence", "step"),
    [
        ({}, "low", "Look at the state and the events of Certificate/payments/web."),
        ({"doc": "https://example.org/x"}, "low", "Look at https://example.org/x."),
        ({"doc": "https://example.org/x", "next_step": "Look at the Order."}, "medium", "Look at the Order."),
    ],
)
def test_the_author_of_a_rule_says_what_helps(more: dict[str, str], confidence: str, step: str) -> None:
    ref = model.ResourceRef("Certificate", "payments", "web", "u")
    found = examples.finding(
        "CertificateNotReady",
        "",
        resource=ref,
        owner=ref,
        message="It is not ready.",
        facts={"rule": "rules.yaml:3", **more},
    )
    told = diagnosing.diagnose(examples.problem(found, subject=ref), diagnoses.Dossier((), {}, None, ()), found.since)
    assert (told.cause, told.confidence, told.next_step) == ("It is not ready.", confidence, step)
    assert told.reason == "it is what your own detector says (rules.yaml:3); it was not looked into further"
    assert told.candidates == ()
