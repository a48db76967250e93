"""What two clusters can be held against each other by: what was taken of a case, as flat paths with values.

Names, uids, hashes, addresses, times, images and the namespace are masked, and counts that depend on time. What is left
is what a reader of the API goes by: specs with their defaults, phases, counts, conditions, states of containers with
reason, message and exit code, labels, kinds of owners, events by their words and by which of their times are set, and
the bodies of answers.

    view(taken) -> {"pods/api-HASH-POD#0/status/phase": "Running", "events/Warning BackOff kubelet: Back-off …": …}
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.grounds.admin import Object
from tests.likeness.stage import Answer, Taken

View = dict[str, Any]
_DROPPED = frozenset({"uid", "resourceVersion", "generation", "observedGeneration", "continue", "remainingItemCount"})
"""Of no meaning beyond one cluster, or, the generations, a matter of how often a controller wrote."""
_TIMES = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_REAL_IMAGE = r"watchkeeper\.test/busybox"
_PLAYED_IMAGE = r"(docker\.io/)?(grounds|likeness)/[\w-]+"
_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UID"),
    (_TIMES, "TIME"),
    (re.compile(rf"\b({_REAL_IMAGE}|{_PLAYED_IMAGE})(:v\d)?(@sha256:[0-9a-f]{{64}})?"), "IMAGE"),
    (re.compile(r"\b(containerd://|sha256:)[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"), "IP"),
    (re.compile(r"\b(system:serviceaccount:NS:)?(watchkeeper-)?(reader|writer)(-NS)?\b"), r"\3"),
    (re.compile(r'Invalid value: ("|\{|\[)[^\n]{200,}?\}"?: '), "Invalid value: LONG: "),
    (re.compile(r"\bback-off [\dms.]+ restarting"), "back-off DURATION restarting"),
    (re.compile(r"\bkube-api-access-\w{5}\b"), "kube-api-access-RANDOM"),
)
_HASHES = frozenset({"pod-template-hash", "controller-revision-hash"})
SEVERAL = 2
_STARTED_ANEW = frozenset({"restartCount", "failed"})
_IGNORED_REASONS = frozenset({"Pulling", "Pulled", "MissingClusterDNS", "ClusterIPNotAllocated"})
"""Whether an image was there already and whether there is DNS are matters of how a cluster is set up (of an image that
cannot be had, `Failed` says all); and a repair of addresses may or may not come by."""
_HURRIED = ("kube-api-access", "cache: timed out waiting for the condition")
_PASSING = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"}
)
"""Annotations that say how something was written. The second one is there or not as it happens."""


def view(taken: Taken) -> View:
    """The whole case."""
    mask = _Mask(taken)
    found: View = {}
    for plural in taken.lists:
        if plural == "events":
            found |= dict(_event(event, mask) for event in taken.items(plural) if _heard(event))
        else:
            found |= _objects(plural, taken.items(plural), mask)
    for label, answer in taken.answers.items():
        found |= _answer(label, answer, mask)
    return found


class _Mask:
    """The texts of one case without what is only of that case."""

    def __init__(self, taken: Taken) -> None:
        nodes = {str(pod["spec"]["nodeName"]) for pod in taken.items("pods") if pod["spec"].get("nodeName")}
        nodes |= {str(node["metadata"]["name"]) for node in taken.items("nodes")}
        nodes |= {
            str(event["source"]["host"]) for event in taken.items("events") if (event.get("source") or {}).get("host")
        }
        self._words = {taken.namespace: "NS", **dict.fromkeys(nodes, "NODE")}
        names = sorted(_bases(taken), key=len, reverse=True)
        joined = "|".join(map(re.escape, names)) or "$^"
        self._pod = re.compile(rf"\b({joined})-[0-9a-z]{{8,10}}-[0-9a-z]{{5}}(?![0-9a-z])")
        self._hash = re.compile(rf"\b({joined})-[0-9a-z]{{8,10}}(?![0-9a-z])")
        self._single = re.compile(rf"\b({joined})-[0-9a-z]{{5}}(?![0-9a-z])")

    def __call__(self, text: str) -> str:
        for word, instead in self._words.items():
            text = text.replace(word, instead)
        for pattern, instead in _TEXTS:
            text = pattern.sub(instead, text)
        text = self._pod.sub(r"\1-HASH-POD", text)
        text = self._hash.sub(r"\1-HASH", text)
        return self._single.sub(r"\1-POD", text)


def _bases(taken: Taken) -> set[str]:
    """Names that other names are made of."""
    kinds = ("deployments", "statefulsets", "daemonsets", "jobs", "cronjobs", "services")
    names = {str(item["metadata"]["name"]) for plural in kinds for item in taken.items(plural)}
    names |= {str(pod["metadata"].get("labels", {}).get("app")) for pod in taken.items("pods")}
    told = (event["involvedObject"] for event in taken.items("events"))
    names |= {str(about["name"]) for about in told if about["kind"] in ("Deployment", "DaemonSet", "CronJob")}
    return {re.sub(r"-\d{8}$", "", name) for name in names} - {"None"}


# --- events


def _heard(event: Object) -> bool:
    """Whether it is of the case, and not of a kubelet's first moments with a pod, which tell on a busy machine."""
    message = event.get("message", "")
    hurried = event["reason"] == "FailedMount" and any(text in message for text in _HURRIED)
    return event["reason"] not in _IGNORED_REASONS and not hurried


