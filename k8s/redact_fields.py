"""Secrets that are known by the name they stand under: environment variables, JSON, YAML, logfmt, headers, flags.

A name is secret by its last telling word, unless what follows it says that only a reference or a property is meant
(`secretName`, `tokenExpirationSeconds`, `passwordFile`). Called by `k8s.redact` alone.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from k8s import redact_shapes

_WORD = re.compile(
    r"pass(?:phrase|word|wd|wort)|(?<=[_-])pass(?![a-z])|pwd|secret[_-]?(?:access[_-]?)?key|secret|token|jwt"
    r"|(?:api|access|account|auth|encryption|master|private|shared[_-]?access|signing|storage|license|webhook)[_-]?key"
    r"|credential|authorization|(?<![a-z])auth(?![a-z])|authtoken|cookie|session[_-]?id|sessid|connect\.sid"
    r"|client-key-data|client-certificate-data|certificate-authority-data|connection[_-]?string"
    r"|x-amz-(?:signature|credential)"
)
_KINDS = (
    ("pass", "password"), ("pwd", "password"), ("secret", "secret"), ("token", "token"), ("jwt", "token"),
    ("authorization", "authorization"), ("auth", "credential"), ("cookie", "cookie"), ("sess", "session"),
    ("connect.sid", "session"), ("connection", "connection-string"), ("credential", "credential"),
)  # fmt: skip
_HARMLESS_SUFFIX = re.compile(
    r"(?:s|es)?[_.-]*(?:key[_-]?ref|ref|name|namespace|file|path|dir|type|ttl|expir|count|limit|usage|used|bucket|url|uri"
    r"|endpoint|issuer|policy|length|size|mount|version|enabled|required|reset|controller|review|request|store|provider"
    r"|class|manager|exists|iz|rotation|source|volume|projection|audience|format|field|header|prefix|hint|algorithm"
    r"|changed|updated|created|last|missing|error|valid|seconds|age|scope|mode|plugin|handler|generator|mapping|stdin)"
    r"|[\w.-]{0,40}(?:file|path|dir|name|ref|ttl|seconds)\Z"
)
_SECRETS_OF_PODS = "imagepullsecrets"

_BEFORE = 64
_SHORTEST_AUTH = 12
"""Under the bare name `auth`, a shorter plain word is a method (`none`, `basic`, `plain`)."""
_AFTER = re.compile(r"[\w.-]{0,40}+")
_NAME_BACK = re.compile(r"[\w.-]{0,64}+\Z")
_LINE_START = re.compile(r"(?:\A|\n|(?P<escaped>\\n))[ \t+#>-]{0,40}(?P<quote>[\"']?)\Z")

_ASSIGN = re.compile(r"\\{0,8}[\"'`]?[ \t]{0,20}(?P<sign>=>|:=|==?|%3[Dd]|:(?!:|//))[ \t]{0,20}")
_VALUE_NEXT = re.compile(
    r"\\{0,8}[\"']?(?:[\s,]|\\{1,8}[nrt]){1,60}+(?:-[ \t]{1,4})?\\{0,8}[\"']?value\\{0,8}[\"']?[ \t]{0,8}[:=][ \t]{0,8}"
)
_FLAG_NEXT = re.compile(r"(?:[ \t]{1,8}|\\{0,8}[\"'][ \t]{0,8},\s{0,40}(?:-[ \t]{1,4})?(?=\\{0,8}[\"']))(?!-)")

_QUOTE = re.compile(r"(\\{0,8})([\"'`])")
_QUOTED_MAX = 4096
_RUN = re.compile(
    r"(?:[^\s\"'`;,&<\\]|[;,&](?!\s{0,4}[\"']?\w[\w .-]{0,40}+[\"']?[=:])|<(?!/)"
    r"|\\(?!\\{0,8}[\"'])|[\"'`](?=[^\s,}\])\"'`:;\\]))++"
)
_LINE = re.compile(r"[^\r\n]{1,16384}+")
_ESCAPED_LINE = re.compile(r"(?:[^\\\r\n\"]|\\(?!\\{0,8}[nr\"]))++")
_WORDS = re.compile(r"(?:[ \t]{1,2}[a-z]{2,24}+(?![\w=:/.-])){0,12}+")
_LIST = re.compile(r"\[(?!redacted:)(?!\s*\{)[^\[\]\n]{1,4096}+\]")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?[ \t]{0,8}\n")
_BLOCK_LINE = re.compile(r"([ \t]{0,200}+)([^\n]{0,4096}+)(?:\n|\Z)")
_ESCAPED_HEADER = re.compile(r"(?:[^\\\r\n]|\\(?!\\{0,8}[nr]))++")
_CLOSERS = ")]}>.,;"

_HARMLESS_VALUE = re.compile(
    r"(?:null|nil|none|true|false|yes|no|~|<[\w .:-]{0,40}>"
    r"|\*{3,}|\$[({][\w.]{1,128}[)}]|\$[A-Za-z_]\w{0,127}|\(?redacted\)?|[0-9]{1,9} bytes)?",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"(?:not found|(?:expired|invalid|missing|required|denied|empty|incorrect|wrong|unknown|revoked|mismatch|rejected"
    r"|failed|unauthorized|forbidden|malformed|unset|disabled|unavailable|unsupported)(?![\w-]))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?:secrets?|signature|illegal|crypto|could|couldn't|cannot|can't|unable|error|the|is|was|has|must|no|not|does|did"
    r"|unexpected|failure|while|from|for|in|a|an|got|context|oidc|token)(?=:?[ \t])",
    re.IGNORECASE,
)
_NESTED = re.compile(r"\{|\[\s{0,40}\{|<set to the key ")
_OBJECT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SCHEME = re.compile(r"(?i)(?:basic|bearer|token|digest|negotiate|apikey|ssws|aws4-hmac-sha256)[ \t]{1,8}")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_SECRET_KIND = re.compile(r"kind\\{0,8}[\"']?\s{0,8}:\s{0,8}\\{0,8}[\"']?Secret(?![\w])")
_DATA_LINE = re.compile(r"([ \t]*)(?:- )?(?:data|stringData):[ \t]*")
_ESCAPED_END = re.compile(r"(\\{1,8}n)")
_ENTRY = re.compile(r"([ \t]*[\w.\"'-]{1,253}:)[ \t]*(\S.*)?")
_DATA_JSON = re.compile(r"(\\{0,8}\"(?:data|stringData)\\{0,8}\"\s{0,20}:\s{0,20}\{)([^{}]*+)(?=\})")
_DATA_VALUE = re.compile(r"(:\s{0,20}\\{0,8}\")([^\"\\]+)(?=\\{0,8}\")")


def kind(name: str) -> str:
    """What a field of this name holds, as the marker says it (`password`, `token` …); "" for a harmless name."""
    low = name.translate(_LOWER)
    last = next(iter(deque(_WORD.finditer(low), maxlen=1)), None)
    if last is None or low.endswith(_SECRETS_OF_PODS) or _HARMLESS_SUFFIX.match(low, last.end()):
        return ""
    word = last.group()
    return next((said for start, said in _KINDS if word.startswith(start) and not word.endswith("key")), "key")


def harmless(name: str, value: str) -> bool:
    """Whether this value is none, though the name promises a secret: null, a reference, a count, a directory."""
    low = name.translate(_LOWER).strip("-\"'")
    if _HARMLESS_VALUE.fullmatch(value) or redact_shapes.MARKERS.fullmatch(value):
        return True
    if low.endswith("tokens") and value.replace(".", "", 1).isdigit():
        return True
    if low.endswith("auth") and len(value) < _SHORTEST_AUTH and value.isalpha() and value.islower():
        return True
    if low in ("pwd", "oldpwd") and value.startswith("/"):
        return True
    return low.endswith(("secret", "secrets")) and _OBJECT.fullmatch(value) is not None


def manifests(text: str) -> str:
    """Blanks the data of Secret objects in YAML and JSON text, also in JSON that was quoted into an annotation."""
    if not _SECRET_KIND.search(text):
        return text
    text = _DATA_JSON.sub(lambda match: match.group(1) + _DATA_VALUE.sub(_blank, match.group(2)), text)
    documents = re.split(r"(?m)(^---.*$)", text)
    text = "".join(_yaml(document) if _SECRET_KIND.search(document) else document for document in documents)
    return "\n".join(map(_escaped, text.split("\n"))) if "\\n" in text else text


def _escaped(line: str) -> str:
    """The same where the ends of the manifest's lines are escaped: YAML in a JSON string, in one line of a log."""
    if "\\n" not in line or not _SECRET_KIND.search(line):
        return line
    parts = _ESCAPED_END.split(line)
    parts[::2] = _yaml("\n".join(parts[::2])).split("\n")
    return "".join(parts)


