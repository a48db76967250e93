"""Compares pod templates: which are the same, and what a person would say has changed between two of them.

Values of environment variables, commands and arguments may be secrets and are never shown, only that they changed.
Called by `workloads`, which the other modules ask.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import msgspec

from k8s import fields, model

HASH_LABEL = "pod-template-hash"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

_ENCODER = msgspec.json.Encoder(order="sorted")
_PROBES = {"livenessProbe": "liveness probe", "readinessProbe": "readiness probe", "startupProbe": "startup probe"}
_SPOKEN = frozenset(
    ("name", "image", "env", "envFrom", "command", "args", "resources", "ports", "volumeMounts", *_PROBES)
)
_VOLUME_NAMES = {
    "configMap": ("ConfigMap", ("name",)),
    "secret": ("Secret", ("secretName",)),
    "persistentVolumeClaim": ("PersistentVolumeClaim", ("claimName",)),
}


def _whole(tree: object) -> object:
    """The tree without nulls: an API server may write an absent field either way (`creationTimestamp: null`)."""
    if isinstance(tree, dict):
        return {key: _whole(entry) for key, entry in tree.items() if entry is not None}
    if isinstance(tree, list):
        return [_whole(entry) for entry in tree]
    return tree


def bare(template: model.Json, *, without: Sequence[str] = ()) -> model.Json:
    """The template as its Deployment holds it: without its ReplicaSet's hash label, and without these annotations."""
    metadata = dict(fields.mapping(template, "metadata"))
    for key, dropped in (("labels", (HASH_LABEL,)), ("annotations", tuple(without))):
        kept = {name: entry for name, entry in fields.mapping(metadata, key).items() if name not in dropped}
        if kept:
            metadata[key] = kept
        else:
            metadata.pop(key, None)
    return {**template, "metadata": metadata}


def digest(template: model.Json) -> str:
    """SHA-256 in hex over what the template says, whoever holds it: a Deployment's and its ReplicaSet's are equal."""
    return hashlib.sha256(_ENCODER.encode(_whole(bare(template)))).hexdigest()


def essence(template: model.Json) -> str:
    """As `digest`, but blind to a mere restart: equal essences run the same thing."""
    return hashlib.sha256(_ENCODER.encode(_whole(bare(template, without=(RESTARTED_AT,))))).hexdigest()


def images(template: model.Json) -> tuple[str, ...]:
    """The images of the ordinary containers, in their order."""
    return tuple(fields.text(entry, "image") for entry in fields.items(template, "spec", "containers"))


def diff(old: model.Json, new: model.Json) -> tuple[str, ...]:
    """What changes from the old template to the new one, one short line each; nothing where they say the same."""
    before, after = fields.mapping(old, "spec"), fields.mapping(new, "spec")
    lines = [
        *_containers(before, after, "containers", ""),
        *_containers(before, after, "initContainers", "init "),
        *_volumes(before, after),
        *_service_account(before, after),
        *_rest(before, after),
        *_metadata(old, new, "labels", "label", (HASH_LABEL,)),
        *_metadata(old, new, "annotations", "annotation", ()),
    ]
    return tuple(lines)


def _changes(
    old: dict[str, object], new: dict[str, object], said: Callable[[str, object, object], Iterator[str]]
) -> Iterator[str]:
    """Asks `said` about each entry that differs, by name: removed (new is None), added (old is None), changed."""
    for name in sorted({**old, **new}):
        if _whole(old.get(name)) != _whole(new.get(name)):
            yield from said(name, old.get(name), new.get(name))


def _state(old: object, new: object) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _named(spec: model.Json, key: str, by: str = "name") -> dict[str, object]:
    return {fields.text(entry, by): entry for entry in fields.items(spec, key)}


def _containers(old: model.Json, new: model.Json, key: str, prefix: str) -> Iterator[str]:
    before, after = _named(old, key), _named(new, key)
    alone = len({**before, **after}) == 1 and not prefix

    def said(name: str, was: object, is_now: object) -> Iterator[str]:
        if was is None or is_now is None:
            yield f"{prefix}container {name} {_state(was, is_now)}"
            return
        start = "" if alone else f"{prefix}{name}: "
        for line in _container(fields.mapping({"c": was}, "c"), fields.mapping({"c": is_now}, "c")):
            yield f"{start}{line}"

    yield from _changes(before, after, said)


