"""What a model makes of an incident: the words beside the rules' in the parent, and a reply of its own in the thread.

Rendered by `incident` and by the publisher. Read on a phone at night: first whether it agrees, then what it rests on.
Nothing of it is ever shown as more than an opinion, and nothing here can be pressed.
"""

from collections.abc import Iterator

from bot.domain import cards, consultations, diagnoses
from bot.slack.blocks import limits, messages, text, wording

CLAIMS = 6
QUOTE = 160
WHY = 240
AGAIN = "the same evidence as before: nothing was asked anew"

_VIEWS: dict[diagnoses.Agreement, str] = {
    "agrees": "The model agrees with the rules",
    "differs": "The model sees it otherwise than the rules",
    "unsure": "The model is not sure",
}
_BESIDE: dict[diagnoses.Agreement, str] = {
    "agrees": "rules and model agree",
    "differs": "rules and model differ",
    "unsure": "the model is not sure",
}


# --- in the parent ----------------------------------------------------------------------------------------------------


def differing(card: cards.IncidentCard) -> diagnoses.Opinion | None:
    """An opinion that is shown beside the rules' cause, since it is another one; while there is something to decide."""
    found = given(card)
    return found if found is not None and found.agreement == "differs" and card.incident.live else None


def given(card: cards.IncidentCard) -> diagnoses.Opinion | None:
    return None if card.advice is None else card.advice.opinion


def confidence(card: cards.IncidentCard) -> str:
    """Rendered: how sure the cause is with both; empty where there is no opinion."""
    found = given(card)
    if found is None:
        return ""
    reason, beside = text.prose(found.reason, 200), _BESIDE[found.agreement]
    said = "" if reason.startswith(beside) else f" ({beside})"
    return f"Confidence {found.confidence}{said}{f': {reason}' if reason else ''}"


def standing(card: cards.IncidentCard) -> str:
    """Rendered: that the model is being asked, or why it has no opinion. Empty where none is set, or there is one."""
    match card.advice:
        case consultations.Advice(state="wanted" | "running"):
            return "_The model is being asked._"
        case consultations.Advice(state="none", why=why):
            return text.prose(why, WHY)
        case _:
            return ""


# --- in the thread ----------------------------------------------------------------------------------------------------


def message(card: cards.IncidentCard) -> messages.Message:
    """The whole opinion. Where there is none any more (a newer diagnosis came), that is said."""
    name, found = card.incident.name, given(card)
    if found is None:
        words = standing(card) or "No model is asked about the newest diagnosis"
        return limits.message(f"{name}: no opinion of a model", [limits.section(words)])
    again = card.advice is not None and card.advice.reused_of is not None
    spent = AGAIN if again else cost(card.advice_cost)
    blocks = told(found, spent, live=card.incident.live, rather=_rather(card, found))
    return limits.message(f"{name}: {heard(found)}", blocks)


def heard(found: diagnoses.Opinion) -> str:
    """For a notification: whether it agrees."""
    return _VIEWS[found.agreement].lower()


def told(found: diagnoses.Opinion, spent: str, *, live: bool = True, rather: str = "") -> list[messages.Block]:
    """All of it. `live`: there is still something to find out or to do. `rather` is rendered: what it would do."""
    blocks = [limits.section(f"*{_VIEWS[found.agreement]}:* {text.prose(found.cause, 600) or 'no cause is named'}")]
    if found.claims:
        shown = [_claim(claim) for claim in found.claims[:CLAIMS]]
        more = len(found.claims) - CLAIMS
        blocks.append(
            limits.section(text.lines((*shown, f"… and {text.count(more, 'claim')} more" if more > 0 else "")))
        )
    if rest := text.lines((*_rest(found, live), rather)):
        blocks.append(limits.section(rest))
    return [*blocks, limits.context(text.lines(_small(found, spent)))]


def _claim(claim: diagnoses.Claim) -> str:
    """`• The log names it [E2]: "KeyError: 'DB_URL'"`."""
    labels = "".join(f" [E{number}]" for number in claim.cites if f"[E{number}]" not in claim.text)
    return f"• {text.prose(claim.text, 300)}{labels}: {text.code(claim.quote, QUOTE)}"


def _rest(found: diagnoses.Opinion, live: bool) -> Iterator[str]:
    if found.unknown:
        yield f"*Not known:* {text.prose('; '.join(found.unknown), 400)}"
    if found.settle and live:
        yield f"*Would settle it:* {text.prose('; '.join(found.settle), 400)}"
    if found.next_step and live:
        yield f"*Next step:* {text.prose(found.next_step, 300)}"


def _rather(card: cards.IncidentCard, found: diagnoses.Opinion) -> str:
    """What it would do, where that is not what is proposed: told, and never a button. *Other action…* can do it."""
    if not found.candidates or not card.incident.live:
        return ""
    wanted = found.candidates[0]
    what = wording.what(wanted.action)
    row = None if card.remedy is None else card.remedy.proposal
    if row is not None and wording.what(row.action) == what:
        return ""
    rather = "would rather" if row is not None and row.state == "proposed" else "would"
    return f"*The model {rather}:* {text.prose(what)}. {text.prose(wanted.why, 200)}"


def _small(found: diagnoses.Opinion, spent: str) -> Iterator[str]:
    if found.evidence:
        yield "It looked at: " + ", ".join(f"[{one.label}] {text.prose(one.title, 80)}" for one in found.evidence[:8])
    if found.dropped:
        yield "Left out: " + text.prose("; ".join(found.dropped), 300)
    yield text.dotted((text.prose(found.model, 60), f"prompt {text.prose(found.prompt, 20)}", spent))


def cost(spent: consultations.CostLine | None) -> str:
    """`5,231 tokens, $0.012`; empty where nothing was asked."""
    return "" if spent is None else f"{tokens(spent.usage):,} tokens, {dollars(spent.cost)}"


def dollars(micro: int) -> str:
    """Rendered: a very small amount has an angle bracket in it."""
    return text.escape(consultations.dollars(micro))


def tokens(usage: consultations.Usage) -> int:
    return usage.input + usage.output + usage.written + usage.read
