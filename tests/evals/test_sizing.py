"""How large the first prompt of a case is: all that would be sent, and no more than a median incident may cost."""

from dataclasses import replace

import pytest

from bot.domain import diagnoses
from bot.evidence import ranking
from bot.llm import prompts
from evals import __main__ as command
from evals import cases, sizing, values
from tests.bot.llm import making

RULES = diagnoses.Diagnosis("It ends [E1].", (1,), "high", "r", "n")


def examined(*pieces: diagnoses.Evidence) -> values.Examined:
    return values.Examined(cases.ALL[0], making.brief().problem, diagnoses.Dossier(pieces))


def test_instructions_tools_and_evidence_count() -> None:
    small = sizing.first_prompt(examined(), RULES, making.NOW)
    log = replace(making.LOG, body="an error line of some length\n" * 40)
    large = sizing.first_prompt(examined(log), RULES, making.NOW)
    assert small > ranking.estimate(prompts.system("diagnosis"))
    assert large - small >= ranking.estimate(log.body)


def test_evidence_without_end_does_not_make_a_prompt_without_end() -> None:
    pieces = [replace(making.LOG, number=number, body=f"line {number} " * 5000) for number in range(1, 20)]
    assert sizing.first_prompt(examined(*pieces), RULES, making.NOW) < sizing.MEDIAN


def test_where_nothing_was_found_there_is_no_prompt() -> None:
    with pytest.raises(ValueError, match="nothing was found"):
        sizing.first_prompt(replace(examined(), problem=None), RULES, making.NOW)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([], "first prompt: none"),
        ([4000], "first prompt: median 4,000 tokens, 95 of 100 at most 4,000 (estimated)"),
        (range(1, 101), "first prompt: median 50 tokens, 95 of 100 at most 95 (estimated)"),
    ],
)
def test_median_and_the_larger_ones_are_told(sizes: list[int], told: str) -> None:
    assert sizing.told(sizes) == told


def test_the_command_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--case", "tag-does-not-exist"]) == 0
    assert "first prompt: median " in capsys.readouterr().out
