"""The tools that a model has: reads of one cluster and of the record, through `ports.Looking`. None of them changes
anything, and there are no others.

What a model asks for is checked here: kinds of a closed list (never a Secret), names that can be names, namespaces of
the watch alone. What comes back is redacted once more, capped, numbered as evidence and fenced (`bot.llm.prompts`).
Used by `bot.llm.advisor`.
"""

import fnmatch
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import errors
from bot.domain import diagnoses, ports
from bot.llm import messages, queries
from k8s import model, names, redact

BODY_CHARACTERS = 4000
PARALLEL = 8
"""Calls of one turn that are made; more are refused with a word to the model."""
MOST = 24
"""Calls for one view."""

NAMESPACED = (
    "Pod",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "EndpointSlice",
    "Ingress",
    "ConfigMap",
    "PersistentVolumeClaim",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "ResourceQuota",
)
WIDE = ("Node", "Namespace", "StorageClass")
"""Kinds of the whole cluster."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
MINUTES = 360


@dataclass(frozen=True, slots=True)
class Found:
    """What a tool brought, or why it brought nothing: then `error` is said to the model, and there is no evidence."""

    title: str
    body: str = ""
    error: str = ""


class _Wrong(Exception):
    """The model asked for what it may not have: the text says why."""


@dataclass(frozen=True, slots=True)
class _Tool:
    description: str
    properties: Mapping[str, Any]
    run: "Callable[[_Asked], Awaitable[str]]"
    title: Callable[[Mapping[str, Any]], str]
    source: str = ""
    """Of `Looking.sources`: without it there is no such tool."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call whose input is to be checked."""

    input: Mapping[str, Any]
    looking: ports.Looking
    globs: Sequence[str]

    def text(self, name: str) -> str:
        found = self.input.get(name)
        if not isinstance(found, str):
            raise _Wrong(f"{name} has to be a text.")
        return found.strip()

    def flag(self, name: str) -> bool:
        found = self.input.get(name)
        if not isinstance(found, bool):
            raise _Wrong(f"{name} has to be true or false.")
        return found

    @property
    def minutes(self) -> int:
        found = self.input.get("minutes")
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= MINUTES:
            raise _Wrong(f"minutes has to be a number from 1 to {MINUTES}.")
        return found

    def inside(self, namespace: str) -> bool:
        return not self.globs or any(fnmatch.fnmatchcase(namespace, glob) for glob in self.globs)

    def place(self, namespace: str) -> str:
        if not names.is_label(namespace):
            raise _Wrong(f"{namespace!r} is not a namespace's name.")
        if not self.inside(namespace):
            raise _Wrong(f"Namespace {namespace} is outside of this watch: nothing is read there.")
        return namespace

    def kind(self, allowed: Collection[str]) -> str:
        kind = self.text("kind")
        if kind not in allowed:
            raise _Wrong(f"{kind!r} cannot be read here, only {', '.join(allowed)}.")
        return kind

    def ref(self, allowed: Collection[str], *, named: str = "name") -> model.ResourceRef:
        kind = self.kind(allowed) if "kind" in self.input else "Pod"
        namespace = "" if kind in WIDE else self.place(self.text("namespace"))
        name = self.text(named)
        if not names.is_subdomain(name):
            raise _Wrong(f"{name!r} is not an object's name.")
        if kind == "Namespace":
            self.place(name)
        return model.ResourceRef(kind, namespace, name)


_KIND = {"type": "string", "enum": [*NAMESPACED, *WIDE]}
_OWNER = {"type": "string", "enum": [*WORKLOADS]}
_TEXT = {"type": "string"}
_WHERE = {"kind": _KIND, "namespace": _TEXT, "name": _TEXT}


async def _get(asked: _Asked) -> str:
    return await asked.looking.get(asked.ref((*NAMESPACED, *WIDE)))


async def _list(asked: _Asked) -> str:
    kind = asked.kind((*NAMESPACED, *(kind for kind in WIDE if kind != "Namespace")))
    namespace = "" if kind in WIDE else asked.place(asked.text("namespace"))
    labels = asked.text("labels")
    if len(labels) > 200:
        raise _Wrong("labels are too long.")
    return await asked.looking.listed(kind, namespace, labels)


async def _logs(asked: _Asked) -> str:
    container = asked.text("container")
    if container and not names.is_label(container):
        raise _Wrong(f"{container!r} is not a container's name.")
    ref = model.ResourceRef("Pod", *_pod(asked))
    return await asked.looking.logs(ref, container, previous=asked.flag("previous"))


def _pod(asked: _Asked) -> tuple[str, str]:
    ref = asked.ref(("Pod",), named="pod")
    return ref.namespace, ref.name


async def _events(asked: _Asked) -> str:
    return await asked.looking.events(asked.ref((*NAMESPACED, *WIDE)))


async def _rollouts(asked: _Asked) -> str:
    return await asked.looking.rollouts(asked.ref(WORKLOADS))


