"""The catalogue of failure kinds as it is told: what holds, what the default is, at any width."""

from datetime import timedelta

import pytest

from bot import kinds
from k8s import detection
from tests.k8s.detectors import examples

OPTIONS = detection.Options(
    disabled=frozenset({"JobFailed"}),
    graces={"NotReady": timedelta(seconds=10), "Unschedulable": timedelta(0), "NodePressure": timedelta(minutes=1)},
    severities={"CrashLoopBackOff": "P3", "RolloutStuck": "P2"},
)


def _row(table: str, kind: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"{kind} ")]
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_default_is_told_in_brackets_where_a_setting_replaces_it_and_only_there() -> None:
    table = kinds.table(OPTIONS, width=160)
    assert _row(table, "NotReady")[1:4] == ["yes", "10s (5m)", "P2"]
    assert _row(table, "Unschedulable")[1:4] == ["yes", "0s (2m)", "P2"]
    assert _row(table, "NodePressure")[1:4] == ["yes", "1m", "P2"]
    assert _row(table, "CrashLoopBackOff")[1:4] == ["yes", "0s", "P3 (P2)"]
    assert _row(table, "JobFailed")[1:4] == ["no", "0s", "P2"]


def test_what_a_severity_depends_on_is_told_unless_a_person_has_set_it() -> None:
    plain, chosen = kinds.table(detection.Options(), width=160), kinds.table(OPTIONS, width=160)
    for kind in ("CrashLoopBackOff", "RolloutStuck"):
        assert _row(plain, kind)[4].endswith(" (P1 where no replica is ready)")
        assert _row(chosen, kind)[4] == detection.KINDS[kind].condition
    assert _row(chosen, "ReplicasMissing")[4].endswith(" (P1 where no replica is ready)")


@pytest.mark.parametrize("width", [1, 60, 79, 80, 100, 160, 1000])
def test_at_any_width_every_kind_is_told_whole_and_only_addresses_are_longer_than_a_line(width: int) -> None:
    table = kinds.table(OPTIONS, width=width)
    words = " ".join(table.split())
    for info in detection.KINDS.values():
        assert f"    {info.doc}\n" in table
        _row(table, info.kind)
    longest = max(len(line) for line in table.splitlines() if "https://" not in line)
    assert longest <= max(60, min(width, 160))
    if width == 60:  # the condition is below its kind, not beside it
        assert all(info.condition in words for info in detection.KINDS.values())


def test_the_json_has_what_holds_and_what_is_the_default() -> None:
    listed = {one["kind"]: one for one in kinds.document(OPTIONS)["kinds"]}
    assert list(listed) == list(detection.KINDS)
    assert listed["NotReady"] == {
        "kind": "NotReady",
        "on": True,
        "grace_seconds": 10.0,
        "default_grace_seconds": 300.0,
        "severity": "P2",
        "default_severity": "P2",
        "unless": "",
        "default_on": True,
        "report_only": False,
        "condition": detection.KINDS["NotReady"].condition,
        "doc": detection.KINDS["NotReady"].doc,
        "source": "",
    }
    assert (listed["CrashLoopBackOff"]["severity"], listed["CrashLoopBackOff"]["default_severity"]) == ("P3", "P2")
    assert not listed["JobFailed"]["on"]


@pytest.mark.parametrize("one", kinds.held(OPTIONS), ids=lambda one: one.info.kind)
def test_what_is_told_of_a_kind_is_what_detection_goes_by(one: kinds.Held) -> None:
    told = detection.detect(examples.EXAMPLES[one.info.kind].broken, OPTIONS)
    found = [finding for finding in (*told.findings, *told.risks) if finding.kind == one.info.kind]
    assert bool(found) is one.on
    assert {(finding.grace, finding.severity) for finding in found} <= {(one.grace, one.severity)}


def test_a_kind_that_is_off_by_default_is_told_as_that_and_how_to_turn_it_on() -> None:
    off = kinds.table(detection.Options(), width=160)
    on = kinds.table(detection.Options(enabled=frozenset({"Risk"})), width=160)
    assert _row(off, "Risk")[1] == "no"
    assert _row(on, "Risk")[1] == "yes"
    assert "off unless WATCHKEEPER_KINDS_ON names it; reported, never an incident" in " ".join(off.split())
    listed = {one["kind"]: one for one in kinds.document(detection.Options())["kinds"]}
    assert (listed["Risk"]["on"], listed["Risk"]["default_on"], listed["Risk"]["report_only"]) == (False, False, True)
    assert [kind for kind, one in listed.items() if not one["default_on"]] == ["LogErrors", "Risk"]
