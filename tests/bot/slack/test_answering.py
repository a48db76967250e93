"""The reply with an answer, `/watch why` and the list of runbooks, as Slack shows them."""

from dataclasses import replace
from typing import Any

import hypothesis
from hypothesis import strategies

from bot.domain import cards, consultations, diagnoses, inquiries
from bot.slack.blocks import answering, messages
from tests.bot.slack import checking
from tests.bot.store import examples
from tests.stories import world

EVIDENCE = (diagnoses.Evidence(2, "log", "Log of container <web>", "KeyError: 'DB_URL'"),)
HOSTILE = "<!channel> <@U0EVIL> <https://evil.example|here> *x* `y` ``` & @U0BEN _z_ \u202e"


def _question(answer: consultations.Answer | None, text: str = "why not restart?") -> consultations.Question:
    state: consultations.QuestionState = "failed" if answer is None else "answered"
    return consultations.Question(5, 12, "C1", "1.0", "5.1", "U0ANA", text, state, examples.NOW, examples.NOW, answer)


def _shown(answer: consultations.Answer | None, text: str = "why not restart?") -> messages.Message:
    return answering.answer(cards.AnswerCard(_question(answer, text), examples.incident(id=12)))


def _text(message: messages.Message) -> str:
    return world.text_of(message.arguments())


def _rules(text: str, **changes: Any) -> consultations.Answer:
    values: dict[str, Any] = {"by": "rules", "cites": (2,), "evidence": EVIDENCE, "state": "open"}
    return consultations.Answer(text, **{**values, **changes})


def test_an_answer_says_who_asked_what_it_rests_on_and_by_whom_it_is() -> None:
    told = _text(_shown(_rules("No [E2].\n> KeyError: 'DB_URL'\n> at line 3\nAsk @U0BEN. `kubectl get` it.")))
    assert "<@U0ANA> · _why not restart?_" in told
    assert "No [E2]." in told
    assert "```\nKeyError: 'DB_URL'\nat line 3\n```" in told
    assert "Ask <@U0BEN>. `kubectl get` it." in told
    assert "Rests on: E2 Log of container &lt;web&gt;" in told
    assert "Answered by the rules · the incident was open then" in told


def test_why_the_rules_answered_and_what_was_dropped_is_said() -> None:
    told = _text(
        _shown(_rules("No.", why="The model is overloaded", dropped=("1 claim without evidence was removed",)))
    )
    assert "Answered by the rules (The model is overloaded)" in told
    assert "1 claim without evidence was removed" in told


def test_what_a_model_wrote_mentions_nobody() -> None:
    told = _text(_shown(_rules("Ask @U0BEN, <@U0EVIL> or <!here>.", by="model", model="small")))
    assert "<@U0BEN>" not in told
    assert "<@U0EVIL>" not in told
    assert "<!here>" not in told
    assert "Answered by the model small" in told


def test_hostile_text_stays_text() -> None:
    hostile = _rules(f"{HOSTILE}\n> {HOSTILE}", evidence=(replace(EVIDENCE[0], title=HOSTILE),), why=HOSTILE)
    for by in ("rules", "model"):
        message = _shown(replace(hostile, by=by), HOSTILE)
        told = _text(message)
        assert "<!channel>" not in told
        assert "<@U0EVIL>" not in told
        assert "<https://evil.example" not in told
        checking.check_message(message)


def test_a_question_that_could_not_be_answered_is_said() -> None:
    assert "could not be answered" in _text(_shown(None))


@hypothesis.given(strategies.text(max_size=3_000), strategies.sampled_from(["rules", "model"]))
@hypothesis.settings(deadline=None, max_examples=100)
def test_any_answer_keeps_slacks_limits(text: str, by: Any) -> None:
    checking.check_message(_shown(_rules(text or "-", by=by), text))


# --- /watch why -------------------------------------------------------------------------------------------------------


def test_why_of_what_is_well_tells_the_facts_and_what_was_not_seen() -> None:
    inquiry = inquiries.Inquiry(
        "prod-eu",
        examples.WORKLOAD,
        facts=("3 of 3 ready", "no restarts in 24 h", "last rollout 2 d ago, revision 7 (web:<1.4>)"),
        looked="12 pods",
        unread=("events: forbidden",),
    )
    told = _text(answering.why(inquiry))
    assert "*Nothing is wrong with deployment payments/api now*: 3 of 3 ready; no restarts in 24 h" in told
    assert "web:&lt;1.4&gt;" in told
    assert "Looked at: 12 pods" in told
    assert "Not seen: events: forbidden" in told


def test_why_of_what_fails_tells_cause_and_evidence() -> None:
    found = inquiries.Found(examples.problem(), examples.diagnosis(), examples.EVIDENCE)
    message = answering.why(inquiries.Inquiry("prod-eu", examples.WORKLOAD, found=(found,), looked="12 pods"))
    told = _text(message)
    assert "no incident is open for it" in told
    assert "exit 1: KeyError 'DB_URL' [E1]" in told
    assert "*E1* last words" in told
    assert "Put DB_URL back." in told
    checking.check_message(message)


def test_why_of_an_incident_is_its_card() -> None:
    card = cards.IncidentCard(examples.incident(id=12), "approve", ("U1",), examples.diagnosis(), examples.EVIDENCE)
    assert "payments/api" in _text(answering.why(inquiries.Inquiry("prod-eu", examples.WORKLOAD, card)))


# --- /watch runbook ---------------------------------------------------------------------------------------------------


def test_many_runbooks_and_hostile_ones_keep_slacks_limits() -> None:
    book = consultations.Runbook("a", HOSTILE, f"{HOSTILE}\n" * 500, "folder", ("NotReady",), {"app": "api"})
    books = [replace(book, name=f"book-{number}") for number in range(60)]
    for message in (answering.runbook_list(books), answering.runbook(books)):
        checking.check_message(message)
        assert "<!channel>" not in _text(message)
    assert "40 more" in _text(answering.runbook_list(books))
