"""What models cost, and what exactly was sent to them: answers of `/watch`, for the asker alone.

Rendered by `handlers.commands`. What was sent is shown letter by letter as JSON, in pages: characters that Slack or a
reader could not tell apart stand as JSON escapes, so that nothing is hidden and nothing comes alive.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import msgspec

from bot.domain import consultations
from bot.slack.blocks import limits, messages, opinion, text

PAGE = 9_500
"""Of the JSON of a message that a page's text takes; its frame takes the rest of `limits.BLOCKS_CHARACTERS`."""
PART = 2_300
"""Of one code block."""
_ENDS = {
    "end_turn": "answered",
    "tool_use": "asked for tools",
    "pause_turn": "paused",
    "max_tokens": "cut off",
    "refusal": "declined",
    "Cancelled": "not waited for",
    "TimedOut": "took too long",
    "Overloaded": "overloaded",
    "RateLimited": "too many requests",
    "Unreachable": "not reached",
    "Malformed": "not readable",
    "BadKey": "key not accepted",
    "SpendLimit": "the account's own limit",
    "Refused": "refused by the API",
}
"""How a request ended, for people: stop reasons of the API, and errors of `bot.llm.messages`. Others as they are."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ODD = re.compile(r"[^\x20-\x5f\x61-\x7e]")


def costs(spans: Sequence[consultations.Costs], configured: str) -> messages.Message:
    """The totals of each span, then the lists of the last, which is the longest. `configured`: the model, if any."""
    lines = [_total(one) for one in spans]
    longest = spans[-1]
    blocks = [limits.section(text.lines(("*What models cost*", *lines)))]
    for title, rows in (
        ("By watch", longest.by_watch),
        ("By incident", longest.by_incident),
        ("By model", longest.by_model),
        ("By day", longest.by_day),
    ):
        if rows:
            blocks.append(limits.section(text.lines((f"*{title}*", *map(_line, rows)))))
    if not configured:
        blocks.append(limits.context("No model is set: the rules diagnose alone, and nothing is spent."))
    return limits.message("What models cost", blocks)


def _total(one: consultations.Costs) -> str:
    usage = one.total.usage
    read = usage.input + usage.written + usage.read
    tokens = f"{read:,} tokens in ({usage.read:,} from the cache), {usage.output:,} out" if one.total.calls else ""
    return text.dotted((f"since {text.day_and_time(one.since)}: {_figures(one.total)}", tokens))


def _line(one: consultations.CostLine) -> str:
    return f"{text.prose(one.name, 80)}: {_figures(one)}"


def _figures(one: consultations.CostLine) -> str:
    failed = f"{one.failed} without an answer" if one.failed else ""
    return text.dotted((opinion.dollars(one.cost), text.count(one.calls, "request"), failed))


def sent(name: str, calls: Sequence[consultations.Call], page: int) -> messages.Message:
    """One page of what was sent about the incident of this name; pages are counted from 1."""
    if not calls:
        return limits.message(
            f"{name}: nothing was sent", [limits.section(f"Nothing about {name} was sent to a model.")]
        )
    pages = list(_pages(calls))
    number = min(max(page, 1), len(pages))
    title, parts = pages[number - 1]
    blocks = [limits.section(title), *(limits.section(f"```\n{part}\n```") for part in parts)]
    more = f"The next page: `/watch show {name} sent {number + 1}`" if number < len(pages) else ""
    blocks.append(limits.context(text.dotted((f"Page {number} of {len(pages)}", more))))
    return limits.message(f"{name}: what was sent to the model, page {number} of {len(pages)}", blocks)


def _pages(calls: Sequence[consultations.Call]) -> Iterator[tuple[str, list[str]]]:
    """(title, code blocks). Every request begins a page of its own."""
    for number, one in enumerate(calls, 1):
        title = _title(one, number, len(calls))
        if not one.sent:
            yield f"{title}\nIt is older than 30 days: what was sent is not kept so long, what it cost is.", []
            continue
        parts: list[str] = []
        used = 0
        for part in _parts(_shown(one.sent)):
            size = len(msgspec.json.encode(part)) + 60
            if parts and used + size > PAGE:
                yield title, parts
                parts, used = [], 0
            parts.append(part)
            used += size
        yield title, parts


def _title(one: consultations.Call, number: int, of: int) -> str:
    facts = (
        f"*Request {number} of {of}*",
        text.day_and_time(one.started_at),
        text.prose(one.purpose, 20),
        text.prose(one.model, 60),
        f"prompt {text.prose(one.prompt, 20)}",
        f"{opinion.tokens(one.usage):,} tokens, {opinion.dollars(one.cost)}" if one.finished_at else "no answer yet",
        text.prose(_ENDS.get(one.error or one.stop, one.error or one.stop), 60),
    )
    return text.dotted(facts)


def _shown(sent_: str) -> str:
    """The JSON with all that cannot be seen, and the backtick, as escapes. It decodes to the very same."""
    return _ODD.sub(lambda found: _escaped(found[0]), sent_)


def _escaped(character: str) -> str:
    if character != "`" and unicodedata.category(character) not in _UNSEEN:
        return character
    if character == "\n":  # between the parts of the JSON: inside of a text it is escaped already
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _parts(shown: str) -> Iterator[str]:
    """Escaped for Slack, in pieces that fit a block each and put together again are the whole."""
    at = 0
    while at < len(shown):
        end = min(at + PART, len(shown))
        while text.length(text.escape(shown[at:end])) > PART + 500:
            end = at + (end - at) * 3 // 4
        yield text.escape(shown[at:end])
        at = end
