"""Every action of the catalogue has a story that does it, verifies it and takes it back, or says why not."""

import inspect
import types

import pytest

from k8s import remedies
from tests.stories import (
    asking,
    test_actions_on_both_endings,
    test_actions_on_both_jobs,
    test_actions_on_both_nodes,
    test_actions_on_both_others,
    test_actions_on_both_rollouts,
    test_actions_on_both_workloads,
    test_draining,
)

FILES = (
    test_actions_on_both_endings,
    test_actions_on_both_jobs,
    test_actions_on_both_nodes,
    test_actions_on_both_others,
    test_actions_on_both_rollouts,
    test_actions_on_both_workloads,
)
ELSEWHERE = (test_draining,)
"""Those whose action is a story of its own: a drain is many writes."""


def test_every_action_has_a_story_and_every_story_an_action() -> None:
    told = [name for file in (*FILES, *ELSEWHERE) for name in file.STORIES]
    assert len(told) == len(set(told))
    assert {name.partition(" ")[0] for name in told} == set(remedies.REMEDIES)


@pytest.mark.parametrize("file", FILES)
def test_a_story_says_what_is_written_and_whether_it_can_be_taken_back(file: types.ModuleType) -> None:
    stories: dict[str, asking.Story] = file.STORIES
    for name, story in stories.items():
        assert story.wrote, name
        assert bool(story.undone) != bool(story.final or story.refused), name


@pytest.mark.parametrize("file", ELSEWHERE)
def test_a_story_that_is_told_elsewhere_is_a_test_of_its_file(file: types.ModuleType) -> None:
    for name, story in file.STORIES.items():
        assert inspect.iscoroutinefunction(story), name
        assert story.__name__.startswith("test_"), name
        assert getattr(file, story.__name__) is story, name
