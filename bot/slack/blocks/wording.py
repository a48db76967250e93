"""The words for what is: failure kinds, severities, states, actions, ends. Used by all modules that show an incident.

Different ends have different names, in words as in the record. Text from rows (outcomes, reasons, names) comes out
rendered; nothing here decides anything.
"""

from collections.abc import Sequence
from typing import assert_never

from bot.domain import cards, incidents, memory, proposals
from bot.slack.blocks import text
from k8s import model

FIRING = "#a30200"
ACKNOWLEDGED = "#daa038"
SNOOZED = "#dddddd"
RESOLVED = "#2eb886"

SEVERITY = {"P1": "🔴", "P2": "🟠", "P3": "🟡"}
RECOVERED = "🟢"
REFUSAL = 700
"""Characters of why something is refused: an API server says a good hundred before the words of whoever wrote the
admission policy, and those must be there to the last one."""

_SHORT_NAME = 40
"""Characters of an image or a variable on a button."""

_BROKEN = {
    "CrashLoopBackOff": "crash-looping",
    "OOMKilled": "out of memory",
    "ImagePull": "unable to pull an image",
    "ConfigError": "unable to start its containers",
    "InitFailing": "stuck in an init container",
    "Unschedulable": "unschedulable",
    "StuckCreating": "stuck while its pods are created",
    "NotReady": "running but not ready",
    "LivenessRestarts": "restarted by its liveness probe",
    "RestartGrowth": "restarting more than usual",
    "Evicted": "evicted",
    "StuckTerminating": "not terminating",
    "LogErrors": "logging errors",
    "MemoryGrowth": "about to run out of memory",
    "RolloutStuck": "stuck in a rollout",
    "ReplicasMissing": "missing replicas",
    "StatefulSetStuck": "stuck at one of its pods",
    "DaemonSetIncomplete": "missing from some nodes",
    "JobFailed": "failing, no retries left",
    "CronJobBroken": "not running its jobs",
    "HPABroken": "not being scaled",
    "PDBBlocking": "blocking evictions",
    "ServiceNoEndpoints": "without endpoints",
    "IngressBroken": "broken as an ingress",
    "PVCPending": "without its volume",
    "QuotaExhausted": "out of quota",
    "WebhookBroken": "refusing requests",
    "NodeNotReady": "not ready",
    "NodePressure": "under pressure",
    "CertificateExpiring": "about to lose its certificate",
}
"""Failure kind → what the subject is or was ("… is crash-looping")."""

_MISSED = {
    "ConfigMap": "missing or incomplete",
    "Secret": "missing or incomplete",
    "PersistentVolumeClaim": "missing or without its volume",
    "ResourceQuota": "out of quota",
    "Registry": "not serving images",
}
"""Kind of what several workloads share as their cause → what it is or was, whatever kind shows it."""

_OF_THE_OBJECT = frozenset({"PVCPending", "QuotaExhausted", "CertificateExpiring"})
"""Failure kinds that are about such an object itself."""

_KIND_NAMES = {"ValidatingWebhookConfiguration": "webhook", "MutatingWebhookConfiguration": "webhook"}


def emoji(incident: incidents.Incident) -> str:
    """Severity while it lives, recovery after."""
    return SEVERITY[incident.severity] if incident.live else RECOVERED


def color(incident: incidents.Incident) -> str:
    match incident.state:
        case "open":
            return FIRING
        case "acknowledged":
            return ACKNOWLEDGED
        case "snoozed":
            return SNOOZED
        case "resolved":
            return RESOLVED
        case _:
            assert_never(incident.state)


def state(incident: incidents.Incident) -> str:
    """The state in words, rendered: nobody needs the colour to know it."""
    match incident.state:
        case "open":
            return "*Firing*"
        case "acknowledged":
            at = "" if incident.acknowledged_at is None else f" {text.time_of_day(incident.acknowledged_at)}"
            return f"*Acknowledged* by {text.person(incident.acknowledged_by)}{at}"
        case "snoozed":
            return "*Snoozed*"
        case "resolved":
            if incident.resolved_at is None:
                return "*Resolved*"
            took = text.duration(incident.resolved_at - incident.since)
            return f"*Resolved* {text.time_of_day(incident.resolved_at)}, {took} after it began"
        case _:
            assert_never(incident.state)


def subject(incident: incidents.Incident) -> str:
    """Raw: `payments/api`, or with its kind what is in no namespace or runs nothing: `node worker-1`."""
    ref = incident.subject
    if not ref.namespace:
        return f"{_KIND_NAMES.get(ref.kind, ref.kind.lower())} {ref.name}"
    return f"{ref.kind} {ref.short}" if ref.kind in _MISSED else ref.short


