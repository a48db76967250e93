"""What is not done, and what is said of it: stale proposals, missing rights, admission, budgets, scopes, two presses.

Told on every ground. Most begin with a Deployment whose pods run and are never ready: a restart is proposed for it at
once, where an undo needs a revision that has been proven for a minute.
"""

import asyncio
from typing import Any

import pytest

from demo import slack
from tests import grounds
from tests.grounds import admin, behaviours, manifests
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours", "journal")]

SOON = "NotReady=1s,Unschedulable=1s"
FORGETS = 10
"""Seconds of the cluster."""
PATCHED = "patch deployments api"
NO_PATCH = "The bot's writing identity may not patch deployments.apps in namespace {}"
POLICY = "CHG-4711: changes are frozen until Monday 06:00; ask the release desk (Jo or Kim), and not the on-call."
STATE = "SELECT state FROM proposal ORDER BY id DESC LIMIT 1"
DENIED = "SELECT count(*) FROM proposal WHERE state = $1"


async def stuck(ground: grounds.Ground) -> None:
    """A Deployment that was rolled out well, and whose one pod is not ready any more a few seconds later."""
    app = ground.container(behaviours.forgets_healthy(FORGETS), readinessProbe=manifests.asks(period=1))
    await ground.admin.apply(manifests.deployment("api", app))

    async def rolled_out() -> bool:
        status = (await ground.admin.get("Deployment", "api")).get("status") or {}
        return any(each.get("reason") == "NewReplicaSetAvailable" for each in status.get("conditions") or ())

    await ground.admin.until(rolled_out, what="the rollout is complete")


def needing(ground: grounds.Ground, version: str, **env: str) -> dict[str, Any]:
    """A Deployment that crashes without DB_URL. A pod that runs for a moment does not count: the old one stays."""
    app = ground.container(behaviours.needs_env("DB_URL"), version=version, env=env)
    return manifests.deployment("api", app, min_ready=8)


def template(obj: dict[str, Any]) -> dict[str, Any]:
    """A patch that puts this object's pod template in the place of what is there."""
    return {"spec": {"template": obj["spec"]["template"]}}


async def lost_its_variable(ground: grounds.Ground) -> None:
    """Revision 1 serves, revision 2 crashes."""
    await ground.established(needing(ground, "v1", DB_URL="postgres://db/pay"))
    await ground.admin.apply(needing(ground, "v2", LEVEL="info"))


async def undo_by_hand(ground: grounds.Ground) -> None:
    """As `kubectl rollout undo --to-revision=1` does it."""
    revision = "deployment.kubernetes.io/revision"
    replicasets = await ground.approver.list("ReplicaSet")
    first = next(each for each in replicasets if each["metadata"]["annotations"][revision] == "1")
    put_back = first["spec"]["template"]
    put_back["metadata"]["labels"].pop("pod-template-hash")
    patch = [{"op": "replace", "path": "/spec/template", "value": put_back}]
    await ground.approver.patch("Deployment", "api", patch, how="json")


async def a_second_later(ground: grounds.Ground) -> None:
    """Times of the API have whole seconds: what comes after this is newer than what was before."""
    first = (await ground.admin.create(manifests.config_map("clock-0")))["metadata"]["creationTimestamp"]
    number = iter(range(1, 1000))

    async def passed() -> bool:
        made = await ground.admin.create(manifests.config_map(f"clock-{next(number)}"))
        return bool(made["metadata"]["creationTimestamp"] > first)

    await ground.admin.until(passed, what="a second later")


async def ended(world: worlds.World, parent: worlds.Message, state: str) -> str:
    """All that is said of the incident once a proposal has come to this end, and the thread tells it."""
    await world.eventually_row(DENIED, state)
    word = f"*{state.replace('-', ' ').capitalize()}*"
    await world.eventually(lambda: word in world.thread(parent), what=f"the thread says {word}")
    return f"{world.now(parent)}\n{world.thread(parent)}"


