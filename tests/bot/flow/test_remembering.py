"""Sweeps remember: what a workload does more than it used to becomes an incident, and ends as one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain import incidents, rules
from demo.cluster import Fault, programs, resources, scenarios, workloads
from demo.cluster.images import Program
from demo.cluster.pieces import Piece
from k8s import detection, model
from tests.bot.flow import worlds

METRICS = "/apis/metrics.k8s.io/v1beta1/pods"
MIB = 1024.0 * 1024.0


def app(program: Program = programs.HEALTHY, *, ago: float = 600.0, **fields: Any) -> Piece:
    manifest = workloads.deployment("indexer", "search", "search/indexer:v1", **fields)
    return scenarios.running(manifest, program=program, ago=ago)


def on(*kinds: str, **more: Any) -> rules.Rules:
    return replace(worlds.RULES, kinds=detection.Options(enabled=frozenset(kinds)), **more)


def leaking(world: worlds.World, per_hour: float = 40.0) -> Callable[[Any, str], float]:
    """Half of 512 MiB now, and so many MiB more every hour."""
    start = world.clock()
    return lambda _pod, _name: (300 + per_hour * (world.clock() - start).total_seconds() / 3600) * MIB


async def swept(world: worlds.World, bot: worlds.Replica, minutes: int, *, every: int = 10) -> list[incidents.Incident]:
    """Sweeps while these minutes pass; the live incidents afterwards."""
    found: list[incidents.Incident] = []
    for _ in range(0, minutes, every):
        world.clock.advance(minutes=every)
        await world.cluster.settle()
        found = list(await world.sweep(bot))
    return found


async def test_memory_that_grows_is_told_before_the_kill_and_diagnosed(begin: worlds.Begin) -> None:
    world = await begin([app(memory_limit="512Mi")], speed=1.0)
    world.cluster.registry.usage = leaking(world)
    bot = await world.replica()
    assert await swept(world, bot, 100) == []
    (incident,) = await swept(world, bot, 60)
    assert incident.kinds == ("MemoryGrowth",)
    assert incident.severity == "P3"
    assert "of its memory limit of 512Mi" in incident.headline
    assert "about 3 h are left" in incident.headline
    while await bot.pipeline.diagnose_next():
        pass
    card = await bot.card(incident.id)
    assert card.diagnosis is not None
    assert card.diagnosis.confidence == "medium"
    assert card.diagnosis.next_step.startswith("Find out whether it leaks")
    assert card.remedy is None
    (urgent,) = await swept(world, bot, 130)
    assert (urgent.id, urgent.severity) == (incident.id, "P2")


async def test_a_restart_ends_the_growth_and_its_incident(begin: worlds.Begin) -> None:
    world = await begin([app(memory_limit="512Mi")], speed=1.0)
    world.cluster.registry.usage = leaking(world)
    bot = await world.replica()
    assert len(await swept(world, bot, 160)) == 1
    world.cluster.registry.usage = lambda _pod, _name: 60 * MIB
    assert await swept(world, bot, 30) == []


async def test_a_metrics_server_that_is_away_neither_spoils_a_sweep_nor_ends_an_incident(begin: worlds.Begin) -> None:
    world = await begin([app(memory_limit="512Mi")], speed=1.0)
    world.cluster.registry.usage = leaking(world)
    bot = await world.replica()
    assert len(await swept(world, bot, 160)) == 1
    world.cluster.faults.add(Fault(path=METRICS, status=503))
    assert len(await swept(world, bot, 60)) == 1
    (status,) = (await bot.pipeline.status()).watches
    assert status.last_sweep is not None
    assert status.last_sweep.degraded == {}
    seen = await world.eyes.look(worlds.CLUSTER, model.Scope())
    assert "podmetrics" in seen.unread


@pytest.mark.parametrize("served", [True, False])
async def test_usage_is_read_where_there_are_metrics_for_all_namespaces_or_one(
    begin: worlds.Begin, served: bool
) -> None:
    world = await begin([app(memory_limit="512Mi")])
    if served:
        world.cluster.registry.usage = lambda _pod, _name: 64 * MIB
    for scope in (model.Scope(), model.Scope(("search",))):
        seen = await world.eyes.look(worlds.CLUSTER, scope)
        used = [each.usage.memory for item in seen.podmetrics for each in item.containers or () if each.usage]
        assert used == (["65536Ki"] if served else [])
        assert ("podmetrics" in seen.unread) is not served


def restart(world: worlds.World) -> None:
    """The container of the workload ends and is started again, at once."""
    found = next(
        each for each in world.cluster.list("pods", "search") if each["metadata"]["name"].startswith("indexer")
    )
    status = found["status"]
    shown = status["containerStatuses"][0]
    moment = world.clock().isoformat()
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": found["metadata"]["creationTimestamp"],
        "finishedAt": moment,
    }
    shown |= {"restartCount": shown["restartCount"] + 1, "lastState": {"terminated": ended}}
    shown["state"] = {"running": {"startedAt": moment}}
    world.cluster.registry.update_status(resources.BY_PLURAL["pods"], found, status)


async def test_restarts_beyond_the_usual_are_told(begin: worlds.Begin) -> None:
    world = await begin([app(ago=90_000.0)])
    bot = await world.replica()
    restart(world)
    assert await swept(world, bot, 80) == []
    for expected in (0, 0, 1):
        restart(world)
        assert len(await swept(world, bot, 15, every=15)) == expected
    incident = (await world.live(bot))[0]
    assert incident.kinds == ("RestartGrowth",)
    assert "restarted 3 times within the last hour" in incident.headline
    while await bot.pipeline.diagnose_next():
        pass
    card = await bot.card(incident.id)
    assert card.diagnosis is not None
    assert card.diagnosis.confidence == "low"
    assert await swept(world, bot, 80) == []


class Log:
    """A log that says what a test lets it say. Behind `ports.Ears`."""

    def __init__(self) -> None:
        self.text = "INFO all is well"
        self.asked = 0

    async def log(self, _cluster: str, _pod: model.ResourceRef, _container: str, _since: datetime) -> str | None:
        self.asked += 1
        return self.text


@pytest.mark.parametrize(
    ("enabled", "noise", "found"), [(True, (), True), (True, ("not stored",), False), (False, (), False)]
)
async def test_errors_in_logs_are_told_where_a_person_asked_for_it(
    begin: worlds.Begin, enabled: bool, noise: tuple[str, ...], found: bool
) -> None:
    world, log = await begin([app()]), Log()
    bot = await world.replica(ears=log, rules=on(*(["LogErrors"] if enabled else []), log_noise=noise))
    assert await swept(world, bot, 65, every=5) == []
    log.text = "\n".join(f"ERROR order {number} not stored: password=hunter2secret" for number in range(30))
    live = await swept(world, bot, 20, every=5)
    assert [one.kinds for one in live] == ([("LogErrors",)] if found else [])
    for incident in live:
        assert "ERROR order" in incident.headline
        assert "hunter2secret" not in incident.headline
    assert bool(log.asked) is enabled


async def test_a_log_is_read_from_the_cluster_since_a_moment(begin: worlds.Begin) -> None:
    world = await begin([app()])
    name = world.cluster.list("pods", "search")[0]["metadata"]["name"]
    pod = model.ResourceRef("Pod", "search", name)
    told = await world.eyes.log(worlds.CLUSTER, pod, "indexer", world.clock() - timedelta(hours=1))
    assert told is not None
    assert "listening" in told
    assert await world.eyes.log(worlds.CLUSTER, pod, "indexer", world.clock() + timedelta(hours=1)) == ""
    assert await world.eyes.log(worlds.CLUSTER, replace_name(pod), "indexer", world.clock()) is None
    assert await world.eyes.log("another", pod, "indexer", world.clock()) is None
    (entry, *_) = [each for each in world.cluster.journal.entries if each.path.endswith("/log")]
    assert {"sinceTime", "tailLines", "limitBytes"} <= set(entry.query)


def replace_name(pod: model.ResourceRef) -> model.ResourceRef:
    return model.ResourceRef(pod.kind, pod.namespace, f"{pod.name}-gone")


async def test_a_log_that_cannot_be_read_is_no_trouble_of_the_cluster(begin: worlds.Begin) -> None:
    world = await begin([app()])
    bot = await world.replica(ears=world.eyes, rules=on("LogErrors"))
    world.cluster.access.forbid("reader", "get", "pods/log")
    assert await world.sweep(bot) == []
    assert world.eyes.troubles == {}


async def test_a_kind_that_is_turned_off_ends_its_incident(begin: worlds.Begin) -> None:
    world = await begin([app(memory_limit="512Mi")], speed=1.0)
    world.cluster.registry.usage = leaking(world)
    bot = await world.replica()
    assert len(await swept(world, bot, 160)) == 1
    off = replace(worlds.RULES, kinds=detection.Options(disabled=frozenset({"MemoryGrowth", "RestartGrowth"})))
    changed = await world.replica("b", rules=off)
    assert await swept(world, changed, 20) == []
