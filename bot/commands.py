"""The grammar of `/watch`: text → a typed command. Pure; used by `handlers.commands`.

What cannot be understood raises `NotUnderstood` with the nearest word and the form of the command.
"""

import contextlib
import difflib
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import errors, formats
from bot.domain import watches
from k8s import catalogue, guardrails, model, policy_words

FORMS: Mapping[str, tuple[str, str]] = {
    "help": ("/watch help", "what you can ask"),
    "status": ("/watch status [cluster]", "watches, what is open, what waits for an approval"),
    "now": ("/watch now [cluster/]namespace[/kind/name]", "sweep now; with nothing named, all watches"),
    "incidents": ("/watch incidents [open|mine|24h]", "list incidents"),
    "show": ("/watch show WK-12 [sent [page]]", "one incident as it is now; sent: what exactly was sent to a model"),
    "why": ("/watch why [cluster/]namespace/[kind/]name", "look at one workload now, whatever is open"),
    "list": ("/watch list", "all watches with their last and next sweep"),
    "add": (
        (
            '/watch add cluster [namespaces] [labels team=x] [cron "*/5 * * * *"] [zone UTC] [channel #oncall] '
            "[mode observe|approve|autonomous] [name x] [on KIND,KIND] [off KIND] [grace KIND=10m] [severity KIND=P1]"
        ),
        "add a watch; namespaces are globs with commas, !glob leaves out; labels are theirs",
    ),
    "kinds": (
        "/watch kinds name [on KIND,KIND] [off KIND] [grace KIND=10m] [severity KIND=P1] [default KIND]",
        "what one watch looks for, where it is not as in the settings; default: as there again",
    ),
    "mode": (
        "/watch mode name observe|approve|autonomous",
        "whether it proposes, and whether it may do by itself what the policy allows",
    ),
    "breaker": ("/watch breaker name close", "let a watch do things by itself again, after bad ends stopped that"),
    "pause": ("/watch pause name", "stop a watch's sweeps for now"),
    "resume": ("/watch resume name", "go on with a paused watch"),
    "remove": ("/watch remove name", "remove a watch and close its incidents"),
    "policy": ("/watch policy [cluster[/namespace]] [action]", "what may be done here, by whom, and when not"),
    "runbook": (
        '/watch runbook [list | show name | remove name | add name [title "…"] [kinds KIND] [labels app=api] text]',
        "the team's runbooks; add with no text opens a window",
    ),
    "audit": ("/watch audit [WK-12|@person|24h]", "who did what, and whether the record is whole"),
    "cost": ("/watch cost [24h|7d]", "what models cost, by watch, incident, model and day"),
    "report": ("/watch report now", "this channel's report of the last 24 hours"),
}
"""Subcommand → (its form, what it does), in the order of the help."""

DEFAULT_CRON = "*/2 * * * *"
_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>|([CG][A-Z0-9]{6,})|(#?[a-z0-9][a-z0-9._-]{0,79})")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KINDS: Mapping[str, Callable[[object], Any]] = {
    "on": formats.kinds,
    "off": formats.kinds,
    "grace": formats.graces,
    "severity": formats.severities,
}
_OPTIONS = ("labels", "cron", "zone", "channel", "mode", "name", *_KINDS)
_CHANGES: Mapping[str, Callable[[object], Any]] = {**_KINDS, "default": formats.kinds}


class _Fault(Exception):
    """What is wrong with a watch, and the word that was probably meant."""

    def __init__(self, why: str, nearest: str = "") -> None:
        super().__init__(why)
        self.nearest = nearest


