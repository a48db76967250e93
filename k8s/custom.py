"""Detectors of somebody's own: rules of a file (`k8s.ruling`), and Python detectors of other packages.

`bot.plugins` makes a `Custom` of them at the start; `k8s.detection` asks its detectors beside those of the catalogue,
`k8s.snapshot` lists what they want. Whatever one of them does, a sweep comes to its end: it is bounded in time, what it
finds is checked, and where it fails, that is told as an error of its kinds. Pure but for the threads in which Python
detectors run, so that one that hangs can be left behind.
"""

import dataclasses
import fnmatch
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, get_args

import msgspec

from k8s import expressions, model, objects, ruling, symptoms

RULE_SECONDS = 2.0
"""For one rule, all its objects: 5,000 of them take a quarter of a second."""
RULES_SECONDS = 30.0
"""For all rules of a sweep together: with many of them, each has its share."""
PLUGIN_SECONDS = 10.0
"""For one Python detector."""
MOST_FINDINGS = 1000
"""Of one rule or one Python detector: what matches everything is a wrong rule, and not thousands of incidents."""
LONGEST_MESSAGE = 500
LONGEST_CAUSE = 200

OWN = frozenset(
    {
        *("Namespace", "Node", "Pod", "Event", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"),
        *("CronJob", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Service", "EndpointSlice", "Ingress"),
        *("IngressClass", "PersistentVolumeClaim", "StorageClass", "ResourceQuota", "Secret", "ConfigMap", "Registry"),
        *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
    }
)
"""Kinds of Kubernetes itself that are known by name: one of another group that is called the same keeps its group."""

_KIND = re.compile(r"[A-Z][A-Za-z0-9]{1,59}")
_LISTS = frozenset(
    name
    for name in model.Snapshot.__dataclass_fields__
    if name not in {"cluster", "taken_at", "scope", "unread", "degraded", "odd", "seconds", "custom", "rests"}
)


class Plugin(Protocol):
    """What an entry point of the group `watchkeeper.detectors` names: a module, or an object, with these.

    It may also have `resources`, pairs such as `("cert-manager.io/v1", "Certificate")`: their objects are then in
    `snapshot.custom["cert-manager.io/v1/Certificate"]`, and such a name may be one of `reads`.
    """

    KINDS: Sequence[symptoms.KindInfo]
    """Its failure kinds, none of the catalogue."""
    reads: Sequence[str]
    """The lists of the snapshot that it rests on: where one was not seen whole, that it finds nothing says nothing."""

    def detect(self, snapshot: model.Snapshot, index: model.Index) -> Iterable[model.Finding]:
        """What is broken, at any age. Called in a thread of its own, at the same time for several clusters."""
        ...


class BrokeOff(Exception):
    """A detector that did not come to its end; the text is one sentence of ours."""


class Faulty(Exception):
    """A Python detector that does not keep to the contract; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Custom:
    """All detectors of somebody's own."""

    detectors: tuple[model.Detector, ...] = ()
    kinds: Mapping[str, symptoms.KindInfo] = field(default_factory=dict)
    wanted: tuple[ruling.Wanted, ...] = ()
    """What a look has to list for them."""

    @property
    def rests(self) -> dict[str, tuple[str, ...]]:
        """Kind → the lists that its findings rest on."""
        return {kind: tuple(detector.reads) for detector in self.detectors for kind in detector.kinds}


NONE = Custom()


def of(rules: Sequence[ruling.Rule], plugins: Sequence["Guarded"], monotonic: Callable[[], float]) -> Custom:
    """The detectors of these rules and plugins, whose kinds are all different."""
    seconds = min(RULE_SECONDS, RULES_SECONDS / max(1, len(rules)))
    asked = [RuleDetector(rule, monotonic, seconds) for rule in rules]
    infos = [*(info_of(rule) for rule in rules), *(info for plugin in plugins for info in plugin.infos)]
    wanted = {rule.resource for rule in rules} | {one for plugin in plugins for one in plugin.wanted}
    return Custom((*asked, *plugins), {info.kind: info for info in infos}, tuple(sorted(wanted)))


def info_of(rule: ruling.Rule) -> symptoms.KindInfo:
    told = " ".join(rule.when.text.split())
    told = told if len(told) <= 160 else told[:159] + "…"
    return symptoms.KindInfo(
        kind=rule.kind,
        severity=rule.severity,
        grace=rule.grace,
        doc=rule.doc,
        condition=f"{rule.resource.kind} ({rule.resource.api_version}) with {told}",
        source=rule.source,
    )


def name_of(wanted: ruling.Wanted) -> str:
    """What references call such an object: its kind, with the group where Kubernetes has another one of that name."""
    foreign = "." in wanted.group and not wanted.group.endswith(".k8s.io")
    return f"{wanted.kind}.{wanted.group}" if foreign and wanted.kind in OWN else wanted.kind


def metadata(obj: model.Json) -> objects.Meta:
    """The metadata of an object, or what of it can be read."""
    found = obj.get("metadata")
    try:
        return msgspec.convert(found, objects.Meta)
    except msgspec.ValidationError:
        meta = found if isinstance(found, dict) else {}
        texts = {key: meta[key] for key in ("name", "namespace", "uid") if isinstance(meta.get(key), str)}
        return objects.Meta(**texts)


# --- rules


class RuleDetector:
    """One rule, asked of every object of its resource. Implements `model.Detector`."""

    def __init__(self, rule: ruling.Rule, monotonic: Callable[[], float], seconds: float = RULE_SECONDS) -> None:
        self._rule = rule
        self._monotonic = monotonic
        self._seconds = seconds
        self.kinds: tuple[str, ...] = (rule.kind,)
        self.reads: tuple[str, ...] = (str(rule.resource),)

    def detect(self, snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
        """Raises BrokeOff at its end where some object could not be asked, or where the time was not enough."""
        listed = snapshot.custom.get(self.reads[0], ())
        deadline = self._monotonic() + self._seconds
        troubles: list[str] = []
        found = 0
        for number, obj in enumerate(listed):
            if self._monotonic() > deadline:
                raise BrokeOff(
                    f"The rule in {self._rule.source} took longer than {self._seconds:g} s and was cut short after "
                    f"{number} of {len(listed)} objects: make it simpler, or name namespaces in it."
                )
            try:
                finding = self._asked(obj, snapshot.taken_at, index)
            except expressions.Unevaluated as error:
                troubles.append(f"{metadata(obj).name}: {error}")
                continue
            if finding is not None:
                found += 1
                yield finding
            if found >= MOST_FINDINGS:
                raise BrokeOff(f"The rule in {self._rule.source} matches more than {MOST_FINDINGS} objects.")
        if troubles:
            told = f"The rule in {self._rule.source} has no answer for {len(troubles)} of {len(listed)} objects"
            raise BrokeOff(f"{told} ({troubles[0]}).")

    def _asked(self, obj: model.Json, now: datetime, index: model.Index) -> model.Finding | None:
        """Raises Unevaluated."""
        rule = self._rule
        meta = metadata(obj)
        if rule.namespaces and not any(fnmatch.fnmatchcase(meta.namespace, glob) for glob in rule.namespaces):
            return None
        if not rule.when.value(obj, now):
            return None
        kind = name_of(rule.resource)
        resource = symptoms.reference(kind, meta)
        facts = {"rule": rule.source, "doc": rule.doc, "next_step": rule.next_step}
        return model.Finding(
            kind=rule.kind,
            severity=rule.severity,
            resource=resource,
            owner=resource if rule.owner == "self" else index.top_owner(kind, meta),
            message=_message(rule, obj, now),
            since=_since(rule, obj, now),
            cause=_one_line(rule.cause.value(obj, now), LONGEST_CAUSE) if rule.cause is not None else "",
            grace=rule.grace,
            facts={name: text for name, text in facts.items() if text},
        )


def _message(rule: ruling.Rule, obj: model.Json, now: datetime) -> str:
    """That it was found must not be lost over how it is said."""
    try:
        told = _one_line(rule.message.value(obj, now), LONGEST_MESSAGE)
    except expressions.Unevaluated as error:
        return f"{rule.kind} holds; its message could not be made ({error})."
    return told or f"{rule.kind} holds."


def _since(rule: ruling.Rule, obj: model.Json, now: datetime) -> datetime:
    """The time of the sweep where the rule says none: sweeps then tell how long it has been seen."""
    if rule.since is None:
        return now
    try:
        said = rule.since.value(obj, now)
    except expressions.Unevaluated:
        return now
    moment = objects.moment(said) if isinstance(said, str) else said
    return now if moment is None or moment.tzinfo is None else min(moment, now)


def _one_line(text: str, most: int) -> str:
    told = " ".join(text.split())
    return told if len(told) <= most else told[: most - 1] + "…"


# --- detectors in Python


class Guarded:
    """A Python detector of another package, held to the contract. Implements `model.Detector`."""

    def __init__(self, plugin: Any, source: str, seconds: float = PLUGIN_SECONDS) -> None:
        """Raises Faulty where it is no detector."""
        self._plugin = plugin
        self._seconds = seconds
        self._left_behind: list[threading.Thread] = []
        self.source = source
        self.infos = _infos(plugin, source)
        self.wanted = _wanted(plugin)
        self.kinds = tuple(info.kind for info in self.infos)
        self.reads = _reads(plugin, self.wanted)
        if not callable(getattr(plugin, "detect", None)):
            raise Faulty("it has no `detect(snapshot, index)`: add it")

    def detect(self, snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
        """What it found in its time; then raises BrokeOff where it did not come to its end or keep to the contract."""
        self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
        if self._left_behind:
            raise BrokeOff(f"The detector {self.source} has not come back from an earlier sweep; it was not asked.")
        call = _Call(self._plugin, self.kinds, snapshot, index)
        thread = threading.Thread(target=call.run, name=f"detector {self.source}", daemon=True)
        thread.start()
        thread.join(self._seconds)
        late = thread.is_alive()
        if late:
            call.given_up.set()
            self._left_behind.append(thread)
        for finding in list(call.found):
            yield dataclasses.replace(finding, facts={**finding.facts, "rule": self.source})
        if late:
            raise BrokeOff(f"The detector {self.source} took longer than {self._seconds:g} s and was left behind.")
        if call.failure:
            raise BrokeOff(f"The detector {self.source} {call.failure}.")


class _Call:
    """One call of a Python detector, in its thread."""

    def __init__(self, plugin: Any, kinds: Sequence[str], snapshot: model.Snapshot, index: model.Index) -> None:
        self._plugin = plugin
        self._kinds = kinds
        self._snapshot = snapshot
        self._index = index
        self.found: list[model.Finding] = []
        self.failure = ""
        self.given_up = threading.Event()

    def run(self) -> None:
        """THE boundary of other people's code: nothing that it raises goes further."""
        try:
            for finding in self._plugin.detect(self._snapshot, self._index):
                if self.given_up.is_set():
                    return
                if len(self.found) >= MOST_FINDINGS:
                    self.failure = f"found more than {MOST_FINDINGS} things"
                    return
                if flaw := flaw_of(finding, self._kinds):
                    self.failure = f"gave a finding that is none: {flaw}"
                    return
                self.found.append(finding)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code
            self.failure = f"broke off with {type(error).__name__}"


def flaw_of(given: object, kinds: Sequence[str]) -> str:
    """What of a finding is not as `model.Finding` says; empty where all is."""
    if not isinstance(given, model.Finding):
        return f"it is a {type(given).__name__}"
    finding: Any = given
    if finding.kind not in kinds:
        return "its kind is not one of KINDS"
    if finding.severity not in get_args(model.Severity):
        return "its severity is not P1, P2 or P3"
    if not isinstance(finding.since, datetime) or finding.since.tzinfo is None:
        return "its `since` is no time with a time zone"
    if not isinstance(finding.grace, timedelta):
        return "its grace is no timedelta"
    for ref in (finding.resource, finding.owner):
        if not isinstance(ref, model.ResourceRef) or not _texts(ref.kind, ref.namespace, ref.name, ref.uid):
            return "its resource or owner is no ResourceRef of texts"
    if not _texts(finding.message, finding.cause, finding.container, finding.node):
        return "its message, cause, container or node is no text"
    if len(finding.message) > LONGEST_MESSAGE or len(finding.cause) > LONGEST_CAUSE:
        return f"its message is longer than {LONGEST_MESSAGE} or its cause than {LONGEST_CAUSE} characters"
    facts = finding.facts
    if not isinstance(facts, Mapping) or not _texts(*facts, *facts.values()):
        return "its facts are no texts"
    return ""


def _texts(*parts: object) -> bool:
    return all(isinstance(part, str) for part in parts)


def _infos(plugin: Any, source: str) -> tuple[symptoms.KindInfo, ...]:
    infos = getattr(plugin, "KINDS", None)
    if not isinstance(infos, Sequence) or not infos or not all(isinstance(one, symptoms.KindInfo) for one in infos):
        raise Faulty("it has no KINDS: make it a tuple of k8s.symptoms.KindInfo")
    for info in infos:
        if not isinstance(info.kind, str) or not _KIND.fullmatch(info.kind):
            raise Faulty("a kind of KINDS has no good name: write one such as CertificateNotReady")
        if info.severity not in get_args(model.Severity) or not isinstance(info.grace, timedelta):
            raise Faulty(f"{info.kind} has no severity P1, P2 or P3, or no timedelta as its grace: set both")
        if not isinstance(info.doc, str) or not isinstance(info.condition, str) or not info.condition:
            raise Faulty(f"{info.kind} has no condition (a few words on when it is found), or a doc that is no text")
    return tuple(dataclasses.replace(info, source=source, also={}) for info in infos)


def _wanted(plugin: Any) -> tuple[ruling.Wanted, ...]:
    found = []
    for pair in getattr(plugin, "resources", ()):
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(part, str) and part for part in pair):
            raise Faulty('`resources` holds what is no pair: write them as ("cert-manager.io/v1", "Certificate")')
        found.append(ruling.Wanted(*pair))
    return tuple(found)


def _reads(plugin: Any, wanted: Iterable[ruling.Wanted]) -> tuple[str, ...]:
    reads = getattr(plugin, "reads", None)
    if not isinstance(reads, Sequence) or isinstance(reads, str):
        raise Faulty("it has no `reads`: make it a tuple of the snapshot's lists that it rests on")
    known = _LISTS | {str(one) for one in wanted}
    if unknown := [str(name) for name in reads if name not in known]:
        raise Faulty(f"`reads` names {unknown[0]!r}, which is no list of the snapshot and none of its `resources`")
    return tuple(reads)
