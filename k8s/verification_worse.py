"""Whether an action has made things worse: not only that it did not help.

Asked by the verifying stage of `bot` at the end of a verification. Pure. Fewer pods that are ready in the middle of a
rollout are normal life; at its end, or where it was given up, they are not.
"""

from collections.abc import Iterable
from datetime import datetime

from k8s import model, remedies, targets, verification, workloads


def ready_before(action: model.Action, pre_image: model.Json | None, blast: model.BlastRadius) -> int:
    """Pods that were ready right before the write, by what was saved then; else when it was proposed."""
    needs = remedies.remedy_for(action).needs(action)
    workload = needs.owner is None and needs.object.same(action.workload)
    if pre_image is None or not workload or "status" not in pre_image:
        return blast.ready
    return workloads.ready(pre_image, action.workload.kind)


def fewer_ready(assessed: verification.Assessment, before: int | None) -> str:
    """One sentence where fewer pods are ready than before; "" where there are not, or where fewer are wanted now."""
    ready, desired = assessed.ready, assessed.desired
    if before is None or ready is None or desired is None or ready >= min(before, desired):
        return ""
    verb = "was" if before == 1 else "were"
    return f"{ready} of {targets.counted(desired)} {'is' if ready == 1 else 'are'} ready now, {before} {verb} before."


def graver(findings: Iterable[model.Finding], before: model.Severity | None, now: datetime) -> model.Finding | None:
    """The first of these findings that has held for its grace and is graver than the gravest before the write."""
    for finding in findings:
        if before is not None and now - finding.since >= finding.grace and finding.severity < before:
            return finding
    return None
