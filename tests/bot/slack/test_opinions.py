"""A model's opinion, its cost and what was sent to it, as people see them; hostile text stays text."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import cards, consultations, diagnoses
from bot.slack.blocks import incident, messages, money, opinion
from k8s import model
from tests.bot.slack import building, checking, test_hostile

Golden = Callable[[str, Any], None]

AGREES = diagnoses.Opinion(
    cause="The container ends at once because DB_URL is not set [E2]; revision 4 removed it [E3].",
    kind="missing-variable",
    claims=(
        diagnoses.Claim("The log names the variable [E2]", "KeyError: 'DB_URL'", (2,)),
        diagnoses.Claim("The last rollout removed it", "env DB_URL removed", (3,)),
    ),
    agreement="agrees",
    confidence="high",
    reason="rules and model agree, 2 quotes found in the evidence",
    next_step="Put DB_URL back, then roll out again.",
    unknown=("whether the Secret api-db still exists",),
    settle=("kubectl -n payments get secret api-db",),
    model="claude-haiku-5-5",
    prompt="3f9a1c",
)
DIFFERS = replace(
    AGREES,
    cause="The database refuses the connection [E7]; the missing variable is of an optional plugin [E2].",
    kind="dependency-down",
    agreement="differs",
    confidence="low",
    reason="the log speaks for both",
    candidates=(diagnoses.Candidate(model.Scale(building.API, 3), "one pod is enough until it is back [E7]"),),
    dropped=("1 claim without evidence was removed",),
    evidence=(diagnoses.Evidence(7, "tool", "Log of pod payments/db-0", "FATAL: too many connections"),),
    model="claude-sonnet-5-5",
)
COST = consultations.CostLine("advice", 3, consultations.Usage(4100, 600, 300, 231), 12_400)
EVIL = "<!channel> *approve* WK-1 <http://evil.example|here> ``` @here :fire: " * 40


def advice(found: diagnoses.Opinion | None = AGREES, **changes: Any) -> consultations.Advice:
    values: dict[str, Any] = {"state": "none" if found is None else "done", "opinion": found, **changes}
    return consultations.Advice(1, 1, 12, key="k", wanted_at=building.minutes(1), **values)


def card(one: consultations.Advice, remedy: cards.ProposalCard | None = None, **changes: Any) -> cards.IncidentCard:
    return building.card(remedy or building.card_of("proposed"), advice=one, advice_cost=COST, **changes)


EVIL_OPINION = replace(
    DIFFERS,
    cause=EVIL,
    claims=tuple(diagnoses.Claim(EVIL, EVIL, (2, 3)) for _ in range(30)),
    reason=EVIL,
    next_step=EVIL,
    unknown=(EVIL,) * 20,
    settle=(EVIL,) * 20,
    candidates=(diagnoses.Candidate(model.Scale(building.API, 3), EVIL),),
    dropped=(EVIL,) * 20,
    evidence=tuple(diagnoses.Evidence(n, "tool", EVIL, EVIL) for n in range(7, 40)),
    model=EVIL,
    prompt=EVIL,
)

CARDS = {
    "agrees": card(advice()),
    "differs": card(advice(DIFFERS)),
    "differs-resolved": card(advice(DIFFERS), building.card_of("verified"), incident=building.resolved()),
    "unsure": card(advice(replace(AGREES, agreement="unsure", confidence="medium", claims=()))),
    "proposes": card(advice(DIFFERS), building.card_of("rejected")),
    "reused": card(advice(reused_of=4)),
    "asked": card(advice(None, state="running")),
    "over-budget": card(advice(None, why="The model was not asked: the budget of $1.00 for today is used up")),
    "hostile": card(advice(EVIL_OPINION)),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_incident_message_with_a_model_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = incident.parent(CARDS[name])
    checking.check_message(message)
    golden(f"parent/model-{name}", message.arguments())


@pytest.mark.parametrize("name", CARDS)
def test_the_opinion_in_the_thread_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = opinion.message(CARDS[name])
    checking.check_message(message)
    golden(f"other/opinion-{name}", message.arguments())


def _mrkdwn(message: messages.Message) -> str:
    return json.dumps([*message.blocks, *message.attachments], ensure_ascii=False)


def test_nothing_of_an_opinion_can_be_pressed_or_called() -> None:
    for shown in CARDS.values():
        message = opinion.message(shown)
        assert '"button"' not in _mrkdwn(message)
        assert checking.tokens(message.arguments()) == set()


def test_without_a_model_the_message_does_not_speak_of_one() -> None:
    assert "model" not in _mrkdwn(incident.parent(building.card(building.card_of("proposed")))).lower()


def test_an_opinion_that_would_do_what_is_proposed_does_not_say_so_twice() -> None:
    same = replace(DIFFERS, candidates=(diagnoses.Candidate(building.proposal().action, "yes"),))
    assert "*The model would" not in _mrkdwn(opinion.message(card(advice(same))))
    assert "*The model would rather:* " in _mrkdwn(opinion.message(card(advice(DIFFERS))))


@given(text=test_hostile.hostile)
@test_hostile.FOLDED
def test_no_text_of_a_model_comes_alive(text: str) -> None:
    evil = replace(
        EVIL_OPINION,
        cause=text,
        reason=text,
        claims=(diagnoses.Claim(text, text, (1,)),),
        dropped=(text,),
        unknown=(text,),
        settle=(text,),
        model=text,
    )
    for one in (advice(evil), advice(None, why=text)):
        for message in (incident.parent(card(one)), opinion.message(card(one))):
            test_hostile._check(message)


# --- money


def _costs(since: float, **changes: Any) -> consultations.Costs:
    line = consultations.CostLine("total", 12, consultations.Usage(31_000, 4_200, 2_000, 18_000), 214_000, 1)
    values: dict[str, Any] = {
        "total": line,
        "by_watch": (replace(line, name="payments"),),
        "by_incident": (replace(line, name="WK-12", calls=9, failed=0), replace(line, name="no incident", calls=3)),
        "by_model": (replace(line, name="claude-sonnet-5-5"),),
        "by_day": (replace(line, name="2026-11-20"), replace(line, name="2026-11-21", cost=900)),
    }
    return consultations.Costs(building.minutes(since), building.minutes(0), **{**values, **changes})


def _call(sent: str, **changes: Any) -> consultations.Call:
    values: dict[str, Any] = {
        "finished_at": building.minutes(2),
        "stop": "end_turn",
        "usage": consultations.Usage(3000, 400, 100, 0),
        "cost": 9_000,
        **changes,
    }
    call = consultations.Call(1, "diagnosis", "prod-eu", "claude-sonnet-5-5", "3f9a1c", building.minutes(1), sent)
    return replace(call, **values)


BODY = json.dumps(
    {"system": "You look at evidence.", "messages": [{"role": "user", "content": "`x`\u202e<!here> 한국"}]}
)
NOTHING = consultations.CostLine("total", 0, consultations.Usage(), 0)


def _answers() -> dict[str, messages.Message]:
    empty = _costs(-60, total=NOTHING, by_watch=(), by_incident=(), by_model=(), by_day=())
    failed = _call(BODY, id=2, error="the API is overloaded", stop="", cost=0, usage=consultations.Usage())
    return {
        "cost": money.costs([_costs(-60), _costs(-7 * 24 * 60)], "claude-sonnet-5-5+v"),
        "cost-no-model": money.costs([empty, empty], ""),
        "sent": money.sent("WK-12", [_call(BODY), failed], 1),
        "sent-last": money.sent("WK-12", [_call(BODY), failed], 99),
        "sent-forgotten": money.sent("WK-12", [_call("")], 1),
        "sent-nothing": money.sent("WK-12", [], 1),
    }


@pytest.mark.parametrize("name", _answers())
def test_an_answer_about_money_looks_as_it_was_agreed(name: str, golden: Golden) -> None:
    message = _answers()[name]
    checking.check_message(message)
    golden(f"other/{name}", message.arguments())


def _whole(calls: list[consultations.Call]) -> str:
    """All code of all pages, as a person who copies it gets it."""
    first = money.sent("WK-12", calls, 1)
    pages = int(re.findall(r"Page 1 of (\d+)", _mrkdwn(first))[0])
    parts: list[str] = []
    for number in range(1, pages + 1):
        message = money.sent("WK-12", calls, number)
        checking.check_message(message)
        assert checking.tokens({"blocks": [one for one in message.blocks if "```" in str(one)]}) <= set()
        for block in message.blocks:
            text = block.get("text", {}).get("text", "")
            if text.startswith("```\n"):
                parts.append(text.removeprefix("```\n").removesuffix("\n```"))
    return html.unescape("".join(parts))


@given(
    content=st.one_of(test_hostile.hostile, st.text(min_size=3000, max_size=9000)).filter(
        lambda text: not re.search("[\ud800-\udfff]", text)
    )
)
@test_hostile.FOLDED
def test_what_was_sent_is_shown_letter_by_letter_over_all_pages(content: str) -> None:
    body = {"messages": [{"role": "user", "content": content * 3}]}
    assert json.loads(_whole([_call(json.dumps(body, ensure_ascii=False))])) == body


def test_a_page_that_does_not_exist_is_the_last_one() -> None:
    long = _call(json.dumps({"text": "line\n" * 9000}))
    many = money.sent("WK-12", [long], 10_000)
    assert "The next page" not in _mrkdwn(many)
    assert "The next page: `/watch show WK-12 sent 2`" in _mrkdwn(money.sent("WK-12", [long], 0))