def trouble(incident: incidents.Incident) -> str:
    """Raw: `is crash-looping`, or `was …` once it is over."""
    kind = incident.kinds[0] if incident.kinds else ""
    if kind == "NotReady" and "RolloutStuck" in incident.kinds and incident.ready == incident.desired:
        kind = "RolloutStuck"  # the old pods serve: "not ready · 2 of 2 ready" would contradict itself
    verb = "is" if incident.live else "was"
    if incident.subject.kind in _MISSED and kind not in _OF_THE_OBJECT:
        return f"{verb} {_MISSED[incident.subject.kind]}"
    return (
        f"{verb} {_BROKEN[kind]}" if kind in _BROKEN else f"{'has' if incident.live else 'had'} {kind or 'a problem'}"
    )


def readiness(incident: incidents.Incident) -> str:
    """Raw: `0 of 3 ready`; empty where there is no such notion, or it is over and the count is of then."""
    if not incident.live or incident.ready is None or incident.desired is None:
        return ""
    return f"{incident.ready} of {incident.desired} ready"


def what(action: model.Action) -> str:
    """Raw: what Approve does, short enough for a button on a phone."""
    match action:
        case model.RolloutRestart():
            return "restart"
        case model.RolloutUndo():
            return f"roll back to revision {action.revision}"
        case model.DeletePod():
            return "delete the pod"
        case model.Scale():
            return f"scale to {action.replicas}"
        case model.RolloutPause():
            return "pause the rollout"
        case model.RolloutResume():
            return "resume the rollout"
        case model.SetImage():
            return f"set image {action.image.rpartition('/')[2][:_SHORT_NAME]}"
        case model.SetResources():
            return f"set {_amounts(action)}"
        case model.ResizePod():
            return f"resize the pod: {_amounts(action)}"
        case model.SetEnv():
            return f"set {action.variable[:_SHORT_NAME]}"
        case model.UnsetEnv():
            return f"unset {action.variable[:_SHORT_NAME]}"
        case model.EvictPod():
            return "evict the pod"
        case model.ForceDeletePod():
            return "force-delete the pod"
        case model.RemoveFinalizer():
            return f"remove finalizer {action.finalizer[:_SHORT_NAME]}"
        case model.SetAutoscaler():
            return f"autoscale {action.least} to {action.most}"
        case model.SuspendCronJob():
            return "suspend the CronJob"
        case model.ResumeCronJob():
            return "resume the CronJob"
        case model.RunCronJob():
            return "run the CronJob now"
        case model.DeleteJob():
            return "delete the Job"
        case model.RerunJob():
            return "run the Job again"
        case model.Cordon():
            return "cordon the node"
        case model.Uncordon():
            return "uncordon the node"
        case model.Drain():
            return f"drain the node ({text.count(len(action.pods), 'pod')})"
        case model.RemoveTaint():
            return f"remove taint {action.key[:_SHORT_NAME]}"
        case model.AnnotateMute():
            return f"mute {', '.join(action.failures)[:_SHORT_NAME]}" if action.failures else "lift the mute"
        case model.RestartOnNode():
            return f"restart on node {action.node[:_SHORT_NAME]}"
        case model.ExecCommand():
            return f"run command {action.command[:_SHORT_NAME]}"
        case model.Custom():
            return action.name.removeprefix("custom-").replace("-", " ")[:_SHORT_NAME]
        case _:
            assert_never(action)


def _amounts(action: model.SetResources | model.ResizePod) -> str:
    fields = ("cpu_request", "memory_request", "cpu_limit", "memory_limit")
    named = {field.replace("_", " "): getattr(action, field) for field in fields if getattr(action, field)}
    one = len(named) == 1
    return " ".join(f"{name} {amount}" for name, amount in named.items()) if one else "requests and limits"


def back(action: model.Action) -> str:
    """Raw: what Undo does; its action is the inverse of what was done."""
    match action:
        case model.RolloutUndo():
            return f"back to revision {action.revision}"
        case model.Scale():
            return f"back to {action.replicas} replicas"
        case _:
            return what(action)


ENDS: dict[proposals.State, str] = {
    "proposed": "waits for approval",
    "approved": "approved, not started yet",
    "executing": "being executed",
    "succeeded": "done, not verified yet",
    "verified": "verified",
    "not-verified": "not verified",
    "worse": "made it worse",
    "undone": "undone",
    "rejected": "rejected",
    "expired": "expired",
    "superseded": "superseded",
    "stale": "stale: the cluster moved",
    "already-fixed": "already fixed",
    "refused": "refused",
    "failed": "failed",
    "stopped": "stopped half-way",
    "unknown": "outcome unknown",
}
"""Each state of a proposal in a few words."""


