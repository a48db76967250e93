"""A watch of the namespaces that have labels: what has them is looked at, as they are at each sweep."""

import pytest

from bot import errors
from demo.cluster import scenarios
from k8s import model
from tests.bot.flow import worlds

PAYING = model.Scope(labels="team=payments")


def labelled(world: worlds.World, name: str, **labels: str) -> None:
    world.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


async def test_only_namespaces_with_the_labels_are_looked_at(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.bad_image()])
    labelled(world, "payments", team="payments", env="prod")
    labelled(world, "web", team="web")
    seen = await world.eyes.look(worlds.CLUSTER, PAYING)
    assert {pod.metadata.namespace for pod in seen.pods} == {"payments"}
    assert [one.metadata.name for one in seen.namespaces] == ["payments"]
    assert seen.nodes
    assert seen.degraded == {}
    for labels, found in (
        ("team", {"payments", "web"}),
        ("team,env!=prod", {"web"}),
        ("team=nobody", set()),
        ("team=payments,!env", set()),
    ):
        seen = await world.eyes.look(worlds.CLUSTER, model.Scope(labels=labels))
        assert {pod.metadata.namespace for pod in seen.pods} == found


async def test_a_namespace_that_loses_its_label_ends_its_incident_without_calling_it_a_recovery(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    labelled(world, "payments", team="payments")
    bot = await world.replica()
    (opened,) = await world.sweep(bot, scope=PAYING)
    labelled(world, "payments", team="web")
    world.clock.advance(minutes=3)
    await world.sweep(bot)
    world.clock.advance(minutes=3)
    assert await world.sweep(bot) == []
    ended = (await bot.card(opened.id)).incident
    assert ended.resolution == "Namespace payments is not watched any more; what became of the problem is not known."
    labelled(world, "payments", team="payments")
    world.clock.advance(minutes=30)
    assert len(await world.sweep(bot)) == 1


async def test_who_may_not_list_namespaces_cannot_select_them_and_is_told_so(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    world.cluster.forbid("reader", "list", "namespaces")
    with pytest.raises(errors.ClusterUnavailable, match="list namespaces"):
        await world.eyes.look(worlds.CLUSTER, PAYING)


async def test_a_person_finds_the_watch_by_the_labels_that_a_namespace_has_now(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.bad_image()])
    labelled(world, "payments", team="payments")
    labelled(world, "web", team="web")
    bot = await world.replica()
    (opened,) = await world.sweep(bot, scope=PAYING)
    shown = await bot.pipeline.why("payments/api")
    assert shown.card is not None
    assert shown.card.incident.id == opened.id
    for words in ("", "demo", "payments", "payments/deployment/api"):
        (swept,) = await bot.pipeline.sweep_now(words)
        assert [one.id for one in swept.found] == [opened.id], words
    for asking in (bot.pipeline.why("web/frontend"), bot.pipeline.sweep_now("web")):
        with pytest.raises(errors.NotPossible, match=r"it has not the labels `team=payments` \(watch `demo`\)"):
            await asking
    with pytest.raises(errors.NotPossible, match="There is no namespace `paymens`"):
        await bot.pipeline.why("paymens/api")


async def test_whom_a_labelled_watch_looks_at_is_not_guessed_where_that_cannot_be_seen(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    labelled(world, "payments", team="payments")
    bot = await world.replica()
    await world.watch(bot, scope=model.Scope(("payments",), labels="team=payments"))
    world.cluster.forbid("reader", "list", "namespaces")
    with pytest.raises(errors.ClusterUnavailable, match="namespaces"):
        await bot.pipeline.why("payments/api")
