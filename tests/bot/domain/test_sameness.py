"""Two questions are the same where only times, counts and random names differ; an opinion goes along piece by piece."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import diagnoses, sameness
from k8s import model
from tests.bot.slack import building

FINDING = model.Finding(
    kind="CrashLoopBackOff",
    severity="P1",
    resource=model.ResourceRef("Pod", "payments", "api-7d9f8b6c5-x2x4z"),
    owner=building.API,
    message="container app keeps crashing",
    since=building.AT,
    cause="exit 1",
)
PROBLEM = model.Problem(building.API, (FINDING,), "P1")
LOG = "2026-11-21T03:11:05Z INFO plugin 5 of 30\n2026-11-21T03:11:06Z ERROR KeyError: 'DB_URL'"
BEFORE = (
    diagnoses.Evidence(
        1, "status", "State", "CrashLoopBackOff: restarts 6, pod api-7d9f8b6c5-x2x4z\nimage web:1.5 256Mi"
    ),
    diagnoses.Evidence(2, "previous-log", "Log of pod api-7d9f8b6c5-x2x4z", LOG),
    diagnoses.Evidence(3, "events", "Events", "BackOff ×6, 2 min ago: Back-off restarting"),
)
AFTER = (
    diagnoses.Evidence(
        1, "status", "State", "CrashLoopBackOff: restarts 31, pod api-7d9f8b6c5-bq9mt\nimage web:1.5 256Mi"
    ),
    diagnoses.Evidence(2, "past", "Earlier incidents", "WK-3, 2 h ago"),
    diagnoses.Evidence(3, "previous-log", "Log of pod api-7d9f8b6c5-bq9mt", LOG.replace("03:11", "17:45")),
)
OPINION = diagnoses.Opinion(
    cause="DB_URL is gone [E2]; it fell out of the settings [E4].",
    kind="missing-variable",
    claims=(
        diagnoses.Claim("the log says so [E2]", "ERROR KeyError: 'DB_URL'", (2,)),
        diagnoses.Claim("it crashed often", "restarts 6", (1,)),
        diagnoses.Claim("the ConfigMap has no such key", "keys: A, B", (4,)),
    ),
    agreement="agrees",
    confidence="high",
    reason="agreed",
    next_step="Put it back.",
    evidence=(diagnoses.Evidence(4, "tool", "ConfigMap payments/api", "keys: A, B"),),
)


def key(evidence: Any = BEFORE, problem: model.Problem = PROBLEM, asked: str = "m+v1", language: str = "en") -> str:
    found = diagnoses.Diagnosis("c", (), "high", "r", "n", kind="missing-variable")
    return sameness.key(asked, language, problem, found, evidence)


def test_a_repeat_with_other_times_counts_and_pods_is_the_same_question() -> None:
    later = replace(PROBLEM, findings=(replace(FINDING, since=building.AT + timedelta(days=1)),))
    assert key() == key(AFTER, later)


@pytest.mark.parametrize(
    "changed",
    [
        {"asked": "m+v2"},
        {"language": "ko"},
        {"problem": replace(PROBLEM, findings=(replace(FINDING, cause="exit 137"),))},
        {"problem": replace(PROBLEM, subject=model.ResourceRef("Deployment", "payments", "web", "u"))},
        {"problem": replace(PROBLEM, subject=model.ResourceRef("Deployment", "payments", "api", "made anew"))},
        {"evidence": (BEFORE[0], replace(BEFORE[1], body=LOG.replace("DB_URL", "API_KEY")))},
        {"evidence": (replace(BEFORE[0], body=BEFORE[0].body.replace("web:1.5", "web:1.6")), BEFORE[1])},
        {"evidence": (replace(BEFORE[0], body=BEFORE[0].body.replace("256Mi", "512Mi")), BEFORE[1])},
        {"evidence": BEFORE[1:]},
    ],
)
def test_what_an_engineer_would_call_news_is_another_question(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


@pytest.mark.parametrize(
    ("line", "folded"),
    [
        ("2026-11-21T03:11:05Z INFO 5 of 30", "# INFO # of #"),
        ("pod api-7d9f8b6c5-x2x4z restarted 6 times", "pod api# restarted # times"),
        ("connect 10.2.3.4:5432 refused", "connect # refused"),
        ("image web:1.5, memory 256Mi, cpu 500m", "image web:1.5, memory 256Mi, cpu 500m"),
        ("BackOff ×6, 2 min ago", "BackOff #, # min ago"),
        ("uid 0b7c1234-aaaa-bbbb-cccc-123456789abc", "uid #"),
        ("KeyError: 'DB_URL'", "KeyError: 'DB_URL'"),
    ],
)
def test_what_is_folded_of_a_line(line: str, folded: str) -> None:
    assert sameness.fold(line) == folded


def test_an_opinion_is_carried_over_with_the_numbers_of_the_new_evidence() -> None:
    now = (*AFTER, diagnoses.Evidence(4, "runbook", "Runbook", "text"))
    carried = sameness.carried(OPINION, BEFORE, now)
    assert carried is not None
    assert carried.cause == "DB_URL is gone [E3]; it fell out of the settings [E5]."
    assert [claim.cites for claim in carried.claims] == [(3,), (1,), (5,)]
    assert carried.claims[0].text == "the log says so [E3]"
    assert [one.number for one in carried.evidence] == [5]


@pytest.mark.parametrize(
    ("opinion", "now"),
    [
        (OPINION, AFTER[:2]),
        (OPINION, (AFTER[0], AFTER[1], replace(AFTER[2], body="another log"))),
        (replace(OPINION, cause="See [E3]."), AFTER),
        (replace(OPINION, claims=(replace(OPINION.claims[0], cites=(9,)),)), AFTER),
    ],
)
def test_an_opinion_whose_ground_is_gone_is_not_carried_over(
    opinion: diagnoses.Opinion, now: tuple[diagnoses.Evidence, ...]
) -> None:
    assert sameness.carried(opinion, BEFORE, now) is None