_DEEDS = {
    "rollout-restart": "restart",
    "rollout-undo": "rollback",
    "delete-pod": "deleting a pod",
    "evict-pod": "evicting a pod",
    "resize-pod": "resizing a pod",
    "scale": "scaling",
}


def deed(name: str) -> str:
    """Raw: an action of the catalogue by its name alone."""
    return _DEEDS.get(name, name.replace("-", " "))


def remembered(found: memory.Record) -> str:
    """Raw: `restart helped 1 of 3 times here; held 40 min`."""
    held = "" if found.held is None else f"; held {text.duration(found.held)}"
    times = f"{found.helped} of {found.tried} times" if found.tried > 1 else "the one time" if found.helped else ""
    return f"{deed(found.action)} helped {times} here{held}" if times else f"{deed(found.action)} did not help here"


def undo_refused(card: cards.ProposalCard) -> str:
    """Rendered: why there is no way back; empty where there is one, or none is needed. Of what helped and cannot be
    taken back, its own words: whoever looks for the button finds them."""
    row, found = card.proposal, card.verification
    if found is None:
        return ""
    final = row.state == "verified" and row.kind == "remedy" and row.inverse is None
    why = found.no_undo or (row.irreversible if final else "")
    return f"*No Undo* is on offer: {text.prose(why, 300)}" if why else ""


def by_itself(card: cards.ProposalCard) -> str:
    """Rendered: `done by itself: scale helped each of the last 3 times here`; empty where people decided."""
    if card.alone is None or card.alone.state != "started":
        return ""
    return f"done by itself: {text.prose(card.alone.rule, 200)}"


def announcement(card: cards.ProposalCard) -> str:
    """Rendered: when it will be done by itself; or that it will not be any more, and why. Empty where it never was to
    be, and once it was decided on."""
    one = card.alone
    if one is None or card.proposal.state != "proposed":
        return ""
    match one.state:
        case "waiting":
            return f"*Will be done by itself* {text.duration(one.delay)} after this is shown, unless somebody stops it"
        case "counting" if one.at is not None:
            return f"*Will be done by itself* at {text.seconds_of_day(one.at)} unless somebody stops it"
        case "counting" | "starting":
            return "*Is done by itself now*"
        case "stopped":
            return f"*Stopped* by {text.person(one.by)}: it waits for an approval"
        case "dropped":
            return f"*Not done by itself:* {text.prose(one.why, 300)} It waits for an approval"
        case _:
            return ""


def approved_by(card: cards.ProposalCard) -> str:
    """Rendered: `approved by @a and @b 03:14`, with the last one's time; by which rule where nobody did."""
    made = card.approvals
    if not made:
        return by_itself(card) or "approved by the policy"
    return f"approved by {_people(made)} {text.time_of_day(made[-1].at)}"


def _people(made: Sequence[proposals.Decision]) -> str:
    return " and ".join(text.person(one.user) for one in made)


def tally(card: cards.ProposalCard) -> str:
    """Rendered: `1 of 2: @a, waiting for another approver`; empty where none or all have approved."""
    made, needed = card.approvals, card.proposal.approvals
    if not made or card.proposal.state != "proposed":
        return ""
    return f"*{len(made)} of {needed}*: {_people(made)}, {waiting_for(card)}"


def waiting_for(card: cards.ProposalCard) -> str:
    """`waiting for another approver`."""
    left = card.proposal.approvals - len(card.approvals)
    return f"waiting for {'another approver' if left == 1 else f'{left} more approvers'}"


def quorum(card: cards.ProposalCard) -> str:
    """Rendered: how many have approved or must; empty where one is enough."""
    needed = card.proposal.approvals
    return tally(card) or (f"{needed} people must approve" if needed > 1 else "")


def outcome(card: cards.ProposalCard) -> model.Outcome | None:
    return None if card.execution is None else card.execution.outcome


def detail(card: cards.ProposalCard, limit: int = 400) -> str:
    """Rendered: the executor's own words about how it ended; empty where it said nothing."""
    ended = outcome(card)
    return "" if ended is None else text.prose(ended.detail, limit)


def refusals(refused: Sequence[str], most: int = 3) -> str:
    """Rendered: why nothing is proposed; empty where nothing was turned down."""
    shown = "; ".join(text.prose(reason, REFUSAL).rstrip(".") for reason in refused[:most])
    return f"{shown}; and {len(refused) - most} more" if len(refused) > most else shown


