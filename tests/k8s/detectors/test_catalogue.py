"""The catalogue that people read (docs/detection.md) says what the code does, kind by kind, and leaves none out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import formats
from k8s import detection
from tests.k8s.detectors import examples

PAGE = Path(__file__).resolve().parents[3] / "docs" / "detection.md"

FAMILIES = {
    "Pods and containers": (
        "CrashLoopBackOff OOMKilled ImagePull ConfigError InitFailing Unschedulable StuckCreating NotReady "
        "LivenessRestarts RestartGrowth MemoryGrowth Evicted StuckTerminating LogErrors"
    ),
    "Workloads": (
        "RolloutStuck ReplicasMissing StatefulSetStuck DaemonSetIncomplete JobFailed CronJobBroken HPABroken "
        "PDBBlocking"
    ),
    "Network, storage, cluster": (
        "ServiceNoEndpoints IngressBroken PVCPending QuotaExhausted WebhookBroken NodeNotReady NodePressure "
        "CertificateExpiring Risk"
    ),
}
"""What the product was designed to find. A kind may join, none may go."""


@dataclass(frozen=True)
class Row:
    """As it stands on the page, cell by cell."""

    condition: str
    grace: str
    severity: str
    silent: tuple[str, ...]


def _rows(text: str) -> Mapping[str, Row]:
    found = {}
    for line in re.findall(r"^\| (\w+ \|.*) \|$", text, re.MULTILINE):
        kind, condition, grace, severity, silent = (cell.strip() for cell in line.split(" | "))
        found[kind] = Row(condition, grace, severity, tuple(silent.split("; ")))
    del found["kind"]
    return found


ROWS = _rows(PAGE.read_text())


def test_every_kind_that_was_designed_is_detected_and_told() -> None:
    designed = set(" ".join(FAMILIES.values()).split())
    assert designed <= detection.KINDS.keys()
    assert ROWS.keys() == detection.KINDS.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_told_in_its_section(family: str) -> None:
    section = PAGE.read_text().split(f"## {family}\n")[1].split("\n## ")[0]
    assert set(FAMILIES[family].split()) <= _rows(section).keys()


@pytest.mark.parametrize("kind", detection.KINDS)
def test_a_row_says_what_the_code_does(kind: str) -> None:
    row, info = ROWS[kind], detection.KINDS[kind]
    off = "" if detection.Options().looks_for(kind) else " (off until it is switched on)"
    assert row.condition == info.condition + off
    assert row.grace == formats.in_words(info.grace)
    assert row.severity == "; ".join(filter(None, (info.severity, info.unless)))


@pytest.mark.parametrize("kind", detection.KINDS)
def test_all_that_is_said_to_be_silent_has_an_example_that_is(kind: str) -> None:
    assert ROWS[kind].silent == tuple(examples.EXAMPLES[kind].look_alikes)
