"""Every action on Jobs and CronJobs, asked for by a person: done, verified, taken back. On every ground.

A Job was started by hand, as `kubectl create job --from` does it, and failed for want of a setting. The CronJob is due
once a year, so that it starts nothing meanwhile.
"""

from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import asking
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

SETTINGS = "report-settings"
HOST = {"configMapKeyRef": {"name": SETTINGS, "key": "HOST", "optional": True}}
YEARLY = "0 0 1 1 *"
RAN = "What a Job has done by the time that it is stopped is done."
JOBS = ("watchkeeper-writer-jobs",)


# --- what is broken


def cron_job(ground: grounds.Ground, **spec: Any) -> dict[str, Any]:
    task = ground.container(behaviours.finishes_with_env("HOST"), env={"HOST": HOST})
    found = manifests.cron_job("report", task, schedule=YEARLY)
    return found | {"spec": {**found["spec"], **spec}}


async def a_run_failed(ground: grounds.Ground, **spec: Any) -> None:
    owner = await ground.admin.create(cron_job(ground, **spec))
    reference = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": owner["metadata"]["uid"]}
    metadata = {"name": "report-first", "ownerReferences": [{**reference, "controller": True}]}
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": owner["spec"]["jobTemplate"]["spec"]}
    await ground.admin.create(made)
    await failed(ground, "report-first")


async def a_run_failed_while_suspended(ground: grounds.Ground) -> None:
    await a_run_failed(ground, suspend=True)


async def a_job_failed(ground: grounds.Ground) -> None:
    task = ground.container(behaviours.finishes_with_env("HOST"), env={"HOST": HOST})
    await ground.admin.create(manifests.job("report", task, backoff_limit=0))
    await failed(ground, "report")


async def failed(ground: grounds.Ground, name: str) -> None:
    async def has() -> bool:
        status = (await ground.admin.get("Job", name)).get("status") or {}
        return any(each["type"] == "Failed" and each["status"] == "True" for each in status.get("conditions") or ())

    await ground.admin.until(has, what=f"Job {name} has failed")


async def settings_there(ground: grounds.Ground) -> None:
    await ground.admin.create(manifests.config_map(SETTINGS, HOST="db.internal"))


async def failed_one_gone(ground: grounds.Ground) -> None:
    await ground.admin.delete("Job", "report-first")


# --- what it is done to


async def cron(ground: grounds.Ground) -> model.ResourceRef:
    return await asking.reference(ground, "CronJob", "report")


async def job(ground: grounds.Ground, name: str = "report-first") -> model.ResourceRef:
    return await asking.reference(ground, "Job", name)


async def as_it_is(ground: grounds.Ground) -> Any:
    """All of the CronJob that is somebody's will; that it is not suspended may be left out."""
    return {"suspend": False, **(await ground.admin.get("CronJob", "report"))["spec"]}


async def complete(ground: grounds.Ground) -> Any:
    """The names of the Jobs that are there and have not failed."""
    jobs = await ground.admin.list("Job")
    return sorted(each["metadata"]["name"] for each in jobs if not (each.get("status") or {}).get("failed"))


# --- what is asked for


async def suspend(ground: grounds.Ground) -> model.Action:
    return model.SuspendCronJob(await cron(ground))


async def resume(ground: grounds.Ground) -> model.Action:
    return model.ResumeCronJob(await cron(ground))


async def run(ground: grounds.Ground) -> model.Action:
    return model.RunCronJob(await cron(ground))


async def delete(ground: grounds.Ground) -> model.Action:
    return model.DeleteJob(await job(ground), await cron(ground))


async def delete_its_own(ground: grounds.Ground) -> model.Action:
    return model.DeleteJob(await job(ground, "report"), await job(ground, "report"))


async def rerun(ground: grounds.Ground) -> model.Action:
    return model.RerunJob(await job(ground), await cron(ground))


async def rerun_its_own(ground: grounds.Ground) -> model.Action:
    return model.RerunJob(await job(ground, "report"), await job(ground, "report"))


PATCHED = "patch cronjobs report"
GONE = "The Job, its pods and their logs are gone."
REPORT = "{namespace}/report"
STORIES: dict[str, asking.Story] = {
    "suspend-cronjob": asking.Story(
        suspend,
        'patch cronjob/report --type=merge -p \'{{"spec":{{"suspend":true}}}}\'',
        PATCHED,
        a_run_failed,
        subject=REPORT,
        roles=JOBS,
        mended=failed_one_gone,
        state=as_it_is,
        undone=PATCHED,
    ),
    "resume-cronjob": asking.Story(
        resume,
        "patch cronjob/report --type=merge -p",
        PATCHED,
        a_run_failed_while_suspended,
        subject=REPORT,
        roles=JOBS,
        mended=failed_one_gone,
        state=as_it_is,
        undone=PATCHED,
    ),
    "run-cronjob": asking.Story(
        run,
        "create job report-manual-",
        "create jobs report-manual-*",
        a_run_failed,
        subject=REPORT,
        roles=JOBS,
        prepared=settings_there,
        state=complete,
        final=RAN,
    ),
    "rerun-job": asking.Story(
        rerun,
        "create -f report-first-again-",
        "create jobs report-first-again-*",
        a_run_failed,
        subject=REPORT,
        roles=JOBS,
        prepared=settings_there,
        state=complete,
        final=RAN,
    ),
    "rerun-job of no CronJob": asking.Story(
        rerun_its_own,
        "create -f report-again-",
        "create jobs report-again-*",
        a_job_failed,
        subject=REPORT,
        roles=JOBS,
        prepared=settings_there,
        state=complete,
        final=RAN,
    ),
    "delete-job": asking.Story(
        delete,
        "delete job/report-first",
        "delete jobs report-first",
        a_run_failed,
        subject=REPORT,
        roles=JOBS,
        final=GONE,
    ),
    "delete-job of no CronJob": asking.Story(
        delete_its_own,
        "delete job/report",
        "delete jobs report",
        a_job_failed,
        subject=REPORT,
        roles=JOBS,
        final=GONE,
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_it_is_done_verified_and_taken_back(ground: grounds.Ground, tell: worlds.Tell, name: str) -> None:
    await asking.through(ground, tell, STORIES[name])
