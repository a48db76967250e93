"""Shared causes on the real record: one thread whoever was first, nothing left dangling, nothing told twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot import errors
from bot.domain import incidents
from bot.flow import examining
from k8s import model
from tests.bot.domain import examples
from tests.bot.flow import test_triage, worlds
from tests.k8s.detectors import builders as b

Recorded = tuple[worlds.Replica, worlds.Clock]

API, WEB = examples.API, model.ResourceRef("Deployment", "payments", "web", "uid-web")
SETTINGS = model.ResourceRef("ConfigMap", "payments", "settings")
REGISTRY = model.ResourceRef("Registry", "", "registry.example")
NODE = model.ResourceRef("Node", "", "worker-1", "uid-node")


def lacking(
    sweeps: test_triage.Sweeps, *owners: model.ResourceRef, subject: model.ResourceRef | None = None
) -> model.Problem:
    """Workloads that miss the ConfigMap: folded into it where there are several."""
    facts = {"missing_kind": "ConfigMap", "missing_name": "settings"}
    findings = [
        examples.finding("ConfigError", "ConfigMap settings", owner=owner, facts=facts, since=sweeps.clock())
        for owner in owners
    ]
    return examples.problem(*findings, subject=subject or (SETTINGS if len(owners) > 1 else owners[0]))


async def test_a_second_workload_makes_the_first_ones_incident_wider_in_the_same_thread(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(lacking(sweeps, API))).opened
    proposal = await sweeps.propose(first)
    await sweeps.replica.wanted()
    done = await sweeps.see(lacking(sweeps, API, WEB))
    assert (done.opened, done.seen, done.merged, done.resolved) == ((), (first,), (), ())
    incident = await sweeps.incident(first)
    assert (incident.subject, incident.state, incident.diagnosis_wanted) == (SETTINGS, "open", True)
    assert await sweeps.replica.trail(first) == [
        "incident:opened", "proposal:superseded", "incident:widened"
    ]  # fmt: skip
    async with sweeps.replica.database.begin() as tx:
        (row,) = await tx.proposals.of_incident(first)
    assert (row.id, row.state) == (proposal.id, "superseded")


async def test_two_open_incidents_become_one_and_the_other_ends_merged_without_a_recovery(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    first, second = (await sweeps.see(lacking(sweeps, API), lacking(sweeps, WEB))).opened
    await sweeps.replica.wanted()
    done = await sweeps.see(lacking(sweeps, API, WEB), after=timedelta(0))
    assert (done.opened, done.seen, done.merged) == ((), (first,), (second,))
    assert (await sweeps.incident(first)).subject == SETTINGS
    ended = await sweeps.incident(second)
    assert (ended.state, ended.resolution) == (
        "resolved",
        f"Merged into WK-{first}: ConfigMap/payments/settings is behind both.",
    )
    assert "incident:merged" in await sweeps.replica.trail(second)
    assert "recovery" not in await sweeps.replica.wanted()


async def test_members_come_and_go_and_the_incident_stays_one_until_the_last_is_well(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    other = model.ResourceRef("Deployment", "payments", "log", "uid-log")
    (first,) = (await sweeps.see(lacking(sweeps, API, WEB))).opened
    for members in ((API, WEB, other), (WEB, other), (other,), (other,), (API, other)):
        done = await sweeps.see(lacking(sweeps, *members))
        assert (done.opened, done.seen, done.resolved, done.merged) == ((), (first,), (), ())
        assert (await sweeps.incident(first)).subject == SETTINGS
    assert (await sweeps.see()).resolved == ()
    assert (await sweeps.see()).resolved == (first,)


async def test_where_something_was_done_for_a_workload_a_wider_incident_opens_and_takes_over(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(lacking(sweeps, API))).opened
    proposal = await sweeps.propose(first)
    await sweeps.move(proposal.id, "proposed", "approved", "executing", "succeeded", "not-verified")
    done = await sweeps.see(lacking(sweeps, API, WEB))
    (wide,) = done.opened
    assert done.merged == (first,)
    assert (await sweeps.incident(wide)).subject == SETTINGS
    ended = await sweeps.incident(first)
    assert (ended.subject, ended.state) == (API, "resolved"), "its undo still finds the workload"


async def test_what_runs_for_a_workload_comes_to_its_end_before_its_incident_is_merged(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(lacking(sweeps, API))).opened
    proposal = await sweeps.propose(first)
    await sweeps.move(proposal.id, "proposed", "approved", "executing")
    for _ in range(3):
        assert (await sweeps.see(lacking(sweeps, API, WEB))).merged == ()
        assert (await sweeps.incident(first)).state == "open"
    await sweeps.move(proposal.id, "executing", "failed")
    done = await sweeps.see(lacking(sweeps, API, WEB))
    assert (done.opened, done.merged) == ((), (first,))


async def test_a_problem_that_is_not_mature_yet_leaves_the_incidents_of_its_members_alone(record: Recorded) -> None:
    """A node that has just been lost takes findings before it opens an incident of its own."""
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(sweeps.crash())).opened
    lost = examples.finding("NodeNotReady", owner=NODE, resource=NODE, since=sweeps.clock(), grace=timedelta(hours=1))
    crash = examples.finding(since=sweeps.clock(), grace=timedelta(hours=1))
    for _ in range(4):
        done = await sweeps.see(examples.problem(lost, crash, subject=NODE))
        assert (done.opened, done.merged, done.resolved) == ((), (), ())
    assert (await sweeps.incident(first)).state == "open"


async def test_a_lost_node_takes_over_the_incidents_of_its_pods_and_gives_back_what_outlives_it(
    record: Recorded,
) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(sweeps.crash())).opened
    lost = examples.finding("NodeNotReady", owner=NODE, resource=NODE, since=sweeps.clock())
    crash = examples.finding(since=sweeps.clock())
    done = await sweeps.see(examples.problem(lost, crash, subject=NODE))
    (node,) = done.opened
    assert done.merged == (first,)
    again = await sweeps.see(examples.problem(crash))
    (second,) = again.opened
    assert (await sweeps.incident(second)).subject == API
    assert (await sweeps.incident(node)).state == "open", "one good sweep is not enough"


async def test_only_a_look_at_the_whole_watch_says_that_a_registry_is_well(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    facts = {"class": "unreachable", "registry": REGISTRY.name}
    findings = [
        examples.finding("ImagePull", "Registry registry.example", owner=owner, facts=facts, since=sweeps.clock())
        for owner in (API, WEB)
    ]
    (opened,) = (await sweeps.see(examples.problem(*findings, subject=REGISTRY))).opened
    for _ in range(4):
        assert (await sweeps.see(scope=model.Scope(("elsewhere",)))).resolved == ()
    assert (await sweeps.incident(opened)).clear_sweeps == 0
    await sweeps.see()
    assert (await sweeps.see()).resolved == (opened,)


async def test_a_partial_sweep_neither_resolves_nor_splits_what_is_shared(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(lacking(sweeps, API, WEB))).opened
    for _ in range(4):
        assert (await sweeps.see(degraded=("pods",))).resolved == ()
    assert (await sweeps.see(lacking(sweeps, WEB), degraded=("pods",))).opened == ()
    assert (await sweeps.incident(first)).subject == SETTINGS


@pytest.mark.parametrize("name", ["services", "endpointslices"])
async def test_a_list_that_may_no_longer_be_read_resolves_nothing_that_rested_on_it(
    record: Recorded, name: str
) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    service = model.ResourceRef("Service", "payments", "api", "uid-service")
    lost = examples.finding("ServiceNoEndpoints", "app=x matches nothing", owner=service, since=sweeps.clock())
    (opened,) = (await sweeps.see(examples.problem(lost, subject=service))).opened
    for _ in range(4):
        assert (await sweeps.see(unread=(name,))).resolved == ()
    assert (await sweeps.incident(opened)).state == "open"
    await sweeps.see()
    assert (await sweeps.see()).resolved == (opened,)


async def test_incidents_of_another_watch_are_not_merged(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    (first,) = (await sweeps.see(lacking(sweeps, API))).opened
    other = await test_triage.Sweeps.of(record, name="other")
    done = await other.see(lacking(other, API, WEB))
    assert (len(done.opened), done.merged) == (1, ())
    assert (await sweeps.incident(first)).state == "open"


async def test_what_was_merged_and_comes_back_alone_opens_at_once(record: Recorded) -> None:
    sweeps = await test_triage.Sweeps.of(record)
    since = sweeps.clock()
    first, second = (await sweeps.see(lacking(sweeps, API), lacking(sweeps, WEB))).opened
    await sweeps.see(lacking(sweeps, API, WEB))
    assert (await sweeps.incident(second)).resolution.startswith(incidents.MERGED)
    crash = examples.problem(examples.finding(owner=WEB, since=since), subject=WEB)
    assert len((await sweeps.see(lacking(sweeps, API), crash)).opened) == 1
    assert (await sweeps.incident(first)).state == "open"


# --- a fresh look ---------------------------------------------------------------------------------------------------


class Prepared:
    """Eyes that see what a test has prepared, and remember where they were told to look."""

    clusters = (worlds.CLUSTER,)

    def __init__(self, snapshot: model.Snapshot) -> None:
        self.snapshot = snapshot
        self.looked: list[model.Scope] = []

    async def look(self, cluster: str, scope: model.Scope) -> model.Snapshot:
        self.looked.append(scope)
        return replace(self.snapshot, scope=scope)

    async def release(self, seen: model.Snapshot) -> None:
        return None

    async def target(self, cluster: str, action: model.Action) -> model.Target:
        raise AssertionError("no action is worked out here")

    async def around(self, cluster: str, subject: model.ResourceRef) -> model.Target:
        raise AssertionError("nothing is asked for here")

    async def names(self, cluster: str, kind: str, namespace: str = "") -> list[str]:
        return []

    async def selected(self, cluster: str, scope: model.Scope) -> model.Scope:
        return scope


def pulling(*workloads: str) -> model.Snapshot:
    said = "failed to pull: no such host"
    pods = [
        b.pod(f"{name}-1", [b.waiting("ErrImagePull", said)], phase="Pending", owner=b.controlled("StatefulSet", name))
        for name in workloads
    ]
    return b.snapshot(pods=pods)


@pytest.mark.parametrize("workloads", [("api", "web"), ("web",)])
async def test_a_fresh_look_finds_the_shared_problem_also_by_its_last_workload(
    record: Recorded, workloads: tuple[str, ...]
) -> None:
    eyes = Prepared(pulling(*workloads))
    incident = examples.incident(
        subject=REGISTRY, kinds=("ImagePull",), causes=("ImagePull:Registry registry.example",)
    )
    watch = await record[0].pipeline.add_default_watch(worlds.new_watch(scope=model.Scope(("shop", "pay"))))
    problem = await examining.problem_of(replace(record[0].wired, eyes=eyes), incident, watch)
    assert problem is not None
    assert (problem.subject, problem.primary.kind) == (REGISTRY, "ImagePull")
    assert eyes.looked == [watch.scope], "a Role in the watched namespaces must do"


async def test_a_fresh_look_that_may_not_list_what_it_rests_on_concludes_nothing(record: Recorded) -> None:
    eyes = Prepared(replace(b.snapshot(), unread={"services": "could not list services: no right"}))
    incident = examples.incident(kinds=("ServiceNoEndpoints",), causes=("ServiceNoEndpoints:x",))
    with pytest.raises(errors.ClusterUnavailable, match="services: could not list services: no right"):
        await examining.problem_of(replace(record[0].wired, eyes=eyes), incident)
    eyes.snapshot = b.snapshot()
    assert await examining.problem_of(replace(record[0].wired, eyes=eyes), incident) is None