class NotUnderstood(errors.WatchkeeperError):
    """What was typed is no command: with the nearest known word and the form to type instead."""

    def __init__(self, typed: str, nearest: str = "", usage: str = "", why: str = "") -> None:
        super().__init__(why or f"`{typed}` is not known")
        self.typed = typed
        self.nearest = nearest
        self.usage = usage
        self.why = why


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand with the rest of the line."""

    name: str
    rest: str = ""


def parse(text: str) -> Command:
    """The subcommand of a line; nothing typed is `help`. Raises NotUnderstood."""
    word, _, rest = text.strip().partition(" ")
    if not word:
        return Command("help")
    name = word.lower()
    if name in FORMS:
        return Command(name, rest.strip())
    near = difflib.get_close_matches(name, FORMS, n=1, cutoff=0.5)
    nearest = near[0] if near else ""
    raise NotUnderstood(word, f"/watch {nearest}" if nearest else "", FORMS[nearest][0] if nearest else "/watch help")


def needed(command: Command) -> str:
    """The rest of the line, where the command cannot do without. Raises NotUnderstood."""
    if not command.rest:
        form = FORMS[command.name][0]
        raise NotUnderstood(f"/watch {command.name}", "", form, f"`/watch {command.name}` needs one more word.")
    return command.rest


def shown(command: Command) -> tuple[str, int | None]:
    """`WK-12 [sent [page]]` → the incident, and the page of what was sent (None: the incident itself).

    Raises NotUnderstood.
    """
    words = needed(command).split()
    if len(words) == 1:
        return words[0], None
    page = words[2] if len(words) == 3 else "1"
    if words[1].lower() != "sent" or len(words) > 3 or not (page.isascii() and page.isdigit() and len(page) < 6):
        raise NotUnderstood(f"/watch show {command.rest}", "", FORMS["show"][0], "That is no page of an incident.")
    return words[0], int(page)


def not_as(name: str, rest: str, why: str = "") -> NotUnderstood:
    """That what follows a known subcommand is none of its forms."""
    return NotUnderstood(f"{name} {rest}".strip(), "", FORMS[name][0], why)


def new_watch(rest: str, user: str, here: str, zone: str, own: Collection[str] = ()) -> watches.NewWatch:
    """`cluster [namespaces] [labels …] [cron …] [zone …] [channel …] [mode …] [name …] [on …] …` → a watch to add.

    `here` is the channel that it was typed in; a channel given by `#name` is left for the caller to resolve. `own` are
    failure kinds beside those of the catalogue. Raises NotUnderstood naming the part at fault.
    """
    with _told("add", "added"), formats.knowing(own):
        return _new_watch(rest, user, here, zone)


def kinds_of_watch(rest: str, own: Collection[str] = ()) -> tuple[str, watches.Kinds, tuple[str, ...]]:
    """`name [on …] [off …] [grace …] [severity …] [default …]` → the watch's name, what is said of kinds, and the kinds
    of which the settings are to hold again. Raises NotUnderstood naming the part at fault."""
    with _told("kinds", "changed"), formats.knowing(own):
        words = _split(rest)
        if not words:
            raise _Fault("its name is missing")
        said = _options(words[1:], tuple(_CHANGES))
        kinds = _kinds(said)
        forgotten: tuple[str, ...] = said.get("default", ())
        if both := [kind for kind in forgotten if kind in kinds.named]:
            raise _Fault(f"{', '.join(both)} can be `default` or something else, not both: leave one of them out")
        return words[0], kinds, forgotten


def mode_of_watch(rest: str) -> tuple[str, guardrails.Mode]:
    """`name observe|approve|autonomous`. Raises NotUnderstood."""
    with _told("mode", "changed"):
        words = _split(rest)
        if len(words) != 2:
            raise _Fault("it takes the watch's name and a mode")
        return words[0], _mode(words[1].lower())


def breaker_of_watch(rest: str) -> str:
    """`name close`: the watch's name. Raises NotUnderstood."""
    with _told("breaker", "changed"):
        words = _split(rest)
        if len(words) != 2 or words[1].lower() != "close":
            raise _Fault("it takes the watch's name and `close`")
        return words[0]


def policy_place(rest: str, clusters: Sequence[str]) -> policy_words.Place:
    """`[cluster[/namespace]] [action]` → what of the policy is asked about. Raises NotUnderstood."""
    found = policy_words.Place()
    for word in rest.split():
        cluster, _, namespace = word.partition("/")
        if word in catalogue.REMEDIES and not found.action:
            found = replace(found, action=word)
        elif cluster in clusters and not found.cluster:
            found = replace(found, cluster=cluster, namespace=namespace)
        else:
            near = difflib.get_close_matches(cluster, [*clusters, *catalogue.REMEDIES], 1, 0.5)
            why = f"`{word}` is neither a cluster nor an action here."
            raise NotUnderstood(f"policy {rest}", near[0] if near else "", FORMS["policy"][0], why)
    return found


