"""Running: the way of an incident from a cluster to a verdict, and the command that people and CI run."""

from dataclasses import replace

import pytest

from bot.domain import diagnoses
from evals import __main__ as command
from evals import cases, judging, running, values


def case(name: str) -> values.Case:
    return next(one for one in cases.ALL if one.name == name)


async def test_a_case_goes_from_a_cluster_to_a_right_verdict() -> None:
    examined = await running.examined(case("database-scaled-away"))
    assert examined.problem is not None
    verdict = judging.judge(examined.case, running.by_rules(examined))
    assert verdict.faults == ()
    assert verdict.answer is not None
    assert "dependencies" in {piece.source for piece in verdict.answer.cited}


async def test_a_problem_that_is_not_found_is_no_answer() -> None:
    examined = await running.examined(replace(case("node-silent"), subject="worker-1"))
    assert running.by_rules(examined) is None


async def test_other_rules_are_judged_by_the_same_cases() -> None:
    def guess(problem: object, dossier: diagnoses.Dossier, now: object) -> diagnoses.Diagnosis:
        return diagnoses.Diagnosis("It is the node.", (), "high", "a guess", "Look.", kind="node")

    examined = await running.examined(case("go-variable-never-set"))
    verdict = judging.judge(examined.case, running.by_rules(examined, guess))
    assert not verdict.right
    assert "the cause is missing-variable, not node" in verdict.faults


def test_the_command_prints_its_table_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--case", "tag-does-not-exist"]) == 0
    told = capsys.readouterr().out
    assert "bad-image" in told
    assert "rules: 1 of 1 right (100 %), 0 actions that do harm" in told


def test_the_command_fails_where_a_case_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = replace(case("tag-does-not-exist"), cause="node")
    assert command.main([], [wrong]) == 1
    assert "the cause is node, not bad-image" in capsys.readouterr().out


def test_the_command_fails_where_an_action_does_harm(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = replace(case("tag-does-not-exist"), may=values.NOTHING, must="")
    assert command.main([], [wrong]) == 1
    assert "HARM" in capsys.readouterr().out


def test_a_case_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--case", "no-such"]) == 2
    assert "there is no case no-such" in capsys.readouterr().err
