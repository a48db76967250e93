"""Asking Prometheus and Loki: one GET with a bound on its time and its size. Called by `prometheus` and `loki`.

Redirects are not followed: the token is for the address that was set, and for no other.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from bot.evidence import gathering

LIMIT = 2_000_000
"""Bytes of an answer that are read at most."""
_TELLS = 300
_WARNINGS = 3


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. `{cluster}` in the address stands for the cluster's name."""

    url: str
    token: str = field(default="", repr=False)
    """Bearer token; empty: none is sent."""
    seconds: float = 6.0
    tenant: str = ""
    """Whose data is meant, where a server keeps those of several apart (`X-Scope-OrgID`); empty: it is not said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query brought."""

    result: Sequence[dict[str, Any]]
    """Series or streams, each with `metric` or `stream` and `values`; a single value is a series of one point."""
    warnings: tuple[str, ...] = ()
    """What the server says against its own answer: that a part of its stores did not answer, for example."""


async def get(at: Address, cluster: str, path: str, parameters: Mapping[str, str]) -> Answer:
    """What came of a query. Raises gathering.Unanswered with the reason, in the server's own words where it has any."""
    url = f"{at.url.replace('{cluster}', cluster).rstrip('/')}/{path}"
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {at.token}"} if at.token else {})
    headers |= {"X-Scope-OrgID": at.tenant} if at.tenant else {}
    try:
        async with (
            asyncio.timeout(at.seconds),
            aiohttp.ClientSession(headers=headers) as session,
            session.get(url, params=parameters, allow_redirects=False) as answer,
        ):
            body = await _bounded(answer)
            status = answer.status
    except TimeoutError:
        raise gathering.Unanswered(f"no answer within {at.seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise gathering.Unanswered(f"it could not be asked ({type(error).__name__})") from None
    return _result(status, body)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_chunked(65_536):
        body += part
        if len(body) > LIMIT:
            raise gathering.Unanswered(f"its answer is larger than {LIMIT // 1_000_000} MB")
    return body


def _result(status: int, body: bytes) -> Answer:
    """https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview, which Loki follows; its errors are
    plain text."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if status != 200:
        told = answer.get("error") if isinstance(answer, dict) else None
        words = told if isinstance(told, str) else "" if body.lstrip()[:1] == b"<" else body.decode("utf-8", "replace")
        said = " ".join(words.split())[:_TELLS]
        raise gathering.Unanswered(f"it answered {status}{f': {said}' if said else ''}")
    data = answer.get("data") if isinstance(answer, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(answer, dict) or not isinstance(data, dict) or not isinstance(result, list):
        raise gathering.Unanswered("its answer is not that of a query")
    if data.get("resultType") in ("scalar", "string"):  # one pair, without labels
        result = [{"metric": {}, "value": result}]
    warnings = answer.get("warnings")
    told = [one for one in (warnings if isinstance(warnings, list) else ()) if isinstance(one, str)]
    return Answer([_series(one) for one in result if isinstance(one, dict)], tuple(told[:_WARNINGS]))


def _series(one: dict[str, Any]) -> dict[str, Any]:
    """An instant's value as a series of one point."""
    return {**one, "values": [one["value"]]} if "value" in one and "values" not in one else one
