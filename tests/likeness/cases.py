"""The table of cases: what is built, and when it is settled so that it can be recorded or compared."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.likeness import asking, controllers, pods, views
from tests.likeness.stage import Stage, Taken

QUIET = 3.0
"""Seconds of the cluster in which nothing changes in a case that is settled: components write events late."""


@dataclass(frozen=True)
class Case:
    """`build` returns when all is applied; `settled` is asked of what is there until it holds."""

    name: str
    build: Callable[[Stage], Awaitable[None]]
    settled: Callable[[Taken], bool]
    nodes: bool = False
    """Whether the nodes belong to what is taken."""
    fleeting: bool = False
    """Whether it is over in a moment; else it is taken as soon as nothing changes any more but counts and times."""
    unhurried: bool = False
    """Whether it has a deadline that a busy machine would miss at the simulated cluster's full speed."""

    async def play(self, stage: Stage) -> Taken:
        await self.build(stage)
        taken = await stage.settled(self.settled, nodes=self.nodes, fleeting=self.fleeting)
        while not self.fleeting:
            before = views.view(taken)
            await asyncio.sleep(QUIET / stage.ground.speed)
            taken = await stage.settled(self.settled, nodes=self.nodes)
            if views.view(taken) == before:
                break
        return taken


def _available(taken: Taken, *names: str) -> bool:
    return all(taken.condition("deployments", name, "Available")[0] == "True" for name in names)


def _rolled_out(taken: Taken, *names: str) -> bool:
    return all(taken.condition("deployments", name, "Progressing")[1] == "NewReplicaSetAvailable" for name in names)


def _healthy(taken: Taken) -> bool:
    budget = taken.status("poddisruptionbudgets", "web")
    return (
        _rolled_out(taken, "web")
        and taken.status("deployments", "web").get("readyReplicas") == 2
        and budget.get("disruptionsAllowed") == 1
        and _endpoints(taken, "web") == [True, True]
    )


def _endpoints(taken: Taken, service: str) -> list[bool]:
    """For each endpoint of a Service whether it is ready."""
    slices = [
        each
        for each in taken.items("endpointslices")
        if each["metadata"]["labels"]["kubernetes.io/service-name"] == service
    ]
    return [endpoint["conditions"]["ready"] for each in slices for endpoint in each.get("endpoints") or ()]


def _has_slice(taken: Taken, service: str) -> bool:
    return any(
        each["metadata"]["labels"]["kubernetes.io/service-name"] == service for each in taken.items("endpointslices")
    )


def _between(taken: Taken) -> bool:
    """Running again after a back-off."""
    return any(
        "running" in each["state"] and each["restartCount"] >= 2 and "terminated" in each["lastState"]
        for each in taken.containers("api")
    ) and taken.has_event("BackOff")


def _unscheduled(taken: Taken, *names: str) -> bool:
    def holds(name: str) -> bool:
        pods = taken.pods(name)
        said = [
            each for pod in pods for each in pod["status"].get("conditions") or () if each["type"] == "PodScheduled"
        ]
        return any(each["status"] == "False" for each in said)

    return all(holds(name) for name in names)


def _mounts_failed(taken: Taken) -> bool:
    """Each for its own reason: at first a kubelet may have nothing but a cache that was not filled in time."""
    return (
        taken.has_event("FailedMount", "no-config", "not found")
        and taken.has_event("FailedMount", "no-secret", "not found")
        and taken.has_event("FailedMount", "no-key", "non-existent")
    )


def _jobs_over(taken: Taken) -> bool:
    return (
        taken.condition("jobs", "failing", "Failed")[0] == "True"
        and taken.condition("jobs", "slow", "Failed")[0] == "True"
        and taken.condition("jobs", "done", "Complete")[0] == "True"
        and not any(pod["metadata"].get("deletionTimestamp") for pod in taken.items("pods"))
    )


def _crons_ran(taken: Taken) -> bool:
    return (
        "lastSuccessfulTime" in taken.status("cronjobs", "hourly")
        and any(
            each["status"] == "True" and each["type"] == "Failed"
            for job in taken.items("jobs")
            for each in job.get("status", {}).get("conditions") or ()
        )
        and taken.has_event("SawCompletedJob", "broken")
        and not taken.status("cronjobs", "broken").get("active")
    )


def _stuck(taken: Taken) -> bool:
    return (
        taken.condition("deployments", "api", "Progressing") == ("False", "ProgressDeadlineExceeded")
        and taken.waits("api", "ImagePullBackOff")
        and taken.has_event("BackOff")
    )


def _unhealthy(taken: Taken, *names: str) -> bool:
    return all(taken.has_event("Unhealthy", name) for name in names)


def _configuration_failed(taken: Taken) -> bool:
    return all(
        taken.waits(name, "CreateContainerConfigError")
        for name in ("no-config", "no-secret", "no-key", "no-secret-key", "no-env-from")
    )


def _services(taken: Taken) -> bool:
    return (
        _endpoints(taken, "web") == [True]
        and _endpoints(taken, "headless") == [True]
        and _endpoints(taken, "lame") == [False]
        and _has_slice(taken, "typo")
        and taken.has_event("Unhealthy", "lame")
    )


_UNSCHEDULABLE = ("cpu", "memory", "selector", "affinity", "claim", "gpu", "gated")

