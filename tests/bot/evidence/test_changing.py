"""What a cluster tells of the changes before a failure, over HTTP: with which rights, and never a value."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from bot.domain import diagnoses
from bot.evidence import changing, collecting
from bot.flow import diagnosing
from demo.cluster import Fault, Launch, Piece, Run, programs, scenarios
from demo.cluster.images import serve
from demo.cluster.scenarios import config_map, deployment, piece, running, secret, stateful_set
from k8s import detection, model
from tests.bot.flow import worlds

Open = Callable[..., Any]
SECRET = "c2VjcmV0LXZhbHVl"


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Open]:
    """A world that stores nothing."""
    async with contextlib.AsyncExitStack() as stack:

        async def made(scenario: Iterable[Piece], *, speed: float = 40.0) -> worlds.World:
            return await stack.enter_async_context(worlds.World.made("", tmp_path, scenario, speed=speed))

        yield made


async def collect(world: worlds.World, **more: Any) -> tuple[model.Problem, diagnoses.Dossier]:
    snapshot = await world.eyes.look(worlds.CLUSTER, model.Scope())
    (problem,) = detection.detect(snapshot).problems
    collector = collecting.Collector(world.eyes.reader, world.clock, **more)
    return problem, await collector.collect(worlds.CLUSTER, problem)


def body(dossier: diagnoses.Dossier, source: diagnoses.Source = "changes") -> str:
    found = dossier.of(source)
    assert found is not None, f"no {source} among {[one.source for one in dossier.evidence]}"
    return found.body


def reads_its_level(launch: Launch) -> Run:
    if launch.env.get("LOG_LEVEL") == "info":
        return serve()(launch)
    return Run(lines=((0.1, "fatal: cannot parse the settings"),), exit_after=0.5, exit_code=1)


ENV = {
    "LOG_LEVEL": {"configMapKeyRef": {"name": "app", "key": "LOG_LEVEL"}},
    "TOKEN": {"secretKeyRef": {"name": "app", "key": "token"}},
}


def misconfigured(make: Callable[..., Any] = deployment) -> Piece:
    """A ConfigMap gets a value that the program does not take, a minute before its pods are replaced."""

    def build(cluster: Any) -> None:
        cluster.images.publish("shop/web", "v1", program=reads_its_level)
        cluster.apply(config_map("app", "shop", LOG_LEVEL="info", REGION="eu"))
        cluster.apply(secret("app", "shop", token=SECRET))
        cluster.apply(make("web", "shop", "shop/web:v1", env=ENV))

    def edit(cluster: Any) -> None:
        cluster.patch("configmaps", "app", "shop", {"data": {"LOG_LEVEL": "verbose-secret-value"}})
        cluster.patch("secrets", "app", "shop", {"data": {"token": SECRET[::-1]}})

    def replace(cluster: Any) -> None:
        for pod in cluster.pods("shop", "web"):
            cluster.delete("pods", pod["metadata"]["name"], "shop")

    return piece("misconfigured", (7200.0, build), (600.0, edit), (540.0, replace))


async def test_a_changed_config_map_is_found_named_in_the_cause_and_none_of_its_values_is_seen(begin: Open) -> None:
    world = await begin([misconfigured()])
    problem, dossier = await collect(world)
    first = body(dossier).splitlines()[0]
    assert first.endswith("before: ConfigMap shop/app was changed, by kubectl-edit: LOG_LEVEL")
    found = diagnosing.diagnose(problem, dossier, world.clock())
    piece_ = dossier.of("changes")
    assert piece_ is not None
    assert "The ConfigMap shop/app was changed " in found.cause
    assert f"before the first failure, by kubectl-edit: LOG_LEVEL [{piece_.label}]." in found.cause
    assert found.candidates == ()
    shown = repr(dossier.evidence) + found.cause
    assert "verbose-secret-value" not in shown
    assert "Secret shop/app" not in shown
    assert dossier.missing == ()


async def test_config_maps_are_asked_for_by_name_and_as_metadata_alone(begin: Open) -> None:
    world = await begin([misconfigured()])
    await collect(world)
    asked = [entry for entry in world.cluster.journal if "/configmaps" in entry.path or "/secrets" in entry.path]
    assert {entry.path for entry in asked} == {"/api/v1/namespaces/shop/configmaps/app"}
    source = await world.eyes.reader(worlds.CLUSTER)
    read = await source.metadata(model.ResourceRef("ConfigMap", "shop", "app"))
    assert set(read) == {"metadata"}
    assert "LOG_LEVEL" in repr(read)
    assert "verbose" not in repr(read)


async def test_secrets_are_asked_about_where_a_person_says_so_and_their_keys_are_not_told(begin: Open) -> None:
    world = await begin([misconfigured()])
    _, refused = await collect(world, secret_changes=True)
    assert body(refused).endswith("\nWhether Secrets were changed is not known: the bot may not read them.")
    assert refused.missing == ()
    world.cluster.allow("reader", "get", "secrets", "shop")
    _, dossier = await collect(world, secret_changes=True)
    assert "Secret shop/app was changed, by kubectl-edit\n" in body(dossier) + "\n"
    assert "may not read them" not in body(dossier)
    assert SECRET not in repr(dossier.evidence)
    assert "token" not in body(dossier)


async def test_without_the_right_to_config_maps_that_is_said_and_the_rest_goes_on(begin: Open) -> None:
    world = await begin([misconfigured()])
    world.cluster.forbid("reader", "get", "configmaps")
    _, dossier = await collect(world)
    assert body(dossier).endswith("\nWhether ConfigMaps were changed is not known: the bot may not read them.")
    assert dossier.missing == ()
    assert {"status", "events", "previous-log"} <= {one.source for one in dossier.evidence}


async def test_a_config_map_that_does_not_answer_is_named_as_missing(begin: Open) -> None:
    world = await begin([misconfigured()])
    world.cluster.faults.add(Fault(path="/api/v1/namespaces/shop/configmaps/app", status=500))
    _, dossier = await collect(world)
    assert [each.partition(":")[0] for each in dossier.missing] == ["the metadata of ConfigMap shop/app"]


async def test_a_config_map_that_was_changed_after_the_begin_is_no_cause(begin: Open) -> None:
    world = await begin([misconfigured()])
    world.cluster.patch("configmaps", "app", "shop", {"data": {"REGION": "us"}})
    _, dossier = await collect(world)
    assert [change.kind for change in dossier.changes if change.kind == "config"] == []


async def test_the_last_rollout_of_a_stateful_set_is_told_with_its_author(begin: Open) -> None:
    def build(cluster: Any) -> None:
        cluster.images.publish("shop/db", "v1")
        cluster.images.publish("shop/db", "v2", program=lambda _: Run(exit_after=0.5, exit_code=3))
        cluster.apply(stateful_set("db", "shop", "shop/db:v1"))

    def roll_out(cluster: Any) -> None:
        change = {"spec": {"template": {"spec": {"containers": [{"name": "db", "image": "shop/db:v2"}]}}}}
        cluster.patch("statefulsets", "db", "shop", change)

    world = await begin([piece("db", (7200.0, build), (600.0, roll_out))])
    problem, dossier = await collect(world)
    assert body(dossier, "rollout") == "image: shop/db:v1 → shop/db:v2"
    assert dossier.facts["rollout_revision"] == "2"
    assert "StatefulSet shop/db was rolled out as revision 2, by kubectl-edit" in body(dossier)
    found = diagnosing.diagnose(problem, dossier, world.clock())
    assert "It began with revision 2" in found.cause
    assert [one.action for one in found.candidates] == [model.RolloutUndo(problem.subject, 1)]
    world.cluster.forbid("reader", "list", "controllerrevisions")
    _, blind = await collect(world)
    assert diagnosing.diagnose(problem, blind, world.clock()).candidates == ()
    assert blind.of("rollout") is None
    assert body(blind).endswith("\nWhether ControllerRevisions were changed is not known: the bot may not read them.")


async def test_the_author_of_a_rollout_is_told(begin: Open) -> None:
    world = await begin([scenarios.crash_loop()])
    _, dossier = await collect(world)
    (first, *_) = dossier.changes
    assert (first.kind, first.by, first.fits) == ("rollout", "kubectl-edit", True)
    assert "env DB_URL removed" in body(dossier)


async def test_a_cordon_before_pods_find_no_room_is_told(begin: Open) -> None:
    def build(cluster: Any) -> None:
        cluster.images.publish("shop/web", "v1")
        cluster.apply(deployment("web", "shop", "shop/web:v1", replicas=2, cpu="3"))

    def cordon(cluster: Any) -> None:
        for name in scenarios.NODE_NAMES:
            cluster.patch("nodes", name, "", {"spec": {"unschedulable": True}})

    def scale(cluster: Any) -> None:
        cluster.patch("deployments", "web", "shop", {"spec": {"replicas": 3}})

    world = await begin([piece("full", (7200.0, build), (600.0, cordon), (500.0, scale))])
    _, dossier = await collect(world)
    assert "Node worker-1 was cordoned, by kubectl-edit" in body(dossier)


async def test_nothing_is_told_where_nothing_was_changed(begin: Open) -> None:
    def push_over_the_tag(cluster: Any) -> None:
        cluster.images.publish("shop/web", "v1", program=programs.fails("FATAL: no"))
        for pod in cluster.pods("shop", "web"):
            cluster.delete("pods", pod["metadata"]["name"], "shop")

    old = running(deployment("web", "shop", "shop/web:v1"), ago=2 * 86_400.0)
    world = await begin([old, piece("broken", (600.0, push_over_the_tag))])
    _, dossier = await collect(world)
    assert dossier.changes == ()
    assert dossier.of("changes") is None


def test_the_title_names_the_window() -> None:
    assert changing.TITLE == "Changes in the 24 h before the first failure, likeliest first"