async def _top(asked: _Asked) -> str:
    workload = asked.text("workload")
    if workload and not names.is_subdomain(workload):
        raise _Wrong(f"{workload!r} is not an object's name.")
    return await asked.looking.top(asked.place(asked.text("namespace")), workload)


async def _promql(asked: _Asked) -> str:
    query = asked.text("query")
    if why := queries.promql(query, asked.inside):
        raise _Wrong(why)
    return await asked.looking.promql(query, asked.minutes)


async def _logql(asked: _Asked) -> str:
    query = asked.text("query")
    if why := queries.logql(query, asked.inside):
        raise _Wrong(why)
    return await asked.looking.logql(query, asked.minutes)


async def _past(asked: _Asked) -> str:
    return await asked.looking.past(asked.ref(NAMESPACED))


async def _runbook(asked: _Asked) -> str:
    words = asked.text("words")
    if not words or len(words) > 200:
        raise _Wrong("words has to be a text of at most 200 characters.")
    return await asked.looking.runbook(words)


def _named(what: str, *parts: str) -> Callable[[Mapping[str, Any]], str]:
    def title(given: Mapping[str, Any]) -> str:
        told = "/".join(str(given.get(part)) for part in parts if given.get(part))
        return " ".join(f"{what} {told}".split())

    return title


_QUERY = {"query": _TEXT, "minutes": {"type": "integer"}}
_TOOLS: Mapping[str, _Tool] = {
    "get": _Tool(
        "One object as YAML. Of a ConfigMap only the keys. Secrets cannot be read.",
        _WHERE,
        _get,
        _named("Object", "kind", "namespace", "name"),
    ),
    "list": _Tool(
        "Objects of a kind, one a line. labels: a selector, or empty. namespace: empty for Node and StorageClass.",
        {"kind": _KIND, "namespace": _TEXT, "labels": _TEXT},
        _list,
        _named("List of", "kind", "namespace", "labels"),
    ),
    "logs": _Tool(
        "The end of a container's log. container: empty for the first. previous: the life before the last restart.",
        {"namespace": _TEXT, "pod": _TEXT, "container": _TEXT, "previous": {"type": "boolean"}},
        _logs,
        _named("Log of", "namespace", "pod", "container"),
    ),
    "events": _Tool("Events about one object.", _WHERE, _events, _named("Events of", "kind", "namespace", "name")),
    "rollouts": _Tool(
        "Revisions of a workload and what changed in each.",
        {"kind": _OWNER, "namespace": _TEXT, "name": _TEXT},
        _rollouts,
        _named("Rollouts of", "kind", "namespace", "name"),
    ),
    "top": _Tool(
        "What pods use now against requests and limits. workload: empty for all of the namespace.",
        {"namespace": _TEXT, "workload": _TEXT},
        _top,
        _named("Usage of", "namespace", "workload"),
    ),
    "promql": _Tool(
        'Prometheus, as short series. Every selector has to hold namespace="…".',
        _QUERY,
        _promql,
        _named("Prometheus:", "query"),
        "prometheus",
    ),
    "logql": _Tool(
        'Loki, the newest lines. The selector has to hold namespace="…".',
        _QUERY,
        _logql,
        _named("Loki:", "query"),
        "loki",
    ),
    "past_incidents": _Tool(
        "Earlier incidents of an object and what helped.",
        _WHERE,
        _past,
        _named("Earlier incidents of", "kind", "namespace", "name"),
    ),
    "runbook": _Tool(
        "The team's runbooks about these words.", {"words": _TEXT}, _runbook, _named("Runbooks on", "words")
    ),
}
NAMES = tuple(_TOOLS)


def schemas(sources: Collection[str]) -> list[messages.Json]:
    """As the API wants them: strict, all parameters required, nothing besides."""
    return [
        {
            "name": name,
            "description": tool.description,
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": dict(tool.properties),
                "required": list(tool.properties),
                "additionalProperties": False,
            },
        }
        for name, tool in _TOOLS.items()
        if not tool.source or tool.source in sources
    ]


async def use(call: messages.Call, looking: ports.Looking, globs: Sequence[str]) -> Found:
    """Does what the model asked for, or says why not. Raises nothing that a cluster, a name or a number can bring."""
    tool = _TOOLS.get(call.name)
    if tool is None or (tool.source and tool.source not in looking.sources):
        return Found(call.name[:80], error=f"There is no tool {call.name[:80]!r}.")
    if strays := sorted(set(call.input) - set(tool.properties)):
        return Found(call.name, error=f"{call.name} has no {', '.join(strays)[:200]}.")
    title = redact.redact(tool.title(call.input))[:200]
    try:
        body = await tool.run(_Asked(call.input, looking, globs))
    except (_Wrong, errors.NotPossible, errors.ClusterUnavailable) as error:
        return Found(title, error=redact.redact(str(error))[:500])
    return Found(title, redact.redact(body))


def evidence(found: Found, number: int) -> diagnoses.Evidence:
    """What was found as one more piece, capped."""
    body = found.body or "(nothing)"
    cut = len(body) > BODY_CHARACTERS
    return diagnoses.Evidence(number, "tool", found.title, body[:BODY_CHARACTERS], cut)
