"""More than eighty secrets in the shapes of real ones: none gets to a model, to what is stored of it, or to a log."""

import json

import pytest

from bot.domain import consultations, diagnoses
from demo import model as standin
from k8s import model, redact
from tests.bot.llm import making
from tests.hostile import planted

SECRETS = planted.everything()


def hidden(text: str) -> list[str]:
    """The names of those that are in it, also as JSON has them."""
    return [one.name for one in SECRETS if one.secret in text or json.dumps(one.secret)[1:-1] in text]


def test_there_are_enough_of_them_and_each_is_in_its_line() -> None:
    assert len(SECRETS) >= 80
    assert len({one.name for one in SECRETS}) == len(SECRETS)
    assert [one.name for one in SECRETS if one.secret not in one.line] == []


@pytest.mark.parametrize("one", SECRETS, ids=lambda one: one.name)
def test_each_is_taken_out_of_text_and_of_json(one: planted.Planted) -> None:
    assert one.secret not in redact.redact(one.line)
    assert one.secret not in redact.redact(f"before {one.line}\nafter")
    assert one.secret not in json.dumps(redact.redact_json({"message": one.line, "list": [one.line]}))


async def test_none_reaches_a_model_or_what_is_stored_even_where_evidence_was_not_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every way into a request: findings, evidence, what the rules say, tools, refusals of tools, a question."""
    question = consultations.Question(7, 12, "C1", "1.0", "2.0", "U0ANA", "", "running", making.NOW)
    for start in range(0, len(SECRETS), 8):
        lines = "\n".join(one.line for one in SECRETS[start : start + 8])
        pieces = (making.STATE, making.LOG, making.ROLLOUT, diagnoses.Evidence(4, "log", "A log", lines))
        problem = model.Problem(making.DEPLOYMENT, (making.finding(message=lines[:390]),), "P1", 0, 3)
        brief = making.brief(
            problem=problem,
            dossier=diagnoses.Dossier(pieces, missing=(lines[:900],)),
            rules=diagnoses.Diagnosis(lines[:1200], (), "low", "", ""),
        )
        script = [
            standin.uses(("runbook", {"words": "a"}), ("get", {"kind": "Pod", "namespace": "x", "name": "y"})),
            standin.says(making.report(cause=f"Revision 4 removed DATABASE_URL [E3]. {lines} [E3].")),
        ]
        async with making.asking(script, look=making.Look(body=lines)) as set_up:
            result = await set_up.advisor.advise(brief)
            set_up.model.then(standin.overloaded(), standin.overloaded(), standin.overloaded())
            asked = consultations.Turn(lines[:1000], lines[:1000])
            question = consultations.Question(7, 12, "C1", "1", "2", "U0ANA", lines[:2900], "running", making.NOW)
            await set_up.advisor.answer(brief, question, [asked])
        assert hidden("\n".join(set_up.model.texts)) == []
        stored = [text for entry in set_up.ledger.entries for text in (entry.new.sent, entry.received)]
        assert hidden("\n".join(stored)) == []
        assert hidden(repr(result)) == []
    assert hidden("".join(capsys.readouterr())) == []


async def test_a_secret_that_a_model_repeats_does_not_get_into_its_opinion() -> None:
    one = next(each for each in SECRETS if each.name == "github pat")
    said = making.report(
        claims=[{"text": one.line, "quote": "env DATABASE_URL removed", "cites": ["E3"]}],
        unknown=[one.line],
        next_step=one.line,
    )
    async with making.asking([standin.says(said)]) as set_up:
        result = await set_up.advisor.advise(making.brief())
    assert result.opinion is not None
    assert hidden(repr(result)) == []
    assert hidden(set_up.ledger.entries[0].received) == []
