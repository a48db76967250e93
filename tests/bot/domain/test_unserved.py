"""Which revisions the record speaks against: by when they were current, and when something of theirs was failing."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain import incidents, memory, unserved
from k8s import model
from tests.bot.store import examples
from tests.k8s import raw

TARGET = raw.target(
    raw.workload(template=raw.pod_template("web:3"), revision=3),
    replicasets=(
        raw.replicaset(1, "web:1", created=3000),
        raw.replicaset(2, "web:2", created=600),
        raw.replicaset(3, "web:3", created=10, pods=1),
    ),
)
"""Revision 1 was current from 3000 to 600 minutes ago, revision 2 from then to 10 minutes ago."""


def incident(began: float, over: float | None = None, **changes: Any) -> incidents.Incident:
    """By minutes before now."""
    since = raw.NOW - timedelta(minutes=began)
    ended = None if over is None else raw.NOW - timedelta(minutes=over)
    state = "open" if ended is None else "resolved"
    kinds = {"kinds": ("CrashLoopBackOff",)} | changes
    return examples.incident(id=7, since=since, opened_at=since, resolved_at=ended, state=state, **kinds)


def spoken(*found: incidents.Incident, target: model.Target = TARGET) -> dict[int, str]:
    return dict(unserved.against(target, found, raw.NOW))


def test_a_revision_that_failed_when_it_was_replaced_is_told_with_its_incident() -> None:
    assert spoken(incident(30)) == {2: "Revision 2 was failing when it was replaced: WK-7 (CrashLoopBackOff) was open."}
    assert list(spoken(incident(800, 400))) == [1]


def test_one_that_failed_all_its_life_did_not_serve_though_it_was_well_at_the_very_end() -> None:
    assert spoken(incident(600, 12)) == {2: "Revision 2 failed all the time that it ran: WK-7 (CrashLoopBackOff)."}
    assert spoken(incident(600, 300), incident(299, 12)) != {}
    assert spoken(incident(600, 30)) == {}, "18 minutes of service"


@pytest.mark.parametrize(
    "found",
    [
        incident(9),
        incident(11),
        incident(500, 400),
        incident(700, 601),
        incident(30, 5, clear_since=raw.NOW - timedelta(minutes=12)),
        incident(500, kinds=("HPABroken",)),
        incident(500, kinds=("PDBBlocking", "Risk")),
    ],
    ids=["after", "with-the-rollout", "long-over", "just-over", "clear-before", "around-it", "around-it-too"],
)
def test_what_was_over_came_after_or_is_about_something_else_says_nothing(found: incidents.Incident) -> None:
    assert spoken(found) == {}


def test_what_was_put_back_is_judged_by_its_last_end_as_well() -> None:
    """1 served, then 2 failed, 1 came back as 3, and 4 replaced it while it failed."""
    sets = (
        raw.replicaset(3, "web:1", created=3000, history="1"),
        raw.replicaset(2, "web:2", created=600),
        raw.replicaset(4, "web:4", created=10, pods=1),
    )
    target = raw.target(raw.workload(template=raw.pod_template("web:4"), revision=4), replicasets=sets)
    assert list(spoken(incident(40), target=target)) == [3]
    assert spoken(incident(590, 500), target=target) == {}


def test_a_live_one_that_was_fixed_and_came_back_counts_from_there() -> None:
    live, at = incident(900), raw.NOW - timedelta(minutes=60)
    tries = [
        memory.Try("rollout-undo", "verified", at, timedelta(minutes=20)),
        memory.Try("scale", "not-verified", at + timedelta(minutes=50)),
        memory.Try("scale", "verified", raw.NOW - timedelta(days=9)),
    ]
    assert unserved.gone_on(live, tries).since == at + timedelta(minutes=35)
    assert unserved.gone_on(live, tries[1:]) == live
