"""Containers that the kernel kills for want of memory.

A rollout that lowered the very limit is certain; one that only came shortly before is suspected; and one that raised
the limit is no suspect at all.
"""

import re
from dataclasses import replace
from datetime import timedelta

from bot.causes import cases, members, narrowing, told
from bot.domain import diagnoses
from k8s import model, phrases

_LIMIT = re.compile(r"(?:(?:init )?(?P<name>[\w.-]+): )?memory limit (?P<was>\S+) → (?P<now>\S+)")
"""A line of `k8s.templates` on what a rollout changed; the name is left out where there is but one container."""
_SOON = timedelta(hours=1)
"""What reaches its limit within this time of each start needs more than it has; a slower growth may be a leak."""
_KILLS = 2
"""Restarts after which a kill is no accident of one request."""


def killed(case: cases.Case) -> cases.Verdict:
    """An OOM kill: at the container's own limit, or without one."""
    limit = case.finding.facts.get("memory_limit", "")
    full = f"used all of its memory limit of {limit} when the kernel killed it"
    how = full if limit else "was killed by the kernel: it has no memory limit, and its node or pod had none left"
    again = f", {phrases.counted(case.restarts, 'restart')} so far" if case.restarts else ""
    cause = f"Container {case.finding.container} {how}{again}{case.cite('status')}."
    lowered, raised = _limits(case)
    if lowered:
        return cases.Verdict(
            f"{cause} {case.last_rollout('lowered its limit', lowered)}",
            "high",
            "the kill is recorded with its reason, and the last rollout lowered this very limit",
            f"Undo the rollout, or set a limit that fits what it uses.{case.no_undo}",
            (
                *(narrowing.memory_limit(case) if case.more_than(lowered) else ()),
                *case.undo("it brings the earlier memory limit back"),
            ),
            "limit-too-low",
        )
    if case.suspected and case.changes != [raised]:  # to raise a limit kills nobody
        return cases.Verdict(
            f"{cause} {case.began_with()}",
            "medium",
            "the kill is recorded with its reason; that the new version uses more memory is likely, not proven",
            f"Undo the rollout, or raise the limit if the new version needs more.{case.no_undo}",
            case.undo("the kills began with this rollout"),
            "bad-rollout",
        )
    if limit and not raised and (more := _too_low(case, cause)):
        return more
    return cases.Verdict(
        cause,
        "high" if limit else "medium",
        "the kubelet recorded the kill with its reason; what used the memory is not known",
        "Find out whether it leaks or the limit is too low, then raise the limit. "
        "No action here helps for long: a restart only starts the growth anew.",
        kind=_kind(case, limit),
    )


def _kind(case: cases.Case, limit: str) -> diagnoses.CauseKind:
    """Without a limit of its own, the node or the pod had no more; what grows for hours leaks as likely as not."""
    if not limit:
        return "node-pressure"
    lived = case.seconds("lived")
    slow = "MemoryGrowth" in case.problem.kinds or (lived is not None and lived > _SOON)
    return "leak" if slow else "limit-too-low"


def _too_low(case: cases.Case, cause: str) -> cases.Verdict | None:
    """Half as much memory again, where the container reaches its limit soon after each start. A slow growth is a leak
    as likely as not, and one whose limit was raised lately has had its chance: neither is given more from here."""
    lived = case.seconds("lived")
    amounts = narrowing.more_memory(case)
    if lived is None or lived > _SOON or case.restarts < _KILLS or amounts is None:
        return None
    if "MemoryGrowth" in case.problem.kinds:
        return None
    was, more = amounts
    why = f"it reaches {was} within {cases.span(lived)} of its start, again and again; {more} is half as much again"
    action = model.SetResources(case.problem.subject, case.finding.container, memory_limit=more)
    return cases.Verdict(
        f"{cause} It had run for {cases.span(lived)} by then{case.cite('status')}.",
        "medium",
        "the kills are recorded, each soon after a start; whether it needs more or leaks fast is not known",
        f"Raise its memory limit to {more}. If it reaches that as fast, it leaks: look at what it does at its start.",
        (diagnoses.Candidate(action, why),),
        "limit-too-low",
    )


def growing(case: cases.Case) -> cases.Verdict:
    """Memory that rises towards its limit: only where less than an hour is left is a fresh start worth its cost."""
    plain = told.around(case)
    if case.finding.facts.get("class") != "urgent":
        return plain
    return replace(plain, candidates=members.eased(case))


def _limits(case: cases.Case) -> tuple[str, str]:
    """What the last rollout did to the memory limit of the killed container: the line that lowers, that raises it."""
    lowered = raised = ""
    for line in case.changes:
        found = _LIMIT.fullmatch(line)
        if found is None or found["name"] not in (None, case.finding.container):
            continue
        was, now = phrases.quantity(found["was"]), phrases.quantity(found["now"])
        if now is not None and (was is None or now < was):
            lowered = line
        else:
            raised = line
    return lowered, raised
