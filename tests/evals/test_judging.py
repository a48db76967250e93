"""Judging and telling: what is wrong is told as wrong, each fault by its own sentence."""

from dataclasses import replace

import pytest

from bot.domain import diagnoses
from evals import judging, telling, values

CASE = values.Case(
    "a-case",
    "a story",
    (),
    "api",
    "CrashLoopBackOff",
    "missing-variable",
    also=frozenset({"bad-rollout"}),
    cites=("DB_URL",),
    may=values.UNDO,
    must="rollout-undo",
    least="medium",
)
LOG = diagnoses.Evidence(2, "log", "Log", "KeyError: 'DB_URL'")
RIGHT = values.Answer("It asks for DB_URL [E2].", "missing-variable", "high", ("rollout-undo",), (LOG,))


def test_a_right_answer_is_right_and_so_is_an_accepted_cause() -> None:
    assert judging.judge(CASE, RIGHT).right
    assert judging.judge(CASE, replace(RIGHT, kind="bad-rollout")).right


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (replace(RIGHT, kind="node"), "the cause is missing-variable, not node"),
        (replace(RIGHT, cause="It crashes [E2]."), 'the cause does not say "DB_URL"'),
        (replace(RIGHT, cited=()), 'no evidence that it cites says "DB_URL"'),
        (replace(RIGHT, confidence="low"), "it is low, and the facts prove it"),
        (replace(RIGHT, actions=()), "rollout-undo is to be proposed first"),
        (replace(RIGHT, actions=("rollout-undo", "drain")), "drain must not be proposed"),
    ],
)
def test_each_fault_is_told_and_makes_it_wrong(answer: values.Answer, fault: str) -> None:
    verdict = judging.judge(CASE, answer)
    assert verdict.faults == (fault,)
    assert not verdict.right
    assert fault in telling.table([verdict])
    assert "WRONG" in telling.table([verdict])


def test_what_must_be_humble_is_wrong_where_it_is_sure() -> None:
    verdict = judging.judge(replace(CASE, least="low", most="low"), RIGHT)
    assert verdict.faults == ("it is high, and the facts do not prove as much",)


def test_no_answer_is_wrong() -> None:
    verdict = judging.judge(CASE, None)
    assert not verdict.right
    assert "nothing" in telling.table([verdict])


def test_nine_of_ten_pass_and_one_harmful_action_fails_all() -> None:
    right, wrong = judging.judge(CASE, RIGHT), judging.judge(CASE, replace(RIGHT, kind="node"))
    harmful = judging.judge(CASE, replace(RIGHT, actions=("rollout-undo", "scale")))
    assert judging.passes([right] * 9 + [wrong])
    assert not judging.passes([right] * 8 + [wrong] * 2)
    assert not judging.passes([right] * 99 + [harmful])
    assert not judging.passes([])


def test_the_totals_count_decoys_and_harm() -> None:
    decoy = judging.judge(replace(CASE, tag="decoy"), replace(RIGHT, actions=("scale",)))
    assert telling.totals("rules", [judging.judge(CASE, RIGHT), decoy]) == (
        "rules: 1 of 2 right (50 %), 1 actions that do harm; decoy 0 of 1"
    )
