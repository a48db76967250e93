"""Takes secrets out of text that comes from a cluster, before it reaches Slack, the database or a model.

Logs, events, annotations, manifests and error messages all pass through here. Three ways to see a secret: by its shape
(`redact_shapes`: a key's prefix, a JWT, a PEM block, a URL with a password), by the name that it stands under
(`redact_fields`: `DB_PASSWORD=`, `"token":`, `--api-key`), and by what base64 hides. What is replaced reads
`[redacted:<kind>]`; all else stays as it was, so that the text can still be read; redacting again brings nothing back.

Hostile input is expected: every pattern is bounded, and the time is linear in the length of the text. Where a secret
and a harmless text cannot be told apart, it is redacted. Called by `k8s.executor` and by all of `bot` that shows or
keeps text of a cluster.
"""

import re

from k8s import redact_fields, redact_shapes

_MAX_DEPTH = 48
"""Nesting of JSON beyond which nothing is shown: no object of the API is so deep."""
_MAX_UNWRAPPED = 2
"""base64 in base64 (a Helm release) is looked into, further wrapping is not."""

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}+={0,2}(?![A-Za-z0-9+/_-])")
_RUN = re.compile(r"(?:(?<=[_-])|^)[A-Za-z0-9+/]{16,}+={0,2}")
_GZIP = re.compile(r"(?<![A-Za-z0-9+/])H4sI[A-Za-z0-9+/]{40,}+={0,2}")
_PEM_LINE = re.compile(
    r"(?m)^([ \t]{0,20})(?=[^\n]{0,80}[a-z])(?=[^\n]{0,80}[A-Z])(?=[^\n]{0,80}[0-9+])[A-Za-z0-9+/]{60,76}={0,2}(?=\r?$)"
)


def redact(text: str) -> str:
    """The text without its secrets."""
    return _redact(text, 0)


def redact_json(value: object) -> object:
    """The same value with every string redacted, and whatever stands under a name that promises a secret.

    Knows what is secret by the API's own structure: `data` of a Secret, `env` entries, fields of a kubeconfig and of a
    registry's credentials. Takes and gives plain JSON: dict, list, str, int, float, bool, None.
    """
    return _redact_value(value, 0)


def _redact(text: str, unwrapped: int) -> str:
    text = redact_shapes.blocks(text)
    text = redact_fields.manifests(text)
    text = redact_shapes.shapes(text)
    text = _wrapped(text, unwrapped)
    return redact_fields.fields(text)


def _wrapped(text: str, unwrapped: int) -> str:
    """Redacts base64 that hides a secret, compressed data in base64, and lone lines out of a PEM block."""
    text = _PEM_LINE.sub(r"\1[redacted:base64]", text)
    text = _GZIP.sub("[redacted:base64]", text)
    if unwrapped >= _MAX_UNWRAPPED:
        return text
    return _BASE64.sub(lambda match: _unwrap(match.group(), unwrapped), text)


def _unwrap(token: str, unwrapped: int) -> str:
    """Base64 of either alphabet; where both are mixed, also the runs of the common one (`name-<base64>`)."""
    for run in (token, *_RUN.findall(token)):
        plain = redact_shapes.decoded(run)
        if plain and _redact(plain, unwrapped + 1) != plain:
            return "[redacted:base64]"
    return token


def _redact_value(value: object, depth: int) -> object:
    if isinstance(value, str):
        return redact(value)
    if not isinstance(value, dict | list):
        return value
    if depth >= _MAX_DEPTH:
        return "[redacted:depth]"
    if isinstance(value, list):
        return [_redact_value(entry, depth + 1) for entry in value]
    secret = _secret_fields(value)
    return {
        redact(key) if isinstance(key, str) else key: _blank(entry, depth + 1)
        if key in secret
        else _redact_under(key, entry, depth + 1)
        for key, entry in value.items()
    }


def _secret_fields(value: dict[object, object]) -> frozenset[str]:
    """Fields of this object whose every leaf is secret, by the other fields beside them."""
    if value.get("kind") == "Secret":
        return frozenset(("data", "stringData"))
    name = value.get("name")
    return frozenset(("value",)) if isinstance(name, str) and redact_fields.kind(name) else frozenset()


def _blank(value: object, depth: int) -> object:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        return {key: _blank(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, str) and (not value or redact_shapes.MARKERS.fullmatch(value)):
        return value
    return value if value is None else "[redacted:secret]"


def _redact_under(key: object, value: object, depth: int) -> object:
    kind = redact_fields.kind(key) if isinstance(key, str) else ""
    if not kind or isinstance(value, dict | bool) or value is None:
        return _redact_value(value, depth)
    if isinstance(value, list):
        return [_redact_under(key, entry, depth + 1) for entry in value] if depth < _MAX_DEPTH else "[redacted:depth]"
    if redact_fields.harmless(str(key), str(value)):
        return _redact_value(value, depth)
    return f"[redacted:{kind}]"