def _blank(match: re.Match[str]) -> str:
    return match.group() if redact_shapes.MARKERS.fullmatch(match.group(2)) else f"{match.group(1)}[redacted:secret]"


def _yaml(document: str) -> str:
    lines = document.split("\n")
    indent: int | None = None
    for number, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and depth > indent:
            entry = _ENTRY.fullmatch(line)
            if entry is None:
                lines[number] = f"{line[:depth]}[redacted:secret]"
            elif entry.group(2) and not _BLOCK.fullmatch(f"{entry.group(2)}\n"):
                lines[number] = f"{line[: entry.start(2)]}[redacted:secret]"
            continue
        if line.strip():
            opened = _DATA_LINE.fullmatch(line)
            indent = len(opened.group(1)) if opened else None
    return "\n".join(lines)


def fields(text: str) -> str:
    """Redacts every value that stands under a secret name."""
    low = text.translate(_LOWER)
    parts: list[str] = []
    done = 0
    for word in _WORD.finditer(low):
        if word.start() < done:
            continue
        found = _value(text, low, word)
        if found is not None:
            start, end, marker = found
            parts += (text[done:start], marker)
            done = end
    return "".join((*parts, text[done:]))


def _value(text: str, low: str, word: re.Match[str]) -> tuple[int, int, str] | None:
    """(start, end, marker) of the value that stands under the name of which `word` is a part."""
    after = _AFTER.match(low, word.end())
    name_end = after.end() if after else word.end()
    sign = _ASSIGN.match(text, name_end)
    opening = sign or _VALUE_NEXT.match(text, name_end) or _FLAG_NEXT.match(text, name_end)
    if opening is None:  # also where the name is longer than any name is
        return None
    before = _NAME_BACK.search(low, max(0, word.start() - _BEFORE), word.start())
    name_start = before.start() if before else word.start()
    if text[name_start - 1 : name_start] == "\\" and text[name_start] in "nrt" and name_start < word.start():
        name_start += 1  # the letter of an escaped line end
    name = text[name_start:name_end]
    secret = kind(name)
    if not secret or (opening.re is _FLAG_NEXT and not name.startswith("-")):
        return None
    start = _LINE_START.search(text, max(0, name_start - 42), name_start)
    colon = sign is not None and sign.group("sign") == ":"
    until = _reach(opening.group(), start if colon else None, secret, colon=colon)
    place = _Place(name, f"[redacted:{secret}]", name_start, secret in ("authorization", "cookie"), colon, until)
    return _span(text, opening.end(), place)


