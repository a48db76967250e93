"""Cards for the tests of Slack's messages: one broken Deployment, in every state of an incident and a proposal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import (
    approvals,
    audit,
    autonomy,
    cards,
    choices,
    diagnoses,
    edits,
    incidents,
    memory,
    proposals,
    watches,
)
from k8s import model, policy

AT = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
ANA, BEN, CLEO = "U0ANA", "U0BEN", "U0CLEO"
API = model.ResourceRef("Deployment", "payments", "api", "0b7c-api")
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
POLICY = policy.Policy(
    approvers=(ANA, BEN),
    production=(policy.Places(clusters=("prod-*",)),),
    tiers=policy.Tiers(
        high=policy.Tier(
            approvers=(policy.Approvers(users=(BEN,), groups=("S0ONCALL",), channels=("C0ALERTS",)),),
            approvals=2,
            self_approval=False,
            reason_required=True,
        )
    ),
    rulesets=(
        policy.Ruleset(
            rules=(
                policy.Rule(
                    effect="deny", name="no databases", why="Ask <@U0CLEO> *first*", kinds=("StatefulSet",),
                    labels=("team=db", "!legacy"), source="policy.yaml:9",
                ),
                policy.Rule(effect="allow", name="rollouts", actions=("rollout-*",), namespaces=("pay*",)),
                policy.Rule(effect="deny", name="elsewhere", namespaces=("web",)),
            ),
            default="deny",
        ),
    ),
    freezes=(
        policy.Freeze(
            name="weekend", reason="Nobody is in", cron="0 16 * * fri", duration=timedelta(hours=62),
            zone="Europe/Berlin", tiers=("medium", "high"), source="policy.yaml:20",
        ),
        policy.Freeze(name="xmas", until=datetime(2026, 12, 27, tzinfo=UTC), clusters=("dev",)),
    ),
    gitops=policy.Gitops(argocd="advise", flux="refuse"),
)  # fmt: skip


MENU = choices.Menu(
    API,
    (
        choices.Option("rollout-pause", "Pause the rollout", "low"),
        choices.Option("scale", "Scale", "low"),
        choices.Option("delete-pod", "Delete a pod", "medium"),
        choices.Option("rollout-undo", "Roll back to a revision", "medium"),
        choices.Option("force-delete-pod", "Force-delete a stuck pod", "high"),
    ),
)


def minutes(number: float) -> datetime:
    return AT + timedelta(minutes=number)


def incident(**changes: Any) -> incidents.Incident:
    first = incidents.Incident(
        id=12,
        fingerprint="a1b2c3",
        episode=4,
        cluster="prod-eu",
        subject=API,
        kinds=("CrashLoopBackOff",),
        causes=("CrashLoopBackOff:exit 1",),
        severity="P1",
        state="open",
        headline="container app of 3 pods is in CrashLoopBackOff: exit code 1",
        watch_id=1,
        channel="C0ALERTS",
        since=AT,
        opened_at=minutes(0.5),
        last_seen_at=minutes(1),
        ready=0,
        desired=3,
    )
    return replace(first, **changes)


def resolved(**changes: Any) -> incidents.Incident:
    return incident(
        **{
            "state": "resolved",
            "resolved_at": minutes(9),
            "acknowledged_at": minutes(1.5),
            "acknowledged_by": ANA,
            "resolution": "The rollout to revision 3 is complete and 3 of 3 pods stayed ready for 60 s.",
            **changes,
        }
    )


DIAGNOSIS = diagnoses.Diagnosis(
    cause="exit 1: KeyError 'DB_URL' [E2]; the last rollout removed it 6 min before the first crash [E3]",
    cites=(2, 3),
    confidence="high",
    reason="the log names the variable and the rollout removed it",
    next_step="Put DB_URL back into the Deployment's env, then roll out again.",
)

EVIDENCE = (
    diagnoses.Evidence(
        1, "status", "3 of 3 pods wait in CrashLoopBackOff", "api-7d9f8-x2x4z  app  restarts 6  exit 1\n" * 3
    ),
    diagnoses.Evidence(
        2,
        "previous-log",
        "api-7d9f8-x2x4z, container app",
        "\n".join(
            [f"2026-11-21T03:11:{n:02d}Z INFO loading plugin {n} of 30" for n in range(30)]
            + [
                "Traceback (most recent call last):",
                '  File "/srv/app/settings.py", line 14, in <module>',
                '    url = os.environ["DB_URL"]',
                "KeyError: 'DB_URL'",
            ]
        ),
        cut=True,
    ),
    diagnoses.Evidence(3, "rollout", "revision 3 to 4, 6 min before the first crash", "env DB_URL removed"),
)


def proposal(state: proposals.State = "proposed", **changes: Any) -> proposals.Proposal:
    first = proposals.Proposal(
        id=31,
        incident_id=12,
        kind="remedy",
        undo_of=None,
        action=model.RolloutUndo(API, 3),
        planned_at=minutes(1),
        operations=(),
        pins={},
        digest=DIGEST,
        policy="p",
        kubectl="kubectl --context=prod-eu -n payments rollout undo deployment/api --to-revision=3",
        summary="Puts the pod template of revision 3 back, which served for 6 days, and replaces 3 pods.",
        why="revision 3 still has DB_URL [E3]",
        risk="low",
        blast=model.BlastRadius(pods=3, ready=0, desired=3, headroom=1),
        inverse=model.RolloutUndo(API, 4),
        irreversible="",
        diff=("spec.template.spec.containers[app].env:", "+ - name: DB_URL", "+   valueFrom: secretKeyRef api-db/url"),
        warnings=(),
        state=state,
        created_at=minutes(1),
        expires_at=minutes(16),
    )
    return replace(first, **changes)


def decision(verdict: Any = "approve", **changes: Any) -> proposals.Decision:
    return replace(proposals.Decision(31, ANA, verdict, "", minutes(2)), **changes)


def execution(outcome: model.Outcome | None, state: Any = "done") -> proposals.Execution:
    permit = model.Permit("31", DIGEST, "p", (ANA,), minutes(2), minutes(16))
    finished = minutes(2.3) if outcome is not None else None
    return proposals.Execution(5, 31, state, permit, "one", None, minutes(2.1), finished, outcome)


DONE = model.Outcome("succeeded", "patched Deployment payments/api")


def card_of(state: proposals.State) -> cards.ProposalCard:
    """A remedy as its rows are when it is in this state."""
    row = proposal(state)
    approved = decision()
    ended = {
        "stale": model.Outcome(
            "stale", "the target moved", moved=("image was web:1.5, is web:1.6", "generation was 7, is 8")
        ),
        "already-fixed": model.Outcome("already-fixed", "revision 3's template is in place already"),
        "refused": model.Outcome("refused", "cooldown: the same action ran 2 min ago"),
        "failed": model.Outcome("failed", 'admission webhook "policy.example" denied the request'),
        "stopped": model.Outcome("stopped", "A person stopped it. 4 of 12 pods are gone.", written=True),
        "unknown": model.Outcome(
            "unknown",
            "the process died while executing; looked at the cluster: the change is there, its rollout goes on",
        ),
    }
    match state:
        case "proposed" | "superseded" | "expired":
            return cards.ProposalCard(row)
        case "rejected":
            return cards.ProposalCard(row, decision("reject", reason="we are in the middle of a planned migration"))
        case "approved":
            return cards.ProposalCard(row, approved, execution(None, "queued"))
        case "executing":
            return cards.ProposalCard(row, approved, execution(None, "executing"))
        case "succeeded":
            checking = proposals.Verification(31, "pending", minutes(2.4), "2 of 3 rolled out, 1 ready")
            return cards.ProposalCard(row, approved, execution(DONE), checking)
        case "verified" | "undone":
            found = proposals.Verification(
                31, "verified", minutes(2.4), "3 of 3 rolled out", "3 of 3 pods stayed ready for 60 s", minutes(9)
            )
            return cards.ProposalCard(row, approved, execution(DONE), found)
        case "not-verified":
            found = proposals.Verification(
                31, "not-verified", minutes(2.4), "1 of 3 rolled out", "the new pods crash too: exit 1", minutes(6)
            )
            return cards.ProposalCard(row, approved, execution(DONE), found)
        case "worse":
            found = proposals.Verification(
                31,
                "worse",
                minutes(2.4),
                "1 of 3 rolled out",
                "1 of 3 pods is ready now, 2 were before. The new pods crash too: exit 1",
                minutes(6),
                before=proposals.Before(2, "P1"),
            )
            return cards.ProposalCard(row, approved, execution(DONE), found)
        case _:
            return cards.ProposalCard(row, approved, execution(ended[state]))


def high_risk(*approved: str, **changes: Any) -> cards.ProposalCard:
    """A remedy that takes two people with a reason each, approved by these so far."""
    warned = ("Of high risk: it is a StatefulSet; half of the replicas are not ready; it is production.",)
    row = proposal(**{"risk": "high", "approvals": 2, "reason_required": True, "warnings": warned, **changes})
    made = [decision(user=user, reason="it served for days", at=minutes(2 + n)) for n, user in enumerate(approved)]
    return cards.ProposalCard(row, made[-1] if made else None, earlier=tuple(made[:-1]))


FIELDS = (
    edits.Field("replicas", "Replicas", "number", "4", hint="It has 3 replicas now."),
    edits.Field("revision", "Revision", "choice", "3", (edits.Choice("3", "3 · had served · web:1.4"),)),
    edits.Field("memory_limit", "Memory limit", "text", "256Mi", hint="such as 256Mi or 1Gi", optional=True),
)


def undo(state: proposals.State = "proposed", **changes: Any) -> cards.ProposalCard:
    row = proposal(
        state,
        id=32,
        kind="undo",
        undo_of=31,
        action=model.RolloutUndo(API, 4),
        kubectl="kubectl --context=prod-eu -n payments rollout undo deployment/api --to-revision=4",
        summary="Puts the pod template of revision 4 back and replaces 3 pods.",
        why="takes back what was done",
        inverse=model.RolloutUndo(API, 3),
        created_at=minutes(9.1),
        expires_at=minutes(9 + 720),
        **changes,
    )
    if state in {"proposed", "expired", "superseded"}:
        return cards.ProposalCard(row)
    approved = decision(proposal_id=32, user=BEN, at=minutes(12))
    done = replace(execution(DONE), id=6, proposal_id=32, started_at=minutes(12.1), finished_at=minutes(12.3))
    return cards.ProposalCard(row, approved, done)


def card(remedy: cards.ProposalCard | None = None, **changes: Any) -> cards.IncidentCard:
    first = cards.IncidentCard(
        incident=incident(),
        mode="approve",
        approvers=(ANA, BEN),
        diagnosis=DIAGNOSIS,
        evidence=EVIDENCE,
        remedy=remedy,
    )
    return replace(first, **changes)


STUCK = model.BlastRadius(pods=0, ready=3, desired=3, headroom=1, removed=2)
TRIES = (
    memory.Try("rollout-undo", "verified", minutes(-9000), timedelta(minutes=40)),
    memory.Try("rollout-restart", "not-verified", minutes(-4000)),
    memory.Try("rollout-undo", "not-verified", minutes(-3000)),
)


def harmed(no_undo: str) -> cards.ProposalCard:
    """A remedy that made it worse and cannot be taken back."""
    made = card_of("worse")
    assert made.verification is not None
    return replace(made, verification=replace(made.verification, no_undo=no_undo))


def came_back() -> cards.ProposalCard:
    """A remedy that was verified, and whose problem was seen again four minutes later."""
    made = card_of("verified")
    assert made.verification is not None
    assert made.verification.finished_at is not None
    back = made.verification.finished_at + timedelta(minutes=4)
    return replace(made, verification=replace(made.verification, came_back_at=back))


FROZEN = (
    "rollout-undo was considered: the API server would refuse it: deployments.apps 'api' is forbidden: "
    "ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: changes are frozen until Monday 06:00; "
    "ask the release desk (Jo or Kim), and not the on-call, who can neither lift nor extend it"
)
"""As long as an API server's refusals are."""


