"""What people ask, and the watches that they keep: near names for what is not there, and nothing made up."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import errors, pipeline
from bot.domain import watches
from bot.flow import answering, watching
from demo.cluster import SimulatedCluster, scenarios
from k8s import model
from k8s.client import connection
from tests.bot.domain import examples
from tests.bot.flow import worlds

Recorded = tuple[worlds.Replica, worlds.Clock]
DAY = timedelta(days=1)


def subjects(swept: Sequence[pipeline.SweptNow]) -> list[str]:
    """What the one sweep of an answer tells of."""
    (one,) = swept
    return [incident.subject.short for incident in one.found]


# --- /watch now -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["payments/api", "search/indexer"]),
        ("demo", ["payments/api", "search/indexer"]),
        ("payments", ["payments/api"]),
        ("demo/search/", ["search/indexer"]),
        ("payments/deployment/api", ["payments/api"]),
        ("payments/Deployments/api", ["payments/api"]),
        ("default", []),
    ],
)
async def test_now_looks_where_it_is_told_to_and_answers_for_that(
    begin: worlds.Begin, words: str, found: list[str]
) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    bot = await world.replica()
    await world.sweep(bot)
    answer = await bot.pipeline.sweep_now(words)
    assert subjects(answer) == found
    assert answer[0].sweep is not None
    assert answer[0].sweep.trigger == "command"


async def test_now_of_a_pod_answers_with_the_incident_of_its_workload(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom("api-docs", "payments")])
    bot = await world.replica()
    await world.sweep(bot)
    pod = world.cluster.pods("payments", "api")[0]["metadata"]["name"]
    assert subjects(await bot.pipeline.sweep_now(f"payments/pod/{pod}")) == ["payments/api"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("paymnts", "There is no namespace `paymnts`. Did you mean `payments`?"),
        ("demo/paymnts", "There is no namespace `paymnts`. Did you mean `payments`?"),
        ("payments/deployment/apy", "There is no deployment `apy` in `payments`. Did you mean `api`?"),
        ("payments/secret/api", "`payments/secret/api` is no workload"),
        ("payments/api", "`payments/api` is no workload: write `namespace/kind/name`"),
        ("payments/deployment/api/more", "is no workload"),
    ],
)
async def test_now_says_what_it_does_not_know_and_what_is_near(begin: worlds.Begin, words: str, said: str) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.watch(bot)
    with pytest.raises(errors.NotPossible) as refused:
        await bot.pipeline.sweep_now(words)
    assert said in str(refused.value)


async def test_now_needs_an_active_watch_that_sees_the_place(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    with pytest.raises(errors.NotPossible, match="no active watch"):
        await bot.pipeline.sweep_now("")
    await world.watch(bot, scope=model.Scope(("web-*",)))
    with pytest.raises(errors.NotPossible, match="No active watch looks at namespace `payments`"):
        await bot.pipeline.sweep_now("payments")
    await bot.pipeline.pause_watch(worlds.CLUSTER, worlds.ANA)
    with pytest.raises(errors.NotPossible, match="no active watch"):
        await bot.pipeline.sweep_now("payments")


async def test_now_says_why_it_could_not_look(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.watch(bot)
    world.cluster.faults.unreachable = True
    (answer,) = await bot.pipeline.sweep_now("")
    assert (answer.sweep, list(answer.found)) == (None, [])
    assert answer.error
    with pytest.raises(errors.ClusterUnavailable):
        await bot.pipeline.sweep_now("payments")


async def test_now_finds_the_namespace_in_whichever_cluster_has_it(begin: worlds.Begin, tmp_path: Path) -> None:
    world = await begin([scenarios.crash_loop()])
    async with SimulatedCluster([scenarios.oom()], clock=world.clock) as other:
        second = connection.ClusterAccess("other", other.write_kubeconfig(tmp_path / "other"), "demo")
        eyes = worlds.eyes_of([worlds.access(world.kubeconfig), second], world.clock)
        bot = await world.replica(eyes=eyes)
        for name in ("demo", "other"):
            await bot.pipeline.add_default_watch(worlds.new_watch(name, cluster=name))
        await bot.pipeline.sweep_now("")
        assert subjects(await bot.pipeline.sweep_now("search")) == ["search/indexer"]
        assert subjects(await bot.pipeline.sweep_now("payments")) == ["payments/api"]
        assert subjects(await bot.pipeline.sweep_now("other")) == ["search/indexer"]
        with pytest.raises(errors.NotPossible, match="Did you mean `search`"):
            await bot.pipeline.sweep_now("serch")
        await bot.pipeline.remove_watch("other", worlds.ANA)
        with pytest.raises(errors.NotPossible, match="Cluster `other` has no active watch"):
            await bot.pipeline.sweep_now("other")
        await eyes.close()


def test_what_belongs_to_no_namespace_concerns_every_place() -> None:
    watch = watches.Watch(
        1, "w", "demo", model.Scope(), "* * * * *", "UTC", "C1", "approve", "active", "U1", examples.NOW
    )
    node = model.ResourceRef("Node", "", "worker-1")
    assert answering.concerns(answering.Place(watch, model.Scope(("web",))), node)
    assert not answering.concerns(answering.Place(watch, model.Scope(("web",)), "pod/web/x"), node)
    assert not answering.concerns(answering.Place(watch, model.Scope(("web",))), examples.API)


# --- incidents, status, audit ---------------------------------------------------------------------------------------


async def test_lists_are_of_what_is_open_what_is_mine_and_the_last_day(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    bot = await world.replica()
    first, second = await world.sweep(bot)
    await bot.pipeline.acknowledge(first.id, worlds.CHLOE)
    assert {one.id for one in await bot.pipeline.list_incidents("", "")} == {first.id, second.id}
    assert [one.id for one in await bot.pipeline.list_incidents("mine", worlds.CHLOE)] == [first.id]
    assert await bot.pipeline.list_incidents("mine", worlds.ANA) == []
    assert await bot.pipeline.counts() == {"open": 1, "acknowledged": 1}
    await bot.pipeline.remove_watch(worlds.CLUSTER, worlds.ANA)
    assert await bot.pipeline.list_incidents("open", "") == []
    assert len(await bot.pipeline.list_incidents("24h", "")) == 2
    assert await bot.pipeline.counts() == {}
    world.clock.passed += DAY + timedelta(minutes=1)
    assert await bot.pipeline.list_incidents("24h", "") == []
    with pytest.raises(errors.NotPossible, match="Did you mean `open`"):
        await bot.pipeline.list_incidents("opne", "")


@pytest.mark.parametrize("words", ["WK-{}", "wk-{}", "#{}", " {} "])
async def test_an_incident_is_shown_however_people_write_its_number(begin: worlds.Begin, words: str) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    assert (await bot.pipeline.show(words.format(incident.id))).incident.id == incident.id


@pytest.mark.parametrize("words", ["", "WK-", "api", "12a", "-1", "²", "9" * 19])
async def test_what_is_no_number_is_no_incident(record: Recorded, words: str) -> None:
    with pytest.raises(errors.NotPossible, match="is no incident"):
        await record[0].pipeline.show(words)


@pytest.mark.parametrize("words", ["1", "0", "9" * 18])
async def test_an_incident_that_is_not_there_is_said_to_be_none(record: Recorded, words: str) -> None:
    with pytest.raises(errors.NotPossible, match="There is no incident WK-"):
        await record[0].pipeline.show(words)


async def test_status_tells_of_one_cluster_or_all_and_knows_no_others(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.proposed(bot)
    status = await bot.pipeline.status()
    assert (len(status.open), len(status.waiting), len(status.watches)) == (1, 1, 1)
    assert await bot.pipeline.status(worlds.CLUSTER) == status
    with pytest.raises(errors.NotPossible, match="Did you mean `demo`"):
        await bot.pipeline.status("demp")


async def test_the_trail_is_shown_by_incident_by_person_or_by_day(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    await bot.pipeline.approve(worlds.press(proposal, worlds.CHLOE))
    mine = await bot.pipeline.audit_page(f"<@{worlds.CHLOE}|chloe>", worlds.ANA)
    assert [entry.event.tag for entry in mine.entries] == ["press:refused"]
    of_it = await bot.pipeline.audit_page(incident.name, worlds.ANA)
    assert [entry.event.tag for entry in of_it.entries][-1] == "incident:opened"
    day = await bot.pipeline.audit_page("24h", worlds.ANA)
    assert {entry.event.tag for entry in day.entries} >= {"watch:added", "incident:opened", "press:refused"}
    assert day.broken is None
    world.clock.passed += DAY + timedelta(minutes=1)
    assert (await bot.pipeline.audit_page("", worlds.ANA)).entries == ()
    with pytest.raises(errors.NotPossible, match="There is no incident WK-999"):
        await bot.pipeline.audit_page("WK-999", worlds.ANA)
    with pytest.raises(errors.NotPossible, match="There is no trail of `yesterday`"):
        await bot.pipeline.audit_page("yesterday", worlds.ANA)


async def test_who_looked_at_the_trail_is_in_the_trail_and_not_on_the_page_itself(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.proposed(bot)
    page = await bot.pipeline.audit_page(incident.name, worlds.CHLOE)
    assert "audit:viewed" not in [entry.event.tag for entry in page.entries]
    viewed = await bot.told(incident.id, "audit:viewed")
    assert (viewed.actor, viewed.chain) == (worlds.CHLOE, worlds.CLUSTER)
    assert viewed.data == {"of": incident.name, "entries": len(page.entries)}
    await bot.pipeline.audit_page("", worlds.CHLOE)
    (newest, *_) = (await bot.pipeline.audit_page(f"<@{worlds.CHLOE}>", worlds.ANA)).entries
    assert (newest.event.tag, newest.event.chain, newest.event.data["of"]) == ("audit:viewed", "-", "24h")
    (newest, *_) = (await bot.pipeline.audit_page(f"<@{worlds.ANA}|ana>", worlds.CHLOE)).entries
    assert newest.event.data["of"] == worlds.CHLOE, "the id alone, without Slack's markup"


# --- watches --------------------------------------------------------------------------------------------------------


async def test_a_watch_of_what_does_not_exist_is_not_added(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"cluster": "demi"}, "There is no cluster `demi`. Did you mean `demo`?"),
        ({"scope": model.Scope(("paymets",))}, "namespace `paymets` in cluster `demo`. Did you mean `payments`?"),
        ({"scope": model.Scope(("payments", "nowhere-at-all"))}, "namespace `nowhere-at-all` in cluster `demo`."),
    ]
    for changes, said in refusals:
        with pytest.raises(errors.NotPossible) as refused:
            await bot.pipeline.add_watch(worlds.new_watch("w", **changes))
        assert said in str(refused.value)
    assert await bot.pipeline.list_watches() == []


async def test_a_watch_by_globs_or_of_all_is_added_without_asking_which_namespaces_there_are(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    world.cluster.forbid("reader", "list", "namespaces")
    await bot.pipeline.add_watch(worlds.new_watch("globs", scope=model.Scope(("team-*", "web?"))))
    await bot.pipeline.add_watch(worlds.new_watch("all"))
    assert [watch.name for watch in await bot.pipeline.list_watches()] == ["all", "globs"]
    assert world.cluster.journal.attempts == []


async def test_an_identity_that_lists_no_namespaces_can_watch_and_sweep_those_that_it_is_given(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    world.cluster.forbid("reader", "list", "namespaces")
    await bot.pipeline.add_watch(worlds.new_watch("named", scope=model.Scope(("payments",))))
    (swept,) = await bot.pipeline.sweep_now("payments")
    assert swept.sweep is not None
    assert swept.sweep.findings > 0


async def test_a_name_is_taken_once_and_free_again_after_removal(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    added = await bot.pipeline.add_watch(worlds.new_watch("prod", scope=model.Scope(("payments",))))
    with pytest.raises(errors.NotPossible, match="There is a watch `prod` already"):
        await bot.pipeline.add_watch(worlds.new_watch("prod"))
    await bot.pipeline.remove_watch("prod", worlds.ANA)
    again = await bot.pipeline.add_watch(worlds.new_watch("prod"))
    assert again.id != added.id
    await bot.pipeline.remove_watch("prod", worlds.ANA)
    assert await bot.pipeline.clusters_ever() == {worlds.CLUSTER}


async def test_two_who_add_the_same_name_at_once_are_one(record: Recorded) -> None:
    bot, _ = record
    done = await asyncio.gather(
        *(bot.pipeline.add_default_watch(worlds.new_watch()) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["NotPossible"] * 4 + ["Watch"]


async def test_pausing_and_resuming_happen_once_each(record: Recorded) -> None:
    bot, _ = record
    await bot.pipeline.add_default_watch(worlds.new_watch())
    await bot.pipeline.pause_watch("demo", worlds.ANA)
    with pytest.raises(errors.NotPossible, match="Watch `demo` is paused already"):
        await bot.pipeline.pause_watch("demo", worlds.BEN)
    assert (await bot.pipeline.list_watches())[0].state == "paused"
    await bot.pipeline.resume_watch("demo", worlds.BEN)
    with pytest.raises(errors.NotPossible, match="Watch `demo` is active already"):
        await bot.pipeline.resume_watch("demo", worlds.BEN)
    page = await bot.pipeline.audit_page("", worlds.ANA)
    told = [(entry.event.tag, entry.event.actor) for entry in reversed(page.entries)]
    assert told == [("watch:added", worlds.ANA), ("watch:paused", worlds.ANA), ("watch:active", worlds.BEN)]
    with pytest.raises(errors.NotPossible, match=r"There is no watch `dem`\. Did you mean `demo`\?"):
        await bot.pipeline.pause_watch("dem", worlds.ANA)


async def test_removing_a_watch_closes_its_incidents_and_their_open_proposals_and_no_others(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    bot = await world.replica()
    mine = await bot.pipeline.add_watch(worlds.new_watch("mine", scope=model.Scope(("payments",))))
    other = await bot.pipeline.add_watch(worlds.new_watch("other", scope=model.Scope(("search",))))
    for watch in (mine, other):
        await bot.pipeline.tick(watch, world.clock())
    while await bot.pipeline.diagnose_next():
        pass
    api, indexer = await world.live(bot)
    rung = bot.bell.rung
    removed, closed = await bot.pipeline.remove_watch("mine", worlds.BEN)
    assert (removed.id, closed, bot.bell.rung) == (mine.id, 1, rung + 1)
    card = await bot.card(api.id)
    assert (card.incident.state, card.incident.resolution) == ("resolved", watching.REMOVED)
    assert (await bot.remedy(api.id)).state == "superseded"
    assert (await bot.told(api.id, "incident:resolved")).actor == worlds.BEN
    assert [one.id for one in await world.live(bot)] == [indexer.id]
    with pytest.raises(errors.NotPossible, match="removed already"):
        await watching.remove(bot.wired, mine, worlds.ANA)
    assert [watch.name for watch in await bot.pipeline.list_watches()] == ["other"]


async def test_those_who_ask_for_the_same_at_once_share_one_sweep_and_each_gets_their_answer(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom("indexer", "payments")])
    bot = await world.replica()
    await world.sweep(bot)
    asked = ("payments", "payments/deployment/api", "payments/deployment/indexer", "payments")
    answers = await asyncio.gather(*(bot.pipeline.sweep_now(words) for words in asked))
    both = ["payments/api", "payments/indexer"]
    assert [subjects(answer) for answer in answers] == [both, ["payments/api"], ["payments/indexer"], both]
    swept = [one.sweep for (one,) in answers]
    assert len({sweep.id for sweep in swept if sweep is not None}) == 1
    (later,) = await bot.pipeline.sweep_now("payments")
    assert later.sweep is not None
    assert later.sweep != swept[0]
