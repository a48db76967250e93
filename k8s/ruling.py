"""From the text of a file of rules to rules that can be asked, or to every fault in it with its line.

Called by `bot.plugins` when the settings are read. The form of the file is told in docs/custom-detectors.md. Pure: the
text is given, and nothing but YAML's plain types is made of it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

import yaml

from k8s import expressions, model

MOST_RULES = 100
MOST_CHARACTERS = 262_144
LONGEST_GRACE = timedelta(days=1)

Owner = Literal["controller", "self"]

_KIND = re.compile(r"[A-Z][A-Za-z0-9]{1,59}")
_GROUP_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?v[a-z0-9]{1,62}")
_GLOB = re.compile(r"[a-z0-9*?\[\]!-]{1,63}")
_DURATION = re.compile(r"(\d{1,6})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_REQUIRED = ("kind", "resource", "when", "message")
_KEYS = (*_REQUIRED, "namespaces", "severity", "grace", "since", "cause", "owner", "doc", "next_step")

_Node = yaml.nodes.Node


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """A kind of object that is to be listed: `cert-manager.io/v1`, `Certificate`."""

    api_version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"

    @property
    def group(self) -> str:
        """Empty for the core group."""
        group, slash, _ = self.api_version.rpartition("/")
        return group if slash else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One failure kind of somebody's own: over which objects, when, and what is said."""

    kind: str
    source: str
    """`file:line` of where it begins."""
    resource: Wanted
    when: expressions.Expression
    message: expressions.Expression
    namespaces: tuple[str, ...] = ()
    """Globs; empty: all that the watch looks at."""
    severity: model.Severity = "P2"
    grace: timedelta = timedelta(0)
    since: expressions.Expression | None = None
    cause: expressions.Expression | None = None
    owner: Owner = "controller"
    """Whose incident it is: the object's top controller, or the object's own."""
    doc: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a line of the file, and what to do."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}"


