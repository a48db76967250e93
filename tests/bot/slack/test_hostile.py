"""No input, however long or hostile, makes a message that Slack refuses, or that mentions, links or formats for it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import approvals, audit, cards, choices, diagnoses, edits, proposals, watches
from bot.slack import ids
from bot.slack.blocks import answers, asking, home, incident, messages, modals, report, thread
from k8s import model
from tests.bot.slack import building, checking

_WEAPONS = (
    *("<!channel>", "<!here|x>", "<@U1EVIL>", "<@W2>", "<#C1|x>", "<http://evil.example|ok>", "http://evil.example/x"),
    *("https://evil.example", "<!subteam^S1>", "<!date^1^{time}|x>", "&lt;!channel&gt;", "&amp;", "&", "<", ">", "<@"),
    *("@channel", "#general", "```", "`", "``", "*bold*", "_it_", "~gone~", ":fire:", ":+1:", "> quote", "[E2]", "|"),
    *("\u202e", "\u200b", "\u200d", "\u2066", "\ufeff", "\x00", "\x1b[31m", "\ud800", "\udfff", "\u2028", "\n"),
    *("\r\n", "\t", " ", "é", "日本", "\U0001f525", "x" * 200, "word ", "mailto:a@b.c", "www.evil.example", "<!date^"),
)

hostile = st.one_of(
    st.lists(st.sampled_from(_WEAPONS), max_size=30).map("".join),
    st.text(max_size=60),
    st.text(alphabet="<>&`*_~:@# \n\\ax\ud83d\U0001f525", max_size=80),
    st.builds(lambda weapon, times: weapon * times, st.sampled_from(_WEAPONS), st.sampled_from([40, 400, 4000])),
)
users = st.one_of(st.sampled_from([building.ANA, building.BEN]), hostile)
FOLDED = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

OURS = {f"<@{user}>" for user in (building.ANA, building.BEN, building.CLEO)} | {"<#C0ALERTS>"}


def _check(rendered: messages.Message | messages.View, *, own_sentence: bool = False) -> None:
    if isinstance(rendered, dict):
        checking.check_view(rendered)
        live = checking.tokens(rendered)
    else:
        checking.check_message(rendered)
        live = checking.tokens(rendered.arguments()) | set(re.findall("<[^<>]*>?", rendered.text))
    if own_sentence:
        return
    # A user id in a user's field is a mention by design; those are only drawn from the known ones or are no ids.
    foreign = {
        token for token in live if token not in OURS and not token.startswith(("<!date^", f"<{building.PERMALINK}|"))
    }
    assert foreign == set()
    assert {token for token in live if token.startswith("<!date^1^")} == set()


@st.composite
def refs(draw: st.DrawFn) -> model.ResourceRef:
    return model.ResourceRef(draw(hostile), draw(hostile), draw(hostile), draw(hostile))


@st.composite
def actions(draw: st.DrawFn) -> model.Action:
    ref = draw(refs())
    number = draw(st.integers(-(10**18), 10**18))
    choices: list[model.Action] = [
        model.RolloutRestart(ref),
        model.RolloutUndo(ref, number),
        model.Scale(ref, number),
        model.DeletePod(ref, draw(refs())),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def proposal_cards(draw: st.DrawFn, kind: str = "remedy") -> cards.ProposalCard:
    state = draw(st.sampled_from(get_args(proposals.State)))
    made = building.card_of(state) if kind == "remedy" else building.undo(state)
    row = replace(
        made.proposal,
        action=draw(actions()),
        kubectl=draw(hostile),
        summary=draw(hostile),
        why=draw(hostile),
        irreversible=draw(hostile),
        inverse=draw(st.one_of(st.none(), actions())),
        risk=draw(st.sampled_from(get_args(model.RiskTier))),
        diff=tuple(draw(st.lists(hostile, max_size=20))),
        warnings=tuple(draw(st.lists(hostile, max_size=6))),
        blast=model.BlastRadius(3, 0, 3, draw(st.sampled_from([None, 0, 10**12])), draw(hostile)),
    )
    decision = made.decision and replace(made.decision, user=draw(users), reason=draw(hostile))
    execution = made.execution
    if execution is not None and execution.outcome is not None:
        moved = tuple(draw(st.lists(hostile, max_size=5)))
        outcome = model.Outcome(execution.outcome.status, draw(hostile), moved=moved)
        execution = replace(execution, outcome=outcome)
    found = made.verification and replace(made.verification, progress=draw(hostile), reason=draw(hostile))
    return cards.ProposalCard(row, decision, execution, found)


@st.composite
def pieces(draw: st.DrawFn) -> diagnoses.Evidence:
    source = draw(st.sampled_from(get_args(diagnoses.Source)))
    return diagnoses.Evidence(draw(st.integers(1, 99)), source, draw(hostile), draw(hostile), draw(st.booleans()))


@st.composite
def incident_cards(draw: st.DrawFn) -> cards.IncidentCard:
    made = draw(st.sampled_from([building.incident(), building.resolved(), building.incident(state="snoozed")]))
    changed = replace(
        made,
        cluster=draw(hostile),
        subject=draw(refs()),
        kinds=tuple(draw(st.lists(hostile, max_size=4))),
        headline=draw(hostile),
        resolution=draw(hostile) if made.resolution else "",
        state=draw(st.sampled_from(["open", "acknowledged"])) if made.live else "resolved",
        acknowledged_by=draw(users),
        diagnosis_wanted=draw(st.booleans()),
    )
    found = replace(
        building.DIAGNOSIS,
        cause=draw(hostile),
        reason=draw(hostile),
        next_step=draw(hostile),
        missing=tuple(draw(st.lists(hostile, max_size=8))),
    )
    return cards.IncidentCard(
        incident=changed,
        mode=draw(st.sampled_from(["approve", "observe", "autonomous"])),
        approvers=tuple(draw(st.lists(users, max_size=6))),
        diagnosis=draw(st.one_of(st.none(), st.just(found))),
        evidence=tuple(draw(st.lists(pieces(), max_size=16))),
        remedy=draw(st.one_of(st.none(), proposal_cards())),
        refused=tuple(draw(st.lists(hostile, max_size=5))),
        undo=draw(st.one_of(st.none(), proposal_cards("undo"))),
        history=tuple(draw(st.lists(proposal_cards(), max_size=3))),
        previous_link=draw(st.one_of(st.just(building.PERMALINK), hostile)),
        previous_name=draw(hostile),
        recurrences=draw(st.integers(0, 200)),
    )


@FOLDED
@given(incident_cards())
def test_no_incident_makes_a_message_that_slack_refuses_or_that_mentions_anybody(card: cards.IncidentCard) -> None:
    for message in (incident.parent(card), thread.evidence(card), thread.progress(card), thread.recovery(card)):
        _check(message)
    _check(answers.show(card))


@FOLDED
@given(st.lists(incident_cards(), max_size=3), st.lists(proposal_cards(), max_size=3), hostile, hostile)
def test_no_status_makes_a_home_or_an_answer_that_slack_refuses(
    found: list[cards.IncidentCard], waiting: list[cards.ProposalCard], words: str, more: str
) -> None:
    watch = building.watch(
        name=words,
        cluster=more,
        channel=words,
        scope=model.Scope((words, more) * 5, (more,)),
        kinds=watches.Kinds((words,) * 9, (more,), {more: timedelta(seconds=7)}, {words: "P1"}),
    )
    sweep = building.sweep(status="failed", error=more)
    page = cards.Status(
        watches=(cards.WatchStatus(watch, sweep, 10**6, building.AT), cards.WatchStatus(watch)) * 12,
        open=tuple(one.incident for one in found) * 12,
        waiting=tuple(waiting) * 6,
        health={words: more, more: words},
    )
    _check(home.page(page, words))
    for message in (
        answers.status(page, words),
        answers.watch_list(page.watches),
        answers.incident_list(page.open, words),
        answers.swept(watch, building.sweep(summary=words, degraded={words: more}), page.open),
        answers.swept(watch, sweep),
    ):
        _check(message)


@FOLDED
@given(hostile, hostile, users, st.integers(-(10**9), 10**9))
def test_no_word_makes_an_answer_or_a_modal_that_slack_refuses(words: str, more: str, user: str, number: int) -> None:
    event = audit.Event(words, more, user, building.AT, 12, None, {words: more, "n": number})
    page = cards.AuditPage((audit.Entry(number, event, "", ""),) * 60)
    rejected = replace(building.proposal("rejected"), kubectl=words)
    late = approvals.late(rejected, (building.decision("reject", reason=words),))
    told = answers.pressed(late)
    assert told is not None
    for message in (
        answers.audit_page(page, words),
        answers.help_page(((words, more),) * 60),
        answers.not_understood(words, more, words),
        answers.not_found(words, more, [words] * 9),
        report.message(building.report(noisiest=((words, 3),), actions={words: 1}, asked_by=user)),
    ):
        _check(message)
    _check(answers.said(words), own_sentence=True)
    _check(told, own_sentence=True)
    context = ids.Pressed(31, building.DIGEST[:16], "C0ALERTS", "1.2")
    _check(modals.reject_reason(rejected, context))
    pods = (edits.Choice("a" * 24, words or "-"), edits.Choice("b" * 24, more or "-"))
    asked = (
        edits.Field(choices.CHOICE, "Pod", "choice", "", pods),
        edits.Field("container", "Container", "text", hint=more),
    )
    menu = replace(building.MENU, chosen="scale", fields=asked, never="Never.")
    _check(asking.form(menu, 12))
    _check(asking.form(replace(menu, why_not=words), 12))
    _check(modals.notice(words, more), own_sentence=True)


@given(hostile)
def test_a_button_value_is_parsed_or_refused_but_never_taken_wrong(words: str) -> None:
    try:
        found = ids.parse(words)
    except ids.Malformed:
        return
    assert ids.value(found.id, found.digest) == words


def _said_by_our_own_code() -> tuple[Any, ...]:
    return building.LATE.text, "Only <@U0ANA> may approve."


def test_our_own_sentences_keep_their_mentions_and_times() -> None:
    for sentence in _said_by_our_own_code():
        assert checking.tokens(answers.said(sentence).arguments()) >= {"<@U0ANA>"}
