"""Diagnosing by rules: from a dossier to a cause whose every claim cites its evidence.

Pure, and complete without any model: no key, the same card. One rule a failure kind, in an explicit table; each says
the cause, how sure it is and why, what a person should do, and which actions of the catalogue it speaks for. Sources:
https://kubernetes.io/docs/tasks/debug/debug-application/ for how each kind fails.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import diagnoses
from k8s import model, objects, phrases, redact

RECENT = timedelta(minutes=30)
"""A rollout that began this shortly before the failure (or after which nothing was well) is suspected of it."""
_MEMORY_LIMIT = re.compile(r"(?:(?:init )?(?P<name>[\w.-]+): )?memory limit (?P<was>\S+) → (?P<now>\S+)")
"""A line of `k8s.templates` on what a rollout changed; the name is left out where there is but one container."""
_IMAGE_CHANGE = re.compile(r"image: (?P<was>\S+) → (?P<now>\S+)")
"""As above."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One problem with its dossier, and the questions that the rules ask of them."""

    problem: model.Problem
    dossier: diagnoses.Dossier
    now: datetime

    @property
    def finding(self) -> model.Finding:
        return self.problem.primary

    @property
    def restarts(self) -> int:
        told = self.finding.facts.get("restarts", "")
        return int(told) if told.isascii() and told.isdigit() else 0

    def fact(self, name: str) -> str:
        return self.dossier.facts.get(name, "")

    def cite(self, *sources: diagnoses.Source) -> str:
        """` [E2]` for the first of these sources that there is evidence from; empty where there is none."""
        for source in sources:
            piece = self.dossier.of(source)
            if piece is not None:
                return f" [{piece.label}]"
        return ""

    @property
    def changes(self) -> list[str]:
        return [line for line in self.fact("rollout_diff").splitlines() if line]

    def changed(self, *words: str) -> str:
        """The first change of the last rollout that mentions one of these words; empty where none does."""
        lowered = [word.lower() for word in words if word]
        return next((line for line in self.changes if any(word in line.lower() for word in lowered)), "")

    @property
    def rolled_out(self) -> datetime | None:
        return objects.moment(self.fact("rollout_at"))

    @property
    def suspected(self) -> bool:
        """Whether the last rollout changed something and began shortly before the failure did."""
        began = self.rolled_out
        if not self.changes or began is None:
            return False
        return -timedelta(minutes=2) <= self.problem.since - began <= RECENT

    @property
    def rollout_told(self) -> str:
        """`the rollout of revision 7 began 6 min before`, as far as it is known."""
        began = self.rolled_out
        revision = self.fact("rollout_revision")
        if began is None:
            return f"revision {revision}"
        before = self.problem.since - began
        if before < timedelta(minutes=1):
            return f"revision {revision}, rolled out just before the first failure"
        return f"revision {revision}, rolled out {_span(before)} before the first failure"

    def undo(self, why: str) -> tuple[diagnoses.Candidate, ...]:
        """An undo to the newest revision that was healthy, where there is one."""
        healthy = self.fact("healthy_revision")
        if self.problem.subject.kind != "Deployment" or not healthy:
            return ()
        return (diagnoses.Candidate(model.RolloutUndo(self.problem.subject, int(healthy)), why),)

    @property
    def no_undo(self) -> str:
        """Said where a rollout is to blame and nothing healthy can be put back."""
        return "" if self.fact("healthy_revision") else " No earlier revision is known to have been healthy."


@dataclass(frozen=True, slots=True)
class _Verdict:
    cause: str
    confidence: diagnoses.Confidence
    reason: str
    next_step: str
    candidates: tuple[diagnoses.Candidate, ...] = ()


def diagnose(problem: model.Problem, dossier: diagnoses.Dossier, now: datetime) -> diagnoses.Diagnosis:
    """What the rules make of it. Never raises for a kind without a rule of its own: it gets the plain finding."""
    case = _Case(problem, dossier, now)
    verdict = RULES.get(problem.primary.kind, _plain)(case)
    reason = verdict.reason
    confidence = verdict.confidence
    if dossier.missing and confidence == "high":
        confidence, reason = "medium", f"{reason}; but some evidence could not be read"
    labels = {piece.label: piece.number for piece in dossier.evidence}
    return diagnoses.Diagnosis(
        cause=redact.redact(verdict.cause),
        cites=tuple(number for label, number in labels.items() if f"[{label}]" in verdict.cause),
        confidence=confidence,
        reason=reason,
        next_step=verdict.next_step,
        candidates=verdict.candidates,
        missing=dossier.missing,
    )