_Reach = Literal["line", "escaped-line", "words", "run"]
"""line: all of it, as in YAML. words: amid a sentence, a password may be of several words. run: up to a blank."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: under which name, and how far it may reach."""

    name: str
    marker: str
    start: int
    """Where the name begins."""
    scheme: bool
    """Whether it is a header that may begin with a scheme, and reach to the end of its line."""
    colon: bool
    until: _Reach


def _reach(opening: str, line: re.Match[str] | None, secret: str, *, colon: bool) -> _Reach:
    """How far an unquoted value goes. `line` is the start of the line, where the name stands right behind it."""
    if line is not None and not line.group("quote"):
        return "line" if line.group("escaped") is None else "escaped-line"
    if "value" in opening:  # the `value:` of an `env` entry, on a line of its own in YAML
        return "line" if "\n" in opening else "escaped-line"
    return "words" if colon and secret.startswith("pass") else "run"


_Span = tuple[int, int, str]


def _span(text: str, begin: int, place: _Place) -> _Span | None:
    if _NESTED.match(text, begin) or text.startswith(place.marker, begin):
        return None
    if listed := _LIST.match(text, begin):
        return begin, listed.end(), place.marker
    if place.colon and (block := _BLOCK.match(text, begin)):
        return _block(text, block.end(), place)
    if quote := _QUOTE.match(text, begin):
        return _quoted(text, quote, place)
    if place.colon and not (place.scheme and _SCHEME.match(text, begin)) and _said(text, begin, place):
        return None
    end = _header_end(text, begin, place) if place.scheme else _bare_end(text, begin, place)
    return _marked(text, begin, end, place)


