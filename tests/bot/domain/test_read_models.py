"""The small pure parts: what a sweep comes to, what is said of an unknown name, when a report is silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import cards, diagnoses, watches, words
from k8s import model, objects
from tests.bot.domain import examples

# --- sweeps ---------------------------------------------------------------------------------------------------------


def snapshot(**degraded: str) -> model.Snapshot:
    pods = [objects.Pod() for _ in range(3)]
    return model.Snapshot("prod", examples.NOW, pods=pods, nodes=[objects.Node()], degraded=degraded)


def test_a_sweep_that_finds_nothing_is_ok_and_says_what_it_saw() -> None:
    assert watches.summarise(snapshot(), 0, 0) == ("ok", "3 pods on 1 nodes: nothing is broken")


@pytest.mark.parametrize(
    ("findings", "problems", "told"),
    [(1, 1, "1 finding in 1 incident"), (5, 2, "5 findings in 2 incidents")],
)
def test_a_sweep_with_findings_counts_them(findings: int, problems: int, told: str) -> None:
    assert watches.summarise(snapshot(), 0, 0, 2) == ("ok", "3 pods on 1 nodes: nothing is broken; 2 risks")
    status, summary = watches.summarise(snapshot(), findings, problems)
    assert status == "issues"
    assert summary.endswith(told)


@pytest.mark.parametrize("findings", [0, 2])
def test_a_sweep_with_gaps_is_partial_whatever_it_found_and_names_them(findings: int) -> None:
    status, summary = watches.summarise(snapshot(nodes="forbidden", events="timed out"), findings, findings)
    assert status == "partial"
    assert summary.endswith("; not seen whole: events, nodes")


# --- names that are not known ---------------------------------------------------------------------------------------


def test_a_near_name_is_offered() -> None:
    said = words.unknown("namespace", "paymets", ["payments", "web", "search"])
    assert said == "There is no namespace `paymets`. Did you mean `payments`?"


def test_several_near_names_are_offered() -> None:
    assert words.unknown("pod", "api-1", ["api-1x", "api-12yz"]).endswith("Did you mean `api-1x` or `api-12yz`?")


def test_without_a_near_name_there_is_a_list_of_what_there_is() -> None:
    assert words.unknown("cluster", "xyz", ["prod", "staging"]).endswith("There are: `prod`, `staging`.")
    assert words.unknown("cluster", "xyz", []).endswith("There are: none.")


def test_a_long_list_is_cut_and_counted() -> None:
    said = words.unknown("namespace", "zzz", [f"team-{number:02}" for number in range(14)])
    assert said.count("`team-") == words.SHOWN
    assert said.endswith(" and 4 more.")


@given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=20))
def test_what_was_given_is_always_named(given_name: str, known: list[str]) -> None:
    assert words.unknown("thing", given_name, known).startswith(f"There is no thing `{given_name}`.")


# --- reports --------------------------------------------------------------------------------------------------------


def test_a_day_on_which_nothing_happened_is_silent() -> None:
    quiet = examples.report(sweeps=288, muted=4, opened_before=3, actions={"approved": 0}, noisiest=())
    assert quiet.silent


@pytest.mark.parametrize(
    "changes",
    [
        {"opened": 1},
        {"resolved": 1},
        {"still_open": (examples.incident(),)},
        {"failed_sweeps": 1},
        {"actions": {"approved": 0, "rejected": 1}},
    ],
    ids=lambda changes: str(*changes),
)
def test_whatever_a_person_should_know_breaks_the_silence(changes: dict[str, object]) -> None:
    assert not examples.report(**changes).silent


# --- evidence -------------------------------------------------------------------------------------------------------


def test_the_first_piece_of_a_source_is_the_one_that_is_cited() -> None:
    pieces = (
        diagnoses.Evidence(1, "status", "state", "x"),
        diagnoses.Evidence(2, "log", "now", "y"),
        diagnoses.Evidence(3, "log", "later", "z"),
    )
    found = diagnoses.Dossier(pieces).of("log")
    assert found is not None
    assert found.label == "E2"
    assert diagnoses.Dossier(pieces).of("rollout") is None


def test_a_card_without_anything_but_its_incident_can_be_made() -> None:
    card = cards.IncidentCard(examples.incident(), "approve", ())
    assert (card.remedy, card.undo, card.evidence, card.recurrences) == (None, None, (), 0)
