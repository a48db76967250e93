"""What the rules propose for each kind and cause is what docs/causes.md says, and no rule proposes what it must not."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.flow import diagnosing
from k8s import detection, model, remedies
from tests.bot.causes import dossiers as d
from tests.bot.causes import examples

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "causes.md").read_text()


def _rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for kind, cause, proposes in re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE):
        if kind in detection.KINDS:
            yield kind, cause, tuple(re.findall(r"`([a-z-]+)`", proposes))


def _named(example: examples.Example) -> str:
    return f"{example.kind}: {example.cause}"


@pytest.mark.parametrize("example", examples.EXAMPLES, ids=_named)
def test_each_cause_is_proposed_what_its_example_says(example: examples.Example) -> None:
    found = diagnosing.diagnose(example.problem, example.dossier, d.NOW)
    assert tuple(model.name_of(action) for action in d.actions(found)) == example.proposes
    assert all(remedies.fault(action) is None for action in d.actions(found))
    assert found.next_step.endswith(".")
    assert found.cites, "a cause that cites nothing"


def test_the_page_tells_each_kind_and_cause_and_what_is_proposed_for_it() -> None:
    assert list(_rows()) == [(one.kind, one.cause, one.proposes) for one in examples.EXAMPLES]


def test_every_kind_that_is_detected_has_its_rows() -> None:
    assert {example.kind for example in examples.EXAMPLES} == detection.KINDS.keys() == diagnosing.RULES.keys()


def test_what_is_never_proposed_is_named_on_the_page() -> None:
    section = PAGE.partition("## Never by a rule")[2]
    never = set(re.findall(r"^- `([a-z-]+)`", section, re.MULTILINE))
    proposed = {name for example in examples.EXAMPLES for name in example.proposes}
    assert not never & proposed
    assert never | proposed == {str(one.__struct_config__.tag) for one in typing.get_args(model.Action)}


@pytest.mark.parametrize("example", [one for one in examples.EXAMPLES if one.proposes], ids=_named)
def test_every_action_that_is_proposed_says_why_and_stays_with_its_subject(example: examples.Example) -> None:
    found = diagnosing.diagnose(example.problem, example.dossier, d.NOW)
    for candidate in found.candidates:
        assert candidate.why
        assert candidate.action.workload == example.problem.subject
