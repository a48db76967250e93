"""What stands around a failing workload, from a cluster: dependencies, siblings, usage, and what does not answer."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.domain import diagnoses
from bot.evidence import collecting, gathering, past
from demo.cluster import Fault, Launch, Piece, Run, programs, scenarios
from demo.cluster.scenarios import deployment, piece, running, service
from k8s import detection, model
from tests.bot.flow import worlds

Open = Callable[..., Any]
BESIDE = ("sibling-log", "owner", "limits", "network", "dependencies", "usage", "past")


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Open]:
    """A world that stores nothing."""
    async with contextlib.AsyncExitStack() as stack:

        async def made(scenario: Iterable[Piece], url: str = "") -> worlds.World:
            return await stack.enter_async_context(worlds.World.made(url, tmp_path, scenario, speed=1.0))

        yield made


async def problem(world: worlds.World, name: str) -> model.Problem:
    snapshot = await world.eyes.look(worlds.CLUSTER, model.Scope())
    return next(one for one in detection.detect(snapshot).problems if one.subject.name == name)


async def collect(world: worlds.World, name: str, **how: Any) -> diagnoses.Dossier:
    shown = await problem(world, name)
    return await collecting.Collector(world.eyes.reader, world.clock, **how).collect(worlds.CLUSTER, shown)


def body(dossier: diagnoses.Dossier, source: diagnoses.Source) -> str:
    found = dossier.of(source)
    assert found is not None, f"no {source} among {[one.source for one in dossier.evidence]}"
    return found.body


def crashing(line: str, **env: str) -> Piece:
    """`shop/web` ends with this line, again and again."""
    manifest = deployment("web", "shop", "shop/web:v1", env=env)
    return running(manifest, program=programs.fails(line), ago=600.0)


DB = running(deployment("db", "shop", "shop/db:v1", replicas=2))
IN_FRONT = piece("service of db", (86_400.0, lambda cluster: cluster.apply(service("db", "shop", port=5432))))


@pytest.mark.parametrize(
    ("line", "env", "around", "state", "told"),
    [
        ("dial tcp: lookup db on 10.96.0.10:53: no such host", {}, [], "missing", "there is no Service db"),
        ("connect to db:5432 refused", {}, [DB, IN_FRONT], "ready", "Service shop/db has 2 ready endpoints"),
        ("bye", {"DB_URL": "postgres://a:hunter2@db.shop:5433/x"}, [DB, IN_FRONT], "wrong-port", "listens on 5432"),
        ("connect to db:5432 refused", {}, [IN_FRONT], "no-endpoints", "no endpoints; no pod matches its selector"),
    ],
    ids=["missing", "ready", "wrong-port", "no-endpoints"],
)
async def test_a_dependency_is_told_with_its_state(
    begin: Open, line: str, env: dict[str, str], around: Sequence[Piece], state: str, told: str
) -> None:
    world = await begin([*around, crashing(line, **env)])
    dossier = await collect(world, "web")
    assert told in body(dossier, "dependencies")
    assert dossier.facts["dependency_state"] == state
    assert dossier.facts["dependency"].startswith("shop/db")
    assert dossier.facts["dependency_by"] == ("environment" if env else "log")
    assert "hunter2" not in "\n".join(one.body for one in dossier.evidence)
    assert dossier.beside == ()


def configured(**data: str) -> Piece:
    """`shop/web` crashes, and its environment comes from ConfigMaps: all of one, one key of the other."""
    manifest = deployment("web", "shop", "shop/web:v1", env={"QUEUE": {"configMapKeyRef": {"name": "one", "key": "q"}}})
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "all"}, "prefix": "APP_"}]

    def build(cluster: Any) -> None:
        cluster.images.publish("shop/web", "v1", program=programs.fails("bye"))
        cluster.apply(scenarios.config_map("all", "shop", **data))
        cluster.apply(scenarios.config_map("one", "shop", q="amqp://mq:5672", unused="http://never:80"))
        cluster.apply(manifest)

    return piece("configured", (600.0, build))


async def test_hosts_of_config_maps_are_dependencies_and_nothing_else_of_them_is_told(begin: Open) -> None:
    url = "postgres" + "://a:hunter2@db.shop:5433/x"
    world = await begin([DB, IN_FRONT, configured(DB_URL=url, NOTE="for nobody's eyes")])
    dossier = await collect(world, "web")
    told = body(dossier, "dependencies").splitlines()
    assert [line.partition(",")[0] for line in told] == ["db.shop:5433", "mq:5672"]
    assert dossier.facts["dependency_state"] == "wrong-port"
    everything = "\n".join((*(f"{one.title}\n{one.body}" for one in dossier.evidence), *dossier.facts.values()))
    for text in ("hunter2", "nobody's eyes", "never"):
        assert text not in everything


async def test_a_config_map_that_may_not_be_read_is_not_known_and_no_gap(begin: Open) -> None:
    world = await begin([DB, IN_FRONT, configured(DB_URL="http://db:5433")])
    world.cluster.forbid("reader", "get", "configmaps")
    dossier = await collect(world, "web")
    assert dossier.of("dependencies") is None
    assert dossier.beside == ()


@pytest.mark.parametrize(
    ("host", "fault", "told"),
    [
        (
            "db.data.svc",
            {},
            "db.data.svc:5432, which the log complains about: there is no Service db in namespace data",
        ),
        ("db.data.svc", {"status": 500}, ""),
        ("api.example", {"status": 403}, ""),
        (
            "api.example",
            {},
            "api.example:5432, which the log complains about: no Service of this cluster has that name",
        ),
    ],
)
async def test_what_cannot_be_looked_up_is_not_told_to_be_missing(
    begin: Open, host: str, fault: dict[str, Any], told: str
) -> None:
    world = await begin([crashing(f"connect to {host}:5432 refused")])
    shown = await problem(world, "web")
    if fault:
        for space in ("data", "example"):
            world.cluster.faults.add(Fault(path=f"/api/v1/namespaces/{space}/services", **fault))
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, shown)
    found = dossier.of("dependencies")
    assert (found.body if found else "").startswith(told)
    assert bool(found) == bool(told)
    silent = ["Service data/db"] if fault == {"status": 500} else []
    assert [one.partition(":")[0] for one in dossier.beside] == silent


async def test_the_pods_behind_a_dependency_that_is_down_are_told(begin: Open) -> None:
    down = running(deployment("db", "shop", "shop/db:v1"), program=programs.fails("FATAL: disk full"), ago=900.0)
    world = await begin([down, IN_FRONT, crashing("connect to db:5432 refused")])
    told = body(await collect(world, "web"), "dependencies")
    assert "0 of 1 endpoints ready; 1 pod behind it (db-" in told
    assert "CrashLoopBackOff" in told


async def test_an_address_of_a_service_is_known_by_it(begin: Open) -> None:
    seen: list[str] = []

    def build(cluster: Any) -> None:
        cluster.apply(service("db", "shop", port=5432))
        address = cluster.get("services", "db", "shop")["spec"]["clusterIP"]
        seen.append(address)
        line = f"connect ECONNREFUSED {address}:5432"
        cluster.images.publish("shop/web", "v1", program=programs.fails(line))
        cluster.apply(deployment("web", "shop", "shop/web:v1"))

    world = await begin([piece("by address", (600.0, build))])
    dossier = await collect(world, "web")
    assert dossier.facts["dependency"] == "shop/db:5432"
    assert body(dossier, "dependencies").startswith(f"{seen[0]}:5432, which the log complains about")


async def test_the_log_of_a_healthy_pod_of_the_same_workload_shows_what_is_normal(begin: Open) -> None:
    failing: set[str] = set()

    def one_fails(launch: Launch) -> Run:
        if not failing or launch.pod in failing:
            failing.add(launch.pod)
            return Run(lines=((0.1, "FATAL: shard 3 is corrupt"),), exit_after=1.0, exit_code=1)
        return Run(lines=((0.1, "shard opened"), (0.2, "ready")))

    world = await begin([running(deployment("web", "shop", "shop/web:v1", replicas=3), program=one_fails, ago=600.0)])
    dossier = await collect(world, "web")
    found = dossier.of("sibling-log")
    assert found is not None
    assert found.body == "shard opened\nready"
    assert found.title.endswith("which is ready (of the same revision): what is normal")
    assert not any(name in found.title for name in failing)


async def test_usage_is_read_where_there_is_a_metrics_server_and_missed_by_nobody_where_not(begin: Open) -> None:
    world = await begin([scenarios.readiness_failing()])
    without = await collect(world, "recommender")
    assert without.of("usage") is None
    assert without.beside == ()
    world.cluster.registry.usage = lambda _pod, _container: 100 * 1024**2
    assert "memory 100Mi" in body(await collect(world, "recommender"), "usage")


async def test_pieces_that_rules_rest_on_keep_their_numbers(begin: Open) -> None:
    world = await begin([DB, IN_FRONT, crashing("connect to db:5432 refused")])
    sources = [one.source for one in (await collect(world, "web")).evidence]
    beside = [source in BESIDE for source in sources]
    assert beside == sorted(beside)
    assert len(sources) == len(set(sources))


async def test_what_may_not_be_read_around_it_is_one_line_and_costs_no_confidence(begin: Open) -> None:
    world = await begin([crashing("connect to db:5432 refused")])
    for plural in ("services", "endpointslices", "resourcequotas", "limitranges"):
        world.cluster.forbid("reader", "list", plural)
    dossier = await collect(world, "web")
    assert dossier.missing == ()
    unread = "EndpointSlices, LimitRanges, ResourceQuotas, Services: the bot may not read them"
    assert dossier.beside == (unread,)
    assert dossier.of("dependencies") is None


class Broken:
    """A source that fails in one of its ways."""

    name = "the almanac"

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def collect(self, _cluster: str, _problem: model.Problem, _target: model.Target | None) -> Any:
        if self._error is not None:
            raise self._error
        return (gathering.Piece("runbook", "token=" + "gh" + "p_" + "a1B2c3D4e5" * 4, "read me"),)


async def test_half_of_the_evidence_away_is_told_by_name_and_the_rest_stands(begin: Open) -> None:
    world = await begin([crashing("KeyError: 'DB_URL'")])
    shown = await problem(world, "web")
    for path in ("/api/v1/namespaces/shop/services", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"):
        world.cluster.faults.add(Fault(path=path, status=500))
    more = (Broken(gathering.Unanswered("it answered 503")), Broken(None))
    collector = collecting.Collector(world.eyes.reader, world.clock, more=more, seconds=30.0)
    dossier = await collector.collect(worlds.CLUSTER, shown)
    assert sorted(one.partition(":")[0] for one in dossier.beside) == [
        "EndpointSlices in shop",
        "Services in shop",
        "the almanac",
    ]
    assert "the almanac: it answered 503" in dossier.beside
    assert dossier.missing == ()
    assert "KeyError" in body(dossier, "previous-log")
    plugged = dossier.of("runbook")
    assert plugged is not None
    assert "a1B2c3D4e5" not in plugged.title


async def test_a_record_that_is_away_is_named(begin: Open) -> None:
    world = await begin([crashing("bye")], "postgresql://nobody@127.0.0.1:1/none")
    replica = await world.replica()
    earlier = past.Past(replica.database, world.clock)
    dossier = await collect(world, "web", more=(earlier,), live=earlier.live, record=earlier.failures)
    assert [one.partition(":")[0] for one in dossier.beside] == [earlier.name]


async def test_earlier_incidents_and_what_helped_are_told(begin: Open, postgres_url: str) -> None:
    world = await begin([scenarios.crash_loop()], postgres_url)
    replica = await world.replica()
    earlier = past.Past(replica.database, world.clock)
    incident, _ = await world.executed(replica)
    shown = await problem_of(world, replica)
    assert await earlier.collect(worlds.CLUSTER, shown, None) == ()
    assert [one.id for one in await earlier.live(worlds.CLUSTER)] == [incident.id]
    await world.verified(replica, incident.id)
    world.clock.advance(seconds=3600)
    for _ in range(3):
        world.clock.advance(seconds=600)
        await world.sweep(replica)
    assert await world.live(replica) == []
    (piece,) = await earlier.collect(worlds.CLUSTER, shown, None)
    assert piece.source == "past"
    assert piece.body.startswith(f"{incident.name}, ")
    assert "rollout-undo was done once in the last 30 days: it helped once" in piece.body


async def problem_of(world: worlds.World, replica: worlds.Replica) -> model.Problem:
    """As the incident that is open has it."""
    (incident,) = await world.live(replica)
    now = world.clock()
    finding = model.Finding("CrashLoopBackOff", "P1", incident.subject, incident.subject, "x", now, "x")
    return model.Problem(incident.subject, (finding,), "P1", 0, 3)