def moved(card: cards.ProposalCard, most: int = 3) -> str:
    """Rendered: what moved in the cluster since the proposal, for a stale one."""
    ended = outcome(card)
    if ended is None or not ended.moved:
        return detail(card)
    shown = "; ".join(text.prose(fact, 300).rstrip(".") for fact in ended.moved[:most])
    left = len(ended.moved) - most
    return f"{shown}; and {left} more" if left > 0 else shown


def check(card: cards.ProposalCard, limit: int = 300) -> str:
    """Rendered: what the verification says, its reason once it is over, its progress before."""
    found = card.verification
    return "" if found is None else text.prose(found.reason or found.progress, limit)


def under_way(card: cards.ProposalCard) -> str:
    """Rendered: how far one in steps is: `Draining node-1: 4 of 12 pods moved, waiting for …`; empty for any other."""
    execution = card.execution
    if execution is None or execution.progress is None:
        return ""
    made = execution.progress
    waiting = f", waiting for {text.prose(made.waiting, 200)}" if made.waiting else ""
    stop = f"; {text.person(execution.stop_by)} asked it to stop" if execution.stop_by else ""
    name = text.prose(card.proposal.action.workload.short, 120)
    return f"Draining {name}: {made.done} of {text.count(made.total, 'pod')} moved{waiting}{stop}"


_NOT_WRITTEN = "*Failed*, nothing was written"


def ending(card: cards.ProposalCard, *, who: bool = True) -> str:
    """Rendered: how a proposal ended or where it stands, why, and (where wanted) by whom it was approved."""
    row = card.proposal
    by = approved_by(card) if who else ""
    match row.state:
        case "proposed":
            return _said(f"*Waits for approval* until {text.time_of_day(row.expires_at)}", tally(card))
        case "approved":
            return _said("*Approved*, starts now", by)
        case "executing":
            return _said("*Executing*", under_way(card), by)
        case "succeeded":
            return _said("*Done, being verified*", check(card) or "waits for the rollout", by)
        case "verified":
            return _said("*Verified*", check(card), by)
        case "not-verified":
            return _said("*Not verified*, it did not help", check(card), by)
        case "worse":
            return _said("*Worse*, it did harm", check(card), by)
        case "undone":
            return _said("*Undone*", by)
        case "rejected":
            return _rejected(card.decision)
        case "expired":
            return f"*Expired* {text.time_of_day(row.expires_at)}: {_unanswered(card)}, nothing was done"
        case "superseded":
            return "*Superseded*: things changed before it was answered, nothing was done"
        case "stale":
            return _said("*Stale*, nothing was done, since the cluster moved", moved(card), by)
        case "already-fixed":
            told = detail(card)
            words = "*Already fixed*" if "nothing was done" in told else "*Already fixed*, nothing was done"
            return _said(words, told, by)
        case "refused":
            return _said("*Refused*, nothing was done", detail(card, REFUSAL), by)
        case "failed":
            ended = outcome(card)
            words = "*Failed*, though it was run" if ended is not None and ended.written else _NOT_WRITTEN
            return _said(words, detail(card, REFUSAL), by)
        case "stopped":
            by_whom = (
                "" if card.execution is None or not card.execution.stop_by else text.person(card.execution.stop_by)
            )
            told = f"*Stopped* by {by_whom}" if by_whom else "*Stopped*"
            ended_so = detail(card, REFUSAL)
            ended_so = ended_so.removeprefix("A person stopped it. ") if by_whom else ended_so
            return _said(told, ended_so, check(card), by)
        case "unknown":
            return _said("*Outcome unknown*", detail(card) or "the write was sent and its answer never came", by)
        case _:
            assert_never(row.state)


def _unanswered(card: cards.ProposalCard) -> str:
    made = card.approvals
    if not made:
        return "nobody answered in time"
    return f"{len(made)} of {card.proposal.approvals} approved it in time ({_people(made)})"


def _rejected(decision: proposals.Decision | None) -> str:
    if decision is None:
        return "*Rejected*"
    told = f"*Rejected* by {text.person(decision.user)} {text.time_of_day(decision.at)}"
    return f"{told}: {text.prose(decision.reason, 300)}" if decision.reason else told


def _said(words: str, *facts: str) -> str:
    """`words: fact; fact`, without the empty facts."""
    told = "; ".join(fact.rstrip(".") for fact in facts if fact)
    return f"{words}: {told}" if told else words
