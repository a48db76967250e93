"""A channel's daily report. Rendered by the publisher; silence (`Report.silent`) is decided before it."""

from bot.domain import cards
from bot.slack.blocks import answers, limits, messages, text

_ACTIONS = (
    *("approved", "verified", "not-verified", "worse", "undone", "rejected", "expired", "superseded", "stale"),
    *("already-fixed", "refused", "failed", "stopped", "unknown"),
)


def message(found: cards.Report) -> messages.Message:
    """The change since the period before, how fast people and fixes were, what was noisy, done, and is open."""
    period = f"{text.day_and_time(found.since)} to {text.day_and_time(found.until)}"
    facts = text.lines((_speed(found), _noisiest(found), _done(found), _sweeps(found)))
    blocks = [limits.header(_delta(found)), limits.context(_asked(found, period))]
    blocks += [limits.section(facts)]
    blocks.append(limits.section(text.lines(("*Still open*", *answers.incident_lines(found.still_open)))))
    return limits.message(f"Report: {_delta(found)}", blocks)


def _delta(found: cards.Report) -> str:
    """Raw: `2 new (1 more than before) · 3 resolved · 1 still open`."""
    change = found.opened - found.opened_before
    against = "as many as before" if not change else f"{abs(change)} {'more' if change > 0 else 'fewer'} than before"
    return f"{found.opened} new ({against}) · {found.resolved} resolved · {len(found.still_open)} still open"


def _asked(found: cards.Report, period: str) -> str:
    return text.dotted((period, f"asked for by {text.person(found.asked_by)}" if found.asked_by else ""))


def _speed(found: cards.Report) -> str:
    acknowledged = "not known" if found.mtta_seconds is None else text.duration(found.mtta_seconds)
    resolved = "not known" if found.mttr_seconds is None else text.duration(found.mttr_seconds)
    return f"*Time to acknowledge* {acknowledged} · *time to resolve* {resolved} (means)"


def _noisiest(found: cards.Report) -> str:
    rows = ", ".join(f"{text.prose(subject, 100)} {number}" for subject, number in found.noisiest[:5])
    return f"*Noisiest* {rows}" if rows else ""


def _done(found: cards.Report) -> str:
    known = [(name, found.actions[name]) for name in _ACTIONS if found.actions.get(name)]
    other = [(text.prose(name, 40), number) for name, number in sorted(found.actions.items()) if name not in _ACTIONS]
    told = ", ".join(f"{number} {name.replace('-', ' ')}" for name, number in (*known, *other) if number)
    return f"*Actions* {told or 'none'}"


def _sweeps(found: cards.Report) -> str:
    failed = f"*{found.failed_sweeps} failed*" if found.failed_sweeps else "none failed"
    muted = f"{text.count(found.muted, 'finding')} muted" if found.muted else "nothing muted"
    return f"*Sweeps* {found.sweeps}, {failed} · {muted}"
