"""The grammar of `/watch`: text → a typed command. Pure; used by `handlers.commands`.

What cannot be understood raises `NotUnderstood` with the nearest word and the form of the command.
"""

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from bot import errors, formats
from bot.domain import watches
from k8s import guardrails, model

FORMS: Mapping[str, tuple[str, str]] = {
    "help": ("/watch help", "what you can ask"),
    "status": ("/watch status [cluster]", "watches, what is open, what waits for an approval"),
    "now": ("/watch now [cluster/]namespace[/kind/name]", "sweep now; with nothing named, all watches"),
    "incidents": ("/watch incidents [open|mine|24h]", "list incidents"),
    "show": ("/watch show WK-12", "one incident as it is now"),
    "list": ("/watch list", "all watches with their last and next sweep"),
    "add": (
        '/watch add cluster [namespaces] [cron "*/5 * * * *"] [zone UTC] [channel #oncall] [mode observe] [name x]',
        "add a watch; namespaces are globs with commas, !glob leaves out",
    ),
    "pause": ("/watch pause name", "stop a watch's sweeps for now"),
    "resume": ("/watch resume name", "go on with a paused watch"),
    "remove": ("/watch remove name", "remove a watch and close its incidents"),
    "audit": ("/watch audit [WK-12|@person|24h]", "who did what, and whether the record is whole"),
    "report": ("/watch report now", "this channel's report of the last 24 hours"),
}
"""Subcommand → (its form, what it does), in the order of the help."""

DEFAULT_CRON = "*/2 * * * *"
_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>|([CG][A-Z0-9]{6,})|(#?[a-z0-9][a-z0-9._-]{0,79})")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_OPTIONS = ("cron", "zone", "channel", "mode", "name")


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


def new_watch(rest: str, user: str, here: str, zone: str) -> watches.NewWatch:
    """`cluster [namespaces] [cron …] [zone …] [channel …] [mode …] [name …]` → a watch to add.

    `here` is the channel that it was typed in; a channel given by `#name` is left for the caller to resolve. Raises
    NotUnderstood naming the part at fault.
    """
    words = _split(rest)
    if not words:
        raise _fault("the cluster is missing")
    cluster, words = words[0], words[1:]
    globs = ""
    if words and words[0].lower() not in _OPTIONS:
        globs, words = words[0], words[1:]
    options = _options(words)
    scope = model.Scope(
        tuple(glob for glob in globs.split(",") if glob and not glob.startswith("!")),
        tuple(glob[1:] for glob in globs.split(",") if glob.startswith("!") and len(glob) > 1),
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
    )


def _split(rest: str) -> list[str]:
    straight = rest.translate({0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"})  # phones type curly quotes
    try:
        return shlex.split(straight)
    except ValueError as error:
        raise _fault("a quote is not closed") from error


def _options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    while words:
        option = words[0].lower()
        if option not in _OPTIONS:
            near = difflib.get_close_matches(option, _OPTIONS, n=1, cutoff=0.5)
            raise _fault(f"`{words[0]}` is no option", near[0] if near else "")
        if len(words) < 2:
            raise _fault(f"`{option}` needs a value")
        found[option] = _checked(option, words[1])
        words = words[2:]
    return found


def _checked(option: str, value: str) -> str:
    try:
        match option:
            case "cron":
                formats.schedule(value)
            case "zone":
                formats.zone(value)
            case "channel":
                return _channel(value)
            case "mode":
                _mode(value)
            case "name" if _NAME.fullmatch(value) is None:
                raise _fault(f"the name `{value}` may hold lower-case letters, digits and `-` only")
    except ValueError as error:
        raise _fault(f"the {option} `{value}` is not valid: {error}") from error
    return value


def _channel(value: str) -> str:
    match = _CHANNEL.fullmatch(value)
    if match is None:
        raise _fault(f"the channel `{value}` is neither a channel nor its id")
    return match[1] or match[2] or "#" + match[3].lstrip("#")


def _mode(value: str) -> guardrails.Mode:
    if value == "observe":
        return "observe"
    if value == "approve":
        return "approve"
    raise _fault(f"the mode `{value}` is neither `observe` nor `approve`")


def _named(cluster: str, scope: model.Scope) -> str:
    """A name of its own making: the cluster, and the namespaces where there are some."""
    text = "-".join((cluster, *scope.include)).lower()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:63].strip("-") or "watch"


def _fault(why: str, nearest: str = "") -> NotUnderstood:
    return NotUnderstood("/watch add", nearest, FORMS["add"][0], f"The watch was not added: {why}.")
