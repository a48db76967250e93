"""Text for Slack: what comes from a cluster or a person is data and is never read as markup, a mention or a link.

Used by every module of `bot.slack.blocks`. "Raw" is text as it came; "rendered" is mrkdwn that is ready for Slack.
Rules: docs.slack.dev/messaging/formatting-message-text (escape `&`, `<`, `>`; everything special is in angle brackets).
Lengths are UTF-16 units, the largest of the ways in which Slack may count.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.slack import ids

CUT = "… cut"
GAP = "⋯"
_ELLIPSIS = "…"
_GRAVE = "ˋ"
"""Stands for a backtick where a backtick would end the code."""

_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_RISKY = re.compile(
    r"""[`*~]                                  # formatting
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])     # italics need an edge
    | :[\w'+-]{0,80}[a-z+-][\w'+-]{0,80}: | :100: | :1234:  # emoji
    | ://  | ^\W*www\.                         # links
    | ^\W*[@\#]                                # mentions and channels that are typed
    | ^>                                       # quotes
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OWN_MARKUP = re.compile(
    r"<!subteam\^S[A-Z0-9]+>|"
    r"<@[UW][A-Z0-9]+>|<!date\^[0-9]+\^[A-Za-z_{} ]+\|[A-Za-z0-9:. -]+>|<#[CG][A-Z0-9]+>|`[^`<>&\n]+`|\*[^*<>&\n`]+\*",
    re.ASCII,
)
_DATE = re.compile(r"<!date\^[0-9]+\^[A-Za-z_{} ]+\|([A-Za-z0-9:. -]+)>", re.ASCII)
_MENTION = re.compile(r"(<@[UW][A-Z0-9]+>)", re.ASCII)
_MARKS = str.maketrans("", "", "`*~")


def length(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def take(text: str, units: int) -> str:
    """The longest head of at most that many UTF-16 units, with no character split."""
    head = text[: max(units, 0)]
    while length(head) > units:
        head = head[: min(len(head) - 1, units - (length(head) - len(head)))]
    return head


def clean(raw: str) -> str:
    """Without what cannot be seen or deceives: controls, direction marks, zero-width and lone surrogates.

    Line ends become newlines, tabs become spaces.
    """
    if raw.isascii() and raw.isprintable():
        return raw
    kept = []
    for character in _BREAKS.sub("\n", raw).replace("\t", "    "):
        if character == "\n" or unicodedata.category(character) not in _UNSEEN:
            kept.append(character)
        elif unicodedata.category(character) == "Cs":
            kept.append("\ufffd")
    return "".join(kept)


def escape(raw: str) -> str:
    return raw.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bounded(raw: str, limit: int) -> str:
    """As much as can matter where `limit` units are shown, so that an endless line costs nothing."""
    return raw if len(raw) <= 8 * limit else raw[: 8 * limit] + _ELLIPSIS


def one_line(raw: str) -> str:
    """Cleaned, with all white space as single blanks."""
    return " ".join(clean(raw).split())


def plain(raw: str, limit: int) -> str:
    """For `plain_text` objects (buttons, titles), which have no markup: one line, cut, no angle brackets at all."""
    line = one_line(_bounded(raw, limit)).replace("<", "‹").replace(">", "›")
    if length(line) <= limit:
        return line or "-"
    return take(line, limit - 1).rstrip() + _ELLIPSIS


def notification(raw: str, limit: int = 300) -> str:
    """For a message's `text`: what a phone shows on its lock screen. One line without any markup."""
    line = one_line(_bounded(raw, limit).translate(_MARKS))
    if length(line) > limit:
        line = take(line, limit - 1).rstrip() + _ELLIPSIS
    return escape(line) or "-"


def spoken(own: str, limit: int = 600) -> str:
    """The `text` of a message that is a sentence of our own: mentions stay, dates become words, formatting goes."""
    dated = _DATE.sub(r"\1", one_line(_bounded(own, limit)))
    parts = [
        part if number % 2 else escape(part.translate(_MARKS)) for number, part in enumerate(_MENTION.split(dated))
    ]
    return cut("".join(parts), limit, _ELLIPSIS).replace("\n", "").strip() or "-"


def prose(raw: str, limit: int = 600) -> str:
    """Raw text in running text: one line, inert. Words that Slack would format or link are shown as code.

    `limit` bounds what is rendered. What is cut is marked with an ellipsis.
    """
    rendered: list[str] = []
    used = 0
    for word in clean(_bounded(raw, limit)).split():
        shown = _word(word)
        room = limit - used - 2
        if length(shown) > room:
            part = _shrunk(word, room) if length(shown) > 40 else ""
            return " ".join((*rendered, part)).rstrip() + _ELLIPSIS
        rendered.append(shown)
        used += length(shown) + 1
    return " ".join(rendered)


def _word(word: str) -> str:
    return _span(word) if _RISKY.search(word) else escape(word)


def _span(line: str) -> str:
    return f"`{escape(line.replace('`', _GRAVE))}`"


def _shrunk(word: str, room: int) -> str:
    """As much of one long word as fits."""
    while word and length(_word(word)) > room:
        word = word[: min(len(word) - 1, len(word) * room // length(_word(word)))] if room > 0 else ""
    return _word(word) if word else ""


def code(raw: str, limit: int = 200) -> str:
    """A code span that cannot be left: one line, no live backtick."""
    line = one_line(_bounded(raw, limit))
    shown = _span(line)
    if length(shown) <= limit:
        return shown if line else "`(empty)`"
    while line and length(_span(line)) > limit - 1:
        line = line[: min(len(line) - 1, len(line) * (limit - 1) // length(_span(line)))]
    return _span(line + _ELLIPSIS)


def bold(raw: str, limit: int = 200) -> str:
    """Bold where that is safe, a code span where the text holds markup of its own."""
    line = one_line(_bounded(raw, limit))
    return code(line, limit) if _RISKY.search(line) or not line else f"*{prose(line, limit)}*"


def block(lines: Sequence[str], *, most: int = 12, width: int = 160, limit: int = 2600, rest: str = "") -> str:
    """A code block of raw lines that cannot be left: at most `most` lines of at most `width` characters.

    What is left out is said in a line below the block; `rest` tells where the whole is.
    """
    shown: list[str] = []
    used = 0
    for line in lines[:most]:
        seen = clean(_bounded(line, width)).replace("\n", " ").replace("`", _GRAVE)
        safe = escape(_clipped(seen.rstrip(), width))
        used += length(safe) + 1
        if used > limit:
            break
        shown.append(safe)
    body = "\n".join(shown).strip("\n") or "(empty)"
    left = len(lines) - len(shown)
    mark = "" if not left else f"\n{CUT}: {left} more line{'s' * (left != 1)}{rest}"
    return f"```\n{body}\n```{mark}"


def _clipped(line: str, width: int) -> str:
    return line if length(line) <= width else take(line, width - 1) + _ELLIPSIS


def sentence(own: str, limit: int = 2000) -> str:
    """A sentence that our own code wrote, with its mentions of people, its dates, bold and code; all else is escaped.

    Only for answers that one person sees: what a reason or a name inside it holds stays a mention.
    """
    text = clean(_bounded(own, limit)).strip()
    rendered: list[str] = []
    at = 0
    for match in _OWN_MARKUP.finditer(text):
        rendered.append(_keeping_space(text[at : match.start()]))
        rendered.append(match[0])
        at = match.end()
    rendered.append(_keeping_space(text[at:]))
    return cut("".join(rendered), limit)


def _keeping_space(raw: str) -> str:
    return re.sub(r"\S+", lambda word: _word(word[0]), raw)


def cut(rendered: str, limit: int, mark: str = CUT) -> str:
    """Rendered mrkdwn, cut at a line (or a word) where it is too long, with open code closed and the cut marked."""
    if length(rendered) <= limit:
        return rendered
    kept = take(rendered, limit - length(mark) - 6)
    for edge in ("\n", " "):
        if kept.rfind(edge) > len(kept) // 2:
            kept = kept[: kept.rfind(edge)]
            break
    kept = _whole_tokens(kept).rstrip("`").rstrip()
    if kept.count("```") % 2:
        return f"{kept}\n```\n{mark}"
    if kept.rpartition("```")[2].count("`") % 2:
        kept += "`"
    return f"{kept}\n{mark}"


def _whole_tokens(kept: str) -> str:
    """Without a `<…` or an `&…` at the end that is not whole."""
    opened = kept.rfind("<")
    if opened > kept.rfind(">"):
        kept = kept[:opened]
    entity = kept.rfind("&")
    return kept[:entity] if entity > kept.rfind(";") else kept


def lines(rendered: Iterable[str]) -> str:
    """Rendered lines, without the empty ones."""
    return "\n".join(line for line in rendered if line)


def dotted(rendered: Iterable[str]) -> str:
    """Rendered facts in one line."""
    return " · ".join(fact for fact in rendered if fact)


# --- people, times, links ---------------------------------------------------------------------------------------------


def person(user: str) -> str:
    """A mention where this is a user id or a user group's; else the name as it is (`schedule`, `watchkeeper`)."""
    if ids.is_group(user):
        return f"<!subteam^{user}>"
    return f"<@{user}>" if ids.is_user(user) else prose(user, 80) or "somebody"


def people(users: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(person(user) for user in users[:most])
    return f"{shown} and {len(users) - most} more" if len(users) > most else shown


def day_and_time(moment: datetime) -> str:
    """Every reader sees their own local time; the fallback is UTC."""
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time}}|{moment:%Y-%m-%d %H:%M} UTC>"


def time_of_day(moment: datetime) -> str:
    return f"<!date^{int(moment.timestamp())}^{{time}}|{moment:%H:%M} UTC>"


def seconds_of_day(moment: datetime) -> str:
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{moment:%H:%M:%S} UTC>"


def duration(span: timedelta | float) -> str:
    """`40 s`, `11 min`, `1 h 20 min`, `2 d 3 h`."""
    seconds = int(span.total_seconds() if isinstance(span, timedelta) else span)
    if seconds < 90:
        return f"{max(seconds, 0)} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `4th`, `11th`."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def link(url: str, label: str) -> str:
    """A link that Slack itself gave us (a permalink); the label alone where the address is not a plain one."""
    shown = prose(label, 100) or "the thread"
    if re.fullmatch(r"https?://[A-Za-z0-9._:-]+/[A-Za-z0-9._~/?=&%-]*", url, re.ASCII) is None:
        return shown
    return f"<{url.replace('&', '&amp;')}|{shown}>"


_TELLING = re.compile(
    r"error|exception|fatal|panic|killed|denied|refused|cannot|can't|could not|unable|failed|failure|traceback|"
    r"not found|no such|timeout|timed out|out of memory|oom|exit code|back-off|backoff|unauthori[sz]ed|forbidden",
    re.IGNORECASE,
)


def telling(raw: str, most: int = 12) -> tuple[list[str], int]:
    """The lines of a log that tell most, in their order with a mark for each gap, and how many were left out.

    Those that name a fault, what stands right before the last of them (a traceback), and the very last lines, since a
    process says last why it died. At most `most` lines and the marks.
    """
    all_lines = clean(raw).strip("\n").split("\n")
    if len(all_lines) <= most:
        return all_lines, 0
    faults = [number for number, line in enumerate(all_lines) if _TELLING.search(line)]
    end = len(all_lines)
    wanted = list(range(end - 1, end - (4 if faults else most) - 1, -1))
    if faults:
        wanted += [*range(faults[-1], max(faults[-1] - 4, -1), -1), *reversed(faults)]
    chosen = sorted(list(dict.fromkeys(wanted))[:most])
    shown: list[str] = []
    for before, number in zip([-1, *chosen], chosen, strict=False):
        shown += [GAP] * (number != before + 1) + [all_lines[number]]
    return shown, end - len(chosen)
