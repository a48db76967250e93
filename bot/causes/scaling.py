"""Autoscalers that cannot do their work: a maximum that is too low may be raised, as far as the nodes have room."""

from dataclasses import replace

from bot.causes import cases, told
from bot.domain import diagnoses
from k8s import fields, model


def autoscaler(case: cases.Case) -> cases.Verdict:
    """One at its maximum, all of whose pods are ready: what crashes or hangs wants more replicas, too."""
    plain = told.around(case)
    if case.finding.facts.get("class") != "at-maximum" or not _well(case):
        return plain
    room = case.count("room_for")
    if room is None:
        return plain
    if not room:
        step = "Add a node before its maximum is raised, or find out where the load comes from."
        return replace(
            plain,
            cause=f"{plain.cause} The nodes have no room for another pod{_seen(case)}.",
            next_step=step,
            kind="capacity",
        )
    return _raised(case, plain, room) or plain


def _well(case: cases.Case) -> bool:
    ready, desired = case.problem.ready, case.problem.desired
    return case.problem.kinds == ("HPABroken",) and ready is not None and ready > 0 and ready == desired


def _raised(case: cases.Case, plain: cases.Verdict, room: int) -> cases.Verdict | None:
    """By half at most, and by no more pods than there is room for."""
    target, subject, shown = case.target, case.problem.subject, case.finding.resource
    if target is None or subject.kind not in {"Deployment", "StatefulSet"} or len(target.autoscalers) != 1:
        return None
    found = target.autoscalers[0]
    least, most = fields.number(found, "spec", "minReplicas"), fields.number(found, "spec", "maxReplicas")
    if fields.uid(found) != shown.uid or not most or least == 0:
        return None
    wanted = most + min(room, max(1, most // 2))
    why = f"it wants more than {most}, all its pods are ready, and the nodes have room for {room} more"
    action = model.SetAutoscaler(shown, subject, 1 if least is None else least, wanted)
    return cases.Verdict(
        f"{plain.cause} The nodes have room for {room} more of its pods{_seen(case)}.",
        "medium",
        "the controller itself wants more replicas than it may have; whether the load is meant is not known",
        f"Raise its maximum to {wanted} if the load is meant, or find out where it comes from.",
        (diagnoses.Candidate(action, why),),
        plain.kind,
    )


def _seen(case: cases.Case) -> str:
    return case.cite("scheduling")
