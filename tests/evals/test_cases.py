"""The cases themselves: enough of them, of every sort, and each sort of cause reached by one or by an example."""

import re
import typing
from pathlib import Path

import pytest

from bot.domain import advice, diagnoses
from bot.flow import diagnosing
from evals import cases
from k8s import detection, model
from tests.bot.causes import dossiers as d
from tests.bot.causes import examples

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "causes.md").read_text()
ACTIONS = {str(one.__struct_config__.tag) for one in typing.get_args(model.Action)}


def test_there_are_enough_cases_decoys_and_hostile_ones_under_names_of_their_own() -> None:
    assert len(cases.ALL) >= 45
    assert sum(case.tag == "decoy" for case in cases.ALL) >= 8
    assert sum(case.tag == "hostile" for case in cases.ALL) >= 4
    assert len({case.name for case in cases.ALL}) == len(cases.ALL)


@pytest.mark.parametrize("case", cases.ALL, ids=lambda case: case.name)
def test_a_case_speaks_of_what_there_is(case: typing.Any) -> None:
    assert case.kind in detection.KINDS
    assert case.may <= ACTIONS
    assert case.must in {"", *case.may}
    assert case.story.endswith(".")


def test_every_sort_of_cause_is_reached_by_a_case_an_example_or_what_a_finding_tells() -> None:
    by_case = {case.cause for case in cases.ALL}
    by_example = {diagnosing.diagnose(one.problem, one.dossier, d.NOW).kind for one in examples.EXAMPLES}
    by_finding = {one.cause for one in advice.ADVICE.values()}
    assert set(typing.get_args(diagnoses.CauseKind)) == by_case | by_example | by_finding


def test_the_page_names_every_sort_of_cause_in_its_order() -> None:
    section = PAGE.partition("## Sorts of causes")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(typing.get_args(diagnoses.CauseKind))
