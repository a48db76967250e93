"""CronJobBroken: a CronJob whose runs do not start, or do not succeed any more. Called by `k8s.detection`.

A single failed run is found by the family of Jobs. Here it is the controller's own word about the schedule, and that
no run has succeeded for several times that one was due.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from k8s import absences, model, objects, phrases, schedules, symptoms

CRONJOB_BROKEN = symptoms.KindInfo(
    kind="CronJobBroken",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/",
    condition="the runs of a CronJob do not start, or have not succeeded for at least three times",
)
KINDS = (CRONJOB_BROKEN,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("cronjobs", "jobs")

RUNS = 3
"""Runs in a row without a success that are no accident any more."""


_REASONS = {
    "UnknownTimeZone": "zone",
    "UnparseableSchedule": "schedule",
    "InvalidSchedule": "schedule",
    "UnParseableCronJobSchedule": "schedule",
    "TooManyMissedTimes": "missed",
    "MissSchedule": "missed",
    "FailedCreate": "refused",
}
"""Warnings of the CronJob controller (pkg/controller/cronjob) and the class of each."""

_SAYINGS = {
    "zone": "its time zone {zone} is not known to the controller",
    "schedule": "its schedule {schedule} is not valid",
    "missed": "it has missed too many starts",
    "refused": "its Jobs cannot be created",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: zone, schedule, missed, refused, failing or never-succeeded."""
    if not snapshot.cronjobs:
        return
    jobs = _jobs(snapshot.jobs)
    for cronjob in snapshot.cronjobs:
        if cronjob.spec.suspend or cronjob.metadata.deletion_timestamp:
            continue
        runs = jobs.get((cronjob.metadata.namespace, cronjob.metadata.name), [])
        found = _told(cronjob, runs, index, snapshot.taken_at) or _unsuccessful(cronjob, runs, snapshot)
        if found is not None:
            yield found


def _jobs(jobs: Sequence[objects.Job]) -> Mapping[tuple[str, str], list[objects.Job]]:
    """The runs of each CronJob that are kept."""
    found: dict[tuple[str, str], list[objects.Job]] = {}
    for job in jobs:
        for owner in job.metadata.owner_references or ():
            if owner.controller and owner.kind == "CronJob":
                found.setdefault((job.metadata.namespace, owner.name), []).append(job)
    return found


# --- by the controller's word ---------------------------------------------------------------------------------------


def _told(
    cronjob: objects.CronJob, runs: Sequence[objects.Job], index: model.Index, now: datetime
) -> model.Finding | None:
    """What the newest warning says that still holds: no run was made after it, and what it names is still set."""
    made = [moment for run in runs if (moment := objects.moment(run.metadata.creation_timestamp)) is not None]
    scheduled = objects.moment(cronjob.status.last_schedule_time)
    last_start = max([*made, *([scheduled] if scheduled is not None else [])], default=None)
    for event in index.events(symptoms.reference("CronJob", cronjob.metadata), tuple(_REASONS)):
        seen = objects.last_seen(event)
        kind = _REASONS.get(event.reason or "", "")
        if not kind or (seen is not None and last_start is not None and last_start >= seen):
            continue
        if event.reason == "MissSchedule" and _count(event) < RUNS:
            continue
        said = event.message or ""
        if (kind == "zone" and (cronjob.spec.time_zone or "") not in said) or (
            kind == "schedule" and cronjob.spec.schedule not in said
        ):
            continue
        schedule, zone = phrases.clip(cronjob.spec.schedule), phrases.clip(cronjob.spec.time_zone)
        why = _SAYINGS[kind].format(schedule=f'"{schedule}"', zone=f'"{zone}"')
        return _finding(
            cronjob,
            since=symptoms.earliest(now, symptoms.first_seen(event)),
            message=f"CronJob {cronjob.metadata.name} does not start its runs: {why}.",
            cause=kind,
            facts={
                "class": kind,
                "reason": event.reason or "",
                "said": phrases.clip(said),
                "quota": absences.quota(said),
            },
        )
    return None


def _count(event: objects.Event) -> int:
    return event.count or (event.series.count if event.series is not None else None) or 1


# --- by its runs ----------------------------------------------------------------------------------------------------


def _unsuccessful(
    cronjob: objects.CronJob, runs: Sequence[objects.Job], snapshot: model.Snapshot
) -> model.Finding | None:
    """No success for `RUNS` times: that many failed runs are kept, or (the history keeps but one by default) the last
    one failed and that many were due since the last success."""
    success = objects.moment(cronjob.status.last_successful_time)
    ends = sorted((ended for run in runs if (ended := _ended(run)) is not None), key=lambda ended: (ended[0], ended[1]))
    failed = [moment for moment, well in ends if not well and (success is None or moment > success)]
    born = objects.moment(cronjob.metadata.creation_timestamp)
    last_due = objects.moment(cronjob.status.last_schedule_time)
    if ends and (ends[-1][1] or not failed):
        return None
    if not ends and (success is not None or cronjob.status.active or runs or not snapshot.saw(["jobs"])):
        return None
    if len(failed) < RUNS:
        schedule = schedules.parse(cronjob.spec.schedule, cronjob.spec.time_zone)
        after = success or born
        if schedule is None or after is None or last_due is None or last_due > snapshot.taken_at:
            return None
        running = len(cronjob.status.active or ())
        if schedules.due(schedule, after, last_due, RUNS + running) < RUNS + running:
            return None
    kind = "never-succeeded" if success is None else "failing"
    told = f"has not succeeded since {success:%Y-%m-%d %H:%M} UTC" if success is not None else "has never succeeded"
    last = ", and its last run failed" if failed else ""
    return _finding(
        cronjob,
        since=symptoms.earliest(snapshot.taken_at, *failed[:1], *([] if failed else [last_due])),
        message=f"CronJob {cronjob.metadata.name} {told}{last}.",
        cause=kind,
        facts={
            "class": kind,
            "schedule": phrases.clip(cronjob.spec.schedule),
            "last_success": "" if success is None else success.isoformat(),
            "failed_kept": str(len(failed)),
        },
    )


def _ended(run: objects.Job) -> tuple[datetime, bool] | None:
    """When a run ended and whether it ended well; None while it goes on."""
    for kind, well in (("Complete", True), ("Failed", False)):
        condition = objects.condition(run.status.conditions, kind)
        if condition is not None and condition.status == "True":
            moment = objects.moment(condition.last_transition_time)
            return None if moment is None else (moment, well)
    return None


def _finding(
    cronjob: objects.CronJob, *, since: datetime, message: str, cause: str, facts: Mapping[str, str]
) -> model.Finding:
    ref = symptoms.reference("CronJob", cronjob.metadata)
    return model.Finding(
        kind=CRONJOB_BROKEN.kind,
        severity=CRONJOB_BROKEN.severity,
        resource=ref,
        owner=ref,
        message=message,
        since=since,
        cause=cause,
        grace=CRONJOB_BROKEN.grace,
        facts={name: text for name, text in facts.items() if text},
    )
