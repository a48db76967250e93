"""What `/watch` and presses are answered with: for one person's eyes, and short.

Rendered for `handlers`. `own` means a sentence of our own code (its mentions and dates are kept); all else is data.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain import approvals, audit, cards, incidents, watches
from bot.slack import ids
from bot.slack.blocks import incident as incidents_
from bot.slack.blocks import limits, messages, text, thread, wording
from k8s import policy, policy_words

ROWS = 20
"""Of a list: what a person reads on a phone."""


def help_page(commands: Sequence[tuple[str, str]]) -> messages.Message:
    """`commands`: (what to type, what it does), in reading order."""
    rows = [f"{text.code(typed, 300)}  {text.prose(does, 160)}" for typed, does in commands]
    below = "On an incident: *Edit…* changes what is proposed, *Other action…* proposes another of the catalogue."
    return _listing("Watchkeeper: what you can ask", "*What you can ask*", rows, below=below, most=40)


def said(own: str) -> messages.Message:
    """One sentence."""
    return replace(limits.message("-", [limits.section(text.sentence(own))]), text=text.spoken(own))


def pressed(answer: approvals.Answer) -> messages.Message | None:
    """What the presser is told, only to them; None where the card itself tells enough."""
    return said(answer.text) if answer.text else None


def not_understood(typed: str, nearest: str = "", usage: str = "") -> messages.Message:
    """What to type instead. `nearest` is the known word that comes nearest, `usage` the form of the command."""
    form = f" Did you mean {text.code(usage or nearest)}?" if nearest else f" Type {text.code(usage)}." if usage else ""
    rendered = f"{text.code(typed or '(nothing)')} is not known.{form}"
    return limits.message(f"Not known: {typed}", [limits.section(rendered)])


def not_found(what: str, name: str, nearest: Sequence[str] = ()) -> messages.Message:
    """No incident, watch, cluster … of this name, and the names that come near."""
    near = f" Near it: {', '.join(text.code(one) for one in nearest[:5])}." if nearest else ""
    rendered = f"There is no {text.prose(what, 60)} {text.code(name)}.{near}"
    return limits.message(f"There is no {what} {name}", [limits.section(rendered)])


# --- status, incidents, watches ---------------------------------------------------------------------------------------


def status(found: cards.Status, cluster: str = "") -> messages.Message:
    """Health first where it is bad, then watches, then what is open and what waits."""
    where = f" of {text.prose(cluster, 80)}" if cluster else ""
    blocks = health(found)
    blocks.append(
        limits.section(text.lines((f"*Watches{where}*", *_capped([watch_line(one) for one in found.watches]))))
    )
    if not found.watches:
        blocks[-1] = limits.section(f"*Watches{where}*\nNone. Nothing is being watched.")
    blocks.append(limits.section(text.lines(("*Open incidents*", *incident_lines(found.open)))))
    waiting = [f"• {waiting_line(one, found.open)}" for one in found.waiting]
    if waiting:
        blocks.append(limits.section(text.lines(("*Waits for approval*", *_capped(waiting)))))
    blocks.append(limits.context(f"{text.count(found.resolved_24h, 'incident')} resolved in the last 24 h"))
    told = f"{text.count(len(found.open), 'open incident')}, {text.count(len(found.waiting), 'proposal')} waiting"
    return limits.message(told, blocks)


def health(found: cards.Status) -> list[messages.Block]:
    """What is wrong with Watchkeeper itself; nothing where all is well."""
    wrong = [f"{text.prose(part, 60)}: {text.prose(fault, 300)}" for part, fault in sorted(found.health.items())]
    return [limits.section(text.lines(("*Watchkeeper itself*", *_capped(wrong))))] if wrong else []


def incident_list(found: Sequence[incidents.Incident], title: str = "Open incidents") -> messages.Message:
    """`title` is raw, such as `Open incidents` or `Incidents of the last 24 h`."""
    return _listing(f"{title}: {len(found)}", f"*{text.prose(title, 100)}*", incident_lines(found))


def incident_lines(found: Sequence[incidents.Incident]) -> list[str]:
    """Rendered lines, at most ROWS, the rest counted."""
    return _capped([_incident_line(one) for one in found]) or ["None."]


def _incident_line(one: incidents.Incident) -> str:
    when = f"since {text.day_and_time(one.since)}"
    if one.resolved_at is not None:
        when = f"{when}, resolved {text.day_and_time(one.resolved_at)}"
    has_it = f"acknowledged by {text.person(one.acknowledged_by)}" if one.state == "acknowledged" else ""
    return text.dotted((incidents_.headline(one), one.name, one.severity, has_it, when))


def waiting_line(card: cards.ProposalCard, open_: Sequence[incidents.Incident]) -> str:
    """Rendered: one proposal that waits, by the name of its incident."""
    row = card.proposal
    name = next((one.name for one in open_ if one.id == row.incident_id), f"WK-{row.incident_id}")
    undo = row.kind == "undo"
    what = text.prose(wording.back(row.action) if undo else wording.what(row.action))
    return text.dotted(
        (
            f"*{name}* {text.prose(row.action.workload.short, 120)}",
            f"{'undo, ' if undo else ''}{what}",
            wording.quorum(card),
            wording.announcement(card) if card.alone is not None and card.alone.open else "",
            f"expires {text.time_of_day(row.expires_at)}",
        )
    )


def show(card: cards.IncidentCard) -> messages.Message:
    """`/watch show`: the incident as it is now, with its progress; to be acted on in its own message."""
    shown = incidents_.parent(card, pressable=False)
    beside = [block for attachment in shown.attachments for block in attachment["blocks"]]
    steps = thread.progress(card).blocks[:1]
    return limits.message(
        incidents_.notification(card), [*shown.blocks, *steps], attached=beside, color=wording.color(card.incident)
    )


def watch_list(found: Sequence[cards.WatchStatus]) -> messages.Message:
    rows = _capped([watch_line(one) for one in found]) or ["None. Nothing is being watched."]
    return _listing(text.count(len(found), "watch", "watches"), "*Watches*", rows)


def watch_line(one: cards.WatchStatus) -> str:
    """Rendered: a watch with what it looks at, where it tells, its last and next sweep."""
    watch = one.watch
    return text.dotted(
        (
            f"• {text.bold(watch.name, 80)}",
            f"cluster {text.prose(watch.cluster, 80)}" if watch.cluster != watch.name else "",
            _namespaces(watch),
            f"mode {watch.mode}",
            _breaker(one),
            text.code(str(watch.kinds), 160) if watch.kinds.named else "",
            f"<#{watch.channel}>" if _is_channel(watch.channel) else text.prose(watch.channel, 80),
            text.count(one.open_incidents, "open incident"),
            _last(one.last_sweep),
            _next(one),
        )
    )


def _breaker(one: cards.WatchStatus) -> str:
    if one.breaker is None or one.breaker.opened_at is None:
        return ""
    since = text.day_and_time(one.breaker.opened_at)
    how = text.code(f"/watch breaker {one.watch.name} close")
    return f"*breaker open* since {since} ({text.prose(one.breaker.why, 120)}; {how})"


def _is_channel(channel: str) -> bool:
    return channel[:1] in {"C", "G"} and channel.isascii() and channel.isalnum() and channel.isupper()


def _namespaces(watch: watches.Watch) -> str:
    include = ", ".join(text.prose(glob, 60) for glob in watch.scope.include[:5]) or "all namespaces"
    exclude = ", ".join(text.prose(glob, 60) for glob in watch.scope.exclude[:5])
    labels = f" with {text.prose(watch.scope.labels, 120)}" if watch.scope.labels else ""
    return (f"{include} but {exclude}" if exclude else include) + labels


def _last(sweep: watches.Sweep | None) -> str:
    if sweep is None:
        return "not swept yet"
    return f"last sweep {text.day_and_time(sweep.started_at)}: {_swept(sweep)}"


def _swept(sweep: watches.Sweep) -> str:
    if sweep.status == "failed":
        return f"*failed*: {text.prose(sweep.error or 'it is not known why', 200)}"
    partial = "*partial*: " if sweep.status == "partial" else ""
    return f"{partial}{text.prose(sweep.summary or sweep.status, 240)}"


def _next(one: cards.WatchStatus) -> str:
    if one.watch.state == "paused":
        return "*paused*"
    if one.next_tick is None:
        return "no next sweep is scheduled"
    return f"next {text.time_of_day(one.next_tick)}"


def swept(watch: watches.Watch, sweep: watches.Sweep, found: Sequence[incidents.Incident] = ()) -> messages.Message:
    """The result of a sweep that somebody asked for. `found`: the live incidents of this watch after it."""
    told = f"Swept {watch.name}: {sweep.error if sweep.status == 'failed' else sweep.summary}"
    blocks = [limits.section(f"{text.bold(watch.name, 80)}: {_swept(sweep)}")]
    if sweep.status == "failed":
        blocks.append(
            limits.context("Nothing is concluded from a sweep that failed: no incident was opened or resolved.")
        )
        return limits.message(told, blocks)
    blocks += [limits.section(text.lines(incident_lines(found)))] if found else []
    gaps = [f"Not seen whole: {text.prose(kind, 40)}: {text.prose(why, 160)}" for kind, why in sweep.degraded.items()]
    muted = f"{text.count(sweep.muted, 'finding')} muted" if sweep.muted else ""
    facts = text.lines((*gaps[:8], text.dotted((f"took {sweep.seconds:.1f} s" if sweep.seconds >= 0.1 else "", muted))))
    return limits.message(told, [*blocks, limits.context(facts)])


# --- policy -----------------------------------------------------------------------------------------------------------


def policy_page(rules: policy.Policy, place: policy_words.Place, now: datetime) -> messages.Message:
    """What the policy says of a place and an action, by whom and when not; its hash as cards and the trail have it."""
    where = "/".join(part for part in (place.cluster, place.namespace) if part)
    words = ("Policy", f"for {place.action}" if place.action else "", f"in {where}" if where else "")
    title = " ".join(word for word in words if word)
    blocks = [limits.section(f"*{text.prose(title, 200)}*")]
    for part in policy_words.told(rules, now, about=place, naming=_approver):
        rows = _capped([f"• {text.sentence(line, 600)}" for line in part.lines])
        blocks.append(limits.section(text.lines((f"*{part.title}*", *rows))))
    below = f"Policy {text.code(rules.hash[:16])}. `watchkeeper policy check` explains a file before it holds."
    return limits.message(title, [*blocks, limits.context(below)])


def _approver(approver: str) -> str:
    """As `text.sentence` keeps it."""
    return f"members of <#{approver}>" if _is_channel(approver) else text.person(approver)


# --- audit ------------------------------------------------------------------------------------------------------------


def audit_page(page: cards.AuditPage, title: str = "Audit trail") -> messages.Message:
    """Entries as given, and whether the chains that they stand in are whole."""
    rows = [_entry(entry) for entry in page.entries] or ["No entries."]
    if page.broken is None:
        whole = "The chain is whole: no entry shown here was changed, removed or inserted."
    else:
        at = text.day_and_time(page.broken.event.at)
        whole = f"*The chain is broken* at entry {page.broken.seq} ({at}): it was tampered with, or damaged."
    return _listing(title, f"*{text.prose(title, 100)}*", rows, below=whole, most=40)


def _entry(entry: audit.Entry) -> str:
    event = entry.event
    about = "" if event.incident_id is None else f"WK-{event.incident_id}"
    shown = {key: value for key, value in sorted(event.data.items()) if value not in ("", None, [])}
    whose = f"of {text.person(str(shown.pop('of')))}" if ids.is_user(str(shown.get("of"))) else ""
    hashes = text.dotted(f"{key} {str(shown.pop(key))[:_HASH]}" for key in _HASHES if _is_hash(shown.get(key)))
    data = ", ".join(_fact(key, value) for key, value in shown.items())
    facts = text.dotted(
        (text.prose(event.tag, 60), text.person(event.actor), about, whose, text.prose(data, 120), hashes)
    )
    return f"{entry.seq}  {text.day_and_time(event.at)}  {facts}"


_HASHES = ("digest", "policy")
_HASH = 16
"""So many digits of a hash tell it from any other, as on the buttons; `watchkeeper audit export` has it whole."""


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) >= _HASH and set(value) <= set("0123456789abcdef")


def _fact(key: str, value: object) -> str:
    """`risk low`; of a value that says what it is (`kubectl -n …`) that alone."""
    told = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return told if told.startswith(f"{key} ") else f"{key} {told}"


def _capped(rows: Sequence[str], most: int = ROWS) -> list[str]:
    return [*rows[:most], f"{text.CUT}: {len(rows) - most} more"] if len(rows) > most else list(rows)


def _listing(
    notification: str, title: str, rows: Sequence[str], *, below: str = "", most: int = ROWS
) -> messages.Message:
    """A titled list, in as many sections as its rows need."""
    blocks: list[messages.Block] = []
    part = [title]
    for row in _capped(rows, most):
        if text.length(text.lines((*part, row))) > limits.SECTION:
            blocks.append(limits.section(text.lines(part)))
            part = []
        part.append(row)
    blocks.append(limits.section(text.lines(part)))
    return limits.message(notification, [*blocks, *([limits.context(below)] if below else [])])
