"""The fast path on a simulated cluster: what breaks is on record with no sweep, and nothing else is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot import clusters, following
from bot.domain import incidents, ports, watches
from demo.cluster import access, scenarios
from k8s import detection, model
from k8s.client import connection, watching
from tests.bot.domain import examples
from tests.bot.flow import worlds

QUICK = watching.Limits(
    watch_s=(30.0, 30.0),
    margin_s=1.0,
    steady_s=0.0,
    first_pause_s=0.02,
    longest_pause_s=0.1,
    spread_s=0.05,
    refused_pause_s=0.2,
)
SHORT = replace(worlds.RULES, lease=timedelta(seconds=2))
WITHIN = 20.0
SILENT = 1.5
"""Seconds that a test waits for what must not come: longer than the fast path waits for a quiet cluster."""


class Gauge(ports.Unmetered):
    """Which clusters are followed at this moment."""

    def __init__(self) -> None:
        self.follows: dict[str, bool] = {}

    def followed(self, cluster: str, follows: bool, /) -> None:
        self.follows[cluster] = follows


@contextlib.asynccontextmanager
async def followed(
    world: worlds.World,
    replica: worlds.Replica,
    *,
    watched: watches.Watch,
    sighted: bool = True,
    eyes: clusters.Clusters | None = None,
) -> AsyncIterator[dict[str, bool]]:
    """The replica follows its clusters; from the beginning of the body on it sees them, unless told otherwise."""
    assert watched.state == "active"
    gauge = Gauge()
    wired = replace(replica.wired, meter=gauge)
    seeing = eyes or world.eyes
    fast = following.Following(
        replica.pipeline, wired, seeing.connection, seeing.selected, time.monotonic, limits=QUICK
    )
    task = asyncio.create_task(fast.run())
    try:
        if sighted:
            await until(lambda: gauge.follows.get(worlds.CLUSTER), "the cluster is followed")
        yield gauge.follows
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    left = [each.get_name() for each in asyncio.all_tasks() if "watch " in each.get_name()]
    assert left == [], "every stream has ended"


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(WITHIN):
            while not condition():  # noqa: ASYNC110 - the condition is any function, there is no event
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN:g} s: {what}") from None


async def opened(world: worlds.World, replica: worlds.Replica, name: str = "") -> incidents.Incident:
    """The live incident whose subject has this in its name, as soon as there is one."""
    try:
        async with asyncio.timeout(WITHIN):
            while True:
                for one in await world.live(replica):
                    if name in str(one.subject):
                        return one
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN:g} s: an incident of {name}") from None


async def nothing(world: worlds.World, replica: worlds.Replica) -> Sequence[incidents.Incident]:
    await asyncio.sleep(SILENT)
    return await world.live(replica)


async def test_a_crash_loop_is_on_record_and_wants_to_be_shown_with_no_sweep(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    watch = await world.watch(bot)
    async with followed(world, bot, watched=watch):
        await world.cluster.add(scenarios.crash_loop(ago=0))
        incident = await opened(world, bot, "Deployment/payments/api")
        await until(lambda: bot.bell.rung, "workers and publisher are woken")
    assert (incident.state, incident.watch_id, incident.channel) == ("open", watch.id, worlds.CHANNEL)
    assert set(incident.kinds) & {"CrashLoopBackOff", "OOMKilled"}
    assert (await bot.wanted())["parent"] == 1
    assert await bot.trail(incident.id) == ["incident:opened"]
    async with bot.database.begin() as tx:
        assert await tx.sweeps.latest(watch.id) is None


async def test_what_a_list_shows_alerts_nobody_and_is_left_to_the_next_sweep(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    async with followed(world, bot, watched=await world.watch(bot)):
        assert list(await nothing(world, bot)) == []
    assert "ledger-export" in str((await world.sweep(bot))[0].subject)


async def test_what_happened_while_nothing_was_watched_alerts_nobody_when_the_version_has_expired(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    async with followed(world, bot, watched=await world.watch(bot)) as follows:
        world.cluster.forbid("reader", "watch", "*")
        world.cluster.watches.close()
        await until(lambda: not follows[worlds.CLUSTER], "nothing is watched")
        await world.cluster.add(scenarios.job_failed(ago=0))
        await world.until(lambda: _failed(world))
        world.cluster.compact()
        before = lists(world)
        world.cluster.allow("reader", "watch", "*")
        await until(lambda: follows[worlds.CLUSTER] and lists(world) > before, "new lists were taken")
        assert list(await nothing(world, bot)) == []
        await world.cluster.add(scenarios.crash_loop(ago=0))
        await opened(world, bot, "Deployment/payments/api")
    assert len(await world.sweep(bot)) == 2


async def test_a_state_opens_an_incident_when_its_grace_is_over_and_nothing_has_changed_since(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.base()])
    options = detection.Options(
        disabled=frozenset(detection.KINDS) - {"NodeNotReady"}, graces={"NodeNotReady": timedelta(seconds=3)}
    )
    bot = await world.replica(rules=replace(worlds.RULES, kinds=options))
    async with followed(world, bot, watched=await world.watch(bot)):
        begun = time.monotonic()
        world.cluster.nodes.fail("worker-2")
        incident = await opened(world, bot, "Node/worker-2")
        assert time.monotonic() - begun > 2
    assert incident.kinds == ("NodeNotReady",)


async def test_each_watch_is_judged_by_its_own_kinds_as_they_are_now(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica(rules=SHORT)
    nothing_else = tuple(kind for kind in detection.KINDS if kind != "JobFailed")
    quiet = await world.watch(bot, "quiet", kinds=watches.Kinds(off=tuple(detection.KINDS)))
    said = watches.Kinds(off=nothing_else, graces={"JobFailed": timedelta(seconds=2)}, severities={"JobFailed": "P1"})
    urgent = await world.watch(bot, "urgent", kinds=said)
    async with followed(world, bot, watched=urgent):
        await world.cluster.add(scenarios.job_failed(ago=0))
        incident = await opened(world, bot, "ledger-export")
        assert (incident.watch_id, incident.severity) == (urgent.id, "P1")
        await bot.pipeline.change_kinds("urgent", watches.Kinds(off=("JobFailed",)), (), worlds.ANA)
        await bot.pipeline.change_kinds("quiet", watches.Kinds(on=("JobFailed",)), (), worlds.ANA)
        await asyncio.sleep(following.REFRESH_S + 1)
        await world.cluster.add(scenarios.job_failed("invoices", ago=0))
        assert (await opened(world, bot, "invoices")).watch_id == quiet.id


async def test_only_sweeps_resolve_and_a_problem_that_is_still_there_stays_open(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    async with followed(world, bot, watched=await world.watch(bot)):
        await world.cluster.add(scenarios.job_failed(ago=0))
        incident = await opened(world, bot, "ledger-export")
        world.cluster.delete("jobs", incident.subject.name, incident.subject.namespace)
        assert [one.id for one in await nothing(world, bot)] == [incident.id]
        await world.sweep(bot)
        world.clock.advance(minutes=5)
        assert list(await world.sweep(bot)) == []


async def test_a_known_incident_is_found_again_by_what_happens_to_it_and_told_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (known,) = await world.sweep(bot)
    async with followed(world, bot, watched=await world.watch(bot)):
        for pod in world.cluster.pods("payments", "api"):
            world.cluster.delete("pods", pod["metadata"]["name"], "payments", grace=0)
        await asyncio.sleep(2 * SILENT)
        assert [one.id for one in await world.live(bot)] == [known.id]
    assert await bot.trail(known.id) == ["incident:opened"]


@pytest.mark.parametrize("denied", ["pods", "replicasets", "namespaces"])
async def test_where_watching_is_forbidden_the_sweeps_go_on_alone(begin: worlds.Begin, denied: str) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    watch = await world.watch(bot)
    world.cluster.forbid("reader", "watch", denied)
    async with followed(world, bot, watched=watch, sighted=False) as follows:
        await world.cluster.add(scenarios.crash_loop(ago=0))
        assert list(await nothing(world, bot)) == []
        assert not follows[worlds.CLUSTER]
        assert len(await world.sweep(bot)) == 1


async def test_an_identity_of_one_namespace_follows_that_namespace(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    watch = await world.watch(bot, scope=model.Scope(("payments",)))
    there = access.Binding("watchkeeper-reader", access.READER, 'User "reader"', "payments")
    world.cluster.access.bindings["reader"] = [there]
    async with followed(world, bot, watched=watch):
        await world.cluster.add(scenarios.job_failed(ago=0))
        await world.cluster.add(scenarios.crash_loop(ago=0))
        incident = await opened(world, bot)
    assert incident.subject.namespace == "payments"
    assert len(await world.live(bot)) == 1


async def test_namespaces_that_labels_select_are_the_only_ones_that_are_told_of(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    labelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "payments", "labels": {"team": "a"}}}
    world.cluster.apply(labelled)
    bot = await world.replica()
    watch = await world.watch(bot, scope=model.Scope(labels="team=a"))
    async with followed(world, bot, watched=watch):
        await world.cluster.add(scenarios.job_failed(ago=0))
        await world.cluster.add(scenarios.crash_loop(ago=0))
        await opened(world, bot, "Deployment/payments/api")
        assert len(await nothing(world, bot)) == 1


async def test_one_replica_follows_and_another_one_takes_over(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    a, b = await world.replica("a", rules=SHORT), await world.replica("b", rules=SHORT)
    watch = await world.watch(a)
    async with contextlib.AsyncExitStack() as second:
        async with followed(world, a, watched=watch):
            follows = await second.enter_async_context(followed(world, b, watched=watch, sighted=False))
            await asyncio.sleep(SILENT)
            assert not follows.get(worlds.CLUSTER)
        await until(lambda: follows.get(worlds.CLUSTER), "the other replica follows")
        await world.cluster.add(scenarios.crash_loop(ago=0))
        incident = await opened(world, b)
    assert await b.trail(incident.id) == ["incident:opened"]


async def test_a_paused_watch_is_not_followed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.base()])
    bot = await world.replica()
    watch = await world.watch(bot)
    assert (await bot.pipeline.notice(watch, [examples.problem()])).opened
    await bot.pipeline.pause_watch(watch.name, worlds.ANA)
    other = examples.problem(examples.finding(owner=model.ResourceRef("Deployment", "shop", "web", "uid-9")))
    assert (await bot.pipeline.notice(watch, [other])).opened == ()


async def test_a_dead_cluster_delays_no_other_one(begin: worlds.Begin, tmp_path: Path) -> None:
    world = await begin([scenarios.base()])
    dead = connection.ClusterAccess("dead", _nowhere(tmp_path), "dead")
    eyes = worlds.eyes_of([worlds.access(world.kubeconfig), dead], world.clock)
    world.stack.push_async_callback(eyes.close)
    bot = await world.replica(eyes=eyes)
    watch = await world.watch(bot)
    await bot.pipeline.add_default_watch(worlds.new_watch("dead", cluster="dead"))
    async with followed(world, bot, watched=watch, eyes=eyes) as follows:
        await world.cluster.add(scenarios.crash_loop(ago=0))
        await opened(world, bot, "Deployment/payments/api")
        assert not follows.get("dead")


def test_named_namespaces_are_followed_one_by_one_and_a_glob_needs_them_all() -> None:
    def of(*scopes: model.Scope) -> tuple[str | None, ...]:
        made = [SimpleNamespace(scope=scope) for scope in scopes]
        return following.places(made)  # type: ignore[arg-type]

    assert of(model.Scope(("b", "a")), model.Scope(("c", "a"), ("c",))) == ("a", "b")
    assert of(model.Scope(("a",)), model.Scope()) == (None,)
    assert of(model.Scope(("a", "team-*"))) == (None,)
    assert of(model.Scope(("a",), labels="tier=web")) == ("a",)
    assert of(model.Scope(labels="tier=web")) == (None,)


def lists(world: worlds.World) -> int:
    """Lists of Jobs so far."""
    return sum(
        entry.path.endswith("/jobs") and "watch" not in entry.query and entry.method == "GET"
        for entry in world.cluster.journal.entries
    )


def _failed(world: worlds.World) -> bool:
    return any(
        condition["type"] == "Failed"
        for job in world.cluster.list("jobs")
        for condition in job.get("status", {}).get("conditions", ())
    )


def _nowhere(folder: Path) -> Path:
    """A kubeconfig of a server that is not there."""
    path = folder / "dead"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: dead\n"
        "clusters: [{name: dead, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: dead, user: {token: nobody}}]\n"
        "contexts: [{name: dead, context: {cluster: dead, user: dead}}]\n"
    )
    return path
