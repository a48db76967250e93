"""The log of each container that ran: computed from its `Run` when it is read, so that a silent cluster costs nothing.

Source for the refusals: https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/kubelet_pods.go
(validateContainerLogStatus) and pkg/registry/core/pod/strategy.go (validateContainer).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from demo.cluster.errors import ApiError, Cause, bad_request
from demo.cluster.images import Run
from demo.cluster.objects import Object, name_of, parse_time, rfc3339_nano
from demo.cluster.timeline import Timeline

REPEATED = 400
"""How many lines of a repeating log are kept, as rotation would."""


@dataclass(frozen=True)
class LogQuery:
    """The parameters of the log subresource."""

    container: str = ""
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit_bytes: int | None = None
    since_seconds: int | None = None
    since_time: datetime | None = None

    @classmethod
    def parse(cls, query: dict[str, str]) -> "LogQuery":
        """From the query of the request; 400 for what is no number."""
        try:
            return cls(
                container=query.get("container", ""),
                previous=query.get("previous") in ("1", "true", "True"),
                timestamps=query.get("timestamps") in ("1", "true", "True"),
                tail=int(query["tailLines"]) if "tailLines" in query else None,
                limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
                since_seconds=int(query["sinceSeconds"]) if "sinceSeconds" in query else None,
                since_time=parse_time(query["sinceTime"]) if "sinceTime" in query else None,
            )
        except ValueError as error:
            raise bad_request(f"unable to parse the options of the log request: {error}") from error

    def faults(self) -> list[Cause]:
        """Numbers that are none of those allowed: https://kubernetes.io/docs/reference/kubernetes-api/ (pod log)."""
        sizes = {"limitBytes": self.limit_bytes, "sinceSeconds": self.since_seconds}
        none = [(name, value, "0") for name, value in sizes.items() if value is not None and value < 1]
        if self.tail is not None and self.tail < 0:
            none.append(("tailLines", self.tail, "or equal to 0"))
        text = "Invalid value: {}: must be greater than {}"
        return [Cause("FieldValueInvalid", text.format(value, than), name) for name, value, than in none]


@dataclass
class _Log:
    run: Run
    started: float
    ended: float | None = None


@dataclass
class LogBook:
    """Logs by container id."""

    timeline: Timeline
    _logs: dict[str, _Log] = field(default_factory=dict)

    def begin(self, container_id: str, run: Run) -> None:
        self._logs[container_id] = _Log(run, self.timeline.seconds)

    def end(self, container_id: str) -> None:
        log = self._logs.get(container_id)
        if log is not None:
            log.ended = self.timeline.seconds

    def forget(self, container_id: str) -> None:
        self._logs.pop(container_id, None)

    def lines(self, container_id: str) -> list[tuple[datetime, str]]:
        log = self._logs.get(container_id)
        if log is None:
            return []
        uptime = (self.timeline.seconds if log.ended is None else log.ended) - log.started
        timed = [(offset, text) for offset, text in log.run.lines if offset <= uptime]
        if log.run.repeat:
            begin = max((offset for offset, _ in log.run.lines), default=0.0) + log.run.period
            count = max(0, int((uptime - begin) / log.run.period) + 1) if uptime >= begin else 0
            first = max(0, count - REPEATED)
            texts = log.run.repeat
            timed += [(begin + i * log.run.period, texts[i % len(texts)]) for i in range(first, count)]
        return [(self.timeline.at(log.started + offset), text) for offset, text in timed]


def choose_container(pod: Object, name: str) -> str:
    """The container that a log or an exec means; 400 where several could be meant or none has that name."""
    main = [each["name"] for each in pod["spec"].get("containers") or []]
    known = [*(each["name"] for each in pod["spec"].get("initContainers") or []), *main]
    if not name and len(main) > 1:
        choice = f"choose one of: [{' '.join(known)}]"
        raise bad_request(f"a container name must be specified for pod {name_of(pod)}, {choice}")
    if name and name not in known:
        raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
    return str(name or main[0])


def container_id(pod: Object, query: LogQuery) -> str:
    """Which container's log a request means; the kubelet's 400 when there is none yet."""
    status, name = pod.get("status") or {}, choose_container(pod, query.container)
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    found = next((each for each in statuses if each["name"] == name), None)
    if found is None:
        raise bad_request(f'container "{name}" in pod "{name_of(pod)}" is not available')
    return _choose(found, name, name_of(pod), previous=query.previous)


def _choose(status: Object, name: str, pod: str, *, previous: bool) -> str:
    state = status.get("state") or {}
    last = str(((status.get("lastState") or {}).get("terminated") or {}).get("containerID") or "")
    if previous:
        if not last:
            raise bad_request(f'previous terminated container "{name}" in pod "{pod}" not found')
        return last
    if "running" in state:
        return str(status["containerID"])
    if "terminated" in state:
        found = str(state["terminated"].get("containerID") or last)
        if not found:
            raise bad_request(f'container "{name}" in pod "{pod}" is terminated')
        return found
    if last:
        return last
    raise _waiting(name, pod, (state.get("waiting") or {}).get("reason", ""))


def _waiting(name: str, pod: str, reason: str) -> ApiError:
    texts = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
    return bad_request(f'container "{name}" in pod "{pod}" is waiting to start: {texts.get(reason, reason)}')


def render(lines: list[tuple[datetime, str]], query: LogQuery, now: datetime) -> bytes:
    """The body of the response: filtered, cut and joined as the kubelet does."""
    since = query.since_time
    if query.since_seconds is not None:
        since = now - timedelta(seconds=query.since_seconds)
    kept = [(moment, text) for moment, text in lines if since is None or moment >= since]
    if query.tail is not None and query.tail >= 0:
        kept = kept[-query.tail :] if query.tail else []
    texts = [f"{rfc3339_nano(moment)} {text}\n" if query.timestamps else f"{text}\n" for moment, text in kept]
    body = "".join(texts).encode()
    return body if query.limit_bytes is None else body[: query.limit_bytes]
