"""The structured answer: its schema for the API, and the reading of what came.

It is asked for as the format of the final text (`output_config.format`), not by a tool that is forced: models that
think before they answer refuse a forced tool, and where the format is set, every end of a conversation is an answer.
Everything in here is what the model says, and nothing of it is believed before `bot.llm.checking`.
"""

from typing import Any, Literal, TypeVar, get_args

import msgspec

from bot.domain import choices, diagnoses
from bot.llm import messages
from k8s import custom_actions

View = Literal["agrees", "differs", "unsure"]
_Shape = TypeVar("_Shape")
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


class Claim(msgspec.Struct, frozen=True):
    """`cites`: labels such as E2."""

    text: str
    quote: str
    cites: tuple[str, ...]


class Parameter(msgspec.Struct, frozen=True):
    name: str
    value: str


class Proposal(msgspec.Struct, frozen=True):
    """An action by its name in the catalogue, and what is entered for it."""

    action: str
    parameters: tuple[Parameter, ...]
    why: str


class Report(msgspec.Struct, frozen=True):
    cause: str
    kind: str
    claims: tuple[Claim, ...]
    view: str
    sure: bool
    unknown: tuple[str, ...]
    settle: tuple[str, ...]
    next_step: str
    actions: tuple[Proposal, ...]


class Answered(msgspec.Struct, frozen=True):
    """An answer to a person."""

    text: str
    claims: tuple[Claim, ...]
    unknown: tuple[str, ...]
    sure: bool


def _object(**properties: Any) -> messages.Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _claims() -> messages.Json:
    return {"type": "array", "items": _object(text=_TEXT, quote=_TEXT, cites=_TEXTS)}


def action_names() -> tuple[str, ...]:
    """All that can be chosen by hand, so all that can be proposed: the catalogue's own table."""
    return (*choices.WAYS, *custom_actions.installed())


def schema(purpose: Literal["diagnosis", "question"]) -> messages.Json:
    """Stable for as long as the process runs: part of what is cached."""
    if purpose == "question":
        return _object(text=_TEXT, claims=_claims(), unknown=_TEXTS, sure={"type": "boolean"})
    parameter = _object(name=_TEXT, value=_TEXT)
    proposal = _object(
        action={"type": "string", "enum": list(action_names())},
        parameters={"type": "array", "items": parameter},
        why=_TEXT,
    )
    return _object(
        cause=_TEXT,
        kind={"type": "string", "enum": list(get_args(diagnoses.CauseKind))},
        claims=_claims(),
        view={"type": "string", "enum": list(get_args(View))},
        sure={"type": "boolean"},
        unknown=_TEXTS,
        settle=_TEXTS,
        next_step=_TEXT,
        actions={"type": "array", "items": proposal},
    )


def report(text: str) -> Report:
    """Raises messages.Malformed."""
    return _decoded(text, Report)


def answered(text: str) -> Answered:
    """Raises messages.Malformed."""
    return _decoded(text, Answered)


def _decoded(text: str, shape: type[_Shape]) -> _Shape:
    body = text[text.find("{") : text.rfind("}") + 1]
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise messages.Malformed(str(error)[:200]) from error