def parse(text: str, source: str, taken: Sequence[str] = ()) -> tuple[tuple[Rule, ...], tuple[Fault, ...]]:
    """The rules of a file and all that is wrong in it; `taken` are the kinds that others have. Never raises.

    A rule with a fault is left out, so rules are whole.
    """
    reading = _Reading(source, taken)
    try:
        rules = tuple(reading.rules(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = str(getattr(error, "problem", "") or "it cannot be read").strip()
        reading.fault(mark.line + 1 if mark else 1, f"this is not YAML: {problem}")
        return (), tuple(reading.faults)
    except RecursionError:
        reading.fault(1, "it is nested too deeply: write a list of rules")
        return (), tuple(reading.faults)
    return rules, tuple(sorted(reading.faults, key=lambda fault: fault.line))


class _Reading:
    """The file while it is read; faults are gathered, so that all are told at once."""

    def __init__(self, source: str, taken: Sequence[str]) -> None:
        self.source = source
        self.faults: list[Fault] = []
        self._taken = {kind.lower(): "the catalogue or another detector" for kind in taken}

    def fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.source, line, message))

    def rules(self, text: str) -> Iterator[Rule]:
        if len(text) > MOST_CHARACTERS:
            self.fault(1, f"the file is longer than {MOST_CHARACTERS:,} characters: keep rules only in it")
            return
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            self.fault(1, "there is no rule in it: write a list of rules, each beginning with `- kind: …`")
            return
        if not isinstance(root, yaml.nodes.SequenceNode):
            self.fault(_line(root), "this is not a list: write a list of rules, each beginning with `- kind: …`")
            return
        if len(root.value) > MOST_RULES:
            self.fault(_line(root.value[MOST_RULES]), f"there are more than {MOST_RULES} rules: leave some out")
            return
        for node in root.value:
            rule = self._rule(node)
            if rule is not None:
                yield rule

    def _rule(self, node: _Node) -> Rule | None:
        before = len(self.faults)
        fields = self._mapping(node, _KEYS, "a rule")
        for key in _REQUIRED:
            if fields is not None and key not in fields:
                self.fault(_line(node), f"the rule has no `{key}`: add it")
        if fields is None:
            return None
        kind = self._kind(fields.get("kind"))
        wanted = self._resource(fields.get("resource"))
        when, message = self._expression(fields, "when", "bool"), self._expression(fields, "message", "string")
        rule = None
        namespaces, severity, grace = self._namespaces(fields), self._severity(fields), self._grace(fields)
        since, cause = self._expression(fields, "since", "timestamp"), self._expression(fields, "cause", "string")
        owner, doc, next_step = self._owner(fields), self._doc(fields), self._text(fields.get("next_step"), "next_step")
        if len(self.faults) == before and wanted is not None and when is not None and message is not None:
            rule = Rule(
                kind=kind,
                source=f"{self.source}:{_line(node)}",
                resource=wanted,
                when=when,
                message=message,
                namespaces=namespaces,
                severity=severity,
                grace=grace,
                since=since,
                cause=cause,
                owner=owner,
                doc=doc,
                next_step=next_step,
            )
        return rule

    def _mapping(self, node: _Node, known: Sequence[str], what: str) -> dict[str, _Node] | None:
        """Key → value; None where it is no mapping. Unknown and repeated keys are faults."""
        if not isinstance(node, yaml.nodes.MappingNode):
            self.fault(_line(node), f"this is not {what}: write {', '.join(f'`{key}: …`' for key in known[:4])}")
            return None
        found: dict[str, _Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.nodes.ScalarNode) else ""
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
                self.fault(_line(key), f"`{name[:60]}` is no key of {what} ({hint})")
            elif name in found:
                self.fault(_line(key), f"`{name}` is written twice: write it once")
            else:
                found[name] = value
        return found

    def _text(self, node: _Node | None, key: str, most: int = 500) -> str:
        """The text of a value; empty where there is none or it is no text."""
        if node is None:
            return ""
        if not isinstance(node, yaml.nodes.ScalarNode):
            self.fault(_line(node), f"`{key}` is no text: write one value")
            return ""
        text = str(node.value)
        if len(text) > most:
            self.fault(_line(node), f"`{key}` is longer than {most} characters: write less")
            return ""
        return text.strip()

    def _kind(self, node: _Node | None) -> str:
        kind = self._text(node, "kind")
        if node is None:
            return kind
        if not _KIND.fullmatch(kind):
            self.fault(_line(node), "`kind` is no name of a failure kind: write one such as CertificateNotReady")
        elif kind.lower() in self._taken:
            self.fault(_line(node), f"`kind` {kind} is taken by {self._taken[kind.lower()]}: choose another name")
        self._taken.setdefault(kind.lower(), f"the rule in line {_line(node)}")
        return kind

    def _resource(self, node: _Node | None) -> Wanted | None:
        fields = None if node is None else self._mapping(node, ("apiVersion", "kind"), "a resource")
        if node is None or fields is None:
            return None
        texts = {key: self._text(fields.get(key), key) for key in ("apiVersion", "kind")}
        forms = {"apiVersion": (_GROUP_VERSION, "cert-manager.io/v1"), "kind": (_KIND, "Certificate")}
        good = True
        for key, (form, example) in forms.items():
            if not form.fullmatch(texts[key]):
                good = False
                self.fault(_line(fields.get(key, node)), f"`{key}` of the resource is wrong: write it as {example}")
        return Wanted(texts["apiVersion"], texts["kind"]) if good else None

    def _expression(
        self, fields: Mapping[str, _Node], key: str, answer: expressions.Answer
    ) -> expressions.Expression | None:
        node = fields.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.nodes.ScalarNode):
            self.fault(_line(node), f"`{key}` is no text: write a CEL expression")
            return None
        try:
            return expressions.Expression(str(node.value), answer)
        except expressions.Unusable as error:
            self.fault(_line_within(node, error.line), f"`{key}` cannot be evaluated: {error}")
        return None

    def _namespaces(self, fields: Mapping[str, _Node]) -> tuple[str, ...]:
        node = fields.get("namespaces")
        if node is None:
            return ()
        if not isinstance(node, yaml.nodes.SequenceNode):
            self.fault(_line(node), "`namespaces` is no list: write [payments, team-*]")
            return ()
        names = [(one, self._text(one, "namespaces")) for one in node.value]
        for one, name in names:
            if not _GLOB.fullmatch(name):
                self.fault(_line(one), f"`{name[:63]}` is no namespace or glob: write one such as team-*")
        return tuple(name for _, name in names)

    def _severity(self, fields: Mapping[str, _Node]) -> model.Severity:
        text = self._text(fields.get("severity"), "severity").upper()
        for severity in get_args(model.Severity):
            if text == severity:
                found: model.Severity = severity
                return found
        if "severity" in fields:
            self.fault(_line(fields["severity"]), "`severity` is none: write P1, P2 or P3")
        return "P2"

    def _grace(self, fields: Mapping[str, _Node]) -> timedelta:
        if "grace" not in fields:
            return timedelta(0)
        matched = _DURATION.fullmatch(self._text(fields["grace"], "grace"))
        span = timedelta(seconds=int(matched[1]) * _UNITS[matched[2]]) if matched else None
        if span is None or span > LONGEST_GRACE:
            self.fault(_line(fields["grace"]), "`grace` is no duration up to a day: write one such as 90s, 15m or 12h")
            return timedelta(0)
        return span

    def _owner(self, fields: Mapping[str, _Node]) -> Owner:
        text = self._text(fields.get("owner"), "owner")
        if "owner" in fields and text not in get_args(Owner):
            self.fault(_line(fields["owner"]), "`owner` is wrong: write controller (the default) or self")
        return "self" if text == "self" else "controller"

    def _doc(self, fields: Mapping[str, _Node]) -> str:
        text = self._text(fields.get("doc"), "doc")
        if "doc" in fields and not re.fullmatch(r"https?://[^\s<>|]{1,490}", text):
            self.fault(_line(fields["doc"]), "`doc` is no address: write one that begins with https://")
            return ""
        return text


def _line(node: _Node) -> int:
    mark = node.start_mark
    return 1 if mark is None else int(mark.line) + 1


def _line_within(node: _Node, line: int) -> int:
    """The line of the file that holds this line of a text: known where the text is written line by line (`|`)."""
    if isinstance(node, yaml.nodes.ScalarNode) and node.style == "|":
        return _line(node) + line
    return _line(node)