@contextlib.contextmanager
def _told(command: str, done: str) -> Iterator[None]:
    try:
        yield
    except _Fault as fault:
        why = f"The watch was not {done}: {fault}."
        raise NotUnderstood(f"/watch {command}", fault.nearest, FORMS[command][0], why) from fault


def _new_watch(rest: str, user: str, here: str, zone: str) -> watches.NewWatch:
    words = _split(rest)
    if not words:
        raise _Fault("the cluster is missing")
    cluster, words = words[0], words[1:]
    globs = ""
    if words and words[0].lower() not in _OPTIONS:
        globs, words = words[0], words[1:]
    options = _options(words, _OPTIONS)
    scope = model.Scope(
        tuple(glob for glob in globs.split(",") if glob and not glob.startswith("!")),
        tuple(glob[1:] for glob in globs.split(",") if glob.startswith("!") and len(glob) > 1),
        options.get("labels", ""),
    )
    return watches.NewWatch(
        name=options.get("name") or _named(cluster, scope),
        cluster=cluster,
        scope=scope,
        cron=options.get("cron", DEFAULT_CRON),
        timezone=options.get("zone", zone),
        channel=options.get("channel", here),
        mode=_mode(options.get("mode", "approve")),
        created_by=user,
        kinds=_kinds(options),
    )


def _kinds(options: Mapping[str, Any]) -> watches.Kinds:
    found = watches.Kinds(
        options.get("on", ()), options.get("off", ()), options.get("grace", {}), options.get("severity", {})
    )
    if both := [kind for kind in found.on if kind in found.off]:
        raise _Fault(f"`on` and `off` both name {', '.join(both)}: leave it out of one of them")
    return found


def _split(rest: str) -> list[str]:
    straight = rest.translate({0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"})  # phones type curly quotes
    try:
        return shlex.split(straight)
    except ValueError as error:
        raise _Fault("a quote is not closed") from error


def _options(words: list[str], known: Sequence[str]) -> dict[str, Any]:
    """Option → its value, which is text, or what it says of kinds."""
    found: dict[str, Any] = {}
    while words:
        option = words[0].lower()
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
            raise _Fault(f"`{words[0]}` is no option", near[0] if near else "")
        if len(words) < 2:
            raise _Fault(f"`{option}` needs a value")
        if option not in _CHANGES:
            found[option] = _checked(option, words[1])
            words = words[2:]
            continue
        if option in found:
            raise _Fault(f"`{option}` is there twice: write it once, with commas between its kinds")
        value, words = _listed(words[1:])
        found[option] = _of_kinds(option, value)
    return found


def _listed(words: list[str]) -> tuple[str, list[str]]:
    """A list that may have spaces around its commas, and the words after it."""
    value, words = words[0], words[1:]
    while words and (value.endswith(",") or words[0].startswith(",")):
        value, words = value + words[0], words[1:]
    return value, words


def _of_kinds(option: str, value: str) -> Any:
    try:
        found = _CHANGES[option](value)
    except ValueError as error:
        raise _Fault(f"`{option} {value}` is not valid: {error}") from error
    if not found:
        raise _Fault(f"`{option}` names no failure kind")
    return found


def _checked(option: str, value: str) -> str:
    try:
        match option:
            case "labels":
                return formats.selector(value)
            case "cron":
                formats.schedule(value)
            case "zone":
                formats.zone(value)
            case "channel":
                return _channel(value)
            case "mode":
                _mode(value)
            case "name" if _NAME.fullmatch(value) is None:
                raise _Fault(f"the name `{value}` may hold lower-case letters, digits and `-` only")
    except ValueError as error:
        raise _Fault(f"the {option} `{value}` is not valid: {error}") from error
    return value


def _channel(value: str) -> str:
    match = _CHANNEL.fullmatch(value)
    if match is None:
        raise _Fault(f"the channel `{value}` is neither a channel nor its id")
    return match[1] or match[2] or "#" + match[3].lstrip("#")


def _mode(value: str) -> guardrails.Mode:
    if value == "observe":
        return "observe"
    if value == "approve":
        return "approve"
    if value == "autonomous":
        return "autonomous"
    raise _Fault(f"the mode `{value}` is none of `observe`, `approve` and `autonomous`")


def _named(cluster: str, scope: model.Scope) -> str:
    """A name of its own making: the cluster, and the namespaces where there are some."""
    text = "-".join((cluster, *scope.include)).lower()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:63].strip("-") or "watch"