def announced(state: autonomy.State = "counting", proposed: proposals.State = "proposed") -> cards.ProposalCard:
    """One more replica, which nobody need approve."""
    row = replace(
        card_of(proposed).proposal,
        action=model.Scale(API, 4),
        inverse=model.Scale(API, 3),
        risk="low",
        kubectl="kubectl --context=prod-eu -n payments scale deployment/api --replicas=4",
        summary="Scales payments/api from 3 to 4 replicas.",
        diff=("- spec.replicas: 3", "+ spec.replicas: 4"),
    )
    ended = state in ("started", "stopped", "dropped")
    one = autonomy.Announcement(
        proposal_id=row.id,
        incident_id=12,
        watch_id=1,
        cluster="prod-eu",
        state=state,
        rule="scale helped each of the last 3 times here",
        delay=timedelta(minutes=2),
        version=3,
        announced_at=minutes(1.2),
        at=None if state == "waiting" else minutes(3.2),
        ts="" if state == "waiting" else "1.0",
        moved_at=minutes(2.5) if ended else None,
        by=BEN if state == "stopped" else "",
        why="The breaker of this watch is open." if state == "dropped" else "",
    )
    return replace(card_of(proposed), proposal=row, decision=None, alone=one)


def broken_off(**changes: Any) -> cards.IncidentCard:
    """Its end opened the breaker of its watch."""
    breaker = autonomy.Breaker(1, bad=2, opened_at=minutes(9), why="WK-12 ended as not-verified", incident_id=12)
    return card(card_of("not-verified"), breaker=replace(breaker, **changes), watch_name="payments")


