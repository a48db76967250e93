"""Every message and view in every state, as it is sent: read these files to see what people see."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import choices, edits
from bot.slack import ids
from bot.slack.blocks import answers, asking, home, incident, messages, modals, report, thread
from k8s import policy, policy_words
from tests.bot.slack import acting, building, checking

CARDS = building.every_incident() | acting.every()

NOTHING = building.status(watches=(), open=(), waiting=(), health={}, resolved_24h=0)
QUIET = building.report(
    opened=0,
    resolved=0,
    still_open=(),
    opened_before=0,
    mtta_seconds=None,
    mttr_seconds=None,
    noisiest=(),
    actions={},
    failed_sweeps=0,
    muted=0,
    asked_by=building.ANA,
)

Golden = Callable[[str, Any], None]


@pytest.mark.parametrize("name", CARDS)
def test_an_incident_message_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = incident.parent(CARDS[name])
    checking.check_message(message)
    golden(f"parent/{name}", message.arguments())


@pytest.mark.parametrize("name", CARDS)
def test_a_progress_reply_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = thread.progress(CARDS[name])
    checking.check_message(message)
    golden(f"progress/{name}", message.arguments())


def _messages() -> dict[str, messages.Message]:
    page = building.status()
    late = answers.pressed(building.LATE)
    assert late is not None
    return {
        "evidence": thread.evidence(CARDS["open-proposed"]),
        "evidence-being-collected": thread.evidence(CARDS["investigating"]),
        "evidence-with-gaps": thread.evidence(CARDS["open-no-action"]),
        "recovery-fixed": thread.recovery(CARDS["resolved-verified"]),
        "recovery-by-itself": thread.recovery(CARDS["resolved-by-itself"]),
        "worse": thread.worse(CARDS["open-worse"]),
        "worse-no-undo": thread.worse(CARDS["open-worse-no-undo"]),
        "worse-taken-back": thread.worse(CARDS["resolved-undone"]),
        "breaker-open": thread.breaker(building.broken_off()),
        "breaker-closed": thread.breaker(
            building.broken_off(opened_at=None, closed_at=building.minutes(30), closed_by=building.ANA)
        ),
        "recovery-broken-again": thread.recovery(CARDS["open-proposed"]),
        "report": report.message(building.report()),
        "report-empty": report.message(QUIET),
        "help": answers.help_page(
            (("/watch status [cluster]", "what is watched, open, waiting"), ("/watch help", "this"))
        ),
        "status": answers.status(page),
        "status-nothing-watched": answers.status(NOTHING, "prod-eu"),
        "incidents": answers.incident_list([*page.open, building.resolved(id=11)], "Incidents of the last 24 h"),
        "incidents-none": answers.incident_list([]),
        "show": answers.show(CARDS["acknowledged-proposed"]),
        "watches": answers.watch_list(page.watches),
        "swept": answers.swept(building.watch(), building.sweep(degraded={"events": "forbidden"}), page.open),
        "swept-failed": answers.swept(building.watch(), building.sweep(status="failed", error="no route to host")),
        "policy": answers.policy_page(building.POLICY, policy_words.Place("prod-eu", "payments"), building.AT),
        "policy-shipped": answers.policy_page(policy.Policy(), policy_words.Place(), building.AT),
        "audit": answers.audit_page(building.audit_page()),
        "audit-broken": answers.audit_page(building.audit_page(broken=True), "Audit trail of WK-12"),
        "press-late": late,
        "not-understood": answers.not_understood("statsu", "status", "/watch status [cluster]"),
        "not-found": answers.not_found("watch", "paymnets", ["payments"]),
        "said": answers.said("WK-12 is already acknowledged by <@U0ANA>."),
    }


@pytest.mark.parametrize("name", _messages())
def test_a_reply_or_answer_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = _messages()[name]
    checking.check_message(message)
    golden(f"other/{name}", message.arguments())


def _filled() -> choices.Menu:
    pods = (edits.Choice("a" * 24, "api-7d9f8-x2x4z · CrashLoopBackOff"), edits.Choice("b" * 24, "api-7d9f8-q · ready"))
    asked = (edits.Field(choices.CHOICE, "Pod", "choice", "", pods),)
    return replace(building.MENU, chosen="delete-pod", fields=asked, never="A pod that nothing would put back.")


def _views() -> dict[str, messages.View]:
    context = ids.Pressed(31, building.DIGEST[:16], "C0ALERTS", "1700000000.000100")
    return {
        "modal-loading": modals.loading(),
        "modal-reject": modals.reject_reason(building.proposal(), context),
        "modal-approve": modals.approve_reason(building.high_risk().proposal, context),
        "modal-approve-irreversible": modals.approve_reason(
            building.proposal(risk="high", inverse=None, irreversible="What a command did cannot be taken back."),
            context,
        ),
        "modal-edit": modals.edit(building.proposal(), building.FIELDS, context),
        "modal-other": asking.form(building.MENU, 12),
        "modal-other-nothing": asking.form(replace(building.MENU, options=()), 12),
        "modal-other-not-now": asking.form(
            replace(building.MENU, chosen="scale", why_not="A HorizontalPodAutoscaler sets the replicas."), 12
        ),
        "modal-other-filled": asking.form(_filled(), 12),
        "modal-notice": modals.notice("Reject", building.LATE.text),
        "home": home.page(building.status(), building.BEN),
        "home-empty": home.page(
            building.status(watches=(), open=(), waiting=(), health={}, resolved_24h=0), building.ANA
        ),
    }


@pytest.mark.parametrize("name", _views())
def test_a_view_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    view = _views()[name]
    checking.check_view(view)
    golden(f"view/{name}", view)


def test_what_a_command_printed_is_data() -> None:
    shown = str(thread.progress(CARDS["command-failed"]).blocks)
    assert "*Failed*, though it was run" in shown
    assert "nginx: [alert] &lt;!channel&gt; ˋˋˋkillˋˋˋ *failed*" in shown
    assert "<!channel>" not in shown


def test_a_stop_is_said_once_with_who_asked_for_it() -> None:
    shown = str(thread.progress(CARDS["drain-stopped"]).blocks)
    assert f"*Stopped* by <@{building.ANA}>: The node is cordoned" in shown


def test_what_helped_and_cannot_be_taken_back_says_why_there_is_no_undo() -> None:
    shown = CARDS["resolved-irreversible"]
    for message in (incident.parent(shown), thread.progress(shown)):
        assert f"*No Undo* is on offer: {acting.LOST}" in str(message.arguments())
    helped = str(incident.parent(CARDS["resolved-verified"]).arguments())
    assert "No Undo" not in helped