async def refused(world: worlds.World, parent: worlds.Message, why: str) -> str:
    """All that is said of the incident once a refusal is told with these words: in the parent, and in the thread."""
    await ended(world, parent, "refused")
    shown = await telling.shows(world, parent, "*Refused*", why)
    thread = world.thread(parent)
    assert (shown.count(why), thread.count(why)) == (1, 1)
    return f"{shown}\n{thread}"


def no_approve(world: worlds.World, parent: worlds.Message) -> None:
    assert "wk:approve" not in worlds.buttons(world.shown(parent))


async def propose(world: worlds.World, parent: worlds.Message) -> None:
    """Presses Propose again (or Look again), as soon as it is there."""
    await telling.offered(world, parent, "wk:propose")
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:propose")


# --- the cluster moved ------------------------------------------------------------------------------------------------


async def test_a_change_by_hand_makes_it_stale_is_named_and_the_next_proposal_can_be_approved(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await lost_its_variable(ground)
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    old = worlds.value(world.shown(parent), "wk:approve")
    await ground.approver.patch("Deployment", "api", template(needing(ground, "v3", LEVEL="debug")))
    await ground.observed("Deployment", "api")
    await telling.approve(world, parent)

    said = await ended(world, parent, "stale")
    assert "The pod template has changed: " in said
    assert "LEVEL" in said
    assert "The revision was 2 and is 3 now" in said
    assert "Executed" not in said
    await ground.untouched()

    def renewed() -> bool | None:
        again = worlds.button(world.shown(parent), "wk:approve")
        return (again is not None and again["value"] != old) or None

    await telling.sweeping(world, renewed, "a new proposal")
    await telling.approve(world, parent)
    await telling.verified(world, parent)
    await ground.wrote(PATCHED)


async def test_what_somebody_rolled_back_by_hand_is_already_fixed(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await lost_its_variable(ground)
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await undo_by_hand(ground)
    await telling.approve(world, parent)

    said = await ended(world, parent, "already-fixed")
    assert "The change is there already" in said or "The problem is gone: nothing was done" in said
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    assert worlds.buttons(world.shown(parent)) == {}
    assert "nothing was changed from here" in world.now(parent)
    await ground.untouched()


async def test_somebody_who_scales_meanwhile_is_not_overruled(ground: grounds.Ground, tell: worlds.Tell) -> None:
    nodes = await ground.admin.list("Node")
    largest = max(mebibytes(node["status"]["allocatable"]["memory"]) for node in nodes)
    app = ground.container(behaviours.serving(), memory=f"{largest * 55 // 100}Mi")
    fitting = len(nodes)
    await ground.admin.apply(manifests.deployment("api", app, replicas=fitting, deadline=600))
    await ground.rolled_out("Deployment", "api")
    await a_second_later(ground)
    await ground.admin.patch("Deployment", "api", {"spec": {"replicas": fitting + 1}})
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, f"scale deployment/api --replicas={fitting}")
    old = worlds.value(world.shown(parent), "wk:approve")

    await ground.approver.patch("Deployment", "api", {"spec": {"replicas": fitting + 2}})
    await telling.approve(world, parent)
    said = await ended(world, parent, "stale")
    assert f"The number of replicas was {fitting + 1} and is {fitting + 2} now" in said
    await ground.untouched()

    def renewed() -> bool | None:
        again = worlds.button(world.shown(parent), "wk:approve")
        return (again is not None and again["value"] != old) or None

    await telling.sweeping(world, renewed, "a new proposal")
    assert (await ground.admin.get("Deployment", "api"))["spec"]["replicas"] == fitting + 2


def mebibytes(quantity: str) -> int:
    """Of an amount of memory as nodes have it: `24632892Ki`, `16Gi`, or bytes."""
    units = {"Ki": 1, "Mi": 1024, "Gi": 1024 * 1024}
    unit = units.get(quantity[-2:])
    return int(quantity) // 1024**2 if unit is None else int(quantity[:-2]) * unit // 1024


async def test_a_namesake_is_left_alone_and_told_as_an_incident_of_its_own(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await ground.admin.delete("Deployment", "api")
    await stuck(ground)
    await telling.approve(world, parent)

    said = await ended(world, parent, "stale")
    assert "was deleted and created anew" in said
    await ground.untouched()

    def another() -> worlds.Message | None:
        found = (one for one in world.parents(f"{ground.namespace}/api") if one["ts"] != parent["ts"])
        return next((one for one in found if worlds.button(one, "wk:approve")), None)

    await telling.sweeping(world, another, "an incident of the new Deployment")
    await telling.healed(world, parent)


# --- rights of the writing identity -----------------------------------------------------------------------------------


async def test_what_would_be_forbidden_is_not_offered_and_a_right_that_goes_later_fails_closed(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    await ground.forbid("writer", "patch", "deployments")
    world = await tell(GRACES=SOON)
    lacking = NO_PATCH.format(ground.namespace)
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "No action is proposed", lacking)
    no_approve(world, parent)
    assert await world.value("SELECT count(*) FROM proposal") == 0

    await ground.allow("writer", "patch", "deployments")
    await propose(world, parent)
    await telling.offered(world, parent, "wk:approve")
    await ground.forbid("writer", "patch", "deployments")
    await telling.approve(world, parent)
    said = await refused(world, parent, lacking)
    assert "system:serviceaccount" not in said
    await ground.untouched()

    await propose(world, parent)
    await telling.shows(world, parent, "No action is proposed now", lacking)
    no_approve(world, parent)
    await ground.allow("writer", "patch", "deployments")
    await propose(world, parent)
    await telling.offered(world, parent, "wk:approve")
    await telling.approve(world, parent)
    await world.eventually_row(DENIED, "succeeded")
    await ground.wrote(PATCHED)


async def test_a_writer_that_cannot_read_what_a_write_rests_on_is_offered_nothing(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    await ground.forbid("writer", "list", "replicasets")
    world = await tell(GRACES=SOON)
    parent = await telling.told(world, f"{ground.namespace}/api")
    lacking = f"The bot's writing identity may not list replicasets.apps in namespace {ground.namespace}"
    await telling.shows(world, parent, lacking)
    no_approve(world, parent)
    await ground.untouched()


# --- admission --------------------------------------------------------------------------------------------------------


async def test_what_an_admission_policy_says_is_on_the_card_word_for_word_and_there_is_no_button(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    await ground.refuse("deployments", POLICY)
    world = await tell(GRACES=SOON)
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, POLICY.rstrip("."))
    no_approve(world, parent)
    await ground.untouched()


async def test_a_policy_that_comes_before_the_press_refuses_it_in_its_own_words(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await ground.refuse("deployments", POLICY)
    await telling.approve(world, parent)
    await refused(world, parent, POLICY.rstrip("."))
    assert await world.value(STATE) == "refused"
    await ground.untouched()


# --- budgets ----------------------------------------------------------------------------------------------------------


async def test_a_budget_with_no_room_holds_an_eviction_and_is_named_beside_the_deletion_of_a_pod_it_does_not_count(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    """The pod that started without its ConfigMap is never ready; its sibling serves."""
    reference = {"configMapKeyRef": {"name": "switch", "key": "ON", "optional": True}}
    app = ground.container(behaviours.ready_with_env("ON"), env={"ON": reference}, readinessProbe=manifests.asks())
    await ground.admin.apply(manifests.config_map("switch", ON="yes"))
    await ground.admin.apply(manifests.deployment("api", app, replicas=2))
    await ground.rolled_out("Deployment", "api")
    await ground.admin.apply(manifests.disruption_budget("api", minAvailable=2))
    await ground.admin.delete("ConfigMap", "switch")
    serving, going = sorted(pod["metadata"]["name"] for pod in await ground.admin.pods("api"))
    await ground.admin.delete("Pod", going)

    async def counted() -> bool:
        status = (await ground.admin.get("PodDisruptionBudget", "api")).get("status") or {}
        return (status.get("currentHealthy"), status.get("disruptionsAllowed")) == (1, 0)

    await ground.admin.until(counted, what="the budget counts one pod")
    with pytest.raises(admin.Refused) as caught:
        await ground.admin.evict(serving)
    refused = caught.value
    assert (refused.status, refused.reason) == (429, "TooManyRequests")
    assert refused.message == "Cannot evict pod as it would violate the pod's disruption budget."

    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    (lone,) = {pod["metadata"]["name"] for pod in await ground.admin.pods("api")} - {serving}
    await telling.shows(
        world,
        parent,
        f"delete pod/{lone}",
        "disruption budget allows 0",
        "PodDisruptionBudget api allows no disruption now",
    )
    await ground.untouched()
    await ground.admin.apply(manifests.config_map("switch", ON="yes"))
    await telling.approve(world, parent)
    await telling.verified(world, parent)
    await ground.wrote(f"delete pods {lone}")


# --- where nothing may be done ----------------------------------------------------------------------------------------


async def test_read_only_opens_no_writing_identity(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON, READ_ONLY="true", WRITER_USER="", WRITER_KUBECONFIG="")
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "read-only: nothing is changed in any cluster from here")
    no_approve(world, parent)
    assert await ground.asked() == []


async def test_a_watch_that_observes_asks_nothing_of_the_writing_identity(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON, DEFAULT_WATCH="false")
    watch = f"add {ground.settings()['CONTEXTS']} {ground.namespace} mode observe"
    seen = await world.slack.command(slack.ANA, slack.ONCALL, "/watch", watch)
    assert "in mode observe" in worlds.text_of(await seen.ephemeral())
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "this watch only observes")
    no_approve(world, parent)
    assert await ground.asked() == []


async def test_a_protected_namespace_has_no_button_and_it_is_said_why(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON, PROTECTED_NAMESPACES=ground.namespace)
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, f"Namespace {ground.namespace} is protected: nothing is changed in it")
    no_approve(world, parent)
    assert await ground.asked() == []


# --- rights of the reading identity -----------------------------------------------------------------------------------


async def test_a_log_that_may_not_be_read_is_named_and_read_once_it_may(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    words = "ERROR  relation charges is locked"
    await ground.admin.apply(manifests.deployment("api", ground.container(behaviours.fails(words, code=3))))
    await ground.forbid("reader", "get", "pods/log")
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "code 3", "its log does not say why")
    await world.eventually(lambda: "Not seen: the current log" in world.thread(parent), what="what was not seen")
    assert "pods/log" in world.thread(parent)

    await ground.allow("reader", "get", "pods/log")
    await propose(world, parent)
    await telling.shows(world, parent, "relation charges is locked")
    # A container that is just about to start anew has no log for a moment: that may still be said.
    await world.eventually(lambda: "pods/log" not in world.thread(parent), what="no right is missing any more")


@pytest.mark.parametrize("resource", ["pods", "replicasets", "events"])
async def test_what_may_not_be_listed_makes_a_sweep_partial_and_resolves_nothing(
    ground: grounds.Ground, tell: worlds.Tell, resource: str
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await ground.forbid("reader", "list", resource)
    for _ in range(3):
        answer = await telling.sweep(world)
        assert "partial" in answer
        assert f"Not seen whole: {resource}" in answer
    assert not telling.green(world, parent)
    assert len(world.parents(ground.namespace)) == 1, "the same problem, seen with less"

    await ground.allow("reader", "list", resource)
    app = ground.container(behaviours.serving(), readinessProbe=manifests.asks())
    await ground.admin.apply(manifests.deployment("api", app))
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    assert "partial" not in await telling.sweep(world)
    assert len(world.parents(ground.namespace)) == 1
    await ground.untouched()


# --- two bots, two people ---------------------------------------------------------------------------------------------


async def test_two_people_who_press_at_once_on_two_bots_make_one_write(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await stuck(ground)
    world = await tell(GRACES=SOON)
    await world.start_bot()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    seen = await asyncio.gather(telling.approve(world, parent, slack.ANA), telling.approve(world, parent, slack.BEN))
    assert [one.ack.ok for one in seen] == [True, True]
    await world.eventually_row(DENIED, "succeeded")
    assert await world.value("SELECT count(*) FROM decision") == 1
    assert await world.value("SELECT count(*) FROM execution") == 1
    assert [write.status for write in await ground.attempts()] == [200]
    await ground.wrote(PATCHED)
