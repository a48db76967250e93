"""Listening: the logs of the container that fails, of its life before, and of one beside it that is well.

Called by `collecting`. Facts for the rules: `container`, `error_line`, `missing_name`, `log` (current or previous).
"""

import asyncio
import functools
from dataclasses import dataclass

from bot.evidence import gathering, logs, telling
from k8s import fields, model, redact, workloads
from k8s.client import errors, reader

RETRIES = (0.5, 2.0)
"""Seconds after which a log that a node has just dropped is asked for again."""
_SIBLING_LINES = 40


@dataclass(frozen=True, slots=True)
class Listener:
    """Reads logs, so much of each."""

    lines: int
    bytes: int

    async def log(
        self, source: reader.Reader, suspect: telling.Suspect | None, told: gathering.Gathering, *, previous: bool
    ) -> str | None:
        """None where there is no such log: a container that never ran has none, and that is no gap."""
        if suspect is None or not suspect.container or (previous and not suspect.restarted) or not suspect.ran:
            return None
        reading = self._log_that_is_there(source, suspect, previous=previous)
        return await told.ask(f"the {'previous' if previous else 'current'} log", reading, (errors.Rejected,))

    async def _log_that_is_there(self, source: reader.Reader, suspect: telling.Suspect, *, previous: bool) -> str:
        """A node drops the log of a dead container a moment before the pod's status names the next one."""
        reading = functools.partial(
            source.logs,
            suspect.pod.namespace,
            suspect.pod.name,
            suspect.container,
            previous=previous,
            tail_lines=self.lines,
            limit_bytes=self.bytes,
        )
        for pause in RETRIES:
            try:
                return await reading()
            except errors.NotFound:
                await asyncio.sleep(pause)
        return await reading()

    async def beside(self, place: gathering.Place, suspect: telling.Suspect | None) -> gathering.Piece | None:
        """The end of the log of the same container where it is well: what is normal there. A pod that went away
        meanwhile has none, and that is no gap."""
        found = None if suspect is None or not suspect.ran else sibling(place.target, suspect)
        if suspect is None or found is None:
            return None
        name = fields.text(found, "metadata", "name")
        reading = place.source.logs(
            suspect.pod.namespace, name, suspect.container, tail_lines=_SIBLING_LINES, limit_bytes=self.bytes // 4
        )
        log = await place.aside.ask("the log of a healthy pod", "logs of healthy pods", reading)
        body, cut = logs.excerpt(clean(log or ""), lines=12, characters=1500)
        same = _revision(found) == _revision(_raw(place.target, suspect))
        which = "of the same revision" if same else "of another revision"
        title = f"Log of container {suspect.container} of pod {name}, which is ready ({which}): what is normal"
        return gathering.Piece("sibling-log", title, body, cut or (log or "").count("\n") >= _SIBLING_LINES)

    def tell(
        self, told: gathering.Gathering, suspect: telling.Suspect | None, current: str | None, previous: str | None
    ) -> None:
        """The log of the life that failed comes first: the previous one where the container was restarted."""
        if suspect is None:
            return
        told.facts["container"] = suspect.container
        for source, log in (("previous-log", previous), ("log", current)):
            if not log or not log.strip():
                continue
            text = clean(log)
            line = logs.telling_line(text)
            if source == "log" and previous and text.strip() == clean(previous).strip():
                continue
            which = "before its last restart" if source == "previous-log" else "now"
            body, cut = logs.excerpt(text)
            cut = cut or self._longer(log)
            title = f"Log of container {suspect.container} of pod {suspect.pod.name}, {which}"
            told.add("previous-log" if source == "previous-log" else "log", title, body, cut=cut)
            if line and "error_line" not in told.facts:
                told.facts["error_line"] = line
                told.facts["log"] = source
                if name := logs.missing_name(line):
                    told.facts["missing_name"] = name

    def _longer(self, log: str) -> bool:
        """Whether a log was most likely longer than what was read of it: the part of a line that comes first in a log
        that was cut by its bytes is left out of what was read."""
        return log.count("\n") >= self.lines or len(log) >= 0.75 * self.bytes


def clean(log: str) -> str:
    """Redacted, also where it begins within a key."""
    return redact.redact(logs.without_torn_key(log))


def sibling(target: model.Target | None, suspect: telling.Suspect) -> model.Json | None:
    """A pod of the workload in which the suspect's container is ready: of the same revision rather than another, and
    rather one that has run for long."""
    pods = () if target is None else target.pods
    own = _revision(_raw(target, suspect))
    fit = [
        pod
        for pod in pods
        if fields.uid(pod) != suspect.pod.uid
        and workloads.pod_ready(pod)
        and not fields.deleting(pod)
        and any(
            fields.text(one, "name") == suspect.container and one.get("ready")
            for one in fields.items(pod, "status", "containerStatuses")
        )
    ]
    fit.sort(key=lambda pod: (_revision(pod) != own, fields.text(pod, "metadata", "creationTimestamp")))
    return fit[0] if fit else None


def _raw(target: model.Target | None, suspect: telling.Suspect) -> model.Json:
    pods = () if target is None else target.pods
    return next((pod for pod in pods if fields.uid(pod) == suspect.pod.uid), {})


def _revision(pod: model.Json) -> str:
    labels = fields.labels(pod)
    return labels.get("pod-template-hash") or labels.get(workloads.POD_REVISION, "")
