"""Elsewhere: the log tells that something does not answer which the process talks to. Called by the families for pods.

What is done to the workload does not bring its dependency back. An undo is offered only where the last rollout changed
where to, or who, it talks; a fresh start of one pod only where all others reach the same.
"""

import re
from dataclasses import replace

from bot.causes import cases, members, reading
from bot.domain import diagnoses

_ADDRESSED = re.compile(
    r"(?i)\benv \S*(?:URL|URI|HOST|ADDR|DSN|ENDPOINT|PORT|SERVER|BROKER|BOOTSTRAP|PEER|UPSTREAM|PROXY|CONN)\S*"
)
"""A line of `k8s.templates` on a variable that says where something is."""
_STATES = {
    "missing": "there is no Service {what}",
    "no-endpoints": "Service {what} has no ready endpoint",
    "wrong-port": "Service {what} does not listen on that port",
    "ready": "Service {what} has ready endpoints",
}
"""By the fact `dependency_state` (`bot.evidence.dependencies`)."""
_WHY: dict[diagnoses.CauseKind, str] = {
    "dependency-down": "the log names what does not answer; why it does not is not known from here",
    "dns": "the log names what does not resolve; whether the name is wrong or DNS fails is not known",
    "network": "the log names what it cannot reach; where the way ends is not known",
}


def away(case: cases.Case, found: reading.Reading, cause: str) -> cases.Verdict:
    """`cause`: how the process ends, with its line, already cited. `found` is of `reading.ELSEWHERE`."""
    state = case.fact("dependency_state") if case.fact("dependency_by") == "log" else ""
    what = case.fact("dependency") if state else ""
    seen = f" {_sentence(state, what)}{case.cite('dependencies')}." if state in _STATES else ""
    name = what or found.named or "what the log names"
    verdict = cases.Verdict(f"{cause}{seen}", "medium", _WHY[found.kind], step(found, name), (), found.kind)
    if state == "no-endpoints":
        reason = "the log complains about it, and its Service has nothing ready behind it"
        return replace(verdict, confidence="high", reason=reason, kind="dependency-down")
    if case.suspected and moved(case, found):
        return replace(
            verdict,
            cause=f"{verdict.cause} {case.began_with()}",
            reason="it began with the last rollout, which may have changed what it talks to",
            next_step=f"Undo the rollout, or correct where it looks for {name}.{case.no_undo}",
            candidates=case.undo("it reached what it needs before this rollout"),
        )
    if alone := members.elsewhere(case):
        return replace(
            verdict,
            cause=f"{verdict.cause} Its other pods, of the same template, are ready{case.cite('status')}.",
            reason="the other pods reach it, so it is this pod or its node that does not",
            next_step="Delete the pod, so that a new one starts, perhaps on another node; look at this one's node.",
            candidates=(alone,),
        )
    return verdict


def moved(case: cases.Case, found: reading.Reading) -> bool:
    """Whether the last rollout may have changed what it talks to: that very name, another address, or the code."""
    host = found.named.partition(":")[0]
    named = bool(host) and bool(case.changed(host))
    return named or any(
        _ADDRESSED.search(line) or re.search(r"\b(image|command|args)\b", line) for line in case.changes
    )


def _sentence(state: str, what: str) -> str:
    told = _STATES[state].format(what=what)
    return f"{told[:1].upper()}{told[1:]}"


def step(found: reading.Reading, name: str) -> str:
    """What a person should do about it."""
    if found.kind == "dns":
        return f"See whether {name} is the right name and resolves in the cluster. A restart does not help."
    if found.kind == "network":
        return f"Look at the way to {name}: NetworkPolicies, the node's network, firewalls. A restart does not help."
    return f"Look at {name} first: nothing that is done to this workload brings it back."
