"""Cases of workloads and of what serves them: what the controllers say of them. For the table of `cases`."""

from demo.cluster import workloads
from tests.grounds import behaviours, manifests
from tests.grounds.admin import Object
from tests.likeness.stage import Stage


async def stuck_rollout(stage: Stage) -> None:
    """The old revision serves while the new one's image cannot be had."""
    good = stage.container()
    await stage.apply(stage.deployment("api", good, replicas=2, deadline=8))
    await stage.ground.rolled_out("Deployment", "api")
    bad = good | {"image": stage.ground.missing_image()}
    await stage.apply(stage.deployment("api", bad, replicas=2, deadline=8))


async def paused(stage: Stage) -> None:
    found = stage.deployment("api", stage.container())
    await stage.apply(found)
    await stage.ground.rolled_out("Deployment", "api")
    await stage.admin.patch("Deployment", "api", {"spec": {"paused": True}})


async def scaled_to_zero(stage: Stage) -> None:
    await stage.apply(stage.deployment("api", stage.container(), replicas=1), manifests.service("api"))
    await stage.ground.rolled_out("Deployment", "api")
    await stage.admin.patch("Deployment", "api", {"spec": {"replicas": 0}}, subresource="scale", how="merge")


async def exceeded_quota(stage: Stage) -> None:
    await stage.apply(manifests.quota("few", pods="1"))
    await stage.settled(lambda taken: bool(taken.status("resourcequotas", "few").get("hard")))
    await stage.apply(stage.deployment("api", stage.container(), replicas=2))


async def missing_account(stage: Stage) -> None:
    await stage.apply(stage.deployment("api", stage.container(), serviceAccountName="nobody"))


async def jobs(stage: Stage) -> None:
    """Failed for good, too slow, and done."""
    failing = stage.container(behaviours.fails("ERROR no such table: orders"))
    slow = manifests.job("slow", stage.container(behaviours.serving()))
    slow["spec"]["activeDeadlineSeconds"] = 4
    await stage.apply(
        manifests.job("failing", failing, backoff_limit=1),
        slow,
        manifests.job("done", stage.container(behaviours.finishes("INFO  42 orders exported"))),
    )


async def retrying_job(stage: Stage) -> None:
    """It failed, and has retries left."""
    await stage.apply(manifests.job("import", stage.container(behaviours.fails("ERROR timeout")), backoff_limit=6))


async def cron_jobs(stage: Stage) -> None:
    """Every minute, well and badly; and one that is suspended."""
    suspended = manifests.cron_job("sleeping", stage.container(behaviours.finishes("INFO  done")))
    suspended["spec"]["suspend"] = True
    await stage.apply(
        manifests.cron_job("hourly", stage.container(behaviours.finishes("INFO  done"))),
        manifests.cron_job("broken", stage.container(behaviours.fails("ERROR no such bucket"))),
        suspended,
    )


async def stuck_stateful_set(stage: Stage) -> None:
    """Ordinal 0 never becomes ready, so that ordinal 1 is not even made."""
    container = stage.container(behaviours.never_ready(), readinessProbe=manifests.asks())
    await stage.apply(manifests.stateful_set("store", container, replicas=2))


async def daemon_sets(stage: Stage) -> None:
    """One is on every node, the other never gets ready."""
    await stage.apply(
        manifests.daemon_set("agent", stage.container()),
        manifests.daemon_set("lame", stage.container(behaviours.never_ready(), readinessProbe=manifests.asks())),
    )


async def full_budget(stage: Stage) -> None:
    """A budget that leaves no room; the eviction that is refused is in the answers."""
    await stage.apply(manifests.disruption_budget("api", minAvailable=1), stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    await stage.settled(lambda taken: taken.status("poddisruptionbudgets", "api").get("currentHealthy") == 1)
    name = (await stage.admin.pods("api"))[0]["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await stage.ask("evict", "POST", stage.admin.path("Pod", name, subresource="eviction"), body=body)


async def blind_autoscalers(stage: Stage) -> None:
    """No metrics in the cluster, and a target that does not exist."""
    lost = workloads.autoscaler("lost", "", least=1)
    await stage.apply(stage.deployment("api", stage.container()), workloads.autoscaler("api", "", least=1), lost)


async def services(stage: Stage) -> None:
    """With endpoints, without any, and with one that is not ready."""
    never = stage.container(behaviours.never_ready(), readinessProbe=manifests.asks())
    headless = manifests.service("headless", app="web")
    headless["spec"] |= {"clusterIP": "None"}
    await stage.apply(
        stage.deployment("web", stage.container()),
        stage.deployment("lame", never),
        manifests.service("web"),
        manifests.service("typo", app="wbe"),
        manifests.service("lame"),
        headless,
    )


async def nodes(stage: Stage) -> None:
    """The node as it is; nothing is built."""


async def scales(stage: Stage) -> None:
    """The scale subresource, read and patched."""
    await stage.apply(stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    path = stage.admin.path("Deployment", "api", subresource="scale")
    await stage.ask("read", "GET", path)
    await stage.ask("patch", "PATCH", path, body={"spec": {"replicas": 2}}, content_type=MERGE)
    await stage.ask("nothing", "GET", stage.admin.path("Deployment", "nothing", subresource="scale"))
    await stage.ask(
        "nothing-patched",
        "PATCH",
        stage.admin.path("Deployment", "nothing", subresource="scale"),
        body={},
        content_type=MERGE,
    )
    await stage.ask("negative", "PATCH", path, body={"spec": {"replicas": -1}}, content_type=MERGE)


MERGE = "application/merge-patch+json"


async def restarted(stage: Stage) -> None:
    """A rollout by the annotation that `kubectl rollout restart` writes, with the history that it leaves."""
    await stage.apply(stage.deployment("api", stage.container()))
    await stage.ground.rolled_out("Deployment", "api")
    mark: Object = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}
    await stage.admin.patch("Deployment", "api", {"spec": {"template": mark}})
    await stage.ground.rolled_out("Deployment", "api")
