"""Asking a model about the cases: by the product's own advisor, through its client, from a stand-in of the API."""

import pytest

from bot import settings
from demo.model import KEY, StandIn, says
from evals import __main__ as command
from evals import asking, cases, telling, values

CASE = next(one for one in cases.ALL if one.name == "go-variable-never-set")
LINE = "required key SMTP_HOST missing value"
REPORT = {
    "cause": "The process requires SMTP_HOST, which it is not given [E2].",
    "kind": "missing-variable",
    "claims": [{"text": "It ends for SMTP_HOST", "quote": LINE, "cites": ["E2"]}],
    "view": "agrees",
    "sure": True,
    "unknown": [],
    "settle": [],
    "next_step": "Give SMTP_HOST to the container.",
    "actions": [],
}


def chosen(url: str, **more: str) -> settings.Settings:
    environment = {"WATCHKEEPER_ANTHROPIC_API_KEY": KEY, "WATCHKEEPER_ANTHROPIC_BASE_URL": url, **more}
    return settings.load({"WATCHKEEPER_MODEL_SMALL": "off", **environment})


async def asked(report: dict[str, object], **more: str) -> asking.Asked:
    async with StandIn([says(report)]) as model:
        return await asking.ask([CASE], chosen(model.url, **more), lambda _: None)


async def test_rules_and_model_are_judged_by_the_same_case_and_the_bill_is_told() -> None:
    found = await asked(REPORT)
    assert [verdict.faults for verdict in (*found.rules, *found.model)] == [(), ()]
    assert found.bill.cost > 0
    assert len(found.bill.sizes) == 1
    assert "median first prompt: " in str(found.bill)
    assert "missing-variable" in telling.table(found.model)


async def test_a_wrong_view_of_a_model_is_told_as_wrong() -> None:
    found = await asked({**REPORT, "kind": "node"})
    assert "the cause is missing-variable, not node" in found.model[0].faults
    assert found.rules[0].right


async def test_what_a_case_may_cost_is_kept() -> None:
    found = await asked(REPORT, WATCHKEEPER_BUDGET_INCIDENT="0.000001")
    assert found.model[0].answer is None
    assert found.bill.cost == 0
    assert str(found.bill).endswith("median first prompt: none tokens")


def test_without_a_key_the_command_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("WATCHKEEPER_ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    picked: list[values.Case] = [CASE]
    assert command.main(["--model"], picked) == 2
    assert "WATCHKEEPER_ANTHROPIC_API_KEY" in capsys.readouterr().err
