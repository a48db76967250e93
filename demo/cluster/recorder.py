"""Events as components record them: equal ones are counted up in one object, chatty ones are held back.

`event` is the recorder of the kubelet and the controllers: count, firstTimestamp and lastTimestamp; an eleventh text of
the same reason within ten minutes is "(combined from similar events)", and of one source about one object there are 25
at once, then one every five minutes. `note` is the newer recorder, of the scheduler: eventTime, action and a series,
no source and no count. Sources: https://github.com/kubernetes/client-go/blob/v0.34.4/tools/record/events_cache.go and
https://github.com/kubernetes/client-go/blob/v0.34.4/tools/events/event_broadcaster.go .
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from demo.cluster.objects import Object, clone, name_of, namespace_of, parse_time, rfc3339, rfc3339_micro, uid_of
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Store
from demo.cluster.timeline import Timeline

BURST = 25
REFILL_SECONDS = 300.0
SIMILAR = 10
"""From so many texts of one reason on they are combined."""
SIMILAR_SECONDS = 600.0
SERIES_SECONDS = 360.0
"""A series ends when nothing came for so long."""
REFRESH_SECONDS = 1800.0
"""How often a series that goes on is written."""
TTL = timedelta(hours=1)
INSTANCE = "control-plane"
"""The host of the scheduler."""

Source = tuple[str, str]
"""(component, host)."""
_BARE = ("taint-eviction-controller",)
"""Components that name an object without its UID."""
_BY_NAME = ("kubelet", "kernel-monitor")
"""Components for which the UID of a node is its name."""


@dataclass
class _Bucket:
    tokens: float
    filled: float


@dataclass
class _Similar:
    texts: list[str]
    last: float


@dataclass
class _Seen:
    name: str
    count: int
    first: str


@dataclass
class _Series:
    name: str
    namespace: str
    count: int
    seen: float
    written: float


@dataclass
class Recorder:
    """Writes events into the store."""

    store: Store
    timeline: Timeline
    _seen: dict[tuple[str, ...], _Seen] = field(default_factory=dict)
    _similar: dict[tuple[str, ...], _Similar] = field(default_factory=dict)
    _buckets: dict[tuple[str, ...], _Bucket] = field(default_factory=dict)
    _series: dict[tuple[str, ...], _Series] = field(default_factory=dict)
    _made: int = 0

    def event(
        self,
        storage: str,
        obj: Object,
        reason: str,
        message: str,
        source: Source,
        *,
        warning: bool = False,
        field_path: str = "",
    ) -> None:
        """Record that `reason` happened to `obj` of that storage; a repetition raises the count of the first."""
        kind = "Warning" if warning else "Normal"
        involved = _reference(storage, obj, source[0], field_path)
        about = (involved.get("uid", ""), *_identity(involved))
        message, key = self._combined((*source, *about, kind, reason), message, field_path)
        now = self.timeline.now()
        seen = self._seen.setdefault(key, _Seen(self._name(obj, now), 0, rfc3339(now)))
        seen.count += 1
        if not self._pass((*source, *about, kind)):
            return
        namespace = namespace_of(obj) or "default"
        existing = self.store.find("events", namespace, seen.name)
        if existing is not None:
            counted = {"count": seen.count, "lastTimestamp": rfc3339(now), "message": message}
            self.store.replace("events", {**clone(existing), **counted})
            return
        event: Object = {"metadata": {"name": seen.name, "namespace": namespace}, "involvedObject": involved}
        event |= {"reason": reason, "message": message, "type": kind, "count": seen.count, "eventTime": None}
        event |= {"firstTimestamp": seen.first, "lastTimestamp": rfc3339(now)}
        event |= {"source": {k: v for k, v in zip(("component", "host"), source, strict=True) if v}}
        event |= {"reportingComponent": source[0], "reportingInstance": source[1]}
        self.store.stamp(event)
        self.store.add("events", event)

    def note(
        self,
        storage: str,
        obj: Object,
        reason: str,
        action: str,
        message: str,
        component: str,
        *,
        warning: bool = False,
    ) -> None:
        """Record as the scheduler does; a repetition within six minutes begins or goes on with a series."""
        kind, now, seconds = "Warning" if warning else "Normal", self.timeline.now(), self.timeline.seconds
        involved = _reference(storage, obj, component, "")
        key = (component, reason, action, kind, *(str(value) for value in involved.values()))
        series = self._series.get(key)
        if series is not None and seconds - series.seen <= SERIES_SECONDS:
            self._go_on(series, now, seconds)
            return
        name, namespace = self._name(obj, now), namespace_of(obj) or "default"
        self._series[key] = _Series(name, namespace, 1, seconds, seconds)
        event: Object = {"metadata": {"name": name, "namespace": namespace}, "involvedObject": involved}
        event |= {"reason": reason, "message": message, "source": {}, "firstTimestamp": None, "lastTimestamp": None}
        event |= {"type": kind, "eventTime": rfc3339_micro(now), "action": action}
        event |= {"reportingComponent": component, "reportingInstance": f"{component}-{INSTANCE}"}
        self.store.stamp(event)
        self.store.add("events", event)

    def _go_on(self, series: _Series, now: datetime, seconds: float) -> None:
        """The second of a series is written at once, later ones every half an hour."""
        series.count, series.seen = series.count + 1, seconds
        existing = self.store.find("events", series.namespace, series.name)
        if existing is None or (series.count > 2 and seconds - series.written < REFRESH_SECONDS):
            return
        series.written = seconds
        shown = {"count": series.count, "lastObservedTime": rfc3339_micro(now)}
        self.store.replace("events", {**clone(existing), "series": shown})

    def expire(self) -> None:
        """Drop what is older than the API server keeps."""
        limit = self.timeline.now() - TTL
        for event in self.store.all("events"):
            last = event.get("lastTimestamp") or (event.get("series") or {}).get("lastObservedTime")
            if parse_time(last or event["metadata"]["creationTimestamp"]) < limit:
                self.store.remove("events", namespace_of(event), name_of(event))

    def _name(self, obj: Object, now: datetime) -> str:
        self._made += 1
        return f"{name_of(obj)}.{int(now.timestamp() * 1e6) * 1000 + self._made % 1000:x}"

    def _combined(self, key: tuple[str, ...], message: str, field_path: str) -> tuple[str, tuple[str, ...]]:
        """The text and the key to count it by: its own, or that of all that are similar."""
        now = self.timeline.seconds
        similar = self._similar.get(key)
        if similar is None or now - similar.last > SIMILAR_SECONDS:
            similar = self._similar[key] = _Similar([], now)
        similar.last = now
        if message not in similar.texts:
            similar.texts.append(message)
        if len(similar.texts) < SIMILAR:
            return message, (*key, message, field_path)
        similar.texts.pop(0)
        return f"(combined from similar events): {message}", key

    def _pass(self, key: tuple[str, ...]) -> bool:
        now = self.timeline.seconds
        bucket = self._buckets.setdefault(key, _Bucket(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) / REFILL_SECONDS)
        bucket.filled = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _identity(involved: Object) -> Iterator[str]:
    for name in ("kind", "namespace", "name"):
        yield str(involved.get(name, ""))


def _reference(storage: str, obj: Object, component: str, field_path: str) -> Object:
    """The object reference that a component makes of `obj`."""
    resource = BY_PLURAL[storage]
    involved: Object = {"kind": resource.kind, "namespace": namespace_of(obj), "name": name_of(obj)}
    if storage == "nodes":
        by_name = component in _BY_NAME
        involved |= {"uid": name_of(obj)} if by_name else {"uid": uid_of(obj), "apiVersion": resource.api_version}
    elif component in _BARE:
        involved["apiVersion"] = resource.api_version
    else:
        involved |= {"uid": uid_of(obj), "apiVersion": resource.api_version}
        involved |= {"resourceVersion": obj["metadata"].get("resourceVersion", ""), "fieldPath": field_path}
    return {k: v for k, v in involved.items() if v}
