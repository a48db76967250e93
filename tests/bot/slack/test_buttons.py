"""The buttons are a function of the state: each one shown can do something now."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from bot.domain import autonomy, cards, proposals
from bot.slack import ids
from bot.slack.blocks import home, incident
from k8s import model
from tests.bot.slack import building, checking

OTHER = "Other action…"
ACK, AGAIN, UNDO = "Acknowledge", "Propose again", "Undo: back to revision 4"
APPROVE, REJECT = "Approve: roll back to revision 3", "Reject"
TAKEN = {"state": "acknowledged", "acknowledged_by": building.ANA, "acknowledged_at": building.minutes(2)}


def shown(card: cards.IncidentCard) -> list[str]:
    return checking.buttons(incident.parent(card))


@pytest.mark.parametrize("state", get_args(proposals.State))
def test_an_open_incident_offers_what_its_newest_proposal_leaves_to_do(state: proposals.State) -> None:
    card = building.card(building.card_of(state))
    if state == "proposed":
        assert shown(card) == [APPROVE, "Edit…", OTHER, REJECT, ACK]
    elif state in proposals.RUNNING:
        assert shown(card) == []
    else:
        assert shown(card) == [AGAIN, OTHER, ACK]


@pytest.mark.parametrize("state", get_args(autonomy.State))
def test_what_is_done_by_itself_can_be_stopped_until_it_starts(state: autonomy.State) -> None:
    offered = shown(building.card(building.announced(state)))
    if state in autonomy.OPEN:
        assert offered == ["Stop", "Approve now: scale to 4", REJECT, ACK]
    else:
        assert "Stop" not in offered
        assert offered[0] == "Approve: scale to 4"


@pytest.mark.parametrize("state", [state for state in get_args(proposals.State) if state != "proposed"])
def test_there_is_nothing_to_stop_of_what_people_decided_on(state: proposals.State) -> None:
    assert ids.STOP_ALONE not in str(incident.parent(building.card(building.announced("counting", state))).attachments)


@pytest.mark.parametrize("state", get_args(proposals.State))
def test_acknowledge_goes_once_somebody_has_it(state: proposals.State) -> None:
    card = building.card(building.card_of(state), incident=building.incident(**TAKEN))
    assert ACK not in shown(card)


@pytest.mark.parametrize("state", get_args(proposals.State))
def test_an_observing_watch_offers_nothing_but_to_acknowledge(state: proposals.State) -> None:
    card = building.card(building.card_of(state), mode="observe", undo=building.undo())
    assert shown(card) == [ACK]


@pytest.mark.parametrize("state", get_args(proposals.State))
def test_undo_is_there_as_long_as_it_waits_to_be_pressed(state: proposals.State) -> None:
    done = building.card(building.card_of("verified"), incident=building.resolved(), undo=building.undo(state))
    assert shown(done) == ([UNDO] if state == "proposed" else [])


def test_a_fix_that_did_not_help_can_be_undone_or_followed_by_another() -> None:
    card = building.card(building.card_of("not-verified"), undo=building.undo())
    assert shown(card) == [UNDO, AGAIN, OTHER, ACK]


def test_while_an_undo_runs_nothing_can_be_pressed() -> None:
    card = building.card(building.card_of("not-verified"), undo=building.undo("executing"))
    assert shown(card) == []


def test_a_resolved_incident_offers_no_approval_of_what_is_not_needed_any_more() -> None:
    card = building.card(building.card_of("proposed"), incident=building.resolved())
    assert shown(card) == []
    assert "not needed any more" in checking.shown(incident.parent(card))


def test_nothing_is_asked_for_again_while_it_is_being_looked_at() -> None:
    wanted = building.incident(diagnosis_wanted=True)
    assert shown(building.card(building.card_of("stale"), incident=wanted)) == [ACK]
    assert shown(building.card(None, diagnosis=None, evidence=())) == [ACK]


def test_another_action_is_asked_for_only_where_there_may_be_one() -> None:
    waits = building.card_of("proposed")
    assert OTHER in shown(building.card(waits))
    assert OTHER not in shown(replace(building.card(waits), read_only=True))
    assert OTHER not in shown(building.card(waits, incident=building.resolved()))
    claim = model.ResourceRef("ResourceQuota", "payments", "compute", "quota-1")
    assert OTHER not in shown(building.card(waits, incident=building.incident(subject=claim)))


def test_where_nothing_was_ever_proposed_the_button_says_so() -> None:
    assert shown(building.card(None)) == ["Look again", OTHER, ACK]


@pytest.mark.parametrize(
    ("changes", "style", "asks"),
    [
        ({}, "primary", False),
        ({"risk": "medium"}, "primary", False),
        ({"risk": "high"}, "danger", True),
        ({"inverse": None, "irreversible": "The pod is gone."}, "danger", True),
    ],
)
def test_only_what_cannot_be_undone_or_is_of_high_risk_asks_back(
    changes: dict[str, Any], style: str, asks: bool
) -> None:
    made = incident.parent(building.card(cards.ProposalCard(building.proposal(**changes))))
    approve = checking.elements(made)[0]
    assert (approve["style"], "confirm" in approve) == (style, asks)


@pytest.mark.parametrize(
    ("action", "label"),
    [
        (model.RolloutRestart(building.API), "Approve: restart"),
        (model.RolloutUndo(building.API, 7), "Approve: roll back to revision 7"),
        (model.Scale(building.API, 5), "Approve: scale to 5"),
        (model.DeletePod(building.API, building.API), "Approve: delete the pod"),
        (model.RolloutPause(building.API), "Approve: pause the rollout"),
        (model.RolloutResume(building.API), "Approve: resume the rollout"),
        (model.SetImage(building.API, "web", "reg.example/shop/web:1.4"), "Approve: set image web:1.4"),
        (model.SetResources(building.API, "web", memory_limit="1Gi"), "Approve: set memory limit 1Gi"),
        (
            model.SetResources(building.API, "web", cpu_limit="1", memory_limit="1Gi"),
            "Approve: set requests and limits",
        ),
        (model.SetEnv(building.API, "web", "DB_URL", 4), "Approve: set DB_URL"),
        (model.UnsetEnv(building.API, "web", "TRACE", 4), "Approve: unset TRACE"),
    ],
)
def test_approve_names_what_it_does(action: model.Action, label: str) -> None:
    made = incident.parent(building.card(cards.ProposalCard(building.proposal(action=action))))
    assert checking.buttons(made)[0] == label


def test_a_press_carries_the_row_and_what_was_seen_of_it() -> None:
    pressed = checking.elements(incident.parent(building.card(building.card_of("proposed"))))
    row, incident_ = ids.Target(31, building.DIGEST[:16]), ids.Target(12)
    assert [ids.parse(one["value"]) for one in pressed] == [row, row, incident_, row, incident_]
    wanted = [ids.APPROVE, ids.EDIT, ids.OTHER, ids.REJECT, ids.ACKNOWLEDGE]
    assert [one["action_id"] for one in pressed] == wanted
    undo = checking.elements(incident.parent(building.card(building.card_of("not-verified"), undo=building.undo())))[0]
    assert (undo["action_id"], ids.parse(undo["value"])) == (ids.UNDO, ids.Target(32, building.DIGEST[:16]))
    assert building.undo().proposal.summary in undo["confirm"]["text"]["text"]


def test_where_a_reason_is_required_another_button_opens_the_window_that_asks_and_nothing_else_asks_back() -> None:
    approve = checking.elements(incident.parent(building.card(building.high_risk(building.ANA))))[0]
    assert (approve["action_id"], approve["style"]) == (ids.APPROVE_WITH_REASON, "danger")
    assert approve["text"]["text"].endswith("…")
    assert "confirm" not in approve
    way_back = building.undo(reason_required=True)
    undo = checking.elements(incident.parent(building.card(building.card_of("not-verified"), undo=way_back)))[0]
    assert (undo["action_id"], "confirm" in undo) == (ids.APPROVE_WITH_REASON, False)


def test_only_what_has_typed_parameters_can_be_edited() -> None:
    for action, can in ((model.Scale(building.API, 5), True), (model.RolloutRestart(building.API), False)):
        made = incident.parent(building.card(cards.ProposalCard(building.proposal(action=action))))
        assert ("Edit…" in checking.buttons(made)) == can


def test_undo_of_a_scaling_says_the_number() -> None:
    undo = building.undo()
    scaled = replace(undo, proposal=replace(undo.proposal, action=model.Scale(building.API, 2)))
    card = building.card(building.card_of("verified"), incident=building.resolved(), undo=scaled)
    assert shown(card) == ["Undo: back to 2 replicas"]


def test_the_home_tab_has_the_same_buttons() -> None:
    view = home.page(building.status(), building.ANA)
    assert [one["text"]["text"] for one in checking.elements(view)] == [APPROVE, REJECT, UNDO]


# --- what a press carries


@pytest.mark.parametrize(
    "value", ["", "12", "12:", "0:-", "-1:-", "12:xyz", "12:ABCDEF0123456789", "12:-\n", "x:-", "9" * 30 + ":-"]
)
def test_a_value_that_is_not_ours_is_refused(value: str) -> None:
    with pytest.raises(ids.Malformed):
        ids.parse(value)


def test_a_modal_keeps_what_it_is_about() -> None:
    context = ids.Pressed(31, building.DIGEST[:16], "C1", "1.2")
    assert ids.pressed(ids.private_metadata(context)) == context
    for broken in ("", "{}", "[]", '{"proposal_id":1}', '{"proposal_id":1,"digest":"x","more":1}', "\ud800"):
        with pytest.raises(ids.Malformed):
            ids.pressed(broken)


def test_the_modal_of_another_action_keeps_what_it_is_about() -> None:
    context = ids.Asked(12, "scale")
    assert ids.asked(ids.asked_metadata(context)) == context
    assert ids.ask_field(ids.ask_block("scale", "replicas"), "scale") == "replicas"
    assert ids.ask_field(ids.ask_block("scale", "replicas"), "set-env") == ""
    for broken in ("", "{}", "[]", '{"incident_id":"1"}', '{"incident_id":1,"more":1}', "\ud800"):
        with pytest.raises(ids.Malformed):
            ids.asked(broken)


@pytest.mark.parametrize(
    "message",
    [{}, {"metadata": None}, {"metadata": {"event_type": "other", "event_payload": {"key": "k"}}},
     {"metadata": {"event_type": ids.VIEW_EVENT, "event_payload": {"key": 3}}},
     {"metadata": {"event_type": ids.VIEW_EVENT, "event_payload": None}}],
)  # fmt: skip
def test_a_message_of_others_has_no_key(message: dict[str, object]) -> None:
    assert ids.key_of(message) == ""
    assert ids.key_of({"metadata": ids.metadata("k")}) == "k"