def every_incident() -> dict[str, cards.IncidentCard]:
    """Name of the golden file → the incident in that state."""
    acknowledged = incident(state="acknowledged", acknowledged_at=minutes(1.5), acknowledged_by=ANA)
    restart = proposal(
        action=model.RolloutRestart(API),
        kubectl="kubectl --context=prod-eu -n payments rollout restart deployment/api",
        summary="Restarts 3 pods of Deployment payments/api: one at a time.",
        inverse=None,
        irreversible="The pods that it replaces are gone; nothing else changes that could be put back.",
        risk="medium",
        warnings=("Argo CD owns this Deployment and will revert the change: change the repository too.",),
        diff=tuple(f"spec.template.field{n}: {n} → {n + 1}" for n in range(14)),
    )
    live: tuple[proposals.State, ...] = (
        *("proposed", "approved", "executing", "succeeded", "rejected", "expired", "superseded", "stale"),
        *("already-fixed", "refused", "failed", "unknown"),
    )
    found = {f"open-{state}": card(card_of(state)) for state in live}
    second = decision(user=BEN, at=minutes(2.05))
    two = cards.ProposalCard(proposal("executing", approvals=2), second, earlier=(decision(),))
    return found | {
        "open-two-needed": card(high_risk()),
        "open-one-of-two": card(high_risk(ANA)),
        "open-one-of-two-expired": card(high_risk(ANA, state="expired")),
        "open-executing-by-two": card(replace(two, execution=execution(None, "executing"))),
        "open-undo-by-two": card(
            card_of("not-verified"), undo=replace(undo(approvals=2), decision=decision(proposal_id=32, at=minutes(10)))
        ),
        "open-edited": card(cards.ProposalCard(proposal(proposer=CLEO)), self_approval=False),
        "investigating": card(None, diagnosis=None, evidence=()),
        "acknowledged-proposed": card(card_of("proposed"), incident=acknowledged),
        "acknowledged-executing": card(card_of("executing"), incident=acknowledged),
        "snoozed-expired": card(card_of("expired"), incident=incident(state="snoozed")),
        "open-irreversible": card(
            cards.ProposalCard(restart), recurrences=4, previous_name="WK-9", previous_link=PERMALINK
        ),
        "open-no-action": card(
            None,
            diagnosis=replace(
                DIAGNOSIS, confidence="medium", missing=("the log of api-7d9f8-x2x4z could not be read",)
            ),
            refused=("revision 3 was never proven: it lived 2 min", "an HPA owns the replicas"),
        ),
        "open-refused-again": card(
            card_of("refused"),
            refused=(FROZEN,),
        ),
        "open-looking-again": card(card_of("stale"), incident=incident(diagnosis_wanted=True)),
        "open-not-verified": card(card_of("not-verified"), undo=undo()),
        "open-worse": card(card_of("worse"), undo=undo(), tries=TRIES),
        "open-worse-no-undo": card(harmed("Namespace payments is protected by the policy.")),
        "open-remembered": card(card_of("proposed"), tries=TRIES),
        "open-came-back": card(came_back(), undo=undo()),
        "open-removes-stuck-pods": card(cards.ProposalCard(proposal(blast=STUCK))),
        "open-after-rejection": card(card_of("proposed"), history=(card_of("rejected"),)),
        "observe": card(None, mode="observe", refused=("this watch only observes",)),
        "resolved-verified": card(card_of("verified"), incident=resolved(), undo=undo(), recurrences=2),
        "resolved-undo-running": card(card_of("verified"), incident=resolved(), undo=undo("executing")),
        "resolved-undone": card(card_of("undone"), incident=resolved(), undo=undo("verified")),
        "resolved-undo-expired": card(card_of("verified"), incident=resolved(), undo=undo("expired")),
        "resolved-by-itself": card(
            card_of("superseded"),
            incident=resolved(
                acknowledged_at=None,
                acknowledged_by="",
                resolution="The problem is gone; nothing was changed from here.",
            ),
        ),
        "alone-waiting": card(announced("waiting")),
        "alone-counting": card(announced()),
        "alone-stopped": card(announced("stopped")),
        "alone-dropped": card(announced("dropped")),
        "alone-done": card(announced("started", "not-verified"), undo=undo()),
        "node": card(
            None,
            incident=incident(
                subject=model.ResourceRef("Node", "", "worker-3", "n3"),
                kinds=("NodeNotReady",),
                headline="the kubelet stopped posting status",
                ready=None,
                desired=None,
                flapping=True,
            ),
            diagnosis=None,
        ),
    }


