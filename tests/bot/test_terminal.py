"""What a look is told as: a table that nothing in a cluster can break, and JSON as it is documented."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from bot import terminal
from bot.domain import diagnoses, looks, watches
from k8s import model
from tests.bot import schemas

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "sweep.schema.json").read_text())
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
API = model.ResourceRef("Deployment", "payments", "api", "u1")
POD = model.ResourceRef("Pod", "payments", "api-7d9f8b6c5-x2x7p", "u2")


def _finding(message: str = "container api exits with 1", **changes: Any) -> model.Finding:
    finding = model.Finding(
        kind="CrashLoopBackOff",
        severity="P1",
        resource=POD,
        owner=API,
        message=message,
        since=NOW - timedelta(minutes=6),
        cause="exit 1",
        container="api",
    )
    return replace(finding, **changes)


def _plan() -> model.Plan:
    return model.Plan(
        action=model.RolloutUndo(API, 2),
        operations=(),
        pins={},
        kubectl="kubectl -n payments rollout undo deployment/api --to-revision=2",
        summary="Puts the pod template of revision 2 back.",
        blast=model.BlastRadius(pods=3, ready=0, desired=3),
        risk="medium",
        inverse=model.RolloutUndo(API, 3),
    )


def _examined(*findings: model.Finding, body: str = "KeyError: 'DB_URL'") -> looks.Examined:
    return looks.Examined(
        problem=model.Problem(subject=API, findings=findings, severity="P1", ready=0, desired=3),
        evidence=(diagnoses.Evidence(2, "previous-log", "Log before the last restart", body),),
        diagnosis=diagnoses.Diagnosis(
            cause="exit 1: KeyError 'DB_URL' [E2].",
            cites=(2,),
            confidence="high",
            reason="the log says it",
            next_step="Put DB_URL back.",
        ),
        remedies=(looks.Remedy(_plan(), "Revision 2 served until the rollout."),),
        refused=("rollout-restart: it would start the same template again.",),
    )


def _look(*findings: model.Finding, diagnosed: bool = False, **changes: Any) -> looks.Look:
    status: watches.SweepStatus = "issues" if findings else "ok"
    examined = () if not findings else (_examined(*findings),)
    if examined and not diagnosed:
        examined = (looks.Examined(problem=examined[0].problem),)
    look = looks.Look(
        cluster="prod-eu",
        taken_at=NOW,
        status=status,
        summary=f"412 pods on 9 nodes: {len(findings)} findings",
        pods=412,
        nodes=9,
        seconds=0.4123,
        findings=findings,
        examined=examined,
    )
    return replace(look, **changes)


# --- the table


def test_a_healthy_cluster_is_one_line() -> None:
    assert terminal.table(_look()) == "prod-eu: 412 pods on 9 nodes: 0 findings (0.4 s)\n"


def test_findings_stand_in_aligned_columns() -> None:
    long = _finding(severity="P3", kind="Evicted", owner=model.ResourceRef("StatefulSet", "a-long-namespace", "store"))
    lines = terminal.table(_look(_finding(), long), width=140).splitlines()[2:]
    head, first, second = lines
    for title, one, two in (("KIND", "CrashLoop", "Evicted"), ("RESOURCE", "Deployment/", "StatefulSet/")):
        assert head.index(title) == first.index(one) == second.index(two)
    assert head.index("MESSAGE") == first.index("container") == second.index("container")
    assert "  6m  " in first


def test_what_was_not_seen_and_what_is_muted_is_said() -> None:
    told = terminal.table(_look(degraded={"events": "forbidden"}, status="partial", muted=2))
    assert "not seen whole: events (forbidden)" in told
    assert "2 muted" in told


RISK = model.Finding(
    "Risk",
    "P3",
    model.ResourceRef("Deployment", "payments", "api"),
    model.ResourceRef("Deployment", "payments", "api"),
    "Deployment api: it has one replica; \x1b[31mcontainer app has no memory limit.",
    NOW,
    "no-limits,one-replica",
)


def test_risks_are_told_apart_and_make_nothing_unhealthy() -> None:
    look = _look(risks=(RISK,))
    told = terminal.table(look)
    assert told.endswith(
        "\nRisks, where nothing is broken yet:\n"
        "  Deployment/payments/api: it has one replica; container app has no memory limit.\n"
    )
    assert terminal.exit_code(look, scoped=False) == 0
    document = terminal.document(look)
    assert (document["findings"], document["sweep"]["findings"]) == ([], 0)
    assert [one["kind"] for one in document["risks"]] == ["Risk"]
    assert schemas.faults(json.loads(terminal.encoded(document)), SCHEMA) == []


def test_a_diagnosed_incident_shows_cause_remedy_and_evidence() -> None:
    told = terminal.table(_look(_finding(), diagnosed=True), width=120)
    for text in (
        "Deployment/payments/api · CrashLoopBackOff",
        "exit 1: KeyError 'DB_URL' [E2].",
        "high: the log says it",
        "Put DB_URL back.",
        "medium risk; Puts the pod template of revision 2 back.",
        "rollout-restart: it would start the same template again.",
        "E2     Log before the last restart",
        "| KeyError: 'DB_URL'",
    ):
        assert text in told


@pytest.mark.parametrize("width", [1, 60, 80, 100, 160, 500])
def test_no_line_is_wider_than_the_terminal_but_a_command_is_never_broken(width: int) -> None:
    look = _look(_finding("a message of many words " * 20), diagnosed=True)
    lines = terminal.table(look, width=width).splitlines()
    commands = [line for line in lines if "kubectl" in line]
    assert commands == [f"  fix    {_plan().kubectl}"]
    room = max(60, min(width, 160))
    assert all(terminal.cells(line) <= room for line in lines if "kubectl" not in line)


def test_wide_characters_are_counted_as_two_columns() -> None:
    assert terminal.cells("日本e\u0301") == 5
    lines = terminal.table(_look(_finding("日本語の" * 40)), width=100).splitlines()
    assert all(terminal.cells(line) <= 100 for line in lines)


def test_colours_come_only_when_asked_for_and_change_nothing_else() -> None:
    look = _look(_finding(), diagnosed=True)
    plain, coloured = terminal.table(look), terminal.table(look, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31mP1" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


# --- text out of a cluster


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended, and the text stays", "0;never ended, and the text stays"),
        ("\x1bPq#0;2\x1b\\text", "text"),
        ("\x9b2Jtext", "text"),
        ("over\rwritten", "over written"),
        ("a\x08\x08b\x00c", "abc"),
        ("one\ntwo\tthree", "one two three"),
        ("\u202egnihtyna", "gnihtyna"),
        ("zero\u200bwidth", "zerowidth"),
        ("half \ud800 pair", "half pair"),
    ],
)
def test_what_a_terminal_would_obey_is_stripped(hostile: str, shown: str) -> None:
    assert terminal.clean(hostile) == shown


def test_secrets_are_redacted_even_with_a_colour_in_their_middle() -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    for text in (f"key {key} used", f"key AKIA\x1b[0m{key[4:]} used"):
        assert key not in terminal.clean(text)


@given(text=st.text(alphabet=st.sampled_from("\x1b[]P^_X\\\x07\x9b\x9d\x9c;0m?\r\n\tab\u202e\u2066")))
@runs(deadline=None, max_examples=200)
def test_nothing_gets_past_the_cleaning(text: str) -> None:
    cleaned = terminal.clean(text, lines=True)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cleaned)
    assert "\n" not in terminal.clean(text)


@given(text=st.text(max_size=80))
@runs(deadline=None, max_examples=60)
def test_any_text_makes_a_table_and_a_document(text: str) -> None:
    finding = _finding(text, owner=replace_name(text))
    look = _look(finding, diagnosed=True, cluster=text, degraded={"events": text})
    told = terminal.table(look, width=80)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", told)
    json.loads(terminal.encoded(terminal.document(look)))
    terminal.encoded(terminal.document(look)).encode()


def replace_name(text: str) -> model.ResourceRef:
    return model.ResourceRef("Deployment", "payments", text or "x")


@pytest.mark.parametrize(
    ("age", "told"), [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (172800, "2d")]
)
def test_an_age_is_told_in_its_greatest_whole_unit(age: int, told: str) -> None:
    assert terminal.ago(NOW - timedelta(seconds=age), NOW) == told


# --- the JSON


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(_look(), id="healthy"),
        pytest.param(_look(_finding()), id="findings"),
        pytest.param(_look(_finding(), diagnosed=True), id="diagnosed"),
        pytest.param(_look(status="partial", degraded={"events": "forbidden"}), id="partial"),
        pytest.param(
            _look(_finding(kind="NodeNotReady", owner=model.ResourceRef("Node", "", "n1"), container="")), id="node"
        ),
    ],
)
def test_the_document_follows_its_schema(look: looks.Look) -> None:
    assert schemas.faults(json.loads(terminal.encoded(terminal.document(look))), SCHEMA) == []


def test_a_failed_look_is_a_document_too() -> None:
    document = terminal.failure("cluster prod-eu: connection refused", cluster="prod-eu", now=NOW)
    assert schemas.faults(document, SCHEMA) == []
    assert document["sweep"]["status"] == "failed"
    assert document["sweep"]["summary"] == "cluster prod-eu: connection refused"


def test_the_document_says_what_the_look_found() -> None:
    document = terminal.document(_look(_finding(), diagnosed=True))
    assert document["sweep"]["seconds"] == 0.412
    assert document["sweep"]["findings"] == document["sweep"]["incidents"] == 1
    (finding,) = document["findings"]
    assert finding["resource"] == "Deployment/payments/api"
    assert finding["object"] == "Pod/payments/api-7d9f8b6c5-x2x7p"
    assert finding["since"] == "2026-11-21T02:54:00Z"
    (incident,) = document["incidents"]
    assert incident["kinds"] == ["CrashLoopBackOff"]
    assert incident["confidence"] == "high"
    assert [piece["id"] for piece in incident["evidence"]] == ["E2"]
    (proposal,) = incident["proposals"]
    assert (proposal["action"], proposal["risk"], proposal["reversible"]) == ("rollout-undo", "medium", True)
    assert proposal["kubectl"] == _plan().kubectl


def test_without_a_diagnosis_its_fields_are_null() -> None:
    (incident,) = terminal.document(_look(_finding()))["incidents"]
    assert incident["cause"] is incident["confidence"] is incident["next_step"] is None
    assert incident["evidence"] == incident["proposals"] == []


def test_the_documented_example_follows_the_schema_and_has_every_field() -> None:
    page = (DOCS / "sweep-json.md").read_text()
    block = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert block is not None
    example = json.loads(block[1])
    assert schemas.faults(example, SCHEMA) == []
    real = terminal.document(_look(_finding(), diagnosed=True))
    for part in ("sweep", "findings", "incidents"):
        mine, theirs = real[part], example[part]
        assert (mine if part == "sweep" else mine[0]).keys() == (theirs if part == "sweep" else theirs[0]).keys()
    for field in (*real["sweep"], *real["findings"][0], *real["incidents"][0]):
        assert f"`{field}`" in page, f"{field} is not described"


def test_every_source_of_evidence_is_in_the_schema_and_on_its_page() -> None:
    sources = set(get_args(diagnoses.Source))
    schema = (DOCS / "sweep.schema.json").read_text()
    page = (DOCS / "sweep-json.md").read_text()
    assert {each for each in sources if f'"{each}"' not in schema or f"`{each}`" not in page} == set()


def test_the_schema_check_finds_what_is_wrong() -> None:
    good = terminal.document(_look(_finding(), diagnosed=True))
    for path, wrong in (
        (("sweep", "status"), "fine"),
        (("sweep", "pods"), True),
        (("sweep", "pods"), -1),
        (("sweep", "degraded"), {"events": 3}),
        (("findings", 0, "since"), "yesterday"),
        (("findings", 0, "extra"), 1),
        (("incidents", 0, "kinds"), []),
        (("incidents", 0, "cause"), 3),
        (("findings",), {}),
    ):
        broken = json.loads(json.dumps(good))
        inner = broken
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = wrong
        assert schemas.faults(broken, SCHEMA), path
    del good["sweep"]["summary"]
    assert schemas.faults(good, SCHEMA) == ["$.sweep: summary is missing"]
    with pytest.raises(ValueError, match="does not know"):
        schemas.faults(1, {"maximum": 3})


# --- the exit code


@pytest.mark.parametrize(
    ("look", "scoped", "code"),
    [
        pytest.param(_look(), False, 0, id="healthy"),
        pytest.param(_look(_finding()), False, 1, id="findings"),
        pytest.param(_look(status="failed"), False, 2, id="failed"),
        pytest.param(_look(status="partial", degraded={"pods": "forbidden"}), False, 2, id="gaps and nothing found"),
        pytest.param(_look(_finding(), status="partial", degraded={"pods": "x"}), False, 1, id="gaps and findings"),
        pytest.param(_look(status="partial", degraded={"nodes": "forbidden"}), False, 2, id="nodes were asked for"),
        pytest.param(_look(status="partial", degraded={"nodes": "forbidden"}), True, 0, id="nodes were not asked for"),
        pytest.param(_look(status="partial", degraded={"nodes": "x", "jobs": "y"}), True, 2, id="jobs were asked for"),
    ],
)
def test_the_exit_code_never_calls_healthy_what_was_not_seen(look: looks.Look, scoped: bool, code: int) -> None:
    assert terminal.exit_code(look, scoped=scoped) == code
