"""The words of a headline agree with each other."""

import pytest

from bot.slack.blocks import wording
from tests.bot.slack import building


@pytest.mark.parametrize(
    ("kinds", "ready", "said"),
    [
        (("NotReady", "RolloutStuck"), 3, "is stuck in a rollout"),
        (("NotReady", "RolloutStuck"), 2, "is running but not ready"),
        (("NotReady",), 3, "is running but not ready"),
        (("SomethingNew",), 3, "has SomethingNew"),
        ((), 3, "has a problem"),
    ],
)
def test_a_headline_does_not_contradict_its_count(kinds: tuple[str, ...], ready: int, said: str) -> None:
    assert wording.trouble(building.incident(kinds=kinds, ready=ready, desired=3)) == said


def test_what_is_over_is_told_as_past() -> None:
    assert wording.trouble(building.resolved()) == "was crash-looping"
