"""The policy file: from its text to a `k8s.policy.Policy`, or to every fault in it with its line.

Called by `bot.settings` when the settings are read, and by `watchkeeper policy check`. The form of the file is told in
docs/policy.md. A file with a fault gives no policy at all: what was meant is not guessed where a cluster is changed.
"""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pydantic
import yaml

from bot import formats
from k8s import catalogue, commands, custom_actions, model, policy, schedules

VARIABLE = "WATCHKEEPER_POLICY_FILE"
MOST_CHARACTERS = 262_144
_KINDS = (
    *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "Node", "Namespace"),
    *("HorizontalPodAutoscaler", "PersistentVolumeClaim", "PersistentVolume", "Service", "Ingress"),
)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{1,62}")
_GLOB = re.compile(r"[A-Za-z0-9._:/@*?\[\]!-]{1,253}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}")
_WHOLE = ("the rule ", "the freeze ", "it names ")
"""How the faults begin that are no single key's."""
_CUSTOM = re.compile(r"custom-[a-z0-9*?-]{1,60}")
_APPROVER = re.compile(r"\*|[UWSCG][A-Z0-9]{2,}")


# --- the checks of single values. Each raises ValueError with what is wrong and what to do.


def _duration(value: object) -> object:
    """A bare number is seconds. What is no text at all fits no form of it either."""
    return formats.duration(str(value))


def _within(least: timedelta, most: timedelta) -> Callable[[timedelta], timedelta]:
    def check(span: timedelta) -> timedelta:
        if not least <= span <= most:
            raise ValueError(f"it is out of bounds: write {formats.in_words(least)} to {formats.in_words(most)}")
        return span

    return check


def _names(value: object) -> object:
    """A list, or one text for a list of one."""
    found = [value] if isinstance(value, str) else value
    if isinstance(found, list) and not found:
        raise ValueError("it is an empty list, which says nothing: leave the key out, or name something")
    return found


def _glob(value: str) -> str:
    if _GLOB.fullmatch(value) is None:
        raise ValueError("it is no name or glob: write one such as prod-* or payments")
    return value


def _action(value: str) -> str:
    known = (*(name for name in catalogue.REMEDIES if name != "custom"), *custom_actions.installed())
    if _CUSTOM.fullmatch(value):
        return value  # one file does for many places, and not all have the same packages
    if not fnmatch.filter(known, value):
        near = difflib.get_close_matches(value, known, 1)
        raise ValueError(
            "there is no such action: " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")
        )
    return value


def _kind(value: str) -> str:
    near = difflib.get_close_matches(value.lower(), [kind.lower() for kind in _KINDS], 1, 0.8)
    meant = next((kind for kind in _KINDS if near and kind.lower() == near[0]), "")
    if value not in _KINDS and (meant or _KIND.fullmatch(value) is None):
        raise ValueError(f"it is no kind: did you mean {meant}?" if meant else "it is no kind: write Deployment")
    return value


def _labels(value: str) -> str:
    found = formats.selector(value)
    if not found:
        raise ValueError("it is empty, which says nothing: leave the key out")
    return found


def _approver(value: str) -> str:
    if _APPROVER.fullmatch(value) is None:
        raise ValueError("it is no Slack id: write a user (U…), a user group (S…), a channel (C…) or *")
    return value


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("it is no name: write up to 63 letters, digits, blanks, dots, - or _")
    return value


def _argv(value: list[str]) -> list[str]:
    if found := commands.fault(value):
        raise ValueError(f"it {found}")
    return value


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _cron(value: str) -> str:
    if fault := formats.cron_fault(value):
        raise ValueError(fault)
    if schedules.parse(value) is None:
        raise ValueError("it is no plain cron expression: write five fields such as 0 16 * * fri")
    return value