def _event(event: Object, mask: _Mask) -> tuple[str, Any]:
    """One line an event, and which of its fields are set: the older and the newer way of writing one differ there."""
    involved, source = event["involvedObject"], event.get("source") or {}
    where = involved.get("fieldPath", "")
    reporter = event.get("reportingComponent") or source.get("component", "")
    about = f"{involved['kind']}/{mask(involved['name'])}{f' {where}' if where else ''}"
    message = mask(event["message"]).removeprefix("(combined from similar events): ")
    line = f"events/{event['type']} {event['reason']} by {reporter} on {about}: {message}"
    times = [name for name in ("firstTimestamp", "lastTimestamp", "eventTime", "count", "action") if event.get(name)]
    source_fields = [f"source.{name}" for name in sorted(source)]
    return line, " ".join([*times, *source_fields])


# --- objects


def _objects(plural: str, items: Iterable[Object], mask: _Mask) -> View:
    """Each object under its masked name; those that share one are numbered by what they show."""
    same: dict[str, list[str]] = defaultdict(list)
    for item in items:
        shown = _object(plural, item, mask)
        same[mask(item["metadata"]["name"])].append(json.dumps(shown, sort_keys=True))
    found: View = {}
    for name, views in same.items():
        for number, each in enumerate(sorted(set(views))):
            found |= {f"{plural}/{name}#{number}/{path}": value for path, value in json.loads(each).items()}
        found[f"{plural}/{name}/how-many"] = min(len(views), SEVERAL)
    return found


def _object(plural: str, item: Object, mask: _Mask) -> View:
    kept = {"metadata": _metadata(item["metadata"])} | {
        name: value for name, value in item.items() if name not in ("metadata", "kind", "apiVersion")
    }
    special = _SPECIAL.get(plural)
    return dict(_flat(kept if special is None else special(kept), "", mask))


def _metadata(metadata: Object) -> Object:
    owners = [
        {k: v for k, v in owner.items() if k not in ("uid", "name")} for owner in metadata.get("ownerReferences") or ()
    ]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _PASSING}
    found: Object = {"labels": metadata.get("labels") or {}, "annotations": annotations, "owners": owners}
    found |= {name: metadata[name] for name in ("finalizers", "deletionGracePeriodSeconds") if name in metadata}
    return found | {"deleting": "deletionTimestamp" in metadata, "generateName": metadata.get("generateName", "")}


def _pod(pod: Object) -> Object:
    """Without what a container runs, which differs between the grounds on purpose."""
    spec = dict(pod["spec"])
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [{k: v for k, v in each.items() if k != "command"} for each in spec[name]]
    return {**pod, "spec": spec}


def _templated(item: Object) -> Object:
    spec = item["spec"]
    if "template" in spec:
        return {**item, "spec": {**spec, "template": _pod(spec["template"])}}
    if "jobTemplate" in spec:
        return {**item, "spec": {**spec, "jobTemplate": _templated(spec["jobTemplate"])}}
    return item


_SPECIAL: Mapping[str, Callable[[Object], Object]] = {
    "pods": _pod,
    "deployments": _templated,
    "replicasets": _templated,
    "statefulsets": _templated,
    "daemonsets": _templated,
    "jobs": _templated,
    "cronjobs": _templated,
}


# --- answers


def _answer(label: str, answer: Answer, mask: _Mask) -> View:
    body = answer.body
    if isinstance(body, dict) and "metadata" in body and body.get("kind") != "Status":
        body = {**body, "metadata": _metadata(body["metadata"])}
        body = _templated(body) if isinstance(body.get("spec"), dict) else body
    return {f"answers/{label}/http": answer.status} | dict(_flat(body, f"answers/{label}", mask))


# --- flattening


def _flat(value: Any, path: str, mask: _Mask) -> Iterable[tuple[str, Any]]:
    """Every leaf under its path. A list of named (or typed) objects goes by their names, any other by its index."""
    if isinstance(value, dict):
        if not value:
            yield path, {}
        for name, each in value.items():
            if name not in _DROPPED:
                yield from _flat(_timeless(name, each), f"{path}/{mask(name)}".lstrip("/"), mask)
    elif isinstance(value, list):
        yield from _flat_list(value, path, mask)
    else:
        yield path, mask(value) if isinstance(value, str) else value


def _timeless(name: str, value: Any) -> Any:
    """Without what only tells how long it was, or which of two that are alike."""
    if name in _STARTED_ANEW:
        return value > 0
    return "HASH" if name in _HASHES else value


def _flat_list(values: list[Any], path: str, mask: _Mask) -> Iterable[tuple[str, Any]]:
    if not values:
        yield path, []
    for number, each in enumerate(values):
        label = str(number)
        if isinstance(each, dict):
            label = str(each.get("name") or each.get("type") or number)
        yield from _flat(each, f"{path}/{mask(label)}", mask)
