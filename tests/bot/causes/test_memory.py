"""OOM kills: whether the last rollout lowered the limit, and what is said where it did not."""

from datetime import timedelta

import pytest

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_an_oom_kill_at_a_limit_that_was_just_lowered_is_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("OOMKilled", facts={"memory_limit": "128Mi", "restarts": "4"}),
        d.dossier("status", "rollout", facts=d.rolled_out("image: api:1 → api:2\nmemory limit 256Mi → 128Mi")),
        d.NOW,
    )
    assert found.confidence == "high"
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]


@pytest.mark.parametrize(
    ("diff", "undone"),
    [
        ("memory limit none → 128Mi", True),
        ("memory limit 1Gi → 512Mi", True),
        ("app: memory limit 1Gi → 512Mi", True),
        ("sidecar: memory limit 1Gi → 512Mi", False),
        ("memory limit 128Mi → 256Mi", False),
        ("memory limit 128Mi → none", False),
        ("memory request 128Mi → 256Mi", False),
    ],
)
def test_only_a_limit_of_the_killed_container_that_was_lowered_is_to_blame_long_after_the_rollout(
    diff: str, undone: bool
) -> None:
    found = diagnosing.diagnose(
        d.problem("OOMKilled"),
        d.dossier("status", "rollout", facts=d.rolled_out(diff, ago=timedelta(days=2))),
        d.NOW,
    )
    assert (d.actions(found) == [model.RolloutUndo(d.API, 3)]) == undone


def test_a_limit_that_was_just_raised_is_not_put_back_to_what_was_less() -> None:
    raised = "memory limit 128Mi → 256Mi"
    only = diagnosing.diagnose(
        d.problem("OOMKilled"), d.dossier("status", "rollout", facts=d.rolled_out(raised)), d.NOW
    )
    assert d.actions(only) == []
    assert "rollout" not in only.cause
    with_more = diagnosing.diagnose(
        d.problem("OOMKilled"),
        d.dossier("status", "rollout", facts=d.rolled_out(f"image: api:1 → api:2\n{raised}")),
        d.NOW,
    )
    assert d.actions(with_more) == [model.RolloutUndo(d.API, 3)]
    assert with_more.confidence == "medium"


def test_an_oom_kill_without_a_change_is_for_a_person() -> None:
    found = diagnosing.diagnose(
        d.problem("OOMKilled", facts={"memory_limit": "128Mi", "restarts": "4"}), d.dossier("status"), d.NOW
    )
    assert d.actions(found) == []
    told = "Container app used all of its memory limit of 128Mi when the kernel killed it, 4 restarts so far [E1]."
    assert found.cause == told
    assert "No action here helps for long" in found.next_step


@pytest.mark.parametrize(("restarts", "told"), [("0", "[E1]."), ("1", ", 1 restart so far [E1]."), ("odd", "[E1].")])
def test_an_oom_kill_without_a_limit_says_that_there_is_none_and_counts_as_people_do(restarts: str, told: str) -> None:
    found = diagnosing.diagnose(d.problem("OOMKilled", facts={"restarts": restarts}), d.dossier("status"), d.NOW)
    assert "it has no memory limit, and its node or pod had none left" in found.cause
    assert found.cause.endswith(told)
