"""Remedies of pods, Jobs, autoscalers and nodes on a simulated cluster: tried, done with the roles that they name."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from demo.cluster import programs, scenarios
from demo.cluster.pieces import Piece
from k8s import catalogue, guardrails, model, names, verification
from tests.k8s import executing

POLICY = guardrails.Policy(approvers=("U1", "U2"))
HELD = "example.com/backup"
LONG = 20 * 60.0
JOBS, NODES, FINALIZERS = ("watchkeeper-writer-jobs", "watchkeeper-writer-nodes", "watchkeeper-writer-finalizers")
FAILING = programs.fails("ERROR no such table", after=150.0)
ENDING = programs.finishes("done", after=2.0)


async def done(world: executing.World, action: model.Action) -> model.Plan:
    """Proposed, with all rights, tried, done, seen by a look; and a second time nothing more."""
    made = await world.propose(action, POLICY)
    assert await world.executor.lacking(made.plan) == ""
    tried = await world.executor.dry_run(made.plan)
    assert tried.accepted, tried.message
    assert tried.diff
    assert await world.executor.look(action, made.plan.operations) is False, "a dry run leaves all as it is"
    outcome = await world.execute(made)
    assert outcome.status == "succeeded", outcome
    assert await world.executor.look(action, made.plan.operations) is True
    assert (await world.execute(made)).status == "already-fixed"
    return made.plan


async def judged(world: executing.World, action: model.Action, plan: model.Plan) -> verification.Assessment:
    now = world.cluster.timeline.now()
    return verification.assess(
        plan.action,
        started=now - timedelta(seconds=30),
        target=await world.reader.read_target(action),
        now=now,
        hold=timedelta(seconds=1),
        timeout=timedelta(minutes=10),
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    """A Deployment with a budget and an autoscaler, a CronJob, a Job that failed."""
    pieces = [
        scenarios.running(scenarios.deployment("store", "payments", "payments/store:v1", replicas=2)),
        scenarios.running(scenarios.cron_job("report", "payments", "payments/report:v1"), program=ENDING),
        scenarios.running(scenarios.job("export", "payments", "payments/export:v1", backoff_limit=0), program=FAILING),
    ]
    async with executing.world(tmp_path, pieces, speed=50.0, clocked=True) as world:
        yield world


def pod_of(world: executing.World, app: str) -> model.ResourceRef:
    return world.ref("Pod", world.cluster.pods("payments", app)[0]["metadata"]["name"], "payments")


async def test_a_pod_is_evicted_where_its_budget_has_room(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "payments", minAvailable=1))
    await world.cluster.settle()
    store, pod = world.ref("Deployment", "store", "payments"), pod_of(world, "store")
    action = model.EvictPod(pod, store)
    plan = await done(world, action)
    assert plan.operations == (model.Operation("evict", pod),)
    await world.cluster.settle()
    assert pod.uid not in {each["metadata"]["uid"] for each in world.cluster.pods("payments", "store")}
    assert (await judged(world, action, plan)).status in ("pending", "verified")


async def test_an_eviction_that_a_budget_forbids_is_told_in_the_servers_words(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store-always", "payments", app="store", minAvailable=2))
    await world.cluster.settle()
    action = model.EvictPod(pod_of(world, "store"), world.ref("Deployment", "store", "payments"))
    made = await world.propose(action, POLICY)
    tried = await world.executor.dry_run(made.plan)
    assert not tried.accepted
    words = "The disruption budget store-always needs 2 healthy pods and has 2 currently"
    assert tried.message == f"Cannot evict pod as it would violate the pod's disruption budget. {words}"
    outcome = await world.execute(made)
    assert (outcome.status, words in outcome.detail) == ("refused", True), outcome
    assert action.pod.name in {each["metadata"]["name"] for each in world.cluster.pods("payments", "store")}


async def test_a_pod_of_two_budgets_is_not_offered_and_not_believed_gone(world: executing.World) -> None:
    action = model.EvictPod(pod_of(world, "store"), world.ref("Deployment", "store", "payments"))
    made = await world.propose(action, POLICY)
    for name in ("one", "two"):
        world.cluster.apply(scenarios.disruption_budget(name, "payments", app="store", minAvailable=1))
    await world.cluster.settle()
    tried = await world.executor.dry_run(made.plan)
    assert (tried.accepted, "more than one PodDisruptionBudget" in tried.message) == (False, True)
    assert (await world.execute(made)).status == "stale"
    assert "one, two" in catalogue.problems(action, await world.reader.read_target(action))[0]


async def test_the_bounds_of_an_autoscaler_move_and_go_back(world: executing.World) -> None:
    world.cluster.apply(scenarios.autoscaler("store", "payments", least=2, most=4))
    await world.cluster.settle()
    hpa, store = world.ref("HorizontalPodAutoscaler", "store", "payments"), world.ref("Deployment", "store", "payments")
    plan = await done(world, model.SetAutoscaler(hpa, store, 3, 6))
    spec = world.cluster.get("HorizontalPodAutoscaler", "store", "payments")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    assert (await judged(world, plan.action, plan)).status == "verified"
    assert plan.inverse == model.SetAutoscaler(hpa, store, 2, 4)
    made = await world.propose(plan.inverse, POLICY)
    world.cluster.patch("hpa", "store", "payments", {"spec": {"maxReplicas": 7}})
    outcome = await world.execute(made)
    assert (outcome.status, outcome.moved) == ("stale", ("The most was 6 and is 7 now.",))


async def test_a_cronjob_is_suspended_and_resumed(world: executing.World) -> None:
    world.cluster.bind("writer", JOBS)
    plan = await done(world, model.SuspendCronJob(world.ref("CronJob", "report", "payments")))
    assert world.cluster.get("CronJob", "report", "payments")["spec"]["suspend"] is True
    assert (await judged(world, plan.action, plan)).status == "verified"
    assert plan.inverse is not None
    await done(world, plan.inverse)
    assert not world.cluster.get("CronJob", "report", "payments")["spec"].get("suspend")


async def test_without_the_role_of_jobs_it_is_said_what_is_missing(world: executing.World) -> None:
    cron = world.ref("CronJob", "report", "payments")
    world.cluster.allow("writer", "get", "cronjobs")
    made = await world.propose(model.SuspendCronJob(cron), POLICY)
    lacking = await world.executor.lacking(made.plan)
    assert lacking == "The bot's writing identity may not patch cronjobs.batch in namespace payments."
    outcome = await world.execute(made)
    assert (outcome.status, outcome.detail) == ("refused", lacking)


async def test_a_cronjob_is_run_once_however_often_it_is_tried(world: executing.World) -> None:
    world.cluster.bind("writer", JOBS)
    cron = world.ref("CronJob", "report", "payments")
    action = model.RunCronJob(cron)
    plan = await done(world, action)
    (job,) = [each for each in world.cluster.list("jobs", "payments") if each["metadata"]["name"] != "export"]
    name = job["metadata"]["name"]
    assert plan.kubectl == f"kubectl -n payments create job {name} --from=cronjob/report"
    assert job["metadata"]["labels"][names.MADE_FROM] == cron.uid
    assert job["metadata"]["ownerReferences"][0]["uid"] == cron.uid
    await world.cluster.wait_for(lambda: bool(world.cluster.get("Job", name, "payments")["status"].get("succeeded")))
    await world.cluster.settle()
    found = await judged(world, action, plan)
    assert (found.status, found.reason) == ("verified", f"Job {name} is complete.")


async def test_of_two_replicas_that_create_the_same_job_one_finds_it_there(world: executing.World) -> None:
    world.cluster.bind("writer", JOBS)
    action = model.RunCronJob(world.ref("CronJob", "report", "payments"))
    made = await world.propose(action, POLICY)
    (operation,) = made.plan.operations
    assert isinstance(operation.body, dict)
    body = operation.body
    world.writer.changes = [lambda: world.cluster.apply(body)]
    assert (await world.execute(made)).status == "already-fixed"
    assert len(world.cluster.list("jobs", "payments")) == 2


async def test_a_job_that_failed_is_run_again_and_then_deleted(world: executing.World) -> None:
    world.cluster.bind("writer", JOBS)
    job = world.ref("Job", "export", "payments")
    plan = await done(world, model.RerunJob(job, job))
    (copy,) = [each for each in world.cluster.list("jobs", "payments") if each["metadata"]["name"] != "export"]
    labels = copy["spec"]["template"]["metadata"]["labels"]
    assert (labels["job-name"], labels["app"]) == (copy["metadata"]["name"], "export")
    assert copy["spec"]["selector"] != world.cluster.get("Job", "export", "payments")["spec"]["selector"]
    assert "wait until it has ended" in catalogue.problems(plan.action, await world.reader.read_target(plan.action))[0]
    name = copy["metadata"]["name"]
    await world.cluster.wait_for(lambda: bool(world.cluster.get("Job", name, "payments")["status"].get("failed")))
    await world.cluster.settle()
    found = await judged(world, plan.action, plan)
    assert (found.status, "BackoffLimitExceeded" in found.reason) == ("not-verified", True), found
    gone = await done(world, model.DeleteJob(job, job))
    await world.cluster.settle()
    assert (await judged(world, gone.action, gone)).status == "verified"
    left = {pod["metadata"]["labels"]["job-name"] for pod in world.cluster.pods("payments", "export")}
    assert left == {copy["metadata"]["name"]}, "the pods go with their Job"


async def test_a_node_is_cordoned_and_uncordoned(world: executing.World) -> None:
    world.cluster.bind("writer", NODES)
    node = world.ref("Node", "worker-1", "")
    plan = await done(world, model.Cordon(node))
    assert plan.kubectl == "kubectl cordon worker-1"
    assert world.cluster.get("Node", "worker-1")["spec"]["unschedulable"] is True
    assert (await judged(world, plan.action, plan)).status == "verified"
    assert plan.inverse == model.Uncordon(node)
    await done(world, plan.inverse)
    assert not world.cluster.get("Node", "worker-1")["spec"].get("unschedulable")


async def test_a_taint_goes_and_the_others_stay(world: executing.World) -> None:
    world.cluster.bind("writer", NODES)
    taints = [{"key": name, "value": "x", "effect": "NoSchedule"} for name in ("team", "gpu")]
    world.cluster.patch("nodes", "worker-1", "", {"spec": {"taints": taints}}, type="merge")
    plan = await done(world, model.RemoveTaint(world.ref("Node", "worker-1", ""), "team", "NoSchedule"))
    assert world.cluster.get("Node", "worker-1")["spec"]["taints"] == taints[1:]
    assert plan.irreversible == "It is put back by hand: kubectl taint nodes worker-1 team=x:NoSchedule."


async def test_kinds_of_failure_are_muted_and_told_again(world: executing.World) -> None:
    store = world.ref("Deployment", "store", "payments")
    plan = await done(world, model.AnnotateMute(store, ("LogErrors", "OOMKilled")))
    mark = world.cluster.get("Deployment", "store", "payments")["metadata"]["annotations"]["watchkeeper.io/ignore"]
    assert mark == "LogErrors,OOMKilled"
    assert plan.inverse == model.AnnotateMute(store, ())
    await done(world, plan.inverse)
    annotations = world.cluster.get("Deployment", "store", "payments")["metadata"]["annotations"]
    assert "watchkeeper.io/ignore" not in annotations


def _lost(node: str, kind: str) -> tuple[Piece, ...]:
    """A node that fell silent twenty minutes ago: its pods were told to go, and nobody says that they have."""
    make = scenarios.stateful_set if kind == "StatefulSet" else scenarios.deployment
    manifest = make("store", "payments", "payments/store:v1")
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    return scenarios.running(manifest), scenarios.node_lost(node, ago=LONG)


async def test_a_pod_on_a_silent_node_is_force_deleted(tmp_path: Path) -> None:
    async with executing.world(tmp_path, _lost("worker-3", "Deployment"), speed=50.0, clocked=True) as world:
        world.cluster.bind("writer", NODES)
        (stuck,) = [
            each
            for each in world.cluster.list("pods", "payments")
            if each["metadata"]["labels"]["app"] == "store" and each["metadata"].get("deletionTimestamp")
        ]
        pod = world.ref("Pod", stuck["metadata"]["name"], "payments")
        action = model.ForceDeletePod(pod, world.ref("Deployment", "store", "payments"), "worker-3")
        plan = await done(world, action)
        assert plan.risk == "high"
        assert world.cluster.find("Pod", pod.name, "payments") is None


async def test_a_member_of_a_statefulset_is_force_deleted_only_where_its_node_is_gone(tmp_path: Path) -> None:
    async with executing.world(tmp_path, _lost("worker-3", "StatefulSet"), speed=50.0, clocked=True) as world:
        world.cluster.bind("writer", NODES)
        pod, owner = world.ref("Pod", "store-0", "payments"), world.ref("StatefulSet", "store", "payments")
        action = model.ForceDeletePod(pod, owner, "worker-3")
        target = await world.reader.read_target(action)
        assert "another one of its name must not be started" in catalogue.problems(action, target)[0]
        world.cluster.delete("nodes", "worker-3")
        assert catalogue.problems(action, await world.reader.read_target(action)) == ()


async def test_a_finalizer_goes_and_with_it_the_pod(tmp_path: Path) -> None:
    held = scenarios.piece(
        "held",
        (3 * LONG, lambda cluster: cluster.patch("pods", "store-0", "payments", {"metadata": {"finalizers": [HELD]}})),
        (LONG, lambda cluster: cluster.delete("pods", "store-0", "payments")),
    )
    pieces = (scenarios.running(scenarios.stateful_set("store", "payments", "payments/store:v1")), held)
    async with executing.world(tmp_path, pieces, speed=50.0, clocked=True) as world:
        world.cluster.bind("writer", FINALIZERS)
        pod, owner = world.ref("Pod", "store-0", "payments"), world.ref("StatefulSet", "store", "payments")
        action = model.RemoveFinalizer(pod, owner, HELD)
        plan = await done(world, action)
        await world.cluster.settle()
        found = await judged(world, action, plan)
        assert (found.status, found.progress) == ("verified", "gone")
        assert world.ref("Pod", "store-0", "payments").uid != pod.uid, "the StatefulSet made another one"