def _moment(value: object) -> object:
    """With its offset, or in the time zone of the freeze."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("it is no time: write one such as 2026-12-24T18:00") from None


_Text = Annotated[str, pydantic.Field(strict=True, max_length=300), pydantic.AfterValidator(_one_line)]
_Name = Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_name)]
_Duration = Annotated[timedelta, pydantic.BeforeValidator(_duration)]
_Moment = Annotated[datetime, pydantic.BeforeValidator(_moment)]
_Flag = Annotated[bool, pydantic.Field(strict=True)]
_Glob = Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_glob)]
_Globs = Annotated[list[_Glob], pydantic.BeforeValidator(_names)]
_Action = Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_action)]
_Actions = Annotated[list[_Action], pydantic.BeforeValidator(_names)]
_Kind = Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_kind)]
_Kinds = Annotated[list[_Kind], pydantic.BeforeValidator(_names)]
_Approver = Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_approver)]
_Approvers = Annotated[list[_Approver], pydantic.BeforeValidator(_names)]
_Word = Annotated[str, pydantic.Field(strict=True)]
"""A number has to stand in quotes: as it is written is how it is run."""
_Tiers = Annotated[list[model.RiskTier], pydantic.BeforeValidator(_names)]


# --- the form of the file


class _Form(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class _Places(_Form):
    clusters: _Globs = []
    namespaces: _Globs = []


class _Rule(_Places):
    name: _Name
    why: _Text = ""
    actions: _Actions = []
    kinds: _Kinds = []
    labels: Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_labels)] = ""

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> "_Rule":
        if not (self.actions or self.clusters or self.namespaces or self.kinds or self.labels):
            raise ValueError(
                "the rule is about nothing: add actions, clusters, namespaces, kinds or labels (for everything, "
                'write actions: "*")'
            )
        return self


class _Production(_Places):
    @pydantic.model_validator(mode="after")
    def _says_something(self) -> "_Production":
        if not (self.clusters or self.namespaces):
            raise ValueError("it names neither clusters nor namespaces: add one, or leave `production` out")
        return self


class _Tier(_Form):
    approvers: _Approvers | None = None
    approvals: Annotated[int, pydantic.Field(strict=True, ge=1, le=5)] | None = None
    self_approval: _Flag | None = None
    reason_required: _Flag | None = None


class _TierTable(_Form):
    low: _Tier = _Tier()
    medium: _Tier = _Tier()
    high: _Tier = _Tier()


class _Limits(_Form):
    cooldown: Annotated[_Duration, pydantic.AfterValidator(_within(timedelta(0), timedelta(days=1)))] | None = None
    per_target_per_hour: Annotated[int, pydantic.Field(strict=True, ge=0, le=1000)] | None = None
    per_cluster_per_hour: Annotated[int, pydantic.Field(strict=True, ge=0, le=1000)] | None = None
    max_replicas: Annotated[int, pydantic.Field(strict=True, ge=0, le=100_000)] | None = None
    max_scale_factor: Annotated[float, pydantic.Field(ge=1, le=1000)] | None = None


class _Freeze(_Places):
    name: _Name
    reason: _Text = ""
    cron: Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(_cron)] = ""
    duration: (
        Annotated[_Duration, pydantic.AfterValidator(_within(timedelta(minutes=1), timedelta(days=31)))] | None
    ) = None
    timezone: Annotated[str, pydantic.Field(strict=True), pydantic.AfterValidator(formats.zone)] = "UTC"
    since: Annotated[_Moment | None, pydantic.Field(alias="from")] = None
    until: _Moment | None = None
    tiers: _Tiers = []
    actions: _Actions = []
    undo: Literal["allowed", "stopped"] = "allowed"

    @pydantic.model_validator(mode="after")
    def _has_a_time(self) -> "_Freeze":
        if self.cron and self.duration is None:
            raise ValueError("the freeze has a `cron` and no `duration`: add how long it lasts, such as 12h")
        if self.duration is not None and not self.cron:
            raise ValueError("the freeze has a `duration` and no `cron`: add when it begins, such as 0 16 * * fri")
        if not self.cron and self.until is None:
            raise ValueError("the freeze has no time: add `cron` and `duration`, or `until`")
        since, until = _in_zone(self.since, self.timezone), _in_zone(self.until, self.timezone)
        if since is not None and until is not None and since >= until:
            raise ValueError("the freeze ends before it begins: `until` is not later than `from`")
        return self


class _Command(_Places):
    name: _Name
    argv: Annotated[list[_Word], pydantic.AfterValidator(_argv)]
    containers: _Globs = []
    kinds: _Kinds = []
    risk: Literal["medium", "high"] = "high"
    timeout_seconds: Annotated[int, pydantic.Field(strict=True, ge=1, le=commands.LONGEST_S)] = 30
    undo: _Text = ""


class _Gitops(_Form):
    argocd: policy.Ownership = "warn"
    flux: policy.Ownership = "warn"
    helm: policy.Ownership = "warn"


class _Record(_Form):
    helped: Annotated[int, pydantic.Field(strict=True, ge=1, le=20)] | None = None


class _Autonomous(_Form):
    enabled: _Flag = False
    actions: _Actions = []
    record: _Record = _Record()
    delay: Annotated[_Duration, pydantic.AfterValidator(_within(timedelta(seconds=30), timedelta(hours=1)))] | None = (
        None
    )
    per_workload_hour: Annotated[int, pydantic.Field(strict=True, ge=0, le=100)] | None = None
    per_cluster_hour: Annotated[int, pydantic.Field(strict=True, ge=0, le=1000)] | None = None
    breaker: Annotated[int, pydantic.Field(strict=True, ge=1, le=10)] | None = None


def _owners(value: object) -> object:
    """One word for all three."""
    if not isinstance(value, str):
        return value
    if value not in get_args(policy.Ownership):
        raise ValueError(f"write {', '.join(get_args(policy.Ownership))}, or one of them for each owner")
    return {"argocd": value, "flux": value, "helm": value}


class _File(_Form):
    version: Literal[1]
    default: policy.Default = "ask"
    protected_namespaces: _Globs = []
    production: _Production | None = None
    deny: list[_Rule] = []
    allow: list[_Rule] = []
    tiers: _TierTable = _TierTable()
    limits: _Limits = _Limits()
    freezes: list[_Freeze] = []
    gitops: Annotated[_Gitops, pydantic.BeforeValidator(_owners)] = _Gitops()
    commands: list[_Command] | None = None
    autonomous: _Autonomous = _Autonomous()


# --- from text to policy


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a line of the file, and what to do."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}"


class Unreadable(Exception):
    """There is no text to be read; the sentence says why."""


def load(path: Path | None) -> tuple[policy.Policy | None, tuple[str, ...]]:
    """The policy of the file, None without one; and all faults, one line each, that begin with the variable."""
    if path is None:
        return None, ()
    try:
        found, faults = parse(read(path), path.name)
    except Unreadable as error:
        return None, (f"{VARIABLE}: {error}",)
    return found, tuple(f"{VARIABLE}: {fault}" for fault in faults)


def read(path: Path) -> str:
    """The text of the file. Raises Unreadable."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Unreadable(f"{path.name}:1: this is not UTF-8: write the file as plain text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Unreadable(f"the file cannot be read ({reason}): set it to one that is there and may be read") from None