PERMALINK = "https://example.slack.com/archives/C0ALERTS/p1700000000000100"


KINDS = watches.Kinds(("LogErrors",), ("JobFailed",), {"NotReady": timedelta(minutes=10)}, {"OOMKilled": "P1"})


def watch(**changes: Any) -> watches.Watch:
    first = watches.Watch(
        id=1,
        name="payments",
        cluster="prod-eu",
        scope=model.Scope(("payments", "shop-*"), ("shop-dev",)),
        cron="*/5 * * * *",
        timezone="Europe/Berlin",
        channel="C0ALERTS",
        mode="approve",
        state="active",
        created_by=ANA,
        created_at=AT,
    )
    return replace(first, **changes)


def sweep(**changes: Any) -> watches.Sweep:
    first = watches.Sweep(
        id=7,
        watch_id=1,
        slot=AT,
        trigger="schedule",
        status="issues",
        started_at=AT,
        finished_at=minutes(0.1),
        pods=312,
        nodes=9,
        findings=4,
        muted=1,
        seconds=0.42,
        summary="312 pods on 9 nodes: 4 findings in 2 incidents",
    )
    return replace(first, **changes)


def status(**changes: Any) -> cards.Status:
    first = cards.Status(
        watches=(
            cards.WatchStatus(watch(), sweep(), 1, minutes(5)),
            cards.WatchStatus(
                watch(id=2, name="nodes", cluster="staging", scope=model.Scope(), mode="observe", kinds=KINDS),
                sweep(status="failed", summary="", error="staging: the API server did not answer within 60 s"),
                0,
                None,
            ),
            cards.WatchStatus(watch(id=3, name="paused-one", state="paused")),
        ),
        open=(
            incident(),
            incident(
                id=15, severity="P2", state="acknowledged", acknowledged_by=BEN, acknowledged_at=minutes(3), ready=2
            ),
        ),
        waiting=(card_of("proposed"), undo()),
        resolved_24h=3,
        health={"cluster staging": "the API server did not answer within 60 s"},
    )
    return replace(first, **changes)


