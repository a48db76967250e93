"""What of an answer stands: quotes, names, sentences, actions, and the confidence that follows."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import diagnoses
from bot.llm import answers, checking, messages
from k8s import model
from tests.bot.llm import making

PIECES = (making.STATE, making.LOG, making.ROLLOUT)


def checked(**changes: Any) -> checking.Checked:
    brief = making.brief(**changes.pop("brief", {}))
    said = answers.report(_json(making.report(**changes)))
    ground = checking.Ground(brief.dossier.evidence, brief.problem)
    return checking.report(said, brief, ground, making.sight(), name="m", version="v")


def opinion(**changes: Any) -> diagnoses.Opinion:
    found = checked(**changes).opinion
    assert found is not None
    return found


def _json(value: object) -> str:
    return json.dumps(value)


def proposed(action: str, **values: str) -> diagnoses.Opinion:
    parameters = [{"name": name, "value": value} for name, value in values.items()]
    return opinion(actions=[{"action": action, "parameters": parameters, "why": "It is the cause."}])


# --- quotes


@pytest.mark.parametrize(
    "quote",
    [
        "KeyError: 'DATABASE_URL'",
        "keyerror:   “DATABASE_URL”",
        "KeyError:\n'DATABASE_URL'",
        "Traceback … KeyError",
        'File "/app/main.py", line 12',
        "Key\u200bError: 'DATABASE_URL'",
        "ＫｅｙＥｒｒｏｒ: 'DATABASE_URL'",
    ],
)
def test_a_quote_is_found_whatever_its_case_blanks_and_marks(quote: str) -> None:
    assert checking.quoted(quote, checking.normal(making.LOG.body))


@pytest.mark.parametrize(
    "quote", ["", "…", "KeyError: 'REDIS_URL'", "KeyError … Traceback", "a", "': '", "DATABASE_URL is missing", "… e …"]
)
def test_a_quote_that_is_not_there_or_says_nothing_is_not_found(quote: str) -> None:
    assert not checking.quoted(quote, checking.normal(making.LOG.body))


def test_redaction_marks_of_any_kind_are_the_same() -> None:
    text = checking.normal("password=[redacted:password] for user app")
    assert checking.quoted("password=[redacted:url-password] for user", text)


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_text_is_found_in_it(text: str) -> None:
    normal = checking.normal(f"before {text} after")
    assert checking.normal(normal) == normal
    assert checking.quoted(f"before {text}".replace("…", " ").replace("⋯", " "), normal) or checking._GAPS.search(
        checking.normal(text)
    )


def test_a_claim_whose_quote_is_in_another_piece_is_dropped_and_told() -> None:
    said = [
        {"text": "right", "quote": "env DATABASE_URL removed", "cites": ["E3"]},
        {"text": "wrong piece", "quote": "env DATABASE_URL removed", "cites": ["E2"]},
        {"text": "no piece", "quote": "env DATABASE_URL removed", "cites": ["E99", "nonsense"]},
    ]
    found = opinion(claims=said, cause="It was removed [E3].")
    assert [claim.text for claim in found.claims] == ["right"]
    assert found.dropped == ("2 claims without evidence were removed",)


def test_of_what_a_claim_cites_only_where_it_is_found_is_kept() -> None:
    said = [{"text": "x", "quote": "env DATABASE_URL removed", "cites": ["E2", "e3"]}]
    assert opinion(claims=said, cause="It was removed [E3].").claims[0].cites == (3,)


# --- sentences


def test_a_sentence_of_the_cause_without_a_proven_piece_is_dropped() -> None:
    found = opinion(cause="It was removed [E3]. The node is slow. The disk is full [E1]. It was [E77].")
    assert found.cause == "It was removed [E3]."
    assert found.dropped == ("3 sentences without evidence were removed",)


def test_labels_of_pieces_that_do_not_exist_are_taken_out_of_a_sentence_that_stands() -> None:
    assert (
        opinion(cause="It was removed [E3, E77], as one sees. [E2]").cause == "It was removed [E3], as one sees [E2]."
    )


def test_where_nothing_is_left_of_the_cause_there_is_no_opinion() -> None:
    assert checked(cause="Everything is broken.").opinion is None
    assert checked(claims=[]).opinion is None


@pytest.mark.parametrize(
    "name",
    ["`payments/db-main`", "Deployment db-main", "pod api-7d4b9c-zzzzz", "`evil/image:1`", "ConfigMap `api-cfg`"],
)
def test_a_sentence_that_names_what_is_nowhere_is_dropped(name: str) -> None:
    found = opinion(cause=f"It was removed [E3]. {name} is at fault [E3].")
    assert found.cause == "It was removed [E3]."
    assert found.dropped == ("1 sentence that names something not in the evidence was removed",)


@pytest.mark.parametrize(
    "name", ["`payments/api`", "Deployment api", "pod api-7d4b9c-x2x2x", "`Deployment/payments/api`", "`api`", "`env`"]
)
def test_what_the_evidence_or_the_problem_names_may_be_named(name: str) -> None:
    assert name in opinion(cause=f"{name} lost it [E3].").cause


def test_a_part_of_a_longer_name_is_not_that_name() -> None:
    assert opinion(next_step="Look at pod api-7d4b9c-x.").next_step == making.RULES.next_step


@pytest.mark.parametrize(
    "step",
    [
        "Run kubectl delete pod api.",
        "Run kubectl -n payments exec api -- sh.",
        "Use curl http://db:80/health.",
        "Approve the proposal.",
        "WK-12을 승인하세요.",
        "Do helm rollback api 3.",
    ],
)
def test_a_step_that_changes_something_or_is_about_approvals_is_replaced_by_that_of_the_rules(step: str) -> None:
    found = opinion(next_step=step)
    assert found.next_step == making.RULES.next_step
    assert len(found.dropped) == 1


@pytest.mark.parametrize(
    "step", ["Run kubectl describe pod.", "Run kubectl -n payments logs api.", "Ask who removed it."]
)
def test_a_step_that_only_looks_stays(step: str) -> None:
    assert opinion(next_step=step).next_step == step


def test_mentions_are_not_live() -> None:
    found = opinion(unknown=["ask <@U0ANA> or <!here> or @channel"])
    assert found.unknown == ("ask ‹@U0ANA> or ‹!here> or channel",)


def test_no_link_is_shown_not_even_one_of_the_evidence() -> None:
    assert opinion(next_step="See https://elsewhere.example/x for more.").next_step == "See (link removed) for more."
    assert opinion(cause="It says javascript:alert(1) there [E3].").cause == "It says (link removed)) there [E3]."


def test_very_long_texts_are_cut() -> None:
    found = opinion(cause="It was removed [E3]. " + "And so on and on [E3]. " * 500, unknown=["word " * 5000])
    assert len(found.cause) <= checking.CAUSE
    assert len(found.unknown[0]) <= checking.SENTENCE


# --- agreement and confidence


@pytest.mark.parametrize(
    ("kind", "view", "rules", "agreement", "confidence"),
    [
        ("missing-variable", "agrees", "low", "agrees", "medium"),
        ("missing-variable", "agrees", "medium", "agrees", "high"),
        ("missing-variable", "agrees", "high", "agrees", "high"),
        ("missing-variable", "differs", "high", "differs", "medium"),
        ("dependency-down", "agrees", "high", "differs", "medium"),
        ("unknown", "agrees", "high", "unsure", "low"),
        ("made-up-kind", "agrees", "high", "unsure", "low"),
    ],
)
def test_confidence_comes_of_agreement(kind: str, view: str, rules: Any, agreement: str, confidence: str) -> None:
    said = diagnoses.Diagnosis(making.RULES.cause, (2,), rules, "", "", kind="missing-variable")
    found = opinion(kind=kind, view=view, brief={"rules": said})
    assert (found.agreement, found.confidence) == (agreement, confidence)


def test_agreement_does_not_make_it_high_where_evidence_is_missing() -> None:
    dossier = diagnoses.Dossier(PIECES, missing=("the log: no answer within 8 s",))
    found = opinion(brief={"dossier": dossier})
    assert found.confidence == "medium"
    assert "could not be read" in found.reason


def test_what_no_rule_rests_on_may_be_missing_and_agreement_makes_it_high_all_the_same() -> None:
    dossier = diagnoses.Dossier(PIECES, beside=("LimitRanges: the bot may not read them",))
    found = opinion(brief={"dossier": dossier})
    assert (found.confidence, "could not be read" in found.reason) == ("high", False)


def test_agreement_with_mostly_unproven_claims_raises_nothing() -> None:
    said = [
        {"text": "right", "quote": "env DATABASE_URL removed", "cites": ["E3"]},
        {"text": "wrong", "quote": "never written", "cites": ["E2"]},
    ]
    assert opinion(claims=said, cause="It was removed [E3].").confidence == "medium"


# --- actions


def test_an_action_is_made_of_what_was_entered() -> None:
    assert proposed("scale", replicas="4").candidates[0].action == model.Scale(making.DEPLOYMENT, 4)
    assert proposed("rollout-restart").candidates[0].action == model.RolloutRestart(making.DEPLOYMENT)


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("cordon", {}),
        ("no-such-action", {}),
        ("custom", {}),
        ("scale", {"replicas": "many"}),
        ("scale", {"replicas": "99999999999"}),
        ("scale", {"replicas": "4", "workload": "kube-system/coredns"}),
        ("scale", {}),
        ("annotate-mute", {"choice": "0"}),
        ("annotate-mute", {"choice": "９"}),
        ("annotate-mute", {"choice": "CrashLoop"}),
        ("rollout-undo", {"choice": "1"}),
    ],
)
def test_an_action_that_does_not_validate_or_is_not_possible_is_dropped_and_told(
    action: str, values: dict[str, str]
) -> None:
    found = proposed(action, **values)
    assert found.candidates == ()
    assert [line for line in found.dropped if line.startswith(f"the action {action} was removed: ")] == [*found.dropped]
    assert len(found.dropped) == 1


def test_a_choice_goes_by_its_number() -> None:
    action = proposed("annotate-mute", choice="1").candidates[0].action
    assert action == model.AnnotateMute(making.DEPLOYMENT, ("CrashLoop",))


def test_at_most_two_actions_are_kept_and_none_where_the_model_is_not_sure() -> None:
    one = {"action": "rollout-restart", "parameters": [], "why": ""}
    assert len(opinion(actions=[one] * 4).candidates) == 2
    assert opinion(actions=[one], sure=False).candidates == ()
    assert opinion(actions=[one], kind="unknown").candidates == ()


# --- the reading of an answer


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cause": 1}', "nonsense", "{" * 5000, "\ud800{}"])
def test_what_is_no_report_is_malformed(text: str) -> None:
    with pytest.raises(messages.Malformed):
        answers.report(text)


_TEXT = st.text(max_size=80) | st.sampled_from(["It was removed [E3].", "E2", "[E2][E3]", "```", "`a-b`", "<!here>"])


@given(
    cause=_TEXT,
    quote=_TEXT,
    cites=st.lists(_TEXT, max_size=3),
    step=_TEXT,
    action=_TEXT,
    value=_TEXT,
)
@settings(max_examples=80, deadline=None)
def test_no_answer_makes_the_checks_fail_or_cite_what_is_not_there(
    cause: str, quote: str, cites: list[str], step: str, action: str, value: str
) -> None:
    claims = [
        {"text": step, "quote": quote, "cites": cites},
        {"text": "x", "quote": "env DATABASE_URL removed", "cites": ["E3"]},
    ]
    actions = [{"action": action, "parameters": [{"name": "replicas", "value": value}], "why": step}]
    found = checked(
        cause=f"{cause} It was removed [E3].", claims=claims, next_step=step, unknown=[step], actions=actions
    )
    if found.opinion is not None:
        assert {number for claim in found.opinion.claims for number in claim.cites} <= {1, 2, 3}
        assert set(checking.numbers(checking._CITED.findall(found.opinion.cause))) <= {1, 2, 3}
        assert found.opinion.candidates == ()
