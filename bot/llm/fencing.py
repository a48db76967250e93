"""Data in a prompt: fenced by a word that nobody can know beforehand, and without characters that are not seen.

Text of a cluster, of a runbook or of a person may say anything, also that it is the end of the data. The fence's nonce
is made anew for each conversation; should a text hold it all the same, it is taken out. Pure; the nonce comes from
outside.
"""

import re
import unicodedata

from bot.domain import diagnoses
from k8s import redact

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_TAG = re.compile(
    r"</?(?:data|system|assistant|user|human|tool_result|function_results|instructions?)\b", re.IGNORECASE
)


def seen(text: str) -> str:
    """Without what a reader cannot see: controls, zero-width and direction marks, tag characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) not in _UNSEEN)


def data(nonce: str, what: str, text: str) -> str:
    """One fenced text. `what` is of our own making, or a title that was cleaned."""
    body = _inert(nonce, text)
    return f"<data-{nonce} {_inert(nonce, ' '.join(what.split()))}>\n{body}\n</data-{nonce}>"


def piece(nonce: str, one: diagnoses.Evidence) -> str:
    title = one.title.replace('"', "'")
    cut = " cut" if one.cut else ""
    return data(nonce, f'{one.label} source={one.source}{cut} title="{title}"', one.body)


def _inert(nonce: str, text: str) -> str:
    """Redacted once more, and with nothing that looks like a fence or a role of the conversation."""
    clean = redact.redact(seen(text)).replace(nonce, "")
    return _TAG.sub(lambda found: found.group().replace("<", "‹"), clean)
