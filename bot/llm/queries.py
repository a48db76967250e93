"""Whether a query of PromQL or LogQL asks for nothing outside of a watch's namespaces. Pure; used by `bot.llm.tools`.

No parser: a query passes only where every selector names one namespace by `namespace="…"`. What cannot be read for sure
is refused with the reason, and the model may write it more plainly.
Grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/, https://grafana.com/docs/loki/latest/query/.
"""

import re
from collections.abc import Callable

from k8s import names

MOST = 500
"""Characters of a query."""
_STRING = re.compile(r'"((?:[^"\\\n]|\\.){0,300})"|\'((?:[^\'\\\n]|\\.){0,300})\'|`([^`]{0,300})`')
_HELD = re.compile(r"\x00([0-9]+)\x00")
_NAMESPACE = re.compile(r"(?:^|,)\s*namespace\s*(=~|!=|!~|=)\s*\x00([0-9]+)\x00")
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_BRACES = re.compile(r"\{([^{}]*)\}")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE)
_RANGE = re.compile(r"\[[0-9smhdwy:]*\]")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_:]*")
_WORDS = frozenset(
    (
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "bool",
        "inf",
        "nan",
    )
)
_SPAN = re.compile(r"\b(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdwy])?)+\b")

Inside = Callable[[str], bool]


def promql(query: str, inside: Inside) -> str:
    """Why this may not be asked, as a sentence; empty where it may."""
    strings: list[str] = []
    bare = _taken(query, strings)
    if bare is None:
        return _UNREADABLE
    if why := _selectors(bare, strings, inside):
        return why
    rest = _SPAN.sub(" ", _RANGE.sub(" ", _LABELS.sub(" ", _BRACES.sub("{}", bare))))
    for word in _WORD.finditer(rest):
        after = rest[word.end() :].lstrip()
        if word.group().lower() not in _WORDS and not after.startswith(("(", "{")):
            return f'{word.group()} has no selector: write {word.group()}{{namespace="…"}}.'
    return ""


def logql(query: str, inside: Inside) -> str:
    """As `promql`."""
    strings: list[str] = []
    bare = _taken(query, strings)
    if bare is None:
        return _UNREADABLE
    if "{" not in bare:
        return 'A query of logs begins with {namespace="…"}.'
    return _selectors(bare, strings, inside)


_UNREADABLE = "The query is too long, or its quotes or braces do not close."


def _taken(query: str, strings: list[str]) -> str | None:
    """The query with each string as its number in `strings`, so that nothing inside one is taken for syntax."""
    if len(query) > MOST or "\x00" in query or "#" in _STRING.sub("", query):
        return None

    def hold(match: re.Match[str]) -> str:
        strings.append(next(text for text in match.groups() if text is not None))
        return f"\x00{len(strings) - 1}\x00"

    bare = _STRING.sub(hold, query)
    left = _BRACES.sub("", bare)
    return None if any(mark in left for mark in "{}\"'`") or any(mark in bare for mark in "\"'`") else bare


def _selectors(bare: str, strings: list[str], inside: Inside) -> str:
    for braces in _BRACES.finditer(bare):
        found = _NAMESPACE.findall(braces.group(1))
        if not found or any(sign != "=" for sign, _ in found):
            return 'Each selector has to name one namespace: {namespace="…"}.'
        for _, number in found:
            if not (names.is_label(strings[int(number)]) and inside(strings[int(number)])):
                return f"Namespace {strings[int(number)]} is outside of this watch."
        if _OR.search(_HELD.sub(" ", braces.group(1))):
            return "A selector with `or` in it is not read: write two."
    return ""