# --- the rules ------------------------------------------------------------------------------------------------------


def _crash(case: _Case) -> _Verdict:
    """A process that ends by itself: its last words, and what took from it what it asks for."""
    if case.finding.facts.get("probe"):
        return _killed(case)
    line, missing = case.fact("error_line"), case.fact("missing_name")
    code = case.finding.facts.get("exit_code", "")
    words = f"exits with code {code}" if code else "keeps ending"
    who = f"Container {case.finding.container or 'of the pod'}"
    seen = case.cite("previous-log", "log")
    told = f": {line}{seen}" if line else f"{case.cite('status')}, and its log does not say why{seen}"
    cause = f"{who} {words}{told}."
    changed = case.changed(missing) if missing else ""
    if changed:
        removed = changed.endswith("removed")
        back = f"then put {missing} back in the manifest that it came from"
        given = f"and see to it that {missing} has a value where it comes from"
        brings = f"it brings {missing} back, which the crashing process asks for"
        return _Verdict(
            f"{cause} The last rollout changed just that: {changed} ({case.rollout_told}){case.cite('rollout')}.",
            "high",
            f"the log names what is missing, and the last rollout {'took it away' if removed else 'changed just that'}",
            f"Undo the rollout, {back if removed else given}.{case.no_undo}",
            case.undo(brings if removed else f"the earlier revision ran without this change of {missing}"),
        )
    if case.suspected:
        changes = "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} It began with {case.rollout_told}, which changed: {changes}{case.cite('rollout')}.",
            "medium",
            "the crashes began with the last rollout, but the log does not name what it changed",
            f"Undo the rollout if the change is not needed at once, and look at the log.{case.no_undo}",
            case.undo("the crashes began with this rollout"),
        )
    if missing:
        return _Verdict(
            f"{cause} It asks for {missing}, which it is not given.",
            "medium",
            "the log names what is missing; no rollout explains since when",
            f"Give {missing} to the container. A restart does not help: the kubelet restarts it all the time.",
        )
    return _Verdict(
        cause,
        "low" if not line else "medium",
        "the log tells how it ends, not what changed" if line else "there is no telling line in the log",
        "Read the log in the thread. A restart does not help: the kubelet restarts it all the time.",
    )


def _killed(case: _Case) -> _Verdict:
    """A container that the kubelet ends again and again for a probe: how it then ends is the probe's doing."""
    probe, answer = case.finding.facts["probe"], case.finding.facts.get("answer", "")
    fails = f'fails with "{answer.rstrip(".")}"' if answer else "fails"
    again = f", {phrases.counted(case.restarts, 'restart')} so far" if case.restarts else ""
    cause = f"The kubelet keeps restarting container {case.finding.container}, since its {probe} probe {fails}{again}"
    cause += f"{case.cite('events', 'status')}."
    if line := case.fact("error_line"):
        cause += f" Its log says: {line}{case.cite('previous-log', 'log')}."
    if case.suspected:
        changes = "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} It began with {case.rollout_told}, which changed: {changes}{case.cite('rollout')}.",
            "medium",
            "the restarts began with the last rollout; the probe tells that it fails, not why",
            f"Undo the rollout, or correct what it changed.{case.no_undo}",
            case.undo("the restarts began with this rollout"),
        )
    return _Verdict(
        cause,
        "medium",
        "the events name the probe and its answer, not why it fails",
        f"Find out why it does not answer its {probe} probe, or whether the probe asks too soon or waits too briefly. "
        "A restart does not help: the kubelet restarts it all the time.",
    )


def _memory(case: _Case) -> _Verdict:
    limit = case.finding.facts.get("memory_limit", "")
    full = f"used all of its memory limit of {limit} when the kernel killed it"
    killed = full if limit else "was killed by the kernel: it has no memory limit, and its node or pod had none left"
    again = f", {phrases.counted(case.restarts, 'restart')} so far" if case.restarts else ""
    cause = f"Container {case.finding.container} {killed}{again}{case.cite('status')}."
    lowered, raised = _limits(case)
    if lowered:
        return _Verdict(
            f"{cause} The last rollout lowered its limit: {lowered} ({case.rollout_told}){case.cite('rollout')}.",
            "high",
            "the kill is recorded with its reason, and the last rollout lowered this very limit",
            f"Undo the rollout, or set a limit that fits what it uses.{case.no_undo}",
            case.undo("it brings the earlier memory limit back"),
        )
    if case.suspected and case.changes != [raised]:  # to raise a limit kills nobody
        changes = "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} It began with {case.rollout_told}, which changed: {changes}{case.cite('rollout')}.",
            "medium",
            "the kill is recorded with its reason; that the new version uses more memory is likely, not proven",
            f"Undo the rollout, or raise the limit if the new version needs more.{case.no_undo}",
            case.undo("the kills began with this rollout"),
        )
    return _Verdict(
        cause,
        "high" if limit else "medium",
        "the kubelet recorded the kill with its reason; what used the memory is not known",
        "Find out whether it leaks or the limit is too low, then raise the limit. "
        "No action here helps for long: a restart only starts the growth anew.",
    )


