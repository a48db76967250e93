"""Every state of an answer, of `/watch why` and of runbooks, as it was agreed: read as on a phone at night.

Written anew by `pytest tests/bot/slack --update-golden`; read what changed before it is committed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import cards, consultations, diagnoses, inquiries
from bot.slack.blocks import answering, asking, messages, money, shelving
from tests.bot.slack import building, checking
from tests.bot.slack import test_opinions as opinions
from tests.bot.store import examples

Golden = Callable[[str, Any], None]
PIECES = (
    diagnoses.Evidence(1, "status", "State of Deployment/payments/api", "0 of 3 ready\napi: CrashLoopBackOff, exit 1"),
    diagnoses.Evidence(2, "previous-log", "Log of api before its last restart", "Traceback …\nKeyError: 'DB_URL'"),
    diagnoses.Evidence(3, "rollout", "Rollout of revision 4", "- env DB_URL removed"),
)


def _answer(text: str, by: Any = "rules", **changes: Any) -> consultations.Answer:
    values: dict[str, Any] = {"cites": (2, 3), "evidence": PIECES[1:], "state": "open"}
    return consultations.Answer(text, by, **{**values, **changes})


def _asked(found: consultations.Answer | None, text: str) -> messages.Message:
    state: consultations.QuestionState = "failed" if found is None else "answered"
    at = building.minutes(12)
    row = consultations.Question(5, 12, "C1", "1.0", "5.1", building.ANA, text, state, at, at, found)
    return answering.answer(cards.AnswerCard(row, building.card().incident))


RULES = _answer(
    "A restart does not help: the new pod asks for DB_URL again [E2].\n*Restart* was turned down before by "
    f"@{building.BEN}.\nWhat helps is to take back revision 4 [E3]."
)
BY_MODEL = _answer(
    "No. The process ends because DB_URL is not set [E2], and revision 4 removed it [E3].",
    "model",
    model="claude-sonnet-5-5",
    prompt="3f9a1c",
    dropped=("1 sentence without evidence was removed",),
)
DIAGNOSIS = diagnoses.Diagnosis(
    cause="Container api ends with KeyError: 'DB_URL' [E2]; revision 4 took that variable away [E3].",
    cites=(2, 3),
    confidence="high",
    reason="the log names what the rollout took away",
    next_step="Undo the rollout, then put DB_URL back in the manifest that it came from.",
    kind="missing-variable",
)
FOUND = inquiries.Found(examples.problem(), DIAGNOSIS, PIECES)
LOOKED = "12 pods and all workloads of namespace payments, for 28 failure kinds"
FACTS = ("3 of 3 ready", "no restarts in 24 h", "last rollout 2 d ago, revision 7 (registry.example/api:1.4.2)")


def _inquiry(**changes: Any) -> inquiries.Inquiry:
    return inquiries.Inquiry("prod-eu", building.API, **{"looked": LOOKED, **changes})


BOOKS = (
    consultations.Runbook("db-away", "The database is away", "1. Look at db-0.", "folder", ("CrashLoopBackOff",)),
    consultations.Runbook(
        "ledger", "When the ledger lags", "Call the ledger team.\nThen wait.", "slack", labels={"app": "ledger"},
        added_by=building.ANA, added_at=building.minutes(1),
    ),
    consultations.Runbook("quota", "A quota is used up", "Ask for more.", "configmap", cluster="prod-eu"),
)  # fmt: skip
CALL = consultations.Call(
    7, "diagnosis", "prod-eu", "claude-sonnet-5-5", "3f9a1c", building.minutes(2), '{"model": "claude-sonnet-5-5"}',
    incident_id=12, finished_at=building.minutes(3), stop="end_turn", usage=consultations.Usage(4000, 300), cost=9_000,
)  # fmt: skip
OVER_BUDGET = "The model was not asked: the budget of $5.00 for this watch today is used up"

ANSWERS: dict[str, messages.Message] = {
    "answer-rules": _asked(RULES, "why not just restart?"),
    "answer-model": _asked(BY_MODEL, "why not just restart?"),
    "answer-model-away": _asked(replace(RULES, why="The model has no view: it is overloaded"), "why not restart?"),
    "answer-lines": _asked(_answer("*E2* Log of api\n> Traceback …\n> KeyError: 'DB_URL'", cites=(2,)), "show E2"),
    "answer-resolved": _asked(_answer("It is over.", cites=(), evidence=(), state="resolved"), "is it fixed?"),
    "answer-none": _asked(None, "why?"),
    "why-incident": answering.why(_inquiry(card=building.card(building.card_of("proposed")))),
    "why-found": answering.why(_inquiry(found=(FOUND,))),
    "why-found-asked": answering.why(_inquiry(found=(FOUND,)), asked=True),
    "why-found-gaps": answering.why(_inquiry(found=(FOUND, FOUND), unread=("events: forbidden", "nodes: forbidden"))),
    "why-well": answering.why(_inquiry(facts=FACTS)),
    "why-well-gaps": answering.why(_inquiry(facts=FACTS, unread=("events: forbidden",))),
    "why-view": answering.view(inquiries.View(examples.problem(), opinions.AGREES)),
    "why-view-differs": answering.view(inquiries.View(examples.problem(), opinions.DIFFERS)),
    "why-view-reused": answering.view(inquiries.View(examples.problem(), opinions.AGREES, reused=True)),
    "why-view-none": answering.view(inquiries.View(examples.problem(), None, OVER_BUDGET)),
    "why-view-hostile": answering.view(inquiries.View(examples.problem(), opinions.EVIL_OPINION)),
    "runbooks": answering.runbook_list(BOOKS),
    "runbooks-none": answering.runbook_list(()),
    "runbook": answering.runbook(BOOKS[1:2]),
    "sent-cancelled": money.sent("WK-12", [replace(CALL, error="Cancelled", stop="")], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = ANSWERS[name]
    checking.check_message(message)
    golden(f"other/{name}", message.arguments())


VIEWS: dict[str, messages.View] = {
    "modal-runbook": shelving.form(""),
    "modal-runbook-named": shelving.form("ledger"),
    "modal-other-many": asking.form(replace(building.MENU, chosen="scale"), 12),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_window_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    checking.check_view(VIEWS[name])
    golden(f"view/{name}", VIEWS[name])
