"""Events as components record them: equal ones are counted up in one object, chatty ones are held back.

Source: https://github.com/kubernetes/client-go/blob/master/tools/record/events_cache.go (25 events of one source about
one object at once, then one every five minutes). Called by controllers, scheduler and kubelet.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from demo.cluster.objects import Object, clone, name_of, namespace_of, parse_time, rfc3339, uid_of
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Store
from demo.cluster.timeline import Timeline

BURST = 25
REFILL_SECONDS = 300.0
TTL = timedelta(hours=1)

Source = tuple[str, str]
"""(component, host)."""


@dataclass
class _Bucket:
    tokens: float
    filled: float


@dataclass
class Recorder:
    """Writes events into the store."""

    store: Store
    timeline: Timeline
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)
    _buckets: dict[tuple[str, ...], _Bucket] = field(default_factory=dict)

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
        uid = uid_of(obj) if storage != "nodes" else name_of(obj)
        if not self._pass((*source, uid)):
            return
        kind = "Warning" if warning else "Normal"
        now = self.timeline.now()
        key = (*source, uid, reason, message, field_path)
        namespace = namespace_of(obj) or "default"
        existing = self.store.find("events", namespace, self._names.get(key, ""))
        if existing is not None:
            changed = clone(existing)
            changed["count"] += 1
            changed["lastTimestamp"] = rfc3339(now)
            self.store.replace("events", changed)
            return
        name = f"{name_of(obj)}.{int(now.timestamp() * 1e6):016x}{len(self._names) % 256:02x}"
        event = self._new(storage, obj, uid, field_path)
        event["metadata"] |= {"name": name, "namespace": namespace}
        event |= {"reason": reason, "message": message, "type": kind, "count": 1, "eventTime": None}
        event |= {"firstTimestamp": rfc3339(now), "lastTimestamp": rfc3339(now)}
        event |= {"source": {k: v for k, v in zip(("component", "host"), source, strict=True) if v}}
        event |= {"reportingComponent": source[0], "reportingInstance": source[1]}
        self.store.stamp(event)
        self._names[key] = name
        self.store.add("events", event)

    def expire(self) -> None:
        """Drop what is older than the API server keeps."""
        limit = self.timeline.now() - TTL
        for event in self.store.all("events"):
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if parse_time(last) < limit:
                self.store.remove("events", namespace_of(event), name_of(event))

    def _new(self, storage: str, obj: Object, uid: str, field_path: str) -> Object:
        resource = BY_PLURAL[storage]
        involved: Object = {
            "kind": resource.kind,
            "namespace": namespace_of(obj),
            "name": name_of(obj),
            "uid": uid,
            "apiVersion": resource.api_version,
            "resourceVersion": obj["metadata"].get("resourceVersion", ""),
            "fieldPath": field_path,
        }
        if storage == "nodes":
            involved.pop("resourceVersion")
            involved.pop("apiVersion")
        return {"metadata": {}, "involvedObject": {k: v for k, v in involved.items() if v}}

    def _pass(self, key: tuple[str, ...]) -> bool:
        now = self.timeline.seconds
        bucket = self._buckets.setdefault(key, _Bucket(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) / REFILL_SECONDS)
        bucket.filled = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