def _limits(case: _Case) -> tuple[str, str]:
    """What the last rollout did to the memory limit of the killed container: the line that lowers, that raises it."""
    lowered = raised = ""
    for line in case.changes:
        found = _MEMORY_LIMIT.fullmatch(line)
        if found is None or found["name"] not in (None, case.finding.container):
            continue
        was, now = phrases.quantity(found["was"]), phrases.quantity(found["now"])
        if now is not None and (was is None or now < was):
            lowered = line
        else:
            raised = line
    return lowered, raised


_IMAGE_CAUSES: Mapping[str, tuple[str, str]] = {
    "not-found": ("the registry has no such image", "Push the image, or correct its name or tag."),
    "unauthorised": (
        "the registry refuses access to it",
        "Check the pull secret of the pod's service account and whether its credentials still hold.",
    ),
    "unreachable": (
        "the registry cannot be reached",
        "Check the registry and the way to it from the nodes (DNS, proxy, firewall).",
    ),
    "rate-limited": ("the registry limits the rate of pulls", "Authenticate the pulls, or use a mirror."),
    "bad-name": ("its name is not a valid image name", "Correct the image name."),
    "never-pull": (
        "it is not on the node, and the pull policy forbids pulling it",
        "Load the image on the node, or change imagePullPolicy.",
    ),
}


def _image(case: _Case) -> _Verdict:
    image = case.finding.facts.get("image", "") or "its image"
    kind = case.finding.facts.get("class", "")
    why, step = _IMAGE_CAUSES.get(kind, ("the pull fails", "Read the registry's answer in the events."))
    cause = f"Image {image} cannot be pulled: {why}{case.cite('events', 'status')}."
    changed = case.changed(case.finding.facts.get("image", "") or "image")
    elsewhere = kind in {"unreachable", "rate-limited"}
    if changed and elsewhere and _moved(changed):
        return _Verdict(
            f"{cause} The last rollout moved it to this registry: {changed} ({case.rollout_told})"
            f"{case.cite('rollout')}.",
            "high",
            "the node's answer is clear, and the earlier image comes from another registry",
            f"Undo the rollout, or mend the way to the registry. {step}{case.no_undo}",
            case.undo("it puts the image back that comes from another registry"),
        )
    if changed and not elsewhere:
        return _Verdict(
            f"{cause} The last rollout brought it: {changed} ({case.rollout_told}){case.cite('rollout')}.",
            "high",
            "the registry's answer is clear, and the last rollout changed this image",
            f"Undo the rollout. {step}{case.no_undo}",
            case.undo("it puts the image back that was pulled before"),
        )
    return _Verdict(
        cause,
        "high" if kind in _IMAGE_CAUSES else "low",
        "the registry's answer is clear" if kind in _IMAGE_CAUSES else "the registry's answer is not a known one",
        step,
    )


def _moved(change: str) -> bool:
    """Whether a line on a changed image names another registry than the one before."""
    found = _IMAGE_CHANGE.search(change)
    if found is None or found["was"] == "none":
        return False
    return phrases.registry(found["was"]) != phrases.registry(found["now"])


def _configuration(case: _Case) -> _Verdict:
    missing = case.finding.facts.get("missing", "")
    said = case.finding.facts.get("said", "") or case.finding.message
    cause = (
        f"Container {case.finding.container} cannot start: {missing} does not exist{case.cite('events', 'status')}."
        if missing
        else f"Container {case.finding.container} cannot start: {said}{case.cite('events', 'status')}."
    )
    names = [part for part in missing.replace('"', " ").replace("'", " ").split() if len(part) > 3]
    changed = case.changed(*(name for name in names if name not in {"ConfigMap", "Secret", "key"}))
    if changed or (case.suspected and not missing):
        told = changed or "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} The last rollout refers to it first: {told} ({case.rollout_told}){case.cite('rollout')}.",
            "high" if changed else "medium",
            "what is missing is named by the kubelet, and the last rollout began to ask for it"
            if changed
            else "it began with the last rollout",
            f"Create {missing or 'what is missing'}, or undo the rollout.{case.no_undo}",
            case.undo("the earlier revision does not ask for it"),
        )
    return _Verdict(
        cause,
        "high" if missing else "medium",
        "the kubelet names what is missing" if missing else "the kubelet tells that it fails, not what to mend",
        f"Create {missing}; the kubelet tries again by itself."
        if missing
        else "Read the kubelet's words in the events, and correct the pod template.",
    )


