"""Work that ends: Jobs that have given up, and CronJobs whose runs do not start.

A Job is run again only where what ended it is over: one that failed by its own exit code fails again.
"""

from dataclasses import replace

from bot.causes import cases, reading, steps, told
from bot.domain import diagnoses
from k8s import model

_PARTLY = "It may have done a part of its work: see that this can be done twice."


def job(case: cases.Case) -> cases.Verdict:
    """A Job that has used up its tries."""
    if again := _again(case):
        return again
    if case.finding.facts.get("reason") == "DeadlineExceeded":
        return _late(case)
    found = reading.of(case)
    line = found.line if found else case.fact("error_line")
    step = steps.of(found.kind, found.named) if found else ""
    cause = case.found("status", "events")
    if line:
        cause += f" Its log ends with: {line}{case.cite('previous-log', 'log')}."
    return cases.Verdict(
        cause,
        "medium" if line else "low",
        "the log tells how the last try ended" if line else "the log of the last try is gone",
        f"{step or 'Mend what the log names.'} Then run the Job again; a failed Job does not start itself anew.",
        kind=_kind(case, found),
    )


def _kind(case: cases.Case, found: reading.Reading | None) -> diagnoses.CauseKind:
    if found is not None:
        return found.kind
    known = case.finding.facts.get("exit_code") or case.fact("error_line")
    return "application" if known else "unknown"


def _late(case: cases.Case) -> cases.Verdict:
    """A Job that its own deadline ended: it worked when it was stopped."""
    return cases.Verdict(
        case.found("status", "events"),
        "high",
        "the controller says that the Job's own deadline ended it",
        "Find out what took so long (the log in the thread), or raise activeDeadlineSeconds; then run the Job again.",
        kind="deadline",
    )


def _again(case: cases.Case) -> cases.Verdict | None:
    """A Job all of whose pods were taken away from outside, by what does not follow a new pod to another node."""
    ended, subject, shown = case.fact("disrupted"), case.problem.subject, case.finding.resource
    if not ended or subject.kind not in {"CronJob", "Job"} or shown.kind != "Job":
        return None
    return cases.Verdict(
        f"{case.found('status', 'events')} Its pods did not fail by themselves: {ended}{case.cite('status')}.",
        "high",
        "the cluster itself marks these pods as disrupted, and says by what",
        f"Run the Job again. {_PARTLY}",
        (diagnoses.Candidate(model.RerunJob(shown, subject), f"{ended}; a new pod goes to another node"),),
        "node" if "node" in ended else "evicted",
    )


def cronjob(case: cases.Case) -> cases.Verdict:
    """Runs that were missed may be made up for; all else that a CronJob is broken by would break the next run too."""
    plain, subject = told.around(case), case.problem.subject
    if case.finding.facts.get("class") != "missed" or subject.kind != "CronJob":
        return plain
    why = "its controller has missed the starts, and this makes up for one of them"
    step = f"Start one run now if its work is still wanted. {plain.next_step}"
    return replace(plain, next_step=step, candidates=(diagnoses.Candidate(model.RunCronJob(subject), why),))