CASES: tuple[Case, ...] = (
    Case("healthy", pods.healthy, _healthy),
    Case(
        "crash-loop",
        pods.crash_loop,
        lambda taken: taken.waits("api", "CrashLoopBackOff", restarts=2) and taken.has_event("BackOff"),
    ),
    Case("crash-loop-running", pods.short_life, _between, fleeting=True),
    Case(
        "out-of-memory",
        pods.out_of_memory,
        lambda taken: taken.waits("index", "CrashLoopBackOff") and taken.ended("index", "OOMKilled", last=True),
    ),
    Case(
        "image-back-off",
        pods.unreachable_registry,
        lambda taken: taken.waits("api", "ImagePullBackOff") and taken.has_event("Failed", text="ImagePullBackOff"),
    ),
    Case(
        "image-error",
        pods.unreachable_registry,
        lambda taken: taken.waits("api", "ErrImagePull") and taken.has_event("Failed", text="ImagePullBackOff"),
        fleeting=True,
    ),
    Case(
        "image-wrong",
        pods.bad_images,
        lambda taken: taken.waits("invalid", "InvalidImageName") and taken.waits("never", "ErrImageNeverPull"),
    ),
    Case("configuration-missing", pods.missing_configuration, _configuration_failed),
    Case(
        "command-missing",
        pods.no_such_command,
        lambda taken: taken.waits("api", "RunContainerError", restarts=2) and taken.has_event("BackOff"),
        fleeting=True,
    ),
    Case(
        "command-missing-back-off",
        pods.no_such_command,
        lambda taken: taken.waits("api", "CrashLoopBackOff") and taken.ended("api", "StartError", last=True),
    ),
    Case(
        "init-failing",
        pods.failing_init,
        lambda taken: taken.waits("api", "CrashLoopBackOff", restarts=2, init=True) and taken.has_event("BackOff"),
    ),
    Case(
        "init-failed",
        pods.failing_init_once,
        lambda taken: taken.items("pods")[0]["status"]["phase"] == "Failed",
    ),
    Case(
        "init-running",
        pods.running_init,
        lambda taken: taken.runs("api", init=True),
    ),
    Case("readiness", pods.not_ready, lambda taken: _unhealthy(taken, "exec", "http", "tcp")),
    Case(
        "liveness",
        pods.not_alive,
        lambda taken: (
            all(taken.waits(name, "CrashLoopBackOff") for name in ("exec", "http"))
            and not _available(taken, "exec")
            and not _available(taken, "http")
        ),
    ),
    Case("startup", pods.not_started, lambda taken: taken.waits("api", "CrashLoopBackOff")),
    Case("unschedulable", pods.unschedulable, lambda taken: _unscheduled(taken, *_UNSCHEDULABLE)),
    Case(
        "port-taken",
        pods.taken_port,
        lambda taken: _unscheduled(taken, "proxy") and taken.status("deployments", "proxy").get("readyReplicas") == 1,
    ),
    Case("volume-missing", pods.missing_volumes, _mounts_failed),
    Case(
        "claim-pending",
        pods.pending_claim,
        lambda taken: (
            taken.has_event("FailedBinding", "data")
            and taken.has_event("ProvisioningFailed", "classy")
            and _unscheduled(taken, "store")
        ),
    ),
    Case("held", pods.held, lambda taken: taken.ended("held", "Completed") and taken.has_event("Killing")),
    Case("rollout-stuck", controllers.stuck_rollout, _stuck),
    Case(
        "paused",
        controllers.paused,
        lambda taken: taken.condition("deployments", "api", "Progressing")[1] == "DeploymentPaused",
    ),
    Case(
        "scaled-to-zero",
        controllers.scaled_to_zero,
        lambda taken: (
            not taken.items("pods")
            and taken.has_event("Killing")
            and not taken.status("deployments", "api").get("replicas")
        ),
    ),
    Case(
        "quota",
        controllers.exceeded_quota,
        lambda taken: (
            taken.condition("deployments", "api", "ReplicaFailure")[0] == "True"
            and taken.status("deployments", "api").get("readyReplicas") == 1
            and taken.status("resourcequotas", "few").get("used") == {"pods": "1"}
        ),
    ),
    Case(
        "account-missing",
        controllers.missing_account,
        lambda taken: taken.condition("deployments", "api", "ReplicaFailure")[0] == "True",
    ),
    Case("jobs", controllers.jobs, _jobs_over, unhurried=True),
    Case("job-retrying", controllers.retrying_job, lambda taken: taken.status("jobs", "import").get("failed", 0) >= 2),
    Case("cron-jobs", controllers.cron_jobs, _crons_ran),
    Case("stateful-set-stuck", controllers.stuck_stateful_set, lambda taken: _unhealthy(taken, "store")),
    Case(
        "daemon-sets",
        controllers.daemon_sets,
        lambda taken: bool(taken.status("daemonsets", "agent").get("numberAvailable")) and _unhealthy(taken, "lame"),
    ),
    Case("budget-full", controllers.full_budget, lambda taken: _available(taken, "api")),
    Case(
        "autoscalers",
        controllers.blind_autoscalers,
        lambda taken: (
            taken.condition("horizontalpodautoscalers", "api", "ScalingActive")[0] == "False"
            and taken.condition("horizontalpodautoscalers", "lost", "AbleToScale")[0] == "False"
            and _rolled_out(taken, "api")
        ),
    ),
    Case("services", controllers.services, _services),
    Case("nodes", controllers.nodes, lambda taken: bool(taken.items("nodes")), nodes=True),
    Case("restarted", controllers.restarted, lambda taken: len(taken.items("pods")) == 1),
    Case("scale", controllers.scales, lambda taken: taken.status("deployments", "api").get("readyReplicas") == 2),
    Case("refusals", asking.refusals, lambda taken: _available(taken, "api")),
    Case("forbidden", asking.forbidden, lambda taken: _available(taken, "api")),
    Case("logs", asking.logs, lambda taken: bool(taken.items("pods"))),
    Case("dry-runs", asking.dry_runs, lambda taken: _available(taken, "api")),
    Case("pages", asking.pages, lambda taken: not taken.items("pods") and taken.has_event("Killing")),
)

BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}
