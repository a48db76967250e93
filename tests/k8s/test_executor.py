"""Nothing is written without a permit for exactly that, on exactly that object, as it was; and then exactly once.

Every test counts what the simulated cluster's journal says: `attempts` are requests that were meant to write, `writes`
those that the cluster carried out. Dry runs are neither.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from demo.cluster import scenarios
from demo.cluster.faults import Fault
from k8s import executor, guardrails, model
from k8s import policy as rulebook
from k8s.client import connection, errors
from tests.k8s import executing

DEPLOYMENT = "/apis/apps/v1/namespaces/payments/deployments/api"
ALONE = guardrails.Policy(approvers=("U1",), autonomous=rulebook.Autonomous(enabled=True))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    async with executing.world(tmp_path) as made:
        yield made


def undo(world: executing.World) -> model.Action:
    return model.RolloutUndo(world.api(), 1)


def restart(world: executing.World) -> model.Action:
    return model.RolloutRestart(world.api())


def scale(world: executing.World) -> model.Action:
    return model.Scale(world.api(), 5)


def delete_pod(world: executing.World) -> model.Action:
    return model.DeletePod(world.first_pod(), world.api())


Making = Callable[[executing.World], model.Action]
every_action = pytest.mark.parametrize("make", [undo, restart, scale, delete_pod])
every_change_of_a_workload = pytest.mark.parametrize("make", [undo, restart, scale])


def untouched(world: executing.World) -> bool:
    return world.cluster.journal.attempts == []


# --- what is permitted is done, once ----------------------------------------------------------------------------------


@every_action
async def test_a_permitted_action_is_tried_and_then_written_exactly_once(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    outcome = await world.execute(made)
    assert outcome.status == "succeeded", outcome.detail
    journal = world.cluster.journal
    assert len(journal.attempts) == len(journal.writes) == len(journal.dry_runs) == 1
    tried, written = journal.dry_runs[0], journal.writes[0]
    assert tried.number < written.number
    body = tried.body
    if isinstance(body, dict) and tried.method == "DELETE":
        assert body["dryRun"] == ["All"], "the options of a body are the ones that count"
        body = {name: value for name, value in body.items() if name != "dryRun"}
    assert (tried.method, tried.path, body) == (written.method, written.path, written.body)
    assert await world.executor.look(made.action, made.plan.operations) is True


@every_action
async def test_the_write_is_bound_to_the_uid_and_the_version_that_were_read(
    world: executing.World, make: Making
) -> None:
    made = await world.propose(make(world))
    version = world.cluster.get(made.plan.operations[0].target.kind, made.plan.operations[0].target.name, "payments")[
        "metadata"
    ]["resourceVersion"]
    await world.execute(made)
    body = world.cluster.journal.writes[0].body
    if isinstance(body, list):
        bound = {"uid": body[0]["value"], "resourceVersion": body[1]["value"]}
    else:
        bound = body.get("preconditions") or {key: body["metadata"][key] for key in ("uid", "resourceVersion")}
    assert bound == {"uid": made.plan.operations[0].target.uid, "resourceVersion": version}


async def test_an_executor_can_be_made_from_a_connection_alone(world: executing.World, tmp_path: Path) -> None:
    made = await world.propose(scale(world))
    access = connection.ClusterAccess("demo", world.cluster.write_kubeconfig(tmp_path / "writing"), "demo-writer")
    writing = await connection.Connection.open(access)
    try:
        assert (await executor.Executor.over(world.reader, writing).dry_run(made.plan)).accepted
    finally:
        await writing.close()
    assert len(world.cluster.journal.dry_runs) == 1
    assert untouched(world)


async def test_the_image_from_before_is_kept(world: executing.World) -> None:
    outcome = await world.execute(await world.propose(scale(world)))
    assert outcome.pre_image is not None
    assert outcome.pre_image["spec"]["replicas"] == 3
    assert outcome.pre_image["metadata"]["name"] == "api"
    assert "managedFields" not in outcome.pre_image["metadata"]


async def test_what_the_policy_alone_permits_is_done_in_autonomous_mode(world: executing.World) -> None:
    made = await world.propose(scale(world), policy=ALONE, mode="autonomous")
    assert made.permit.approvers == (guardrails.BY_POLICY,)
    assert (await world.execute(made)).status == "succeeded"


async def test_a_permit_of_the_policy_alone_does_not_hold_where_people_are_asked(world: executing.World) -> None:
    made = await world.propose(scale(world), policy=ALONE, mode="autonomous")
    assert (await world.execute(made, mode="approve")).status == "refused"
    assert untouched(world)


# --- no permit for exactly this ---------------------------------------------------------------------------------------


@every_action
async def test_nothing_is_written_with_a_permit_for_another_digest(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    outcome = await world.execute(made, permit=msgspec.structs.replace(made.permit, digest="0" * 64))
    assert outcome.status == "stale"
    assert outcome.moved == ("What would be written now is not what was approved.",)
    assert untouched(world)


async def test_nothing_is_written_with_a_permit_for_another_action(world: executing.World) -> None:
    made, other = await world.propose(restart(world)), await world.propose(scale(world))
    outcome = await world.execute(made, permit=other.permit)
    assert outcome.status == "stale"
    assert untouched(world)


async def test_nothing_is_written_where_another_moment_would_make_another_operation(world: executing.World) -> None:
    made = await world.propose(restart(world))
    outcome = await world.execute(made, planned_at=executing.ROUND + timedelta(seconds=1))
    assert outcome.status == "stale"
    assert untouched(world)


@every_action
async def test_nothing_is_written_with_an_expired_permit(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.clock.at = made.permit.expires_at
    outcome = await world.execute(made)
    assert (outcome.status, outcome.detail) == ("refused", "The permit has expired.")
    assert untouched(world)


@every_action
async def test_nothing_is_written_with_a_permit_for_another_proposal(world: executing.World, make: Making) -> None:
    outcome = await world.execute(await world.propose(make(world)), proposal="proposal-2")
    assert outcome.status == "refused"
    assert "another proposal" in outcome.detail
    assert untouched(world)


async def test_nothing_is_written_when_the_permit_expires_during_the_dry_run(world: executing.World) -> None:
    made = await world.propose(scale(world))
    times = [executing.ROUND, executing.ROUND, made.permit.expires_at]
    outcome = await world.execute(made, now=lambda: times.pop(0) if len(times) > 1 else times[0])
    assert outcome.status == "refused"
    assert "expired" in outcome.detail
    assert len(world.cluster.journal.dry_runs) == 1
    assert untouched(world)


# --- the policy, asked again ------------------------------------------------------------------------------------------


@every_action
async def test_nothing_is_written_when_the_policy_has_changed(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    outcome = await world.execute(made, policy=guardrails.Policy(approvers=("U1",), max_replicas=49))
    assert outcome.status == "refused"
    assert "The policy has changed since the permit was given." in outcome.detail
    assert untouched(world)


@every_action
async def test_nothing_is_written_when_all_is_read_only_now(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    outcome = await world.execute(made, policy=guardrails.Policy(approvers=("U1",), read_only=True))
    assert outcome.status == "refused"
    assert "Read-only" in outcome.detail
    assert untouched(world)


@every_action
async def test_nothing_is_written_when_the_watch_only_observes_now(world: executing.World, make: Making) -> None:
    outcome = await world.execute(await world.propose(make(world)), mode="observe")
    assert outcome.status == "refused"
    assert untouched(world)


@every_action
async def test_nothing_is_written_when_the_same_was_just_done(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    just_now = guardrails.PastExecution(
        action_name=model.name_of(made.action), workload=world.api(), at=executing.ROUND, status="succeeded"
    )
    outcome = await world.execute(made, history=guardrails.History((just_now,)))
    assert outcome.status == "refused"
    assert "a moment ago" in outcome.detail
    assert untouched(world)


@every_action
async def test_nothing_is_written_to_a_workload_that_was_protected_since(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    mark = {"metadata": {"annotations": {"watchkeeper.io/protected": "true"}}}
    world.cluster.patch("deployments", "api", "payments", mark)
    outcome = await world.execute(made)
    assert outcome.status == "refused", outcome
    assert untouched(world)


@every_action
async def test_nothing_is_written_outside_of_the_incidents_own_workload(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    outcome = await world.execute(made, subject=model.ResourceRef("Deployment", "payments", "web", "another"))
    assert outcome.status == "refused"
    assert untouched(world)


# --- what moved -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [undo, restart])
async def test_nothing_is_written_when_the_template_moved(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.change_image()
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    (moved,) = [fact for fact in outcome.moved if "template" in fact]
    assert moved.startswith("The pod template has changed: image: ")
    assert moved.endswith("→ payments/api:v2.3.0.")
    assert untouched(world)


async def test_nothing_is_written_when_the_replicas_moved(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.patch("deployments", "api", "payments", {"spec": {"replicas": 4}})
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert outcome.moved == ("The number of replicas was 3 and is 4 now.",)
    assert untouched(world)


async def test_nothing_is_written_when_the_rollout_was_paused(world: executing.World) -> None:
    made = await world.propose(restart(world))
    world.cluster.patch("deployments", "api", "payments", {"spec": {"paused": True}})
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert "paused" in outcome.moved[0]
    assert untouched(world)


@every_change_of_a_workload
async def test_nothing_is_written_when_the_workload_is_gone(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.cluster.delete("deployments", "api", "payments")
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert "is gone" in outcome.moved[0]
    assert untouched(world)


@every_change_of_a_workload
async def test_nothing_is_written_to_a_namesake_that_was_created_since(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.recreate()
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert "created anew" in outcome.moved[0]
    assert untouched(world)


@every_change_of_a_workload
async def test_nothing_is_written_to_a_workload_that_is_being_deleted(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.cluster.patch("deployments", "api", "payments", {"metadata": {"finalizers": ["example.com/wait"]}})
    world.cluster.delete("deployments", "api", "payments")
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert untouched(world)


# --- already fixed ----------------------------------------------------------------------------------------------------


async def test_a_scale_that_somebody_did_is_already_fixed(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.patch("deployments", "api", "payments", {"spec": {"replicas": 5}})
    assert (await world.execute(made)).status == "already-fixed"
    assert (await world.execute(made, operations=())).status == "already-fixed"
    assert untouched(world)


async def test_an_undo_that_somebody_did_is_already_fixed(world: executing.World) -> None:
    made = await world.propose(undo(world))
    old = next(
        each
        for each in world.cluster.list("replicasets", "payments")
        if each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    )
    template = old["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash")
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    world.cluster.patch("deployments", "api", "payments", patch, type="json")
    assert (await world.execute(made)).status == "already-fixed"
    assert untouched(world)


async def test_a_pod_that_is_gone_already_is_already_fixed(world: executing.World) -> None:
    made = await world.propose(delete_pod(world))
    assert isinstance(made.action, model.DeletePod)
    world.cluster.delete("pods", made.action.pod.name, "payments", grace=0)
    assert (await world.execute(made)).status == "already-fixed"
    assert untouched(world)


@every_action
async def test_an_action_that_was_carried_out_is_not_carried_out_again(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    assert (await world.execute(made)).status == "succeeded"
    assert (await world.execute(made)).status == "already-fixed"
    assert len(world.cluster.journal.attempts) == 1


# --- the server says no -----------------------------------------------------------------------------------------------


@every_action
@pytest.mark.parametrize("code", [400, 403, 422])
async def test_what_admission_says_is_shown_word_for_word(world: executing.World, make: Making, code: int) -> None:
    made = await world.propose(make(world))
    words = "payments is frozen until Monday; ask #payments-oncall (you cannot change it now)"
    world.cluster.deny_admission(
        lambda operation, *_: operation in ("UPDATE", "DELETE"),
        words,
        webhook="freeze.example.com",
        code=code,
    )
    outcome = await world.execute(made)
    assert outcome.status == "refused"
    assert f'admission webhook "freeze.example.com" denied the request: {words}' in outcome.detail
    assert untouched(world)


@every_change_of_a_workload
async def test_a_missing_right_is_a_refusal_in_plain_words(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    for resource in ("deployments", "deployments/scale"):
        world.cluster.forbid("writer", "patch", resource)
    outcome = await world.execute(made)
    assert outcome.status == "refused"
    resource = "deployments.apps/scale" if make is scale else "deployments.apps"
    assert outcome.detail == f"The bot's writing identity may not patch {resource} in namespace payments."
    assert world.cluster.journal.writes == []


@every_action
async def test_a_writing_identity_with_the_rights_of_the_manifest_lacks_none(
    world: executing.World, make: Making
) -> None:
    made = await world.propose(make(world))
    assert await world.executor.lacking(made.plan) == ""


@pytest.mark.parametrize(
    ("make", "verb", "resource", "told"),
    [
        (undo, "patch", "deployments", "patch deployments.apps"),
        (scale, "patch", "deployments/scale", "patch deployments.apps/scale"),
        (delete_pod, "delete", "pods", "delete pods"),
        (delete_pod, "get", "pods", "get pods"),
        (undo, "list", "replicasets", "list replicasets.apps"),
        (restart, "list", "pods", "list pods"),
        (restart, "*", "deployments", "patch deployments.apps or get deployments.apps"),
    ],
)
async def test_each_right_that_is_lacking_is_known_before_anything_is_tried(
    world: executing.World, make: Making, verb: str, resource: str, told: str
) -> None:
    made = await world.propose(make(world))
    world.cluster.forbid("writer", verb, resource)
    lacking = await world.executor.lacking(made.plan)
    assert lacking == f"The bot's writing identity may not {told} in namespace payments."
    assert world.cluster.journal.dry_runs == []
    assert untouched(world)


async def test_a_review_of_rights_that_fails_gives_none(world: executing.World) -> None:
    made = await world.propose(restart(world))
    world.cluster.faults.add(Fault(path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", status=500))
    with pytest.raises(errors.ServerFault):
        await world.executor.lacking(made.plan)


async def test_a_target_that_may_not_be_read_is_a_refusal_and_nothing_is_tried(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.forbid("writer", "get", "deployments")
    outcome = await world.execute(made)
    assert outcome.status == "refused"
    assert outcome.detail == "The bot's writing identity may not get deployments.apps in namespace payments."
    assert world.cluster.journal.dry_runs == []
    assert untouched(world)


async def test_a_busy_server_is_a_failure_and_nothing_was_written(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.writer.changes = [lambda: world.cluster.faults.add(Fault(path=DEPLOYMENT, method="PATCH", status=429))]
    outcome = await world.execute(made)
    assert outcome.status == "failed"
    assert world.cluster.journal.writes == []


# --- conflicts --------------------------------------------------------------------------------------------------------


@every_change_of_a_workload
@pytest.mark.parametrize("where", ["before the dry run", "before the write"])
async def test_a_conflict_by_a_changing_status_is_tried_again(world: executing.World, make: Making, where: str) -> None:
    made = await world.propose(make(world))
    changes = world.reader.changes if where == "before the dry run" else world.writer.changes
    changes += [world.churn, world.churn]
    outcome = await world.execute(made)
    assert outcome.status == "succeeded", outcome.detail
    assert len(world.cluster.journal.writes) == 1


@every_change_of_a_workload
async def test_a_deletion_in_the_last_moment_ends_as_stale(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.writer.changes = [lambda: world.cluster.delete("deployments", "api", "payments")]
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert "is gone" in outcome.detail
    assert world.cluster.journal.writes == []


@every_change_of_a_workload
async def test_conflicts_without_end_end_after_three_attempts(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.reader.changes = [world.churn] * 10
    outcome = await world.execute(made)
    assert outcome.status == "failed"
    assert "kept changing" in outcome.detail
    assert len(world.cluster.journal.dry_runs) == 3
    assert untouched(world)


@pytest.mark.parametrize("make", [undo, restart])
@pytest.mark.parametrize("where", ["before the dry run", "before the write"])
async def test_a_conflict_by_a_changed_template_ends_as_stale(world: executing.World, make: Making, where: str) -> None:
    made = await world.propose(make(world))
    changes = world.reader.changes if where == "before the dry run" else world.writer.changes
    changes.append(world.change_image)
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert any(fact.startswith("The pod template has changed") for fact in outcome.moved)
    assert world.cluster.journal.writes == []


@every_change_of_a_workload
@pytest.mark.parametrize("where", ["before the dry run", "before the write"])
async def test_a_recreation_in_the_last_moment_does_not_hit_the_namesake(
    world: executing.World, make: Making, where: str
) -> None:
    made = await world.propose(make(world))
    changes = world.reader.changes if where == "before the dry run" else world.writer.changes
    changes.append(world.recreate)
    outcome = await world.execute(made)
    assert outcome.status == "stale", outcome.detail
    assert world.cluster.journal.writes == []


# --- the answer never came --------------------------------------------------------------------------------------------


@every_action
async def test_a_dropped_answer_is_unknown_and_a_look_tells_that_the_change_is_there(
    world: executing.World, make: Making
) -> None:
    made = await world.propose(make(world))
    method = "DELETE" if isinstance(made.action, model.DeletePod) else "PATCH"
    world.writer.changes = [lambda: world.cluster.faults.add(Fault(method=method, drop="after", times=1))]
    outcome = await world.execute(made)
    assert outcome.status == "unknown"
    assert outcome.pre_image is not None
    assert len(world.cluster.journal.writes) == len(world.cluster.journal.attempts) == 1
    assert await world.executor.look(made.action, made.plan.operations) is True


@every_action
async def test_a_request_dropped_before_the_work_is_unknown_and_a_look_tells_that_nothing_is_there(
    world: executing.World, make: Making
) -> None:
    made = await world.propose(make(world))
    method = "DELETE" if isinstance(made.action, model.DeletePod) else "PATCH"
    world.writer.changes = [lambda: world.cluster.faults.add(Fault(method=method, drop="before"))]
    assert (await world.execute(made)).status == "unknown"
    assert world.cluster.journal.writes == []
    assert len(world.cluster.journal.attempts) == 1
    assert await world.executor.look(made.action, made.plan.operations) is False


@pytest.mark.parametrize("code", [500, 503, 504])
async def test_a_server_that_breaks_during_the_write_is_unknown(world: executing.World, code: int) -> None:
    made = await world.propose(scale(world))
    world.writer.changes = [lambda: world.cluster.faults.add(Fault(method="PATCH", status=code))]
    assert (await world.execute(made)).status == "unknown"
    assert len(world.cluster.journal.attempts) == 1


async def test_a_write_without_an_answer_in_time_is_unknown(tmp_path: Path) -> None:
    async with executing.world(tmp_path, limits=connection.CallLimits(read_s=0.3)) as world:
        made = await world.propose(scale(world))
        world.writer.changes = [lambda: world.cluster.faults.add(Fault(method="PATCH", hang=True))]
        outcome = await world.execute(made)
    assert outcome.status == "unknown"
    assert "no answer in time" in outcome.detail


async def test_a_server_that_breaks_during_the_dry_run_is_a_failure(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.faults.add(Fault(method="PATCH", status=500))
    assert (await world.execute(made)).status == "failed"
    assert untouched(world)


# --- looking ----------------------------------------------------------------------------------------------------------


@every_action
async def test_a_look_before_anything_was_done_says_no(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    assert await world.executor.look(made.action, made.plan.operations) is False


@every_change_of_a_workload
async def test_a_look_at_what_is_gone_or_another_says_neither(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.recreate()
    assert await world.executor.look(made.action, made.plan.operations) is None
    world.cluster.delete("deployments", "api", "payments")
    assert await world.executor.look(made.action, made.plan.operations) is None


async def test_a_look_at_a_cluster_that_does_not_answer_is_an_error(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.faults.unreachable = True
    with pytest.raises(errors.Unreachable):
        await world.executor.look(made.action, made.plan.operations)


# --- the dry run of a proposal ----------------------------------------------------------------------------------------


async def test_a_dry_run_shows_what_would_change_and_changes_nothing(world: executing.World) -> None:
    made = await world.propose(undo(world))
    tried = await world.executor.dry_run(made.plan)
    assert tried.accepted
    assert tried.message == ""
    assert "- spec.template.spec.containers.api.image: payments/api:v2.3.1" in tried.diff
    assert "+ spec.template.spec.containers.api.image: payments/api:v2.3.0" in tried.diff
    assert untouched(world)
    assert (await world.execute(made)).status == "succeeded"


async def test_a_dry_run_of_scaling_and_deleting_shows_the_one_change(world: executing.World) -> None:
    scaled, deleted = await world.propose(scale(world)), await world.propose(delete_pod(world))
    assert (await world.executor.dry_run(scaled.plan)).diff == ("- spec.replicas: 3", "+ spec.replicas: 5")
    (line,) = (await world.executor.dry_run(deleted.plan)).diff
    assert line == f"- Pod {deleted.plan.operations[0].target.short}"
    assert untouched(world)


@every_action
async def test_a_dry_run_that_is_denied_says_why_word_for_word(world: executing.World, make: Making) -> None:
    made = await world.propose(make(world))
    world.cluster.deny_admission(lambda operation, *_: operation != "CREATE", "not on Fridays")
    tried = await world.executor.dry_run(made.plan)
    assert not tried.accepted
    assert tried.message == 'admission webhook "policy.example.com" denied the request: not on Fridays'


async def test_a_dry_run_of_what_is_gone_is_not_accepted(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.delete("deployments", "api", "payments")
    tried = await world.executor.dry_run(made.plan)
    assert not tried.accepted
    assert "not found" in tried.message


async def test_a_dry_run_against_a_cluster_that_does_not_answer_is_an_error(world: executing.World) -> None:
    made = await world.propose(scale(world))
    world.cluster.faults.unreachable = True
    with pytest.raises(errors.Unreachable):
        await world.executor.dry_run(made.plan)


# --- secrets ----------------------------------------------------------------------------------------------------------

PASSWORD = "s3cr3t-Zx81-hunter2"


def _of_vault(world: executing.World) -> list[model.Json]:
    found = world.cluster.list("replicasets", "payments")
    return [each for each in found if each["metadata"]["name"].startswith("vault-")]


async def test_no_secret_leaves_with_a_diff_or_with_the_image_from_before(tmp_path: Path) -> None:
    vault = scenarios.deployment("vault", "payments", "payments/vault:v1", env={"DB_PASSWORD": PASSWORD})
    async with executing.world(tmp_path, [scenarios.running(vault)], speed=50.0) as world:
        without = {"spec": {"template": {"spec": {"containers": [{"name": "vault", "env": [{"$patch": "replace"}]}]}}}}
        world.cluster.patch("deployments", "vault", "payments", without)
        await world.cluster.wait_for(lambda: len(_of_vault(world)) == 2)
        made = await world.propose(model.RolloutUndo(world.ref("Deployment", "vault", "payments"), 1))
        tried = await world.executor.dry_run(made.plan)
        outcome = await world.execute(made)
    assert tried.accepted
    assert any("DB_PASSWORD" in line and "redacted" in line for line in tried.diff), tried.diff
    assert PASSWORD not in "".join(tried.diff)
    assert PASSWORD not in msgspec.json.encode(outcome).decode()