def _container(old: model.Json, new: model.Json) -> Iterator[str]:
    if fields.text(old, "image") != fields.text(new, "image"):
        yield f"image: {fields.text(old, 'image') or 'none'} → {fields.text(new, 'image') or 'none'}"
    yield from _changes(_named(old, "env"), _named(new, "env"), _env)
    yield from _changes(
        _sources(old), _sources(new), lambda name, was, now: iter((f"env from {name} {_state(was, now)}",))
    )
    for key, word in (("command", "command"), ("args", "arguments")):
        if _whole(old.get(key)) != _whole(new.get(key)):
            yield f"{word} {_state(old.get(key), new.get(key))}"
    yield from _resources(old, new)
    for key, word in _PROBES.items():
        yield from _probe(word, old.get(key), new.get(key))
    yield from _changes(_ports(old), _ports(new), lambda name, was, now: iter((f"port {name} {_state(was, now)}",)))
    yield from _changes(
        _named(old, "volumeMounts", "mountPath"),
        _named(new, "volumeMounts", "mountPath"),
        lambda name, was, now: iter((f"mount {name} {_state(was, now)}",)),
    )
    yield from _changes(
        {key: entry for key, entry in old.items() if key not in _SPOKEN},
        {key: entry for key, entry in new.items() if key not in _SPOKEN},
        lambda name, was, now: iter((f"{name} {_state(was, now)}",)),
    )


def _env(name: str, old: object, new: object) -> Iterator[str]:
    source = reference(new)
    if old is not None and new is not None and source and source != reference(old):
        yield f"env {name} now from {source}"
    elif old is None and source:
        yield f"env {name} added (from {source})"
    else:
        yield f"env {name} {_state(old, new)}"


def reference(env: object) -> str:
    """Where an environment variable comes from: names only, which are no secrets."""
    for key, word in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if name := fields.text(env, "valueFrom", key, "name"):
            return f"{word} {name}, key {fields.text(env, 'valueFrom', key, 'key')}"
    return fields.text(env, "valueFrom", "fieldRef", "fieldPath")


def _sources(container: model.Json) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in fields.items(container, "envFrom"):
        for key, word in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if name := fields.text(entry, key, "name"):
                found[f"{word} {name}"] = entry
    return found


def _ports(container: model.Json) -> dict[str, object]:
    return {
        f"{entry.get('containerPort')}/{fields.text(entry, 'protocol') or 'TCP'}": entry
        for entry in fields.items(container, "ports")
    }


def _resources(old: model.Json, new: model.Json) -> Iterator[str]:
    for key, word in (("requests", "request"), ("limits", "limit")):

        def said(name: str, was: object, now: object, word: str = word) -> Iterator[str]:
            yield f"{name} {word} {'none' if was is None else was} → {'none' if now is None else now}"

        yield from _changes(fields.mapping(old, "resources", key), fields.mapping(new, "resources", key), said)


def _probe(word: str, old: object, new: object) -> Iterator[str]:
    if _whole(old) == _whole(new):
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield f"{word} {_state(old, new)}"
        return
    changed: list[str] = []
    for name in sorted({**old, **new}):
        was, now = old.get(name), new.get(name)
        if was != now:
            numbers = isinstance(was, int) and isinstance(now, int)
            changed.append(f"{name} {was} → {now}" if numbers else name)
    yield f"{word} changed: {', '.join(changed)}"


def _volumes(old: model.Json, new: model.Json) -> Iterator[str]:
    def said(name: str, was: object, now: object) -> Iterator[str]:
        source = _volume_source(was if now is None else now)
        yield f"volume {name} {_state(was, now)}{f' ({source})' if source else ''}"

    yield from _changes(_named(old, "volumes"), _named(new, "volumes"), said)


def _volume_source(volume: object) -> str:
    for key, (word, path) in _VOLUME_NAMES.items():
        if name := fields.text(volume, key, *path):
            return f"{word} {name}"
    return next((key for key in fields.mapping({"v": volume}, "v") if key != "name"), "")


def _service_account(old: model.Json, new: model.Json) -> Iterator[str]:
    was, now = (fields.text(spec, "serviceAccountName") or "default" for spec in (old, new))
    if was != now:
        yield f"service account: {was} → {now}"


def _rest(old: model.Json, new: model.Json) -> Iterator[str]:
    """Every other field of the pod's spec by its name alone: a change must never go unsaid."""
    spoken = ("containers", "initContainers", "volumes", "serviceAccountName", "serviceAccount")
    yield from _changes(
        {key: entry for key, entry in old.items() if key not in spoken},
        {key: entry for key, entry in new.items() if key not in spoken},
        lambda name, was, now: iter((f"{name} {_state(was, now)}",)),
    )


def _metadata(old: model.Json, new: model.Json, key: str, word: str, skipped: Sequence[str]) -> Iterator[str]:
    def kept(template: model.Json) -> dict[str, object]:
        found = fields.mapping(template, "metadata", key)
        return {name: entry for name, entry in found.items() if name not in skipped}

    yield from _changes(kept(old), kept(new), lambda name, was, now: iter((f"{word} {name} {_state(was, now)}",)))