_SCHEDULING_STEPS: Mapping[str, str] = {
    "cpu": "Ask for less cpu, add a node, or free some.",
    "memory": "Ask for less memory, add a node, or free some.",
    "gpu": "Add a node with such a device, or wait until one is free.",
    "resource": "Ask for less of it, add a node that has it, or free some.",
    "taint": "Tolerate the taint, or take it off a node if it should not be there.",
    "affinity": "Correct the node selector or affinity, or label a node.",
    "pvc": "Look at its PersistentVolumeClaim: it must exist and be bound where the pod may run.",
    "too-many-pods": "Add a node: those there are hold as many pods as they may.",
    "other": "Read the scheduler's words in the events.",
    "ports": "Another pod holds the host port on every node: free it, or use another.",
    "gated": "Its scheduling gates must be removed by whoever set them.",
}


_SCALED_BEYOND = frozenset(_SCHEDULING_STEPS) - {"gated", "pvc", "other"}
"""Where replicas of the same template are ready and more of them do not fit, fewer of them do."""


def _scheduling(case: _Case) -> _Verdict:
    kind, never = case.finding.facts.get("class", ""), bool(case.fact("room_never"))
    cause = f"{case.finding.message.rstrip('.')}{case.cite('events', 'status', 'scheduling')}."
    nodes = case.cite("scheduling")
    if room := case.fact("room"):
        cause += f" It fits on no node, even an empty one: {_lowered(room)}{nodes}." if never else f" {room}{nodes}."
    if kept_off := case.fact("kept_off"):
        cause += f" {kept_off.rstrip('.')}{nodes}."
    step = _SCHEDULING_STEPS.get(kind, _SCHEDULING_STEPS["other"])
    if never and kind in {"cpu", "memory"}:
        step = f"Ask for less {kind}, or add a larger node."
    changed = case.changed("request", "selector", "affinity", "toleration", "volume", "cpu", "memory")
    if changed and case.suspected:
        return _Verdict(
            f"{cause} The last rollout changed what it needs: {changed} ({case.rollout_told}){case.cite('rollout')}.",
            "high",
            "the scheduler names what does not fit, and the last rollout changed it",
            f"{step}{case.no_undo}",
            case.undo("the earlier revision asks for what the nodes have"),
        )
    before, after = case.fact("scaled_from"), case.fact("scaled_to")
    if before and after and case.problem.ready and kind in _SCALED_BEYOND:
        back = max(int(before), case.problem.ready)
        if back < int(after):
            why = f"it was scaled from {before} to {after}, and the cluster holds no more than {case.problem.ready}"
            scale = model.Scale(case.problem.subject, back)
            return _Verdict(
                f"{cause} It was scaled from {before} to {after} replicas{case.cite('events')}.",
                "medium",
                "the scheduler names what does not fit; whether the replicas are needed is for a person to say",
                f"{step} Or scale back to {back}.",
                (diagnoses.Candidate(scale, why),),
            )
    return _Verdict(cause, "high", "these are the scheduler's own words", step)


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


def _readiness(case: _Case) -> _Verdict:
    cause = f"{case.finding.message.rstrip('.')}{case.cite('events', 'status')}."
    line = case.fact("error_line")
    if line:
        cause = f"{cause} Its log says: {line}{case.cite('log', 'previous-log')}."
    if case.suspected:
        changes = "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} It began with {case.rollout_told}, which changed: {changes}{case.cite('rollout')}.",
            "medium",
            "it began with the last rollout; the probe tells that it fails, not why",
            f"Undo the rollout, or correct what it changed.{case.no_undo}",
            case.undo("it was ready before this rollout"),
        )
    pods = int(case.finding.facts.get("pods", "1") or 1)
    subject = case.problem.subject
    lone = pods == 1 and (case.problem.ready or 0) > 0 and case.finding.resource.kind == "Pod"
    if lone and subject.kind in {"Deployment", "StatefulSet", "ReplicaSet"}:
        why = "the other replicas of the same template are ready, so this one pod is at fault"
        return _Verdict(
            cause,
            "medium",
            "only one of the replicas fails, so the template is not at fault",
            "Delete the pod to have it replaced; if the new one fails too, look at its dependencies.",
            (diagnoses.Candidate(model.DeletePod(case.finding.resource, subject), why),),
        )
    if subject.kind in {"Deployment", "StatefulSet", "DaemonSet"} and not case.problem.ready:
        why = "all replicas run and none is ready, with no rollout before it: a fresh start is safe and may clear it"
        return _Verdict(
            cause,
            "low",
            "all replicas fail alike and nothing was rolled out, so a dependency is likely",
            "Look at what the probe depends on (database, other services) first; a restart may clear a stuck process.",
            (diagnoses.Candidate(model.RolloutRestart(subject), why),),
        )
    return _Verdict(
        cause,
        "low",
        "the probe tells that it fails, not why",
        "Look at what the probe depends on (database, other services), and at the log in the thread.",
    )


