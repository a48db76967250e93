"""Collecting from a cluster: what each failure leaves behind, what is missing by name, what must not get out."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from bot.domain import diagnoses
from bot.evidence import collecting, gathering
from demo.cluster import Fault, Piece, Run, programs, scenarios
from demo.cluster.scenarios import deployment, piece, running
from k8s import detection, model
from k8s.client import connection
from k8s.client import errors as cluster_errors
from tests.bot.flow import worlds

Open = Callable[..., Any]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Open]:
    """A world that stores nothing."""
    async with contextlib.AsyncExitStack() as stack:

        async def made(scenario: Iterable[Piece], *, speed: float = 40.0) -> worlds.World:
            return await stack.enter_async_context(worlds.World.made("", tmp_path, scenario, speed=speed))

        yield made


async def problem(world: worlds.World, kind: str = "") -> model.Problem:
    """The problem that shows this kind; the first one where none is named."""
    snapshot = await world.eyes.look(worlds.CLUSTER, model.Scope())
    found = detection.detect(snapshot).problems
    return next((one for one in found if kind in one.kinds), found[0])


async def collect(world: worlds.World, kind: str = "", **limits: Any) -> diagnoses.Dossier:
    collector = collecting.Collector(world.eyes.reader, world.clock, **limits)
    return await collector.collect(worlds.CLUSTER, await problem(world, kind))


def body(dossier: diagnoses.Dossier, source: diagnoses.Source) -> str:
    found = dossier.of(source)
    assert found is not None, f"no {source} among {[one.source for one in dossier.evidence]}"
    return found.body


# --- every kind of failure ------------------------------------------------------------------------------------------

LEFT_BEHIND: list[tuple[Piece, str, dict[diagnoses.Source, str], dict[str, str]]] = [
    (
        scenarios.crash_loop(),
        "CrashLoopBackOff",
        {"previous-log": "KeyError: 'DB_URL'", "rollout": "DB_URL", "events": "BackOff", "status": "exit code 1"},
        {"missing_name": "DB_URL", "healthy_revision": "1", "rollout_revision": "2", "rollout_previous": "1"},
    ),
    (
        scenarios.bad_image(),
        "ImagePull",
        {"status": "ImagePullBackOff", "events": "not found", "rollout": "v5.2.0-rc1"},
        {"healthy_revision": "1", "container": "storefront"},
    ),
    (scenarios.oom(), "OOMKilled", {"status": "OOMKilled", "previous-log": "heap"}, {"container": "indexer"}),
    (
        scenarios.unschedulable(),
        "Unschedulable",
        {"scheduling": "worker-1: ready; free cpu", "events": "Insufficient cpu"},
        {"room_never": "true"},
    ),
    (scenarios.config_error(), "ConfigError", {"events": "mailer-smtp", "status": "waiting"}, {"container": "mailer"}),
    (
        scenarios.init_failing(),
        "InitFailing",
        {"previous-log": 'relation "orders" does not exist'},
        {"container": "migrate"},
    ),
    (
        scenarios.readiness_failing(),
        "NotReady",
        {"log": "dependency catalog unavailable", "events": "503"},
        {"log": "log"},
    ),
    (
        scenarios.rollout_stuck(),
        "RolloutStuck",
        {"rollout": "v8.1.0", "status": "of 4 ready", "log": "503"},
        {"healthy_revision": "1"},
    ),
    (scenarios.job_failed(), "JobFailed", {"log": "AccessDenied"}, {"container": "ledger-export"}),
    (scenarios.quota_exceeded(), "ReplicasMissing", {"status": "quota"}, {}),
    (scenarios.node_lost(), "NodeNotReady", {"scheduling": "Ready=Unknown"}, {}),
    (scenarios.node_pressure(), "NodePressure", {"scheduling": "MemoryPressure=True"}, {}),
]


@pytest.mark.parametrize(("scenario", "kind", "pieces", "facts"), LEFT_BEHIND, ids=[row[1] for row in LEFT_BEHIND])
async def test_what_a_failure_leaves_behind_is_found(
    begin: Open,
    scenario: Piece,
    kind: str,
    pieces: dict[diagnoses.Source, str],
    facts: dict[str, str],
) -> None:
    world = await begin([scenario])
    dossier = await collect(world, kind)
    for source, text in pieces.items():
        assert text in body(dossier, source)
    assert facts.items() <= dict(dossier.facts).items()
    assert dossier.missing == ()
    assert [one.number for one in dossier.evidence] == list(range(1, len(dossier.evidence) + 1))


async def test_the_log_of_the_life_that_failed_comes_first_and_an_equal_one_is_not_repeated(begin: Open) -> None:
    world = await begin([scenarios.crash_loop()])
    dossier = await collect(world)
    logs = [one.source for one in dossier.evidence if one.source in ("log", "previous-log")]
    assert logs == ["previous-log"]
    assert dossier.facts["log"] == "previous-log"


async def test_a_workload_that_was_scaled_beyond_what_fits_tells_from_how_many(begin: Open) -> None:
    world = await begin([running(deployment("web", "shop", "shop/web:v1", replicas=1, cpu="3"))])
    world.cluster.patch("deployments", "web", "shop", {"spec": {"replicas": 9}})
    await world.cluster.settle()
    dossier = await collect(world, "Unschedulable")
    assert (dossier.facts["scaled_from"], dossier.facts["scaled_to"]) == ("1", "9")


async def test_a_rollback_has_no_age_of_its_own(begin: Open) -> None:
    """A ReplicaSet that was there before is older than the rollout that uses it again."""
    world = await begin([scenarios.crash_loop()])
    before = await collect(world)
    assert "rollout_at" in before.facts
    for change in ({"image": "payments/api:v2.3.0"}, {"image": "payments/api:v2.3.1"}):
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "api", **change}]}}}}
        world.cluster.patch("deployments", "api", "payments", patch)
        await world.cluster.settle()
    after = await collect(world)
    assert after.facts["rollout_revision"] == "4"
    assert "rollout_at" not in after.facts
    assert "at an unknown time" in next(one.title for one in after.evidence if one.source == "rollout")


async def test_a_first_revision_has_nothing_to_be_compared_with(begin: Open) -> None:
    world = await begin([scenarios.oom()])
    dossier = await collect(world)
    assert dossier.facts["rollout_revision"] == "1"
    assert "rollout_previous" not in dossier.facts
    assert dossier.of("rollout") is None


async def test_of_a_pod_by_itself_its_log_and_its_events_are_read(begin: Open) -> None:
    def build(cluster: Any) -> None:
        cluster.images.publish("tools/once", "v1", program=programs.fails("fatal: no such table"))
        spec = {"containers": [{"name": "once", "image": "tools/once:v1"}]}
        cluster.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "once", "namespace": "tools"}, "spec": spec}
        )

    # As fast as time goes: between two crashes it waits for minutes, and is not started anew while it is looked at.
    world = await begin([piece("bare pod", (600.0, build))], speed=1.0)
    dossier = await collect(world, "CrashLoopBackOff")
    assert "no such table" in body(dossier, "previous-log")
    assert "BackOff" in body(dossier, "events")
    assert dossier.target is None


# --- what does not answer -------------------------------------------------------------------------------------------

PAYMENTS = "/api/v1/namespaces/payments"
SOURCES = [
    (f"{PAYMENTS}/events", ["events of the owner", "events of the pod"]),
    (worlds.API, ["the workload and its revisions"]),
    ("/apis/apps/v1/namespaces/payments/replicasets", ["the workload and its revisions"]),
]


@pytest.mark.parametrize(("path", "named"), SOURCES)
@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"drop": "before"}, {"hang": True}], ids=str)
async def test_a_source_that_does_not_answer_is_named_and_the_rest_is_told(
    begin: Open, path: str, named: list[str], fault: dict[str, Any]
) -> None:
    world = await begin([scenarios.crash_loop()])
    shown = await problem(world)
    world.cluster.faults.add(Fault(path=path, **fault))
    seconds = 1.5 if "hang" in fault else 20.0  # a slow machine is no fault of a source
    collector = collecting.Collector(world.eyes.reader, world.clock, seconds=seconds)
    dossier = await collector.collect(worlds.CLUSTER, shown)
    assert [missing.partition(":")[0] for missing in dossier.missing] == named
    assert "KeyError" in body(dossier, "previous-log")
    if fault == {"hang": True}:
        assert dossier.missing[0].endswith("no answer within 1.5 s")


async def test_logs_that_may_not_be_read_are_named_one_by_one(begin: Open) -> None:
    world = await begin([scenarios.crash_loop()])
    world.cluster.forbid("reader", "get", "pods/log")
    dossier = await collect(world)
    assert [missing.partition(":")[0] for missing in dossier.missing] == ["the current log", "the previous log"]
    assert all("cannot get" in missing for missing in dossier.missing)
    assert {"status", "events", "rollout"} <= {one.source for one in dossier.evidence}


async def test_a_log_that_the_node_has_just_dropped_is_asked_for_again(begin: Open) -> None:
    world = await begin([scenarios.crash_loop()])
    shown = await problem(world)
    pods = world.cluster.pods("payments", "api")
    paths = [f"/api/v1/namespaces/payments/pods/{pod['metadata']['name']}/log" for pod in pods]
    for path in paths:
        world.cluster.faults.add(Fault(path=path, status=404, times=2))
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, shown)
    assert dossier.missing == ()
    assert "KeyError" in body(dossier, "previous-log")


async def test_a_log_that_stays_away_is_named_and_the_rest_is_told(begin: Open) -> None:
    world = await begin([scenarios.crash_loop()])
    shown = await problem(world)
    for pod in world.cluster.pods("payments", "api"):
        path = f"/api/v1/namespaces/payments/pods/{pod['metadata']['name']}/log"
        world.cluster.faults.add(Fault(path=path, status=404))
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, shown)
    assert {missing.partition(":")[0] for missing in dossier.missing} == {"the current log", "the previous log"}
    assert {"status", "events", "rollout"} <= {one.source for one in dossier.evidence}


async def test_nodes_that_may_not_be_listed_are_named(begin: Open) -> None:
    world = await begin([scenarios.unschedulable(), scenarios.node_lost()])
    pending, lost = await problem(world, "Unschedulable"), await problem(world, "NodeNotReady")
    world.cluster.forbid("reader", "*", "nodes")
    collector = collecting.Collector(world.eyes.reader, world.clock)
    for shown, named in ((pending, "the nodes"), (lost, "the node")):
        dossier = await collector.collect(worlds.CLUSTER, shown)
        assert [missing.partition(":")[0] for missing in dossier.missing] == [named]
        assert dossier.of("scheduling") is None


async def test_pods_of_a_job_that_may_not_be_listed_are_named(begin: Open) -> None:
    world = await begin([scenarios.job_failed()])
    shown = await problem(world, "JobFailed")
    world.cluster.forbid("reader", "list", "pods")
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, shown)
    assert [missing.partition(":")[0] for missing in dossier.missing] == ["the pods of the Job"]
    assert "BackoffLimitExceeded" in body(dossier, "status") + body(dossier, "events")


async def test_a_job_whose_pods_were_cleaned_up_has_no_log_and_that_is_no_gap(begin: Open) -> None:
    world = await begin([scenarios.job_failed()])
    shown = await problem(world, "JobFailed")
    for pod in world.cluster.list("pods", "batch"):
        world.cluster.delete("pods", pod["metadata"]["name"], "batch", grace=0)
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, shown)
    assert dossier.missing == ()
    assert dossier.of("log") is None


async def test_a_cluster_that_cannot_be_reached_at_all_is_the_one_thing_missing(begin: Open, tmp_path: Path) -> None:
    world = await begin([scenarios.crash_loop()])
    shown = await problem(world)

    async def nobody(_: str) -> Any:
        return await connection.Connection.open(connection.ClusterAccess("demo", tmp_path / "none", "demo"))

    dossier = await collecting.Collector(nobody, world.clock).collect(worlds.CLUSTER, shown)
    assert dossier.evidence == ()
    assert len(dossier.missing) == 1
    assert dossier.missing[0].startswith("the cluster did not answer (")
    with pytest.raises(cluster_errors.ConfigurationError):
        await nobody("demo")


# --- what must not get out ------------------------------------------------------------------------------------------

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
AWS = "AKIA" + "QX7NB2LM4P5R6S7T"
PASSWORD = "correct-" + "horse-" + "battery"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhbmEiLCJyb2xlIjoiYWRtaW4ifQ." + "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
PLANTED = (TOKEN, AWS, PASSWORD, JWT, KEY_LINE)


async def test_secrets_in_logs_events_environment_and_annotations_do_not_reach_the_dossier(begin: Open) -> None:
    lines = [
        f"INFO  cloning https://x-access-token:{TOKEN}@github.com/acme/api.git",
        f"DEBUG aws_access_key_id={AWS}",
        f"INFO  connecting to postgres://app:{PASSWORD}@db:5432/app",
        f"DEBUG Authorization: Bearer {JWT}",
        "-----BEGIN PRIVATE KEY-----",
        *[KEY_LINE] * 20,
        "-----END PRIVATE KEY-----",
        f'FATAL: password authentication failed: password="{PASSWORD}"',
    ]

    def build(cluster: Any) -> None:
        cluster.images.publish("shop/web", "v1")
        cluster.images.publish("shop/web", "v2", program=programs.fails(*lines))
        cause = {"kubernetes.io/change-cause": f"helm upgrade --set token={TOKEN}"}
        cluster.apply(deployment("web", "shop", "shop/web:v1", env={"DB_PASSWORD": "before"}, annotations=cause))

    def roll_out(cluster: Any) -> None:
        env = [{"name": "DB_PASSWORD", "value": PASSWORD}, {"name": "GITHUB_TOKEN", "value": TOKEN}]
        change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:v2", "env": env}]}}}}
        cause = {"kubernetes.io/change-cause": f"deploy with token={TOKEN}"}
        cluster.patch("deployments", "web", "shop", change | {"metadata": {"annotations": cause}})

    world = await begin([piece("leaky", (7200.0, build), (600.0, roll_out))])
    dossier = await collect(world)
    shown = "\n".join([*(f"{one.title}\n{one.body}" for one in dossier.evidence), *dossier.facts.values()])
    assert [secret for secret in PLANTED if secret in shown] == []
    assert "[redacted" in body(dossier, "previous-log")
    assert "password authentication failed" in dossier.facts["error_line"]
    assert "DB_PASSWORD" in body(dossier, "rollout")


async def test_the_rest_of_a_key_whose_beginning_was_cut_off_does_not_reach_the_dossier(begin: Open) -> None:
    lines = ["-----BEGIN RSA PRIVATE KEY-----", *[KEY_LINE] * 30, "-----END RSA PRIVATE KEY-----", "FATAL: bad key"]
    app = running(deployment("web", "shop", "shop/web:v1"), program=programs.fails(*lines), ago=600.0)
    world = await begin([app])
    dossier = await collect(world, log_lines=20)
    assert KEY_LINE not in "\n".join(one.body for one in dossier.evidence)
    assert "FATAL: bad key" in body(dossier, "previous-log")


# --- logs of every size ---------------------------------------------------------------------------------------------


def says(*lines: str) -> Piece:
    """Crashes after these lines."""
    timed = tuple((0.1, line) for line in lines)
    run = Run(lines=timed, exit_after=1.0, exit_code=1)
    return running(deployment("web", "shop", "shop/web:v1"), program=lambda _: run, ago=600.0)


async def test_a_huge_log_is_read_from_its_end_and_capped(begin: Open) -> None:
    world = await begin(
        [says(*(f"line {chr(97 + number % 26)} {'x' * 200}" for number in range(3000)), "FATAL: the end")]
    )
    dossier = await collect(world)
    found = dossier.of("previous-log")
    assert found is not None
    assert found.cut
    assert len(found.body) <= gathering.BODY_CHARACTERS
    assert found.body.endswith("FATAL: the end")


async def test_a_log_of_which_only_the_end_was_read_is_marked_as_cut_however_alike_its_lines_are(begin: Open) -> None:
    world = await begin([says(*["upstream refused, trying again"] * 250)])
    found = (await collect(world)).of("previous-log")
    assert found is not None
    assert found.body == "upstream refused, trying again (×200)"
    assert found.cut


async def test_a_log_that_was_read_whole_is_not_marked_as_cut(begin: Open) -> None:
    world = await begin([says(*["upstream refused, trying again"] * 150)])
    found = (await collect(world)).of("previous-log")
    assert found is not None
    assert not found.cut


async def test_an_endless_line_is_cut(begin: Open) -> None:
    world = await begin([says("FATAL: " + "x" * 3_000_000)])
    dossier = await collect(world)
    assert all(one.cut for one in dossier.evidence if one.source == "previous-log")
    assert all(len(one.body) <= gathering.BODY_CHARACTERS for one in dossier.evidence)
    assert len(dossier.facts.get("error_line", "")) <= 300


async def test_a_binary_log_is_told_as_text(begin: Open) -> None:
    world = await begin([says("\x1b[31mpanic: \x00\x07 boom\x1b[0m", "\ud83d".encode("utf-8", "replace").decode())])
    dossier = await collect(world)
    assert dossier.facts["error_line"].startswith("panic: ")
    assert not set(body(dossier, "previous-log")) & set(map(chr, range(9)))


async def test_a_silent_crash_has_no_log_to_show(begin: Open) -> None:
    world = await begin([says()])
    dossier = await collect(world)
    assert dossier.of("previous-log") is None
    assert "error_line" not in dossier.facts
    assert dossier.missing == ()