def _said(text: str, begin: int, place: _Place) -> bool:
    """Whether prose goes on behind the colon: `invalid token: signature is invalid`."""
    if _SAID.match(text, begin):
        return True
    return place.until in ("run", "words") and _SENTENCE.match(text, begin) is not None


def _bare_end(text: str, begin: int, place: _Place) -> int:
    pattern = {"line": _LINE, "escaped-line": _ESCAPED_LINE, "words": _RUN, "run": _RUN}[place.until]
    found = pattern.match(text, begin)
    if found is None:
        return begin
    if place.until == "words" and (words := _WORDS.match(text, found.end())):
        return words.end()
    return found.end()


def _header_end(text: str, begin: int, place: _Place) -> int:
    """A header in a quoted argument ends with its quote, else with its line; as `name=value` it has no blanks."""
    if not place.colon:
        scheme = _SCHEME.match(text, begin)
        return _bare_end(text, scheme.end() if scheme else begin, place)
    line = _ESCAPED_HEADER.match(text, begin)
    end = line.end() if line else begin
    opened = text[place.start - 1 : place.start] if place.start else ""
    if opened in ("'", '"'):
        closed = text.find(opened, begin, end)
        return end if closed < 0 else closed
    return end


def _marked(text: str, begin: int, end: int, place: _Place) -> _Span | None:
    """The span of the value alone: without the brackets and stops that follow it, and without a scheme before it."""
    value = text[begin:end]
    if place.scheme and (scheme := _SCHEME.match(value)):
        begin, value = begin + scheme.end(), value[scheme.end() :]
    value = value.rstrip()
    if harmless(place.name, value):
        return None
    while (
        place.until != "line"
        and value
        and value[-1] in _CLOSERS
        and not redact_shapes.MARKED_END.search(value, max(0, len(value) - 60))
    ):
        value = value[:-1]
    if not value or harmless(place.name, value):
        return None
    return begin, begin + len(value), place.marker


def _quoted(text: str, quote: re.Match[str], place: _Place) -> _Span | None:
    """What stands between quotes of one kind, however often escaped; to the end of the line where none closes."""
    begin, mark = quote.end(), quote.group()
    search = begin
    while (closed := text.find(mark, search, begin + _QUOTED_MAX)) >= 0 and text[closed - 1] == "\\":
        search = closed + 1
    if closed < 0:
        line = _LINE.match(text, begin)
        closed = line.end() if line else begin
    return _marked_whole(text, begin, closed, place)


def _marked_whole(text: str, begin: int, end: int, place: _Place) -> _Span | None:
    value = text[begin:end]
    if place.scheme and (scheme := _SCHEME.match(value)):
        begin, value = begin + scheme.end(), value[scheme.end() :]
    return None if not value.strip() or harmless(place.name, value) else (begin, end, place.marker)


def _block(text: str, begin: int, place: _Place) -> _Span | None:
    """A YAML block scalar: the lines that are deeper than the line of the name."""
    line = text.rfind("\n", max(0, place.start - 200), place.start) + 1
    depth = len(text[line : place.start]) - len(text[line : place.start].lstrip(" \t"))
    end = begin
    for found in _BLOCK_LINE.finditer(text, begin):
        if found.start() != end or (found.group(2) and len(found.group(1)) <= depth):
            break
        end = found.end()
    content = text[begin:end]
    if not content.strip() or redact_shapes.MARKERS.fullmatch(content.strip()):
        return None
    margin = content[: len(content) - len(content.lstrip())]
    return begin, end, f"{margin}{place.marker}" + ("\n" if content.endswith("\n") else "")