def parse(text: str, source: str) -> tuple[policy.Policy | None, tuple[Fault, ...]]:
    """The policy of this text, or None and all that is wrong with it. Never raises."""
    if len(text) > MOST_CHARACTERS:
        return None, (Fault(source, 1, f"the file is longer than {MOST_CHARACTERS:,} characters: write less"),)
    reading = Reading(source)
    try:
        data = reading.data(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = str(getattr(error, "problem", "") or "it cannot be read").strip()
        return None, (Fault(source, mark.line + 1 if mark else 1, f"this is not YAML: {problem}"),)
    except RecursionError:
        return None, (Fault(source, 1, "it is nested too deeply: docs/policy.md tells the form of the file"),)
    if not isinstance(data, dict):
        if not reading.faults:
            reading.fault(1, "this is no policy: begin with `version: 1`, as docs/policy.md says")
        return None, tuple(reading.faults)
    try:
        form = _File.model_validate(data)
    except pydantic.ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            reading.fault(*_told(one, reading))
        form = None
    if form is not None:
        for line, message in _doubled(form, reading):
            reading.fault(line, message)
    if form is None or reading.faults:
        return None, tuple(sorted(dict.fromkeys(reading.faults), key=lambda fault: fault.line))
    return _policy(form, reading), ()


class Reading:
    """The file while it is read: its plain data, and the line of everything in it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[Fault] = []
        self._lines: dict[tuple[str | int, ...], int] = {}

    def fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.source, line, message))

    def line(self, path: Sequence[str | int]) -> int:
        """Of what stands at this path, or of the nearest thing around it."""
        for end in range(len(path), 0, -1):
            if (line := self._lines.get(tuple(path[:end]))) is not None:
                return line
        return 1

    def data(self, text: str) -> object:
        """Raises YAMLError."""
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.events.AliasEvent):
                self.fault(_line(event), "aliases (`*name`) are not read: write it out")
                return None
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if root is None else self._plain(root, ())

    def _plain(self, node: yaml.nodes.Node, path: tuple[str | int, ...]) -> object:
        self._lines.setdefault(path, _line(node))
        if isinstance(node, yaml.nodes.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.nodes.SequenceNode):
            return [self._plain(each, (*path, number)) for number, each in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.nodes.MappingNode, path: tuple[str | int, ...]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value)[:60] if isinstance(key, yaml.nodes.ScalarNode) else "?"
            if name in found:
                self.fault(_line(key), f"`{name}` is written twice: write it once")
                continue
            self._lines[(*path, name)] = _line(key)
            found[name] = self._plain(value, (*path, name))
        return found

    def _scalar(self, node: yaml.nodes.Node) -> object:
        """Whole numbers, true and false as such, and all else as it is written: no dates and no base 60."""
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "int" if re.fullmatch(r"[-+]?\d{1,12}", text):
                return int(text)
            case "float" if re.fullmatch(r"[-+]?\d{1,12}\.\d{1,12}", text):
                return float(text)
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "null":
                return None
            case _:
                return text


def _line(part: yaml.events.Event | yaml.nodes.Node) -> int:
    mark = part.start_mark
    return 1 if mark is None else int(mark.line) + 1


def _told(error: Any, reading: Reading) -> tuple[int, str]:
    """The line, and what is wrong with the key or the entry there."""
    path: tuple[str | int, ...] = error["loc"]
    where = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    own = error.get("ctx", {}).get("error")
    kind = error["type"]
    line = reading.line(path)
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(where, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
        return line, f"`{where}` is no key here ({hint})"
    if kind == "missing":
        return line, f"`{where}` is missing: add it" + (" (`version: 1`)" if where == "version" else "")
    if own is not None:
        told = str(own)
        return line, told if told.startswith(_WHOLE) else f"`{where}` is wrong: {told}"
    if kind == "literal_error":
        return line, f"`{where}` is none of the words that it can be: write {error['ctx']['expected']}"
    if kind.startswith(("greater", "less")):
        bound = next(iter(error.get("ctx", {}).values()), "")
        side = "more than" if kind.startswith("less") else "less than"
        return line, f"`{where}` is out of bounds: it is {side} it may be ({bound})"
    wanted = {
        "list_type": "a list",
        "model_type": "keys with values",
        "string_type": "a text",
        "bool_type": "true or false",
        "int_type": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "string_too_long": "at most 300 characters",
    }
    return line, f"`{where}` is wrong: write {wanted.get(kind, 'what docs/policy.md says')}"


def _known_keys(path: Sequence[str | int]) -> list[str]:
    """The keys of the mapping at this path."""
    keys: Mapping[str, type[_Form]] = {
        "": _File,
        "production": _Production,
        "deny": _Rule,
        "allow": _Rule,
        "limits": _Limits,
        "freezes": _Freeze,
        "gitops": _Gitops,
        "commands": _Command,
        "autonomous": _Autonomous if len(path) == 1 else _Record,
    }
    first = str(path[0]) if path else ""
    form: type[_Form] = (_TierTable if len(path) == 1 else _Tier) if first == "tiers" else keys.get(first, _File)
    return [info.alias or name for name, info in form.model_fields.items()]


def _doubled(form: _File, reading: Reading) -> Iterator[tuple[int, str]]:
    """A name says which rule decided, so no two have the same."""
    for keys in (("deny", "allow"), ("freezes",), ("commands",)):
        seen: dict[str, int] = {}
        for key in keys:
            for number, one in enumerate(getattr(form, key) or ()):
                line = reading.line((key, number, "name"))
                if one.name in seen:
                    yield line, f"`name` {one.name} is taken in line {seen[one.name]}: choose another"
                seen.setdefault(one.name, line)


# --- from the form to the policy


def _policy(form: _File, reading: Reading) -> policy.Policy:
    shipped = policy.Policy()
    limits = form.limits
    production = () if form.production is None else (policy.Places(**_places(form.production)),)
    return policy.Policy(
        protected_namespaces=tuple(form.protected_namespaces),
        cooldown=_or(limits.cooldown, shipped.cooldown),
        hourly_limit=_or(limits.per_target_per_hour, shipped.hourly_limit),
        cluster_hourly_limit=_or(limits.per_cluster_per_hour, shipped.cluster_hourly_limit),
        max_replicas=_or(limits.max_replicas, shipped.max_replicas),
        max_scale_factor=_or(limits.max_scale_factor, shipped.max_scale_factor),
        tiers=policy.Tiers(**{name: _tier(getattr(form.tiers, name), name) for name in get_args(model.RiskTier)}),
        rulesets=(policy.Ruleset(rules=tuple(_rules(form, reading)), default=form.default, source=reading.source),),
        production=production,
        freezes=tuple(_freeze(one, reading, number) for number, one in enumerate(form.freezes)),
        gitops=policy.Gitops(argocd=form.gitops.argocd, flux=form.gitops.flux, helm=form.gitops.helm),
        autonomous=_autonomous(form.autonomous),
        commands=() if form.commands is None else (_commands(form.commands, reading),),
    )


def _commands(forms: Sequence[_Command], reading: Reading) -> policy.Commands:
    found = tuple(
        policy.Command(
            name=one.name,
            line=commands.line(one.argv),
            containers=tuple(one.containers),
            kinds=tuple(one.kinds),
            risk=one.risk,
            seconds=one.timeout_seconds,
            undo=one.undo,
            source=f"{reading.source}:{reading.line(('commands', number))}",
            **_places(one),
        )
        for number, one in enumerate(forms)
    )
    return policy.Commands(entries=found, source=reading.source)


def _autonomous(form: _Autonomous) -> policy.Autonomous:
    shipped = policy.Autonomous()
    return policy.Autonomous(
        enabled=form.enabled,
        listed=(tuple(form.actions),),
        helped=_or(form.record.helped, shipped.helped),
        delay=_or(form.delay, shipped.delay),
        per_workload_hour=_or(form.per_workload_hour, shipped.per_workload_hour),
        per_cluster_hour=_or(form.per_cluster_hour, shipped.per_cluster_hour),
        breaker=_or(form.breaker, shipped.breaker),
    )


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _places(form: _Places) -> dict[str, tuple[str, ...]]:
    return {"clusters": tuple(form.clusters), "namespaces": tuple(form.namespaces)}


def _rules(form: _File, reading: Reading) -> Iterator[policy.Rule]:
    effects: Mapping[policy.Effect, Sequence[_Rule]] = {"deny": form.deny, "allow": form.allow}
    for effect, rules in effects.items():
        for number, rule in enumerate(rules):
            yield policy.Rule(
                effect=effect,
                name=rule.name,
                actions=tuple(rule.actions),
                kinds=tuple(rule.kinds),
                labels=tuple(part for part in rule.labels.split(",") if part),
                why=rule.why,
                source=f"{reading.source}:{reading.line((effect, number))}",
                **_places(rule),
            )


def _tier(form: _Tier, name: model.RiskTier) -> policy.Tier:
    shipped = policy.Tiers().of(name)
    circles = () if form.approvers is None else (approvers(form.approvers),)
    return policy.Tier(
        approvers=circles,
        approvals=_or(form.approvals, shipped.approvals),
        self_approval=_or(form.self_approval, shipped.self_approval),
        reason_required=_or(form.reason_required, shipped.reason_required),
    )


def approvers(ids: Sequence[str]) -> policy.Approvers:
    """By what the ids begin with. https://docs.slack.dev/reference/objects/usergroup-object"""
    return policy.Approvers(
        users=tuple(one for one in ids if one[0] in "UW*"),
        groups=tuple(one for one in ids if one[0] == "S"),
        channels=tuple(one for one in ids if one[0] in "CG"),
    )


def _freeze(form: _Freeze, reading: Reading, number: int) -> policy.Freeze:
    return policy.Freeze(
        name=form.name,
        reason=form.reason,
        cron=form.cron,
        duration=_or(form.duration, timedelta(0)),
        zone=form.timezone,
        since=_in_zone(form.since, form.timezone),
        until=_in_zone(form.until, form.timezone),
        tiers=tuple(form.tiers),
        actions=tuple(form.actions),
        stops_undo=form.undo == "stopped",
        source=f"{reading.source}:{reading.line(('freezes', number))}",
        **_places(form),
    )


def _in_zone(at: datetime | None, zone: str) -> datetime | None:
    if at is None:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=schedules.zone_of(zone))).astimezone(UTC)