def _rollout(case: _Case) -> _Verdict:
    refusal = _refusal(case)
    cause = f"{case.finding.message.rstrip('.')}{refusal}{case.cite('status', 'events')}."
    if case.changes:
        changes = "; ".join(case.changes[:3])
        return _Verdict(
            f"{cause} The rollout of {case.rollout_told} changed: {changes}{case.cite('rollout')}.",
            "medium",
            "the new revision does not become available; what of the change is at fault is not proven",
            f"Undo the rollout, then correct the change.{case.no_undo}",
            case.undo("the earlier revision was healthy"),
        )
    if refusal:
        return _Verdict(cause, "high", "the controller tells why it cannot create pods", _MEND)
    return _Verdict(
        cause,
        "low",
        "the rollout does not go on, and nothing that it changed is known",
        "Look at the pods of the new revision.",
    )


_MEND = "Mend what the controller names (quota, admission, service account); it tries again by itself."


def _refusal(case: _Case) -> str:
    """What the API server said when pods were to be created, as the rest of a sentence; empty where it took them."""
    said = (finding.facts.get("said", "") for finding in case.problem.findings if finding.kind == "ReplicasMissing")
    words = next(filter(None, said), "")
    return f'. The API server refuses its pods: "{words.rstrip(".")}"' if words else ""


def _replicas(case: _Case) -> _Verdict:
    said = _refusal(case)
    cause = f"{case.finding.message.rstrip('.')}{said}{case.cite('events', 'status')}."
    return _Verdict(
        cause,
        "high" if said else "medium",
        "the controller tells why it cannot create pods" if said else "pods are missing, and no event tells why",
        _MEND if said else "Look at the pods that are there and at the events of the workload.",
    )


def _job(case: _Case) -> _Verdict:
    line = case.fact("error_line")
    cause = f"{case.finding.message.rstrip('.')}{case.cite('status', 'events')}."
    if line:
        cause = f"{cause} Its log ends with: {line}{case.cite('previous-log', 'log')}."
    return _Verdict(
        cause,
        "medium" if line else "low",
        "the log tells how the last try ended" if line else "the log of the last try is gone",
        "Mend what the log names, then run the Job again; a failed Job does not start itself anew.",
    )


def _node(case: _Case) -> _Verdict:
    cause = f"{case.finding.message.rstrip('.')}{case.cite('scheduling', 'status')}."
    return _Verdict(
        cause,
        "high",
        "these are the node's own conditions",
        "Look at the node (kubelet, machine, network). Its pods move by themselves once it is tainted for long enough.",
    )


def _pressure(case: _Case) -> _Verdict:
    cause = f"{case.finding.message.rstrip('.')}{case.cite('scheduling', 'status')}."
    return _Verdict(
        cause,
        "high",
        "these are the node's own conditions",
        "Free what the node lacks, or cordon it until then: the kubelet evicts pods as long as it lasts.",
    )


def _plain(case: _Case) -> _Verdict:
    return _Verdict(
        f"{case.finding.message.rstrip('.')}{case.cite('status', 'events')}.",
        "low",
        "there is no rule for this kind: it is what was found, not why",
        "Look at the evidence in the thread.",
    )


RULES: Mapping[str, Callable[[_Case], _Verdict]] = {
    "CrashLoopBackOff": _crash,
    "OOMKilled": _memory,
    "ImagePull": _image,
    "ConfigError": _configuration,
    "InitFailing": _crash,
    "Unschedulable": _scheduling,
    "RolloutStuck": _rollout,
    "ReplicasMissing": _replicas,
    "NotReady": _readiness,
    "JobFailed": _job,
    "NodeNotReady": _node,
    "NodePressure": _pressure,
}


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"