def report(**changes: Any) -> cards.Report:
    first = cards.Report(
        id=3,
        channel="C0ALERTS",
        since=AT - timedelta(days=1),
        until=AT,
        opened=5,
        resolved=4,
        still_open=(incident(),),
        opened_before=3,
        mtta_seconds=95,
        mttr_seconds=1260,
        noisiest=(("payments/api", 3), ("shop/web", 1)),
        actions={"approved": 3, "verified": 2, "not-verified": 1, "rejected": 1},
        sweeps=288,
        failed_sweeps=2,
        muted=4,
    )
    return replace(first, **changes)


def audit_page(broken: bool = False) -> cards.AuditPage:
    approved = {
        "digest": DIGEST,
        "policy": DIGEST[::-1],
        "kubectl": "kubectl -n payments rollout restart deployment/api",
    }
    events = (
        audit.Event("incident:opened", "prod-eu", "watchkeeper", AT, 12, None, {"kind": "CrashLoopBackOff"}),
        audit.Event("proposal:approved", "prod-eu", ANA, minutes(2), 12, 31, approved),
        audit.Event("execution:succeeded", "prod-eu", "watchkeeper", minutes(2.3), 12, 31, {}),
    )
    entries = []
    previous = audit.GENESIS
    for seq, event in enumerate(events, 1):
        link = audit.link(previous, seq, event)
        entries.append(audit.Entry(seq, event, previous, link))
        previous = link
    return cards.AuditPage(tuple(entries), entries[1] if broken else None)


LATE = approvals.late(proposal("approved"), (decision(),))
