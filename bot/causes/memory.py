"""Containers that the kernel kills for want of memory.

A rollout that lowered the very limit is certain; one that only came shortly before is suspected; and one that raised
the limit is no suspect at all.
"""

import re

from bot.causes import cases
from k8s import phrases

_LIMIT = re.compile(r"(?:(?:init )?(?P<name>[\w.-]+): )?memory limit (?P<was>\S+) → (?P<now>\S+)")
"""A line of `k8s.templates` on what a rollout changed; the name is left out where there is but one container."""


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
            case.undo("it brings the earlier memory limit back"),
        )
    if case.suspected and case.changes != [raised]:  # to raise a limit kills nobody
        return cases.Verdict(
            f"{cause} {case.began_with()}",
            "medium",
            "the kill is recorded with its reason; that the new version uses more memory is likely, not proven",
            f"Undo the rollout, or raise the limit if the new version needs more.{case.no_undo}",
            case.undo("the kills began with this rollout"),
        )
    return cases.Verdict(
        cause,
        "high" if limit else "medium",
        "the kubelet recorded the kill with its reason; what used the memory is not known",
        "Find out whether it leaks or the limit is too low, then raise the limit. "
        "No action here helps for long: a restart only starts the growth anew.",
    )


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
